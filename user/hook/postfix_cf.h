/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * postfix_cf.h - the syntax of Postfix's main.cf and master.cf: logical lines over several physical
 * ones, the last of several settings of a parameter, and a line put in place of another so that it
 * can be put back as it was.
 */
#ifndef SMTPL_POSTFIX_CF_H
#define SMTPL_POSTFIX_CF_H

#include <stdbool.h>
#include <stddef.h>
#include "hook.h"

/* A logical line: a line that begins with neither a blank nor '#', and those that continue it. */
struct postfix_line {
	size_t begin;
	size_t end; /* behind its last newline */
};

/* The first one at or behind *at, which then is its end; false: there is none. */
bool postfix_line_next(const struct hook_text *text, size_t *at, struct postfix_line *line);
/* On one line, without comments; malloc'ed. NULL without memory. */
char *postfix_line_joined(const struct hook_text *text, const struct postfix_line *line);

/* What main.cf says of a parameter: 1, *line set if `line` is not NULL, *value malloc'ed; 0: it
 * says nothing, *value is NULL; -ENOMEM. The last one counts, as for Postfix. */
int postfix_main_find(const struct hook_text *text, const char *name, struct postfix_line *line,
		      char **value);

/* Have main.cf say this of a parameter, in its place or at the end. 0 or -ENOMEM. */
int postfix_main_set(struct hook_text *text, const char *name, const char *value);

/* A service of master.cf, with its words. */
enum {
	POSTFIX_NAME,
	POSTFIX_TYPE,
	POSTFIX_CHROOT = 4,
	POSTFIX_COMMAND = 7, /* and its options: the rest of the line */
	POSTFIX_FIELDS,
};

struct postfix_service {
	char *joined; /* malloc'ed: what the fields point into */
	char *field[POSTFIX_FIELDS];
	struct postfix_line line;
};

/* A service of local sockets: 1; 0: there is none; -ENOMEM. */
int postfix_master_find(const struct hook_text *text, const char *name,
			struct postfix_service *service);
void postfix_service_free(struct postfix_service *service);

/* Take an option, as `-o name=value`, out of a logical line if it is there, and with it the
 * physical line if nothing else is on that. 0 or -ENOMEM. */
int postfix_option_remove(struct hook_text *text, const struct postfix_line *line,
			  const char *option);

/* Put a block of ours with these lines in place of a logical line, which is kept in the block as
 * comments. 0 or -ENOMEM. */
int postfix_replace(struct hook_text *text, const struct postfix_line *line, const char *name,
		    const char *lines);
/* Take out all blocks, and put back what they replaced. 0 or -ENOMEM. */
int postfix_restore(struct hook_text *text);

#endif
