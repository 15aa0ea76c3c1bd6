// SPDX-License-Identifier: GPL-2.0-only
/*
 * agent_judge.c - carries out what was decided: verdicts of the pipeline, orders of the command line,
 * and the end of suspensions. The kernel's maps come first, the database and the log after them.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "agent.h"
#include "enforce.h"
#include "log.h"

#define S_TO_NS 1000000000ull

enum smtpl_role agent_role(void *arg, uint32_t uid)
{
	struct agent *a = arg;
	struct smtpl_uid value;

	if (bpf_maps_get_uid(a->maps, uid, &value) == 0)
		return value.role;
	return uid == 0 ? SMTPL_ROLE_RELAY : SMTPL_ROLE_DIRECT;
}

static void cut_sessions(struct agent *a, const struct account_id *id, const char *name)
{
	int err;

	if (id->kind != ACCOUNT_UID)
		return;
	err = cutter_cut(&a->cutter, id->uid);
	if (err)
		log_warning("open sessions of %s are not ended, their packets are dropped: %s", name,
			    strerror(-err));
}

/* 0 or -errno, logged */
static int judge_suspend(struct agent *a, const struct state_suspension *s)
{
	char name[ACCOUNT_NAME_SIZE];
	int err;

	account_name(&s->account, name, sizeof(name));
	err = enforce_suspend(a->maps, &s->account, &s->kernel);
	if (err == -EPERM) {
		log_warning("%s is not suspended: it is root, a relay or an exempt user", name);
		return err;
	}
	if (err) {
		log_error("%s cannot be suspended: %s", name, strerror(-err));
		return err;
	}
	cut_sessions(a, &s->account, name);
	err = state_put_suspension(a->state, s);
	if (err)
		log_error("the suspension of %s would not outlive a reboot: %s", name,
			  state_error(a->state));
	log_notice("%s is suspended for %llu s: %s", name,
		   (unsigned long long)((s->kernel.until_ns - s->kernel.since_ns) / S_TO_NS), s->reason);
	return 0;
}

void agent_on_suspend(void *arg, struct account *account, const struct verdict *v, uint64_t now_ns)
{
	struct agent *a = arg;
	struct state_suspension s = {
		.account = accounts_id(account),
		.kernel = {.since_ns = now_ns, .until_ns = account->until_ns, .bad = v->bad,
			   .min = a->config.rule.min_failures, .percent = v->percent},
	};
	char name[ACCOUNT_NAME_SIZE];

	snprintf(s.domain, sizeof(s.domain), "%s", accounts_own_domain(account));
	snprintf(s.reason, sizeof(s.reason), "deferred and failed mails %llu/%u (%u%%)",
		 (unsigned long long)v->bad, a->config.rule.min_failures, v->percent);
	if (a->config.mode == CONFIG_ENFORCE) {
		if (judge_suspend(a, &s))
			pipeline_release(a->pipeline, &s.account);
		return;
	}
	account_name(&s.account, name, sizeof(name));
	log_notice("would suspend %s for %lld s: %s (mode = observe)", name,
		   (long long)a->config.rule.suspend_s, s.reason);
}

static void order_suspend(struct agent *a, const struct state_order *order, uint64_t now_ns)
{
	struct state_suspension s = {
		.account = order->account,
		.kernel = {.since_ns = now_ns, .until_ns = now_ns + order->for_s * S_TO_NS,
			   .min = a->config.rule.min_failures, .by_hand = 1},
	};
	const struct account *account = accounts_find(pipeline_accounts(a->pipeline), &order->account);

	if (account) {
		struct window_counts counts = window_counts(&account->window);
		struct verdict v = verdict_decide(&counts, &a->config.rule);

		s.kernel.bad = v.bad;
		s.kernel.percent = v.percent;
		snprintf(s.domain, sizeof(s.domain), "%s", accounts_own_domain(account));
	}
	snprintf(s.reason, sizeof(s.reason), "%s", order->reason[0] ? order->reason : "by hand");
	if (judge_suspend(a, &s) == 0)
		pipeline_suspend(a->pipeline, &order->account, s.kernel.until_ns);
}

/* Take the suspension out of the maps and the database. 0 or -errno, logged */
static int judge_lift(struct agent *a, const struct account_id *id, bool by_hand, const char *why)
{
	char name[ACCOUNT_NAME_SIZE];
	int err = enforce_release(a->maps, id);

	account_name(id, name, sizeof(name));
	if (err) {
		log_error("%s cannot be released: %s", name, strerror(-err));
		return err;
	}
	if (by_hand)
		pipeline_release(a->pipeline, id);
	agent_save(a); /* the empty window first: a crash in between must not judge by the old one */
	err = state_delete_suspension(a->state, id);
	if (err && err != -ENOENT)
		log_error("the end of %s's suspension is not saved: %s", name, state_error(a->state));
	log_notice("%s may send again: %s", name, why);
	return 0;
}

static int order_carry_out(void *arg, const struct state_order *order)
{
	struct agent *a = arg;

	if (order->suspend)
		order_suspend(a, order, agent_now_ns());
	else
		judge_lift(a, &order->account, true, "released by hand");
	state_delete_order(a->state, order->id);
	return 0;
}

void agent_orders(struct agent *a)
{
	int err = state_each_order(a->state, order_carry_out, a);

	if (err)
		log_error("cannot read the orders: %s", state_error(a->state));
}

/* The kernel lets the account through since then, and the pipeline has begun a new window by itself:
 * mail may be in it already. */
static int expire_one(void *arg, const struct state_suspension *s)
{
	struct agent *a = arg;

	if (s->kernel.until_ns <= agent_now_ns())
		judge_lift(a, &s->account, false, "the suspension is over");
	return 0;
}

void agent_expire(struct agent *a)
{
	int err = state_each_suspension(a->state, expire_one, a);

	if (err)
		log_error("cannot read the suspensions: %s", state_error(a->state));
}
