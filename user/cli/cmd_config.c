/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * cmd_config.c - `smtplimit config`: the effective settings, and the file and line of each.
 */
#include <stdio.h>

#include "cmd.h"
#include "config/config.h"
#include "base/log.h"

int cmd_config(struct cli *cli, int argc, char **argv)
{
	char error[CONFIG_ERROR_SIZE];

	(void)argv;
	if (argc > 1) {
		log_error("config takes no arguments: want smtplimit [-c FILE] [-j] config");
		return CMD_USAGE;
	}
	if (config_print(cli->config_file, cli->json, stdout, error, sizeof(error))) {
		log_error("%s", error);
		return CMD_FAILED;
	}
	return CMD_DONE;
}
