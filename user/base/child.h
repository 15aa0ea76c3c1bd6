/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * child.h - a process beside the daemon: it starts with a socket pair to its parent, which waits
 * until the child has given up what it does not need (sandbox.h); then it takes orders or asks
 * questions, until it ends or is ended.
 */
#ifndef SMTPL_CHILD_H
#define SMTPL_CHILD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* What the child does; returns its exit status. `fd`: its end of the pair, non-blocking. It must
 * call child_locked_in() once. Everything else of the parent's is open in it as well, unless it
 * closes that. */
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

/* The same, but the child may first carry out what it was ordered, for at most five seconds. */
void child_finish(pid_t *pid, int *fd);

/* In a child that lives by orders: wait for the next one. False: the parent is gone, or has sent
 * what is no order. */
bool child_await(int fd, void *record, size_t size);

/* The next record from the other end, if it has this size: 1; 0: there is none; -EMSGSIZE: it had
 * another size, and is dropped; -EPIPE: the other process is gone. Does not wait. */
int child_take(int fd, void *record, size_t size);

#endif
