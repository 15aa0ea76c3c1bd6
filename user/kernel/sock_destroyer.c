// SPDX-License-Identifier: GPL-2.0-only
/*
 * sock_destroyer.c - the child process that ends the open sessions of a suspended account, in every
 * network namespace that a process is in. A namespace kept alive by a socket alone is not found;
 * there the drop of its packets has to do.
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include "sock_destroyer.h"
#include "base/child.h"
#include "base/log.h"
#include "base/sandbox.h"

#define SOCK_DESTROYER_NETNS_MAX 4096 /* namespaces visited at the most */
#define SOCK_DESTROYER_BATCH	 64   /* sessions ended in one walk */

struct sock_destroyer_order {
	uint64_t cookie; /* 0: all of a refused uid */
	uint32_t uid;
	uint32_t pad;
};

struct sock_destroyer_work {
	uint32_t uid;
	uint64_t cookies[SOCK_DESTROYER_BATCH];
	size_t count; /* 0: all of a refused uid */
};

struct netns_seen {
	ino_t ino[SOCK_DESTROYER_NETNS_MAX];
	size_t count;
};

static bool netns_new(struct netns_seen *seen, ino_t ino)
{
	for (size_t i = 0; i < seen->count; i++)
		if (seen->ino[i] == ino)
			return false;
	if (seen->count == SOCK_DESTROYER_NETNS_MAX)
		return false;
	seen->ino[seen->count++] = ino;
	return true;
}

/* The network namespace of a process, unless it was seen. -1: nothing to visit. */
static int netns_of(struct netns_seen *seen, const char *pid)
{
	char path[64];
	struct stat st;
	int fd;

	snprintf(path, sizeof(path), "/proc/%.20s/ns/net", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0 && fstat(fd, &st) == 0 && netns_new(seen, st.st_ino))
		return fd;
	if (fd >= 0)
		close(fd);
	return -1;
}

static int end_here(struct bpf *bpf, const struct sock_destroyer_work *work)
{
	int count = work->count ? bpf_destroy_reset(bpf, work->uid, work->cookies, work->count) :
				  bpf_destroy_sessions(bpf, work->uid);

	if (count < 0)
		log_warning(
			"open sessions of uid %u could not be ended, their packets are dropped: %s",
			work->uid, strerror(-count));
	return count > 0 ? count : 0;
}

static void end_everywhere(struct bpf *bpf, const struct sock_destroyer_work *work)
{
	static struct netns_seen seen; /* too large for the stack */
	int count;
	struct dirent *entry;
	DIR *proc;

	seen.count = 0;
	close(netns_of(&seen, "self"));
	count = end_here(bpf, work);
	proc = opendir("/proc");
	while (proc && (entry = readdir(proc))) {
		int fd = isdigit((unsigned char)entry->d_name[0]) ? netns_of(&seen, entry->d_name) :
								    -1;

		if (fd >= 0 && setns(fd, CLONE_NEWNET) == 0)
			count += end_here(bpf, work);
		if (fd >= 0)
			close(fd);
	}
	if (proc)
		closedir(proc);
	if (count)
		log_info("%d open sessions of uid %u ended", count, work->uid);
}

/* False: the parent is gone. */
static bool work_next(int fd, struct sock_destroyer_work *work)
{
	struct sock_destroyer_order order;

	if (!child_await(fd, &order, sizeof(order)))
		return false;
	work->uid = order.uid;
	work->count = 0;
	if (!order.cookie)
		return true;
	work->cookies[work->count++] = order.cookie;
	/* One walk for what has gathered behind it. */
	while (work->count < SOCK_DESTROYER_BATCH &&
	       recv(fd, &order, sizeof(order), MSG_DONTWAIT | MSG_PEEK) == sizeof(order) &&
	       order.uid == work->uid && order.cookie) {
		work->cookies[work->count++] = order.cookie;
		child_take(fd, &order, sizeof(order));
	}
	return true;
}

static void sock_destroyer_loop(struct bpf *bpf, int fd)
{
	int home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	struct sock_destroyer_work work;

	while (work_next(fd, &work)) {
		end_everywhere(bpf, &work);
		if (setns(home, CLONE_NEWNET))
			return;
	}
}

static int sock_destroyer_main(void *arg, int fd, pid_t parent)
{
	static const unsigned int keep[] = {CAP_SYS_ADMIN, CAP_SYS_PTRACE, CAP_BPF, CAP_PERFMON,
					    CAP_NET_ADMIN};
	struct bpf *bpf = arg;
	int err;

	bpf_after_fork(bpf);
	err = sandbox_helper("smtpl-destroyer", parent, keep, sizeof(keep) / sizeof(keep[0]));
	if (child_locked_in(fd, err))
		sock_destroyer_loop(bpf, fd);
	return err ? 1 : 0;
}

int sock_destroyer_start(struct sock_destroyer *c, struct bpf *bpf)
{
	return child_start(sock_destroyer_main, bpf, &c->pid, &c->fd);
}

int sock_destroyer_end_session(const struct sock_destroyer *c, uint32_t uid, uint64_t cookie)
{
	const struct sock_destroyer_order order = {.cookie = cookie, .uid = uid};

	if (c->pid <= 0)
		return -ENOTCONN;
	return send(c->fd, &order, sizeof(order), MSG_NOSIGNAL) == sizeof(order) ? 0 : -errno;
}

int sock_destroyer_end_uid(const struct sock_destroyer *c, uint32_t uid)
{
	return sock_destroyer_end_session(c, uid, 0);
}

void sock_destroyer_stop(struct sock_destroyer *c)
{
	child_finish(&c->pid, &c->fd);
}
