// SPDX-License-Identifier: GPL-2.0-only
/*
 * judge.c - attempts into windows, verdicts, and the beginning and end of suspensions.
 */
#include <errno.h>
#include <string.h>
#include "judge.h"
#include "base/clock.h"

/* Accounts judged in one tick; the others come first in the next. */
#define TICK_CHECKS 8192

static void pay_by_domain(struct payer *payer, const char *domain)
{
	payer->id = (struct account_id){.kind = ACCOUNT_DOMAIN};
	memcpy(payer->id.domain, domain, strnlen(domain, sizeof(payer->id.domain) - 1));
	payer->pays = payer->id.domain[0] != '\0';
}

static void pay_for_relay(const struct judge *j, const char *domain, struct payer *payer)
{
	uint32_t owner;

	if (!j->ops.owner || !domain[0] || !j->ops.owner(j->arg, domain, &owner)) {
		pay_by_domain(payer, domain);
		return;
	}
	switch (j->ops.role(j->arg, owner)) {
	case SMTPL_ROLE_DIRECT:
		payer->id = (struct account_id){.kind = ACCOUNT_UID, .uid = owner};
		payer->pays = true;
		break;
	case SMTPL_ROLE_RELAY:
		pay_by_domain(payer, domain);
		break;
	case SMTPL_ROLE_EXEMPT:
		break;
	}
}

struct payer judge_payer(const struct judge *j, uint32_t uid, const char *domain)
{
	struct payer payer = {.id = {.kind = ACCOUNT_UID, .uid = uid}};

	switch (j->ops.role(j->arg, uid)) {
	case SMTPL_ROLE_DIRECT:
		payer.pays = true;
		break;
	case SMTPL_ROLE_RELAY:
		payer.relay = true;
		pay_for_relay(j, domain, &payer);
		break;
	case SMTPL_ROLE_EXEMPT:
		break;
	}
	return payer;
}

void judge_soon(struct judge *j, struct account *a)
{
	accounts_check_at(j->accounts, a, 0);
}

static void check_at_end(struct judge *j, struct account *a)
{
	accounts_check_at(j->accounts, a, a->until_ns / NS_PER_S + (a->until_ns % NS_PER_S > 0));
}

static void account_mark(struct judge *j, struct account *a, enum account_state state,
			 uint64_t since_ns, uint64_t until_ns)
{
	a->state = state;
	a->since_ns = since_ns;
	a->until_ns = until_ns;
	accounts_mark_dirty(j->accounts, a);
	check_at_end(j, a);
}

void judge_suspend(struct judge *j, struct account *a, uint64_t since_ns, uint64_t until_ns)
{
	account_mark(j, a, ACCOUNT_SUSPENDED, since_ns, until_ns);
}

void judge_release(struct judge *j, struct account *a, uint64_t end_ns)
{
	window_clear(&a->window);
	a->state = ACCOUNT_FREE;
	a->until_ns = 0;
	a->begins_ns = end_ns;
	accounts_check_never(j->accounts, a);
	accounts_mark_dirty(j->accounts, a);
}

/* End what is over. What was only observed refused nothing, so nothing begins anew after it. */
static void account_expire(struct judge *j, struct account *a, uint64_t now_ns)
{
	if (a->state == ACCOUNT_SUSPENDED && now_ns >= a->until_ns)
		judge_release(j, a, a->until_ns);
	if (a->state == ACCOUNT_OBSERVED && (now_ns >= a->until_ns || j->mode != VERDICT_OBSERVE)) {
		a->state = ACCOUNT_FREE;
		a->until_ns = 0;
	}
}

/* Time alone raises a percentage only by taking delivered mails away, and only an account with
 * enough failures can cross the line by that. */
static void check_at_change(struct judge *j, struct account *a, const struct verdict *v)
{
	if (v->bad >= j->rule.min_failures)
		accounts_check_at(j->accounts, a, window_next_change(&a->window, j->rule.window_s));
	else
		accounts_check_never(j->accounts, a);
}

static void account_judge(struct judge *j, struct account *a, uint64_t now_ns)
{
	struct window_counts counts;
	struct verdict v;

	account_expire(j, a, now_ns);
	if (a->state != ACCOUNT_FREE) {
		check_at_end(j, a);
		return;
	}
	window_slide(&a->window, now_ns / NS_PER_S, j->rule.window_s);
	counts = window_counts(&a->window);
	v = verdict_decide(&counts, &j->rule);
	if (!v.suspend) {
		check_at_change(j, a, &v);
		return;
	}
	account_mark(j, a, j->mode == VERDICT_OBSERVE ? ACCOUNT_OBSERVED : ACCOUNT_SUSPENDED,
		     now_ns, now_ns + j->rule.suspend_s * NS_PER_S);
	j->stats.suspensions++;
	j->ops.suspend(j->arg, a, &v, now_ns);
}

