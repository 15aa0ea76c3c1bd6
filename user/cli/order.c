// SPDX-License-Identifier: GPL-2.0-only
/*
 * order.c - an order of the command line, by the daemon or in its place. The daemon keeps windows
 * and suspensions in memory, so that nobody else may write them while it lives.
 */
#include <errno.h>
#include <jansson.h>
#include <linux/limits.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "account_find.h"
#include "base/clock.h"
#include "base/daemon_lock.h"
#include "kernel/enforce.h"
#include "base/log.h"
#include "order.h"
#include "refuse/suspension.h"
#include "status.h"
#include "config/config_account.h"
#include "config/config_value.h"

#define POLL_MS	    20
#define SENDER_SIZE (ACCOUNT_NAME_SIZE + 64)
#define EXEMPT_TEXT                                                                                \
	"what is in exempt_users is never refused: take it out of the configuration first"

static int fail(const char *what, const char *why)
{
	log_error("%s: %s", what, why);
	return CMD_FAILED;
}

int order_open_state(struct order *o, enum state_open how)
{
	char path[PATH_MAX + sizeof("/" STATE_FILE)];
	int r;

	state_close(o->state);
	o->state = NULL;
	snprintf(path, sizeof(path), "%s/%s", o->config.state, STATE_FILE);
	r = state_open(path, how, &o->state);
	if (!r && state_error(o->state)[0])
		log_warning("%s", state_error(o->state));
	return r;
}

/* Maps that a start left which never got to attaching are written like others, since the next start
 * takes them up. */
static int open_maps(struct order *o)
{
	struct smtpl_meta meta = {0};
	int r = bpf_maps_open(o->config.bpffs, &o->maps);

	if (!r)
		r = bpf_maps_meta(o->maps, &meta);
	o->loaded = !r && meta.schema;
	o->rule = status_rule(&meta, &o->config);
	o->elsewhere = daemon_elsewhere(meta.pid, &o->config, o->why, sizeof(o->why));
	return r;
}

struct verdict_rule order_rule(const struct order *o)
{
	const struct config_account *own = config_account_find(&o->config, &o->what.account);
	struct verdict_rule rule = o->rule;

	if (own && own->section->until_s > time(NULL))
		config_section_apply(own->section, &rule);
	return rule;
}

static enum smtpl_role role_of(void *arg, uint32_t uid)
{
	struct smtpl_uid value = {0};
	const struct order *o = arg;

	if (o->maps)
		bpf_maps_get_uid(o->maps, uid, &value);
	if (value.role == SMTPL_ROLE_RELAY || config_uids_has(&o->config.relays, uid))
		return SMTPL_ROLE_RELAY;
	if (value.role == SMTPL_ROLE_EXEMPT || config_uids_has(&o->config.exempts, uid))
		return SMTPL_ROLE_EXEMPT;
	return value.role;
}

static bool owner_of(void *arg, const char *domain, uint32_t *uid)
{
	return owners_find(order_owners(arg), domain, uid);
}

static bool is_exempt(void *arg, const char *domain)
{
	return config_domains_has(&((const struct order *)arg)->config.exempt_domains, domain);
}

const struct payer_ops order_payer_ops = {.role = role_of, .owner = owner_of, .exempt = is_exempt};

/* "mail from it was sent by carol, who is suspended", or "". */
static char *sender_text(struct order *o, bool none, char text[SENDER_SIZE])
{
	struct order_sender sender = {0};
	char name[ACCOUNT_NAME_SIZE];

	text[0] = '\0';
	if (!none)
		sender = order_find_sender(o);
	if (!sender.known)
		return text;
	account_name(&sender.account, name, sizeof(name));
	snprintf(text, SENDER_SIZE, "mail from it was sent by %s%s", name,
		 sender.suspended ? ", who is suspended" : "");
	return text;
}

/* A domain that nobody is known to own is taken only where it is suspended: else a mistyped name
 * would be suspended in somebody's place, or be found not to be suspended. */
static int find_account(struct order *o, const char *text)
{
	struct state_suspension suspension;
	char why[CONFIG_ERROR_SIZE], sent[SENDER_SIZE];
	int r = account_find(text, &order_payer_ops, o, &o->what.account, why, sizeof(why));

	if (r < 0 || (r == ACCOUNT_GUESSED && !order_suspended(o, &suspension))) {
		sender_text(o, r < 0, sent);
		log_error("%s%s%s", why, sent[0] ? "; " : "", sent);
		return CMD_FAILED;
	}
	account_name(&o->what.account, o->name, sizeof(o->name));
	return CMD_DONE;
}

