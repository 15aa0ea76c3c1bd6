/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * cgroup.h - where the daemon attaches: a directory of the cgroup v2 hierarchy.
 */
#ifndef SMTPL_CGROUP_H
#define SMTPL_CGROUP_H

#include <stddef.h>
#include <stdint.h>

/* Open the cgroup named by the setting: "auto" is the root of the v2 hierarchy, found in
 * /proc/self/mountinfo (hybrid hosts have it elsewhere than /sys/fs/cgroup). Returns a descriptor,
 * or -errno with one line in `error`. */
int cgroup_open(const char *setting, char *error, size_t error_size);

/* The kernel's id of an open cgroup: the inode number of its directory. 0 on failure. */
uint64_t cgroup_id(int fd);

#endif
