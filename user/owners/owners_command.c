// SPDX-License-Identifier: GPL-2.0-only
/*
 * owners_command.c - the child that runs the administrator's command for the owners of domains, and
 * the daemon's end of the socket pair. The output comes back as a sealed memfd.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "base/child.h"
#include "base/clock.h"
#include "base/log.h"
#include "owners_command.h"

#define SAID_SIZE 256
#define CHILD_FD  3 /* its end of the socket pair; 0 to 2 are /dev/null and the log */

enum ending {
	ENDED = 0, /* `status` says how */
	ENDED_LATE,
	ENDED_LARGE,
	ENDED_NEVER_BEGUN, /* `status` is an errno */
};

/* From the child, with the memfd when all went well. */
struct answer {
	uint32_t ending; /* enum ending */
	int32_t status;
	char said[SAID_SIZE]; /* first line on stderr, as it came; ends with a NUL */
};

struct run {
	const struct owners_command_limits *limits;
	pid_t pid;
	int out; /* of the command; -1: closed */
	int err;
	int memory; /* what it printed */
	size_t printed;
	size_t said;
	bool said_line; /* whole: the rest is not kept */
	int64_t deadline_ms;
	struct answer answer;
};

/* --- in the grandchild: the command --------------------------------------------------------- */

/* It gets a group of its own, so that all of it can be ended. The environment of a service has
 * neither PATH nor HOME. */
static void __attribute__((noreturn)) exec_command(const char *command, int out, int err)
{
	int null = open("/dev/null", O_RDONLY);

	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (null < 0 || dup2(null, 0) < 0 || dup2(out, 1) < 0 || dup2(err, 2) < 0)
		_exit(126);
	close_range(3, ~0U, 0);
	unsetenv("NOTIFY_SOCKET");
	setenv("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", 0);
	setenv("HOME", "/root", 0);
	execl("/bin/sh", "sh", "-c", command, (char *)NULL);
	_exit(127);
}

/* --- in the child --------------------------------------------------------------------------- */

