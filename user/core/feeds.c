// SPDX-License-Identifier: GPL-2.0-only
/*
 * feeds.c - what mail servers report and what the wire shows of the same mail. Below, in this
 * order: the wire, the report, beginning and end, time, saving.
 */
#include <errno.h>
#include <stdlib.h>
#include "base/clock.h"
#include "delivery_report.h"
#include "feed_mails.h"

/* Logs and events give a time in whole seconds, rounded down. */
#define REPORT_RESOLUTION_NS NS_PER_S

struct feeds *feeds_new(struct judge *judge, struct ledger *ledger, uint64_t seed)
{
	struct feeds *fs = calloc(1, sizeof(*fs));

	if (!fs)
		return NULL;
	fs->judge = judge;
	fs->ledger = ledger;
	fs->seed = seed;
	fs->asked = asked_new(seed);
	if (!fs->asked) {
		free(fs);
		return NULL;
	}
	return fs;
}

void feeds_free(struct feeds *fs)
{
	if (!fs)
		return;
	while (fs->first) {
		struct feed *f = fs->first;

		fs->first = f->next;
		recent_clear(&f->waiting);
		recent_clear(&f->unmatched);
		recent_clear(&f->charged);
		recent_clear(&f->reports);
		free(f);
	}
	asked_free(fs->asked);
	free(fs);
}

static struct feed *feed_find(const struct feeds *fs, uint32_t relay_uid)
{
	struct feed *f = fs->first;

	while (f && f->known.relay_uid != relay_uid)
		f = f->next;
	return f;
}

static struct feed *feed_get(struct feeds *fs, uint32_t relay_uid)
{
	struct feed *f = feed_find(fs, relay_uid);

	if (f)
		return f;
	f = calloc(1, sizeof(*f));
	if (!f)
		return NULL;
	f->known.relay_uid = relay_uid;
	recent_init(&f->waiting, fs->seed);
	recent_init(&f->unmatched, fs->seed);
	recent_init(&f->charged, fs->seed);
	recent_init(&f->reports, fs->seed);
	f->next = fs->first;
	fs->first = f;
	return f;
}

/* ---- the wire ---- */

/* Who pays where no report says it: whom the server was told at submission. Where it did not ask,
 * the sender's domain says it. */
static struct payer payer_of_wire(const struct feeds *fs, const struct ledger_key *key,
				  uint64_t sender, uint64_t now_ns)
{
	struct payer payer = judge_payer(fs->judge, key->uid, key->domain);
	enum asked_answer answer = ASKED_UNKNOWN;

	/* A mail server asks. What a tunnel carries is a server's mail, which that reports. */
	if (sender &&
	    payer_role(&fs->judge->ops.payer, fs->judge->arg, key->uid) == SMTPL_ROLE_RELAY)
		answer = asked_find(fs->asked, sender, &payer.id, now_ns);
	if (answer != ASKED_UNKNOWN) {
		payer.pays = answer == ASKED_ACCOUNT;
		payer.why = payer.pays ? PAYER_WHY_ASKED : PAYER_WHY_NOTHING;
	}
	return payer;
}

static int wire_charge(struct feeds *fs, struct feed *f, const struct outcome *o,
		       const struct recent_entry *entry, uint64_t now_ns)
{
	struct payer payer = payer_of_wire(fs, entry->key, entry->sender, now_ns);
	struct outcome known = *o;

	known.payer = &payer;
	if (judge_take(fs->judge, &known, now_ns))
		return -ENOMEM;
	judge_charged_soon(fs->judge, &payer);
	if (o->outcome != SMTP_UNKNOWN)
		feed_charged(fs, f, entry);
	return 0;
}

/* Does the feed report outcomes of this time? Reports of what happened before the feed began
 * (again) may have been lost; one that comes after all is of a mail that is already charged. */
static bool feed_reports(const struct feed *f, uint64_t time_ns)
{
	return f->known.running && time_ns >= f->begin_ns;
}

