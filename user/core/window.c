// SPDX-License-Identifier: GPL-2.0-only
/*
 * window.c - the mails of one account over the last seconds: a ring of seconds with their counts,
 * and what an outcome does to them and to the entries (window_mails.c). Every entry that is inside
 * is in the count of its second.
 */
#include <errno.h>
#include <stdlib.h>
#include "base/clock.h"
#include "window_mails.h"

#define SLOTS_ROOM_MIN 4

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
static void count_add(uint32_t *count, uint64_t *sum, uint64_t n)
{
	if (n > UINT32_MAX - *count)
		n = UINT32_MAX - *count;
	*count += n;
	*sum += n;
}

static void slot_put(struct window *w, int64_t second, enum smtp_outcome outcome, uint64_t n)
{
	struct window_slot *slot = slot_make(w, second);

	if (outcome == SMTP_DELIVERED)
		count_add(&slot->delivered, &w->sum.delivered, n);
	else if (outcome == SMTP_DEFERRED)
		count_add(&slot->deferred, &w->sum.deferred, n);
	else
		count_add(&slot->failed, &w->sum.failed, n);
}

/* Take an entry that is inside out of the count. Restored data may lack it: it is not trusted. */
static void slot_take(struct window *w, const struct window_mail *m)
{
	struct window_slot *slot = window_is_inside(m) ? slot_find(w, m->second) : NULL;
	uint32_t *count = NULL;

	if (slot)
		count = m->outcome == SMTP_DEFERRED ? &slot->deferred : &slot->failed;
	if (!count || *count == 0)
		return;
	--*count;
	--*(m->outcome == SMTP_DEFERRED ? &w->sum.deferred : &w->sum.failed);
}

/* ---- the window ---- */

static void mails_evict(struct window *w)
{
	uint16_t number = w->failed.oldest ? w->failed.oldest : w->pending.oldest;
	struct window_mail *m = window_mail_at(w, number);

	if ((m->flags & WINDOW_MAIL_EXCUSED) ||
	    (m->outcome == SMTP_FAILED && window_has_recipient(w, m->rcpt, m)))
		slot_take(w, m);
	if (m->outcome == SMTP_DEFERRED && m->second > w->forgot_s)
		w->forgot_s = m->second;
	window_mail_remove(w, m);
}

static int mails_reserve(struct window *w)
{
	if (w->mails_used == WINDOW_MAILS_MAX)
		mails_evict(w);
	return window_mails_grow(w);
}

/* When the message was handed in, as far as the outcome says. */
static int64_t message_s(const struct outcome *o)
{
	int64_t second = o->time_ns / NS_PER_S;

	return o->age_s > 0 ? second - o->age_s : second;
}

/* When a mail that is not pending was first tried: now, where an earlier try would be known. */
static int64_t first_try_s(const struct window *w, const struct outcome *o)
{
	int64_t message = message_s(o);
	bool known = o->tries_known && o->age_s < WINDOW_PENDING_S && message > w->forgot_s;

	return known ? (int64_t)(o->time_ns / NS_PER_S) : message;
}

static struct window_mail entry_of(const struct outcome *o, int64_t date, bool inside)
{
	uint8_t excused = o->excused ? WINDOW_MAIL_EXCUSED : 0;

	return (struct window_mail){.mail = o->mail,
				    .rcpt = o->rcpt,
				    .second = (int32_t)date,
				    .remote = o->remote,
				    .outcome = o->outcome,
				    .class = o->class,
				    .flags = excused | (inside ? 0 : WINDOW_MAIL_PAST)};
}

/* A mail that is not known to be pending. */
static int mail_new(struct window *w, const struct outcome *o, int64_t date,
		    enum outcome_counted *counted)
{
	struct window_mail m = entry_of(o, date, true);
	bool again =
		o->mail && o->outcome != SMTP_DELIVERED && window_has_recipient(w, o->rcpt, NULL);

	if (slots_reserve(w) || (o->mail && o->outcome != SMTP_DELIVERED && mails_reserve(w)))
		return -ENOMEM;
	slot_put(w, date, o->outcome, o->mail ? 1 : o->count);
	if (o->mail && o->outcome != SMTP_DELIVERED)
		window_mail_insert(w, &m);
	*counted = again ? COUNTED_SAME_RECIPIENT : COUNTED_MAIL;
	return 0;
}

