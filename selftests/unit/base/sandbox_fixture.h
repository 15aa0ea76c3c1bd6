/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * sandbox_fixture.h - runs a function in a child, whose end is all that a test sees of it.
 */
#ifndef SMTPL_TEST_SANDBOX_FIXTURE_H
#define SMTPL_TEST_SANDBOX_FIXTURE_H

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <cmocka.h>
#include <seccomp.h>
#include "base/sandbox.h"

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

/* In a child. */
static void check(bool holds, const char *what)
{
	if (holds)
		return;
	dprintf(STDERR_FILENO, "# in the child: not so: %s (errno %d)\n", what, errno);
	_exit(1);
}
#define CHECK(condition) check(condition, #condition)

/* The system calls by which these tests look around; a real sandbox allows none of them. */
static const int looking[] = {
	SCMP_SYS(write),      SCMP_SYS(capget),	   SCMP_SYS(prctl),	   SCMP_SYS(getresuid),
	SCMP_SYS(getresgid),  SCMP_SYS(getgroups), SCMP_SYS(prlimit64),	   SCMP_SYS(fcntl),
	SCMP_SYS(openat),     SCMP_SYS(mkdir),	   SCMP_SYS(newfstatat),   SCMP_SYS(chdir),
	SCMP_SYS(getdents64), SCMP_SYS(read),	   SCMP_SYS(rt_sigaction),
};

static struct sandbox looking_sandbox(pid_t parent, const int *fds, size_t fds_count)
{
	return (struct sandbox){
		.parent = parent,
		.name = "test",
		.user = "nobody",
		.fds = fds,
		.fds_count = fds_count,
		.syscalls = looking,
		.syscalls_count = COUNT(looking),
		.files = 64,
		.memory_bytes = 64 << 20,
	};
}

static void enter(pid_t parent)
{
	const struct sandbox sandbox = looking_sandbox(parent, NULL, 0);

	CHECK(sandbox_enter(&sandbox) == 0);
}

/* Run `inside` in a child and return its wait status. */
static int in_child(void (*inside)(pid_t parent))
{
	pid_t parent = getpid();
	pid_t pid;
	int status;

	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		inside(parent);
		_exit(0);
	}
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void assert_holds(void (*inside)(pid_t parent))
{
	assert_int_equal(in_child(inside), 0);
}

static void need_root(void)
{
	if (geteuid() != 0)
		skip();
}

#endif
