// SPDX-License-Identifier: GPL-2.0-only
/*
 * daemon_judge.c - carries out what was decided, by the pipeline or by an order (daemon_orders.c),
 * and the end of suspensions. suspension.h has the order of steps; here the database's part of a
 * beginning is left to the next save, and the file's to the next tick.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "base/clock.h"
#include "config/config_account.h"
#include "daemon.h"
#include "kernel/enforce.h"
#include "base/log.h"
#include "refuse/refusal_domain.h"
#include "refuse/suspended.h"
#include "refuse/suspended_list.h"
#include "refuse/suspension.h"
#include "refuse/suspension_log.h"

static int list_soon(void *arg)
{
	struct daemon *d = arg;

	d->list_stale = true;
	return 0;
}

/* forget: NULL, or how the end of a suspension gets into the database. */
static struct suspension_place here(struct daemon *d,
				    int (*forget)(void *arg, const struct account_id *id))
{
	return (struct suspension_place){
		.maps = d->maps,
		.owners = d->owners.owners,
		.reset_relays = d->config.relay == CONFIG_RELAY_RESET,
		.save = daemon_save_suspension,
		.forget = forget,
		.list = list_soon,
		.arg = d,
	};
}

static void say_domains(const struct account_id *id, int err)
{
	if (err)
		log_error("relays' sessions of uid %u are not all reset: %s", id->uid,
			  strerror(-err));
}

static int apply_relay_uid(void *arg, const uint32_t *uid, const struct smtpl_uid *value)
{
	const struct account_id id = {.kind = ACCOUNT_UID, .uid = *uid};
	const struct suspension_place place = here(arg, NULL);

	if (value->suspension.until_ns > clock_boot_ns())
		say_domains(&id, suspension_domains(&place, &id, &value->suspension));
	return 0;
}

void daemon_apply_relay(struct daemon *d)
{
	bpf_maps_each_uid(d->maps, apply_relay_uid, d);
}

static void cut_sessions(struct daemon *d, const struct account_id *id, const char *name)
{
	int err;

	if (id->kind != ACCOUNT_UID)
		return;
	err = sock_destroyer_end_uid(&d->sock_destroyer, id->uid);
	if (err)
		log_warning("open sessions of %s are not ended, their packets are dropped: %s",
			    name, strerror(-err));
}

int daemon_suspend(struct daemon *d, const struct state_suspension *s)
{
	const struct suspension_place place = here(d, NULL);
	bool exempt = s->account.kind == ACCOUNT_DOMAIN && daemon_exempts(d, s->account.domain);
	struct suspension_result r = {.maps = -EPERM};
	char name[ACCOUNT_NAME_SIZE];

	if (!exempt)
		r = suspension_begin(&place, s);
	account_name(&s->account, name, sizeof(name));
	if (r.maps == -EPERM)
		log_warning("%s is not suspended: it is root, a relay or exempt", name);
	else if (r.maps)
		log_error("%s cannot be suspended: %s", name, strerror(-r.maps));
	if (r.maps)
		return r.maps;
	cut_sessions(d, &s->account, name);
	say_domains(&s->account, r.domains);
	if (r.saved)
		log_error("the suspension of %s would not outlive a reboot: no memory", name);
	daemon_told_note(d, s);
	suspension_log_begin(s, daemon_login(d, &s->account));
	return 0;
}

void daemon_name_account(struct daemon *d, const struct account_id *id,
			 char domain[SMTPL_DOMAIN_SIZE])
{
	struct account *account = accounts_find(pipeline_accounts(d->pipeline), id);
	const char *newest = account ? accounts_own_domain(account) : "";
	uint32_t owner;

	if (!daemon_owner(d, newest, &owner) && daemon_own_name(d, newest))
		newest = "";
	refusal_own_domain(d->owners.owners, id, newest, domain);
	if (account)
		accounts_set_own_domain(account, domain);
}

void daemon_on_suspend(void *arg, struct account *account, const struct verdict *v, uint64_t now_ns)
{
	struct daemon *d = arg;
	const struct verdict_rule *rule = daemon_rule(d, account);
	struct state_suspension s = {
		.account = accounts_id(account),
		.kernel = {.since_ns = now_ns,
			   .until_ns = account->until_ns,
			   .bad = v->bad,
			   .min = rule->min_failures,
			   .percent = v->percent},
		.observed = rule->mode == VERDICT_OBSERVE,
	};

	if (daemon_services_excuse(d, &s.account))
		return;
	daemon_name_account(d, &s.account, s.domain);
	snprintf(s.reason, sizeof(s.reason), "deferred and failed mails %llu/%u (%u%%)",
		 (unsigned long long)v->bad, rule->min_failures, v->percent);
	if (s.observed) {
		daemon_save_suspension(d, &s); /* without memory the history lacks it */
		suspension_log_begin(&s, daemon_login(d, &s.account));
	} else if (daemon_suspend(d, &s)) {
		pipeline_release(d->pipeline, &s.account);
		return;
	}
	daemon_notice_suspended(d, &s,
				s.observed ? DAEMON_SUSPENDED_OBSERVED : DAEMON_SUSPENDED_BY_RULE);
}