static struct recent_entry entry_of(const struct outcome *o, struct ledger_key *key, bool named,
				    uint64_t now_ns)
{
	return (struct recent_entry){.mail = named ? o->mail : 0,
				     .window_mail = o->mail,
				     .window_rcpt = o->rcpt,
				     .sender = o->sender,
				     .remote = o->remote,
				     .time_ns = o->time_ns,
				     .came_ns = now_ns,
				     .count = o->count,
				     .key = key,
				     .outcome = o->outcome,
				     .class = o->class};
}

/* One attempt of a mail. */
static int wire_mail(struct feeds *fs, struct feed *f, struct ledger_key *key,
		     const struct outcome *o, uint64_t now_ns)
{
	const struct recent_entry entry = entry_of(o, key, true, now_ns);
	struct recent_entry *report = feed_report_of(f, &entry);

	if (report) {
		f->known.stats.retried += report->seen != SMTP_OUTCOME_NONE;
		report->seen = o->outcome;
		/* The report charged nothing: an earlier outcome of this mail had been charged in
		 * its place. It cannot supersede this outcome as well, which is charged itself. */
		if (report->already_charged && o->outcome != SMTP_DEFERRED)
			feed_tries_over(fs, f, entry.mail);
		if (report->already_charged)
			return wire_charge(fs, f, o, &entry, now_ns);
	} else if (feed_reports(f, entry.time_ns) && entry.time_ns > f->saved_ns) {
		return feed_wait(fs, f, &f->waiting, &entry);
	} else if (!feed_reports(f, entry.time_ns)) {
		return wire_charge(fs, f, o, &entry, now_ns);
	}
	feed_supersede(fs, f, key, o->outcome, 1);
	return 0;
}

static int wire_unmatched(struct feeds *fs, struct feed *f, struct ledger_key *key,
			  const struct outcome *o, uint64_t now_ns)
{
	const struct recent_entry entry = entry_of(o, key, false, now_ns);

	if (!feed_reports(f, o->time_ns))
		return judge_take(fs->judge, o, now_ns);
	if (o->payer->pays && o->outcome != SMTP_UNKNOWN && o->time_ns > f->cover_ns)
		return feed_wait(fs, f, &f->unmatched, &entry);
	feed_supersede(fs, f, key, o->outcome, o->count);
	return 0;
}

int feeds_take(struct feeds *fs, struct ledger_key *key, const struct outcome *o, bool named,
	       uint64_t now_ns)
{
	struct feed *f = feed_get(fs, key->uid);

	if (!f)
		return judge_take(fs->judge, o, now_ns);
	if (!named || o->outcome == SMTP_UNKNOWN)
		return wire_unmatched(fs, f, key, o, now_ns);
	return wire_mail(fs, f, key, o, now_ns);
}

/* ---- the report ---- */

/* begin_ns: reports of what happened before it may have been lost. */
static void feed_start(struct feed *f, uint64_t begin_ns, uint64_t now_ns)
{
	if (!f->known.running) {
		f->known.changed_ns = now_ns;
		f->begin_ns = begin_ns;
		f->heard_ns = now_ns;
	}
	f->known.running = true;
	f->known.stop = PIPELINE_FEED_UNTOLD;
	f->silenced = f->reader_gone = false;
	f->dirty = true;
}

/* A log is read on from where it was left; events of before are gone. */
static uint64_t begin_of(const struct feed *f, uint64_t now_ns)
{
	return f->known.mta == FEED_POSTFIX ? 0 : now_ns;
}

static void feed_alive(struct feeds *fs, struct feed *f, uint32_t mta, uint64_t cover_ns,
		       uint64_t now_ns)
{
	if (mta)
		f->known.mta = mta;
	else if (!f->known.mta)
		f->known.mta = FEED_EXIM;
	feed_start(f, now_ns, now_ns);
	f->known.told_ns = now_ns;
	f->silent_ns = 0;
	if (cover_ns > f->cover_ns)
		f->cover_ns = cover_ns;
	feed_unmatched_settle(fs, f);
}

static void count_report(struct feeds *fs, struct feed *f, const struct outcome *report)
{
	fs->judge->stats.reports++;
	f->known.stats.told_delivered += report->outcome == SMTP_DELIVERED;
	f->known.stats.told_deferred += report->outcome == SMTP_DEFERRED;
	f->known.stats.told_failed += report->outcome == SMTP_FAILED;
}

