/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * window.h - the mails of one account over the last `length_s` seconds, exact to the second, and
 * its pending mails of the last five days (WINDOW_PENDING_S).
 *
 * Pure: no clock, no I/O, no log. Seconds are boot time; one before the boot is negative. With
 * length 3600 and the clock at second 5000, seconds 1401..5000 are inside.
 *
 * A mail stands at the second at which it was first tried: the first deferral that was seen, or,
 * of a message whose earlier tries may have gone unseen, what the outcome's age says. Whatever
 * becomes of it later changes it there. Example: deferred at 1000, again at 2800, delivered at
 * 4600: until then it is deferred at 1000, afterwards delivered at 1000, and with a clock of 4700
 * in no window of an hour at all.
 *
 * Deliveries are a count for each second. A deferred or failed mail whose identity is known is an
 * entry as well: what is to be known of it for the verdict (its recipient, class and remote), and
 * for a later outcome of it. A failed one is forgotten when it leaves the window, a pending one
 * after WINDOW_PENDING_S. Of WINDOW_MAILS_MAX entries the oldest failed one is forgotten, else the
 * oldest pending one; both stay in the count of their second. But a failed one whose recipient has
 * another entry leaves the count: one failing address must not become many failures. So does one
 * that is excused.
 *
 * Memory: 24 bytes for each second with mail in it, 40 for each entry (at most 160 KiB); nothing is
 * allocated for an account without either.
 */
#ifndef SMTPL_WINDOW_H
#define SMTPL_WINDOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "outcome.h"

#define WINDOW_MAILS_MAX 4096
/* Five days, after which Postfix gives up, and the longest interval between tries, Exim's: the last
 * try finds the mail too old, and is not to be taken for a new mail. */
#define WINDOW_PENDING_S (5 * 86400 + 6 * 3600)

/* Mails, as they were added. */
struct window_counts {
	uint64_t delivered;
	uint64_t deferred;
	uint64_t failed;
};

/* One second with mail in it. */
struct window_slot {
	int64_t second;
	uint32_t delivered;
	uint32_t deferred;
	uint32_t failed;
};

enum window_mail_flag {
	WINDOW_MAIL_PAST = 1 << 0,    /* pending, and in no window any more */
	WINDOW_MAIL_EXCUSED = 1 << 1, /* it is not charged: see struct outcome */
};

/* A pending or failed mail. Numbers name entries, from 1. */
struct window_mail {
	uint64_t mail;
	uint64_t rcpt; /* 0: not known, from the database of an earlier version */
	int32_t second;
	uint32_t remote;
	uint16_t older;
	uint16_t newer;	 /* in the free list: the next free entry */
	uint16_t chain;	 /* the next entry of the same bucket */
	uint16_t head;	 /* the first entry of the bucket with this entry's number */
	uint8_t outcome; /* SMTP_DEFERRED: pending; SMTP_FAILED */
	uint8_t class;	 /* enum reply_class */
	uint8_t flags;	 /* of enum window_mail_flag */
	uint8_t pad[5];
};

/* In order of time. */
struct window_list {
	uint16_t oldest;
	uint16_t newest;
};

/* Fields are window.c's own; all zero is an empty window. */
struct window {
	struct window_slot *slots; /* ring, in order of time; room is a power of two */
	struct window_mail *mails; /* hash table by recipient, and the lists */
	uint32_t slots_first;
	uint32_t slots_used;
	uint32_t slots_room;
	uint16_t mails_used;
	uint16_t mails_room;
	uint16_t mails_free;
	uint16_t pending_past; /* the newest pending entry that time has taken out of the window */
	struct window_list pending;
	struct window_list failed;
	struct window_counts sum;
	int64_t forgot_s; /* a pending mail of then, and none later, was forgotten at the bound */
};

/* Add an outcome that is delivered, deferred or failed; o->age_s says when the mail was first
 * tried. *counted: COUNTED_MAIL, COUNTED_RETRY, COUNTED_SAME_RECIPIENT or COUNTED_OLD. 0, or
 * -ENOMEM with the window unchanged. */
int window_add(struct window *w, const struct outcome *o, int64_t now_s, int64_t length_s,
	       enum outcome_counted *counted);

/* The same for an outcome that is not to be judged: it changes no window, but the pending mail that
 * it begins or ends is known afterwards. 0 or -ENOMEM. */
int window_note(struct window *w, const struct outcome *o, int64_t now_s, int64_t length_s);

/* The remote that put off the pending mail that an outcome is of; 0: not known, or no such mail. */
uint32_t window_pending_remote(const struct window *w, const struct outcome *o);

/* Let go of what has left the window. Afterwards window_counts() is exact for now_s. */
void window_slide(struct window *w, int64_t now_s, int64_t length_s);

struct window_counts window_counts(const struct window *w);

/* Neither mail nor pending mail in it, as of the last slide. */
bool window_empty(const struct window *w);

/* The second at which the next slot leaves, or INT64_MAX: until then time alone changes no count.
 */
int64_t window_next_change(const struct window *w, int64_t length_s);

/* The window begins anew: all goes but the pending mails, which are in no window any more. */
void window_release(struct window *w);
/* Forget everything and free all memory. */
void window_clear(struct window *w);

/* The entries that are in the window as of the last slide, the newest of each outcome first: NULL
 * begins, NULL is the end. WINDOW_MAIL_EXCUSED may be set. */
struct window_mail *window_mail_inside(const struct window *w, const struct window_mail *previous);

/* For saving: slot number i in order of time, and entries in no order; false past the last. The
 * same records, added to an empty window by the restore calls, slots first and in their order, make
 * an equal window. Return 0 or -ENOMEM. An entry that is inside and not in the count of its second
 * is dropped: what is restored is not trusted. */
bool window_slot(const struct window *w, size_t i, struct window_slot *slot);
const struct window_mail *window_mail(const struct window *w, const struct window_mail *previous);
int window_restore_slot(struct window *w, const struct window_slot *slot);
int window_restore_mail(struct window *w, const struct window_mail *m);

/* Heap bytes held. */
size_t window_bytes(const struct window *w);

#endif
