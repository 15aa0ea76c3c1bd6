// SPDX-License-Identifier: GPL-2.0-only
/*
 * prober_mounts.c - reads /proc/PID/mountinfo. The caller holds the file open, so the mount's
 * number cannot get another meaning meanwhile.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>
#include "prober_mounts.h"

#define MOUNTINFO_BYTES (4u << 20)

static bool begins(const char *text, const char *with)
{
	return strncmp(text, with, strlen(with)) == 0;
}

/* In their own user namespace users may mount FUSE, and an overlay that has FUSE below. */
static bool type_is_safe(const char *type, bool stranger)
{
	return !begins(type, "fuse") && !(stranger && begins(type, "overlay"));
}

/* Is "36 35 0:42 /" the line of the mount, or one of the file system? */
static bool is_of(const char *line, uint64_t mount, const dev_t *dev)
{
	char *end;
	uint64_t id = strtoull(line, &end, 10);
	unsigned long major_id, minor_id;

	if (end == line || *end != ' ')
		return false;
	if (!dev)
		return id == mount;
	strtoull(end, &end, 10);
	major_id = strtoul(end, &end, 10);
	if (*end != ':')
		return false;
	minor_id = strtoul(end + 1, &end, 10);
	return *end == ' ' && makedev(major_id, minor_id) == *dev;
}

/* The file system's type, behind " - " in its line; NULL: there is no such line. */
static const char *find_type(const char *text, uint64_t mount, const dev_t *dev)
{
	while (text && *text) {
		const char *newline = strchr(text, '\n');
		const char *type = is_of(text, mount, dev) ? strstr(text, " - ") : NULL;

		if (type && (!newline || type < newline))
			return type + strlen(" - ");
		text = newline ? newline + 1 : NULL;
	}
	return NULL;
}

bool prober_mounts_safe(const char *text, uint64_t mount, bool stranger)
{
	const char *type = find_type(text, mount, NULL);

	return type && type_is_safe(type, stranger);
}

bool prober_mounts_device_safe(const char *text, dev_t dev)
{
	const char *type = find_type(text, 0, &dev);

	return type && type_is_safe(type, false);
}

static bool has_own_users(pid_t pid)
{
	struct stat own, its;
	char path[32];

	snprintf(path, sizeof(path), "/proc/%d/ns/user", pid);
	return stat("/proc/self/ns/user", &own) || stat(path, &its) || own.st_ino != its.st_ino;
}

/* Returns the text, in memory that the next call uses again; NULL: it cannot be read. */
static const char *read_mounts(pid_t pid)
{
	static char text[MOUNTINFO_BYTES + 1]; /* only used pages are touched */
	char path[32];
	size_t have = 0;
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/mountinfo", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return NULL;
	while (have < MOUNTINFO_BYTES && (n = read(fd, text + have, MOUNTINFO_BYTES - have)) > 0)
		have += n;
	close(fd);
	text[have] = 0;
	return text;
}

bool prober_mounts_safe_in(pid_t pid, uint64_t mount, dev_t dev)
{
	const char *text = read_mounts(pid);

	if (find_type(text, mount, NULL))
		return prober_mounts_safe(text, mount, has_own_users(pid));
	text = read_mounts(getpid());
	if (find_type(text, mount, NULL))
		return prober_mounts_safe(text, mount, false);
	return prober_mounts_device_safe(text, dev);
}
