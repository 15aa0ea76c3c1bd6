/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * guard_helper.h - the guard's own children, forked before anything stands still: each does one
 * thing, as often as it is ordered to, and may stand still at it.
 */
#ifndef SMTPL_GUARD_HELPER_H
#define SMTPL_GUARD_HELPER_H

#include <stdbool.h>
#include <sys/types.h>

struct guard_helper {
	pid_t pid;
	int fd;
};

/* The canary: forks, and waits for the child. */
int guard_canary_start(struct guard_helper *h);

/* The scout: touches the memory of each process, one after the other. *at: the process that it is
 * at, 0: it has been at all; in memory that is shared. */
int guard_scout_start(struct guard_helper *h, volatile pid_t **at);

/* Have it do it once more. Does not wait. False: it is gone. */
bool guard_helper_order(const struct guard_helper *h);

#endif
