/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * daemon_lock.h - is a daemon running here, and how does a command reach it?
 *
 * <run>/lock carries a record lock (fcntl). The daemon holds it for writing as long as it lives; a
 * command that does the daemon's work while there is none holds it for reading. The kernel knows
 * the holder's pid, so that nothing in the file can be stale, and a child that outlives the daemon
 * does not hold it. As with every such lock, closing any descriptor of the file releases it: so
 * only this file opens it.
 */
#ifndef SMTPL_DAEMON_LOCK_H
#define SMTPL_DAEMON_LOCK_H

#include <sys/types.h>

/* Become the daemon. Makes the run directory (0755), and waits for commands that are at work (10 s
 * at most). The lock belongs to this process and not to a child: take it after any fork into the
 * background. 0 and *fd, to be kept open; -EBUSY: there is a daemon; other -errno. */
int daemon_lock_take(const char *run_dir, int *fd);

/* Keep a daemon from starting while a command does its work. 0 and *fd, to be closed at the end;
 * -EBUSY: a daemon runs. */
int daemon_lock_hold(const char *run_dir, int *fd);

/* The pid of the daemon; -ESRCH: none runs; other -errno. */
pid_t daemon_lock_pid(const char *run_dir);

/* The run directory of a process that has a lock open: a daemon with other settings than ours.
 * -ESRCH: it has none, or there is no such process; other -errno. */
int daemon_lock_directory(pid_t pid, char *run_dir, size_t size);

/* Send the daemon a signal, and nobody else. 0; -ESRCH: none runs; other -errno. */
int daemon_lock_signal(const char *run_dir, int signal);

#endif
