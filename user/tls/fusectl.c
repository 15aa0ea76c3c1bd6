// SPDX-License-Identifier: GPL-2.0-only
/*
 * fusectl.c - see fusectl.h.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>
#include "fusectl.h"

int fusectl_open(void)
{
	int context = fsopen("fusectl", FSOPEN_CLOEXEC);
	int fd, err;

	if (context < 0)
		return -errno;
	fd = fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0);
	if (fd == 0)
		fd = fsmount(context, FSMOUNT_CLOEXEC,
			     MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
	err = fd < 0 ? -errno : 0;
	close(context);
	return err ? err : fd;
}

static int visit(int fusectl, const char *name, int (*each)(void *arg, int fd, uid_t uid),
		 void *arg)
{
	int fd = openat(fusectl, name, O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct stat st;
	int ret = 0;

	if (fd < 0)
		return 0; /* gone meanwhile */
	if (fstat(fd, &st) == 0 && st.st_uid != 0)
		ret = each(arg, fd, st.st_uid);
	close(fd);
	return ret;
}

int fusectl_each_user(int fusectl, int (*each)(void *arg, int fd, uid_t uid), void *arg)
{
	int fd = openat(fusectl, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;
	int ret = 0;

	if (!dir) {
		ret = -errno;
		if (fd >= 0)
			close(fd);
		return ret;
	}
	while (!ret && (entry = readdir(dir)))
		if (entry->d_name[0] != '.')
			ret = visit(fusectl, entry->d_name, each, arg);
	closedir(dir);
	return ret;
}

bool fusectl_waits(int fd)
{
	int file = openat(fd, "waiting", O_RDONLY | O_CLOEXEC);
	char count;
	bool waits;

	if (file < 0)
		return false;
	waits = read(file, &count, 1) == 1 && count != '0';
	close(file);
	return waits;
}

int fusectl_abort(int fd)
{
	int file = openat(fd, "abort", O_WRONLY | O_CLOEXEC);
	int err;

	if (file < 0)
		return -errno;
	err = write(file, "1", 1) == 1 ? 0 : -errno;
	close(file);
	return err;
}
