/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * feeds.h - mail servers that report what became of their mail, beside what the kernel saw of it on
 * the wire: which of the two is charged, and where they differ. Pure, and used by pipeline.c alone.
 *
 * While a feed runs, its reports are charged. An outcome on the wire waits for its report, which
 * supersedes it. When the feed stops, what waits is charged, and from then on everything on the
 * wire. What was charged from the wire is remembered, so that a report of it finds it already
 * charged, and charges nothing. The two come over different ways and either may be first: a report
 * is remembered for some seconds, too.
 *
 * Example: the kernel sees mail M deferred by one host and then delivered by the next. Both
 * attempts wait. Exim reports M as delivered: that is charged to the account of M's submission, and
 * supersedes both attempts, the deferral as "retried", the delivery as "agreed". Had the report
 * come first, each attempt would have been superseded as soon as it was read. Had Exim been silent
 * for PIPELINE_FEED_GRACE_NS, its feed would have been taken for stopped and both attempts charged;
 * a report of M after that makes the feed run again, and is itself already charged: "late".
 *
 * One report may be of several outcomes on the wire, as in the example: they belong together up to
 * the first that is final.
 *
 * Some mail is never reported: that of a transport without a hook. It waits for FEEDS_WAIT_NS, and
 * is then charged to whom the policy server was asked about for its sender (asked.h), else to
 * nobody: the sender's domain may be forged.
 *
 * An attempt whose event was lost, or whose MAIL was refused, is unmatched: it has no mail that a
 * report could name. It waits until the server has reported something of a later time.
 */
#ifndef SMTPL_FEEDS_H
#define SMTPL_FEEDS_H

#include "asked.h"
#include "base/clock.h"
#include "judge.h"
#include "ledger.h"

#define FEEDS_MAILS_MAX	  65536		       /* of one relay, that wait, or are remembered */
#define FEEDS_REPORTED_NS (5 * NS_PER_S)       /* how long after its report the wire may be read */
#define FEEDS_WAIT_NS	  (10 * 60 * NS_PER_S) /* then no report of it will come */

struct feeds;

struct feeds *feeds_new(struct judge *judge, struct ledger *ledger, uint64_t seed);
void feeds_free(struct feeds *fs);

/* An outcome of a relay's on the wire, as judge_take(). named: its mail is of sender and
 * recipient. */
int feeds_take(struct feeds *fs, struct ledger_key *key, const struct outcome *o, bool named,
	       uint64_t now_ns);

/* As pipeline_report(), pipeline_feed_begin(), pipeline_feed_end(), pipeline_feed_reader_gone(),
 * pipeline_restore_feed(). */
int feeds_report(struct feeds *fs, uint32_t mta, const struct outcome *report, uint64_t now_ns);
void feeds_begin(struct feeds *fs, uint32_t relay_uid, uint32_t mta, uint64_t now_ns);
void feeds_end(struct feeds *fs, uint32_t relay_uid, enum pipeline_feed_stop why, uint64_t now_ns);
void feeds_reader_gone(struct feeds *fs, uint32_t mta);
int feeds_restore(struct feeds *fs, const struct pipeline_feed *feed, uint64_t now_ns);

/* As pipeline_asked(). */
void feeds_asked(struct feeds *fs, uint64_t sender, const struct account_id *id, uint64_t now_ns);

void feeds_tick(struct feeds *fs, uint64_t now_ns);

/* Feeds that have reported or begun, and have changed since they were saved. */
int feeds_each_dirty(struct feeds *fs, int (*each)(void *arg, const struct pipeline_feed *feed),
		     void *arg);
void feeds_saved(struct feeds *fs);

#endif
