/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * hook_client.h - the command by which a mail server runs `smtplimit answer`.
 */
#ifndef SMTPL_HOOK_CLIENT_H
#define SMTPL_HOOK_CLIENT_H

#include "hook.h"

#define HOOK_COMMAND_SIZE 2048

/* "BINARY -c FILE answer PROTOCOL". 0; -EINVAL: a path that the servers' configurations would need
 * quotes for, and each in its own way. */
int hook_client_command(const struct hook_context *context, const char *protocol,
			char command[HOOK_COMMAND_SIZE], char *error, size_t error_size);

/* Write what a plan comes to: "NAME: installed", or the file that lacks it. As hook_mta.check, with
 * `result` what its install() returned, and its error. */
int hook_client_check(const char *name, int result, const char *error, struct hook_plan *plan,
		      char *line, size_t line_size);

#endif
