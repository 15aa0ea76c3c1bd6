/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * prober_maps.h - the executable mappings of a process, by /proc/PID/maps. The text is untrusted: a
 * process may have any number of mappings, of files with any name.
 *
 *	7f1e2c400000-7f1e2c45b000 r-xp 0001e000 08:01 1835213 /usr/lib/x86_64-linux-gnu/libssl.so.3
 */
#ifndef SMTPL_PROBER_MAPS_H
#define SMTPL_PROBER_MAPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define PROBER_PATH_SIZE 256

/* Bounds for a hostile process. Chromium has 2500 mappings of 120 files. */
#define PROBER_MAPS_BYTES (4u << 20)
#define PROBER_MAPS_FILES 512

struct prober_mapping {
	uint64_t start; /* one of the file's executable mappings */
	uint64_t end;
	uint64_t dev; /* of the file's superblock: not st_dev on btrfs, or overlayfs */
	uint64_t ino;
	char path[PROBER_PATH_SIZE]; /* as the process has it, without " (deleted)"; cut */
};

struct prober_maps {
	struct prober_mapping files[PROBER_MAPS_FILES]; /* each once */
	size_t count;
	bool cut; /* there is more */
};

/* Parse one line. True: an executable mapping of a file. */
bool prober_maps_line(const char *line, size_t size, struct prober_mapping *mapping);

/* Add the mappings of the text. */
void prober_maps_parse(struct prober_maps *maps, const char *text, size_t size);

/* 0 or -errno; -ESRCH: the process is gone. */
int prober_maps_read(struct prober_maps *maps, pid_t pid);

/* When the process was started, in clock ticks since boot: with its pid it names a process. 0 or
 * -errno. */
int prober_start_time(pid_t pid, uint64_t *start);

/* Read it from a line of /proc/PID/stat. */
bool prober_stat_line(const char *line, uint64_t *start);

#endif
