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

/* As hook_mta.check: write "NAME: installed", or the file that an installation would change. */
int hook_client_check(const struct hook_mta *mta, const struct hook_context *context, char *line,
		      size_t line_size);

#endif
