/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * maillog_child.h - the child that reads a log: what it sends to its parent, over the socket pair,
 * and what both kinds of log have in common.
 */
#ifndef SMTPL_MAILLOG_CHILD_H
#define SMTPL_MAILLOG_CHILD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include "maillog.h"
#include "maillog_position.h"

/* The log itself, then the newest of its rotated files. */
#define MAILLOG_FILES_MAX 12

enum maillog_packet_kind {
	MAILLOG_PUT_REPORT = 1,
	MAILLOG_PUT_POSITION,
	MAILLOG_ASK_CALLER, /* answered by a reply with the same id */
	MAILLOG_ASK_FILE,   /* the log; by a reply with a descriptor, if it exists */
	MAILLOG_ASK_FILES,  /* and its rotated files, newest first */
	MAILLOG_PUT_STATS,  /* stats: when a loss has grown, at most once a second */
};

/* Child -> parent. */
struct maillog_packet {
	uint32_t kind; /* enum maillog_packet_kind */
	uint32_t id;
	struct maillog_position position; /* behind what was reported */
	union {
		struct delivery_report record;
		struct maillog_stats stats;
		struct {
			uint8_t addr[16];
			int64_t wall_ns;
			uint32_t port;
		} caller;
	};
};

/* Parent -> child. */
struct maillog_reply {
	uint32_t id;
	uint32_t known;
	uint32_t uid;
	uint32_t files; /* descriptors that come along */
};

/* What the child starts with. */
struct maillog_start {
	bool journal;
	const char *directory; /* of the journal; "": the host's */
	struct maillog_position from;
	uint32_t relay_uid;
	uint32_t postfix_uid;
	uint64_t seed;
};

struct maillog_child {
	const struct maillog_start *start;
	int fd;
	bool gone; /* the parent is: end */
	struct maillog *log;
	struct maillog_clock clock;
	bool reporting; /* false: history */
	/* The place is lost: lines up to this time were reported before; else INT64_MIN. */
	int64_t reported_until_ns;
	struct maillog_position position;
	uint32_t asked; /* id of the latest question */
	int64_t alive_ms;
	bool lost;
	bool blind;	 /* told the parent */
	uint64_t losses; /* as of the last MAILLOG_PUT_STATS */
	int64_t counted_ms;
};

/* child_main: arg is a struct maillog_start. */
int maillog_child_main(void *arg, int fd, pid_t parent);

/* Read until the parent is gone: maillog_file.c, maillog_journal.c. */
void maillog_file_run(struct maillog_child *c);
void maillog_journal_run(struct maillog_child *c);

/* One message; c->position is already behind it. */
void maillog_child_take(struct maillog_child *c, const struct maillog_line *line);
void maillog_child_put_position(struct maillog_child *c);
/* The end is reached: report that once a second. */
void maillog_child_alive(struct maillog_child *c);
/* count 0: there is no log; reported once until it is alive again. */
void maillog_child_lost(struct maillog_child *c, uint32_t count);
/* Wait, but not for longer than the parent lives. */
void maillog_child_wait(struct maillog_child *c, int ms);
/* Open descriptors for reading; their number. */
size_t maillog_child_files(struct maillog_child *c, bool all, int fds[MAILLOG_FILES_MAX]);

#endif
