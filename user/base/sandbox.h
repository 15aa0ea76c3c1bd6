/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * sandbox.h - how a process of smtplimit gives up what it does not need: a child that speaks with
 * untrusted peers keeps a few descriptors and a few system calls, the daemon a few capabilities.
 */
#ifndef SMTPL_SANDBOX_H
#define SMTPL_SANDBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <linux/capability.h>

/* The capabilities that a daemon needs to start a sandboxed child later, and to end it. */
#define SANDBOX_CHILD_CAPS CAP_SETUID, CAP_SETGID, CAP_SETPCAP, CAP_SYS_CHROOT, CAP_KILL

struct sandbox {
	pid_t parent;	   /* the child dies with it; taken before the fork */
	const char *name;  /* of the process, at most 15 characters */
	const char *user;  /* its ids are taken; without a passwd entry 65534 */
	const char *group; /* NULL, or without an entry: the user's */
	bool reads_files;  /* the root directory stays, and openat(2) for reading alone */
	const int *fds;	   /* everything else is closed, except stderr */
	size_t fds_count;
	const int *syscalls; /* SCMP_SYS() numbers, besides the few that libc itself needs */
	size_t syscalls_count;
	uint64_t files;	       /* RLIMIT_NOFILE */
	uint64_t memory_bytes; /* RLIMIT_AS */
};

/*
 * Lock the calling process in, for good. Signals that are meant for the daemon are ignored, and the
 * death of the parent kills it. The root directory is an empty one in which nothing can be made. It
 * has no privilege and no capability, and can get none back; a system call that is not listed kills
 * it. Memory must have been allocated before. Needs /proc, no writable place. A caller who is not
 * root keeps ids and root directory. 0 or -errno; after an error the process must end.
 */
int sandbox_enter(const struct sandbox *sandbox);

/* Close all descriptors but the given ones, at most 16, and stderr. 0 or -errno. */
int sandbox_close_others(const int *fds, size_t count);

/*
 * For a process beside the daemon that needs some of root's power: it gets a name, leaves SIGINT to
 * the daemon, dies with its parent (taken before the fork), and keeps these capabilities as
 * sandbox_daemon() does. 0 or -errno; after an error the process must end.
 */
int sandbox_helper(const char *name, pid_t parent, const unsigned int *keep, size_t count);

/*
 * For a process that runs programs, or needs the host's files and network. It has a name, the ids
 * of a user (never root's) and no other group, no capability, and can get none by any program. It
 * dies with its parent, which was taken before the fork. Descriptors but these and stderr are
 * closed, 0 and 1 are /dev/null. A caller who is not root keeps the ids. 0 or -errno; after an
 * error the process must end.
 */
int sandbox_unprivileged(const char *name, const char *user, pid_t parent, const int *fds,
			 size_t count);

/*
 * Keep memory that is mapped as shared and writable by now (the ring and the settings of the BPF
 * programs, the index of the database's log) out of every child forked later.
 */
void sandbox_hide_mappings(void);

/*
 * Drop every capability of the calling process that is not in `keep`, from the bounding set too.
 * One in `keep` that the process does not have is left out. 0 or -errno.
 */
int sandbox_daemon(const unsigned int *keep, size_t count);

#endif
