/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * answer_input.c - of a line that is longer than any that means something, the beginning is kept.
 */
#include "answer_input.h"

#include <stdio.h>

bool answer_line_read(struct answer_line *line)
{
	int c;

	line->length = line->bytes = 0;
	while ((c = getc_unlocked(stdin)) != EOF) {
		line->bytes++;
		if (c == '\n')
			break;
		if (line->length < DOOR_LINE_MAX)
			line->text[line->length++] = (char)c;
	}
	line->text[line->length] = '\0';
	line->cut = line->bytes > line->length + 1;
	return c != EOF;
}
