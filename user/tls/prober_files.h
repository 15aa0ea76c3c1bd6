/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * prober_files.h - the files that were read, with what was found in each: most have no TLS
 * function, and to read them again would take time that a short session has not.
 *
 * A file is identified by its inode, size and times: after an upgrade another file may have the
 * inode number, and probes at the wrong offsets would crash the process.
 */
#ifndef SMTPL_PROBER_FILES_H
#define SMTPL_PROBER_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "elf/tls_plan.h"

#define PROBER_FILES_MAX     4096
#define PROBER_FILES_BUCKETS 4096

struct prober_file_id {
	uint64_t dev; /* st_dev */
	uint64_t ino;
	uint64_t size_bytes;
	int64_t mtime_ns;
	int64_t ctime_ns;
};

struct prober_file {
	struct prober_file_id id;
	uint64_t hash;	       /* of the id: in the names of its pins */
	struct tls_plan *plan; /* NULL: it takes no probes */
	int error;    /* -errno why, or why the last attempt to attach failed; -ENOENT: not TLS */
	bool trusted; /* root's, and nobody else can write to it */
	bool library; /* probes are attached for all who map it */
	bool listed;  /* in smtpl_tls_files */
	bool changed; /* differs from its entry in smtpl_tls_files */
	bool mapped;  /* found by the last walk over all processes */
	bool others;  /* mapped by a process that sends no mail */
	uint64_t library_ns; /* since when; boot time */
	int library_fd;	     /* the file itself, while attached; O_PATH */
	uint64_t last_ns;    /* when a process was found to map it; 0: never */
	uint64_t minute_ns;  /* when the minute began in which attaches are counted */
	uint32_t attaches;
	uint32_t processes; /* that have it in their list */
	char path[256];
	struct prober_file *chain;
	struct prober_file *newer;
	struct prober_file *older;
};

/* All zero is empty. */
struct prober_files {
	struct prober_file *buckets[PROBER_FILES_BUCKETS];
	struct prober_file *newest;
	struct prober_file *oldest;
	size_t count;
};

struct prober_file *prober_files_find(struct prober_files *files, const struct prober_file_id *id);
struct prober_file *prober_files_find_hash(const struct prober_files *files, uint64_t hash);

/* Adds a file. The one that was not used for the longest time is removed if there is no room,
 * unless it has probes or is listed. plan NULL: `error` says why, else it is copied. NULL without
 * memory, or room. */
struct prober_file *prober_files_add(struct prober_files *files, const struct prober_file_id *id,
				     const struct tls_plan *plan, int error);

#endif
