// SPDX-License-Identifier: GPL-2.0-only
/*
 * pipeline.c - from what the kernel counts to a verdict: sessions know the mails of an outcome, the
 * ledger knows whether it is new, and the judge puts it into a window; outcomes of a relay pass its
 * feed first. Below, in this order: events, reports of mail servers, time and people, healing,
 * forgetting. What is saved: pipeline_save.c.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "event_check.h"
#include "pipeline_parts.h"
#include "remote.h"

#define SESSION_IDLE_NS (6 * 3600 * NS_PER_S)
#define TICK_SESSIONS	1024 /* forgotten in one tick */

struct pipeline *pipeline_new(const struct pipeline_ops *ops, void *arg,
			      const struct verdict_rule *rule)
{
	struct pipeline *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	if (judge_init(&p->judge, ops, arg, rule)) {
		pipeline_free(p);
		return NULL;
	}
	p->identity_seed = ops->seed;
	p->sessions = sessions_new(ops->seed);
	p->ledger = ledger_new(ops->seed);
	p->feeds = feeds_new(&p->judge, p->ledger, ops->seed);
	if (!p->sessions || !p->ledger || !p->feeds) {
		pipeline_free(p);
		return NULL;
	}
	return p;
}

void pipeline_free(struct pipeline *p)
{
	if (!p)
		return;
	feeds_free(p->feeds);
	judge_free(&p->judge);
	sessions_free(p->sessions);
	ledger_free(p->ledger);
	free(p);
}

/* ---- what a reply says ---- */

/* What it is about. */
static void outcome_read(const struct pipeline *p, struct outcome *o)
{
	const struct outcome_detail *d = o->detail;
	const struct reply reply = {.outcome = o->outcome,
				    .code = d->code,
				    .enhanced = {d->enhanced[0], d->enhanced[1], d->enhanced[2]},
				    .text = d->text,
				    .size = d->text_size};

	if (o->outcome != SMTP_DEFERRED && o->outcome != SMTP_FAILED)
		return;
	o->class = reply_class(&reply, p->replies);
	/* Whether it is this host that finds no names, others' mail has to show. */
	if (o->fault == OWN_FAULT_RESOLVER)
		o->class = REPLY_NO_ANSWER;
	else if (o->fault)
		o->class = REPLY_OWN;
	else if (o->class == REPLY_OWN)
		o->fault = OWN_FAULT_SAID;
}

/* ---- events ---- */

/* Those of a session or a MAIL name no recipient. */
static bool names_mails(const struct smtpl_event_outcome *e)
{
	return e->subject != SMTP_SUBJECT_SESSION && e->subject != SMTP_SUBJECT_MAIL;
}

/* Attempts that became one outcome. The mails of the first ones are known; `named`: by sender and
 * recipient. Returns how many are done with, fewer than `count` without memory. */
static uint64_t take(struct pipeline *p, struct ledger_key *key, const struct outcome *common,
		     const struct session_decision *decision, bool named, uint64_t count,
		     uint64_t now_ns)
{
	struct outcome_detail detail = common->detail ? *common->detail : (struct outcome_detail){};
	struct outcome one = *common;
	uint64_t taken = 0;

	while (taken < count) {
		const struct session_mail *m =
			decision && taken < decision->known ? &decision->mails[taken] : NULL;

		one.count = m ? 1 : count - taken;
		one.mail = m ? m->mail : 0;
		one.rcpt = m ? m->rcpt : 0;
		detail.recipient = m ? m->recipient : NULL;
		one.detail = common->detail ? &detail : NULL;
		if (one.payer->relay ? feeds_take(p->feeds, key, &one, named && m, now_ns) :
				       judge_take(&p->judge, &one, now_ns))
			break;
		taken += one.count;
	}
	return taken;
}

static int event_outcome(struct pipeline *p, const struct smtpl_event_outcome *e, uint64_t now_ns)
{
	const struct session_decision decision = sessions_decide(p->sessions, e, now_ns);
	char remote[REMOTE_NAME_SIZE];
	struct outcome_detail detail = {
		.sender = decision.sender,
		.addr = e->dest,
		.text = e->text,
		.text_size = sizeof(e->text),
		.pid = decision.pid,
		.port = decision.port,
		.code = e->code,
		.enhanced = {e->enhanced[0], e->enhanced[1], e->enhanced[2]},
		.remote = remote};
	struct outcome common = {.outcome = e->outcome,
				 .source = OUTCOME_WIRE,
				 .uid = e->head.uid,
				 .domain = e->domain,
				 .time_ns = e->head.time_ns,
				 .age_s = OUTCOME_AGE_UNKNOWN,
				 .detail = &detail};
	struct pipeline_stats *stats = &p->judge.stats;
	uint64_t total = event_total(e), wanted, taken;
	struct ledger_key *key;
	struct payer payer;

	if (ledger_get(p->ledger, e->head.uid, e->domain, &key)) {
		stats->nomem++;
		return -ENOMEM;
	}
	wanted = ledger_wanted(key, common.outcome, total, e->count);
	stats->late += e->count - wanted;
	if (wanted == 0)
		return 0;
	common.remote = remote_identity(p->identity_seed, NULL, e->dest, NULL, remote);
	outcome_read(p, &common);
	payer = judge_payer(&p->judge, e->head.uid, e->domain);
	common.payer = &payer;
	common.sender = decision.sender_hash;
	taken = take(p, key, &common, &decision, names_mails(e), wanted, now_ns);
	ledger_take(p->ledger, key, common.outcome, total, taken);
	stats->attempts += taken;
	if (common.outcome == SMTP_DEFERRED || common.outcome == SMTP_FAILED)
		judge_charged(&p->judge, &payer, now_ns);
	return taken < wanted ? -ENOMEM : 0;
}

