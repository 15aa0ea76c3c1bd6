/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * window_mails.h - the entries of a window, see window_mails.c. Shared by window.c and
 * window_mails.c alone.
 */
#ifndef SMTPL_WINDOW_MAILS_H
#define SMTPL_WINDOW_MAILS_H

#include "window.h"

static inline struct window_mail *window_mail_at(const struct window *w, uint16_t number)
{
	return &w->mails[number - 1];
}

static inline bool window_is_inside(const struct window_mail *m)
{
	return !(m->flags & WINDOW_MAIL_PAST);
}

/* The pending mail that an outcome is of; NULL: there is none. */
struct window_mail *window_pending_find(const struct window *w, const struct outcome *o);
/* Is another entry of this recipient in the window? */
bool window_has_recipient(const struct window *w, uint64_t rcpt, const struct window_mail *but);

/* Room for one more entry, unless there are WINDOW_MAILS_MAX. 0 or -ENOMEM. Moves all entries. */
int window_mails_grow(struct window *w);
/* There is a free entry. Links are not taken from *from. Returns its number. */
uint16_t window_mail_insert(struct window *w, const struct window_mail *from);
void window_mail_remove(struct window *w, struct window_mail *m);
/* Free what is not needed. Moves all entries. */
void window_mails_trim(struct window *w);

#endif
