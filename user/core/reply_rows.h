/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * reply_rows.h - an administrator's own rows for reply_class(), one a line of a file:
 *
 *	# CLASS  CODE   ENHANCED  "PHRASE"
 *	listed   550    5.7.1     "block list"
 *	rate     4xx    *         "our friends at * are busy"
 *	greylist 451    4.7.1
 *
 * The columns are those of struct reply_row; a phrase is written as it stands in the reply. Blank
 * lines and what follows a # outside of a phrase are passed over. Earlier lines come first.
 */
#ifndef SMTPL_REPLY_ROWS_H
#define SMTPL_REPLY_ROWS_H

#include "reply_class.h"

#define REPLY_ROWS_MAX	1024
#define REPLY_ERROR_MAX 512

struct reply_rows {
	struct reply_row *rows;
	size_t count;
};

/* Take one line, without its newline; `file` and `line` are for the error: "FILE:LINE: what". 0;
 * -EINVAL: error says what is wrong; -ENOMEM. On failure *rows is as before. */
int reply_rows_add(struct reply_rows *rows, const char *file, unsigned int line, const char *text,
		   char error[REPLY_ERROR_MAX]);
/* Frees the rows, not *rows, which is empty afterwards. */
void reply_rows_free(struct reply_rows *rows);

#endif
