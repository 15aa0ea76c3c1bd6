/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * pipeline.h - from what the kernel counts to a verdict: takes ring records and readings of the map
 * smtpl_counts, finds the account and the mails of each outcome, keeps the windows, and calls back
 * when an account crosses the line. Pure: no libbpf, no clock, no log; times are boot time. One
 * thread.
 *
 * What an outcome is charged to: the uid of a direct sender; of a relay's mail the uid that owns
 * the sender domain, or the domain where nobody is known; nobody for an exempt user's, or a relay's
 * without a sender domain. `unknown` is accounted and judged by nobody. All recipients that one
 * reply decided are judged together.
 */
#ifndef SMTPL_PIPELINE_H
#define SMTPL_PIPELINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/clock.h"
#include "headers/event.h"
#include "headers/maps.h"
#include "accounts.h"
#include "relay_counts.h"
#include "verdict.h"
#include "who/payer.h"

struct pipeline;

/* What many accounts meet at one remote: it is not their fault, and somebody should know. */
enum pipeline_alarm {
	PIPELINE_ALARM_TROUBLE = 1, /* a remote defers or refuses them all: not charged */
	PIPELINE_ALARM_NO_ANSWER,   /* no remote answers any of them: not charged */
	PIPELINE_ALARM_LISTED,	    /* a remote refuses this server: classes that are set aside */
};

struct pipeline_ops {
	struct payer_ops payer;
	/* The account has crossed the line. Called once a crossing: it is already marked, until
	 * a->until_ns, as suspended (in observe mode: as observed). May call pipeline_release(). */
	void (*suspend)(void *arg, struct account *a, const struct verdict *v, uint64_t now_ns);
	/* The rule of an account; NULL, also as the answer: the general one. Its window_s is not
	 * asked for, all windows are equally long. */
	const struct verdict_rule *(*rule)(void *arg, const struct account *a);
	/* The account is near the line, said once an hour at most. NULL: nobody listens. */
	void (*near)(void *arg, struct account *a, const struct verdict *v, uint64_t now_ns);
	/* `bad` of the `tried` accounts that tried its remote lately met what the outcome is; once
	 * an hour for each remote. NULL: nobody listens. */
	void (*alarm)(void *arg, enum pipeline_alarm kind, const struct outcome *o, uint32_t bad,
		      uint32_t tried);
	/* A mail server tried a mail of an account that was suspended by then. NULL: nobody
	 * listens. */
	void (*bypass)(void *arg, const struct outcome *o);
	/* Every outcome, once it is decided what it counts as. NULL: nobody listens. */
	void (*outcome)(void *arg, const struct outcome *o, enum outcome_counted counted,
			uint64_t now_ns);
	uint64_t seed; /* random: strangers choose the domains in the tables */
};

/* Copies *ops and *rule. NULL without memory. */
struct pipeline *pipeline_new(const struct pipeline_ops *ops, void *arg,
			      const struct verdict_rule *rule);
void pipeline_free(struct pipeline *p);
/* After a reload: the next ticks judge every account by the new rule. An account that was observed,
 * and is to be suspended from now on, is judged by what it sends from now on. */
void pipeline_set_rule(struct pipeline *p, const struct verdict_rule *rule, uint64_t now_ns);
/* Identities of remotes are saved with the windows: the same seed as before, set before the first
 * event and restore. Without it they are of this process alone. */
void pipeline_set_identity_seed(struct pipeline *p, uint64_t seed);
/* The administrator's rows for classes of replies, which must last as long as the pipeline, or
 * until the next call; NULL: none. */
void pipeline_set_replies(struct pipeline *p, const struct reply_rows *rows);

/* One record of the ring, aligned as it lies there. Returns 0; -EPROTO: not one of ours, ignored
 * and counted; -ENOMEM: what could not be taken in stays missing, and the next reading heals it. */
int pipeline_event(struct pipeline *p, const void *data, size_t size, uint64_t now_ns);

/*
 * A relay whose server reports its deliveries (a feed) is charged by these reports; what the kernel
 * saw of them (the wire) is compared, and superseded. Wire outcomes wait for their report. When no
 * report of any mail has come for PIPELINE_FEED_GRACE_NS while one waits, the feed is taken for
 * stopped: what waits is charged, and so is the wire from then on, until the feed reports again.
 * Nothing is charged twice: a report of what was charged from the wire charges nothing (feeds.h).
 *
 * What waits is saved as not taken in. After a restart the first snapshot finds it missing, with
 * all that happened meanwhile, and takes it in without names: superseded where a log still has the
 * reports (Postfix), charged where they are lost (Exim). So an Exim delivery that the kernel saw
 * before a start of the daemon, and that is reported after it, counts twice.
 */
#define PIPELINE_FEED_GRACE_NS (30 * NS_PER_S)
/* A delivery report (delivery_report.h) of one recipient, once it is known who pays: source, uid
 * (the relay's), payer, domain, null_sender, outcome, mail, rcpt, time_ns (0: now), age_s and
 * detail are set. mta: enum feed_mta. 0; -ENOMEM: not taken in, and lost. */
