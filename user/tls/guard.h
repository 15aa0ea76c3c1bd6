/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * guard.h - a process that guards the one that attaches and detaches probes: users must not stop
 * that, and the host with it.
 *
 * The kernel attaches and detaches probes of a file by waiting for the memory of every process that
 * maps it (register_for_each_vma() in kernel/events/uprobes.c); until then fork(2) waits in every
 * process of the host (dup_mmap_sem). A reader of such a process's mappings waits as well. A user's
 * process can have its memory locked for as long as its own FUSE server is silent. The guard sees
 * who waits where, finds the process whose memory is locked, and aborts the FUSE connections of its
 * user that wait for their server; where that does not help, those of other users, never root's.
 */
#ifndef SMTPL_GUARD_H
#define SMTPL_GUARD_H

#include <stdint.h>
#include <sys/types.h>

struct guard {
	pid_t pid; /* 0: none */
	int fd;	   /* readable when there is something to take, or when it has ended; -1: none */
};

/* Its report: it has aborted connections, or something stood still without that. */
struct guard_rescue {
	uint32_t uid;	/* whose connection was ended last */
	uint32_t ended; /* connections; 0: it went on without */
	uint32_t ms;	/* for about how long something stood still */
};

/* Fork it; it guards the calling process. Needs CAP_SYS_ADMIN for fusectl, and CAP_DAC_OVERRIDE and
 * CAP_SYS_PTRACE, which it keeps. 0 or -errno; -ENODEV: without FUSE there is nothing to guard
 * from. */
int guard_start(struct guard *g);

/* The same for a caller that goes on without a guard: a failure is logged. */
void guard_start_or_warn(struct guard *g);

/* 1; 0: there is none; -EPIPE: the guard has ended. Does not wait. */
int guard_take(struct guard *g, struct guard_rescue *rescue);

/* Let it guard for `ms` more, and until nothing stands still or it cannot help, then end. Without
 * one it does nothing. */
void guard_finish(struct guard *g, uint32_t ms);

/* End it at once. Without one it does nothing. */
void guard_stop(struct guard *g);

#endif
