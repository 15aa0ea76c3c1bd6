// SPDX-License-Identifier: GPL-2.0-only
/*
 * guard.c - see guard.h. The guard itself never forks and never touches another process's memory,
 * so it never waits like the others: its helpers do that.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/child.h"
#include "fusectl.h"
#include "guard.h"
#include "guard_helper.h"
#include "base/log.h"
#include "base/sandbox.h"

#define IDLE_MS 1000 /* between two checks */
#define TICK_MS 200  /* the same, while any user has FUSE, or anybody was found waiting */

/* So many more checks must have found somebody waiting than not. */
#define FORK_TICKS   5
#define MEMORY_TICKS 10

/* So many further checks must have found the scout at the same process. */
#define HOLDER_TICKS 2

/* When aborting the connections of the holder's user has not helped for so long, others' are
 * aborted. */
#define ALL_MS	    3000
#define HOPELESS_MS 10000

/* Where fork(2) waits while probes are put in or taken out. */
static const char *const fork_waits[] = {"percpu_rwsem_wait", NULL};

/* Where the prober waits for the memory of another process: fs/proc/base.c, fs/proc/task_mmu.c.
 * mm_access and perf_event_open: for an exec, which waits for that memory itself where another
 * process shares it. */
static const char *const memory_waits[] = {
	"proc_map_files_readdir",
	"proc_map_files_lookup",
	"map_files_d_revalidate",
	"map_files_get_link",
	"proc_map_files_get_link",
	"m_start",
	"lock_next_vma",
	"mm_access",
	"__do_sys_perf_event_open",
	"__se_sys_perf_event_open",
	"__x64_sys_perf_event_open",
	NULL,
};

#define HOLDER_SIZE 96

struct guard_child {
	int fusectl;
	int fd;
	pid_t guarded;
	struct guard_helper canary, scout;
	volatile pid_t *scout_at;
	unsigned int fork_ticks;
	unsigned int memory_ticks;
	int64_t held_ms;	 /* since when something stands still; 0: nothing does */
	int64_t finish_ms;	 /* when it shall end; 0: not by itself */
	pid_t was_at;		 /* where the scout was at the check before */
	unsigned int same_ticks; /* how many checks it has been there */
	pid_t holder;		 /* the process whose memory is locked; 0: not known */
	uint32_t holder_uid;
	bool all; /* users' connections may be to blame, and not the holder's alone */
	bool hopeless;
	bool reported; /* the guarded process has got a report of this time */
	struct guard_rescue rescue;
};

static ssize_t read_proc(pid_t pid, const char *name, char *text, size_t size)
{
	char path[64];
	ssize_t got;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	got = fd < 0 ? -1 : read(fd, text, size - 1);
	if (fd >= 0)
		close(fd);
	text[got > 0 ? got : 0] = 0;
	return got;
}

/* --- who waits ------------------------------------------------------------------------------ */

static bool waits_in(pid_t pid, const char *const *functions)
{
	char function[64];

	read_proc(pid, "wchan", function, sizeof(function));
	function[strcspn(function, ".")] = 0; /* ".isra.0" */
	while (*functions && strcmp(function, *functions) != 0)
		functions++;
	return *functions != NULL;
}

/* Others wait there for a moment as well; and a wait that stops for a moment is noticed at once
 * when it goes on. */
static bool count_ticks(unsigned int *ticks, unsigned int enough, bool waits)
{
	if (waits && *ticks < enough)
		++*ticks;
	else if (!waits && *ticks)
		--*ticks;
	return waits && *ticks == enough;
}

static bool is_held(struct guard_child *g)
{
	bool fork = count_ticks(&g->fork_ticks, FORK_TICKS, waits_in(g->canary.pid, fork_waits));
	bool memory =
		count_ticks(&g->memory_ticks, MEMORY_TICKS, waits_in(g->guarded, memory_waits));

	return fork || memory;
}

