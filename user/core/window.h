/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * window.h - the mails of one account over the last `length_s` seconds, exact to the second.
 *
 * Pure: no clock, no I/O, no log. Seconds are boot time and never go back by more than the window:
 * a record older than the newest second is put where it belongs, one older than the window is
 * dropped. With length 3600 and the clock at second 5000, seconds 1401..5000 are inside.
 *
 * Mails, not attempts (see "What counts" in README): a deferral with a known identity opens a
 * pending mail; a further deferral of it moves the mail to the later second; delivered or failed
 * closes it and replaces the deferral. A pending mail whose second has left the window is
 * forgotten. At WINDOW_PENDING_MAX the oldest pending mail is forgotten and stays counted as
 * deferred.
 *
 * Memory: in proportion to seconds with mail and to pending mails; nothing is allocated for an
 * account with an empty window.
 */
#ifndef SMTPL_WINDOW_H
#define SMTPL_WINDOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "record.h"

#define WINDOW_PENDING_MAX 4096

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

struct window_pending {
	uint64_t mail;
	int64_t second;
};

struct window_mail; /* window.c: an entry of the pending table */

/* Fields are window.c's own; all zero is an empty window. */
struct window {
	struct window_slot *slots;   /* ring, in order of time; room is a power of two */
	struct window_mail *pending; /* hash table and list in order of time */
	uint32_t slots_first;
	uint32_t slots_used;
	uint32_t slots_room;
	uint16_t pending_used;
	uint16_t pending_room;
	uint16_t pending_oldest; /* numbers of entries, from 1 */
	uint16_t pending_newest;
	uint16_t pending_free;
	struct window_counts sum;
};

/* Add a record. unknown and NONE are ignored. Returns 0, or -ENOMEM with the window unchanged. */
int window_add(struct window *w, const struct record *r, int64_t now_s, int64_t length_s);

/* Let go of what has left the window. Afterwards window_counts() is exact for now_s. */
void window_slide(struct window *w, int64_t now_s, int64_t length_s);

struct window_counts window_counts(const struct window *w);

/* No mail in it, as of the last slide. */
bool window_empty(const struct window *w);

/* The second at which the next slot leaves, or INT64_MAX: until then time alone changes nothing. */
int64_t window_next_change(const struct window *w, int64_t length_s);

/* Forget everything and free all memory. */
void window_clear(struct window *w);

/* For saving: slot number i in order of time, and pending mail number i in no order; false past the
 * last. The same two records, added to an empty window by the restore calls in the order of the
 * slots, make an equal window. Return 0 or -ENOMEM. */
bool window_slot(const struct window *w, size_t i, struct window_slot *slot);
bool window_pending(const struct window *w, size_t *cursor, struct window_pending *pending);
int window_restore_slot(struct window *w, const struct window_slot *slot);
int window_restore_pending(struct window *w, const struct window_pending *pending);

/* Heap bytes held. */
size_t window_bytes(const struct window *w);

#endif
