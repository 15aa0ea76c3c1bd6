// SPDX-License-Identifier: GPL-2.0-only
/*
 * prober_mounts.c - looks into /proc/PID/mountinfo. Who asks holds the file open, so its mount is not
 * another's meanwhile.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "prober_mounts.h"

#define MOUNTINFO_BYTES (4u << 20)

static bool begins(const char *text, const char *with)
{
	return strncmp(text, with, strlen(with)) == 0;
}

/* In a user namespace of one's own one may mount FUSE, and an overlay that has FUSE below. */
static bool type_is_safe(const char *type, bool stranger)
{
	return !begins(type, "fuse") && !(stranger && begins(type, "overlay"));
}

bool prober_mounts_safe(const char *text, uint64_t mount, bool stranger)
{
	while (text && *text) {
		const char *type, *newline = strchr(text, '\n');
		char *end;
		uint64_t id = strtoull(text, &end, 10);

		type = end > text && *end == ' ' && id == mount ? strstr(end, " - ") : NULL;
		if (type && (!newline || type < newline))
			return type_is_safe(type + strlen(" - "), stranger);
		text = newline ? newline + 1 : NULL;
	}
	return false;
}

static bool has_own_users(pid_t pid)
{
	struct stat own, its;
	char path[32];

	snprintf(path, sizeof(path), "/proc/%d/ns/user", pid);
	return stat("/proc/self/ns/user", &own) || stat(path, &its) || own.st_ino != its.st_ino;
}

bool prober_mounts_safe_in(pid_t pid, uint64_t mount)
{
	static char text[MOUNTINFO_BYTES + 1]; /* touched as far as it is needed */
	char path[32];
	size_t have = 0;
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/mountinfo", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	while (have < MOUNTINFO_BYTES && (n = read(fd, text + have, MOUNTINFO_BYTES - have)) > 0)
		have += n;
	close(fd);
	text[have] = 0;
	return prober_mounts_safe(text, mount, has_own_users(pid));
}
