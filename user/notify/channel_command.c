// SPDX-License-Identifier: GPL-2.0-only
/*
 * channel_command.c - smtpl-command: the administrator's commands, run by /bin/sh as the user
 * nobody, who can get no privilege by any program.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "base/child.h"
#include "base/sandbox.h"
#include "channel.h"

#define TIME_MS	       30000
#define OUTPUT_BYTES   (64 * 1024)
#define VARIABLES_MAX  48
#define VARIABLES_HEAD 3

/* The command's environment: a few of its own, then those of the job. */
static const char **environment(const char *variables, size_t size)
{
	static const char *env[VARIABLES_MAX + 1] = {
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		"HOME=/",
		"LANG=C.UTF-8",
	};
	size_t count = VARIABLES_HEAD;

	for (size_t at = 0; at < size && count < VARIABLES_MAX; at += strlen(variables + at) + 1)
		env[count++] = variables + at;
	env[count] = NULL;
	return env;
}

static void work(const struct channel_job *job, const char *first, const char *second,
		 const char *body, struct channel_result *result)
{
	bool asks = job->head.work == CHANNEL_ADDRESS;
	char command[8192];
	/* The account is an argument of its own, so that the shell reads it as one word. */
	const char *const run[] = {"/bin/sh", "-c", first, NULL};
	const char *const ask[] = {"/bin/sh", "-c", command, "smtplimit", second, NULL};
	const struct program program = {
		.argv = asks ? ask : run,
		.env = asks ? environment("", 0) : environment(second, job->head.second_size),
		.input = body,
		.input_size = job->head.body_size,
		.time_ms = TIME_MS,
		.output_bytes = OUTPUT_BYTES,
	};

	if (job->head.work != CHANNEL_RUN && !asks)
		return;
	snprintf(command, sizeof(command), "%s \"$@\"", first);
	channel_run(&program, result);
}

int channel_command_main(void *arg, int fd, pid_t parent)
{
	int err = sandbox_unprivileged("smtpl-command", "nobody", parent, &fd, 1);

	(void)arg;
	if (!child_locked_in(fd, err))
		return 1;
	channel_serve(fd, work);
	return 0;
}
