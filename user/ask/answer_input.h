/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * answer_input.h - lines of a mail server from standard input, bounded.
 */
#ifndef SMTPL_ANSWER_INPUT_H
#define SMTPL_ANSWER_INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include "door_word.h"

struct answer_line {
	char text[DOOR_LINE_MAX + 1]; /* without the line end; ends with a NUL, and may hold others */
	size_t length;
	size_t bytes; /* that were read, line end included: more than length + 1 when it was cut */
	bool cut;
};

/* False: the input is over; what stands there without a line end is not given out. */
bool answer_line_read(struct answer_line *line);

#endif
