/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * maillog_position.c - the text form of a place in a log.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include "maillog_position.h"

void maillog_position_text(const struct maillog_position *p, char *text, size_t size)
{
	switch (p->kind) {
	case MAILLOG_IN_FILE:
		snprintf(text, size, "file:%" PRIu64 ":%" PRIu64 ":%016" PRIx64 ":%" PRId64,
			 p->inode, p->offset, p->mark, p->wall_ns);
		break;
	case MAILLOG_IN_JOURNAL:
		snprintf(text, size, "journal:%" PRId64 ":%s", p->wall_ns, p->cursor);
		break;
	default:
		snprintf(text, size, "%s", "");
	}
}

int maillog_position_parse(const char *text, struct maillog_position *p)
{
	struct maillog_position made = {0};
	int end = -1;
	size_t i;

	if (!text[0]) {
		*p = made;
		return 0;
	}
	/* No blanks, no signs but that of a time before 1970: only what was written is read. */
	for (i = 0; text[i]; i++)
		if (text[i] <= ' ' || text[i] > '~')
			return -EINVAL;
	if (sscanf(text, "file:%" SCNu64 ":%" SCNu64 ":%16" SCNx64 ":%" SCNd64 "%n", &made.inode,
		   &made.offset, &made.mark, &made.wall_ns, &end) == 4 &&
	    end >= 0 && !text[end]) {
		made.kind = MAILLOG_IN_FILE;
		*p = made;
		return 0;
	}
	made = (struct maillog_position){.kind = MAILLOG_IN_JOURNAL};
	if (sscanf(text, "journal:%" SCNd64 ":%n", &made.wall_ns, &end) != 1 || end < 0 ||
	    !text[end] || strlen(text + end) >= sizeof(made.cursor))
		return -EINVAL;
	memcpy(made.cursor, text + end, strlen(text + end));
	*p = made;
	return 0;
}
