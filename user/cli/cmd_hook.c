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
#include "hook/hook.h"
#include "base/log.h"

#define WANTED                                                                                     \
	"want smtplimit hook exim|postfix|opensmtpd|sendmail [--install|--remove] "                \
	"[--root DIR] [--dir DIR]"

struct request {
	const struct hook_mta *mta;
	struct hook_context context;
	bool install;
	bool remove;
	char root[PATH_MAX];
	char binary[PATH_MAX];
};

static const struct hook_mta *find_mta(const char *name)
{
	for (size_t i = 0; hook_mtas[i]; i++)
		if (strcmp(hook_mtas[i]->name, name) == 0)
			return hook_mtas[i];
	return NULL;
}

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
		{"install", no_argument, NULL, 'i'},
		{"remove", no_argument, NULL, 'r'},
		{"root", required_argument, NULL, 'R'},
		{"dir", required_argument, NULL, 'd'},
		{0},
	};
	int option;

	opterr = 0;
	optind = 1;
	while ((option = getopt_long(argc, argv, "", options, NULL)) >= 0) {
		if (option == 'i')
			r->install = true;
		else if (option == 'r')
			r->remove = true;
		else if (option == 'R')
			r->context.root = optarg;
		else if (option == 'd')
			r->context.directory = optarg;
		else
			return usage_error(argv[optind - 1]);
	}
	if (optind != argc - 1 || (r->install && r->remove))
		return usage_error(optind < argc - 1 ? argv[optind + 1] : NULL);
	r->mta = find_mta(argv[optind]);
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

static void tell_edits(const struct request *r, const struct hook_plan *plan)
{
	for (size_t i = 0; i < plan->count; i++) {
		const struct hook_edit *edit = &plan->edit[i];

		printf("%s%s: %s\n", r->context.root, edit->path,
		       !edit->old.text ? "made" :
		       !edit->new.text ? "removed" :
					 "changed");
	}
}

static void warn_of_root(const struct request *r)
{
	char why[2 * PATH_MAX];

	if (hook_reach_root(&r->context, why, sizeof(why)))
		log_warning("%s", why);
}

static int change(const struct request *r)
{
	int (*plan_it)(const struct hook_context *, struct hook_plan *, char *, size_t) =
		r->install ? r->mta->install : r->mta->remove;
	static struct hook_plan plan;
	char error[4096] = "";
	int err = plan_it(&r->context, &plan, error, sizeof(error));
	bool nothing = !plan.count;

	if (!err && r->install && plan.count)
		err = hook_check_before(r->mta, &r->context, error, sizeof(error));
	err = err ? err : hook_plan_carry_out(r->mta, &r->context, &plan, error, sizeof(error));
	if (!err)
		tell_edits(r, &plan);
	hook_plan_free(&plan);
	if (err) {
		log_error("hook %s: nothing is changed: %s", r->mta->name,
			  error[0] ? error : strerror(-err));
		return CMD_FAILED;
	}
	if (r->install)
		warn_of_root(r);
	if (nothing)
		printf("%s: %s\n", r->mta->name,
		       r->install ? "already installed" : "not installed");
	else
		printf("%s: %s; now run: %s\n", r->mta->name, r->install ? "installed" : "removed",
		       r->mta->reload);
	return CMD_DONE;
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
	if (!r.install && !r.remove)
		return print(&r);
	if (geteuid() != 0) {
		log_error("hook %s: want root, to change the mail server's configuration",
			  r.mta->name);
		return CMD_FAILED;
	}
	return change(&r);
}
