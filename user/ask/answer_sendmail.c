/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * answer_sendmail.c - `smtplimit answer sendmail KEY`: a look-up in Sendmail's `program` map, of a
 * key of sendmail_key.h. The text is printed in quotes, without which Sendmail would take what
 * stands in parentheses for a comment; nothing: may be sent.
 */
#include "answer.h"

#include <stdio.h>
#include "cmd.h"
#include "sendmail_key.h"

int answer_sendmail(struct answer *a, const char *key)
{
	char text[ANSWER_TEXT_SIZE], line[ANSWER_TEXT_SIZE + 8];
	struct origin origin;

	if (sendmail_key_parse(key, &origin) || !answer_ask(a, &origin, text))
		return CMD_DONE;
	for (char *c = text; *c; c++)
		if (*c == '"' || *c == '\\')
			*c = '?';
	return answer_write(line, (size_t)snprintf(line, sizeof(line), "\"%s\"\n", text))
		       ? CMD_FAILED
		       : CMD_DONE;
}
