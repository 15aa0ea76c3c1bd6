// SPDX-License-Identifier: GPL-2.0-only
/*
 * cmd_status.c - `smtplimit status`: reads the pinned maps and the state database, with the daemon
 * alive or dead.
 */
#include <errno.h>
#include <getopt.h>
#include <linux/limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "kernel/bpf.h"
#include "cmd.h"
#include "config/config_account.h"
#include "base/daemon_lock.h"
#include "base/hooked_files.h"
#include "base/log.h"
#include "state/state.h"
#include "state/state_feeds.h"
#include "state/state_owners.h"
#include "state/state_remotes.h"
#include "status.h"
#include "status_tls.h"

#define WARNINGS_SHOWN 3

#define USAGE "want smtplimit [-c FILE] [-j] status [ACCOUNT] [--all] [--suspended]"

static int each_uid(void *arg, const uint32_t *uid, const struct smtpl_uid *value)
{
	return status_uid(arg, *uid, value);
}

static int each_count(void *arg, const struct smtpl_count_key *key, const struct smtpl_count *count)
{
	return status_count(arg, key, count);
}

static int each_domain(void *arg, const struct smtpl_domain_key *key,
		       const struct smtpl_suspension *value)
{
	return status_domain(arg, key, value);
}

static int each_saved_count(void *arg, const struct state_count *count)
{
	struct smtpl_count_key key = {.uid = count->uid};

	memcpy(key.domain, count->domain, sizeof(key.domain));
	return status_count(arg, &key, &count->kernel);
}

static int each_window(void *arg, const struct account_id *id, const char *own_domain,
		       struct window *window)
{
	int r = status_window(arg, id, window);

	(void)own_domain;
	window_clear(window);
	return r;
}

static int each_suspension(void *arg, const struct state_suspension *suspension)
{
	return status_suspension(arg, suspension);
}

static int each_owner(void *arg, const char *domain, uint32_t uid)
{
	return status_owner(arg, domain, uid);
}

static int each_superseded(void *arg, uint32_t uid, const char *domain,
			   const struct smtpl_totals *superseded)
{
	return status_superseded(arg, uid, domain, superseded);
}

static int each_relay_count(void *arg, const struct account_id *account, const char *domain,
			    const struct relay_count *counts)
{
	return status_relay_count(arg, account, domain, counts);
}

static int each_feed(void *arg, const struct state_feed *feed)
{
	return status_feed(arg, feed);
}

static int each_fault(void *arg, const struct state_fault *fault)
{
	return status_fault(arg, fault);
}

static int each_remote(void *arg, const struct state_remote *remote)
{
	return status_remote(arg, remote);
}

static int each_tls_file(void *arg, const struct smtpl_tls_file *file)
{
	return status_tls_file(arg, file);
}

/* Without maps there is no state of TLS. */
static int read_tls(struct status *s, struct bpf_maps *maps)
{
	struct smtpl_tls_state state;
	int r = bpf_maps_tls_state(maps, &state);

	if (!r) {
		status_tls_state(s, &state);
		r = bpf_maps_each_tls_file(maps, each_tls_file, s);
	}
	return r == -ENOENT ? 0 : r;
}

/* A daemon of an earlier version shows none. */
static int read_losses(struct status *s, struct bpf_maps *maps)
{
	int r = bpf_maps_losses(maps, &s->losses);

	return r == -ENOENT ? 0 : r;
}

static int read_maps(struct status *s, struct bpf_maps *maps)
{
	struct smtpl_meta meta;
	int r = bpf_maps_meta(maps, &meta);

	if (r)
		return r;
	status_meta(s, &meta);
	if (!s->loaded)
		return 0;
	r = bpf_maps_stats(maps, &s->stats);
	if (!r)
		r = read_losses(s, maps);
	if (!r)
		r = bpf_maps_each_uid(maps, each_uid, s);
	if (!r)
		r = bpf_maps_each_count(maps, each_count, s);
	if (!r)
		r = bpf_maps_each_domain(maps, each_domain, s);
	if (!r)
		r = read_tls(s, maps);
	return r;
}