int pipeline_event(struct pipeline *p, const void *data, size_t size, uint64_t now_ns)
{
	const struct smtpl_event *head = data;

	p->judge.stats.events++;
	if (!event_valid(data, size, now_ns)) {
		p->judge.stats.malformed++;
		return -EPROTO;
	}
	/* The caller may have read the clock before the event was made. */
	time_seen(p, now_ns);
	now_ns = time_seen(p, head->time_ns);
	switch (head->type) {
	case SMTPL_EVENT_OPEN:
		sessions_open(p->sessions, data, now_ns);
		break;
	case SMTPL_EVENT_MAIL:
		sessions_mail(p->sessions, data, now_ns);
		break;
	case SMTPL_EVENT_RCPT:
		sessions_rcpt(p->sessions, data, now_ns);
		break;
	case SMTPL_EVENT_OUTCOME:
		return event_outcome(p, data, now_ns);
	case SMTPL_EVENT_CLOSE:
		sessions_close(p->sessions, head);
		break;
	default:
		break;
	}
	return 0;
}

/* ---- reports of mail servers ---- */

int pipeline_report(struct pipeline *p, uint32_t mta, const struct outcome *report, uint64_t now_ns)
{
	char remote[REMOTE_NAME_SIZE];
	struct outcome_detail detail = *report->detail;
	struct outcome known = *report;

	now_ns = time_seen(p, now_ns);
	if (!known.time_ns || known.time_ns > now_ns)
		known.time_ns = now_ns;
	known.count = 1;
	known.remote = remote_identity(p->identity_seed, detail.host, detail.addr, detail.recipient,
				       remote);
	detail.remote = remote;
	known.detail = &detail;
	outcome_read(p, &known);
	return feeds_report(p->feeds, mta, &known, now_ns);
}

int pipeline_refusal(struct pipeline *p, const struct outcome *refusal, uint64_t now_ns)
{
	return judge_report(&p->judge, refusal, time_seen(p, now_ns));
}

void pipeline_asked(struct pipeline *p, uint64_t sender, const struct account_id *id,
		    uint64_t now_ns)
{
	feeds_asked(p->feeds, sender, id, time_seen(p, now_ns));
}

void pipeline_feed_begin(struct pipeline *p, uint32_t relay_uid, uint32_t mta, uint64_t now_ns)
{
	feeds_begin(p->feeds, relay_uid, mta, time_seen(p, now_ns));
}

void pipeline_feed_reader_gone(struct pipeline *p, uint32_t mta)
{
	feeds_reader_gone(p->feeds, mta);
}

void pipeline_feed_end(struct pipeline *p, uint32_t relay_uid, enum pipeline_feed_stop why,
		       uint64_t now_ns)
{
	feeds_end(p->feeds, relay_uid, why, time_seen(p, now_ns));
}

/* ---- time and people ---- */

void pipeline_tick(struct pipeline *p, uint64_t now_ns)
{
	now_ns = time_seen(p, now_ns);
	feeds_tick(p->feeds, now_ns);
	judge_tick(&p->judge, now_ns);
	sessions_expire(p->sessions, now_ns, SESSION_IDLE_NS, TICK_SESSIONS);
}

void pipeline_set_rule(struct pipeline *p, const struct verdict_rule *rule, uint64_t now_ns)
{
	judge_set_rule(&p->judge, rule, time_seen(p, now_ns));
}

void pipeline_set_identity_seed(struct pipeline *p, uint64_t seed)
{
	p->identity_seed = seed;
}

void pipeline_set_replies(struct pipeline *p, const struct reply_rows *rows)
{
	p->replies = rows;
}

int pipeline_suspend(struct pipeline *p, const struct account_id *id, uint64_t until_ns)
{
	struct account *a;

	if (accounts_get(p->judge.accounts, id, &a))
		return -ENOMEM;
	judge_suspend(&p->judge, a, p->now_ns, until_ns);
	return 0;
}

