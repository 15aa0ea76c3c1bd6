/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * program.h - run a program to its end: it gets bytes on standard input, a bound of time, and a
 * bound of what it may print. It has a process group of its own, which is ended with it. What it
 * prints on standard output is kept apart from standard error: servers' tools print warnings before
 * their answers.
 */
#ifndef SMTPL_PROGRAM_H
#define SMTPL_PROGRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define PROGRAM_HOW_SIZE 256

struct program {
	const char *const *argv; /* argv[0] is its path, or a name that is looked for by its PATH */
	const char *const *env;
	const char *root;      /* its root directory; NULL or "": ours */
	const char *host_name; /* what gethostname() says there; NULL: ours */
	bool terminal;	       /* standard error is one, for what writes into the log otherwise */
	const char *input;
	size_t input_size;
	int time_ms;
	size_t output_bytes; /* more than that, of both, ends it */
};

/* Of what it printed: as much as there is room for, as it came. `text` ends with a NUL. */
struct program_text {
	char *text;
	size_t room;
	size_t size;
};

struct program_result {
	struct program_text out, err; /* the caller sets text and room; room 0: not wanted */
	int status;		      /* as waitpid() says */
	char how[PROGRAM_HOW_SIZE];   /* one line about what went wrong; "": nothing */
};

/* 0: it ended with status 0. -ECHILD: with another one. Else -errno: it could not be run, took too
 * long (-ETIME) or printed too much (-EFBIG). The caller ignores SIGPIPE if there is input. */
int program_run(const struct program *p, struct program_result *result);

/* The first line of the answer, or of what it complained about: what came of standard output after
 * a success, of standard error after a failure, or else of the other one. */
void program_said(const struct program_result *result, char *line, size_t size);

#endif
