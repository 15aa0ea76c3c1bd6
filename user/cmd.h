/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * cmd.h - the commands of the command line, each in a file of its own.
 *
 * argv[0] is the command's name, what follows is its own: main.c has taken out -c and -j. A command
 * returns its exit code, having said what is wrong in one line on stderr (log_error) unless it is
 * CMD_DONE or CMD_NOT_JUDGED.
 */
#ifndef SMTPL_CMD_H
#define SMTPL_CMD_H

#include <stdbool.h>
#include <sys/types.h>

struct cli {
	const char *config_file;
	bool json;
};

enum cmd_exit {
	CMD_DONE = 0,
	CMD_FAILED = 1,
	CMD_USAGE = 2,
	CMD_NOT_JUDGED = 3, /* status: it is shown, and nobody is judged now */
};

struct config;

/* Of status, suspend, release and unload: are we root, and the [paths] of the configuration; what
 * else is wrong with the file is a warning. CMD_DONE, or CMD_FAILED, having said why. */
int cmd_begin(const struct cli *cli, const char *command, struct config *config);

/* A daemon that was started with another run directory holds another lock than the one that the
 * configuration names now. pid: as the maps have it. True: `why` has one line. */
bool daemon_elsewhere(pid_t pid, const struct config *config, char *why, size_t why_size);

int cmd_status(struct cli *cli, int argc, char **argv);
int cmd_run(struct cli *cli, int argc, char **argv);
int cmd_suspend(struct cli *cli, int argc, char **argv);
int cmd_release(struct cli *cli, int argc, char **argv);
int cmd_history(struct cli *cli, int argc, char **argv);
int cmd_check(struct cli *cli, int argc, char **argv);
int cmd_config(struct cli *cli, int argc, char **argv);
int cmd_hook(struct cli *cli, int argc, char **argv);
int cmd_unload(struct cli *cli, int argc, char **argv);
int cmd_answer(struct cli *cli, int argc, char **argv);

#endif
