/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * remotes.h - what the accounts of this host met at each remote lately: whether a remote is in
 * trouble with all of them, and whether few accounts of a large host write to it. Pure.
 *
 * A meeting is what one account met at one remote. A row holds the meetings of one remote, and the
 * row REMOTES_ANYWHERE those that say something of the way to the whole world: its caller notes
 * there deliveries and attempts without an answer, so an account with neither is not known there.
 * Spans are half open: with the clock at second 5000 the last 30 minutes are the seconds 3201 to
 * 5000.
 *
 * Memory: at most REMOTES_BYTES_MAX (25 MiB) and what malloc adds, REMOTES_BYTES_MIN (780 KiB) to
 * begin with. Whose memory it is:
 *
 * - A row keeps REMOTES_MEETINGS meetings; of more accounts, the one that tried least lately goes.
 *   So at a remote that more accounts write to, the share of those in trouble is the share among
 *   the last 32 that tried: an account that writes often is among them more often, and no more
 *   than 32 can ever be in trouble.
 * - REMOTES_ANYWHERE keeps REMOTES_ANYWHERE_MEETINGS, in sets of eight: of the accounts of one set
 *   the one that tried least lately goes. Up to some 300 accounts in 30 minutes nearly all are
 *   kept; of thousands, the share is that of 512 which were the last of their sets to try.
 * - The rows are in sets of eight by a seeded hash. When a set is full, a row that nobody used for
 *   24 hours makes room, then one that a single account uses, the least lately used first; a row
 *   that several accounts use stays, and the new one is not made. So one account that writes to
 *   any number of remotes displaces only rows that one account alone uses. Two accounts that do it
 *   together can fill the table for 24 hours. A remote that is new then gets no row: it is never
 *   in trouble, it is rare on a large host whoever writes to it, and every delivery there counts.
 */
#ifndef SMTPL_REMOTES_H
#define SMTPL_REMOTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define REMOTES_ROWS		  32768
#define REMOTES_MEETINGS	  32
#define REMOTES_ANYWHERE_MEETINGS 512

#define REMOTES_BACK_S	(30 * 60)      /* figures of trouble are of that time */
#define REMOTES_KNOWN_S (24 * 60 * 60) /* an account is known to write to a remote for that time */

#define REMOTES_RARE_ACCOUNTS	8  /* a remote that fewer are known to write to is rare, */
#define REMOTES_HOST_ACCOUNTS	64 /* on a host where so many are known at REMOTES_ANYWHERE */
#define REMOTES_RARE_DELIVERIES 20 /* an account's deliveries there that count in its hour */
#define REMOTES_RARE_HOUR_S	(60 * 60)

/* Bytes of the table itself, of a row and of a meeting. */
#define REMOTES_SELF_BYTES    80
#define REMOTES_ROW_BYTES     24
#define REMOTES_MEETING_BYTES 24
#define REMOTES_BYTES_MIN                                                                          \
	(REMOTES_SELF_BYTES + REMOTES_ROWS * REMOTES_ROW_BYTES +                                   \
	 REMOTES_ANYWHERE_MEETINGS * REMOTES_MEETING_BYTES)
#define REMOTES_BYTES_MAX                                                                          \
	(REMOTES_BYTES_MIN + REMOTES_ROWS * REMOTES_MEETINGS * REMOTES_MEETING_BYTES)

/* The identity of no remote (remote.h), but of all of them together. */
#define REMOTES_ANYWHERE 1u

enum remotes_met {
	REMOTES_DELIVERED,
	REMOTES_TROUBLE,   /* a failure of a class that the breaker is for */
	REMOTES_SET_ASIDE, /* a failure of a class that is set aside */
	REMOTES_OTHER, /* another failure: the account tried, and it says nothing of the remote */
};

struct remotes;

/* seed: random, because strangers choose remotes. NULL without memory. */
struct remotes *remotes_new(uint64_t seed);
void remotes_free(struct remotes *r);

/* Note a meeting. account: a hash of it; remote 0 is ignored. Where there is no room or no memory
 * it is not noted, but counted in remotes_lost(). A second before the account's latest meeting
 * there is taken for that one's. */
void remotes_meet(struct remotes *r, uint32_t remote, uint64_t account, enum remotes_met met,
		  int64_t now_s);

/* Accounts, each counted once; up to the bounds above. */
struct remotes_figures {
	uint32_t bad;	    /* in the last 30 minutes met trouble, and had no delivery since */
	uint32_t set_aside; /* the same of a class that is set aside; may be in `bad` as well */
	uint32_t tried;	    /* in the last 30 minutes met anything */
	uint32_t accounts;  /* in the last 24 hours met anything */
};

struct remotes_figures remotes_figures(const struct remotes *r, uint32_t remote, int64_t now_s);

/* `accounts` or more, and `share` percent of those that tried, are in trouble there. accounts 0:
 * never; above REMOTES_MEETINGS: never for a remote. */
bool remotes_trouble(const struct remotes *r, uint32_t remote, int64_t now_s, uint32_t accounts,
		     uint32_t share);

/* Fewer than REMOTES_RARE_ACCOUNTS accounts are known to write there, and at least
 * REMOTES_HOST_ACCOUNTS are known at REMOTES_ANYWHERE: on a small host nobody can say what is rare.
 * A remote without a row is rare on a large host. */
bool remotes_rare(const struct remotes *r, uint32_t remote, int64_t now_s);

/* Whether a delivery of the account's counts, to be asked before remotes_meet() of it: an own
 * server must not dilute failures. False when the remote is rare and the account has had
 * REMOTES_RARE_DELIVERIES deliveries there in the current hour, which began with the first of
 * them; so at most 40 count in any 60 minutes while it is rare. True where the remote has no
 * row. */
bool remotes_delivery_counts(const struct remotes *r, uint32_t remote, uint64_t account,
			     int64_t now_s);

/* How many deliveries the account has had there in that hour beyond REMOTES_RARE_DELIVERIES, if the
 * remote is rare now, else 0. They must not dilute failures elsewhere, but may dilute those there.
 * A meeting keeps at most 255 deliveries, so the number is at most 235. */
uint32_t remotes_uncounted(const struct remotes *r, uint32_t remote, uint64_t account,
			   int64_t now_s);

/*
 * Names. One that cannot be looked up is the fault of its own servers, and of who wrote to it; when
 * no name of REMOTES_NAMES can be, and nothing that mail servers report shows that any other could
 * be for REMOTES_NAMES_S, it is this host's. So a list of dead domains counts as long as any mail
 * of anybody gets an answer, be it that a domain does not exist.
 */
#define REMOTES_NAMES	3
#define REMOTES_NAMES_S 120

/* A mail server reports that the remote's name was not found for now. */
void remotes_unresolved(struct remotes *r, uint32_t remote, int64_t now_s);
/* It reports something for which a name had to be found. */
void remotes_resolved(struct remotes *r, int64_t now_s);
bool remotes_no_names(const struct remotes *r, int64_t now_s);

/* Meetings that were not noted, and heap bytes held without what malloc adds. */
uint64_t remotes_lost(const struct remotes *r);
size_t remotes_bytes(const struct remotes *r);

#endif
