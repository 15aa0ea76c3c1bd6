// SPDX-License-Identifier: GPL-2.0-only
/*
 * window.c - the mails of one account over the last seconds: a ring of seconds with their counts,
 * and a table of the deferred mails that may still be delivered or fail.
 *
 * Entries of the pending table are named by number from 1, so that zeroed memory is an empty list.
 * Each is in a hash chain and in a list ordered by second: the list makes "left the window" and
 * "the oldest" cost nothing.
 */
#include <errno.h>
#include <stdlib.h>
#include "base/hash.h"
#include "window.h"

#define SLOTS_ROOM_MIN	 4
#define PENDING_ROOM_MIN 4

struct window_mail {
	uint64_t mail;
	int64_t second;
	uint16_t older;
	uint16_t newer; /* in the free list: the next free entry */
	uint16_t chain; /* the next entry of the same bucket */
	uint16_t head;	/* the first entry of the bucket with this entry's number */
};

_Static_assert(WINDOW_PENDING_MAX <= UINT16_MAX, "entry numbers are 16 bits wide");
_Static_assert((WINDOW_PENDING_MAX & (WINDOW_PENDING_MAX - 1)) == 0, "rooms are powers of two");

/* ---- pending mails ---- */

static struct window_mail *mail_at(const struct window *w, uint16_t number)
{
	return &w->pending[number - 1];
}

static uint16_t *mail_bucket(const struct window *w, uint64_t mail)
{
	return &w->pending[hash_word(mail) & (w->pending_room - 1u)].head;
}

static uint16_t pending_find(const struct window *w, uint64_t mail)
{
	uint16_t number = w->pending_used ? *mail_bucket(w, mail) : 0;

	while (number && mail_at(w, number)->mail != mail)
		number = mail_at(w, number)->chain;
	return number;
}

static void pending_link(struct window *w, uint16_t number)
{
	struct window_mail *m = mail_at(w, number);
	uint16_t older = w->pending_newest;

	while (older && mail_at(w, older)->second > m->second)
		older = mail_at(w, older)->older;
	m->older = older;
	m->newer = older ? mail_at(w, older)->newer : w->pending_oldest;
	*(older ? &mail_at(w, older)->newer : &w->pending_oldest) = number;
	*(m->newer ? &mail_at(w, m->newer)->older : &w->pending_newest) = number;
}

static void pending_unlink(struct window *w, uint16_t number)
{
	const struct window_mail *m = mail_at(w, number);

	*(m->older ? &mail_at(w, m->older)->newer : &w->pending_oldest) = m->newer;
	*(m->newer ? &mail_at(w, m->newer)->older : &w->pending_newest) = m->older;
}

/* There is a free entry. */
static void pending_insert(struct window *w, uint64_t mail, int64_t second)
{
	uint16_t number = w->pending_free;
	struct window_mail *m = mail_at(w, number);
	uint16_t *bucket = mail_bucket(w, mail);

	w->pending_free = m->newer;
	m->mail = mail;
	m->second = second;
	m->chain = *bucket;
	*bucket = number;
	pending_link(w, number);
	w->pending_used++;
}

static void pending_remove(struct window *w, uint16_t number)
{
	struct window_mail *m = mail_at(w, number);
	uint16_t *at = mail_bucket(w, m->mail);

	while (*at != number)
		at = &mail_at(w, *at)->chain;
	*at = m->chain;
	pending_unlink(w, number);
	m->newer = w->pending_free;
	w->pending_free = number;
	w->pending_used--;
}

/* Move all to a table with `room` entries, more than there are mails. */
static int pending_resize(struct window *w, uint16_t room)
{
	struct window old = *w;

	w->pending = calloc(room, sizeof(*w->pending));
	if (!w->pending) {
		w->pending = old.pending;
		return -ENOMEM;
	}
	w->pending_room = room;
	w->pending_used = w->pending_oldest = w->pending_newest = w->pending_free = 0;
	for (uint16_t number = room; number > 0; number--) {
		mail_at(w, number)->newer = w->pending_free;
		w->pending_free = number;
	}
	for (uint16_t n = old.pending_oldest; n; n = mail_at(&old, n)->newer)
		pending_insert(w, mail_at(&old, n)->mail, mail_at(&old, n)->second);
	free(old.pending);
	return 0;
}

static int pending_reserve(struct window *w)
{
	if (w->pending_used < w->pending_room)
		return 0;
	if (w->pending_room < WINDOW_PENDING_MAX)
		return pending_resize(w, w->pending_room ? 2 * w->pending_room : PENDING_ROOM_MIN);
	pending_remove(w, w->pending_oldest);
	return 0;
}

