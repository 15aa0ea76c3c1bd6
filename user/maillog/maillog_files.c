/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * maillog_files.c - finds the files of a log. Their order is that in which they were last written:
 * names differ from one logrotate.conf to the next.
 */
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <sys/stat.h>
#include "maillog_files.h"

#define OPEN_FLAGS (O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)
#define FOUND_MAX  64

struct found {
	int count;
	int fds[FOUND_MAX];
	struct stat stats[FOUND_MAX];
};

static bool ends(const char *name, const char *end)
{
	size_t length = strlen(name);
	size_t size = strlen(end);

	return length >= size && strcmp(name + length - size, end) == 0;
}

static bool is_rotated(const char *name, const char *base)
{
	static const char *const packed[] = {".gz", ".xz", ".bz2", ".zst", ".lz4"};
	size_t size = strlen(base);
	size_t i;

	if (strncmp(name, base, size) != 0 || (name[size] != '.' && name[size] != '-') ||
	    name[size + 1] < '0' || name[size + 1] > '9')
		return false;
	for (i = 0; i < sizeof(packed) / sizeof(*packed); i++)
		if (ends(name, packed[i]))
			return false;
	return true;
}

static bool is_known(const struct found *found, const struct stat *stat)
{
	int i;

	for (i = 0; i < found->count; i++)
		if (found->stats[i].st_ino == stat->st_ino &&
		    found->stats[i].st_dev == stat->st_dev)
			return true;
	return false;
}

/* False: nothing was added. */
static bool add(struct found *found, int fd)
{
	struct stat *stat = &found->stats[found->count];

	if (fd < 0)
		return false;
	if (fstat(fd, stat) || !S_ISREG(stat->st_mode) || is_known(found, stat)) {
		close(fd);
		return false;
	}
	found->fds[found->count++] = fd;
	return true;
}

static bool is_older(const struct stat *a, const struct stat *b)
{
	if (a->st_mtim.tv_sec != b->st_mtim.tv_sec)
		return a->st_mtim.tv_sec < b->st_mtim.tv_sec;
	return a->st_mtim.tv_nsec < b->st_mtim.tv_nsec;
}

/* Put the last one where it belongs; those before `first` stay. */
static void sort_in(struct found *found, int first)
{
	int i = found->count - 1;
	struct stat stat = found->stats[i];
	int fd = found->fds[i];

	for (; i > first && is_older(&found->stats[i - 1], &stat); i--) {
		found->stats[i] = found->stats[i - 1];
		found->fds[i] = found->fds[i - 1];
	}
	found->stats[i] = stat;
	found->fds[i] = fd;
}

/* Newest first, at most max with those that are there already: beyond it the oldest are closed. */
static void add_rotated(struct found *found, const char *directory, const char *base, int max)
{
	DIR *dir = opendir(directory);
	const struct dirent *entry;
	int first = found->count;

	if (!dir)
		return;
	while ((entry = readdir(dir))) {
		if (!is_rotated(entry->d_name, base) ||
		    !add(found, openat(dirfd(dir), entry->d_name, OPEN_FLAGS | O_NOFOLLOW)))
			continue;
		sort_in(found, first);
		if (found->count > max)
			close(found->fds[--found->count]);
	}
	closedir(dir);
}

uint32_t maillog_files_open(const char *path, int *fds, uint32_t max)
{
	const char *slash = strrchr(path, '/');
	struct found found = {0};
	char directory[PATH_MAX];

	add(&found, open(path, OPEN_FLAGS));
	if (max >= FOUND_MAX)
		max = FOUND_MAX - 1;
	if (max > 1 && slash &&
	    snprintf(directory, sizeof(directory), "%.*s/", (int)(slash - path), path) <
		    (int)sizeof(directory))
		add_rotated(&found, directory, slash + 1, (int)max);
	memcpy(fds, found.fds, found.count * sizeof(*fds));
	return found.count;
}
