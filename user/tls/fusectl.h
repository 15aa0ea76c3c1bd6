/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * fusectl.h - the FUSE connections of this host (Documentation/filesystems/fuse.rst, "control
 * filesystem"): a directory for each, owned by the user who mounted it, in whatever namespace.
 */
#ifndef SMTPL_FUSECTL_H
#define SMTPL_FUSECTL_H

#include <stdbool.h>
#include <sys/types.h>

/* Open the file system without mounting it anywhere: it goes with the descriptor. Needs
 * CAP_SYS_ADMIN. A descriptor or -errno; -ENODEV: this kernel has no FUSE. */
int fusectl_open(void);

/* Calls back for each connection that was not made by root, with its directory open as `fd` during
 * the call; a non-zero return ends the walk. 0, what `each` returned, or -errno. Needs
 * CAP_DAC_OVERRIDE, as do the following. */
int fusectl_each_user(int fusectl, int (*each)(void *arg, int fd, uid_t uid), void *arg);

/* Does it have requests that its server has not answered? */
bool fusectl_waits(int fd);

/* Abort it: its requests fail with ECONNABORTED, all later ones with ENOTCONN. 0 or -errno. */
int fusectl_abort(int fd);

#endif