void judge_charged(struct judge *j, const struct payer *payer, uint64_t now_ns)
{
	struct account *a = payer->pays ? accounts_find(j->accounts, &payer->id) : NULL;

	if (a)
		account_judge(j, a, now_ns);
}

void judge_charged_soon(struct judge *j, const struct payer *payer)
{
	struct account *a = payer->pays ? accounts_find(j->accounts, &payer->id) : NULL;

	if (a)
		judge_soon(j, a);
}

void judge_tick(struct judge *j, uint64_t now_ns)
{
	unsigned int budget = TICK_CHECKS;
	struct account *a;

	while ((a = accounts_due(j->accounts, now_ns / NS_PER_S, &budget)))
		account_judge(j, a, now_ns);
	j->stats.collected += accounts_collect(j->accounts, now_ns / NS_PER_S, j->rule.window_s,
					       accounts_collect_budget(j->accounts));
}

/* Returns how many went in; fewer than all without memory. */
static uint64_t window_take(struct window *w, const struct attempts *in, int64_t now_s,
			    int64_t length_s)
{
	struct record r = {.second = in->time_ns / NS_PER_S, .outcome = in->outcome};
	uint64_t taken = 0;

	while (taken < in->count) {
		bool known = taken < in->known;
		uint64_t rest = in->count - taken;

		r.mail = known ? in->mails[taken] : 0;
		r.count = known ? 1 : rest < UINT32_MAX ? rest : UINT32_MAX;
		if (window_add(w, &r, now_s, length_s))
			break;
		taken += r.count;
	}
	return taken;
}

/* A mail server should have refused it, had it been asked. */
static void note_bypass(struct judge *j, const struct account *a, const struct payer *payer,
			const struct attempts *in)
{
	const struct relay_count bypass = {.bypass = in->count};

	if (!payer->relay || a->state != ACCOUNT_SUSPENDED || in->time_ns < a->since_ns)
		return;
	j->stats.bypass += in->count;
	relay_counts_add(j->relay_counts, &payer->id, in->domain, &bypass);
}

uint64_t judge_take(struct judge *j, const struct payer *payer, const struct attempts *in,
		    uint64_t now_ns)
{
	struct account *a;
	uint64_t taken;

	if (in->outcome == SMTP_UNKNOWN)
		return in->count;
	if (!payer->pays) {
		j->stats.not_judged += in->count;
		return in->count;
	}
	if (accounts_get(j->accounts, &payer->id, &a)) {
		j->stats.nomem++;
		return 0;
	}
	account_expire(j, a, now_ns);
	accounts_set_own_domain(a, in->domain);
	/* The latter: its event came late, and is of a time before the suspension's end. */
	if (a->state == ACCOUNT_SUSPENDED || in->time_ns < a->begins_ns) {
		j->stats.while_suspended += in->count;
		note_bypass(j, a, payer, in);
		return in->count;
	}
	taken = window_take(&a->window, in, now_ns / NS_PER_S, j->rule.window_s);
	accounts_mark_dirty(j->accounts, a);
	if (taken < in->count)
		j->stats.nomem++;
	return taken;
}

static void note_report(struct judge *j, const struct pipeline_report *report)
{
	const struct relay_count one = {
		.delivered = !report->refused && report->outcome == SMTP_DELIVERED,
		.deferred = !report->refused && report->outcome == SMTP_DEFERRED,
		.failed = !report->refused && report->outcome == SMTP_FAILED,
		.unknown = !report->refused && report->outcome == SMTP_UNKNOWN,
		.refused = report->refused,
	};

	relay_counts_add(j->relay_counts, &report->account, report->domain, &one);
}

int judge_report(struct judge *j, const struct pipeline_report *report, uint64_t mail,
		 uint64_t now_ns)
{
	const struct payer payer = {.id = report->account, .pays = report->charged, .relay = true};
	const struct attempts in = {.domain = report->domain,
				    .outcome = report->outcome,
				    .count = 1,
				    .mails = &mail,
				    .known = 1,
				    .time_ns = report->time_ns};

	if (!report->charged)
		return 0;
	if (!report->refused && !report->past && judge_take(j, &payer, &in, now_ns) == 0)
		return -ENOMEM;
	note_report(j, report);
	if (!report->refused)
		judge_charged(j, &payer, now_ns);
	return 0;
}
