/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * owners_command_test.c - the child that runs the administrator's command: what it printed comes
 * back whole, every way to fail is told, nothing of the caller's reaches the command, nothing of
 * the command is left.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "owners/owners_command.h"

static const struct owners_command_limits limits = {.time_ms = 10000, .output_bytes = 100000};
static struct owners_command command;
static const char *output;
static size_t output_size;
static char error[2048];

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000ll + now.tv_nsec / 1000000;
}

static void start(const char *text, const struct owners_command_limits *within)
{
	assert_int_equal(owners_command_start(&command, text, within), 0);
	assert_int_equal(
		owners_command_answer(&command, &output, &output_size, error, sizeof(error)),
		-EAGAIN);
}

/* Ask, and wait for the answer as the daemon's loop would. */
static int ask(void)
{
	struct pollfd answered = {.fd = command.fd, .events = POLLIN};

	output = NULL;
	output_size = 99;
	error[0] = '\0';
	assert_int_equal(owners_command_ask(&command), 0);
	assert_int_equal(poll(&answered, 1, 20000), 1);
	return owners_command_answer(&command, &output, &output_size, error, sizeof(error));
}

static void expect_output(const char *text, const char *expected)
{
	start(text, &limits);
	if (ask())
		fail_msg("%s", error);
	assert_int_equal(output_size, strlen(expected));
	assert_memory_equal(output, expected, output_size);
	owners_command_done(output, output_size);
	owners_command_stop(&command);
}

static void expect_failure(const char *text, const struct owners_command_limits *within,
			   const char *expected)
{
	start(text, within);
	assert_int_equal(ask(), -ECHILD);
	assert_string_equal(error, expected);
	owners_command_stop(&command);
}

static void test_output(void **state)
{
	(void)state;
	expect_output("echo a: b; printf 'c: %s\\n' d; echo ignored >&2", "a: b\nc: d\n");
	expect_output("exit 0", "");
	/* More than a pipe holds, on both. */
	start("head -c 100000 /dev/zero; head -c 100000 /dev/zero >&2", &limits);
	assert_int_equal(ask(), 0);
	assert_int_equal(output_size, 100000);
	owners_command_done(output, output_size);
	/* And again, with the same child. */
	assert_int_equal(ask(), 0);
	assert_int_equal(output_size, 100000);
	owners_command_done(output, output_size);
	owners_command_stop(&command);
}

static void test_failures(void **state)
{
	char long_line[512] = "printf '", expected[512];

	(void)state;
	expect_failure("exit 3", &limits, "the command failed with status 3");
	expect_failure("echo a: b; printf '\\n'; false", &limits,
		       "the command failed with status 1");
	expect_failure("printf 'no \\033[2Jdatabase\\nsecond\\n' >&2; exit 1", &limits,
		       "the command failed with status 1, and said \"no \\x1b[2Jdatabase\"");
	expect_failure("printf 'no end' >&2; exit 1", &limits,
		       "the command failed with status 1, and said \"no end\"");
	expect_failure("kill -SEGV $$", &limits, "the command was ended by signal 11");
	expect_failure("/nonexistent/command 2>/dev/null", &limits,
		       "the command failed with status 127");
	memset(long_line + 8, 'x', 400);
	strcpy(long_line + 408, "' >&2; exit 1");
	snprintf(expected, sizeof(expected),
		 "the command failed with status 1, and said \"%.255s\"", long_line + 8);
	expect_failure(long_line, &limits, expected);
}

static void test_too_much(void **state)
{
	(void)state;
	expect_failure("head -c 100001 /dev/zero", &limits, "the command printed too much");
	expect_failure("yes", &limits, "the command printed too much");
}

static bool is_gone(pid_t pid)
{
	return kill(pid, 0) && errno == ESRCH;
}

/* A process that was killed is there until whoever inherited it has noticed. */
static void wait_until_gone(pid_t pid)
{
	const struct timespec pause = {.tv_nsec = 5000000};
	int64_t end_ms = now_ms() + 10000;
	char path[64], text[256] = "";
	FILE *f;

	while (!is_gone(pid) && now_ms() < end_ms) {
		snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
		f = fopen(path, "r");
		if (f && fgets(text, sizeof(text), f) && strstr(text, ") Z"))
			end_ms = 0;
		if (f)
			fclose(f);
		nanosleep(&pause, NULL);
	}
	assert_true(is_gone(pid) || end_ms == 0);
}

/* The pids that the command wrote into a file, one a line. */
static size_t read_pids(const char *path, pid_t pids[4])
{
	FILE *f = fopen(path, "r");
	size_t count = 0;

	assert_non_null(f);
	while (count < 4 && fscanf(f, "%d", &pids[count]) == 1)
		count++;
	fclose(f);
	return count;
}

