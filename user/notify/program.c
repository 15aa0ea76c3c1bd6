// SPDX-License-Identifier: GPL-2.0-only
/*
 * program.c - running a program within bounds.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/clock.h"
#include "program.h"

struct run {
	const struct program *program;
	pid_t pid;
	int end; /* pidfd: it has ended */
	int in;	 /* its standard input; -1: closed */
	int out; /* what it prints; -1: closed */
	size_t written;
	size_t printed;
	char *said;
	size_t said_size;
	bool said_line; /* whole: the rest is not kept */
	int64_t deadline_ms;
};

static void __attribute__((noreturn)) exec_program(const struct program *p, int in, int out)
{
	sigset_t none;

	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	sigemptyset(&none);
	for (int sig = 1; sig < NSIG; sig++)
		signal(sig, SIG_DFL);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (dup2(in, 0) < 0 || dup2(out, 1) < 0 || dup2(out, 2) < 0 || chdir("/"))
		_exit(126);
	close_range(3, ~0U, 0);
	execve(p->argv[0], (char *const *)(uintptr_t)p->argv, (char *const *)(uintptr_t)p->env);
	_exit(127);
}

/* Its ends of the pipes are above 2, which are open in every process that runs programs. */
static int begin(struct run *r)
{
	int in[2], out[2];

	if (pipe2(in, O_CLOEXEC))
		return -errno;
	r->in = in[1];
	if (pipe2(out, O_CLOEXEC)) {
		close(in[0]);
		return -errno;
	}
	r->out = out[0];
	fcntl(r->in, F_SETFL, O_NONBLOCK);
	fcntl(r->out, F_SETFL, O_NONBLOCK);
	r->pid = fork();
	if (r->pid == 0)
		exec_program(r->program, in[0], out[1]);
	close(in[0]);
	close(out[1]);
	if (r->pid < 0)
		return -errno;
	setpgid(r->pid, r->pid); /* the child or we, whoever comes first */
	r->end = pidfd_open(r->pid, 0);
	return r->end < 0 ? -errno : 0;
}

static void close_one(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* A program need not read what it is given. */
static void feed(struct run *r)
{
	const struct program *p = r->program;
	ssize_t n = write(r->in, p->input + r->written, p->input_size - r->written);

	if (n > 0)
		r->written += (size_t)n;
	if (r->written == p->input_size || (n < 0 && errno != EAGAIN && errno != EINTR))
		close_one(&r->in);
}

static void keep_said(struct run *r, const char *bytes, size_t size)
{
	const char *newline = memchr(bytes, '\n', size);
	size_t length = newline ? (size_t)(newline - bytes) : size;

	if (r->said_line)
		return;
	if (length > PROGRAM_SAID_SIZE - 1 - r->said_size)
		length = PROGRAM_SAID_SIZE - 1 - r->said_size;
	memcpy(r->said + r->said_size, bytes, length);
	r->said_size += length;
	r->said[r->said_size] = '\0';
	r->said_line = newline != NULL;
}

/* What it has printed by now. -EFBIG: too much. */
static int drain(struct run *r)
{
	char bytes[4096];

	for (;;) {
		ssize_t n = read(r->out, bytes, sizeof(bytes));

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return 0;
		if (n <= 0) {
			close_one(&r->out);
			return 0;
		}
		keep_said(r, bytes, (size_t)n);
		r->printed += (size_t)n;
		if (r->printed > r->program->output_bytes)
			return -EFBIG;
	}
}

/* Until it ends. A process that it leaves behind may hold its output open: that is no reason to
 * wait. 0, -ETIME, -EFBIG or -errno */
static int attend(struct run *r)
{
	for (;;) {
		struct pollfd fds[] = {{.fd = r->end, .events = POLLIN},
				       {.fd = r->in, .events = POLLOUT},
				       {.fd = r->out, .events = POLLIN}};
		int64_t left_ms = r->deadline_ms - clock_mono_ms();
		int err = 0;

		if (left_ms <= 0)
			return -ETIME;
		if (poll(fds, 3, (int)left_ms) < 0 && errno != EINTR)
			return -errno;
		if (fds[1].revents)
			feed(r);
		if (fds[2].revents || (fds[0].revents && r->out >= 0))
			err = drain(r);
		if (err || fds[0].revents)
			return err;
	}
}

/* Its whole group ends; how the program itself ended. */
static int finish(struct run *r)
{
	int status = 0;

	if (r->pid > 0) {
		kill(-r->pid, SIGKILL);
		while (waitpid(r->pid, &status, 0) < 0 && errno == EINTR)
			;
	}
	close_one(&r->end);
	close_one(&r->in);
	close_one(&r->out);
	return status;
}

static int ending(int err, int status, char *how)
{
	*how = '\0';
	if (err == -ETIME)
		snprintf(how, PROGRAM_SAID_SIZE, "took too long");
	else if (err == -EFBIG)
		snprintf(how, PROGRAM_SAID_SIZE, "printed too much");
	else if (err)
		snprintf(how, PROGRAM_SAID_SIZE, "could not be run: %s", strerror(-err));
	else if (WIFSIGNALED(status))
		snprintf(how, PROGRAM_SAID_SIZE, "was ended by signal %d", WTERMSIG(status));
	else if (WEXITSTATUS(status))
		snprintf(how, PROGRAM_SAID_SIZE, "failed with status %d", WEXITSTATUS(status));
	return !err && status ? -ECHILD : err;
}

int program_run(const struct program *p, char *how, char *said)
{
	struct run r = {.program = p, .end = -1, .in = -1, .out = -1, .said = said};
	int err, status;

	*said = '\0';
	r.deadline_ms = clock_mono_ms() + p->time_ms;
	err = begin(&r);
	if (!err)
		err = attend(&r);
	status = finish(&r);
	return ending(err, status, how);
}