/* Of before the window: that it is pending must be known. */
static int mail_past(struct window *w, const struct outcome *o, int64_t date, int64_t now_s)
{
	struct window_mail m = entry_of(o, date, false);

	if (!o->mail || o->outcome != SMTP_DEFERRED || date <= now_s - WINDOW_PENDING_S)
		return 0;
	if (mails_reserve(w))
		return -ENOMEM;
	window_mail_insert(w, &m);
	return 0;
}

/* A pending mail is delivered, or fails: where it stands, unless this is of a younger message. */
static int mail_end(struct window *w, struct window_mail *m, const struct outcome *o, int64_t date,
		    enum outcome_counted *counted)
{
	struct window_mail end = entry_of(o, date, true);

	if (slots_reserve(w))
		return -ENOMEM;
	slot_take(w, m);
	window_mail_remove(w, m);
	slot_put(w, date, o->outcome, 1);
	if (o->outcome == SMTP_FAILED)
		window_mail_insert(w, &end);
	window_mails_trim(w);
	slots_trim(w);
	*counted = COUNTED_RETRY;
	return 0;
}

/* Is the outcome of another message than the pending one, to the same recipient? Where nobody says
 * how old it is, it is taken for a retry. But a spammer's own server could have deferred the mail
 * before, in words that nobody is charged for: that excuses nothing at another remote. */
static bool is_younger(const struct window_mail *m, const struct outcome *o)
{
	if (o->age_s != OUTCOME_AGE_UNKNOWN)
		return message_s(o) > (int64_t)m->second + OUTCOME_AGE_ERROR_S;
	return !window_is_inside(m) && (m->flags & WINDOW_MAIL_EXCUSED) && o->remote != m->remote;
}

static int pending_add(struct window *w, struct window_mail *m, const struct outcome *o,
		       int64_t gone_s, enum outcome_counted *counted)
{
	bool younger = is_younger(m, o);
	int64_t date = younger ? first_try_s(w, o) : m->second;

	*counted = COUNTED_OLD;
	if (o->outcome != SMTP_DEFERRED) {
		if (date > gone_s && (younger || window_is_inside(m)))
			return mail_end(w, m, o, date, counted);
		window_mail_remove(w, m);
		window_mails_trim(w);
		return 0;
	}
	if (!window_is_inside(m) && younger && date > gone_s) {
		if (slots_reserve(w))
			return -ENOMEM;
		window_mail_remove(w, m);
		return mail_new(w, o, date, counted);
	}
	m->class = o->class;
	m->remote = o->remote;
	m->flags &= ~WINDOW_MAIL_EXCUSED;
	if (o->excused)
		m->flags |= WINDOW_MAIL_EXCUSED;
	if (window_is_inside(m))
		*counted = COUNTED_RETRY;
	return 0;
}

int window_add(struct window *w, const struct outcome *o, int64_t now_s, int64_t length_s,
	       enum outcome_counted *counted)
{
	int64_t date, gone_s = now_s - length_s;
	struct window_mail *m;

	window_slide(w, now_s, length_s);
	m = window_pending_find(w, o);
	if (m)
		return pending_add(w, m, o, gone_s, counted);
	date = first_try_s(w, o);
	if (date > gone_s)
		return mail_new(w, o, date, counted);
	*counted = COUNTED_OLD;
	return mail_past(w, o, date, now_s);
}

int window_note(struct window *w, const struct outcome *o, int64_t now_s, int64_t length_s)
{
	struct window_mail *m;

	window_slide(w, now_s, length_s);
	m = window_pending_find(w, o);
	if (!m)
		return mail_past(w, o, first_try_s(w, o), now_s);
	if (o->outcome != SMTP_DEFERRED) {
		slot_take(w, m);
		window_mail_remove(w, m);
		window_mails_trim(w);
		slots_trim(w);
	}
	return 0;
}

uint32_t window_pending_remote(const struct window *w, const struct outcome *o)
{
	const struct window_mail *m = window_pending_find(w, o);

	return m ? m->remote : 0;
}

