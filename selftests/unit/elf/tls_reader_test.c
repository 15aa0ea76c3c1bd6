/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * tls_reader_test.c - the child that reads files: its plans are those that the caller would make,
 * many files do it no harm, and one that hangs, dies or lies is noticed, ended and replaced.
 */
#include <dirent.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include "base/clock.h"
#include "base/child.h"
#include "tls_plan_fixture.h"
#include "elf/tls_reader.h"

static struct tls_reader reader = {.fd = -1};

static int open_file(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

static int ask(const char *path, struct tls_plan *plan)
{
	int file = open_file(path);
	int err = tls_reader_plan(&reader, file, plan);

	assert_int_equal(close(file), 0); /* it stayed ours */
	return err;
}

static void expect_plan(const char *path)
{
	struct tls_plan here = {0}, plan;

	memset(&plan, 0xee, sizeof(plan));
	assert_int_equal(read_plan(path, &here), 0);
	assert_int_equal(ask(path, &plan), 0);
	assert_memory_equal(&plan, &here, sizeof(plan));
}

static void expect_failure(const char *path, int expected)
{
	struct tls_plan plan, before;

	memset(&plan, 0xee, sizeof(plan));
	before = plan;
	assert_int_equal(ask(path, &plan), expected);
	assert_memory_equal(&plan, &before, sizeof(plan));
}

static void expect_no_child(void)
{
	assert_int_equal(reader.pid, 0);
	assert_int_equal(reader.fd, -1);
}

static size_t open_fds(void)
{
	DIR *fds = opendir("/proc/self/fd");
	size_t count = 0;

	while (readdir(fds))
		count++;
	closedir(fds);
	return count;
}

static void test_plans(void **state)
{
	size_t fds = open_fds();
	pid_t child;

	(void)state;
	expect_plan(LIBRARIES "libssl.so.3");
	child = reader.pid;
	expect_plan(LIBRARIES "libgnutls.so.30");
	expect_failure(LIBRARIES "libc.so.6", -ENOENT);
	expect_failure("/etc/passwd", -ENOEXEC);
	expect_failure("/", -ENOEXEC);
	expect_plan(LIBRARIES "libssl.so.3");
	assert_int_equal(reader.pid, child);
	tls_reader_stop(&reader);
	expect_no_child();
	tls_reader_stop(&reader);
	assert_int_equal(open_fds(), fds);
}

/* More files than it may have open, and more bytes than it may have mapped at once. */
static void test_many(void **state)
{
	struct tls_plan plan = {0};
	pid_t child;
	int i;

	(void)state;
	build(FUNCTION("SSL_read", "ret"));
	assert_int_equal(truncate(built, 500 << 20), 0);
	assert_int_equal(ask(built, &plan), 0);
	assert_int_equal(plan.count, 2);
	child = reader.pid;
	for (i = 0; i < 100; i++)
		expect_plan(built);
	assert_int_equal(truncate(built, (512 << 20) + 1), 0);
	expect_failure(built, -ENOEXEC);
	assert_int_equal(reader.pid, child);
	tls_reader_stop(&reader);
}

static void test_hangs(void **state)
{
	int64_t begun_ms;

	(void)state;
	expect_plan(LIBRARIES "libssl.so.3");
	assert_int_equal(kill(reader.pid, SIGSTOP), 0);
	begun_ms = clock_mono_ms();
	expect_failure(LIBRARIES "libgnutls.so.30", -ETIMEDOUT);
	assert_true(clock_mono_ms() - begun_ms >= TLS_READER_TIMEOUT_MS);
	expect_no_child();
	expect_plan(LIBRARIES "libgnutls.so.30");
	tls_reader_stop(&reader);
}

/* That is not the next file's fault. */
static void test_died_before(void **state)
{
	pid_t child;
	siginfo_t end;

	(void)state;
	expect_plan(LIBRARIES "libssl.so.3");
	child = reader.pid;
	assert_int_equal(kill(child, SIGKILL), 0);
	assert_int_equal(waitid(P_PID, child, &end, WEXITED | WNOWAIT), 0);
	expect_plan(LIBRARIES "libssl.so.3");
	assert_int_not_equal(reader.pid, child);
	tls_reader_stop(&reader);
}

/* --- children that are not ours
 * -------------------------------------------------------------- */

struct lie {
	int32_t err;
	uint32_t pad;
	struct tls_plan plan;
	char more;
};

/* A child that takes one file and answers with `size` false bytes; 0: it dies of the file. */
static void start_liar(const struct lie *lie, size_t size, uid_t owner)
{
	int pair[2];
	char byte;

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	reader.pid = fork();
	assert_true(reader.pid >= 0);
	if (reader.pid == 0) {
		close(pair[0]);
		if (recv(pair[1], &byte, 1, 0) == 1 && size)
			send(pair[1], lie, size, 0);
		if (size)
			pause();
		_exit(0);
	}
	close(pair[1]);
	reader.fd = pair[0];
	reader.owner = owner;
}

static void expect_caught(const struct lie *lie, size_t size)
{
	struct stat st;

	assert_int_equal(stat(LIBRARIES "libssl.so.3", &st), 0);
	start_liar(lie, size, st.st_uid);
	expect_failure(LIBRARIES "libssl.so.3", -ECHILD);
	expect_no_child();
}

static struct lie truth(void)
{
	struct lie lie = {.err = 0};

	assert_int_equal(read_plan(LIBRARIES "libssl.so.3", &lie.plan), 0);
	return lie;
}

static void test_dies_of_it(void **state)
{
	(void)state;
	expect_caught(NULL, 0);
	expect_plan(LIBRARIES "libssl.so.3");
	tls_reader_stop(&reader);
}

static void test_lies(void **state)
{
	const size_t size = offsetof(struct lie, more);
	struct lie lie = truth();
	struct tls_plan plan;
	struct stat st;

	(void)state;
	assert_int_equal(stat(LIBRARIES "libssl.so.3", &st), 0);
	start_liar(&lie, size, st.st_uid);
	assert_int_equal(ask(LIBRARIES "libssl.so.3", &plan), 0);
	tls_reader_stop(&reader);
	expect_caught(&lie, size - 1);
	expect_caught(&lie, size + 1);
	lie.err = 1;
	expect_caught(&lie, size);
	lie = truth();
	lie.plan.count = SMTPL_TLS_PROBES_MAX + 1;
	expect_caught(&lie, size);
	lie.plan.count = 0;
	expect_caught(&lie, size);
	lie = truth();
	lie.plan.libraries = 0;
	expect_caught(&lie, size);
	lie.plan.libraries = 4;
	expect_caught(&lie, size);
	lie = truth();
	lie.plan.probes[lie.plan.count - 1].offset = st.st_size;
	expect_caught(&lie, size);
	lie = truth();
	lie.plan.probes[0].cookie = SMTPL_TLS_RETURN;
	expect_caught(&lie, size);
	lie.plan.probes[0].cookie = SMTPL_TLS_FUNCTIONS;
	expect_caught(&lie, size);
	lie.plan.probes[0].cookie = SMTPL_TLS_READ | 0x200;
	expect_caught(&lie, size);
}

/* A file is not read by a child that another owner's file could have taken over. */
static void test_owners(void **state)
{
	pid_t child;

	(void)state;
	if (geteuid() != 0)
		skip();
	build(FUNCTION("SSL_read", "ret"));
	assert_int_equal(chown(built, 12345, 12345), 0);
	expect_plan(LIBRARIES "libssl.so.3");
	child = reader.pid;
	expect_plan(built);
	assert_int_not_equal(reader.pid, child);
	child = reader.pid;
	expect_plan(built);
	assert_int_equal(reader.pid, child);
	expect_plan(LIBRARIES "libssl.so.3");
	assert_int_not_equal(reader.pid, child);
	tls_reader_stop(&reader);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plans),	   cmocka_unit_test(test_many),
		cmocka_unit_test(test_hangs),	   cmocka_unit_test(test_died_before),
		cmocka_unit_test(test_dies_of_it), cmocka_unit_test(test_lies),
		cmocka_unit_test(test_owners),
	};

	return cmocka_run_group_tests(tests, plan_setup, plan_teardown);
}
