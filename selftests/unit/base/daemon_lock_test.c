// SPDX-License-Identifier: GPL-2.0-only
/*
 * daemon_lock_test.c - one daemon at a time, commands beside each other, and a signal that reaches
 * the daemon and nobody else. Each holder is a process of its own, since such a lock belongs to
 * one.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>
#include "base/daemon_lock.h"

static char directory[64];
static char run_dir[96];

static int make_directory(void **unused)
{
	(void)unused;
	snprintf(directory, sizeof(directory), "/tmp/smtplimit-daemon.XXXXXX");
	if (!mkdtemp(directory))
		return -1;
	snprintf(run_dir, sizeof(run_dir), "%s/run", directory);
	return 0;
}

static int remove_directory(void **unused)
{
	char lock[128];

	(void)unused;
	snprintf(lock, sizeof(lock), "%s/lock", run_dir);
	unlink(lock);
	rmdir(run_dir);
	rmdir(directory);
	return 0;
}

static void caught(int signal)
{
	(void)signal;
}

/* A process that holds what `get` gives, and then waits for a signal; exits with 7 at SIGUSR1. */
static pid_t start(int (*get)(const char *run_dir, int *fd))
{
	struct sigaction action = {.sa_handler = caught};
	sigset_t block, old;
	int ready[2], fd;
	char answer = 0;
	pid_t pid;

	sigemptyset(&block);
	sigaddset(&block, SIGUSR1);
	assert_int_equal(pipe(ready), 0);
	pid = fork();
	if (!pid) {
		sigaction(SIGUSR1, &action, NULL);
		sigprocmask(SIG_BLOCK, &block, &old);
		answer = get(run_dir, &fd) ? 'n' : 'y';
		if (write(ready[1], &answer, 1) != 1)
			_exit(1);
		sigsuspend(&old);
		_exit(7);
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &answer, 1), 1);
	close(ready[0]);
	assert_int_equal(answer, 'y');
	return pid;
}

static void end(pid_t pid)
{
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void one_daemon(void **unused)
{
	int fd = -1;
	pid_t pid;

	(void)unused;
	assert_int_equal(daemon_lock_pid(run_dir), -ESRCH);
	pid = start(daemon_lock_take);
	assert_int_equal(daemon_lock_take(run_dir, &fd), -EBUSY);
	assert_int_equal(daemon_lock_hold(run_dir, &fd), -EBUSY);
	assert_int_equal(fd, -1);
	assert_int_equal(daemon_lock_pid(run_dir), pid);
	end(pid);
	/* The pid is still in the file, and means nothing. */
	assert_int_equal(daemon_lock_pid(run_dir), -ESRCH);
	assert_int_equal(daemon_lock_signal(run_dir, SIGUSR1), -ESRCH);
	assert_int_equal(daemon_lock_take(run_dir, &fd), 0);
	assert_int_equal(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	close(fd);
}

static void commands_beside_each_other(void **unused)
{
	pid_t pid = start(daemon_lock_hold);
	int fd;

	(void)unused;
	assert_int_equal(daemon_lock_pid(run_dir), -ESRCH);
	assert_int_equal(daemon_lock_hold(run_dir, &fd), 0);
	close(fd);
	end(pid);
}

/* A daemon that starts while a command is at work gets its turn. */
static void daemon_waits_for_commands(void **unused)
{
	pid_t command = start(daemon_lock_hold), daemon;
	int ready[2], fd;
	char answer = 0;

	(void)unused;
	assert_int_equal(pipe(ready), 0);
	daemon = fork();
	if (!daemon) {
		answer = daemon_lock_take(run_dir, &fd) ? 'n' : 'y';
		_exit(write(ready[1], &answer, 1) != 1);
	}
	assert_int_equal(fcntl(ready[0], F_SETFL, O_NONBLOCK), 0);
	assert_int_equal(read(ready[0], &answer, 1), -1);
	end(command);
	assert_int_equal(fcntl(ready[0], F_SETFL, 0), 0);
	assert_int_equal(read(ready[0], &answer, 1), 1);
	assert_int_equal(answer, 'y');
	end(daemon);
	close(ready[0]);
	close(ready[1]);
}

static void signal_reaches_the_daemon(void **unused)
{
	pid_t pid = start(daemon_lock_take);
	int status;

	(void)unused;
	assert_int_equal(daemon_lock_signal(run_dir, SIGUSR1), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 7);
}

/* A child that the daemon has forked does not keep the lock when the daemon is killed. */
static void child_does_not_hold(void **unused)
{
	int ready[2], stop[2], fd;
	pid_t daemon, child = 0;

	(void)unused;
	assert_int_equal(pipe(ready), 0);
	assert_int_equal(pipe(stop), 0);
	daemon = fork();
	if (!daemon) {
		if (daemon_lock_take(run_dir, &fd))
			_exit(1);
		child = fork();
		close(stop[1]);
		if (child && write(ready[1], &child, sizeof(child)) != sizeof(child))
			_exit(1);
		_exit(read(stop[0], &fd, 1) != 0);
	}
	assert_int_equal(read(ready[0], &child, sizeof(child)), sizeof(child));
	assert_int_equal(daemon_lock_pid(run_dir), daemon);
	end(daemon);
	assert_int_equal(kill(child, 0), 0);
	assert_int_equal(daemon_lock_pid(run_dir), -ESRCH);
	close(stop[1]); /* ends the child */
	close(stop[0]);
	close(ready[0]);
	close(ready[1]);
}

static void files_are_made(void **unused)
{
	char lock[128], text[32] = "";
	struct stat st;
	int fd, other;

	(void)unused;
	umask(022);
	assert_int_equal(daemon_lock_take(run_dir, &fd), 0);
	assert_int_equal(stat(run_dir, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0755);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600); /* who may read may lock */
	snprintf(lock, sizeof(lock), "%d\n", getpid());
	assert_int_equal(pread(fd, text, sizeof(text) - 1, 0), strlen(lock));
	assert_string_equal(text, lock);
	close(fd);
	/* A symbolic link is not followed. */
	snprintf(lock, sizeof(lock), "%s/lock", run_dir);
	unlink(lock);
	assert_int_equal(symlink("/dev/null", lock), 0);
	assert_int_equal(daemon_lock_take(run_dir, &other), -ELOOP);
	assert_int_equal(daemon_lock_pid(run_dir), -ELOOP);
}

#define DAEMON_TEST(function)                                                                      \
	cmocka_unit_test_setup_teardown(function, make_directory, remove_directory)

int main(void)
{
	const struct CMUnitTest tests[] = {
		DAEMON_TEST(one_daemon),
		DAEMON_TEST(commands_beside_each_other),
		DAEMON_TEST(daemon_waits_for_commands),
		DAEMON_TEST(signal_reaches_the_daemon),
		DAEMON_TEST(child_does_not_hold),
		DAEMON_TEST(files_are_made),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	alarm(60);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
