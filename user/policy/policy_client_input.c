/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * policy_client_input.c - reads lines; of one that is too long only the beginning is kept.
 */
#include "policy_client_input.h"

#include <stdio.h>

bool policy_client_line_read(struct policy_client_line *line)
{
	int c;

	line->length = line->bytes = 0;
	while ((c = getc_unlocked(stdin)) != EOF) {
		line->bytes++;
		if (c == '\n')
			break;
		if (line->length < POLICY_LINE_MAX)
			line->text[line->length++] = (char)c;
	}
	line->text[line->length] = '\0';
	line->cut = line->bytes > line->length + 1;
	return c != EOF;
}
