/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * prober_mounts.h - may a file be touched at all? A file system that a customer's process serves
 * (FUSE) could make a reader wait forever.
 *
 *	36 35 0:42 / /home/u1/mnt rw,nosuid shared:1 - fuse.sshfs h:/ rw,user_id=20001
 */
#ifndef SMTPL_PROBER_MOUNTS_H
#define SMTPL_PROBER_MOUNTS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Is it known from the text of a mountinfo what is mounted as `mount`, and does the kernel itself
 * serve it? stranger: the owner of the text can have mounted something. */
bool prober_mounts_safe(const char *text, uint64_t mount, bool stranger);

/* The same for any mount of a file system. */
bool prober_mounts_device_safe(const char *text, dev_t dev);

/* May a file be touched that a process has mapped? Its mount is looked for in the process's
 * mountinfo and in ours: a process in a chroot sees no mount above it. The lower files of an
 * overlay are on a mount that nobody sees; then the file system decides, if it is mounted here as
 * well. */
bool prober_mounts_safe_in(pid_t pid, uint64_t mount, dev_t dev);

#endif
