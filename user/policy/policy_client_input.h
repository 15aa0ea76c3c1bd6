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
	/* without the line end; ends with a NUL, and may hold others */
	char text[POLICY_LINE_MAX + 1];
	size_t length;
	size_t bytes; /* bytes read, with the line end: more than length + 1 when it was cut */
	bool cut;
};

/* False at the end of the input; a last line without an end is ignored. */
bool policy_client_line_read(struct policy_client_line *line);

#endif
