/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * postlog_child.h - the child that reads a log: what it says to its parent, over the socket pair, and
 * what both kinds of log have in common.
 */
#ifndef SMTPL_POSTLOG_CHILD_H
#define SMTPL_POSTLOG_CHILD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include "postlog.h"
#include "postlog_position.h"

/* The log itself, then the newest of its rotated files. */
#define POSTLOG_FILES_MAX 12

enum postlog_telling_kind {
	POSTLOG_TELL_RECORD = 1,
	POSTLOG_TELL_POSITION,
	POSTLOG_ASK_CALLER, /* answered by a reply with the same id */
	POSTLOG_ASK_FILE,   /* the log; by a reply with a descriptor, if it exists */
	POSTLOG_ASK_FILES,  /* and its rotated files, newest first */
};

/* Child -> parent. */
struct postlog_telling {
	uint32_t kind; /* enum postlog_telling_kind */
	uint32_t id;
	struct postlog_position position; /* behind what is told */
	union {
		struct feed_record record;
		struct {
			uint8_t addr[16];
			int64_t wall_ns;
			uint32_t port;
		} caller;
	};
};

/* Parent -> child. */
struct postlog_reply {
	uint32_t id;
	uint32_t known;
	uint32_t uid;
	uint32_t files; /* descriptors that come along */
};

/* What the child starts with. */
struct postlog_start {
	bool journal;
	const char *directory; /* of the journal; "": the host's */
	struct postlog_position from;
	uint32_t relay_uid;
	uint32_t postfix_uid;
	uint64_t seed;
};

struct postlog_child {
	const struct postlog_start *start;
	int fd;
	bool gone; /* the parent is: end */
	struct postlog *log;
	struct postlog_clock clock;
	bool telling; /* false: history */
	int64_t told_until_ns; /* the place is lost: lines up to this time were told before; else
				* INT64_MIN */
	struct postlog_position position;
	uint32_t asked; /* id of the latest question */
	int64_t alive_ms;
	bool lost;
};

/* child_main: arg is a struct postlog_start. */
int postlog_child_main(void *arg, int fd, pid_t parent);

/* Read until the parent is gone: postlog_file.c, postlog_journal.c. */
void postlog_file_run(struct postlog_child *c);
void postlog_journal_run(struct postlog_child *c);

/* One message; c->position is already behind it. */
void postlog_child_take(struct postlog_child *c, int64_t wall_ns, struct postlog_span ident,
			struct postlog_span text);
void postlog_child_tell_position(struct postlog_child *c);
/* The end is reached: say so once a second. */
void postlog_child_alive(struct postlog_child *c);
/* count 0: there is no log; told once until it is alive again. */
void postlog_child_lost(struct postlog_child *c, uint32_t count);
/* Wait, but not for longer than the parent lives. */
void postlog_child_wait(struct postlog_child *c, int ms);
/* Open descriptors for reading; their number. */
size_t postlog_child_files(struct postlog_child *c, bool all, int fds[POSTLOG_FILES_MAX]);

#endif
