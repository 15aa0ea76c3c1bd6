// SPDX-License-Identifier: GPL-2.0-only
/*
 * cmd_begin.c - what the commands that deal with a loaded smtplimit begin with. They must work when
 * things are amiss, so they ask no more of the configuration than where everything is.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "cmd.h"
#include "config/config.h"
#include "base/daemon_lock.h"
#include "base/log.h"

bool daemon_elsewhere(pid_t pid, const struct config *config, char *why, size_t why_size)
{
	char other[PATH_MAX], quoted[PATH_MAX];

	if (pid <= 0 || daemon_lock_pid(config->run) != -ESRCH ||
	    daemon_lock_directory(pid, other, sizeof(other)) || !strcmp(other, config->run))
		return false;
	log_escape(other, strlen(other), 1, quoted, sizeof(quoted));
	snprintf(
		why, why_size,
		"the running daemon (pid %d) uses another run directory, \"%s\": restart it, or undo "
		"the change of [paths]",
		(int)pid, quoted);
	return true;
}

int cmd_begin(const struct cli *cli, const char *command, struct config *config)
{
	char error[CONFIG_ERROR_SIZE];
	int r;

	if (geteuid()) {
		log_error("%s needs root: want sudo smtplimit %s", command, command);
		return CMD_FAILED;
	}
	r = config_read_paths(cli->config_file, config, error, sizeof(error));
	if (r < 0) {
		log_error("%s", error);
		return CMD_FAILED;
	}
	if (r > 0)
		log_warning("%s; going on with its [paths] alone", error);
	return CMD_DONE;
}