int pipeline_report(struct pipeline *p, uint32_t mta, const struct outcome *report,
		    uint64_t now_ns);
/* The policy server was asked about a message of this sender (sessions_address_hash()), and the
 * account pays for it; NULL: nobody does. What the wire shows and no report explains is charged by
 * that. */
void pipeline_asked(struct pipeline *p, uint64_t sender, const struct account_id *id,
		    uint64_t now_ns);
/* The feed of this relay runs, from now on, and a log (mta: Postfix) from where it was left.
 * Changes nothing for one that runs, or that was silent for too long: only a report starts that. */
/* smtplimit's refusal of `count` recipients at a mail server's door: no report, and no outcome. 0
 * or -ENOMEM */
int pipeline_refusal(struct pipeline *p, const struct outcome *refusal, uint64_t now_ns);
void pipeline_feed_begin(struct pipeline *p, uint32_t relay_uid, uint32_t mta, uint64_t now_ns);
/* Why a feed does not run. Their numbers are in the state database. */
enum pipeline_feed_stop {
	PIPELINE_FEED_UNTOLD = 0, /* it runs, or an earlier version did not note why not */
	PIPELINE_FEED_SILENT,	  /* mail left and nothing was reported */
	PIPELINE_FEED_UNREADABLE, /* there is no log that can be read */
	PIPELINE_FEED_BLIND,	  /* the log is read and its lines are not understood */
	PIPELINE_FEED_GONE,	  /* as SILENT, and the process that takes its reports had ended */
	PIPELINE_FEED_STOPS,
};

/* Its source is known to be gone: the wire takes over at once. */
void pipeline_feed_end(struct pipeline *p, uint32_t relay_uid, enum pipeline_feed_stop why,
		       uint64_t now_ns);
/* The process that takes the reports of these servers (enum feed_mta) has ended, and may be started
 * again before anything is missed: if they fall silent, it is for this. */
void pipeline_feed_reader_gone(struct pipeline *p, uint32_t mta);

/* X(field, what it counts of one feed, over restarts) */
#define PIPELINE_FEED_STATS(X)                                                                     \
	X(told_delivered, "mails reported as delivered")                                           \
	X(told_deferred, "mails reported as deferred")                                             \
	X(told_failed, "mails reported as failed")                                                 \
	X(wire_delivered, "attempts that the kernel saw delivered, superseded")                    \
	X(wire_deferred, "attempts that the kernel saw deferred, superseded")                      \
	X(wire_failed, "attempts that the kernel saw fail, superseded")                            \
	X(agreed, "mails reported as the kernel saw them")                                         \
	X(differed, "mails reported otherwise than the kernel saw them")                           \
	X(retried, "attempts that the kernel saw before the one that was reported")                \
	X(told_only, "mails reported that the kernel did not see: TLS, or never sent")             \
	X(wire_only, "attempts that the kernel saw and no report came of")                         \
	X(late, "mails reported when the kernel's counts were already charged")                    \
	X(forgotten, "attempts forgotten at a bound, neither reported nor charged")

struct pipeline_feed_stats {
#define PIPELINE_FEED_STAT_FIELD(name, text) uint64_t name;
	PIPELINE_FEED_STATS(PIPELINE_FEED_STAT_FIELD)
#undef PIPELINE_FEED_STAT_FIELD
};

struct pipeline_feed {
	uint32_t relay_uid;
	uint32_t mta; /* enum feed_mta */
	bool running;
	uint32_t stop;	     /* enum pipeline_feed_stop */
	uint64_t told_ns;    /* of its last report; 0: never, or before this boot */
	uint64_t changed_ns; /* when it began or stopped; 0 as well */
	struct pipeline_feed_stats stats;
};

/* Call about once a second: suspensions end, accounts are judged whose percentage rose because
 * delivered mails left the window, idle sessions and empty accounts are forgotten. Bounded work a
 * call; what is left over comes first in the next. */
void pipeline_tick(struct pipeline *p, uint64_t now_ns);

/* Suspended by hand, or before a restart: until then outcomes stay out of the window. An end in the
 * past is carried out by the next event or tick. 0 or -ENOMEM. */
int pipeline_suspend(struct pipeline *p, const struct account_id *id, uint64_t until_ns);
/* Over the line in observe mode, before a restart: until then it is not said again. 0 or
 * -ENOMEM. */
int pipeline_observe(struct pipeline *p, const struct account_id *id, uint64_t until_ns);
/* No longer suspended, and its window begins empty. */
void pipeline_release(struct pipeline *p, const struct account_id *id);

/*
 * Lost events are healed from readings of smtpl_counts, about once a second and at the start:
 *	pipeline_snapshot_begin(p);
 *	for each entry of the map	pipeline_snapshot_key(p, uid, domain, &count);
 *	note the ring's producer position; consume the ring past it with pipeline_event();
 *	pipeline_snapshot_end(p, now_ns);
 * No event may be handled between the reading of an entry and its pipeline_snapshot_key(). What
 * then has not come is lost: it is taken in without names, at the time of the key's last change.
 * With no snapshot begun, key returns -EINVAL and end does nothing. key may also return -ENOMEM:
 * this entry waits for the next snapshot.
 */