static int begin(struct run *run, const char *command)
{
	int out[2], err[2];

	run->memory = memfd_create("owners", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (run->memory < 0 || pipe2(out, O_CLOEXEC))
		return -errno;
	run->out = out[0];
	if (pipe2(err, O_CLOEXEC)) {
		close(out[1]);
		return -errno;
	}
	run->err = err[0];
	run->pid = fork();
	if (run->pid == 0)
		exec_command(command, out[1], err[1]);
	close(out[1]);
	close(err[1]);
	if (run->pid < 0)
		return -errno;
	setpgid(run->pid, run->pid); /* the child or we, whoever comes first */
	return 0;
}

static void keep_said(struct run *run, const char *bytes, size_t size)
{
	const char *newline = memchr(bytes, '\n', size);
	size_t length = newline ? (size_t)(newline - bytes) : size;

	if (run->said_line)
		return;
	if (length > SAID_SIZE - 1 - run->said)
		length = SAID_SIZE - 1 - run->said;
	memcpy(run->answer.said + run->said, bytes, length);
	run->said += length;
	run->said_line = newline != NULL;
}

/* -EFBIG, or -errno of the memory. */
static int keep_printed(struct run *run, const char *bytes, size_t size)
{
	if (size > run->limits->output_bytes - run->printed)
		return -EFBIG;
	run->printed += size;
	while (size) {
		ssize_t n = write(run->memory, bytes, size);

		if (n < 0)
			return -errno;
		bytes += n;
		size -= (size_t)n;
	}
	return 0;
}

/* Take what a pipe has; closes it at its end. */
static int drain(struct run *run, int *fd)
{
	char bytes[65536];
	ssize_t n = read(*fd, bytes, sizeof(bytes));

	if (n > 0 && fd == &run->out)
		return keep_printed(run, bytes, (size_t)n);
	if (n > 0)
		keep_said(run, bytes, (size_t)n);
	if (n > 0 || errno == EINTR)
		return 0;
	close(*fd);
	*fd = -1;
	return 0;
}

/* Until it has closed both. 0; -ETIME; -EFBIG; -errno. */
static int collect(struct run *run)
{
	while (run->out >= 0 || run->err >= 0) {
		struct pollfd fds[] = {{.fd = run->out, .events = POLLIN},
				       {.fd = run->err, .events = POLLIN}};
		int64_t left_ms = run->deadline_ms - clock_mono_ms();
		int err = 0;

		if (left_ms <= 0)
			return -ETIME;
		if (poll(fds, 2, (int)left_ms) < 0 && errno != EINTR)
			return -errno;
		errno = 0;
		if (fds[0].revents)
			err = drain(run, &run->out);
		if (!err && fds[1].revents)
			err = drain(run, &run->err);
		if (err)
			return err;
	}
	return 0;
}

/* It may have closed its output and go on. */
static int wait_for_end(struct run *run)
{
	struct pollfd end = {.fd = pidfd_open(run->pid, 0), .events = POLLIN};
	int64_t left_ms = run->deadline_ms - clock_mono_ms();
	int n;

	if (end.fd < 0)
		return -errno;
	n = poll(&end, 1, left_ms > 0 ? (int)left_ms : 0);
	close(end.fd);
	if (n <= 0)
		return n < 0 ? -errno : -ETIME;
	n = waitpid(run->pid, &run->answer.status, 0);
	run->pid = 0;
	return n < 0 ? -errno : 0;
}

static void end(struct run *run)
{
	int fds[] = {run->out, run->err};

	if (run->pid > 0) {
		kill(-run->pid, SIGKILL);
		waitpid(run->pid, NULL, 0);
	}
	for (size_t i = 0; i < 2; i++)
		if (fds[i] >= 0)
			close(fds[i]);
}

static void run_command(struct run *run, const char *command)
{
	int err = begin(run, command);

	run->deadline_ms = clock_mono_ms() + run->limits->time_ms;
	if (!err)
		err = collect(run);
	if (!err)
		err = wait_for_end(run);
	end(run);
	if (!err && fcntl(run->memory, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW))
		err = -errno;
	if (!err)
		return;
	run->answer.ending = err == -ETIME ? ENDED_LATE :
			     err == -EFBIG ? ENDED_LARGE :
					     ENDED_NEVER_BEGUN;
	run->answer.status = -err;
}

static int send_answer(int fd, const struct answer *answer, int memory)
{
	char control[CMSG_SPACE(sizeof(int))]
		__attribute__((aligned(__alignof__(struct cmsghdr)))) = {0};
	struct iovec bytes = {.iov_base = (void *)(uintptr_t)answer, .iov_len = sizeof(*answer)};
	struct msghdr message = {.msg_iov = &bytes, .msg_iovlen = 1};
	struct cmsghdr *head;

	if (answer->ending == ENDED && answer->status == 0) {
		message.msg_control = control;
		message.msg_controllen = sizeof(control);
		head = CMSG_FIRSTHDR(&message);
		head->cmsg_level = SOL_SOCKET;
		head->cmsg_type = SCM_RIGHTS;
		head->cmsg_len = CMSG_LEN(sizeof(memory));
		memcpy(CMSG_DATA(head), &memory, sizeof(memory));
	}
	return sendmsg(fd, &message, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

static void serve(const char *command, const struct owners_command_limits *limits)
{
	char ask;
	int err = 0;

	while (!err && child_await(CHILD_FD, &ask, sizeof(ask))) {
		struct run run = {.limits = limits, .out = -1, .err = -1, .memory = -1};

		run_command(&run, command);
		err = send_answer(CHILD_FD, &run.answer, run.memory);
		if (run.memory >= 0)
			close(run.memory);
	}
}

/* Nothing of the daemon's stays but the log: no other descriptor, no signal mask. */
static int make_clean(int fd)
{
	int null = open("/dev/null", O_RDWR);
	sigset_t none;

	sigemptyset(&none);
	for (int sig = 1; sig < NSIG; sig++)
		signal(sig, SIG_DFL);
	signal(SIGINT, SIG_IGN);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (null < 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0)
		return -errno;
	if (fd != CHILD_FD && dup3(fd, CHILD_FD, O_CLOEXEC) < 0)
		return -errno;
	return close_range(CHILD_FD + 1, ~0U, 0) || chdir("/") ? -errno : 0;
}

struct child_args {
	const char *command;
	const struct owners_command_limits *limits;
};

static int child_run(void *arg, int fd, pid_t parent)
{
	const struct child_args *args = arg;
	int err = 0;

	prctl(PR_SET_NAME, "smtpl-owners");
	if (prctl(PR_SET_PDEATHSIG, SIGKILL))
		err = -errno;
	if (!err)
		err = getppid() == parent ? make_clean(fd) : -ESRCH;
	if (child_locked_in(err ? fd : CHILD_FD, err))
		serve(args->command, args->limits);
	return err ? 1 : 0;
}

/* --- in the daemon -------------------------------------------------------------------------- */

int owners_command_start(struct owners_command *c, const char *command,
			 const struct owners_command_limits *limits)
{
	struct child_args args = {.command = command, .limits = limits};

	return child_start(child_run, &args, &c->pid, &c->fd);
}

int owners_command_ask(const struct owners_command *c)
{
	char ask = 1;

	if (!c->pid)
		return -ENOTCONN;
	return send(c->fd, &ask, sizeof(ask), MSG_NOSIGNAL) == sizeof(ask) ? 0 : -errno;
}

static int receive(int fd, struct answer *answer, int *memory)
{
	char control[CMSG_SPACE(sizeof(int))] __attribute__((aligned(__alignof__(struct cmsghdr))));
	struct iovec bytes = {.iov_base = answer, .iov_len = sizeof(*answer)};
	struct msghdr message = {.msg_iov = &bytes,
				 .msg_iovlen = 1,
				 .msg_control = control,
				 .msg_controllen = sizeof(control)};
	ssize_t n = recvmsg(fd, &message, MSG_CMSG_CLOEXEC);
	struct cmsghdr *head = n > 0 ? CMSG_FIRSTHDR(&message) : NULL;

	*memory = -1;
	if (n < 0 && errno == EAGAIN)
		return -EAGAIN;
	if (head && head->cmsg_level == SOL_SOCKET && head->cmsg_type == SCM_RIGHTS)
		memcpy(memory, CMSG_DATA(head), sizeof(*memory));
	answer->said[SAID_SIZE - 1] = '\0';
	return n == sizeof(*answer) ? 0 : -EPIPE;
}

static void describe_ending(const struct answer *answer, char *error, size_t error_size)
{
	char said[4 * SAID_SIZE], how[128];

	if (answer->ending == ENDED_LATE)
		snprintf(how, sizeof(how), "took too long");
	else if (answer->ending == ENDED_LARGE)
		snprintf(how, sizeof(how), "printed too much");
	else if (answer->ending == ENDED_NEVER_BEGUN)
		snprintf(how, sizeof(how), "could not be run: %s", strerror(answer->status));
	else if (WIFSIGNALED(answer->status))
		snprintf(how, sizeof(how), "was ended by signal %d", WTERMSIG(answer->status));
	else
		snprintf(how, sizeof(how), "failed with status %d", WEXITSTATUS(answer->status));
	log_escape(answer->said, SAID_SIZE, 1, said, sizeof(said));
	snprintf(error, error_size, "the command %s%s%s%s", how, *said ? ", and said \"" : "", said,
		 *said ? "\"" : "");
}

static int map_output(int memory, const char **output, size_t *output_size)
{
	struct stat st;
	void *bytes;

	if (fstat(memory, &st))
		return -errno;
	*output_size = (size_t)st.st_size;
	*output = "";
	if (!st.st_size)
		return 0;
	bytes = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, memory, 0);
	if (bytes == MAP_FAILED)
		return -errno;
	*output = bytes;
	return 0;
}

int owners_command_answer(const struct owners_command *c, const char **output, size_t *output_size,
			  char *error, size_t error_size)
{
	struct answer answer = {0};
	int memory, err;

	if (!c->pid)
		return -EAGAIN;
	err = receive(c->fd, &answer, &memory);
	if (err == -EPIPE)
		snprintf(error, error_size, "the process that runs the command is gone");
	if (err)
		return err;
	if (answer.ending != ENDED || answer.status || memory < 0) {
		describe_ending(&answer, error, error_size);
		err = -ECHILD;
	} else if ((err = map_output(memory, output, output_size))) {
		snprintf(error, error_size, "the command's output: %s", strerror(-err));
		err = -ECHILD;
	}
	if (memory >= 0)
		close(memory);
	return err;
}

void owners_command_done(const char *output, size_t output_size)
{
	if (output_size)
		munmap((void *)(uintptr_t)output, output_size);
}

/* The child may be waiting for the command, which dies with it. */
void owners_command_stop(struct owners_command *c)
{
	child_stop(&c->pid, &c->fd);
}