int order_begin(struct order *o, const struct cli *cli, const char *command, const char *account)
{
	int r;

	*o = (struct order){.cli = cli};
	r = cmd_begin(cli, command, &o->config);
	if (r)
		return r;
	r = open_maps(o);
	if (r == -EPROTO)
		return fail(o->config.bpffs,
			    "what is loaded is of another version of smtplimit: ask "
			    "that version");
	if (r && r != -ENOENT)
		return fail(o->config.bpffs, strerror(-r));
	if (o->elsewhere)
		return fail(command, o->why);
	r = order_open_state(o, STATE_READ);
	if (r && r != -ENOENT && !o->maps)
		return fail(o->config.state, state_error(NULL));
	return find_account(o, account);
}

void order_end(struct order *o)
{
	owners_free(o->owners);
	state_close(o->state);
	bpf_maps_close(o->maps);
}

/* A domain that a user pays for is refused with that user, and never by itself. */
static const char *domain_never_refused(struct order *o)
{
	struct account_id payer = o->what.account;
	char name[ACCOUNT_NAME_SIZE];

	enum payer_kind kind = payer_of_domain(&order_payer_ops, o, o->what.account.domain, &payer);

	if (payer.kind == ACCOUNT_DOMAIN)
		return kind == PAYER_EXEMPT ? EXEMPT_TEXT : NULL;
	account_name(&payer, name, sizeof(name));
	snprintf(o->why, sizeof(o->why), "it belongs to %s: suspend that account", name);
	return o->why;
}

/* Why the account can never be refused, or NULL. */
static const char *never_refused(struct order *o)
{
	const struct account_id *account = &o->what.account;
	struct account_id payer;

	if (account->kind == ACCOUNT_DOMAIN)
		return domain_never_refused(o);
	if (account->uid == 0)
		return "root is never refused";
	if (role_of(o, account->uid) >= SMTPL_ROLE_SERVICE)
		return "a service user is never refused, its mail belongs to others: add it to "
		       "direct_users first if it is a customer";
	switch (payer_of_user(&order_payer_ops, o, account->uid, &payer)) {
	case PAYER_ACCOUNT:
		return NULL;
	case PAYER_EXEMPT:
		return EXEMPT_TEXT;
	default:
		return "a relay user is never refused, its mail belongs to others: suspend the sender's "
		       "account, or domain:NAME";
	}
}

static int find_suspension(void *arg, const struct state_suspension *s)
{
	struct state_suspension *wanted = arg;

	if (!account_equal(&s->account, &wanted->account))
		return 0;
	*wanted = *s;
	return 1;
}

bool order_saved(struct order *o, struct state_suspension *suspension)
{
	return o->state && state_each_suspension(o->state, find_suspension, suspension) > 0;
}

/* Where the maps are in force they decide: a row may be one that could not be deleted, or may not
 * be there yet, and the reason with it. */
bool order_suspended(struct order *o, struct state_suspension *suspension)
{
	struct state_clock now;
	bool saved;

	state_clock_read(&now);
	*suspension = (struct state_suspension){.account = o->what.account};
	saved = order_saved(o, suspension);
	if (o->maps && !enforce_lookup(o->maps, &o->what.account, now.boot_ns, &suspension->kernel))
		return true;
	return !o->loaded && saved && suspension->kernel.until_ns > (uint64_t)now.boot_ns;
}

/* The daemon may be at it in this moment, so that not even an order taken back means that nothing
 * has changed. */
static int not_confirmed(const struct order *o, int error)
{
	pid_t pid = daemon_lock_pid(o->config.run);

	if (error == -ETIMEDOUT && pid > 0)
		log_error("%s: not confirmed: the daemon (pid %d) has not answered for %d s; the "
			  "order is taken back: see `smtplimit status` and its log",
			  o->name, (int)pid, ORDER_WAIT_S);
	else
		log_error("%s: not confirmed: cannot ask the daemon: \"%s/" ORDER_SOCKET
			  "\": %s: see `smtplimit status`",
			  o->name, o->config.run, strerror(-error));
	return CMD_FAILED;
}

/* One that has just begun holds the lock and may not listen yet. */
static int ask_daemon(struct order *o, struct order_answer *answer)
{
	const struct timespec poll = {.tv_nsec = POLL_MS * 1000000L};
	int64_t left_ms, until_ms = clock_mono_ms() + ORDER_WAIT_S * 1000;
	int r;

	while ((left_ms = until_ms - clock_mono_ms()) > 0) {
		r = order_socket_ask(o->config.run, &o->what, left_ms, answer);
		if (r != -ECONNREFUSED && r != -ENOENT)
			return r;
		if (daemon_lock_pid(o->config.run) == -ESRCH)
			return -ECONNRESET;
		nanosleep(&poll, NULL);
	}
	return -ETIMEDOUT;
}