/* Was every try of the message reported? Its age is that since its submission, which a user makes
 * as large as he likes by a queue that waits: what was not tried before is not old. */
static bool tries_are_known(const struct feed *f, const struct outcome *o)
{
	return f->known.running && o->age_s != OUTCOME_AGE_UNKNOWN &&
	       (int64_t)o->time_ns - o->age_s * NS_PER_S >= (int64_t)f->heard_ns;
}

/* report->time_ns is at most now. */
int feeds_report(struct feeds *fs, uint32_t mta, const struct outcome *report, uint64_t now_ns)
{
	struct feed *f = feed_get(fs, report->uid);
	uint64_t cover_ns = report->time_ns + REPORT_RESOLUTION_NS;
	struct outcome known = *report;
	struct recent_entry entry = {.mail = report->mail,
				     .time_ns = cover_ns < now_ns ? cover_ns : now_ns,
				     .came_ns = now_ns,
				     .outcome = report->outcome};

	if (!f)
		return -ENOMEM;
	known.tries_known = tries_are_known(f, report);
	feed_alive(fs, f, mta, entry.time_ns, now_ns);
	if (report->source == OUTCOME_REFUSAL)
		return judge_report(fs->judge, report, now_ns);
	count_report(fs, f, report);
	if (report->null_sender) /* never counted on the wire */
		return judge_report(fs->judge, &known, now_ns);
	feed_match(fs, f, &entry);
	f->known.stats.late += entry.already_charged;
	feed_report_add(fs, f, &entry);
	return entry.already_charged ? 0 : judge_report(fs->judge, &known, now_ns);
}

/* ---- beginning and end ---- */

void feeds_begin(struct feeds *fs, uint32_t relay_uid, uint32_t mta, uint64_t now_ns)
{
	struct feed *f = feed_get(fs, relay_uid);

	if (!f)
		return;
	f->dirty |= f->known.mta != mta;
	f->known.mta = mta;
	f->reader_gone = false;
	if (!f->known.running && !f->silenced)
		feed_start(f, begin_of(f, now_ns), now_ns);
}

static void feed_stop(struct feed *f, enum pipeline_feed_stop why, uint64_t now_ns)
{
	f->known.running = false;
	f->known.stop = why;
	f->known.changed_ns = now_ns;
	f->silent_ns = 0;
	f->dirty = true;
}

/* Charge the oldest entry. False: there is no memory, and it goes on waiting. */
static bool charge_waiting(struct feeds *fs, struct feed *f, struct recent *list, uint64_t now_ns)
{
	struct recent_entry *e = recent_oldest(list);
	struct ledger_key *key = e->key;
	struct payer payer = payer_of_wire(fs, key, e->sender, now_ns);
	const struct outcome o = {.outcome = e->outcome,
				  .source = OUTCOME_WIRE,
				  .class = e->class,
				  .uid = key->uid,
				  .payer = &payer,
				  .domain = key->domain,
				  .count = e->count,
				  .mail = e->window_mail,
				  .rcpt = e->window_rcpt,
				  .remote = e->remote,
				  .time_ns = e->time_ns,
				  .age_s = OUTCOME_AGE_UNKNOWN};

	if (judge_take(fs->judge, &o, now_ns))
		return false;
	ledger_wait_over(fs->ledger, key, e->outcome, e->count);
	judge_charged_soon(fs->judge, &payer);
	if (e->mail) {
		e->count = 1;
		feed_charged(fs, f, e);
	}
	recent_remove(list, e);
	return true;
}

/* The feed does not run: no report will come of what waits. */
static void charge_all(struct feeds *fs, struct feed *f, uint64_t now_ns)
{
	feed_unmatched_settle(fs, f);
	while (f->unmatched.count > 0 && charge_waiting(fs, f, &f->unmatched, now_ns))
		;
	while (f->waiting.count > 0 && charge_waiting(fs, f, &f->waiting, now_ns))
		;
}

