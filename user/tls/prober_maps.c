// SPDX-License-Identifier: GPL-2.0-only
/*
 * prober_maps.c - reads a process's mappings and start time from /proc.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>
#include "prober_maps.h"

#define DELETED		" (deleted)"
#define STAT_START_TIME 22 /* proc(5) */

/* Reads a number and the character behind it; *at is moved behind both. */
static bool take_number(const char **at, const char *end, int base, char behind, uint64_t *value)
{
	const char *from = *at;

	for (*value = 0; *at < end; ++*at) {
		char c = **at;
		unsigned int digit = c >= '0' && c <= '9' ? c - '0' :
				     c >= 'a' && c <= 'f' ? c - 'a' + 10 :
							    16;

		if (digit >= (unsigned int)base)
			break;
		*value = *value * base + digit;
	}
	if (*at == from || *at == end || **at != behind)
		return false;
	++*at;
	return true;
}

static void take_path(const char *from, const char *end, char path[PROBER_PATH_SIZE])
{
	const size_t deleted = strlen(DELETED);
	size_t size;

	while (from < end && *from == ' ')
		from++;
	size = end - from;
	if (size > deleted && memcmp(end - deleted, DELETED, deleted) == 0)
		size -= deleted;
	if (size >= PROBER_PATH_SIZE)
		size = PROBER_PATH_SIZE - 1;
	memset(path, 0, PROBER_PATH_SIZE);
	memcpy(path, from, size);
}

bool prober_maps_line(const char *line, size_t size, struct prober_mapping *mapping)
{
	const char *at = line, *end = line + size;
	uint64_t offset, major, minor;

	if (!take_number(&at, end, 16, '-', &mapping->start) ||
	    !take_number(&at, end, 16, ' ', &mapping->end))
		return false;
	if (end - at < 5 || at[2] != 'x' || at[4] != ' ')
		return false;
	at += 5;
	if (!take_number(&at, end, 16, ' ', &offset) || !take_number(&at, end, 16, ':', &major) ||
	    !take_number(&at, end, 16, ' ', &minor) ||
	    !take_number(&at, end, 10, ' ', &mapping->ino))
		return false;
	mapping->dev = makedev(major, minor);
	take_path(at, end, mapping->path);
	return mapping->ino != 0;
}

static bool is_known(const struct prober_maps *maps, const struct prober_mapping *mapping)
{
	for (size_t i = maps->count; i-- > 0;)
		if (maps->files[i].ino == mapping->ino && maps->files[i].dev == mapping->dev)
			return true;
	return false;
}

void prober_maps_parse(struct prober_maps *maps, const char *text, size_t size)
{
	const char *end = text + size;

	while (text < end) {
		const char *newline = memchr(text, '\n', end - text);
		struct prober_mapping mapping;

		if (!newline)
			return;
		if (prober_maps_line(text, newline - text, &mapping) && !is_known(maps, &mapping)) {
			if (maps->count == PROBER_MAPS_FILES) {
				maps->cut = true;
				return;
			}
			maps->files[maps->count++] = mapping;
		}
		text = newline + 1;
	}
}

/* Bytes read or -errno. */
static ssize_t read_all(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t have = 0;
	ssize_t n = 0;

	if (fd < 0)
		return errno == ENOENT ? -ESRCH : -errno;
	while (have < size && (n = read(fd, text + have, size - have)) > 0)
		have += n;
	if (n < 0)
		n = -errno;
	close(fd);
	return n < 0 ? n : (ssize_t)have;
}

int prober_maps_read(struct prober_maps *maps, pid_t pid)
{
	static char text[PROBER_MAPS_BYTES]; /* only used pages are touched */
	char path[32];
	ssize_t size;

	maps->count = 0;
	maps->cut = false;
	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	size = read_all(path, text, sizeof(text));
	if (size < 0)
		return size;
	if (size == 0)
		return -ESRCH; /* it is ending */
	maps->cut = size == sizeof(text);
	prober_maps_parse(maps, text, size);
	return 0;
}

bool prober_stat_line(const char *line, uint64_t *start)
{
	/* The name may hold anything, parentheses too. */
	const char *at = strrchr(line, ')');
	char *end;

	for (int field = 2; at && field < STAT_START_TIME; field++) {
		at = strchr(at, ' ');
		at = at ? at + 1 : NULL;
	}
	if (!at || *at < '0' || *at > '9')
		return false;
	errno = 0;
	*start = strtoull(at, &end, 10);
	return !errno && *end == ' ';
}

int prober_start_time(pid_t pid, uint64_t *start)
{
	char path[32], line[1024];
	ssize_t size;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	size = read_all(path, line, sizeof(line) - 1);
	if (size < 0)
		return size;
	line[size] = 0;
	return prober_stat_line(line, start) ? 0 : -EPROTO;
}