static void pending_trim(struct window *w)
{
	if (w->pending_used == 0 && w->pending_room > 0) {
		free(w->pending);
		w->pending = NULL;
		w->pending_room = w->pending_free = 0;
	} else if (w->pending_room > PENDING_ROOM_MIN && w->pending_used < w->pending_room / 4) {
		pending_resize(w, w->pending_room / 2); /* without memory it stays as it is */
	}
}

/* ---- seconds ---- */

static struct window_slot *slot_at(const struct window *w, uint32_t i)
{
	return &w->slots[(w->slots_first + i) & (w->slots_room - 1)];
}

/* Number of the first slot not before `second`; slots_used without one. */
static uint32_t slot_search(const struct window *w, int64_t second)
{
	uint32_t low = 0, high = w->slots_used;

	if (high > 0 && slot_at(w, high - 1)->second <= second) /* nearly always */
		return slot_at(w, high - 1)->second == second ? high - 1 : high;
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (slot_at(w, middle)->second < second)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static struct window_slot *slot_find(const struct window *w, int64_t second)
{
	uint32_t i = slot_search(w, second);

	return i < w->slots_used && slot_at(w, i)->second == second ? slot_at(w, i) : NULL;
}

static int slots_resize(struct window *w, uint32_t room)
{
	struct window_slot *slots = calloc(room, sizeof(*slots));

	if (!slots)
		return -ENOMEM;
	for (uint32_t i = 0; i < w->slots_used; i++)
		slots[i] = *slot_at(w, i);
	free(w->slots);
	w->slots = slots;
	w->slots_first = 0;
	w->slots_room = room;
	return 0;
}

static int slots_reserve(struct window *w)
{
	if (w->slots_used < w->slots_room)
		return 0;
	return slots_resize(w, w->slots_room ? 2 * w->slots_room : SLOTS_ROOM_MIN);
}

/* The slot of a second; there is room for a new one. */
static struct window_slot *slot_make(struct window *w, int64_t second)
{
	uint32_t i = slot_search(w, second);

	if (i < w->slots_used && slot_at(w, i)->second == second)
		return slot_at(w, i);
	w->slots_used++;
	for (uint32_t to = w->slots_used - 1; to > i; to--)
		*slot_at(w, to) = *slot_at(w, to - 1);
	*slot_at(w, i) = (struct window_slot){.second = second};
	return slot_at(w, i);
}

static void slots_pop(struct window *w)
{
	const struct window_slot *slot = slot_at(w, 0);

	w->sum.delivered -= slot->delivered;
	w->sum.deferred -= slot->deferred;
	w->sum.failed -= slot->failed;
	w->slots_first = (w->slots_first + 1) & (w->slots_room - 1);
	w->slots_used--;
}

static bool slot_empty(const struct window_slot *slot)
{
	return !slot->delivered && !slot->deferred && !slot->failed;
}

/* Slots that moved mails left empty go when they are the oldest; time takes the others. */
static void slots_trim(struct window *w)
{
	while (w->slots_used > 0 && slot_empty(slot_at(w, 0)))
		slots_pop(w);
	if (w->slots_used == 0 && w->slots_room > 0) {
		free(w->slots);
		w->slots = NULL;
		w->slots_first = w->slots_room = 0;
	} else if (w->slots_room > SLOTS_ROOM_MIN && w->slots_used < w->slots_room / 4) {
		slots_resize(w, w->slots_room / 2);
	}
}

/* Add without wrapping; the sum follows what the slot really took. */
static void count_add(uint32_t *count, uint64_t *sum, uint32_t n)
{
	if (n > UINT32_MAX - *count)
		n = UINT32_MAX - *count;
	*count += n;
	*sum += n;
}

static void slot_put(struct window *w, int64_t second, enum smtp_outcome outcome, uint32_t n)
{
	struct window_slot *slot = slot_make(w, second);

	if (outcome == SMTP_DELIVERED)
		count_add(&slot->delivered, &w->sum.delivered, n);
	else if (outcome == SMTP_DEFERRED)
		count_add(&slot->deferred, &w->sum.deferred, n);
	else
		count_add(&slot->failed, &w->sum.failed, n);
}

/* Take back the deferral of a pending mail. Restored data may lack it: it is not trusted. */
static void slot_take(struct window *w, int64_t second)
{
	struct window_slot *slot = slot_find(w, second);

	if (slot && slot->deferred > 0) {
		slot->deferred--;
		w->sum.deferred--;
	}
}

/* ---- the window ---- */

/* A further deferral of a pending mail. */
static int mail_retry(struct window *w, uint16_t number, int64_t second)
{
	struct window_mail *m = mail_at(w, number);

	if (second <= m->second)
		return 0;
	if (slots_reserve(w))
		return -ENOMEM;
	slot_take(w, m->second);
	pending_unlink(w, number);
	m->second = second;
	pending_link(w, number);
	slot_put(w, second, SMTP_DEFERRED, 1);
	slots_trim(w);
	return 0;
}

static int mail_new(struct window *w, uint64_t mail, int64_t second)
{
	if (slots_reserve(w) || pending_reserve(w))
		return -ENOMEM;
	slot_put(w, second, SMTP_DEFERRED, 1);
	pending_insert(w, mail, second);
	return 0;
}

static int mail_end(struct window *w, uint16_t number, const struct record *r)
{
	if (slots_reserve(w))
		return -ENOMEM;
	slot_take(w, mail_at(w, number)->second);
	pending_remove(w, number);
	pending_trim(w);
	slot_put(w, r->second, r->outcome, 1);
	slots_trim(w);
	return 0;
}

int window_add(struct window *w, const struct record *r, int64_t now_s, int64_t length_s)
{
	uint16_t number;

	if (r->outcome != SMTP_DELIVERED && r->outcome != SMTP_DEFERRED &&
	    r->outcome != SMTP_FAILED)
		return 0;
	window_slide(w, now_s, length_s);
	if (r->second <= now_s - length_s || r->count == 0)
		return 0;
	number = r->mail ? pending_find(w, r->mail) : 0;
	if (number)
		return r->outcome == SMTP_DEFERRED ? mail_retry(w, number, r->second) :
						     mail_end(w, number, r);
	if (r->mail && r->outcome == SMTP_DEFERRED)
		return mail_new(w, r->mail, r->second);
	if (slots_reserve(w))
		return -ENOMEM;
	slot_put(w, r->second, r->outcome, r->mail ? 1 : r->count);
	return 0;
}

void window_slide(struct window *w, int64_t now_s, int64_t length_s)
{
	int64_t gone = now_s - length_s;

	while (w->pending_used > 0 && mail_at(w, w->pending_oldest)->second <= gone)
		pending_remove(w, w->pending_oldest);
	pending_trim(w);
	while (w->slots_used > 0 && slot_at(w, 0)->second <= gone)
		slots_pop(w);
	slots_trim(w);
}

struct window_counts window_counts(const struct window *w)
{
	return w->sum;
}

bool window_empty(const struct window *w)
{
	return w->slots_used == 0;
}

int64_t window_next_change(const struct window *w, int64_t length_s)
{
	return w->slots_used > 0 ? slot_at(w, 0)->second + length_s : INT64_MAX;
}

void window_clear(struct window *w)
{
	free(w->slots);
	free(w->pending);
	*w = (struct window){0};
}

bool window_slot(const struct window *w, size_t i, struct window_slot *slot)
{
	if (i >= w->slots_used)
		return false;
	*slot = *slot_at(w, i);
	return true;
}

bool window_pending(const struct window *w, size_t *cursor, struct window_pending *pending)
{
	uint16_t number = *cursor == 0 ? w->pending_oldest : mail_at(w, *cursor)->newer;

	if (number == 0)
		return false;
	pending->mail = mail_at(w, number)->mail;
	pending->second = mail_at(w, number)->second;
	*cursor = number;
	return true;
}

int window_restore_slot(struct window *w, const struct window_slot *slot)
{
	struct window_slot *to;

	if (slot_empty(slot))
		return 0;
	if (slots_reserve(w))
		return -ENOMEM;
	to = slot_make(w, slot->second);
	count_add(&to->delivered, &w->sum.delivered, slot->delivered);
	count_add(&to->deferred, &w->sum.deferred, slot->deferred);
	count_add(&to->failed, &w->sum.failed, slot->failed);
	return 0;
}

int window_restore_pending(struct window *w, const struct window_pending *pending)
{
	const struct window_slot *slot = slot_find(w, pending->second);

	if (!pending->mail || !slot || !slot->deferred || pending_find(w, pending->mail))
		return 0;
	if (pending_reserve(w))
		return -ENOMEM;
	pending_insert(w, pending->mail, pending->second);
	return 0;
}

size_t window_bytes(const struct window *w)
{
	return w->slots_room * sizeof(*w->slots) + w->pending_room * sizeof(*w->pending);
}
