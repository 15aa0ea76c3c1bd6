// SPDX-License-Identifier: GPL-2.0-only
/*
 * cmd_unload.c - `smtplimit unload`: ends the daemon, where one runs, and removes every program,
 * link, map and pin. What was saved stays in the state database.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "kernel/bpf.h"
#include "kernel/bpf_tls.h"
#include "cmd.h"
#include "config/config.h"
#include "base/clock.h"
#include "base/daemon_lock.h"
#include "tls/guard.h"
#include "base/log.h"
#include "refuse/suspended.h"

#define UNLOAD_WAIT_MS 10000
#define UNLOAD_STEP_MS 20

/* Ask the daemon to end and wait until its lock is ours. 0 or -errno */
static int daemon_end(const char *run, int *lock_fd)
{
	const struct timespec step = {.tv_nsec = UNLOAD_STEP_MS * 1000000};
	int64_t until_ms = clock_mono_ms() + UNLOAD_WAIT_MS;
	int err = daemon_lock_take(run, lock_fd);

	if (err == -EBUSY)
		daemon_lock_signal(run, SIGTERM);
	while (err == -EBUSY && clock_mono_ms() < until_ms) {
		nanosleep(&step, NULL);
		err = daemon_lock_take(run, lock_fd);
	}
	return err;
}

static int say_not_ended(const char *run, int err)
{
	pid_t pid = daemon_lock_pid(run);

	if (err == -EBUSY && pid > 0)
		log_error(
			"the daemon (pid %d) was told to end and has not for %d s, it may be stuck: "
			"kill -9 %d, then unload again",
			(int)pid, UNLOAD_WAIT_MS / 1000, (int)pid);
	else
		log_error("cannot end the daemon: \"%s/lock\": %s", run, strerror(-err));
	return CMD_FAILED;
}

/* It would go on without what it has attached. */
static bool another_runs(const struct config *config)
{
	struct smtpl_meta meta = {0};
	char why[CONFIG_ERROR_SIZE];
	struct bpf_maps *maps;

	if (bpf_maps_open(config->bpffs, &maps))
		return false;
	bpf_maps_meta(maps, &meta);
	bpf_maps_close(maps);
	if (!daemon_elsewhere(meta.pid, config, why, sizeof(why)))
		return false;
	log_error("%s", why);
	return true;
}

int cmd_unload(struct cli *cli, int argc, char **argv)
{
	static struct config config;
	char error[1024] = "", list[PATH_MAX + sizeof("/" SUSPENDED_FILE)];
	struct guard guard = {.fd = -1};
	int lock_fd = -1, err;
	uint32_t guard_ms;

	if (argc > 1) {
		log_error("unload takes no argument, not \"%s\"", argv[1]);
		return CMD_USAGE;
	}
	err = cmd_begin(cli, argv[0], &config);
	if (err)
		return err;
	if (another_runs(&config))
		return CMD_FAILED;
	err = daemon_end(config.run, &lock_fd);
	if (err)
		return say_not_ended(config.run, err);
	guard_ms = bpf_tls_remove_ms(config.bpffs);
	if (guard_ms)
		guard_start_or_warn(&guard);
	err = bpf_unload(config.bpffs, error, sizeof(error));
	guard_finish(&guard, guard_ms);
	if (err == -ENOENT)
		log_notice("nothing is loaded below \"%s\"", config.bpffs);
	else if (err)
		log_error("%s", error);
	/* Mail servers that find no daemon look into it. */
	snprintf(list, sizeof(list), "%s/" SUSPENDED_FILE, config.run);
	if (unlink(list) && errno != ENOENT)
		log_error("\"%s\": %s", list, strerror(errno));
	close(lock_fd);
	return err && err != -ENOENT ? CMD_FAILED : CMD_DONE;
}