/* -ESRCH: the daemon is gone, and the order to be carried out here. */
static int run_by_daemon(struct order *o)
{
	struct order_answer answer = {0};
	int r = ask_daemon(o, &answer);

	if (r)
		return r == -ECONNRESET ? -ESRCH : not_confirmed(o, r);
	if (answer.done)
		log_error("%s: the daemon could not do it: %s", o->name, strerror(-answer.done));
	else if (answer.saved)
		log_warning("%s: it holds, but is not saved, which the daemon tries on; until then "
			    "it ends with this boot: %s",
			    o->name, answer.why);
	return answer.done ? CMD_FAILED : CMD_DONE;
}

static int run_here_or_there(struct order *o)
{
	int fd, r = daemon_lock_hold(o->config.run, &fd);

	if (r == -EBUSY)
		return run_by_daemon(o);
	if (r) {
		log_error("%s/lock: %s", o->config.run, strerror(-r));
		return CMD_FAILED;
	}
	r = order_here(o);
	close(fd);
	return r;
}

int order_run(struct order *o)
{
	const char *why = o->what.suspend ? never_refused(o) : NULL;
	struct state_suspension before;
	int r;

	if (order_suspended(o, &before))
		o->before_ns = before.kernel.until_ns;
	if (why)
		return fail(o->name, why);
	r = run_here_or_there(o);
	if (r == -ESRCH) /* the daemon died while it was waited for */
		r = run_here_or_there(o);
	if (r == -ESRCH)
		return fail(o->name, "the daemon starts and dies: see its log");
	return r;
}

static int64_t wall_s(uint64_t boot_ns, const struct state_clock *now)
{
	return (int64_t)(boot_ns - now->boot_ns + now->wall_ns) / (int64_t)NS_PER_S;
}

static void print_json(const struct order *o, const struct state_suspension *s, bool suspended,
		       bool changed)
{
	char reason[4 * sizeof(s->reason)], since[STATUS_TIME_SIZE], until[STATUS_TIME_SIZE];
	struct state_clock now;
	json_t *root;

	state_clock_read(&now);
	status_time(s->kernel.since_ns ? wall_s(s->kernel.since_ns, &now) : s->since_wall_s, since);
	status_time(wall_s(s->kernel.until_ns, &now), until);
	log_escape(s->reason, sizeof(s->reason), 1, reason, sizeof(reason));
	root = json_pack("{s:s, s:b, s:s?, s:s?, s:s?, s:b}", "account", o->name, "suspended",
			 suspended, "since", suspended ? since : NULL, "until",
			 suspended ? until : NULL, "reason", suspended ? reason : NULL, "changed",
			 changed);
	json_dumpf(root, stdout, JSON_INDENT(1));
	putchar('\n');
	json_decref(root);
}

static void print_text(struct order *o, const struct state_suspension *s, bool suspended,
		       bool changed)
{
	char reason[4 * sizeof(s->reason)], until[STATUS_TIME_SIZE], before[STATUS_TIME_SIZE],
		sent[SENDER_SIZE];
	struct state_clock now;

	state_clock_read(&now);
	status_time(wall_s(s->kernel.until_ns, &now), until);
	if (!suspended) {
		sender_text(o, changed, sent);
		printf("%s %s%s%s\n", o->name, changed ? "may send again" : "is not suspended",
		       sent[0] ? "; " : "", sent);
		return;
	}
	if (o->before_ns)
		printf("%s was suspended until %s, now until %s: %s\n", o->name,
		       status_time(wall_s(o->before_ns, &now), before), until,
		       log_escape(s->reason, sizeof(s->reason), 1, reason, sizeof(reason)));
	else
		printf("%s is suspended until %s: %s\n", o->name, until,
		       log_escape(s->reason, sizeof(s->reason), 1, reason, sizeof(reason)));
	if (!o->loaded)
		printf("smtplimit is not loaded: nothing is refused before: smtplimit run\n");
	else if (o->what.account.kind == ACCOUNT_DOMAIN)
		printf("mail servers that have the hook refuse its mail: see `smtplimit check`\n");
	else if (o->by_itself)
		printf("no daemon runs: open sessions are not ended, their packets are dropped\n");
}

void order_print(struct order *o, bool changed)
{
	struct state_suspension s;
	bool suspended = order_suspended(o, &s);

	if (suspended && o->what.suspend)
		suspension_reason(&o->what, s.reason);
	if (o->cli->json)
		print_json(o, &s, suspended, changed);
	else
		print_text(o, &s, suspended, changed);
}
