/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * program.h - run a program to its end: it gets bytes on standard input, a bound of time, and a
 * bound of what it may print. It has a process group of its own, which is ended with it.
 */
#ifndef SMTPL_PROGRAM_H
#define SMTPL_PROGRAM_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define PROGRAM_SAID_SIZE 256

struct program {
	const char *const *argv; /* argv[0] is its path */
	const char *const *env;
	const char *input;
	size_t input_size;
	int time_ms;
	size_t output_bytes; /* more than that ends it */
};

/* 0: it ended with status 0. Else -errno, with one line in `how`: it could not be run, failed, took
 * too long or printed too much. said: the first line that it printed, as it came. Each has
 * PROGRAM_SAID_SIZE bytes. The caller ignores SIGPIPE. */
int program_run(const struct program *p, char *how, char *said);

#endif
