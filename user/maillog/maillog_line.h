/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * maillog_line.h - one line of a syslog file: when, by whom, what. Forms:
 *	Nov 22 02:03:04 host postfix/smtp[123]: text			(also what postlogd writes)
 *	2026-11-22T02:03:04.123456+00:00 host postfix/smtp[123]: text
 * The first has neither year nor zone: it is local time, and the latest year that does not put it
 * into the future.
 */
#ifndef SMTPL_MAILLOG_LINE_H
#define SMTPL_MAILLOG_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes that belong to somebody else; not closed by a NUL. */
struct maillog_span {
	const char *at;
	size_t size;
};

struct maillog_line {
	int64_t wall_ns;
	struct maillog_span ident; /* "postfix/smtp" */
	struct maillog_span pid;   /* "123"; empty: not known */
	struct maillog_span text;  /* behind "[123]: " */
};

/* The latest second that was converted, since most lines share theirs with the one before. */
struct maillog_clock {
	char text[15];
	int64_t wall_s;
	int64_t now_s; /* what it was converted against */
};

/* False: not a line of either form, or nobody's. The spans point into `line`. */
bool maillog_line_parse(struct maillog_clock *clock, const char *line, size_t size, int64_t now_s,
			struct maillog_line *parsed);

#endif
