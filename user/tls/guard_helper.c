// SPDX-License-Identifier: GPL-2.0-only
/*
 * guard_helper.c - see guard_helper.h.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "guard_helper.h"
#include "base/child.h"
#include "base/sandbox.h"

static volatile pid_t *scout_at;
static bool scout_roots;

struct helper {
	const char *name;
	const unsigned int *keep; /* capabilities */
	size_t keep_count;
	void (*once)(void);
};

/* Whoever stood still for long has many orders, and does it once for all of them. */
static void serve(int fd, void (*once)(void))
{
	char order;

	while (child_await(fd, &order, sizeof(order))) {
		while (child_take(fd, &order, sizeof(order)) == 1)
			;
		once();
	}
}

static int helper_main(void *arg, int fd, pid_t parent)
{
	const struct helper *helper = arg;
	int err = sandbox_close_others(&fd, 1);

	if (!err)
		err = sandbox_helper(helper->name, parent, helper->keep, helper->keep_count);
	if (child_locked_in(fd, err))
		serve(fd, helper->once);
	return 1;
}

bool guard_helper_order(const struct guard_helper *h)
{
	return send(h->fd, "o", 1, MSG_NOSIGNAL) == 1 || errno == EAGAIN;
}

static void fork_once(void)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	if (pid > 0)
		waitpid(pid, NULL, 0);
}

int guard_canary_start(struct guard_helper *h)
{
	struct helper canary = {.name = "smtpl-canary", .once = fork_once};

	return child_start(helper_main, &canary, &h->pid, &h->fd);
}

static void each_number(const char *path, void (*each)(const char *path, pid_t number))
{
	DIR *dir = opendir(path);
	struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		char *end;
		long number = strtol(entry->d_name, &end, 10);

		if (number > 0 && !*end)
			each(path, number);
	}
	if (dir)
		closedir(dir);
}

/* A read of pagemap takes the lock of the memory; one of cmdline does not, where a process has made
 * its own empty (PR_SET_MM_MAP). False: it has no memory. */
static bool touch(const char *tasks, pid_t pid)
{
	char path[64], entry[8];
	bool has;
	int fd;

	snprintf(path, sizeof(path), "%s/%d/pagemap", tasks, pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	has = fd >= 0 && read(fd, entry, sizeof(entry)) == sizeof(entry);
	if (fd >= 0)
		close(fd);
	return has;
}

static void touch_thread(const char *tasks, pid_t tid)
{
	touch(tasks, tid);
}

/* Its first thread may have ended before the others. */
static void touch_process(const char *proc, pid_t pid)
{
	char path[32];
	struct stat st;

	snprintf(path, sizeof(path), "%s/%d", proc, pid);
	if (stat(path, &st) || (st.st_uid == 0) != scout_roots)
		return;
	*scout_at = pid;
	if (touch(proc, pid))
		return;
	snprintf(path, sizeof(path), "%s/%d/task", proc, pid);
	each_number(path, touch_thread);
}

/* Root's come last: one of them may wait for something else, and processes that must not be dumped
 * seem to be root's. */
static void scout_once(void)
{
	scout_roots = false;
	each_number("/proc", touch_process);
	scout_roots = true;
	each_number("/proc", touch_process);
	*scout_at = 0;
}

int guard_scout_start(struct guard_helper *h, volatile pid_t **at)
{
	static const unsigned int keep[] = {CAP_SYS_PTRACE, CAP_DAC_OVERRIDE};
	struct helper scout = {.name = "smtpl-scout",
			       .keep = keep,
			       .keep_count = sizeof(keep) / sizeof(*keep),
			       .once = scout_once};
	void *page = mmap(NULL, sizeof(*scout_at), PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (page == MAP_FAILED)
		return -errno;
	*at = scout_at = page;
	return child_start(helper_main, &scout, &h->pid, &h->fd);
}
