// SPDX-License-Identifier: GPL-2.0-only
/*
 * order_here.c - an order that the command carries out in the daemon's place. Windows and owners of
 * domains, which the daemon has in memory, are taken as they were saved.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "base/clock.h"
#include "base/log.h"
#include "kernel/enforce.h"
#include "order.h"
#include "state/state_owners.h"
#include "refuse/refusal_domain.h"
#include "refuse/suspended.h"
#include "refuse/suspended_list.h"
#include "refuse/suspension.h"

const struct owners *order_owners(struct order *o)
{
	if (o->owners || !o->state)
		return o->owners;
	o->owners = owners_new();
	if (!o->owners || state_get_owners(o->state, o->owners) == 0)
		return o->owners;
	owners_free(o->owners);
	o->owners = NULL;
	return NULL;
}

struct figures {
	const struct verdict_rule *rule;
	struct state_suspension *suspension;
	int64_t now_s;
};

static int find_window(void *arg, const struct account_id *account, const char *own_domain,
		       struct window *window)
{
	const struct figures *f = arg;
	bool found = account_equal(account, &f->suspension->account);

	if (found) {
		suspension_figures(f->suspension, window, f->rule, f->now_s);
		snprintf(f->suspension->domain, sizeof(f->suspension->domain), "%s", own_domain);
	}
	window_clear(window);
	return found;
}

static bool refusal(void *arg, const struct account_id *id, struct responder_answer *answer)
{
	struct state_suspension s = {.account = *id};
	struct order *o = arg;

	order_saved(o, &s);
	if (enforce_lookup(o->maps, id, clock_boot_ns(), &s.kernel))
		return false;
	suspended_figures(id, &s.kernel, s.domain, clock_wall_of(s.kernel.until_ns) / NS_PER_S,
			  clock_wall_ns() / NS_PER_S, answer);
	if (s.kernel.by_hand & SMTPL_BY_HAND_TOLD)
		snprintf(answer->reason, sizeof(answer->reason), "%.*s", SMTPL_TOLD_SIZE - 1,
			 s.reason);
	return true;
}

static int write_list(void *arg)
{
	struct order *o = arg;
	const struct suspended_list list = {.run = o->config.run,
					    .maps = o->maps,
					    .owners = order_owners(o),
					    .payer = order_payer_ops,
					    .refusal = refusal,
					    .arg = o,
					    .now_ns = clock_boot_ns()};

	return suspended_list_write(&list);
}

/* The text is of the first failure: other steps ask the database, too. */
static int saved(struct order *o, int err)
{
	if (err && !o->why[0])
		snprintf(o->why, sizeof(o->why), "%s", state_error(o->state));
	return err;
}

static int save(void *arg, const struct state_suspension *s)
{
	struct order *o = arg;
	int err = o->state ? state_begin(o->state) : -EIO;

	if (err)
		return saved(o, err);
	state_put_suspension(o->state, s);
	return saved(o, state_commit(o->state));
}

struct saved_window {
	const struct account_id *account;
	char own_domain[SMTPL_DOMAIN_SIZE];
	struct window window;
};

static int take_window(void *arg, const struct account_id *account, const char *own_domain,
		       struct window *window)
{
	struct saved_window *w = arg;

	if (!account_equal(account, w->account)) {
		window_clear(window);
		return 0;
	}
	snprintf(w->own_domain, sizeof(w->own_domain), "%s", own_domain);
	w->window = *window;
	return 1;
}

/* The window begins anew; which mails are pending is known as before. */
static int forget(void *arg, const struct account_id *id)
{
	struct saved_window w = {.account = id};
	struct order *o = arg;
	int err = o->state ? state_begin(o->state) : -EIO;

	if (err)
		return saved(o, err);
	state_delete_suspension(o->state, id);
	state_each_window(o->state, take_window, &w);
	window_release(&w.window);
	state_put_window(o->state, id, w.own_domain, &w.window);
	window_clear(&w.window);
	return saved(o, state_commit(o->state));
}

static struct suspension_result suspend(struct order *o, const struct suspension_place *here)
{
	uint64_t now_ns = clock_boot_ns();
	const struct verdict_rule rule = order_rule(o);
	struct state_suspension s = suspension_by_hand(&o->what, &rule, now_ns);
	struct figures figures = {.rule = &rule, .suspension = &s, .now_s = now_ns / NS_PER_S};
	char newest[SMTPL_DOMAIN_SIZE];

	if (o->state)
		state_each_window(o->state, find_window, &figures);
	memcpy(newest, s.domain, sizeof(newest));
	refusal_own_domain(order_owners(o), &s.account, newest, s.domain);
	return suspension_begin(here, &s);
}

/* What is in the maps holds at once; what is not saved is lost at the next boot, and mail servers
 * that find no daemon go by the file. */
static void say_failure(const struct order *o, const struct suspension_result *r)
{
	if (r->maps)
		log_error("%s: %s", o->name, strerror(-r->maps));
	else if (r->saved && o->what.suspend)
		log_error("%s is suspended, but that is not saved and ends with this boot: %s",
			  o->name, o->why);
	else if (r->saved)
		log_error(
			"%s is released, but that is not saved, and its suspension comes back with "
			"the next boot: "
			"%s",
			o->name, o->why);
	else if (r->listed)
		log_error(
			"%s: in the kernel it is done, but mail servers are not told: \"%s/" SUSPENDED_FILE
			"\": %s",
			o->name, o->config.run, strerror(-r->listed));
	else
		log_error("%s: in the kernel it is done, but not for all relays' sessions: %s",
			  o->name, strerror(-r->domains));
}

/* On a full or read-only disk it can still be read, for owners and windows. */
static int open_for_writing(struct order *o)
{
	int err = order_open_state(o, STATE_WRITE);

	if (!err)
		return 0;
	snprintf(o->why, sizeof(o->why), "%s", state_error(NULL));
	if (!o->maps)
		log_error("%s: %s", o->name, o->why);
	else
		order_open_state(o, STATE_READ);
	return o->maps ? 0 : err;
}

int order_here(struct order *o)
{
	struct suspension_place here = {
		.maps = o->maps,
		.reset_relays = o->config.relay == CONFIG_RELAY_RESET,
		.save = save,
		.forget = forget,
		.list = write_list,
		.arg = o,
	};
	struct suspension_result r;

	if (open_for_writing(o))
		return CMD_FAILED;
	here.owners = o->maps ? order_owners(o) : NULL;
	r = o->what.suspend ? suspend(o, &here) : suspension_end(&here, &o->what.account);
	o->by_itself = true;
	if (!r.maps && !r.saved && !r.listed && !r.domains)
		return CMD_DONE;
	say_failure(o, &r);
	return CMD_FAILED;
}
