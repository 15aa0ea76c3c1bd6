/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * child_test.c - a child that lives by orders: its start waits for its word, a finish lets it carry
 * out what it was ordered, but not for ever, and nothing of it is left after its end.
 */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/child.h"
#include "base/clock.h"

struct shared {
	int locked_in; /* what the child says of itself */
	unsigned int order_ms;
	volatile unsigned int carried_out;
};

static struct shared *shared;
static pid_t pid;
static int fd;

static int carry_out_orders(void *arg, int end, pid_t parent)
{
	uint32_t order;

	(void)arg;
	(void)parent;
	if (!child_locked_in(end, shared->locked_in))
		return 1;
	while (child_await(end, &order, sizeof(order))) {
		usleep(shared->order_ms * 1000);
		shared->carried_out++;
	}
	return 0;
}

static int end_at_once(void *arg, int end, pid_t parent)
{
	(void)arg;
	(void)end;
	(void)parent;
	return 0;
}

static void start(unsigned int order_ms)
{
	*shared = (struct shared){.order_ms = order_ms};
	assert_int_equal(child_start(carry_out_orders, NULL, &pid, &fd), 0);
}

static void order(unsigned int times)
{
	uint32_t one = 1;

	while (times-- > 0)
		assert_int_equal(send(fd, &one, sizeof(one), MSG_NOSIGNAL), sizeof(one));
}

static void expect_nothing_left(pid_t was)
{
	assert_int_equal(pid, 0);
	assert_int_equal(fd, -1);
	assert_int_equal(kill(was, 0), -1);
	assert_int_equal(errno, ESRCH);
}

static void test_start_fails(void **state)
{
	(void)state;
	pid = 0;
	fd = -1;
	*shared = (struct shared){.locked_in = -EPERM};
	assert_int_equal(child_start(carry_out_orders, NULL, &pid, &fd), -EPERM);
	assert_int_equal(child_start(end_at_once, NULL, &pid, &fd), -ECHILD);
	assert_int_equal(pid, 0);
	assert_int_equal(fd, -1);
}

static void test_finish_carries_out(void **state)
{
	pid_t was;

	(void)state;
	start(20);
	was = pid;
	order(10);
	child_finish(&pid, &fd);
	assert_int_equal(shared->carried_out, 10);
	expect_nothing_left(was);
	child_finish(&pid, &fd);
	child_stop(&pid, &fd);
}

static void test_finish_has_a_bound(void **state)
{
	int64_t begin_ms = clock_mono_ms();
	pid_t was;

	(void)state;
	start(60000);
	was = pid;
	order(1);
	child_finish(&pid, &fd);
	assert_int_equal(shared->carried_out, 0);
	assert_in_range(clock_mono_ms() - begin_ms, 4000, 50000);
	expect_nothing_left(was);
}

static void test_stop_does_not_wait(void **state)
{
	int64_t begin_ms = clock_mono_ms();
	pid_t was;

	(void)state;
	start(60000);
	was = pid;
	order(1);
	child_stop(&pid, &fd);
	assert_in_range(clock_mono_ms() - begin_ms, 0, 4000);
	expect_nothing_left(was);
}

/* Not even the one behind it is carried out. */
static void test_no_order(void **state)
{
	uint32_t two[2] = {1, 1};

	(void)state;
	start(0);
	order(1);
	assert_int_equal(send(fd, two, sizeof(two), MSG_NOSIGNAL), sizeof(two));
	send(fd, two, sizeof(two[0]), MSG_NOSIGNAL);
	child_finish(&pid, &fd);
	assert_int_equal(shared->carried_out, 1);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_start_fails),
		cmocka_unit_test(test_finish_carries_out),
		cmocka_unit_test(test_finish_has_a_bound),
		cmocka_unit_test(test_stop_does_not_wait),
		cmocka_unit_test(test_no_order),
	};

	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		      0);
	if (shared == MAP_FAILED)
		return 1;
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
