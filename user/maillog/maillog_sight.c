/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * maillog_sight.c - the last lines, and how many of them were not understood.
 */
#include <string.h>
#include "maillog_sight.h"

static void keep_example(struct maillog_sight *s, struct maillog_span text)
{
	size_t size = text.size < sizeof(s->example) ? text.size : sizeof(s->example) - 1;

	memcpy(s->example, text.at, size);
	s->example[size] = '\0';
}

void maillog_sight_note(struct maillog_sight *s, bool unread, struct maillog_span text)
{
	bool *oldest = &s->unread[s->next];

	s->bad += unread;
	s->bad -= *oldest;
	*oldest = unread;
	s->next = (s->next + 1) % MAILLOG_SIGHT_LINES;
	s->good = unread ? 0 : s->good + 1;
	if (!s->blind && unread && s->bad >= MAILLOG_SIGHT_BAD) {
		s->blind = true;
		keep_example(s, text);
	} else if (s->blind && s->good >= MAILLOG_SIGHT_GOOD) {
		memset(s, 0, sizeof(*s));
	}
}
