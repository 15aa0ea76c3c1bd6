/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * owners_command.h - the child process that runs the administrator's command, which prints the
 * owners of domains. A panel's database opens to root with all its privileges alone, which the
 * daemon gives up; so the child is made before, knows its one command already, and takes no
 * order but to run it.
 */
#ifndef SMTPL_OWNERS_COMMAND_H
#define SMTPL_OWNERS_COMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct owners_command {
	pid_t pid; /* 0: no child, also in a struct that is all zero */
	int fd;	   /* the parent's end, non-blocking */
};

struct owners_command_limits {
	unsigned int time_ms;
	size_t output_bytes;
};

#define OWNERS_COMMAND_LIMITS                                                                      \
	(struct owners_command_limits)                                                             \
	{                                                                                          \
		.time_ms = 30000, .output_bytes = 64u << 20                                        \
	}

/* Start the child. 0 or -errno. */
int owners_command_start(struct owners_command *c, const char *command,
			 const struct owners_command_limits *limits);

/* Have the command run. Ask again when it has answered. 0 or -errno. */
int owners_command_ask(const struct owners_command *c);

/* What it printed: 0, *output to be unmapped with owners_command_done(). -EAGAIN: not done yet,
 * this never waits; -EPIPE: the child is gone; -ECHILD: the command failed. The last two with one
 * line in `error`: how, and the first line of what it said, escaped. */
int owners_command_answer(const struct owners_command *c, const char **output, size_t *output_size,
			  char *error, size_t error_size);
void owners_command_done(const char *output, size_t output_size);

void owners_command_stop(struct owners_command *c);

#endif
