/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * hook_change.h - what `smtplimit hook` does to a server's files, and the note of it by which
 * others know where the hook should be (base/hooked_files.h).
 */
#ifndef SMTPL_HOOK_CHANGE_H
#define SMTPL_HOOK_CHANGE_H

#include "hook/hook.h"

/* Install the hook, or remove it; tell on standard output. CMD_DONE, or CMD_FAILED, said on stderr.
 */
int hook_change(const struct hook_mta *mta, const struct hook_context *context, bool install);

/* Install again what was installed and is not in the files any more, and have the servers reload.
 * CMD_DONE, or CMD_FAILED, said on stderr. */
int hook_repair(const struct hook_context *context);

#endif
