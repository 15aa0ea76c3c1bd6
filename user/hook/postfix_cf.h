/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * postfix_cf.h - the syntax of Postfix's main.cf and master.cf: a logical line may go over several
 * physical ones, the last of several settings of a parameter counts, and a line that is replaced
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

/* Find the first one at or behind *at, and set *at to its end. False: there is none. */
bool postfix_line_next(const struct hook_text *text, size_t *at, struct postfix_line *line);
/* A logical line as one physical line, without comments; malloc'ed. NULL without memory. */
char *postfix_line_joined(const struct hook_text *text, const struct postfix_line *line);

/* Find the last setting of a parameter in main.cf, which counts. 1: *value is malloc'ed, and *line
 * set if `line` is not NULL; 0: there is none, *value is NULL; -ENOMEM. */
int postfix_main_find(const struct hook_text *text, const char *name, struct postfix_line *line,
		      char **value);

/* Set a parameter in main.cf, in its place or at the end. 0 or -ENOMEM. */
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

/* The first service at or behind *at, and *at behind it. 1; 0: there is none; -ENOMEM. */
int postfix_master_next(const struct hook_text *text, size_t *at, struct postfix_service *service);
/* Find a service of local sockets. 1; 0: there is none; -ENOMEM. */
int postfix_master_find(const struct hook_text *text, const char *name,
			struct postfix_service *service);
void postfix_service_free(struct postfix_service *service);
/* Find the last `-o name=value` of a service, also as `-o { name = value }`, which counts. 1:
 * *value is malloc'ed; 0: there is none, *value is NULL; -ENOMEM. */
int postfix_service_option(const struct postfix_service *service, const char *name, char **value);

/* Take an option, as `-o name=value`, out of a logical line if it is there, and with it the
 * physical line if nothing else is on that. 0 or -ENOMEM. */
int postfix_option_remove(struct hook_text *text, const struct postfix_line *line,
			  const char *option);

/* Put a block of ours with these lines in place of a logical line, and keep that in the block as
 * comments. 0 or -ENOMEM. */
int postfix_replace(struct hook_text *text, const struct postfix_line *line, const char *name,
		    const char *lines);

#endif
