// SPDX-License-Identifier: GPL-2.0-only
/*
 * cgroup.c - where the daemon attaches: a directory of the cgroup v2 hierarchy.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <mntent.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>
#include "cgroup.h"

/* Every cgroup but the root of the hierarchy has this file. */
static bool cgroup_is_root(const char *path)
{
	char file[PATH_MAX + sizeof("/cgroup.events")];

	snprintf(file, sizeof(file), "%s/cgroup.events", path);
	return access(file, F_OK) != 0;
}

/* Finds where the v2 hierarchy's root is mounted, or in a container the first part of it; "" where
 * none is. */
static void cgroup_find_root(char path[PATH_MAX])
{
	struct mntent entry;
	char line[2 * PATH_MAX];
	FILE *mounts = setmntent("/proc/self/mounts", "re");

	path[0] = 0;
	if (!mounts)
		return;
	while (getmntent_r(mounts, &entry, line, sizeof(line)))
		if (strcmp(entry.mnt_type, "cgroup2") == 0 &&
		    (!path[0] || (!cgroup_is_root(path) && cgroup_is_root(entry.mnt_dir))))
			snprintf(path, PATH_MAX, "%s", entry.mnt_dir);
	endmntent(mounts);
}

int cgroup_open(const char *setting, char *error, size_t error_size)
{
	char path[PATH_MAX];
	struct statfs fs;
	int fd, err;

	if (strcmp(setting, "auto") == 0)
		cgroup_find_root(path);
	else
		snprintf(path, sizeof(path), "%s", setting);
	if (!path[0]) {
		snprintf(error, error_size,
			 "no cgroup v2 hierarchy is mounted; mount one: mount -t cgroup2 none DIR");
		return -ENOENT;
	}
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	err = fd < 0 ? -errno : 0;
	if (!err && fstatfs(fd, &fs) == 0 && fs.f_type == CGROUP2_SUPER_MAGIC)
		return fd;
	if (err)
		snprintf(error, error_size, "cgroup \"%s\": %s", path, strerror(-err));
	else
		snprintf(error, error_size,
			 "cgroup \"%s\": not a directory of a cgroup v2 hierarchy", path);
	if (fd >= 0)
		close(fd);
	return err ? err : -EINVAL;
}

uint64_t cgroup_id(int fd)
{
	struct stat st;

	return fstat(fd, &st) ? 0 : st.st_ino;
}
