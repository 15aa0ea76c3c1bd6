/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * prober_mounts.h - may a file be touched at all? A file system that a customer answers for (FUSE)
 * could keep whoever reads from it waiting for ever.
 *
 *	36 35 0:42 / /home/u1/mnt rw,nosuid shared:1 - fuse.sshfs h:/ rw,user_id=20001
 */
#ifndef SMTPL_PROBER_MOUNTS_H
#define SMTPL_PROBER_MOUNTS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Of the text of a mountinfo: is it known what is mounted as `mount`, and does the kernel answer
 * for it? stranger: whose text it is can have mounted something itself. */
bool prober_mounts_safe(const char *text, uint64_t mount, bool stranger);

/* The same of any mount of a file system. */
bool prober_mounts_device_safe(const char *text, dev_t dev);

/* May a file be touched that a process has mapped? By its mount, as the process or we ourselves
 * know it: a process in a chroot is shown no mount above it. What an overlay has below is on a
 * mount that nobody sees; there the file system tells, if it is mounted here as well. */
bool prober_mounts_safe_in(pid_t pid, uint64_t mount, dev_t dev);

#endif
