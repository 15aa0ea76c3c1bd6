/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * feeds.h - mail servers that tell what became of their mail, beside what the kernel saw of it on
 * the wire: which of the two is charged, and where they differ. Pure, and used by pipeline.c alone.
 *
 * While a feed runs, an outcome on the wire waits until it is told of; what is told is charged.
 * When the feed stops, what waits is charged, and from then on all that is on the wire. So that
 * nothing is charged twice, what was charged from the wire is remembered, and passed over when it
 * is told after all. The two come over different ways, and either may be first: what was told is
 * remembered for some seconds, too.
 *
 * One telling may be of several outcomes on the wire: a server tries one host after the other. They
 * belong together up to the first that is final.
 *
 * Attempts without a name (their event was lost, or MAIL was refused) cannot be found by what is
 * told: they wait until the server has told of a later time.
 */
#ifndef SMTPL_FEEDS_H
#define SMTPL_FEEDS_H

#include "base/clock.h"
#include "judge.h"
#include "ledger.h"

#define FEEDS_MAILS_MAX	  65536		       /* of one relay, that wait, or are remembered */
#define FEEDS_REPORTED_NS (5 * NS_PER_S)       /* how much later the wire may be read */
#define FEEDS_WAIT_NS	  (10 * 60 * NS_PER_S) /* then nobody will tell of it any more */

struct feeds;

struct feeds *feeds_new(struct judge *judge, struct ledger *ledger, uint64_t seed);
void feeds_free(struct feeds *fs);

/* Attempts of a relay on the wire, as judge_take(). named: in->mails are of senders and recipients.
 * */
uint64_t feeds_take(struct feeds *fs, struct ledger_key *key, const struct payer *payer,
		    const struct attempts *in, bool named, uint64_t now_ns);

/* As pipeline_report(), pipeline_feed_begin(), pipeline_feed_end(), pipeline_restore_feed(). */
int feeds_report(struct feeds *fs, const struct pipeline_report *report, uint64_t now_ns);
void feeds_begin(struct feeds *fs, uint32_t relay_uid, uint32_t mta, uint64_t now_ns);
void feeds_end(struct feeds *fs, uint32_t relay_uid, uint64_t now_ns);
int feeds_restore(struct feeds *fs, const struct pipeline_feed *feed, uint64_t now_ns);

void feeds_tick(struct feeds *fs, uint64_t now_ns);

/* Those that have told or begun, and changed since they were saved. */
int feeds_each_dirty(struct feeds *fs, int (*each)(void *arg, const struct pipeline_feed *feed),
		     void *arg);
void feeds_saved(struct feeds *fs);

#endif
