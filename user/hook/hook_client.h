/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * hook_client.h - what the hooks share that have a mail server run `smtplimit answer`.
 */
#ifndef SMTPL_HOOK_CLIENT_H
#define SMTPL_HOOK_CLIENT_H

#include "hook.h"

#define HOOK_COMMAND_SIZE 2048

/* Write "BINARY -c FILE answer PROTOCOL". 0, or -errno with `error`; -EINVAL: a path would need
 * quotes in the servers' configurations, in each of another kind. */
int hook_client_command(const struct hook_context *context, const char *protocol,
			char command[HOOK_COMMAND_SIZE], char *error, size_t error_size);

/* As hook_mta.check: write "NAME: installed", or the file that an installation would change, or
 * what keeps the user, as whom the server runs the command, from asking. */
int hook_client_check(const struct hook_mta *mta, const struct hook_context *context,
		      const char *user, char *line, size_t line_size);

#endif
