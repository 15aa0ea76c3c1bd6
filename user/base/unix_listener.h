/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * unix_listener.h - a listening Unix socket in the run directory.
 */
#ifndef SMTPL_UNIX_LISTENER_H
#define SMTPL_UNIX_LISTENER_H

#include <sys/types.h>

/* It listens before it is seen under its name, in place of what a dead daemon has left there. type:
 * SOCK_STREAM or SOCK_SEQPACKET. The descriptor, non-blocking, or -errno; -EEXIST: something else
 * than a socket has the name. */
int unix_listener(const char *directory, const char *name, int type, mode_t mode, int backlog);

#endif
