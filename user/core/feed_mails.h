/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * feed_mails.h - the mails of one feed: those on the wire that wait to be told of, those that were
 * charged from it, and those told just now. Shared by feeds.c and feed_mails.c alone.
 */
#ifndef SMTPL_FEED_MAILS_H
#define SMTPL_FEED_MAILS_H

#include "feeds.h"
#include "recent.h"

struct feed {
	struct feed *next;
	struct pipeline_feed known; /* mta 0: has neither told nor begun */
	uint64_t silent_ns;	    /* since when something waits and nothing was told; 0: no */
	uint64_t cover_ns;	    /* it has told of this time, or a later one */
	uint64_t saved_ns;	    /* the same in the saved state: of until then nothing waits */
	uint64_t begin_ns;	    /* what happened before it may have been told to nobody */
	bool silenced;		    /* it was silent: only what it tells makes it run again */
	bool dirty;
	struct recent waiting;	 /* on the wire, not told */
	struct recent unmatched; /* on the wire, without a mail that could be told */
	struct recent charged;	 /* on the wire, charged */
	struct recent told;	 /* told just now */
};

struct feeds {
	struct judge *judge;
	struct ledger *ledger;
	struct feed *first;
	uint64_t seed;
	uint64_t null_hash; /* of the null sender: never counted on the wire */
};

void feed_supersede(struct feeds *fs, struct feed *f, struct ledger_key *key,
		    enum smtp_outcome outcome, uint64_t count);

/* An entry of waiting or unmatched begins. False: no memory. At the bound the oldest one is over.
 * */
bool feed_wait(struct feeds *fs, struct feed *f, struct recent *list,
	       const struct recent_entry *entry);
/* The server has told of it, or nobody will: it is superseded. */
void feed_wait_over(struct feeds *fs, struct feed *f, struct recent *list, struct recent_entry *e);
/* Over are those without a name that are of a time of which the server has told by now. */
void feed_unmatched_settle(struct feeds *fs, struct feed *f);
/* It was charged from the wire. */
void feed_charged(struct feeds *fs, struct feed *f, const struct recent_entry *entry);
/* Find what a telling is of, among those that wait or were charged, and take that out: sets `seen`,
 * to what the wire had of it, or `already_charged`: it was charged. */
void feed_match(struct feeds *fs, struct feed *f, struct recent_entry *report);

/* A mail has ended: tries at other hosts that came right before it do not wait any more. */
void feed_tries_over(struct feeds *fs, struct feed *f, uint64_t mail);

/* Told just now, or for some seconds and to be counted and forgotten: the oldest. */
void feed_report_add(struct feeds *fs, struct feed *f, const struct recent_entry *entry);
void feed_report_forget(struct feed *f);
/* The telling that an outcome on the wire belongs to, when that came first; or NULL. */
struct recent_entry *feed_report_of(const struct feed *f, const struct recent_entry *wire);

#endif