static const char *what_is_held(const struct guard_child *g)
{
	return g->fork_ticks == FORK_TICKS ? "fork(2) on this host" : "who looks for TLS libraries";
}

static int is_one(void *arg, int fd, uid_t uid)
{
	(void)arg;
	(void)fd;
	(void)uid;
	return 1;
}

static bool is_quick(const struct guard_child *g)
{
	return g->fork_ticks || g->memory_ticks || g->held_ms || g->finish_ms ||
	       fusectl_each_user(g->fusectl, is_one, NULL) != 0;
}

/* --- whose fault it is ---------------------------------------------------------------------- */

/* Not by the owner of its /proc files: those of a process that must not be dumped are root's. */
static bool uid_of(pid_t pid, uint32_t *uid)
{
	char text[4096];
	const char *line;

	read_proc(pid, "status", text, sizeof(text));
	line = strstr(text, "\nUid:");
	return line && sscanf(line, "\nUid: %u", uid) == 1;
}

/* Does any thread of it wait uninterruptibly? Its memory can be locked for long by work, too. */
static bool is_stuck(pid_t pid)
{
	char path[64], text[512];
	bool stuck = false;
	struct dirent *entry;
	DIR *tasks;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	tasks = opendir(path);
	while (!stuck && tasks && (entry = readdir(tasks))) {
		const char *name;

		snprintf(path, sizeof(path), "task/%.16s/stat", entry->d_name);
		read_proc(pid, path, text, sizeof(text));
		name = strrchr(text, ')');
		stuck = name && strncmp(name, ") D", 3) == 0;
	}
	if (tasks)
		closedir(tasks);
	return stuck;
}

/* False: the scout, and so the guard, is lost. */
static bool seek_holder(struct guard_child *g)
{
	pid_t at = *g->scout_at;

	g->same_ticks = at && at == g->was_at ? g->same_ticks + 1 : 0;
	g->holder = g->same_ticks >= HOLDER_TICKS && uid_of(at, &g->holder_uid) ? at : 0;
	g->was_at = at;
	return at || guard_helper_order(&g->scout);
}

static const char *holder_name(const struct guard_child *g, char text[HOLDER_SIZE])
{
	if (!g->holder)
		return "a process that is not known";
	snprintf(text, HOLDER_SIZE, "process %d of uid %u, whose memory is locked", g->holder,
		 g->holder_uid);
	return text;
}

/* --- the rescue ----------------------------------------------------------------------------- */

static int end_one(void *arg, int fd, uid_t uid)
{
	struct guard_child *g = arg;

	if ((!g->all && uid != g->holder_uid) || !fusectl_waits(fd) || fusectl_abort(fd))
		return 0;
	g->rescue.ended++;
	g->rescue.uid = uid;
	log_error("a FUSE file system of uid %u is ended: it waited for its server, and %s for %s",
		  uid, what_is_held(g), holder_name(g, (char[HOLDER_SIZE]){}));
	return 0;
}

/* A process may wait for another uid's server, in a user namespace of theirs; and the waiting one
 * may be another process that shares its memory. */
static void end_connections(struct guard_child *g, int64_t now_ms)
{
	bool late = now_ms >= g->held_ms + ALL_MS, too_late = now_ms >= g->held_ms + HOPELESS_MS;

	if (g->holder && !g->holder_uid)
		return; /* a user's FUSE does not let root in without allow_other */
	g->all = late && (!g->holder || is_stuck(g->holder) || too_late);
	if (g->holder || g->all)
		fusectl_each_user(g->fusectl, end_one, g);
}

/* Reports at once: the next one may hold it up already, with nothing free in between. */
static void report(struct guard_child *g)
{
	g->rescue.ms = clock_mono_ms() - g->held_ms;
	send(g->fd, &g->rescue, sizeof(g->rescue), MSG_NOSIGNAL | MSG_DONTWAIT);
	g->rescue = (struct guard_rescue){};
	g->reported = true;
}

