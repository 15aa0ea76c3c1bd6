/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * child.h - a process of ours that speaks with untrusted peers: started with a socket pair to the
 * daemon, waited for until it is locked in (sandbox.h), ended.
 */
#ifndef SMTPL_CHILD_H
#define SMTPL_CHILD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* What the child does; returns its exit status. `fd`: its end of the pair. It must call
 * child_locked_in() once. */
typedef int (*child_main)(void *arg, int fd, pid_t parent);

/* Fork, and wait until the child is locked in. Sets the child's pid and the parent's end of the
 * pair: SOCK_SEQPACKET, non-blocking. 0 or -errno, nothing is left on failure. The child inherits
 * memory: start it before there are mappings that others can see. It must be started by the thread
 * whose end is the daemon's end. */
int child_start(child_main run, void *arg, pid_t *pid, int *fd);

/* In the child: tell the parent 0, or -errno of what failed. False: end. */
bool child_locked_in(int fd, int err);

/* End the child, wait for it and for children of its own that hold the pair's end, for at most five
 * seconds for those, and set *pid to 0 and *fd to -1. Without a child it does nothing. */
void child_stop(pid_t *pid, int *fd);

/* The next record of a child's, if it has this size: 1; 0: there is none; -EMSGSIZE: it had
 * another, and is gone; -EPIPE: the child is gone. Does not wait. */
int child_take(int fd, void *record, size_t size);

#endif