static int config_roles(struct status *s, const struct config_uids *uids, enum smtpl_role role)
{
	const struct smtpl_uid value = {.role = role};
	int r = 0;

	for (size_t i = 0; !r && i < uids->count; i++)
		r = status_uid(s, uids->uid[i], &value);
	return r;
}

/* The pinned maps; without them the configuration says who is a relay. 0 or CMD_FAILED, said. */
static int gather_kernel(struct status *s)
{
	const struct config *c = s->config;
	struct bpf_maps *maps;
	int r = bpf_maps_open(c->bpffs, &maps);

	if (!r) {
		r = read_maps(s, maps);
		bpf_maps_close(maps);
	} else if (r == -ENOENT) {
		r = 0;
	}
	if (!r && !s->loaded)
		r = config_roles(s, &c->relays, SMTPL_ROLE_RELAY);
	if (!r && !s->loaded)
		r = config_roles(s, &c->exempts, SMTPL_ROLE_EXEMPT);
	if (r == -EPROTO)
		log_error(
			"the maps below \"%s\" are of another version: ask that version, or end it "
			"with its `smtplimit unload`",
			c->bpffs);
	else if (r)
		log_error("cannot read the maps below \"%s\": %s", c->bpffs, strerror(-r));
	return r ? CMD_FAILED : 0;
}

static int read_state(struct status *s, struct state *state)
{
	int r = s->loaded ? 0 : state_each_count(state, each_saved_count, s);

	if (!r)
		r = state_each_superseded(state, each_superseded, s);
	if (!r)
		r = state_each_relay_count(state, each_relay_count, s);
	if (!r)
		r = state_each_feed(state, each_feed, s);
	if (!r)
		r = state_each_remote(state, each_remote, s);
	if (!r)
		r = state_each_fault(state, each_fault, s);
	if (!r)
		r = state_each_window(state, each_window, s);
	if (!r)
		r = state_each_suspension(state, each_suspension, s);
	return r;
}

/* What cannot be read of the database is shown with the rest: the maps matter more. */
static void state_problem(struct status *s, const char *path, int r, const char *why)
{
	if (r == -ENOMEM)
		why = "out of memory";
	if (r)
		status_problem(s, "windows and reasons are missing: %s: %s", path, why);
}

/* With the owners read, which the counts need. NULL: there is none, said if that is a problem. */
static struct state *open_state(struct status *s, const char *path)
{
	struct state *state;
	int r = state_open(path, STATE_READ, &state);

	if (r) {
		if (r != -ENOENT)
			status_problem(s, "windows and reasons are missing: %s", state_error(NULL));
		return NULL;
	}
	r = state_begin(state);
	if (!r)
		r = state_each_owner(state, each_owner, s);
	state_rollback(state);
	state_problem(s, path, r, state_error(state));
	return state;
}

/* A view of its own, begun behind the maps': what is superseded is never older than they are. */
static void gather_state(struct status *s, struct state *state, const char *path)
{
	int r = state_begin(state);

	if (!r)
		r = read_state(s, state);
	state_rollback(state);
	state_problem(s, path, r, state_error(state));
	if (state_skipped(state))
		status_problem(s, "%llu damaged rows of %s are left out",
			       (unsigned long long)state_skipped(state), path);
}

static int gather(struct status *s)
{
	char path[PATH_MAX + sizeof("/" STATE_FILE)];
	struct state *state;
	int r;

	snprintf(path, sizeof(path), "%s/%s", s->config->state, STATE_FILE);
	state = open_state(s, path);
	r = gather_kernel(s);
	if (!r && state)
		gather_state(s, state, path);
	state_close(state);
	return r;
}

