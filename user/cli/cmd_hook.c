/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * cmd_hook.c - `smtplimit hook MTA`: the configuration that makes a mail server ask and tell;
 * shown, put in, taken out.
 */
#include <errno.h>
#include <getopt.h>
#include <linux/limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd.h"
#include "config/config.h"
#include "hook_change.h"
#include "hook/hook.h"
#include "base/log.h"

#define WANTED                                                                                     \
	"want smtplimit hook exim|postfix|opensmtpd|sendmail [--install|--remove] "                \
	"[--root DIR] [--dir DIR], or smtplimit hook --repair"

struct request {
	const struct hook_mta *mta;
	struct hook_context context;
	bool install;
	bool remove;
	bool repair;
	char root[PATH_MAX];
	char binary[PATH_MAX];
};

static int usage_error(const char *word)
{
	char quoted[128];

	if (word)
		log_error("\"%s\": %s", log_escape(word, strlen(word), 1, quoted, sizeof(quoted)),
			  WANTED);
	else
		log_error("%s", WANTED);
	return CMD_USAGE;
}

static int parse_options(struct request *r, int argc, char **argv)
{
	static const struct option options[] = {
		{"install", no_argument, NULL, 'i'},   {"remove", no_argument, NULL, 'r'},
		{"repair", no_argument, NULL, 'a'},    {"root", required_argument, NULL, 'R'},
		{"dir", required_argument, NULL, 'd'}, {0},
	};
	int option;

	opterr = 0;
	optind = 1;
	while ((option = getopt_long(argc, argv, "", options, NULL)) >= 0) {
		if (option == 'i')
			r->install = true;
		else if (option == 'r')
			r->remove = true;
		else if (option == 'a')
			r->repair = true;
		else if (option == 'R')
			r->context.root = optarg;
		else if (option == 'd')
			r->context.directory = optarg;
		else
			return usage_error(argv[optind - 1]);
	}
	if (r->repair && argc == 2)
		return CMD_DONE;
	if (r->repair || optind != argc - 1 || (r->install && r->remove))
		return usage_error(optind < argc - 1 ? argv[optind + 1] : NULL);
	r->mta = hook_mta_find(argv[optind]);
	return r->mta ? CMD_DONE : usage_error(argv[optind]);
}

/* "/" and "/x/" become "" and "/x"; links are resolved, so that paths below can be compared. */
static int take_root(struct request *r)
{
	if (!r->context.root) {
		r->context.root = "";
		return CMD_DONE;
	}
	if (!realpath(r->context.root, r->root)) {
		log_error("--root \"%s\": %m: want a directory", r->context.root);
		return CMD_FAILED;
	}
	if (strcmp(r->root, "/") == 0)
		r->root[0] = '\0';
	r->context.root = r->root;
	return CMD_DONE;
}

static int print(const struct request *r)
{
	int err = r->mta->print(&r->context, stdout);

	if (err)
		log_error("cannot print what to add for %s: %s", r->mta->name, strerror(-err));
	return err ? CMD_FAILED : CMD_DONE;
}

int cmd_hook(struct cli *cli, int argc, char **argv)
{
	static struct config config;
	static struct request r;
	char error[CONFIG_ERROR_SIZE];
	int result = parse_options(&r, argc, argv);

	result = result ? result : take_root(&r);
	if (result)
		return result;
	if (config_read(cli->config_file, &config, error, sizeof(error))) {
		log_error("%s", error);
		return CMD_FAILED;
	}
	r.context.config = &config;
	if (strcmp(cli->config_file, CONFIG_FILE_DEFAULT))
		r.context.config_file = cli->config_file;
	hook_find_binary(&r.context, r.binary);
	if (!r.install && !r.remove && !r.repair)
		return print(&r);
	if (geteuid() != 0) {
		log_error("hook: want root, to change the mail server's configuration");
		return CMD_FAILED;
	}
	return r.repair ? hook_repair(&r.context) : hook_change(r.mta, &r.context, r.install);
}