int pipeline_observe(struct pipeline *p, const struct account_id *id, uint64_t until_ns)
{
	struct account *a;

	if (accounts_get(p->judge.accounts, id, &a))
		return -ENOMEM;
	judge_observe(&p->judge, a, p->now_ns, until_ns);
	return 0;
}

void pipeline_release(struct pipeline *p, const struct account_id *id)
{
	struct account *a = accounts_find(p->judge.accounts, id);

	if (a)
		judge_release(&p->judge, a, p->now_ns);
}

/* ---- healing ---- */

void pipeline_snapshot_begin(struct pipeline *p)
{
	p->snapshot = true;
}

int pipeline_snapshot_key(struct pipeline *p, uint32_t uid, const char *domain,
			  const struct smtpl_count *count)
{
	const struct smtpl_totals totals = {.delivered = count->delivered,
					    .deferred = count->deferred,
					    .failed = count->failed,
					    .unknown = count->unknown};
	struct ledger_key *key;

	if (!p->snapshot)
		return -EINVAL;
	if (ledger_get(p->ledger, uid, domain, &key)) {
		p->judge.stats.nomem++;
		return -ENOMEM;
	}
	if (!ledger_read(p->ledger, key, &totals, count->last_ns))
		p->judge.stats.resets++;
	return 0;
}

static void key_heal(struct pipeline *p, struct ledger_key *key, uint64_t now_ns)
{
	const struct payer payer = judge_payer(&p->judge, key->uid, key->domain);
	struct outcome lost = {.source = OUTCOME_HEALED,
			       .uid = key->uid,
			       .payer = &payer,
			       .domain = key->domain,
			       .time_ns = now_ns,
			       .age_s = OUTCOME_AGE_UNKNOWN};

	/* The count's last change is the latest time that any of it can have happened at: what was
	 * lost while no daemon ran is not taken for news. */
	if (key->latest_ns > 0 && key->latest_ns < now_ns)
		lost.time_ns = key->latest_ns;
	for (lost.outcome = SMTP_DELIVERED; lost.outcome < SMTP_OUTCOMES; lost.outcome++) {
		uint64_t missing = ledger_missing(key, lost.outcome), taken;

		if (missing == 0)
			continue;
		lost.class = lost.outcome == SMTP_DEFERRED || lost.outcome == SMTP_FAILED ?
				     REPLY_UNEXPLAINED :
				     REPLY_NONE;
		taken = take(p, key, &lost, NULL, false, missing, now_ns);
		ledger_heal(p->ledger, key, lost.outcome, taken);
		p->judge.stats.attempts += taken;
		p->judge.stats.healed += taken;
	}
}

static void key_judge(struct pipeline *p, const struct ledger_key *key, uint64_t now_ns)
{
	const struct payer payer = judge_payer(&p->judge, key->uid, key->domain);

	judge_charged(&p->judge, &payer, now_ns);
}

void pipeline_snapshot_end(struct pipeline *p, uint64_t now_ns)
{
	struct ledger_key *key;

	if (!p->snapshot)
		return;
	p->snapshot = false;
	now_ns = time_seen(p, now_ns);
	for (key = ledger_open(p->ledger); key; key = key->open_next)
		key_heal(p, key, now_ns);
	/* Only now: nobody is judged by a part of what was lost. */
	for (key = ledger_open(p->ledger); key; key = key->open_next)
		key_judge(p, key, now_ns);
	ledger_close(p->ledger);
}

/* ---- forgetting ---- */

bool pipeline_key_settled(const struct pipeline *p, uint32_t uid, const char *domain,
			  const struct smtpl_count *count)
{
	const struct ledger_key *key = ledger_find(p->ledger, uid, domain);
	struct smtpl_totals accounted;

	if (!key || !ledger_settled(key))
		return false;
	accounted = ledger_accounted(key);
	return accounted.delivered == count->delivered && accounted.deferred == count->deferred &&
	       accounted.failed == count->failed && accounted.unknown == count->unknown;
}

int pipeline_forget_key(struct pipeline *p, uint32_t uid, const char *domain)
{
	return ledger_forget(p->ledger, uid, domain);
}

/* ---- reading ---- */

struct accounts *pipeline_accounts(struct pipeline *p)
{
	return p->judge.accounts;
}

struct pipeline_stats pipeline_stats(const struct pipeline *p)
{
	struct pipeline_stats stats = p->judge.stats;

	stats.evicted = sessions_evicted(p->sessions);
	stats.sessions = sessions_count(p->sessions);
	stats.accounts = accounts_count(p->judge.accounts);
	stats.keys = ledger_count(p->ledger);
	stats.relay_counts_lost = relay_counts_lost(p->judge.relay_counts);
	stats.meetings_lost = remotes_lost(p->judge.remotes);
	return stats;
}