static bool rescue(struct guard_child *g)
{
	int64_t now_ms = clock_mono_ms();

	if (!g->held_ms) {
		g->held_ms = now_ms;
		g->rescue = (struct guard_rescue){};
	}
	if (!seek_holder(g))
		return false;
	end_connections(g, now_ms);
	if (g->rescue.ended)
		report(g);
	if (g->reported || g->hopeless || now_ms < g->held_ms + HOPELESS_MS)
		return true;
	g->hopeless = true;
	log_error("%s has waited for %d s, for %s, and no FUSE file system is to blame",
		  what_is_held(g), HOPELESS_MS / 1000, holder_name(g, (char[HOLDER_SIZE]){}));
	return true;
}

static void released(struct guard_child *g)
{
	if (!g->reported)
		report(g);
	g->held_ms = 0;
	g->was_at = 0;
	g->hopeless = g->reported = false;
}

/* --- the process ---------------------------------------------------------------------------- */

static bool is_over(const struct guard_child *g)
{
	return g->finish_ms && (!g->fork_ticks || g->hopeless) && clock_mono_ms() >= g->finish_ms;
}

/* The guarded process only sends how long it still needs the guard. */
static void wait_ms(struct guard_child *g, int ms)
{
	struct pollfd end = {.fd = g->finish_ms ? -1 : g->fd, .events = POLLIN};
	uint32_t more_ms = 0;

	if (poll(&end, 1, ms) == 1) {
		child_take(g->fd, &more_ms, sizeof(more_ms));
		g->finish_ms = clock_mono_ms() + more_ms;
	}
}

static int loop(struct guard_child *g)
{
	while (!is_over(g)) {
		if (!guard_helper_order(&g->canary))
			return 1;
		wait_ms(g, is_quick(g) ? TICK_MS : IDLE_MS);
		if (!is_held(g)) {
			if (g->held_ms)
				released(g);
		} else if (!rescue(g)) {
			return 1;
		}
	}
	return 0;
}

static int guard_main(void *arg, int fd, pid_t parent)
{
	/* DAC_OVERRIDE: fusectl's files are the users'. SYS_PTRACE: wchan of a process that has
	 * more capabilities. */
	static const unsigned int keep[] = {CAP_DAC_OVERRIDE, CAP_SYS_PTRACE};
	struct guard_child g = {.fd = fd, .guarded = parent};
	int err;

	(void)arg;
	g.fusectl = fusectl_open();
	err = g.fusectl < 0 ? g.fusectl : guard_canary_start(&g.canary);
	if (!err)
		err = guard_scout_start(&g.scout, &g.scout_at);
	if (!err)
		err = sandbox_close_others((int[]){g.fusectl, g.fd, g.canary.fd, g.scout.fd}, 4);
	if (!err)
		err = sandbox_helper("smtpl-guard", parent, keep, sizeof(keep) / sizeof(keep[0]));
	return child_locked_in(fd, err) ? loop(&g) : 1;
}

int guard_start(struct guard *g)
{
	return child_start(guard_main, NULL, &g->pid, &g->fd);
}

void guard_start_or_warn(struct guard *g)
{
	int err = guard_start(g);

	if (err && err != -ENODEV)
		log_warning(
			"users with FUSE can hold up this host while probes are put in or taken out: no guard: %s",
			strerror(-err));
}

int guard_take(struct guard *g, struct guard_rescue *rescue)
{
	return child_take(g->fd, rescue, sizeof(*rescue));
}

void guard_finish(struct guard *g, uint32_t ms)
{
	if (g->pid <= 0)
		return;
	send(g->fd, &ms, sizeof(ms), MSG_NOSIGNAL);
	while (waitpid(g->pid, NULL, 0) < 0 && errno == EINTR)
		;
	close(g->fd);
	*g = (struct guard){.fd = -1};
}

void guard_stop(struct guard *g)
{
	child_stop(&g->pid, &g->fd);
}
