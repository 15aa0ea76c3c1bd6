/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * owners_watch.h - the current owners of domains: read when a source changes, and kept when it
 * cannot be read. Checks the files once a second, or less often where there are so many that a
 * check is expensive; runs the command each `refresh`. Logs nothing.
 */
#ifndef SMTPL_OWNERS_WATCH_H
#define SMTPL_OWNERS_WATCH_H

#include <stdbool.h>
#include <stdint.h>
#include "config/config.h"
#include "owners.h"
#include "owners_command.h"

#define OWNERS_WATCH_ERROR_SIZE 1536

struct owners_watch {
	struct owners *owners; /* in force; NULL: an empty table */
	const char *root;      /* before every path; "" but for tests */
	struct owners_command command;
	uint64_t read;		/* signature of the files that were read */
	uint64_t seen;		/* of those at the last check */
	unsigned int unsettled; /* checks in a row that found another change */
	uint64_t check_ns;	/* when to check next */
	uint64_t ask_ns;	/* when to run the command next */
	bool running;		/* the command runs */
	bool at_once;		/* the next poll reads */
	bool known;		/* the table in force was read, not restored */
	bool same;		/* the last read brought nothing new */
};

/* Start the child for the command where there is one; the first poll reads at once. Needs the
 * privileges of the command. 0 or -errno: no child. */
int owners_watch_start(struct owners_watch *w, const struct config *config, const char *root,
		       const struct owners_command_limits *limits);
void owners_watch_stop(struct owners_watch *w);

/* Never waits. 1: w->owners is a new table; 0: it is unchanged; -errno: it is unchanged, with one
 * line in `error`, which may come again with every poll. now_ns never goes back. */
int owners_watch_poll(struct owners_watch *w, const struct config *config, uint64_t now_ns,
		      char *error, size_t error_size);

/* The configuration has changed: the next poll reads. */
void owners_watch_reload(struct owners_watch *w);

#endif