void pipeline_snapshot_begin(struct pipeline *p);
int pipeline_snapshot_key(struct pipeline *p, uint32_t uid, const char *domain,
			  const struct smtpl_count *count);
void pipeline_snapshot_end(struct pipeline *p, uint64_t now_ns);

/* Before a key is taken out of the map: all of `count` is taken in and saved, and nothing is to
 * come. */
bool pipeline_key_settled(const struct pipeline *p, uint32_t uid, const char *domain,
			  const struct smtpl_count *count);
/* It was taken out of the map: should it come back, it begins at zero. 0; -ENOENT: not known;
 * -EBUSY: it is to be saved, or attempts of a reading are still to come or missing. */
int pipeline_forget_key(struct pipeline *p, uint32_t uid, const char *domain);

/* Before the first event and snapshot: what was saved. restore_window takes over *window (empty
 * afterwards), -ENOMEM leaves it; mode: by which it was judged, and pipeline_set_rule() afterwards
 * lets those begin anew that were observed. A key of the map that is not restored counts as never
 * taken in: with a new state database and old maps, restore every key from the map itself. */
int pipeline_restore_key(struct pipeline *p, uint32_t uid, const char *domain,
			 const struct smtpl_totals *accounted);
int pipeline_restore_window(struct pipeline *p, const struct account_id *id, const char *own_domain,
			    enum verdict_mode mode, struct window *window);
/* After the key; 0: also of one that is not known. */
int pipeline_restore_superseded(struct pipeline *p, uint32_t uid, const char *domain,
				const struct smtpl_totals *superseded);
/* One that was running does so as after pipeline_feed_begin(). */
int pipeline_restore_feed(struct pipeline *p, const struct pipeline_feed *feed, uint64_t now_ns);

/* To be saved: keys taken in from or changed in the kernel, and accounts with another window or
 * state than before. Call all five, then, once they are on disk, pipeline_saved(), with no other
 * call of the pipeline between: then accounted and windows agree. A non-zero return of `each` ends
 * the call and is returned; without pipeline_saved() all come again. */
int pipeline_each_dirty_key(struct pipeline *p,
			    int (*each)(void *arg, uint32_t uid, const char *domain,
					const struct smtpl_totals *accounted),
			    void *arg);
int pipeline_each_dirty_account(struct pipeline *p,
				int (*each)(void *arg, const struct account *account), void *arg);
/* To be saved with them: of the keys what is superseded, if anything is; feeds that have changed;
 * and what to add to the counts of (account, sender domain). */
int pipeline_each_dirty_superseded(struct pipeline *p,
				   int (*each)(void *arg, uint32_t uid, const char *domain,
					       const struct smtpl_totals *superseded),
				   void *arg);
int pipeline_each_dirty_feed(struct pipeline *p,
			     int (*each)(void *arg, const struct pipeline_feed *feed), void *arg);
int pipeline_each_relay_count(struct pipeline *p,
			      int (*each)(void *arg, const struct account_id *account,
					  const char *domain, const struct relay_count *counts),
			      void *arg);
void pipeline_saved(struct pipeline *p);

/* For reading: accounts_find(), accounts_next(). Windows are exact as of their last slide. */
struct accounts *pipeline_accounts(struct pipeline *p);

/* X(field, what it counts since the start); status shows the losses of them: headers/losses.h. */
#define PIPELINE_STATS(X)                                                                          \
	X(events, "records of the ring")                                                           \
	X(malformed, "records that were not as they must be, ignored")                             \
	X(attempts, "attempts taken in, healed ones included")                                     \
	X(healed, "attempts whose event was lost, taken in from the map")                          \
	X(late, "attempts whose event came after they had been healed, ignored")                   \
	X(resets, "keys whose counts in the map fell below what had been taken in")                \
	X(nomem, "times that memory was missing; the attempts are healed later")                   \
	X(not_judged, "attempts of exempt users, or of relays without a sender domain")            \
	X(while_suspended, "attempts of accounts while they were suspended, not in the window")    \
	X(bypass, "of them, those that a mail server let through or tried")                        \
	X(reports, "outcomes that mail servers reported")                                          \
	X(superseded, "attempts of mail servers, charged by their reports instead")                \
	X(relay_counts_lost, "counts of mail servers' mail lost at a bound or without memory")     \
	X(meetings_lost, "outcomes at remotes that found no room among the remotes")               \
	X(suspensions, "times that an account crossed the line")                                   \
	X(collected, "accounts forgotten because nothing was left of them")                        \
	X(evicted, "sessions forgotten at a bound: their mails lose their names")                  \
	X(sessions, "sessions known now")                                                          \
	X(accounts, "accounts known now")                                                          \
	X(keys, "pairs of uid and domain known now")

struct pipeline_stats {
#define PIPELINE_STAT_FIELD(name, text) uint64_t name;
	PIPELINE_STATS(PIPELINE_STAT_FIELD)
#undef PIPELINE_STAT_FIELD
};

struct pipeline_stats pipeline_stats(const struct pipeline *p);

#endif
