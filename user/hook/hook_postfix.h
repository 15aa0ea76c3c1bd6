/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * hook_postfix.h - what is put into main.cf and master.cf; shared by hook_postfix*.c.
 */
#ifndef SMTPL_HOOK_POSTFIX_H
#define SMTPL_HOOK_POSTFIX_H

#include <stddef.h>
#include <stdio.h>
#include <linux/limits.h>
#include "hook.h"

#define POSTFIX_MAP "socketmap:unix:private/smtplimit-map:"
/* Postfix puts its name in: the one that pickup(8) writes into a message. */
#define POSTFIX_PICKUP_MAP POSTFIX_MAP "pickup/$myhostname"
#define POSTFIX_CLEANUP	   "smtplimit-cleanup"

/* A setting of main.cf. */
struct postfix_setting {
	const char *name;
	const char *value;
	bool list; /* goes before what is there; else in its place */
};

/* The last one has no name. */
extern const struct postfix_setting postfix_settings[];

/* The two files, as they are and as they shall be. */
struct postfix_files {
	char main_path[PATH_MAX];
	char master_path[PATH_MAX];
	struct hook_text main_old, main;
	struct hook_text master_old, master;
};

const char *postfix_directory(const struct hook_context *context);
/* Read them; our parts are taken out of what shall be. 0 or -errno with one line in `error`. */
int postfix_files_read(const struct hook_context *context, struct postfix_files *files, char *error,
		       size_t error_size);
void postfix_files_free(struct postfix_files *files);
/* Read them, and put our parts in. */
int postfix_files_edit(const struct hook_context *context, struct postfix_files *files, char *error,
		       size_t error_size);
/* The two services that ask. 0 or -errno with `error`. */
int postfix_write_spawns(const struct hook_context *context, FILE *out, char *error,
			 size_t error_size);

#endif
