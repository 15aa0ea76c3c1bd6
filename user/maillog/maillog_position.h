/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * maillog_position.h - up to where a log was reported, and its form for the database:
 *	file:INODE:OFFSET:MARK:WALL_NS
 *	journal:WALL_NS:CURSOR
 */
#ifndef SMTPL_MAILLOG_POSITION_H
#define SMTPL_MAILLOG_POSITION_H

#include <stddef.h>
#include <stdint.h>

enum maillog_position_kind {
	MAILLOG_AT_END = 0, /* nothing was reported so far: from the end on */
	MAILLOG_IN_FILE = 1,
	MAILLOG_IN_JOURNAL = 2,
};

#define MAILLOG_CURSOR_SIZE 224

struct maillog_position {
	uint32_t kind; /* enum maillog_position_kind */
	uint32_t pad;
	int64_t wall_ns; /* of the last line */
	uint64_t inode; /* file: a number of the device may change with a boot, the mark does not */
	uint64_t offset; /* behind the last line */
	uint64_t mark;	 /* hash of what stands before it: the same place in a copy */
	char cursor[MAILLOG_CURSOR_SIZE]; /* journal */
};

#define MAILLOG_POSITION_TEXT_SIZE (MAILLOG_CURSOR_SIZE + 128)

void maillog_position_text(const struct maillog_position *p, char *text, size_t size);
/* 0; -EINVAL: neither form. "" is the end. */
int maillog_position_parse(const char *text, struct maillog_position *p);

#endif
