/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * config_reading.h - one file on its way into struct config.
 */
#ifndef SMTPL_CONFIG_READING_H
#define SMTPL_CONFIG_READING_H

#include "config_account.h"
#include "config_file.h"
#include "config_key.h"

/* How much of the configuration a caller needs. */
enum config_scope {
	CONFIG_WHOLE,	/* the file, those that it names, and those in the directory beside it */
	CONFIG_GENERAL, /* the file, without its accounts */
	CONFIG_PATHS,	/* its section [paths] */
};

struct reading {
	const char *file; /* printable */
	struct config *c;
	enum config_scope scope;
	const char
		*directory;  /* a file of this one, which has accounts alone; NULL: the main file */
	unsigned int *lines; /* where each of CONFIG_KEYS was set; 0: nowhere */
	struct config_section *section; /* the [account NAME] that is read; NULL: another section */
	const char *begin;		/* of the first line */
	const char *at;			/* the next line */
	const char *end;
	unsigned int line;	       /* the one that inih has; from 1 */
	bool indented;		       /* the line begins with a blank */
	bool hidden;		       /* the line is in a section that the scope leaves out */
	const struct config_key *last; /* what an indented line continues; NULL after a [section] */
	unsigned int error_line;       /* 0: none yet */
	char *error;
	size_t error_size;
};

/* Read from r->begin to r->end. -1: r->error says why. */
int reading_run(struct reading *r);

/* Note an error of a line; the first one stays. */
void reading_fail(struct reading *r, unsigned int line, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

#endif
