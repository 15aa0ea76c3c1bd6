// SPDX-License-Identifier: GPL-2.0-only
/*
 * state_crash_test.c - the state database after a kill -9 and on a full disk: a commit is kept as a
 * whole or not at all, and the next one works.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <cmocka.h>
#include "lib/state_fixture.h"

/* The writer is killed, not the machine: SQLite's fdatasync() ends here, not in libc. */
int fdatasync(int fd)
{
	(void)fd;
	return 0;
}

/* After a kill -9 the log is there and the index over it may not be. */
static void read_recovers_the_log(void **unused)
{
	static char bytes[1 << 20];
	char from[128], to[128];
	struct state *writer;
	struct state_suspension s = suspension_sample();
	static const char *const parts[] = {"", "-wal"};

	(void)unused;
	writer = open_at(&first_boot, STATE_WRITE);
	assert_int_equal(state_put_suspension(writer, &s), 0);
	snprintf(to, sizeof(to), "%s/copy", directory);
	assert_int_equal(mkdir(to, 0700), 0);
	for (int i = 0; i < 2; i++) {
		size_t size;

		snprintf(from, sizeof(from), "%s%s", path, parts[i]);
		snprintf(to, sizeof(to), "%s/copy/state.db%s", directory, parts[i]);
		size = read_file(from, bytes, sizeof(bytes));
		assert_true(size > 0);
		write_file(to, bytes, size);
	}
	state_close(writer);
	snprintf(path, sizeof(path), "%s/copy/state.db", directory);
	writer = open_at(&first_boot, STATE_READ);
	assert_int_equal(only_suspension(writer).kernel.bad, 7);
	state_close(writer);
}

/* Every commit sets the same number in all rows, until killed. */
static void write_until_killed(int ready)
{
	struct state_suspension s = suspension_sample();
	struct state *state;

	if (state_open(path, STATE_WRITE, &state))
		_exit(1);
	for (uint32_t n = 1;; n++) {
		struct state_count count = {.uid = 1, .kernel.failed = n};

		if (state_begin(state))
			_exit(2);
		for (uint32_t uid = 1; uid <= 8; uid++) {
			s.account.uid = uid;
			s.kernel.bad = n;
			if (state_put_suspension(state, &s))
				_exit(3);
		}
		if (state_put_count(state, &count) || state_commit(state))
			_exit(4);
		if (n == 1 && write(ready, "", 1) != 1)
			_exit(5);
	}
}

struct all_equal {
	int count;
	uint32_t n;
};

static int check_equal(void *arg, const struct state_suspension *s)
{
	struct all_equal *all = arg;

	if (all->count++ && all->n != s->kernel.bad)
		return -1;
	all->n = s->kernel.bad;
	return 0;
}

static int keep_failed(void *arg, const struct state_count *count)
{
	*(struct state_count *)arg = *count;
	return 0;
}

static void killed_writer_leaves_whole_commits(void **unused)
{
	int ready[2], status;

	(void)unused;
	srand(getpid());
	for (int round = 0; round < 40; round++) {
		struct all_equal all = {0};
		struct state_count last;
		struct state *state;
		char byte;
		pid_t pid;

		assert_int_equal(pipe(ready), 0);
		pid = fork();
		if (!pid)
			write_until_killed(ready[1]);
		close(ready[1]);
		assert_int_equal(read(ready[0], &byte, 1), 1);
		usleep(rand() % 20000); /* the moment of the kill is the test's input */
		kill(pid, SIGKILL);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFSIGNALED(status));
		close(ready[0]);
		state = open_at(&first_boot, round % 2 ? STATE_READ : STATE_WRITE);
		assert_string_equal(state_error(state), "");
		assert_int_equal(state_each_suspension(state, check_equal, &all), 0);
		assert_int_equal(all.count, 8);
		assert_int_equal(state_each_count(state, keep_failed, &last), 0);
		assert_int_equal(last.kernel.failed, all.n);
		state_close(state);
	}
}

/* In a child with a file system of its own: the number of the step that went wrong, or 0. */
static int fill_the_disk(void)
{
	struct state_count count = {.kernel = {.failed = 1}};
	struct state *state;
	int filler, r = 0, seen = 0, before = 0;
	char name[128];

	if (state_open(path, STATE_WRITE, &state))
		return 1;
	snprintf(name, sizeof(name), "%s/filler", directory);
	filler = open(name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	if (filler < 0 || ftruncate(filler, 0))
		return 2;
	while (write(filler, path, sizeof(path)) > 0)
		;
	if (errno != ENOSPC)
		return 3;
	for (int round = 0; round < 100 && !r; round++) {
		before = seen = 0;
		if (state_each_count(state, count_row, &before) || state_begin(state))
			return 4;
		for (int i = 0; i < 50; i++) {
			snprintf(count.domain, sizeof(count.domain), "%d.%d.%090d", round, i, i);
			state_put_count(state, &count);
		}
		r = state_commit(state);
	}
	if (r != -ENOSPC || !strstr(state_error(state), "no space left"))
		return 5;
	if (state_each_count(state, count_row, &seen) || seen != before)
		return 6;
	if (ftruncate(filler, 0))
		return 7;
	count.uid = 1;
	if (state_begin(state) || state_put_count(state, &count) || state_commit(state))
		return 8;
	seen = 0;
	if (state_each_count(state, count_row, &seen) || seen != before + 1)
		return 9;
	state_close(state);
	if (state_open(path, STATE_WRITE, &state) || state_error(state)[0])
		return 10;
	state_close(state);
	return 0;
}

static bool write_text(const char *name, const char *text)
{
	int fd = open(name, O_WRONLY | O_CLOEXEC);
	bool written = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

	if (fd >= 0)
		close(fd);
	return written;
}

/* Root of a user namespace of its own, for who is not root. */
static bool become_root(void)
{
	char uids[32], gids[32];

	snprintf(uids, sizeof(uids), "0 %u 1", geteuid());
	snprintf(gids, sizeof(gids), "0 %u 1", getegid());
	return !unshare(CLONE_NEWUSER) && write_text("/proc/self/setgroups", "deny") &&
	       write_text("/proc/self/uid_map", uids) && write_text("/proc/self/gid_map", gids);
}

/* A small file system that only this process sees. */
static bool mount_small_disk(void)
{
	return (!geteuid() || become_root()) && !unshare(CLONE_NEWNS) &&
	       !mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) &&
	       !mount("tmpfs", directory, "tmpfs", 0, "size=512k,mode=0700");
}

static void full_disk_keeps_nothing_half(void **unused)
{
	int status;
	pid_t pid = fork();

	(void)unused;
	if (!pid) {
		if (!mount_small_disk())
			_exit(100);
		_exit(fill_the_disk());
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 100) {
		print_message("# no mount namespace here: needs root, or user namespaces\n");
		skip();
	}
	assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STATE_TEST(read_recovers_the_log),
		STATE_TEST(killed_writer_leaves_whole_commits),
		STATE_TEST(full_disk_keeps_nothing_half),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	alarm(120);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
