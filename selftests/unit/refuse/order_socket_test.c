// SPDX-License-Identifier: GPL-2.0-only
/*
 * order_socket_test.c - an order and its answer pass whole, and only while both ends are there.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <cmocka.h>
#include "base/clock.h"
#include "refuse/order_socket.h"

#define WAIT_MS 10000

static char run[] = "/tmp/order_socket_test.XXXXXX";
static char path[sizeof(run) + sizeof(ORDER_SOCKET)];

static const struct suspension_order sample = {
	.account = {.kind = ACCOUNT_DOMAIN, .domain = "a.example"},
	.suspend = true,
	.for_s = 600,
	.reason = "ticket 4711",
};

/* What the command's end gets, as the exit status of a child: 0, or the errno. */
static pid_t ask(const struct suspension_order *order, int64_t wait_ms, int32_t saved)
{
	struct order_answer answer;
	pid_t pid = fork();
	int err;

	if (pid)
		return pid;
	err = order_socket_ask(run, order, wait_ms, &answer);
	if (!err && (answer.done || answer.saved != saved || strcmp(answer.why, "full")))
		err = -EBADMSG;
	_exit(-err);
}

static int exit_of(pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

/* The test's listener waits: the daemon's is watched by its loop. */
static int take(int listener, struct suspension_order *order)
{
	int fd;

	while ((fd = order_socket_take(listener, order)) == -EAGAIN)
		usleep(1000);
	return fd;
}

static void both_ways(void **unused)
{
	const struct order_answer answer = {.saved = -ENOSPC, .why = "full"};
	int listener = order_socket_listen(run), fd;
	struct suspension_order order;
	struct stat st;
	pid_t pid;

	(void)unused;
	assert_true(listener >= 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(order_socket_take(listener, &order), -EAGAIN);
	pid = ask(&sample, WAIT_MS, -ENOSPC);
	fd = take(listener, &order);
	assert_true(fd >= 0);
	assert_memory_equal(&order.account, &sample.account, sizeof(order.account));
	assert_true(order.suspend && order.for_s == 600);
	assert_string_equal(order.reason, sample.reason);
	order_socket_answer(fd, &answer);
	assert_int_equal(exit_of(pid), 0);
	close(listener);
}

static void given_up_is_not_carried_out(void **unused)
{
	int listener = order_socket_listen(run);
	struct suspension_order order;
	int64_t began_ms = clock_mono_ms(), took_ms;

	(void)unused;
	assert_int_equal(exit_of(ask(&sample, 300, 0)), ETIMEDOUT);
	took_ms = clock_mono_ms() - began_ms;
	assert_true(took_ms >= 300 && took_ms < 5000);
	assert_int_equal(order_socket_take(listener, &order), -ECANCELED);
	assert_int_equal(order_socket_take(listener, &order), -EAGAIN);
	close(listener);
}

static void daemon_that_is_gone(void **unused)
{
	int listener = order_socket_listen(run), fd;
	struct suspension_order order;
	pid_t pid;

	(void)unused;
	pid = ask(&sample, WAIT_MS, 0);
	fd = take(listener, &order);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(exit_of(pid), ECONNRESET);
	close(listener);
	assert_int_equal(exit_of(ask(&sample, WAIT_MS, 0)), ECONNREFUSED);
	unlink(path);
	assert_int_equal(exit_of(ask(&sample, WAIT_MS, 0)), ENOENT);
}

static int send_bytes(const void *bytes, size_t size)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);

	strcpy(addr.sun_path, path);
	assert_int_equal(connect(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	if (size)
		assert_int_equal(send(fd, bytes, size, 0), size);
	return fd;
}

static void expect_refused(int listener, const void *bytes, size_t size, int error)
{
	struct suspension_order order;
	int fd = send_bytes(bytes, size);

	assert_int_equal(order_socket_take(listener, &order), error);
	close(fd);
}

static void what_is_no_order(void **unused)
{
	char longer[sizeof(sample) + 1] = {0};
	struct suspension_order order = sample;
	int listener = order_socket_listen(run);

	(void)unused;
	expect_refused(listener, &order, sizeof(order) - 1, -EPROTO);
	expect_refused(listener, longer, sizeof(longer), -EPROTO);
	order.account.kind = 7;
	expect_refused(listener, &order, sizeof(order), -EPROTO);
	order = sample;
	memset(order.reason, 'x', sizeof(order.reason));
	expect_refused(listener, &order, sizeof(order), -EPROTO);
	order = sample;
	memset(order.account.domain, 'x', sizeof(order.account.domain));
	expect_refused(listener, &order, sizeof(order), -EPROTO);
	/* One that says nothing holds the daemon up for a moment. */
	expect_refused(listener, NULL, 0, -ETIMEDOUT);
	close(listener);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_ways),
		cmocka_unit_test(given_up_is_not_carried_out),
		cmocka_unit_test(daemon_that_is_gone),
		cmocka_unit_test(what_is_no_order),
	};
	int failed;

	if (!mkdtemp(run))
		return 1;
	snprintf(path, sizeof(path), "%s/%s", run, ORDER_SOCKET);
	cmocka_set_message_output(CM_OUTPUT_TAP);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	unlink(path);
	rmdir(run);
	return failed;
}
