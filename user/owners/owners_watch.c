// SPDX-License-Identifier: GPL-2.0-only
/*
 * owners_watch.c - decides when the owners of domains are read again. A check compares the results
 * of stat(2), which shows files that were renamed over, removed, made again, or that appear later
 * with their directory.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include "base/clock.h"
#include "owners_read.h"
#include "owners_watch.h"

/* Checks take at most 1/100 of the time: a panel may have a file for each of 10000 users. */
#define COST_SHARE 100

/* A file that is being written is not read before two checks agree, or this many did not. */
#define UNSETTLED_MAX 10

int owners_watch_start(struct owners_watch *w, const struct config *config, const char *root,
		       const struct owners_command_limits *limits)
{
	memset(w, 0, sizeof(*w));
	w->root = root;
	w->at_once = true;
	if (!config->owners_command[0])
		return 0;
	return owners_command_start(&w->command, config->owners_command, limits);
}

void owners_watch_stop(struct owners_watch *w)
{
	owners_command_stop(&w->command);
	owners_free(w->owners);
	w->owners = NULL;
}

void owners_watch_reload(struct owners_watch *w)
{
	w->at_once = true;
	w->check_ns = 0;
	w->ask_ns = 0;
}

/* 1 or -errno, as owners_watch_poll(). */
static int read_now(struct owners_watch *w, const struct config *config, const char *output,
		    size_t output_size, char *error, size_t error_size)
{
	struct owners *fresh;
	int err = owners_read_root(w->root, config, output, output_size, &fresh, error, error_size);

	if (err)
		return err;
	w->same = w->known && owners_same(w->owners, fresh);
	w->known = true;
	owners_free(w->owners);
	w->owners = fresh;
	return 1;
}

/* Have the files changed since they were read, and is nobody writing them? */
static bool should_read(struct owners_watch *w, uint64_t signature)
{
	bool settled = signature == w->seen;

	w->seen = signature;
	if (w->at_once)
		return true;
	if (signature == w->read) {
		w->unsettled = 0;
		return false;
	}
	return settled || ++w->unsettled > UNSETTLED_MAX;
}

static int poll_files(struct owners_watch *w, const struct config *config, char *error,
		      size_t error_size)
{
	uint64_t signature = owners_signature(w->root, config);
	int result;

	if (!should_read(w, signature))
		return 0;
	w->at_once = false;
	w->unsettled = 0;
	result = read_now(w, config, NULL, 0, error, error_size);
	/* An error in a file stays until the file changes. A lack of memory, or of permission, does
	 * not show in the signature, so it is tried again. */
	if (result == 1 || result == -EINVAL)
		w->read = signature;
	return result;
}

static int watch_files(struct owners_watch *w, const struct config *config, uint64_t now_ns,
		       char *error, size_t error_size)
{
	uint64_t begin_ns, wait_ns;
	int result;

	if (now_ns < w->check_ns)
		return 0;
	begin_ns = clock_boot_ns();
	result = poll_files(w, config, error, error_size);
	wait_ns = (clock_boot_ns() - begin_ns) * COST_SHARE;
	w->check_ns = wait_ns > NS_PER_S ? now_ns + wait_ns : 0;
	return result;
}

static int ask_command(struct owners_watch *w, const struct config *config, uint64_t now_ns,
		       char *error, size_t error_size)
{
	int err;

	if (w->running || now_ns < w->ask_ns)
		return 0;
	w->ask_ns = now_ns + (uint64_t)config->owners_refresh_s * NS_PER_S;
	err = owners_command_ask(&w->command);
	w->running = !err;
	if (err == -ENOTCONN)
		snprintf(error, error_size,
			 "the command for source = command is run by a process "
			 "of the daemon's start: want a restart");
	else if (err)
		snprintf(error, error_size, "the command cannot be run: %s", strerror(-err));
	return err;
}

static int watch_command(struct owners_watch *w, const struct config *config, uint64_t now_ns,
			 char *error, size_t error_size)
{
	const char *output = NULL;
	size_t output_size = 0;
	int err = owners_command_answer(&w->command, &output, &output_size, error, error_size);

	if (err == -EAGAIN)
		return config->source == CONFIG_SOURCE_COMMAND ?
			       ask_command(w, config, now_ns, error, error_size) :
			       0;
	w->running = false;
	if (err == -EPIPE)
		owners_command_stop(&w->command);
	if (err)
		return err;
	if (config->source == CONFIG_SOURCE_COMMAND)
		err = read_now(w, config, output, output_size, error, error_size);
	owners_command_done(output, output_size);
	return err;
}

int owners_watch_poll(struct owners_watch *w, const struct config *config, uint64_t now_ns,
		      char *error, size_t error_size)
{
	int result = watch_command(w, config, now_ns, error, error_size);

	if (config->source == CONFIG_SOURCE_COMMAND || result)
		return result;
	return watch_files(w, config, now_ns, error, error_size);
}
