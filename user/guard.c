// SPDX-License-Identifier: GPL-2.0-only
/*
 * guard.c - see guard.h. It never forks itself, so it never stands still with the others: a process of its
 * own, the canary, tries to fork whenever it is told to.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "child.h"
#include "fusectl.h"
#include "guard.h"
#include "log.h"
#include "sandbox.h"

#define IDLE_MS 1000 /* between two looks if any user has FUSE */
#define TICK_MS 200  /* between two looks if anybody waits, while one has */
#define FORK_TICKS 5
#define LOOK_TICKS 10

/* If it did not help to end those that wait for their servers, all are ended. */
#define ALL_MS 3000
#define HOPELESS_MS 10000

/* Where fork(2) waits while probes are put in or taken out. */
static const char *const fork_waits[] = {"percpu_rwsem_wait", NULL};

/* Where the prober waits for the memory of another process: fs/proc/base.c, fs/proc/task_mmu.c. */
static const char *const look_waits[] = {
	"proc_map_files_readdir", "proc_map_files_lookup", "map_files_d_revalidate", "map_files_get_link",
	"proc_map_files_get_link", "m_start", "lock_next_vma", NULL,
};

struct guard_child {
	int fusectl;
	int fd;
	pid_t prober;
	pid_t canary;
	int canary_fd;
	unsigned int fork_ticks; /* for so many ticks on end it has waited */
	unsigned int look_ticks;
	int64_t held_ms; /* since when something stands still; 0: nothing does */
	bool all;      /* in this walk those are ended, too, that wait for nothing */
	bool all_done; /* that was done: what is ended stays listed until it is unmounted */
	bool hopeless;
	struct guard_rescue rescue;
};

/* --- the canary ----------------------------------------------------------------------------- */

static void canary(int fd)
{
	char orders[64];

	while (read(fd, orders, sizeof(orders)) > 0) {
		pid_t pid = fork();

		if (pid == 0)
			_exit(0);
		if (pid > 0)
			waitpid(pid, NULL, 0);
	}
	_exit(0);
}

static int enter(const char *name, pid_t parent, const unsigned int *keep, size_t count)
{
	prctl(PR_SET_NAME, name);
	signal(SIGINT, SIG_IGN);
	if (prctl(PR_SET_PDEATHSIG, SIGKILL))
		return -errno;
	if (getppid() != parent)
		return -ESRCH;
	return sandbox_daemon(keep, count);
}

static int start_canary(struct guard_child *g)
{
	pid_t self = getpid();
	int ends[2];

	if (pipe2(ends, O_CLOEXEC))
		return -errno;
	g->canary = fork();
	if (g->canary < 0)
		return -errno;
	if (g->canary == 0) {
		if (!sandbox_close_others(ends, 1) && !enter("smtpl-canary", self, NULL, 0))
			canary(ends[0]);
		_exit(1);
	}
	close(ends[0]);
	g->canary_fd = ends[1];
	return fcntl(g->canary_fd, F_SETFL, O_NONBLOCK) ? -errno : 0;
}

/* --- who waits ------------------------------------------------------------------------------ */

static bool waits_in(pid_t pid, const char *const *functions)
{
	char path[32], function[64];
	ssize_t size;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/wchan", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	size = fd < 0 ? 0 : read(fd, function, sizeof(function) - 1);
	if (fd >= 0)
		close(fd);
	function[size > 0 ? size : 0] = 0;
	while (*functions && strcmp(function, *functions) != 0)
		functions++;
	return *functions != NULL;
}

/* Others wait for a moment there as well: it counts who does so whenever he is looked at. */
static bool is_held(struct guard_child *g)
{
	g->fork_ticks = waits_in(g->canary, fork_waits) ? g->fork_ticks + 1 : 0;
	g->look_ticks = waits_in(g->prober, look_waits) ? g->look_ticks + 1 : 0;
	return g->fork_ticks >= FORK_TICKS || g->look_ticks >= LOOK_TICKS;
}

