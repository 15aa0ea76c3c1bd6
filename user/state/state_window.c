// SPDX-License-Identifier: GPL-2.0-only
/*
 * state_window.c - a window as the bytes of one column, and back. The bytes that are read may be
 * anything, from a damaged page or another program: only what pack could have written makes a
 * window.
 *
 * Little endian: u32 version, u32 slots, u32 pending; slots of i64 second, u32 delivered, deferred,
 * failed, in order of time; pending mails of u64 mail, i64 second.
 */
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "state_db.h"

#define PACK_VERSION	   1
#define PACK_HEAD_BYTES	   12
#define PACK_SLOT_BYTES	   20
#define PACK_PENDING_BYTES 16

/* More seconds than the longest window has; a second further from 0 than any clock gets. */
#define PACK_SLOTS_MAX	100000
#define PACK_SECOND_MAX (INT64_C(1) << 40)

static void put32(unsigned char **at, uint32_t value)
{
	value = htole32(value);
	memcpy(*at, &value, sizeof(value));
	*at += sizeof(value);
}

static void put64(unsigned char **at, uint64_t value)
{
	value = htole64(value);
	memcpy(*at, &value, sizeof(value));
	*at += sizeof(value);
}

static uint32_t get32(const unsigned char **at)
{
	uint32_t value;

	memcpy(&value, *at, sizeof(value));
	*at += sizeof(value);
	return le32toh(value);
}

static uint64_t get64(const unsigned char **at)
{
	uint64_t value;

	memcpy(&value, *at, sizeof(value));
	*at += sizeof(value);
	return le64toh(value);
}

int state_window_pack(const struct window *window, unsigned char **bytes, size_t *size)
{
	size_t slots = 0, pendings = 0, cursor = 0;
	struct window_pending pending;
	struct window_slot slot;
	unsigned char *at;

	while (window_slot(window, slots, &slot))
		slots++;
	while (window_pending(window, &cursor, &pending))
		pendings++;
	*size = PACK_HEAD_BYTES + slots * PACK_SLOT_BYTES + pendings * PACK_PENDING_BYTES;
	*bytes = at = malloc(*size);
	if (!at)
		return -ENOMEM;
	put32(&at, PACK_VERSION);
	put32(&at, slots);
	put32(&at, pendings);
	for (size_t i = 0; window_slot(window, i, &slot); i++) {
		put64(&at, slot.second);
		put32(&at, slot.delivered);
		put32(&at, slot.deferred);
		put32(&at, slot.failed);
	}
	for (cursor = 0; window_pending(window, &cursor, &pending);) {
		put64(&at, pending.mail);
		put64(&at, pending.second);
	}
	return 0;
}

static bool second_valid(int64_t second)
{
	return second >= -PACK_SECOND_MAX && second <= PACK_SECOND_MAX;
}

static int unpack_slots(const unsigned char **at, uint32_t count, struct window_slot *slots)
{
	for (uint32_t i = 0; i < count; i++) {
		struct window_slot *s = &slots[i];

		s->second = get64(at);
		s->delivered = get32(at);
		s->deferred = get32(at);
		s->failed = get32(at);
		if (!second_valid(s->second) || (i && s->second <= slots[i - 1].second))
			return -EBADMSG;
	}
	return 0;
}

static int slot_compare(const void *key, const void *slot)
{
	int64_t second = *(const int64_t *)key, other = ((const struct window_slot *)slot)->second;

	return (second > other) - (second < other);
}

/* Each pending mail is one of its second's deferrals; `open` counts how many of them are. */
static int unpack_pending(const unsigned char **at, uint32_t count, struct window_pending *pending,
			  const struct window_slot *slots, uint32_t slots_count, uint32_t *open)
{
	for (uint32_t i = 0; i < count; i++) {
		const struct window_slot *slot;
		struct window_pending *p = &pending[i];

		p->mail = get64(at);
		p->second = get64(at);
		if (!p->mail)
			return -EBADMSG;
		slot = bsearch(&p->second, slots, slots_count, sizeof(*slots), slot_compare);
		if (!slot || ++open[slot - slots] > slot->deferred)
			return -EBADMSG;
	}
	return 0;
}

static int restore(struct window *window, int64_t shift_s, struct window_slot *slots,
		   uint32_t slots_count, struct window_pending *pending, uint32_t pending_count)
{
	int r = 0;

	for (uint32_t i = 0; !r && i < slots_count; i++) {
		slots[i].second += shift_s;
		r = window_restore_slot(window, &slots[i]);
	}
	for (uint32_t i = 0; !r && i < pending_count; i++) {
		pending[i].second += shift_s;
		r = window_restore_pending(window, &pending[i]);
	}
	if (r)
		window_clear(window);
	return r;
}

int state_window_unpack(const unsigned char *bytes, size_t size, int64_t shift_s,
			struct window *window)
{
	const unsigned char *at = bytes;
	struct window_pending *pending;
	struct window_slot *slots;
	uint32_t slots_count, pending_count, *open;
	int r;

	memset(window, 0, sizeof(*window));
	if (size < PACK_HEAD_BYTES || get32(&at) != PACK_VERSION)
		return -EBADMSG;
	slots_count = get32(&at);
	pending_count = get32(&at);
	if (slots_count > PACK_SLOTS_MAX || pending_count > WINDOW_PENDING_MAX ||
	    size != PACK_HEAD_BYTES + slots_count * (size_t)PACK_SLOT_BYTES +
			    pending_count * (size_t)PACK_PENDING_BYTES)
		return -EBADMSG;
	slots = calloc(slots_count + 1, sizeof(*slots));
	open = calloc(slots_count + 1, sizeof(*open));
	pending = calloc(pending_count + 1, sizeof(*pending));
	r = slots && open && pending ? 0 : -ENOMEM;
	if (!r)
		r = unpack_slots(&at, slots_count, slots);
	if (!r)
		r = unpack_pending(&at, pending_count, pending, slots, slots_count, open);
	if (!r)
		r = restore(window, shift_s, slots, slots_count, pending, pending_count);
	free(slots);
	free(open);
	free(pending);
	return r;
}
