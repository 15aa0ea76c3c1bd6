// SPDX-License-Identifier: GPL-2.0-only
/*
 * window_mails.c - the entries of a window: the deferred mails that may still be delivered or fail,
 * and those that failed.
 *
 * Entries are named by number from 1, so that zeroed memory is an empty list. Each is in a hash
 * chain of its recipient, and in a list of its outcome ordered by second: the lists make "left the
 * window" and "the oldest" cost nothing.
 */
#include <errno.h>
#include <stdlib.h>
#include "base/hash.h"
#include "window_mails.h"

#define MAILS_ROOM_MIN 4

_Static_assert(sizeof(struct window_mail) == 40, "window.h states the memory");
_Static_assert(WINDOW_MAILS_MAX <= UINT16_MAX, "entry numbers are 16 bits wide");
_Static_assert((WINDOW_MAILS_MAX & (WINDOW_MAILS_MAX - 1)) == 0, "rooms are powers of two");

static uint16_t number_of(const struct window *w, const struct window_mail *m)
{
	return m - w->mails + 1;
}

static uint16_t *mail_bucket(const struct window *w, uint64_t rcpt)
{
	return &w->mails[hash_word(rcpt) & (w->mails_room - 1u)].head;
}

static struct window_list *list_of(struct window *w, const struct window_mail *m)
{
	return m->outcome == SMTP_DEFERRED ? &w->pending : &w->failed;
}

static struct window_mail *find_in_bucket(const struct window *w, uint64_t rcpt, uint64_t mail)
{
	uint16_t number = *mail_bucket(w, rcpt);

	for (; number; number = window_mail_at(w, number)->chain)
		if (window_mail_at(w, number)->mail == mail &&
		    window_mail_at(w, number)->outcome == SMTP_DEFERRED)
			return window_mail_at(w, number);
	return NULL;
}

struct window_mail *window_pending_find(const struct window *w, const struct outcome *o)
{
	struct window_mail *m;

	if (!o->mail || !w->mails_used)
		return NULL;
	m = find_in_bucket(w, o->rcpt, o->mail);
	return m ? m : find_in_bucket(w, 0, o->mail);
}

bool window_has_recipient(const struct window *w, uint64_t rcpt, const struct window_mail *but)
{
	uint16_t number = w->mails_used ? *mail_bucket(w, rcpt) : 0;

	for (; number; number = window_mail_at(w, number)->chain)
		if (window_mail_at(w, number)->rcpt == rcpt && window_mail_at(w, number) != but &&
		    !(window_mail_at(w, number)->flags & WINDOW_MAIL_PAST))
			return true;
	return false;
}

static void list_link(struct window *w, uint16_t number)
{
	struct window_mail *m = window_mail_at(w, number);
	struct window_list *list = list_of(w, m);
	uint16_t older = list->newest;

	while (older && window_mail_at(w, older)->second > m->second)
		older = window_mail_at(w, older)->older;
	m->older = older;
	m->newer = older ? window_mail_at(w, older)->newer : list->oldest;
	*(older ? &window_mail_at(w, older)->newer : &list->oldest) = number;
	*(m->newer ? &window_mail_at(w, m->newer)->older : &list->newest) = number;
	/* After a release, or in a window that has become longer, a newer one may be out of it. */
	if (m->outcome == SMTP_DEFERRED && window_is_inside(m) && w->pending_past &&
	    window_mail_at(w, w->pending_past)->second > m->second)
		w->pending_past = older;
}

static void list_unlink(struct window *w, uint16_t number)
{
	const struct window_mail *m = window_mail_at(w, number);
	struct window_list *list = list_of(w, m);

	if (w->pending_past == number)
		w->pending_past = m->older;
	*(m->older ? &window_mail_at(w, m->older)->newer : &list->oldest) = m->newer;
	*(m->newer ? &window_mail_at(w, m->newer)->older : &list->newest) = m->older;
}

uint16_t window_mail_insert(struct window *w, const struct window_mail *from)
{
	uint16_t number = w->mails_free, head;
	struct window_mail *m = window_mail_at(w, number);
	uint16_t *bucket;

	w->mails_free = m->newer;
	head = m->head;
	*m = *from;
	m->head = head;
	bucket = mail_bucket(w, m->rcpt);
	m->chain = *bucket;
	*bucket = number;
	list_link(w, number);
	w->mails_used++;
	return number;
}

void window_mail_remove(struct window *w, struct window_mail *m)
{
	uint16_t number = number_of(w, m), *at = mail_bucket(w, m->rcpt);

	while (*at != number)
		at = &window_mail_at(w, *at)->chain;
	*at = m->chain;
	list_unlink(w, number);
	m->newer = w->mails_free;
	w->mails_free = number;
	w->mails_used--;
}

static void list_move(struct window *w, const struct window *old, uint16_t number)
{
	for (; number; number = window_mail_at(old, number)->newer) {
		uint16_t moved = window_mail_insert(w, window_mail_at(old, number));

		if (number == old->pending_past)
			w->pending_past = moved;
	}
}

/* Move all to a table with `room` entries, at least as many as there are. */
static int mails_resize(struct window *w, uint16_t room)
{
	struct window_mail *mails = calloc(room, sizeof(*mails));
	struct window old = *w;

	if (!mails)
		return -ENOMEM;
	w->mails = mails;
	w->mails_room = room;
	w->mails_used = w->mails_free = w->pending_past = 0;
	w->pending = w->failed = (struct window_list){0};
	for (uint16_t number = room; number > 0; number--) {
		window_mail_at(w, number)->newer = w->mails_free;
		w->mails_free = number;
	}
	list_move(w, &old, old.pending.oldest);
	list_move(w, &old, old.failed.oldest);
	free(old.mails);
	return 0;
}

void window_mails_trim(struct window *w)
{
	if (w->mails_used == 0 && w->mails_room > 0) {
		free(w->mails);
		w->mails = NULL;
		w->mails_room = w->mails_free = 0;
	} else if (w->mails_room > MAILS_ROOM_MIN && w->mails_used < w->mails_room / 4) {
		mails_resize(w, w->mails_room / 2); /* without memory it stays as it is */
	}
}

int window_mails_grow(struct window *w)
{
	if (w->mails_used < w->mails_room || w->mails_room == WINDOW_MAILS_MAX)
		return 0;
	return mails_resize(w, w->mails_room ? 2 * w->mails_room : MAILS_ROOM_MIN);
}
