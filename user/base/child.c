/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * child.c - how each process beside the daemon starts, takes orders and ends.
 */
#include "child.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <time.h>
#include <unistd.h>
#include <sys/socket.h>
#include <sys/wait.h>

#define START_TIMEOUT_MS 5000
#define START_GRACE_MS	 1000
#define END_TIMEOUT_MS	 5000

static int await(int fd, short events, int ms)
{
	struct pollfd ready = {.fd = fd, .events = events};
	int n;

	do
		n = poll(&ready, 1, ms);
	while (n < 0 && errno == EINTR);
	return n;
}

/* The child's word that it is locked in, or why not. */
static int await_child(int fd)
{
	int err;
	int n = await(fd, POLLIN, START_TIMEOUT_MS);

	/* The whole machine may have stood still, and so the child. */
	if (n == 0)
		n = await(fd, POLLIN, START_GRACE_MS);
	if (n <= 0)
		return n < 0 ? -errno : -ETIMEDOUT;
	return recv(fd, &err, sizeof(err), MSG_DONTWAIT) == sizeof(err) ? err : -ECHILD;
}

/* A child of its own dies with it, but may have to wait in the kernel before: it holds the other
 * end. */
static void end(pid_t pid, int fd)
{
	kill(pid, SIGKILL);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	await(fd, 0, END_TIMEOUT_MS);
	close(fd);
}

int child_start(child_main run, void *arg, pid_t *pid, int *fd)
{
	pid_t self = getpid(), child;
	int pair[2], err;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair))
		return -errno;
	child = fork();
	if (child == 0) {
		close(pair[0]);
		_exit(run(arg, pair[1], self));
	}
	err = child < 0 ? -errno : 0;
	close(pair[1]);
	if (err) {
		close(pair[0]);
		return err;
	}
	err = await_child(pair[0]);
	if (err) {
		end(child, pair[0]);
		return err;
	}
	*pid = child;
	*fd = pair[0];
	return 0;
}

bool child_locked_in(int fd, int err)
{
	return send(fd, &err, sizeof(err), MSG_NOSIGNAL) == sizeof(err) && err == 0;
}

void child_stop(pid_t *pid, int *fd)
{
	if (*pid <= 0)
		return;
	end(*pid, *fd);
	*pid = 0;
	*fd = -1;
}

void child_finish(pid_t *pid, int *fd)
{
	if (*pid > 0 && shutdown(*fd, SHUT_WR) == 0)
		await(*fd, 0, END_TIMEOUT_MS);
	child_stop(pid, fd);
}

bool child_await(int fd, void *record, size_t size)
{
	return await(fd, POLLIN, -1) == 1 && child_take(fd, record, size) == 1;
}

int child_take(int fd, void *record, size_t size)
{
	ssize_t got;

	/* MSG_TRUNC: the record's own length, so that a longer one is not taken for ours. */
	do
		got = recv(fd, record, size, MSG_DONTWAIT | MSG_TRUNC);
	while (got < 0 && errno == EINTR);
	if (got < 0)
		return errno == EAGAIN ? 0 : -EPIPE;
	if (got == 0)
		return -EPIPE;
	return (size_t)got == size ? 1 : -EMSGSIZE;
}
