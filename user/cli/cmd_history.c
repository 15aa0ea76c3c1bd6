// SPDX-License-Identifier: GPL-2.0-only
/*
 * cmd_history.c - `smtplimit history`: suspensions after their end, those in force, and those that
 * were only observed, out of the state database.
 */
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "account_find.h"
#include "base/log.h"
#include "cmd.h"
#include "config/config.h"
#include "config/config_value.h"
#include "history.h"
#include "state/state_owners.h"

#define USAGE	   "want smtplimit history [ACCOUNT] [--since 7d]"
#define SINCE_WANT "want a time like 36h, 7d, 2026-12-01 or 2026-12-01T14:05:00Z"

struct history {
	const char *account; /* NULL: all */
	struct account_id id;
	char name[ACCOUNT_NAME_SIZE];
	char why[CONFIG_ERROR_SIZE]; /* the account may be a mistyped name: what to say of it */
	int64_t now_s;
	int64_t since_s;
	struct state_history *rows; /* the newest first */
	size_t count;
	size_t room;
	uint64_t skipped;
};

static int usage(const char *word, const char *problem)
{
	char quoted[128];

	log_error("history: \"%s\": %s", log_escape(word, strlen(word), 1, quoted, sizeof(quoted)),
		  problem);
	return CMD_USAGE;
}

static int read_arguments(int argc, char **argv, struct history *h)
{
	static const struct option options[] = {
		{"since", required_argument, NULL, 's'},
		{0},
	};
	int option;

	opterr = 0;
	while ((option = getopt_long(argc, argv, ":", options, NULL)) != -1) {
		if (option != 's')
			return usage(argv[optind - 1],
				     option == ':' ? "lacks its value; " USAGE : USAGE);
		if (history_since(optarg, h->now_s, &h->since_s))
			return usage(optarg, SINCE_WANT);
	}
	if (argc - optind > 1)
		return usage(argv[optind + 1], USAGE);
	h->account = argv[optind];
	return CMD_DONE;
}

static int keep(void *arg, const struct state_history *row)
{
	struct history *h = arg;

	if (h->count == h->room) {
		size_t room = h->room ? 2 * h->room : 64;
		void *grown = reallocarray(h->rows, room, sizeof(*h->rows));

		if (!grown)
			return -ENOMEM;
		h->rows = grown;
		h->room = room;
	}
	h->rows[h->count++] = *row;
	return 0;
}

/* Roles by the configuration, owners as saved. */
struct saved {
	const struct config *config;
	struct owners *owners;
};

static enum smtpl_role role_of(void *arg, uint32_t uid)
{
	const struct saved *saved = arg;

	if (config_uids_has(&saved->config->relays, uid))
		return SMTPL_ROLE_RELAY;
	return config_uids_has(&saved->config->exempts, uid) ? SMTPL_ROLE_EXEMPT :
							       SMTPL_ROLE_DIRECT;
}

static bool owner_of(void *arg, const char *domain, uint32_t *uid)
{
	return owners_find(((const struct saved *)arg)->owners, domain, uid);
}

/* state: NULL, there is none yet. CMD_DONE, or what to exit with, said on stderr. */
static int find_account(struct history *h, const struct config *config, struct state *state)
{
	static const struct payer_ops ops = {.role = role_of, .owner = owner_of};
	struct saved saved = {.config = config, .owners = owners_new()};
	int r;

	if (state && saved.owners)
		state_get_owners(state, saved.owners);
	r = account_find(h->account, &ops, &saved, &h->id, h->why, sizeof(h->why));
	owners_free(saved.owners);
	if (r >= 0)
		account_name(&h->id, h->name, sizeof(h->name));
	if (r < 0)
		log_error("%s", h->why);
	else if (r == ACCOUNT_FOUND)
		h->why[0] = '\0';
	return r < 0 ? CMD_FAILED : CMD_DONE;
}

static int read_rows(struct history *h, struct state *state)
{
	int r = state_each_history(state, h->account ? &h->id : NULL, h->since_s, keep, h);

	h->skipped = state_skipped(state);
	if (r)
		log_error("history: %s", r == -ENOMEM ? strerror(-r) : state_error(state));
	return r ? CMD_FAILED : CMD_DONE;
}

/* A database that does not exist yet has no history. */
static int gather(struct history *h, const struct config *config)
{
	char path[PATH_MAX + sizeof("/" STATE_FILE)];
	struct state *state = NULL;
	int r, done = CMD_DONE;

	snprintf(path, sizeof(path), "%s/%s", config->state, STATE_FILE);
	r = state_open(path, STATE_READ, &state);
	if (r && r != -ENOENT) {
		log_error("history: %s", r == -ENOMEM ? strerror(-r) : state_error(NULL));
		return CMD_FAILED;
	}
	if (h->account)
		done = find_account(h, config, state);
	if (done == CMD_DONE && state)
		done = read_rows(h, state);
	state_close(state);
	return done;
}

static void print_text(const struct history *h)
{
	char name[ACCOUNT_NAME_SIZE], line[HISTORY_LINE_SIZE];
	int width = strlen("ACCOUNT");

	for (size_t i = 0; i < h->count; i++) {
		account_name(&h->rows[i].account, name, sizeof(name));
		width = (int)strlen(name) > width ? (int)strlen(name) : width;
	}
	if (h->count)
		printf("%-*s  SUSPENDED\n", width, "ACCOUNT");
	else if (h->account)
		printf("no suspension of %s is known\n", h->name);
	else
		printf("no suspension is known\n");
	for (size_t i = 0; i < h->count; i++) {
		account_name(&h->rows[i].account, name, sizeof(name));
		printf("%-*s  %s\n", width, name, history_line(&h->rows[i], h->now_s, line));
	}
}

static int print_json(const struct history *h)
{
	json_t *rows = json_array(), *root;
	int r = rows ? 0 : -1;

	for (size_t i = 0; i < h->count && !r; i++)
		r = json_array_append_new(rows, history_json(&h->rows[i]));
	root = r ? NULL :
		   json_pack("{s:s?, s:O}", "account", h->account ? h->name : NULL, "history",
			     rows);
	if (root) {
		json_dumpf(root, stdout, JSON_INDENT(1));
		putchar('\n');
	} else {
		log_error("history: %s", strerror(ENOMEM));
	}
	json_decref(root);
	json_decref(rows);
	return root ? CMD_DONE : CMD_FAILED;
}

static int show(struct history *h, const struct cli *cli, const struct config *config)
{
	int r = gather(h, config);

	if (r != CMD_DONE)
		return r;
	if (!h->count && h->why[0]) {
		log_error("%s", h->why);
		return CMD_FAILED;
	}
	if (h->skipped)
		log_warning("%llu damaged rows of the history are left out",
			    (unsigned long long)h->skipped);
	if (cli->json)
		return print_json(h);
	print_text(h);
	return CMD_DONE;
}

int cmd_history(struct cli *cli, int argc, char **argv)
{
	struct history history = {.now_s = time(NULL)};
	static struct config config;
	int r = read_arguments(argc, argv, &history);

	if (r == CMD_DONE)
		r = cmd_begin(cli, argv[0], &config);
	if (r == CMD_DONE)
		r = show(&history, cli, &config);
	free(history.rows);
	return r;
}
