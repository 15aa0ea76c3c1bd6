// SPDX-License-Identifier: GPL-2.0-only
/*
 * program.c - running a program within bounds.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>
#include "clock.h"
#include "program.h"

/* One that it prints into. */
struct stream {
	int fd; /* our end; -1: closed */
	int its;
	struct program_text *text;
};

struct run {
	const struct program *program;
	pid_t pid;
	int end; /* pidfd: it has ended */
	int in;	 /* its standard input; -1: closed */
	int its_in;
	struct stream out, err;
	size_t written;
	size_t printed;
	int64_t deadline_ms;
};

static void enter(const struct program *p)
{
	/* Where that is not allowed the program does without. */
	if (p->host_name && !unshare(CLONE_NEWUTS) &&
	    sethostname(p->host_name, strlen(p->host_name)))
		_exit(126);
	if (p->root && p->root[0] && chroot(p->root))
		_exit(126);
	if (chdir("/"))
		_exit(126);
}

static void __attribute__((noreturn)) exec_program(const struct run *r)
{
	const struct program *p = r->program;
	sigset_t none;

	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	sigemptyset(&none);
	for (int sig = 1; sig < NSIG; sig++)
		signal(sig, SIG_DFL);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (dup2(r->its_in, 0) < 0 || dup2(r->out.its, 1) < 0 || dup2(r->err.its, 2) < 0)
		_exit(126);
	close_range(3, ~0U, 0);
	enter(p);
	environ = (char **)(uintptr_t)p->env;
	execvp(p->argv[0], (char *const *)(uintptr_t)p->argv);
	_exit(127);
}

static void close_one(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static int open_pipe(int *ours, int *its, bool we_read)
{
	int fd[2];

	if (pipe2(fd, O_CLOEXEC))
		return -errno;
	*ours = fd[!we_read];
	*its = fd[we_read];
	return fcntl(*ours, F_SETFL, O_NONBLOCK) ? -errno : 0;
}

/* Bytes go through as they are. */
static int open_terminal(int *ours, int *its)
{
	struct termios raw;

	*ours = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
	if (*ours < 0 || grantpt(*ours) || unlockpt(*ours))
		return -errno;
	*its = ioctl(*ours, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (*its < 0 || tcgetattr(*its, &raw))
		return -errno;
	cfmakeraw(&raw);
	return tcsetattr(*its, TCSANOW, &raw) ? -errno : 0;
}

/* A host without terminals has a pipe in its place. */
static int open_err(struct run *r)
{
	if (r->program->terminal && !open_terminal(&r->err.fd, &r->err.its))
		return 0;
	close_one(&r->err.fd);
	close_one(&r->err.its);
	return open_pipe(&r->err.fd, &r->err.its, true);
}

static void close_its(struct run *r)
{
	close_one(&r->its_in);
	close_one(&r->out.its);
	close_one(&r->err.its);
}

/* Its ends of the pipes are above 2, which are open in every process that runs programs. */
static int begin(struct run *r)
{
	int err = open_pipe(&r->in, &r->its_in, false);

	err = err ? err : open_pipe(&r->out.fd, &r->out.its, true);
	err = err ? err : open_err(r);
	if (!err) {
		r->pid = fork();
		if (r->pid == 0)
			exec_program(r);
		err = r->pid < 0 ? -errno : 0;
	}
	close_its(r);
	if (err)
		return err;
	setpgid(r->pid, r->pid); /* the child or we, whoever comes first */
	r->end = pidfd_open(r->pid, 0);
	return r->end < 0 ? -errno : 0;
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

static void keep(struct program_text *to, const char *bytes, size_t size)
{
	if (!to->room)
		return;
	if (size > to->room - 1 - to->size)
		size = to->room - 1 - to->size;
	memcpy(to->text + to->size, bytes, size);
	to->size += size;
	to->text[to->size] = '\0';
}

/* What it has printed by now. -EFBIG: too much. */
static int drain(struct run *r, struct stream *stream)
{
	char bytes[4096];

	while (stream->fd >= 0) {
		ssize_t n = read(stream->fd, bytes, sizeof(bytes));

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return 0;
		if (n <= 0) { /* EIO is the end of a terminal */
			close_one(&stream->fd);
			return 0;
		}
		keep(stream->text, bytes, (size_t)n);
		r->printed += (size_t)n;
		if (r->printed > r->program->output_bytes)
			return -EFBIG;
	}
	return 0;
}

/* Until it ends. A process that it leaves behind may hold its output open: that is no reason to
 * wait. 0, -ETIME, -EFBIG or -errno */
static int attend(struct run *r)
{
	for (;;) {
		struct pollfd fds[] = {{.fd = r->end, .events = POLLIN},
				       {.fd = r->in, .events = POLLOUT},
				       {.fd = r->out.fd, .events = POLLIN},
				       {.fd = r->err.fd, .events = POLLIN}};
		int64_t left_ms = r->deadline_ms - clock_mono_ms();
		int err = 0;

		if (left_ms <= 0)
			return -ETIME;
		if (poll(fds, 4, (int)left_ms) < 0 && errno != EINTR)
			return -errno;
		if (fds[1].revents)
			feed(r);
		if (fds[2].revents || fds[0].revents)
			err = drain(r, &r->out);
		if (!err && (fds[3].revents || fds[0].revents))
			err = drain(r, &r->err);
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
	close_one(&r->out.fd);
	close_one(&r->err.fd);
	return status;
}

static int ending(int err, int status, char *how)
{
	*how = '\0';
	if (err == -ETIME)
		snprintf(how, PROGRAM_HOW_SIZE, "took too long");
	else if (err == -EFBIG)
		snprintf(how, PROGRAM_HOW_SIZE, "printed too much");
	else if (err)
		snprintf(how, PROGRAM_HOW_SIZE, "could not be run: %s", strerror(-err));
	else if (WIFSIGNALED(status))
		snprintf(how, PROGRAM_HOW_SIZE, "was ended by signal %d", WTERMSIG(status));
	else if (WEXITSTATUS(status))
		snprintf(how, PROGRAM_HOW_SIZE, "failed with status %d", WEXITSTATUS(status));
	return !err && status ? -ECHILD : err;
}

static void empty(struct program_text *text)
{
	text->size = 0;
	if (text->room)
		text->text[0] = '\0';
}

int program_run(const struct program *p, struct program_result *result)
{
	struct run r = {.program = p,
			.end = -1,
			.in = -1,
			.its_in = -1,
			.out = {-1, -1, &result->out},
			.err = {-1, -1, &result->err}};
	int err;

	empty(&result->out);
	empty(&result->err);
	r.deadline_ms = clock_mono_ms() + p->time_ms;
	err = begin(&r);
	if (!err)
		err = attend(&r);
	result->status = finish(&r);
	return ending(err, result->status, result->how);
}

void program_said(const struct program_result *result, char *line, size_t size)
{
	bool good = !result->how[0];
	const struct program_text *first = good ? &result->out : &result->err;
	const struct program_text *other = good ? &result->err : &result->out;
	const char *text = first->size ? first->text : other->size ? other->text : "";

	snprintf(line, size, "%.*s", (int)strcspn(text, "\n"), text);
}
