// SPDX-License-Identifier: GPL-2.0-only
/*
 * daemon_judge.c - carries out what was decided: verdicts of the pipeline, orders of the command
 * line, and the end of suspensions. The kernel's maps come first, the database and the log after
 * them.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "base/clock.h"
#include "daemon.h"
#include "kernel/enforce.h"
#include "base/log.h"
#include "refuse/suspended.h"
#include "refuse/suspended_list.h"

/* With relay = reset the kernel ends relays' sessions by their sender domain: it must know those
 * that the account owns. NULL: the suspension is over. */
static void judge_domains(struct daemon *a, const struct account_id *id,
			  const struct smtpl_suspension *suspension)
{
	int err = 0;

	if (id->kind == ACCOUNT_UID && (!suspension || a->config.relay == CONFIG_RELAY_RESET))
		err = enforce_domains(a->maps, a->owners.owners, id->uid, suspension);
	if (err)
		log_error("relays' sessions of uid %u are not all reset: %s", id->uid,
			  strerror(-err));
}

static int judge_uid_domains(void *arg, const uint32_t *uid, const struct smtpl_uid *value)
{
	const struct account_id id = {.kind = ACCOUNT_UID, .uid = *uid};

	if (value->suspension.until_ns > clock_boot_ns())
		judge_domains(arg, &id, &value->suspension);
	return 0;
}

void daemon_apply_relay(struct daemon *a)
{
	bpf_maps_each_uid(a->maps, judge_uid_domains, a);
}

static void cut_sessions(struct daemon *a, const struct account_id *id, const char *name)
{
	int err;

	if (id->kind != ACCOUNT_UID)
		return;
	err = sock_destroyer_end_uid(&a->sock_destroyer, id->uid);
	if (err)
		log_warning("open sessions of %s are not ended, their packets are dropped: %s",
			    name, strerror(-err));
}

/* Many accounts may cross the line at once: they are written together, by the next save. */
static int unsaved_add(struct daemon *a, const struct state_suspension *s)
{
	if (a->unsaved_count == a->unsaved_room) {
		size_t room = a->unsaved_room ? 2 * a->unsaved_room : 16;
		void *grown = reallocarray(a->unsaved, room, sizeof(*a->unsaved));

		if (!grown)
			return -ENOMEM;
		a->unsaved = grown;
		a->unsaved_room = room;
	}
	a->unsaved[a->unsaved_count++] = *s;
	return 0;
}

static void unsaved_remove(struct daemon *a, const struct account_id *id)
{
	for (size_t i = 0; i < a->unsaved_count; i++)
		if (account_equal(&a->unsaved[i].account, id))
			a->unsaved[i--] = a->unsaved[--a->unsaved_count];
}

int daemon_put_unsaved(struct daemon *a)
{
	int err = 0;

	for (size_t i = 0; i < a->unsaved_count && !err; i++)
		err = state_put_suspension(a->state, &a->unsaved[i]);
	return err;
}

/* 0 or -errno, logged */
static int judge_suspend(struct daemon *a, const struct state_suspension *s)
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
	judge_domains(a, &s->account, &s->kernel);
	a->list_stale = true;
	cut_sessions(a, &s->account, name);
	if (unsaved_add(a, s))
		log_error("the suspension of %s would not outlive a reboot: no memory", name);
	a->save.tick = 0;
	log_notice("%s is suspended for %llu s: %s", name,
		   (unsigned long long)((s->kernel.until_ns - s->kernel.since_ns) / NS_PER_S),
		   s->reason);
	return 0;
}

void daemon_on_suspend(void *arg, struct account *account, const struct verdict *v, uint64_t now_ns)
{
	struct daemon *a = arg;
	struct state_suspension s = {
		.account = accounts_id(account),
		.kernel = {.since_ns = now_ns,
			   .until_ns = account->until_ns,
			   .bad = v->bad,
			   .min = a->config.rule.min_failures,
			   .percent = v->percent},
	};
	char name[ACCOUNT_NAME_SIZE];

	snprintf(s.domain, sizeof(s.domain), "%s", accounts_own_domain(account));
	snprintf(s.reason, sizeof(s.reason), "deferred and failed mails %llu/%u (%u%%)",
		 (unsigned long long)v->bad, a->config.rule.min_failures, v->percent);
	if (a->config.mode == VERDICT_ENFORCE) {
		if (judge_suspend(a, &s))
			pipeline_release(a->pipeline, &s.account);
		return;
	}
	account_name(&s.account, name, sizeof(name));
	log_notice("would suspend %s for %lld s: %s (mode = observe)", name,
		   (long long)a->config.rule.suspend_s, s.reason);
}

