/* SPDX-License-Identifier: GPL-2.0-only */
/* main.c - the command table of smtplimit(8). */
#include <stdio.h>
#include <string.h>

#include "cmd.h"
#include "config/config.h"
#include "base/log.h"
#include "base/word_distance.h"

#define WANTED "want status, run, suspend, release, history, check, config, hook, unload, or help"

static const struct command {
	const char *name;
	int (*function)(struct cli *cli, int argc, char **argv);
	const char *usage;
	const char *what; /* NULL: mail servers run it, and people need not know of it */
} commands[] = {
	{"status", cmd_status, " [ACCOUNT] [--all] [--suspended]",
	 "accounts: counts, percent, suspension (the default)"},
	{"run", cmd_run, "", "the daemon, in the foreground"},
	{"suspend", cmd_suspend, " ACCOUNT [--for 60m] [--reason TEXT]", "keep it from sending"},
	{"release", cmd_release, " ACCOUNT", "end its suspension"},
	{"history", cmd_history, " [ACCOUNT] [--since 7d]", "its suspensions of 90 days"},
	{"check", cmd_check, "", "can this host run smtplimit, and why not"},
	{"config", cmd_config, "", "the effective settings, and where each came from"},
	{"answer", cmd_answer, " policy|socketmap|opensmtpd|sendmail KEY", NULL},
	{"hook", cmd_hook, " MTA [--install|--remove] [--root DIR] [--dir DIR] | --repair",
	 "what makes a mail server ask and report: exim, postfix, opensmtpd, sendmail"},
	{"unload", cmd_unload, "", "remove every program, link, map and pin"},
};
#define COMMANDS_END (commands + sizeof(commands) / sizeof(commands[0]))

static void usage(void)
{
	printf("usage: smtplimit [-c FILE] [-j] [COMMAND]\n");
	for (const struct command *c = commands; c < COMMANDS_END; c++)
		if (c->what)
			printf("  %s%s\n        %s\n", c->name, c->usage, c->what);
	puts("  -c FILE\n        instead of " CONFIG_FILE_DEFAULT
	     "\n  -j\n        JSON\n  -h, -V\n        this text, the version\n"
	     "An ACCOUNT is a user name, uid:N or domain:NAME; a domain, an address or a uid finds "
	     "it.\nSee smtplimit(8).");
}

static int usage_error(const char *word, const char *problem)
{
	char quoted[128];

	log_error("\"%s\": %s", log_escape(word, strlen(word), 1, quoted, sizeof(quoted)), problem);
	return CMD_USAGE;
}

/* Is what follows the value of an option? getopt_long(3) takes these words cut short. */
static bool takes_value(const char *word)
{
	size_t length = strlen(word);

	return length > 2 &&
	       (!strncmp(word, "--for", length) || !strncmp(word, "--reason", length) ||
		!strncmp(word, "--since", length));
}

/* Take -c FILE and -j out of argv, wherever they stand but as a value; "--" ends the search. */
static int take_options(struct cli *cli, int *argc, char **argv)
{
	int kept = 0, i;

	for (i = 0; i < *argc && strcmp(argv[i], "--"); i++) {
		if (i && takes_value(argv[i - 1]))
			argv[kept++] = argv[i];
		else if (!strcmp(argv[i], "-j"))
			cli->json = true;
		else if (strcmp(argv[i], "-c"))
			argv[kept++] = argv[i];
		else if (i + 1 < *argc)
			cli->config_file = argv[++i];
		else
			return usage_error("-c", "want a file behind it");
	}
	for (; i < *argc; i++)
		argv[kept++] = argv[i];
	argv[kept] = NULL;
	*argc = kept;
	return CMD_DONE;
}

static bool is_help(const char *word)
{
	return !strcmp(word, "--help") || !strcmp(word, "-h");
}

static bool is_version(const char *word)
{
	return !strcmp(word, "--version") || !strcmp(word, "-V") || !strcmp(word, "version");
}

static int unknown_command(const char *word)
{
	const struct command *best = NULL;
	size_t least = WORD_NEAR, distance;
	char problem[128];

	for (const struct command *c = commands; c < COMMANDS_END; c++) {
		distance = c->what ? word_distance(word, c->name) : SIZE_MAX;
		if (distance >= least)
			continue;
		best = c;
		least = distance;
	}
	snprintf(problem, sizeof(problem), "did you mean %s? %s", best ? best->name : "", WANTED);
	return usage_error(word, best ? problem : WANTED);
}

static int run_command(struct cli *cli, int argc, char **argv)
{
	const struct command *command = commands;

	while (command < COMMANDS_END && strcmp(command->name, argv[0]))
		command++;
	if (command == COMMANDS_END)
		return unknown_command(argv[0]);
	if (argc < 2 || !is_help(argv[1]))
		return command->function(cli, argc, argv);
	return printf("usage: smtplimit %s%s\n", command->name, command->usage) < 0;
}

int main(int argc, char **argv)
{
	struct cli cli = {.config_file = CONFIG_FILE_DEFAULT};
	char *status[] = {"status", NULL};
	int result;

	argc--;
	result = take_options(&cli, &argc, ++argv);
	if (result == CMD_DONE && argc && (is_help(argv[0]) || !strcmp(argv[0], "help")))
		usage();
	else if (result == CMD_DONE && argc && is_version(argv[0]))
		printf("smtplimit %s\n", SMTPLIMIT_VERSION);
	else if (result == CMD_DONE)
		result = run_command(&cli, argc ? argc : 1, argc ? argv : status);
	if ((fflush(stdout) || ferror(stdout)) &&
	    (result == CMD_DONE || result == CMD_NOT_JUDGED)) {
		log_error("cannot write the output: %m");
		result = CMD_FAILED;
	}
	return result;
}