/* What has left the window: failed mails go, pending ones are remembered. */
static void mails_slide(struct window *w, int64_t now_s, int64_t gone_s)
{
	uint16_t next;

	while (w->failed.oldest && window_mail_at(w, w->failed.oldest)->second <= gone_s)
		window_mail_remove(w, window_mail_at(w, w->failed.oldest));
	for (;;) {
		next = w->pending_past ? window_mail_at(w, w->pending_past)->newer :
					 w->pending.oldest;
		if (!next || window_mail_at(w, next)->second > gone_s)
			break;
		window_mail_at(w, next)->flags |= WINDOW_MAIL_PAST;
		w->pending_past = next;
	}
	while (w->pending.oldest &&
	       window_mail_at(w, w->pending.oldest)->second <= now_s - WINDOW_PENDING_S)
		window_mail_remove(w, window_mail_at(w, w->pending.oldest));
	window_mails_trim(w);
}

void window_slide(struct window *w, int64_t now_s, int64_t length_s)
{
	int64_t gone_s = now_s - length_s;

	mails_slide(w, now_s, gone_s);
	while (w->slots_used > 0 && slot_at(w, 0)->second <= gone_s)
		slots_pop(w);
	slots_trim(w);
}

struct window_counts window_counts(const struct window *w)
{
	return w->sum;
}

bool window_empty(const struct window *w)
{
	return w->slots_used == 0 && w->mails_used == 0;
}

int64_t window_next_change(const struct window *w, int64_t length_s)
{
	return w->slots_used > 0 ? slot_at(w, 0)->second + length_s : INT64_MAX;
}

static void slots_clear(struct window *w)
{
	free(w->slots);
	w->slots = NULL;
	w->slots_first = w->slots_used = w->slots_room = 0;
	w->sum = (struct window_counts){0};
}

void window_release(struct window *w)
{
	slots_clear(w);
	while (w->failed.oldest)
		window_mail_remove(w, window_mail_at(w, w->failed.oldest));
	for (uint16_t n = w->pending.oldest; n; n = window_mail_at(w, n)->newer)
		window_mail_at(w, n)->flags |= WINDOW_MAIL_PAST;
	w->pending_past = w->pending.newest;
	window_mails_trim(w);
}

void window_clear(struct window *w)
{
	slots_clear(w);
	free(w->mails);
	*w = (struct window){0};
}

struct window_mail *window_mail_inside(const struct window *w, const struct window_mail *previous)
{
	bool failed = !previous || previous->outcome == SMTP_FAILED;
	uint16_t number = previous ? previous->older : w->failed.newest;

	if (failed && !number)
		number = w->pending.newest;
	while (number && number != w->pending_past && !window_is_inside(window_mail_at(w, number)))
		number = window_mail_at(w, number)->older;
	return number && number != w->pending_past ? window_mail_at(w, number) : NULL;
}

/* ---- saving ---- */

bool window_slot(const struct window *w, size_t i, struct window_slot *slot)
{
	if (i >= w->slots_used)
		return false;
	*slot = *slot_at(w, i);
	return true;
}

const struct window_mail *window_mail(const struct window *w, const struct window_mail *previous)
{
	uint16_t number = previous ? previous->newer : w->pending.oldest;

	if (!number && (!previous || previous->outcome == SMTP_DEFERRED))
		number = w->failed.oldest;
	return number ? window_mail_at(w, number) : NULL;
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

int window_restore_mail(struct window *w, const struct window_mail *m)
{
	const struct window_slot *slot = slot_find(w, m->second);
	uint32_t count = 0;

	if (slot)
		count = m->outcome == SMTP_DEFERRED ? slot->deferred : slot->failed;
	if (!m->mail || w->mails_used == WINDOW_MAILS_MAX || (window_is_inside(m) && !count))
		return 0;
	if (mails_reserve(w))
		return -ENOMEM;
	window_mail_insert(w, m);
	return 0;
}

size_t window_bytes(const struct window *w)
{
	return w->slots_room * sizeof(*w->slots) + w->mails_room * sizeof(*w->mails);
}