/* With the daemon or without: what was installed should be there. */
static void gather_hooks(struct status *s)
{
	static struct hooked_files files;
	int err = hooked_files_read(s->config->state, &files);

	if (err)
		status_problem(
			s, "which mail servers have a hook cannot be read: %s/" HOOKED_FILES ": %s",
			s->config->state, strerror(-err));
	for (size_t i = 0; i < files.count; i++) {
		char *why = NULL;

		if (hooked_file_lacks(&files.file[i], &why))
			status_problem(s, "%s: the hook is missing: %s: smtplimit hook --repair",
				       files.file[i].mta, why ? why : files.file[i].path);
		free(why);
	}
	hooked_files_free(&files);
}

static void gather_daemon(struct status *s)
{
	pid_t pid = daemon_lock_pid(s->config->run);
	char why[CONFIG_ERROR_SIZE];

	if (pid > 0) {
		s->daemon_lock_pid = pid;
	} else if (pid != -ESRCH) {
		status_problem(s, "cannot tell whether a daemon runs: %s/lock: %s", s->config->run,
			       strerror(-pid));
	} else if (daemon_elsewhere(s->meta.pid, s->config, why, sizeof(why))) {
		s->daemon_lock_pid = s->meta.pid;
		status_problem(s, "%s", why);
	}
}

/* What is to be shown. */
struct arguments {
	const char *account; /* NULL: all of the view */
	enum status_view view;
};

static int usage(const char *word, const char *problem)
{
	char quoted[128];

	log_error("status: \"%s\": %s", log_escape(word, strlen(word), 1, quoted, sizeof(quoted)),
		  problem);
	return CMD_USAGE;
}

static int read_arguments(int argc, char **argv, struct arguments *a)
{
	static const struct option options[] = {
		{"all", no_argument, NULL, STATUS_ALL},
		{"suspended", no_argument, NULL, STATUS_SUSPENDED},
		{0},
	};
	int option, chosen = 0;

	opterr = 0;
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == '?')
			return usage(argv[optind - 1], USAGE);
		a->view = option;
		chosen++;
	}
	if (argc - optind > 1)
		return usage(argv[optind + 1], USAGE);
	if (argc > optind)
		a->account = argv[optind];
	if (chosen + (a->account != NULL) > 1)
		return usage(argv[1], "want one of ACCOUNT, --all and --suspended");
	return CMD_DONE;
}

static int status_show(struct status *s, const struct arguments *a, bool json)
{
	char why[CONFIG_ERROR_SIZE];
	int r = gather(s);

	if (r)
		return r;
	gather_daemon(s);
	gather_hooks(s);
	r = a->account ? status_pick(s, a->account, why, sizeof(why)) : 0;
	if (r && r != -ENOMEM) {
		log_error("%s", why);
		return CMD_FAILED;
	}
	if (!r)
		r = status_finish(s);
	if (!r && json)
		r = status_print_json(s, stdout);
	else if (!r)
		status_print_text(s, stdout);
	if (r)
		log_error("status: %s", strerror(-r));
	if (r)
		return CMD_FAILED;
	return status_is_judged(s) ? CMD_DONE : CMD_NOT_JUDGED;
}

/* What the files ask for and is not in force. */
static void config_problems(struct status *s, const struct config *config)
{
	const char *warning;
	size_t i;

	for (i = 0; i < WARNINGS_SHOWN && (warning = config_warning(config, i)); i++)
		status_problem(s, "%s", warning);
	if (config_warning(config, i))
		status_problem(s, "the configuration has more warnings: smtplimit check");
}

int cmd_status(struct cli *cli, int argc, char **argv)
{
	struct arguments arguments = {.view = cli->json ? STATUS_ALL : STATUS_ACTIVE};
	static struct config config;
	struct state_clock now;
	struct status s;
	int r = read_arguments(argc, argv, &arguments);

	if (r != CMD_DONE)
		return r;
	r = cmd_begin(cli, argv[0], &config);
	if (r)
		return r;
	state_clock_read(&now);
	status_begin(&s, &config, now.boot_ns, now.wall_ns);
	config_problems(&s, &config);
	s.view = arguments.view;
	r = status_show(&s, &arguments, cli->json);
	status_end(&s);
	return r;
}