static void test_too_late(void **state)
{
	static const struct owners_command_limits soon = {.time_ms = 300, .output_bytes = 1000};
	char path[] = "/tmp/smtplimit-command-XXXXXX", text[256];
	int64_t begin_ms;
	pid_t pids[4];

	(void)state;
	close(mkstemp(path));
	snprintf(text, sizeof(text),
		 "echo $$ > %s; (echo late >&2; sleep 61) & echo $! >> %s; wait", path, path);
	begin_ms = now_ms();
	expect_failure(text, &soon, "the command took too long, and said \"late\"");
	assert_in_range(now_ms() - begin_ms, 300, 5000);
	assert_int_equal(read_pids(path, pids), 2);
	wait_until_gone(pids[0]);
	wait_until_gone(pids[1]);

	/* Closing its output does not buy it time. */
	expect_failure("exec >&- 2>&-; exec sleep 62", &soon, "the command took too long");
	unlink(path);
}

static void test_never_waits(void **state)
{
	char path[] = "/tmp/smtplimit-command-XXXXXX", text[128];
	struct stat st = {0};
	int64_t begin_ms;
	pid_t pids[4];

	(void)state;
	close(mkstemp(path));
	snprintf(text, sizeof(text), "echo $$ > %s; exec sleep 63", path);
	start(text, &limits);
	begin_ms = now_ms();
	assert_int_equal(owners_command_ask(&command), 0);
	assert_int_equal(
		owners_command_answer(&command, &output, &output_size, error, sizeof(error)),
		-EAGAIN);
	while (!stat(path, &st) && !st.st_size && now_ms() < begin_ms + 10000)
		;
	assert_int_equal(read_pids(path, pids), 1);
	owners_command_stop(&command);
	assert_true(now_ms() < begin_ms + 5000);
	assert_int_equal(command.pid, 0);
	wait_until_gone(pids[0]);
	assert_int_equal(owners_command_ask(&command), -ENOTCONN);
	unlink(path);
}

/* Where the daemon ends before it has begun: nobody is killed, no descriptor closed. */
static void test_none(void **state)
{
	struct owners_command none = {0};
	int standing = dup(0);

	(void)state;
	assert_int_equal(owners_command_ask(&none), -ENOTCONN);
	assert_int_equal(owners_command_answer(&none, &output, &output_size, error, sizeof(error)),
			 -EAGAIN);
	owners_command_stop(&none);
	assert_int_equal(fcntl(0, F_GETFD), standing < 0 ? -1 : 0);
	close(standing);
}

static void test_child_gone(void **state)
{
	struct pollfd gone;

	(void)state;
	start("echo a", &limits);
	kill(command.pid, SIGKILL);
	gone = (struct pollfd){.fd = command.fd, .events = POLLIN};
	assert_int_equal(poll(&gone, 1, 10000), 1);
	assert_int_equal(
		owners_command_answer(&command, &output, &output_size, error, sizeof(error)),
		-EPIPE);
	assert_string_equal(error, "the process that runs the command is gone");
	assert_int_equal(owners_command_ask(&command), -EPIPE);
	owners_command_stop(&command);
}

static size_t count_descriptors(pid_t pid)
{
	struct dirent *entry;
	char path[64];
	size_t count = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	dir = opendir(path);
	assert_non_null(dir);
	while ((entry = readdir(dir)))
		count += entry->d_name[0] != '.';
	closedir(dir);
	return count;
}

/* The child closes what it has handed over only behind its answer. */
static void await_descriptors(pid_t pid, size_t count)
{
	int64_t until_ms = now_ms() + 10000;

	while (count_descriptors(pid) != count && now_ms() < until_ms)
		sched_yield();
	assert_int_equal(count_descriptors(pid), count);
}

/* 0 to 2, and the directory that is being listed; no blocked or ignored signal; a group of its own.
 * */
static void test_nothing_inherited(void **state)
{
	int fds[] = {open("/dev/null", O_RDWR), dup(0), dup(1)};
	sigset_t all;

	(void)state;
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, NULL);
	signal(SIGPIPE, SIG_IGN);
	setenv("NOTIFY_SOCKET", "/run/x", 1);
	start("ls -1 /proc/self/fd | wc -l; readlink /proc/self/fd/0; pwd;"
	      "grep SigBlk /proc/self/status;"
	      /* Not the two that are libc's own, which posix_spawn() has ignored. */
	      "echo $((0x$(sed -n 's/^SigIgn:.//p' /proc/self/status) & 0x7fffffff));"
	      "echo \"${NOTIFY_SOCKET-none}\"",
	      &limits);
	sigemptyset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	signal(SIGPIPE, SIG_DFL);
	unsetenv("NOTIFY_SOCKET");
	assert_int_equal(ask(), 0);
	/* Of the child itself: those three and its end. */
	await_descriptors(command.pid, 4);
	/* Interrupts of the terminal are the daemon's. */
	assert_int_equal(output_size,
			 strlen("4\n/dev/null\n/\nSigBlk:\t0000000000000000\n2\nnone\n"));
	assert_memory_equal(output, "4\n/dev/null\n/\nSigBlk:\t0000000000000000\n2\nnone\n",
			    output_size);
	owners_command_done(output, output_size);
	owners_command_stop(&command);
	for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++)
		close(fds[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_output),
		cmocka_unit_test(test_failures),
		cmocka_unit_test(test_too_much),
		cmocka_unit_test(test_too_late),
		cmocka_unit_test(test_never_waits),
		cmocka_unit_test(test_child_gone),
		cmocka_unit_test(test_nothing_inherited),
		cmocka_unit_test(test_none),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("owners_command", tests, NULL, NULL);
}
