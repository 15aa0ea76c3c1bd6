/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * postfix_pipes.h - the users as whom Postfix pipes mail through a program that hands it in again:
 * pipe(8) entries of master.cf that are somebody's content_filter, or whose command is sendmail(1)
 * or ends by naming it.
 */
#ifndef SMTPL_POSTFIX_PIPES_H
#define SMTPL_POSTFIX_PIPES_H

#include "hook.h"

/* Call back with the name of each such user, up to 255 bytes, which may come again. 0, also
 * without Postfix; -errno: a file cannot be read. */
int postfix_pipes_each(const struct hook_context *context,
		       void (*each)(void *arg, const char *user), void *arg);
/* The same of the texts of master.cf and main.cf. 0 or -ENOMEM. */
int postfix_pipes_of(const struct hook_text *master, const struct hook_text *main,
		     void (*each)(void *arg, const char *user), void *arg);

#endif
