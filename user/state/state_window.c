// SPDX-License-Identifier: GPL-2.0-only
/*
 * state_window.c - a window as the bytes of one column, and back. The bytes that are read may be
 * anything, from a damaged page or another program: only what pack could have written makes a
 * window.
 *
 * Little endian: u32 version, u32 slots, u32 entries; slots of i64 second, u32 delivered, deferred,
 * failed, in order of time; entries of u64 mail, u64 rcpt, i32 second, u32 remote, u8 outcome,
 * class, flags, 0. Version 1 had entries of u64 mail, i64 second, pending ones of the last hour
 * alone.
 */
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "state_db.h"

#define PACK_VERSION	  2
#define PACK_VERSION_1	  1
#define PACK_HEAD_BYTES	  12
#define PACK_SLOT_BYTES	  20
#define PACK_MAIL_BYTES	  28
#define PACK_MAIL_BYTES_1 16

/* More seconds than the longest window has; a second further from 0 than any clock gets. */
#define PACK_SLOTS_MAX	100000
#define PACK_SECOND_MAX (INT64_C(1) << 40)
#define MAIL_SECOND_MAX (INT64_C(1) << 30)

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

static void put8(unsigned char **at, uint8_t value)
{
	*(*at)++ = value;
}

static uint8_t get8(const unsigned char **at)
{
	return *(*at)++;
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

static void put_mail(unsigned char **at, const struct window_mail *m)
{
	put64(at, m->mail);
	put64(at, m->rcpt);
	put32(at, (uint32_t)m->second);
	put32(at, m->remote);
	put8(at, m->outcome);
	put8(at, m->class);
	put8(at, m->flags);
	put8(at, 0);
}

int state_window_pack(const struct window *window, unsigned char **bytes, size_t *size)
{
	const struct window_mail *m = NULL;
	size_t slots = 0, mails = 0;
	struct window_slot slot;
	unsigned char *at;

	while (window_slot(window, slots, &slot))
		slots++;
	while ((m = window_mail(window, m)))
		mails++;
	*size = PACK_HEAD_BYTES + slots * PACK_SLOT_BYTES + mails * PACK_MAIL_BYTES;
	*bytes = at = malloc(*size);
	if (!at)
		return -ENOMEM;
	put32(&at, PACK_VERSION);
	put32(&at, slots);
	put32(&at, mails);
	for (size_t i = 0; window_slot(window, i, &slot); i++) {
		put64(&at, slot.second);
		put32(&at, slot.delivered);
		put32(&at, slot.deferred);
		put32(&at, slot.failed);
	}
	while ((m = window_mail(window, m)))
		put_mail(&at, m);
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

/* How many entries of each outcome are in the count of a slot. */
struct named {
	uint32_t deferred;
	uint32_t failed;
};

static bool mail_valid(const struct window_mail *m, int64_t second)
{
	bool past = m->flags & WINDOW_MAIL_PAST;

	return m->mail && second >= -MAIL_SECOND_MAX && second <= MAIL_SECOND_MAX &&
	       (m->outcome == SMTP_DEFERRED || (m->outcome == SMTP_FAILED && !past)) &&
	       m->class > REPLY_NONE && m->class < REPLY_CLASSES &&
	       !(m->flags & ~(WINDOW_MAIL_PAST | WINDOW_MAIL_EXCUSED));
}

static struct window_mail get_mail(const unsigned char **at, uint32_t version, int64_t *second)
{
	struct window_mail m = {
		.mail = get64(at), .outcome = SMTP_DEFERRED, .class = REPLY_UNEXPLAINED};

	if (version == PACK_VERSION_1) {
		*second = get64(at);
		return m;
	}
	m.rcpt = get64(at);
	*second = (int32_t)get32(at);
	m.remote = get32(at);
	m.outcome = get8(at);
	m.class = get8(at);
	m.flags = get8(at);
	get8(at);
	return m;
}

/* What is read, as pack wrote it. */
struct unpacked {
	uint32_t version;
	uint32_t slots_count;
	uint32_t mails_count;
	struct window_slot *slots;
	struct named *named; /* of each slot */
	struct window_mail *mails;
};

/* Each entry that is inside is one of its second's mails. */
static int unpack_mails(const unsigned char **at, struct unpacked *u, int64_t shift_s)
{
	for (uint32_t i = 0; i < u->mails_count; i++) {
		struct window_mail *m = &u->mails[i];
		const struct window_slot *slot;
		struct named *named;
		int64_t second;

		*m = get_mail(at, u->version, &second);
		if (!mail_valid(m, second))
			return -EBADMSG;
		m->second = (int32_t)(second + shift_s);
		if (m->flags & WINDOW_MAIL_PAST)
			continue;
		slot = bsearch(&second, u->slots, u->slots_count, sizeof(*slot), slot_compare);
		if (!slot)
			return -EBADMSG;
		named = &u->named[slot - u->slots];
		if (m->outcome == SMTP_DEFERRED ? ++named->deferred > slot->deferred :
						  ++named->failed > slot->failed)
			return -EBADMSG;
	}
	return 0;
}

static int restore(struct window *window, int64_t shift_s, const struct unpacked *u)
{
	int r = 0;

	for (uint32_t i = 0; !r && i < u->slots_count; i++) {
		u->slots[i].second += shift_s;
		r = window_restore_slot(window, &u->slots[i]);
	}
	for (uint32_t i = 0; !r && i < u->mails_count; i++)
		r = window_restore_mail(window, &u->mails[i]);
	if (r)
		window_clear(window);
	return r;
}

static int unpack_head(const unsigned char **at, size_t size, struct unpacked *u)
{
	size_t mail_bytes;

	if (size < PACK_HEAD_BYTES)
		return -EBADMSG;
	u->version = get32(at);
	u->slots_count = get32(at);
	u->mails_count = get32(at);
	mail_bytes = u->version == PACK_VERSION_1 ? PACK_MAIL_BYTES_1 : PACK_MAIL_BYTES;
	if ((u->version != PACK_VERSION && u->version != PACK_VERSION_1) ||
	    u->slots_count > PACK_SLOTS_MAX || u->mails_count > WINDOW_MAILS_MAX ||
	    size != PACK_HEAD_BYTES + u->slots_count * (size_t)PACK_SLOT_BYTES +
			    u->mails_count * mail_bytes)
		return -EBADMSG;
	return 0;
}

int state_window_unpack(const unsigned char *bytes, size_t size, int64_t shift_s,
			struct window *window)
{
	const unsigned char *at = bytes;
	struct unpacked u = {0};
	int r;

	memset(window, 0, sizeof(*window));
	if (shift_s < -MAIL_SECOND_MAX || shift_s > MAIL_SECOND_MAX)
		return -EBADMSG;
	r = unpack_head(&at, size, &u);
	if (r)
		return r;
	u.slots = calloc(u.slots_count + 1, sizeof(*u.slots));
	u.named = calloc(u.slots_count + 1, sizeof(*u.named));
	u.mails = calloc(u.mails_count + 1, sizeof(*u.mails));
	r = u.slots && u.named && u.mails ? 0 : -ENOMEM;
	if (!r)
		r = unpack_slots(&at, u.slots_count, u.slots);
	if (!r)
		r = unpack_mails(&at, &u, shift_s);
	if (!r)
		r = restore(window, shift_s, &u);
	free(u.slots);
	free(u.named);
	free(u.mails);
	return r;
}
