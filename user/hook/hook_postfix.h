/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * hook_postfix.h - what is put into main.cf and master.cf; shared by hook_postfix*.c.
 *
 * postconf(1) does not edit these files, because it cannot put back what it changes. Seen with
 * Postfix 3.7.11: `-e` writes every definition of a parameter anew, each on one line, without its
 * line breaks and blanks, and glues a new parameter to a last line that has no newline; `-X`
 * deletes every definition; `-P` writes a service anew behind the comments that stood in its entry,
 * and refuses a value with blanks. Only what `-M` adds can be taken out to the byte, by `-MX`.
 */
#ifndef SMTPL_HOOK_POSTFIX_H
#define SMTPL_HOOK_POSTFIX_H

#include <stddef.h>
#include <stdio.h>
#include <linux/limits.h>
#include "hook.h"

#define POSTFIX_MAP "socketmap:unix:private/smtplimit-map:"
/* Postfix puts in its name, which pickup(8) writes into the Received: line, too. */
#define POSTFIX_PICKUP_MAP POSTFIX_MAP "pickup/$myhostname"
#define POSTFIX_CLEANUP	   "smtplimit-cleanup"
/* What pickup's entry gets. By the comma, which Postfix steps over, ours are known. */
#define POSTFIX_PICKUP_CLEANUP	"-o cleanup_service_name=" POSTFIX_CLEANUP
#define POSTFIX_PICKUP_OVERRIDE "-o receive_override_options=,"

/* Who asks. spawn(8) refuses root and Postfix's own user; the policy server lets only relay users
 * in. */
#define POSTFIX_USER "mail"

/* A setting of main.cf. */
struct postfix_setting {
	const char *name;
	const char *value;
	bool list; /* our value goes before the one that is there, else in its place */
};

/* The last one has no name. */
extern const struct postfix_setting postfix_settings[];
#define POSTFIX_DATA 0 /* the one that has messages asked for */

/* Have services ask whose own options in master.cf would keep them from it. 0 or -ENOMEM. */
int postfix_services_ask(struct hook_text *master);

struct postfix_file {
	char path[PATH_MAX];
	struct hook_text old;  /* as it is */
	struct hook_text text; /* as it shall be */
};

struct postfix_files {
	struct postfix_file main, master;
};

/* Does a service that is chrooted ask, by hand, at a socket of the run directory, which it cannot
 * reach? 0; -ENOTDIR with `why`; another -errno. */
int postfix_check_chroot(const struct hook_context *context, char *why, size_t size);

const char *postfix_directory(const struct hook_context *context);
/* Read them, and take our parts out of `text`. 0 or -errno with one line in `error`. */
int postfix_files_read(const struct hook_context *context, struct postfix_files *files, char *error,
		       size_t error_size);
void postfix_files_free(struct postfix_files *files);
/* The same, and put our parts into `text`. */
int postfix_files_edit(const struct hook_context *context, struct postfix_files *files, char *error,
		       size_t error_size);
/* Write the two services that ask. 0 or -errno with `error`. */
int postfix_write_spawns(const struct hook_context *context, FILE *out, char *error,
			 size_t error_size);

#endif
