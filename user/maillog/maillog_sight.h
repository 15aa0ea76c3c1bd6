/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * maillog_sight.h - are the lines understood by which Postfix says what became of mail for other
 * hosts? A new version may write them in another way. Then the log says nothing of most outcomes,
 * or worse, of the failed ones, and what the kernel sees is to be charged instead. Pure.
 *
 * Only a whole line that Postfix's grammar does not fit counts. What customers and remote hosts
 * write into a line adds ways to read it and takes none away, so they cannot blind the reader.
 */
#ifndef SMTPL_MAILLOG_SIGHT_H
#define SMTPL_MAILLOG_SIGHT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "maillog_line.h"

#define MAILLOG_SIGHT_LINES 100 /* looked back on */
#define MAILLOG_SIGHT_BAD   20	/* so many of them not understood: blind */
#define MAILLOG_SIGHT_GOOD  20	/* so many understood since the last that was not: no longer */

struct maillog_sight {
	bool blind;
	bool unread[MAILLOG_SIGHT_LINES];
	size_t next; /* the oldest */
	uint32_t bad;
	uint32_t good;
	char example[256]; /* the line that made it blind */
};

void maillog_sight_note(struct maillog_sight *s, bool unread, struct maillog_span text);

#endif