void feeds_end(struct feeds *fs, uint32_t relay_uid, enum pipeline_feed_stop why, uint64_t now_ns)
{
	struct feed *f = feed_find(fs, relay_uid);

	if (!f)
		return;
	if (f->known.running) {
		feed_stop(f, why, now_ns);
		charge_all(fs, f, now_ns);
	} else if (f->known.mta && f->known.stop != why) {
		/* It was silent for this reason. */
		f->known.stop = why;
		f->dirty = true;
	}
}

void feeds_reader_gone(struct feeds *fs, uint32_t mta)
{
	for (struct feed *f = fs->first; f; f = f->next)
		f->reader_gone |= f->known.mta == mta;
}

/* ---- time ---- */

/* The oldest entry, when it came so long ago; or NULL. */
static struct recent_entry *oldest_aged(const struct recent *r, uint64_t age_ns, uint64_t now_ns)
{
	struct recent_entry *e = recent_oldest(r);

	return e && e->came_ns + age_ns <= now_ns ? e : NULL;
}

/* No report of it has come, and none will. False: there is no memory. */
static bool unexplained(struct feeds *fs, struct feed *f, struct recent_entry *e, uint64_t now_ns)
{
	struct account_id id;

	if (e->sender && asked_find(fs->asked, e->sender, &id, now_ns) == ASKED_ACCOUNT) {
		if (!charge_waiting(fs, f, &f->waiting, now_ns))
			return false;
	} else {
		feed_wait_over(fs, f, &f->waiting, e);
	}
	f->known.stats.wire_only++;
	return true;
}

static void feed_tick(struct feeds *fs, struct feed *f, uint64_t now_ns)
{
	struct recent_entry *e;
	uint64_t keep_ns = f->known.mta ? fs->judge->rule.window_s * NS_PER_S : FEEDS_WAIT_NS;

	while (oldest_aged(&f->reports, FEEDS_REPORTED_NS, now_ns))
		feed_report_forget(f);
	while ((e = oldest_aged(&f->charged, keep_ns, now_ns)))
		recent_remove(&f->charged, e);
	if (f->known.running && f->silent_ns && f->silent_ns + PIPELINE_FEED_GRACE_NS <= now_ns) {
		feed_stop(f, f->reader_gone ? PIPELINE_FEED_GONE : PIPELINE_FEED_SILENT, now_ns);
		f->silenced = true;
	}
	if (!f->known.running)
		charge_all(fs, f, now_ns);
	while ((e = oldest_aged(&f->waiting, FEEDS_WAIT_NS, now_ns)))
		if (!unexplained(fs, f, e, now_ns))
			break;
	while ((e = oldest_aged(&f->unmatched, FEEDS_WAIT_NS, now_ns)))
		feed_wait_over(fs, f, &f->unmatched, e);
}

void feeds_asked(struct feeds *fs, uint64_t sender, const struct account_id *id, uint64_t now_ns)
{
	asked_note(fs->asked, sender, id, now_ns);
}

void feeds_tick(struct feeds *fs, uint64_t now_ns)
{
	asked_expire(fs->asked, now_ns);
	for (struct feed *f = fs->first; f; f = f->next)
		feed_tick(fs, f, now_ns);
}

/* ---- saving ---- */

int feeds_restore(struct feeds *fs, const struct pipeline_feed *feed, uint64_t now_ns)
{
	struct feed *f = feed_get(fs, feed->relay_uid);

	if (!f)
		return -ENOMEM;
	f->known = *feed;
	f->cover_ns = f->saved_ns = feed->told_ns;
	f->begin_ns = begin_of(f, now_ns);
	f->heard_ns = now_ns;
	return 0;
}

int feeds_each_dirty(struct feeds *fs, int (*each)(void *arg, const struct pipeline_feed *feed),
		     void *arg)
{
	for (struct feed *f = fs->first; f; f = f->next) {
		int err = f->dirty && f->known.mta ? each(arg, &f->known) : 0;

		if (err)
			return err;
	}
	return 0;
}

void feeds_saved(struct feeds *fs)
{
	for (struct feed *f = fs->first; f; f = f->next)
		f->dirty = false;
}