static void order_suspend(struct daemon *a, const struct state_order *order, uint64_t now_ns)
{
	struct state_suspension s = {
		.account = order->account,
		.kernel = {.since_ns = now_ns,
			   .until_ns = now_ns + order->for_s * NS_PER_S,
			   .min = a->config.rule.min_failures,
			   .by_hand = 1},
	};
	const struct account *account =
		accounts_find(pipeline_accounts(a->pipeline), &order->account);

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

/* Out of the maps: the account may send again. 0 or -errno, logged */
static int judge_open(struct daemon *a, const struct account_id *id, const char *why)
{
	char name[ACCOUNT_NAME_SIZE];
	int err = enforce_release(a->maps, id);

	judge_domains(a, id, NULL);
	a->list_stale = true;
	account_name(id, name, sizeof(name));
	if (err)
		log_error("%s cannot be released: %s", name, strerror(-err));
	else
		log_notice("%s may send again: %s", name, why);
	return err;
}

/* Out of the database, once the window that begins empty is in it: a crash in between must not
 * judge the account by the old one. */
static void judge_forget(struct daemon *a, const struct account_id *ids, size_t count)
{
	int err = daemon_save(a);

	if (!err)
		err = state_begin(a->state);
	for (size_t i = 0; i < count && !err; i++) {
		err = state_delete_suspension(a->state, &ids[i]);
		err = err == -ENOENT ? 0 : err;
	}
	if (!err)
		err = state_commit(a->state);
	else
		state_rollback(a->state);
}

void daemon_lift(struct daemon *a, const struct account_id *id, const char *why)
{
	if (judge_open(a, id, why))
		return;
	pipeline_release(a->pipeline, id);
	unsaved_remove(a, id);
	judge_forget(a, id, 1);
}

static int order_carry_out(void *arg, const struct state_order *order)
{
	struct daemon *a = arg;

	if (state_order_stale(order, time(NULL))) {
		log_warning("an order from before the daemon's time is not carried out");
	} else if (order->id > a->order_done) {
		a->order_done = order->id;
		if (order->suspend)
			order_suspend(a, order, clock_boot_ns());
		else
			daemon_lift(a, &order->account, "released by hand");
		daemon_save(a);
	}
	state_delete_order(a->state, order->id);
	return 0;
}

void daemon_orders(struct daemon *a)
{
	int err = state_each_order(a->state, order_carry_out, a);

	if (err && err != -EBUSY)
		log_error("cannot read the orders: %s", state_error(a->state));
}

#define ENDED_MAX 256 /* handled at once; the rest in a second */

struct ended {
	struct account_id id[ENDED_MAX];
	size_t count;
	uint64_t now_ns;
	const struct daemon *daemon;
};

static int ended_note(struct ended *e, const struct account_id *id, uint64_t until_ns)
{
	if (until_ns <= e->now_ns && e->count < ENDED_MAX)
		e->id[e->count++] = *id;
	return 0;
}

/* The row alone does not tell: it may be of a suspension before the one in force, which could not
 * be saved yet, or of one that was lifted when the database could not be written. */
static int ended_row(void *arg, const struct state_suspension *s)
{
	struct ended *e = arg;
	struct smtpl_suspension now;

	if (enforce_lookup(e->daemon->maps, &s->account, e->now_ns, &now) == -ENOENT)
		ended_note(e, &s->account, 0);
	return 0;
}

/* Said once, however often it takes to get it out of the database. */
static void ended_open(struct daemon *a, const struct account_id *id)
{
	struct smtpl_suspension over = {};

	enforce_lookup(a->maps, id, clock_boot_ns(), &over);
	if (over.until_ns)
		judge_open(a, id, "the suspension is over");
	unsaved_remove(a, id);
}

/* The kernel lets the account through since then, and the pipeline begins a new window by itself:
 * mail may be in it already. */
void daemon_expire(struct daemon *a)
{
	static struct ended ended; /* too large for the stack */
	int err;

	ended.count = 0;
	ended.now_ns = clock_boot_ns();
	ended.daemon = a;
	err = state_each_suspension(a->state, ended_row, &ended);
	if (err && err != -EBUSY)
		log_error("cannot read the suspensions: %s", state_error(a->state));
	for (size_t i = 0; i < ended.count; i++)
		ended_open(a, &ended.id[i]);
	if (ended.count)
		judge_forget(a, ended.id, ended.count);
}

static int ended_uid(void *arg, const uint32_t *uid, const struct smtpl_uid *value)
{
	const struct account_id id = {.kind = ACCOUNT_UID, .uid = *uid};

	return value->role == SMTPL_ROLE_DIRECT ? ended_note(arg, &id, value->suspension.until_ns) :
						  0;
}

static int ended_domain(void *arg, const struct smtpl_domain_key *key,
			const struct smtpl_suspension *value)
{
	struct account_id id = {.kind = ACCOUNT_DOMAIN};

	memcpy(id.domain, key->domain, sizeof(id.domain));
	return ended_note(arg, &id, value->until_ns);
}

void daemon_sweep(struct daemon *a)
{
	static struct ended ended; /* too large for the stack */

	ended.count = 0;
	ended.now_ns = clock_boot_ns();
	bpf_maps_each_uid(a->maps, ended_uid, &ended);
	bpf_maps_each_domain(a->maps, ended_domain, &ended);
	for (size_t i = 0; i < ended.count; i++)
		enforce_release(a->maps, &ended.id[i]);
	a->list_stale |= ended.count > 0;
}

void daemon_list_suspended(struct daemon *a)
{
	const struct suspended_list list = {
		.run = a->config.run,
		.maps = a->maps,
		.owners = a->owners.owners,
		.refusal = daemon_refusal,
		.arg = a,
		.now_ns = clock_boot_ns(),
	};
	int err = suspended_list_write(&list);

	a->list_stale = false;
	if (err)
		log_error("cannot write \"%s/" SUSPENDED_FILE "\": %s", a->config.run,
			  strerror(-err));
}
