/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * feed_mails.h - the mails of one feed: outcomes on the wire that wait for their report, those that
 * were charged, and the reports of the last seconds. Shared by feeds.c and feed_mails.c alone.
 */
#ifndef SMTPL_FEED_MAILS_H
#define SMTPL_FEED_MAILS_H

#include "feeds.h"
#include "recent.h"

struct feed {
	struct feed *next;
	struct pipeline_feed known; /* mta 0: it has neither reported nor begun */
	uint64_t silent_ns;	    /* since when something waits and no report came; 0: not */
	uint64_t cover_ns;	    /* it has reported something of this time, or a later one */
	uint64_t saved_ns;	    /* cover_ns as it was saved: nothing of before waits */
	uint64_t begin_ns;	    /* reports of what happened before it may have been lost */
	uint64_t heard_ns;	    /* since when every report was heard, in this process */
	bool reader_gone; /* who takes its reports has ended, and nothing was heard since */
	bool silenced;	  /* it was silent for too long: only a report makes it run again */
	bool dirty;
	struct recent waiting;	 /* outcomes on the wire, without a report so far */
	struct recent unmatched; /* outcomes on the wire, without a mail that a report could name */
	struct recent charged;	 /* outcomes on the wire that were charged */
	struct recent reports;	 /* of the last seconds */
};

struct feeds {
	struct judge *judge;
	struct ledger *ledger;
	struct feed *first;
	uint64_t seed;
	struct asked *asked;
};

void feed_supersede(struct feeds *fs, struct feed *f, struct ledger_key *key,
		    enum smtp_outcome outcome, uint64_t count);

/* Put an entry into waiting or unmatched. At the bound the oldest one waits no longer. 0 or
 * -ENOMEM. */
int feed_wait(struct feeds *fs, struct feed *f, struct recent *list,
	      const struct recent_entry *entry);
/* Its report has come, or none will: it is superseded. */
void feed_wait_over(struct feeds *fs, struct feed *f, struct recent *list, struct recent_entry *e);
/* Supersede the unmatched attempts of before cover_ns. */
void feed_unmatched_settle(struct feeds *fs, struct feed *f);
/* Remember that it was charged from the wire. */
void feed_charged(struct feeds *fs, struct feed *f, const struct recent_entry *entry);
/* Find the outcome of a report among those that wait and those that were charged, and take it out.
 * Sets report->seen, the latest outcome on the wire, or report->already_charged. */
void feed_match(struct feeds *fs, struct feed *f, struct recent_entry *report);

/* A mail has ended: the deferrals by other hosts right before that wait no longer. */
void feed_tries_over(struct feeds *fs, struct feed *f, uint64_t mail);

/* Remember a report; count the oldest one by what the wire showed of it, and forget it. */
void feed_report_add(struct feeds *fs, struct feed *f, const struct recent_entry *entry);
void feed_report_forget(struct feed *f);
/* The report that an outcome on the wire belongs to, when the report came first; or NULL. */
struct recent_entry *feed_report_of(const struct feed *f, const struct recent_entry *wire);

#endif
