/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * hook_run.c - run a server's own programs below a root that may stand for /: for what it knows of
 * itself, and for what it says to its configuration.
 */
#include "hook.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include "base/program.h"

/* A name server that does not answer holds them up. */
#define TIME_MS	     150000
#define OUTPUT_BYTES (16u << 20)
#define WORDS_SIZE   16384

/* Its exit status, or -errno. */
static int run(const struct hook_context *context, const char *const *argv, bool terminal,
	       const char *host_name, struct program_result *result)
{
	static const char *const env[] = {
		"PATH=/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/sbin:/usr/local/bin", "LC_ALL=C",
		NULL};
	const struct program program = {.argv = argv,
					.env = env,
					.root = context->root,
					.host_name = host_name,
					.terminal = terminal,
					.time_ms = TIME_MS,
					.output_bytes = OUTPUT_BYTES};
	int err = program_run(&program, result);

	if (err != -ECHILD)
		return err;
	if (!WIFEXITED(result->status))
		return -EINTR;
	return WEXITSTATUS(result->status) == 127 ? -ENOENT : WEXITSTATUS(result->status);
}

/* Several lines become one. Where one of them says what is wrong, warnings before it are left
 * out. */
static void write_words(const char *text, char *words, size_t size)
{
	static const char *const marks[] = {"fatal:", "error:"};
	size_t length = 0;

	for (size_t i = 0; i < sizeof(marks) / sizeof(*marks); i++) {
		const char *at = strstr(text, marks[i]);

		if (!at)
			continue;
		while (at > text && at[-1] != '\n')
			at--;
		text = at;
		break;
	}
	for (; *text && length + 1 < size; text++) {
		bool blank = isspace((unsigned char)*text);

		if (!blank)
			words[length++] = *text;
		else if (length && words[length - 1] != ' ')
			words[length++] = ' ';
	}
	while (length && words[length - 1] == ' ')
		length--;
	words[length] = '\0';
}

static int ending(int status, const struct program_result *result, char *words, size_t size)
{
	if (status < 0)
		snprintf(words, size, "%s",
			 status == -ENOENT ? "there is no such program" : result->how);
	else if (status)
		write_words(result->err.size ? result->err.text : result->out.text, words, size);
	if (status > 0 && !words[0])
		snprintf(words, size, "%s", result->how);
	return status > 0 ? -EINVAL : status;
}

int hook_ask(const struct hook_context *context, const char *const *argv, char *answer, size_t size)
{
	char words[WORDS_SIZE];
	struct program_result result = {.out = {.text = answer, .room = size},
					.err = {.text = words, .room = sizeof(words)}};

	return ending(run(context, argv, false, NULL, &result), &result, answer, size);
}

int hook_run_check_named(const struct hook_context *context, const char *const *argv,
			 const char *host_name, char *words, size_t size)
{
	char out[WORDS_SIZE], err[WORDS_SIZE];
	struct program_result result = {.out = {.text = out, .room = sizeof(out)},
					.err = {.text = err, .room = sizeof(err)}};

	words[0] = '\0';
	return ending(run(context, argv, true, host_name, &result), &result, words, size);
}

int hook_run_check(const struct hook_context *context, const char *const *argv, char *words,
		   size_t size)
{
	return hook_run_check_named(context, argv, NULL, words, size);
}
