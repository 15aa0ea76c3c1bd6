/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * host_addresses_test.c - the addresses of a network namespace of the test's own, as they come and
 * go. Needs the right to make one.
 */
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <cmocka.h>

#include "kernel/host_addresses.h"

#define SKIP	 4
#define SEEN_MAX 16

struct seen {
	char text[SEEN_MAX][INET6_ADDRSTRLEN];
	size_t count;
	int stop; /* what the callback returns */
};

static int see(void *arg, const struct smtpl_local_key *key)
{
	struct seen *seen = arg;

	assert_in_range(seen->count, 0, SEEN_MAX - 1);
	inet_ntop(AF_INET6, key->addr, seen->text[seen->count++], INET6_ADDRSTRLEN);
	return seen->stop;
}

static int has(const struct seen *seen, const char *address)
{
	for (size_t i = 0; i < seen->count; i++)
		if (!strcmp(seen->text[i], address))
			return 1;
	return 0;
}

/* The kernel sets 127.0.0.1 and ::1 when lo comes up, a label makes room for a second address. */
static void set_address(const char *label, const char *address)
{
	struct ifreq request = {.ifr_addr.sa_family = AF_INET};
	struct sockaddr_in *in = (struct sockaddr_in *)(void *)&request.ifr_addr;
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", label);
	assert_int_equal(inet_pton(AF_INET, address, &in->sin_addr), 1);
	assert_int_equal(ioctl(fd, SIOCSIFADDR, &request), 0);
	close(fd);
}

static void set_up(void)
{
	struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(ioctl(fd, SIOCSIFFLAGS, &request), 0);
	close(fd);
}

/* The message about an address is on the socket before the call that changed it returns. */
static void expect_change(int fd, int changed)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	assert_int_equal(poll(&p, 1, 0), changed);
	assert_int_equal(host_addresses_drain(fd), changed);
	assert_int_equal(host_addresses_drain(fd), 0);
}

static void test_come_and_go(void **state)
{
	struct seen none = {.count = 0}, up = {.count = 0}, more = {.count = 0};
	struct seen less = {.count = 0}, one = {.stop = 7};
	int fd = host_addresses_open();

	(void)state;
	assert_true(fd >= 0);
	expect_change(fd, 0);
	assert_int_equal(host_addresses_read(see, &none), 0);
	assert_int_equal(none.count, 0);

	set_up();
	expect_change(fd, 1);
	assert_int_equal(host_addresses_read(see, &up), 0);
	assert_int_equal(up.count, 2);
	assert_true(has(&up, "::ffff:127.0.0.1"));
	assert_true(has(&up, "::1"));

	set_address("lo:1", "192.0.2.25");
	expect_change(fd, 1);
	assert_int_equal(host_addresses_read(see, &more), 0);
	assert_int_equal(more.count, 3);
	assert_true(has(&more, "::ffff:192.0.2.25"));

	set_address("lo:1", "0.0.0.0"); /* taken away */
	expect_change(fd, 1);
	assert_int_equal(host_addresses_read(see, &less), 0);
	assert_int_equal(less.count, 2);
	assert_false(has(&less, "::ffff:192.0.2.25"));

	assert_int_equal(host_addresses_read(see, &one), 7);
	assert_int_equal(one.count, 1);
	close(fd);
}

/* More messages than the socket has room for still count as a change. */
static void test_overflow(void **state)
{
	int fd = host_addresses_open(), small = 1;

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small)), 0);
	for (int i = 0; i < 200; i++) {
		set_address("lo:1", "192.0.2.25");
		set_address("lo:1", "0.0.0.0");
	}
	expect_change(fd, 1);
	close(fd);
}

static void test_errors(void **state)
{
	int ends[2];

	(void)state;
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(host_addresses_drain(ends[0]), -ENOTSOCK);
	close(ends[0]);
	assert_int_equal(host_addresses_drain(ends[0]), -EBADF);
	close(ends[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_come_and_go),
		cmocka_unit_test(test_overflow),
		cmocka_unit_test(test_errors),
	};

	if (unshare(CLONE_NEWNET)) {
		printf("1..0 # SKIP cannot make a network namespace: %s\n", strerror(errno));
		return SKIP;
	}
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
