/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * unix_listener.c - a listening Unix socket in the run directory.
 */
#include "unix_listener.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

/* Listen on a new name, then put it in place. */
static int listen_at(int fd, const char *directory, const char *name, mode_t mode, int backlog)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	char path[sizeof(addr.sun_path)];
	struct stat st;
	int err;

	if (snprintf(path, sizeof(path), "%s/%s", directory, name) >= (int)sizeof(path) ||
	    snprintf(addr.sun_path, sizeof(addr.sun_path), "%s/.%s", directory, name) >=
		    (int)sizeof(addr.sun_path))
		return -ENAMETOOLONG;
	if (lstat(path, &st) == 0 && !S_ISSOCK(st.st_mode))
		return -EEXIST;
	unlink(addr.sun_path);
	if (bind(fd, (struct sockaddr *)&addr, sizeof(addr)))
		return -errno;
	if (chmod(addr.sun_path, mode) == 0 && listen(fd, backlog) == 0 &&
	    rename(addr.sun_path, path) == 0)
		return 0;
	err = -errno;
	unlink(addr.sun_path);
	return err;
}

int unix_listener(const char *directory, const char *name, int type, mode_t mode, int backlog)
{
	int fd = socket(AF_UNIX, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int err;

	if (fd < 0)
		return -errno;
	err = listen_at(fd, directory, name, mode, backlog);
	if (!err)
		return fd;
	close(fd);
	return err;
}
