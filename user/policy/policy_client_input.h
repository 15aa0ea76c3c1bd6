/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * policy_client_input.h - lines of a mail server from standard input, bounded.
 */
#ifndef SMTPL_POLICY_CLIENT_INPUT_H
#define SMTPL_POLICY_CLIENT_INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include "policy_word.h"

struct policy_client_line {
	char text[POLICY_LINE_MAX +
		  1]; /* without the line end; ends with a NUL, and may hold others */
	size_t length;
	size_t bytes; /* that were read, line end included: more than length + 1 when it was cut */
	bool cut;
};

/* False: the input is over; what stands there without a line end is not given out. */
bool policy_client_line_read(struct policy_client_line *line);

#endif