/* Out of the database, once the window that begins empty is in it: a crash in between must not
 * judge the account by the old one. */
static int judge_forget(struct daemon *d, const struct account_id *ids, size_t count)
{
	int err = daemon_save(d);

	if (!err)
		err = state_begin(d->state);
	for (size_t i = 0; i < count && !err; i++) {
		err = state_delete_suspension(d->state, &ids[i]);
		err = err == -ENOENT ? 0 : err;
	}
	if (!err)
		return state_commit(d->state);
	state_rollback(d->state);
	return err;
}

static int forget_now(void *arg, const struct account_id *id)
{
	struct daemon *d = arg;
	int err;

	pipeline_release(d->pipeline, id);
	err = judge_forget(d, id, 1);
	/* One that could not be saved before its end must not be saved later. */
	daemon_unsave_suspension(d, id);
	return err;
}

/* The account may send again, also when the database cannot be written: daemon_expire() finds the
 * row each second, and deletes it once that works. */
static struct suspension_result judge_release(struct daemon *d, const struct account_id *id,
					      const char *why,
					      int (*forget)(void *arg, const struct account_id *id))
{
	const struct suspension_place place = here(d, forget);
	const struct suspension_result r = suspension_end(&place, id);
	const struct account *account = accounts_find(pipeline_accounts(d->pipeline), id);
	char name[ACCOUNT_NAME_SIZE];

	account_name(id, name, sizeof(name));
	say_domains(id, r.domains);
	if (r.maps) {
		log_error("%s cannot be released: %s", name, strerror(-r.maps));
		return r;
	}
	daemon_told_forget(d, id);
	suspension_log_end(forget ? LOG_EVENT_RELEASED : LOG_EVENT_OVER, id,
			   account ? accounts_own_domain(account) : "", why);
	daemon_notice_ended(d, id, forget == NULL, why);
	return r;
}

struct suspension_result daemon_lift(struct daemon *d, const struct account_id *id, const char *why)
{
	return judge_release(d, id, why, forget_now);
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

/* The row alone does not decide: it may be of a suspension before the one in force, which could not
 * be saved yet, or of one that was lifted when the database could not be written. */
static int ended_row(void *arg, const struct state_suspension *s)
{
	struct ended *e = arg;
	struct smtpl_suspension now;

	if (enforce_lookup(e->daemon->maps, &s->account, e->now_ns, &now) == -ENOENT)
		ended_note(e, &s->account, 0);
	return 0;
}

/* Said once, however often it takes to get it out of the database, which follows for all together.
 */
static void ended_release(struct daemon *d, const struct account_id *id)
{
	struct smtpl_suspension over = {};

	enforce_lookup(d->maps, id, clock_boot_ns(), &over);
	if (over.until_ns)
		judge_release(d, id, "the suspension is over", NULL);
}

/* The kernel lets the account through since then, and the pipeline begins a new window by itself:
 * mail may be in it already. */
void daemon_expire(struct daemon *d)
{
	static struct ended ended; /* too large for the stack */
	int err;

	ended.count = 0;
	ended.now_ns = clock_boot_ns();
	ended.daemon = d;
	err = state_each_suspension(d->state, ended_row, &ended);
	if (err && err != -EBUSY)
		log_error("cannot read the suspensions: %s", state_error(d->state));
	for (size_t i = 0; i < ended.count; i++)
		ended_release(d, &ended.id[i]);
	if (ended.count)
		judge_forget(d, ended.id, ended.count);
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

void daemon_sweep(struct daemon *d)
{
	static struct ended ended; /* too large for the stack */

	ended.count = 0;
	ended.now_ns = clock_boot_ns();
	bpf_maps_each_uid(d->maps, ended_uid, &ended);
	bpf_maps_each_domain(d->maps, ended_domain, &ended);
	for (size_t i = 0; i < ended.count; i++)
		enforce_release(d->maps, &ended.id[i]);
	d->list_stale |= ended.count > 0;
}

void daemon_list_suspended(struct daemon *d)
{
	const struct suspended_list list = {
		.run = d->config.run,
		.maps = d->maps,
		.owners = d->owners.owners,
		.payer = daemon_payer_ops,
		.refusal = daemon_refusal,
		.arg = d,
		.now_ns = clock_boot_ns(),
	};
	int err = suspended_list_write(&list);

	d->list_stale = false;
	if (err)
		log_error("cannot write \"%s/" SUSPENDED_FILE "\": %s", d->config.run,
			  strerror(-err));
}