static int is_one(void *arg, int fd, uid_t uid)
{
	(void)arg;
	(void)fd;
	(void)uid;
	return 1;
}

static bool is_needed(const struct guard_child *g)
{
	return fusectl_each_user(g->fusectl, is_one, NULL) != 0;
}

/* --- the rescue ----------------------------------------------------------------------------- */

static int end_one(void *arg, int fd, uid_t uid)
{
	struct guard_child *g = arg;
	bool waits = fusectl_waits(fd);

	if ((!g->all && !waits) || fusectl_abort(fd))
		return 0;
	if (waits || !g->rescue.ended)
		g->rescue.uid = uid;
	g->rescue.ended++;
	log_error("a FUSE file system of uid %u is ended: %s stood still, and %s", uid,
		  g->rescue.forks ? "fork(2) on this host" : "who puts probes into TLS libraries",
		  waits ? "it waited for its server" : "nothing else was left to try");
	return 0;
}

static void rescue(struct guard_child *g)
{
	int64_t now_ms = child_now_ms();

	if (!g->held_ms) {
		g->held_ms = now_ms;
		g->rescue = (struct guard_rescue){.forks = g->fork_ticks >= FORK_TICKS};
	}
	g->all = !g->all_done && now_ms >= g->held_ms + ALL_MS;
	g->all_done |= g->all;
	fusectl_each_user(g->fusectl, end_one, g);
	if (g->hopeless || now_ms < g->held_ms + HOPELESS_MS)
		return;
	g->hopeless = true;
	log_error("%s stands still, and to end FUSE file systems does not help: some process that maps a TLS "
		  "library waits in the kernel (state D in ps)",
		  g->rescue.forks ? "fork(2) on this host" : "who puts probes into TLS libraries");
}

static void released(struct guard_child *g)
{
	g->rescue.ms = child_now_ms() - g->held_ms + FORK_TICKS * TICK_MS;
	send(g->fd, &g->rescue, sizeof(g->rescue), MSG_NOSIGNAL | MSG_DONTWAIT);
	g->held_ms = 0;
	g->all_done = false;
	g->hopeless = false;
}

static void sleep_ms(long ms)
{
	const struct timespec time = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

	nanosleep(&time, NULL);
}

static void loop(struct guard_child *g)
{
	for (;;) {
		bool needed = g->held_ms || is_needed(g);

		if (needed && write(g->canary_fd, "f", 1) < 0 && errno != EAGAIN)
			return;
		sleep_ms(needed ? TICK_MS : IDLE_MS);
		if (is_held(g))
			rescue(g);
		else if (g->held_ms)
			released(g);
	}
}

static int guard_main(void *arg, int fd, pid_t parent)
{
	/* DAC_OVERRIDE: fusectl's files are the users'. SYS_PTRACE: wchan of the prober, which has more. */
	static const unsigned int keep[] = {CAP_DAC_OVERRIDE, CAP_SYS_PTRACE};
	struct guard_child g = {.fd = fd, .prober = parent};
	int err;

	(void)arg;
	g.fusectl = fusectl_open();
	err = g.fusectl < 0 ? g.fusectl : start_canary(&g);
	if (!err)
		err = sandbox_close_others((int[]){g.fusectl, g.fd, g.canary_fd}, 3);
	if (!err)
		err = enter("smtpl-guard", parent, keep, sizeof(keep) / sizeof(keep[0]));
	if (child_locked_in(fd, err))
		loop(&g);
	return 1;
}

int guard_start(struct guard *g)
{
	return child_start(guard_main, NULL, &g->pid, &g->fd);
}

int guard_take(struct guard *g, struct guard_rescue *rescue)
{
	return child_take(g->fd, rescue, sizeof(*rescue));
}

void guard_stop(struct guard *g)
{
	child_stop(&g->pid, &g->fd);
}
