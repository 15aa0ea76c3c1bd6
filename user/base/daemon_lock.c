// SPDX-License-Identifier: GPL-2.0-only
/*
 * daemon_lock.c - the lock that says whether a daemon runs, and the way to signal it.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include "clock.h"
#include "daemon_lock.h"

#define LOCK_WAIT_MS 10000
#define LOCK_POLL_MS 10

/* Mode 0600: whoever may read the file may lock it, and keep a daemon from starting. */
static int open_lock(const char *run_dir, int flags)
{
	char path[PATH_MAX];
	int fd;

	if (snprintf(path, sizeof(path), "%s/lock", run_dir) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	fd = open(path, flags | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY, 0600);
	return fd < 0 ? -errno : fd;
}

static int make_lock(const char *run_dir)
{
	if (mkdir(run_dir, 0755) && errno != EEXIST)
		return -errno;
	return open_lock(run_dir, O_RDWR | O_CREAT);
}

static int take(int fd, short type)
{
	struct flock lock = {.l_type = type, .l_whence = SEEK_SET};

	if (!fcntl(fd, F_SETLK, &lock))
		return 0;
	return errno == EACCES || errno == EAGAIN ? -EBUSY : -errno;
}

/* A read lock is only blocked by a lock for writing, and only a daemon takes one. */
static pid_t holder(int fd)
{
	struct flock lock = {.l_type = F_RDLCK, .l_whence = SEEK_SET};

	if (fcntl(fd, F_GETLK, &lock))
		return -errno;
	if (lock.l_type == F_UNLCK)
		return -ESRCH;
	return lock.l_pid > 0 ? lock.l_pid : -ESRCH; /* 0: of another pid namespace */
}

static int wait_for_lock(int fd)
{
	const struct timespec poll = {.tv_nsec = LOCK_POLL_MS * 1000000L};
	int64_t until_ms = clock_mono_ms() + LOCK_WAIT_MS;
	int r = take(fd, F_WRLCK);

	while (r == -EBUSY && holder(fd) == -ESRCH && clock_mono_ms() < until_ms) {
		nanosleep(&poll, NULL);
		r = take(fd, F_WRLCK);
	}
	return r;
}

/* The pid is for people who read the file: the lock itself says more. */
static int write_pid(int fd)
{
	if (ftruncate(fd, 0))
		return -errno;
	return dprintf(fd, "%d\n", getpid()) < 0 ? -errno : 0;
}

int daemon_lock_take(const char *run_dir, int *fd)
{
	int made = make_lock(run_dir);
	int r;

	if (made < 0)
		return made;
	r = wait_for_lock(made);
	if (!r)
		r = write_pid(made);
	if (r) {
		close(made);
		return r;
	}
	*fd = made;
	return 0;
}

int daemon_lock_hold(const char *run_dir, int *fd)
{
	int made = make_lock(run_dir);
	int r;

	if (made < 0)
		return made;
	r = take(made, F_RDLCK);
	if (r) {
		close(made);
		return r;
	}
	*fd = made;
	return 0;
}

pid_t daemon_lock_pid(const char *run_dir)
{
	int fd = open_lock(run_dir, O_RDONLY);
	pid_t pid;

	if (fd < 0)
		return fd == -ENOENT ? -ESRCH : fd;
	pid = holder(fd);
	close(fd);
	return pid;
}

/* Does a link of /proc/PID/fd lead to a lock? */
static bool is_lock(int dir_fd, const char *name, char *target, size_t size)
{
	ssize_t length = readlinkat(dir_fd, name, target, size - 1);
	char *last;

	if (length <= 0)
		return false;
	target[length] = '\0';
	last = strrchr(target, '/');
	if (!last || last == target || strcmp(last, "/lock"))
		return false;
	*last = '\0';
	return true;
}

int daemon_lock_directory(pid_t pid, char *run_dir, size_t size)
{
	const struct dirent *entry;
	char path[64];
	DIR *dir;
	int r = -ESRCH;

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	dir = opendir(path);
	if (!dir)
		return errno == ENOENT ? -ESRCH : -errno;
	while (r && (entry = readdir(dir)))
		if (is_lock(dirfd(dir), entry->d_name, run_dir, size))
			r = 0;
	closedir(dir);
	return r;
}

/* Another process may have got the pid before pidfd_open(), but not if its process still holds the
 * lock after it. */
static int open_holder(int fd, pid_t *pid)
{
	int pidfd;

	*pid = holder(fd);
	if (*pid < 0)
		return *pid;
	pidfd = pidfd_open(*pid, 0);
	if (pidfd < 0)
		return -errno;
	if (holder(fd) != *pid) {
		close(pidfd);
		return -ESRCH;
	}
	return pidfd;
}

int daemon_lock_signal(const char *run_dir, int signal)
{
	int fd = open_lock(run_dir, O_RDONLY);
	int pidfd, r = 0;
	pid_t pid;

	if (fd < 0)
		return fd == -ENOENT ? -ESRCH : fd;
	pidfd = open_holder(fd, &pid);
	close(fd);
	if (pidfd < 0)
		return pidfd;
	if (pidfd_send_signal(pidfd, signal, NULL, 0))
		r = -errno;
	close(pidfd);
	return r;
}
