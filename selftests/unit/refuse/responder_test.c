/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * responder_test.c - the responder as the daemon has it: its ports, its child, its end. All of this
 * takes root and is skipped without.
 */
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <net/if.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <cmocka.h>
#include "responder_fixture.h"
#include "base/sandbox.h"

static void assert_protected_port(int port)
{
	assert_in_range(port, 600, 1023);
	assert_null(getservbyport(htons(port), "tcp"));
}

static void test_ports(void **state)
{
	struct responder a, b;
	struct asked asked = {0};
	int fd;

	(void)state;
	need_root();
	a = start();
	b = start();
	assert_protected_port(a.port);
	assert_protected_port(b.port);
	assert_int_not_equal(a.port, b.port);
	fd = connect_to(AF_INET, b.port);
	await(b.fd, POLLIN);
	assert_int_equal(responder_serve(&b, lookup_known, &asked), 0);
	assert_int_equal(asked.times, 1);
	client_hears(fd, GREETING);
	close(fd);
	if (a.port6) {
		assert_int_equal(a.port6, a.port);
		fd = connect_to(AF_INET6, a.port6);
		await(a.fd, POLLIN);
		assert_int_equal(responder_serve(&a, lookup_known, &asked), 0);
		assert_memory_equal(asked.last.addr, &in6addr_loopback, 16);
		client_hears(fd, GREETING);
		close(fd);
	}
	responder_stop(&a);
	assert_int_equal(a.fd, -1);
	responder_stop(&a);
	responder_stop(&b);
}

static void test_child_that_died(void **state)
{
	struct responder r;
	struct asked asked = {0};

	(void)state;
	need_root();
	r = start();
	assert_int_equal(responder_serve(&r, lookup_known, &asked), 0);
	kill(r.pid, SIGTERM); /* which is the daemon's to heed */
	kill(r.pid, SIGKILL);
	await(r.fd, POLLHUP);
	assert_int_equal(responder_serve(&r, lookup_known, &asked), -EPIPE);
	responder_stop(&r);
	assert_int_equal(asked.times, 0);
}

/* In a child of the test, whose end is all that the test sees of it. */
static void check(bool holds, const char *what)
{
	if (holds)
		return;
	dprintf(STDERR_FILENO, "# in the child: not so: %s (errno %d)\n", what, errno);
	_exit(1);
}
#define CHECK(condition) check(condition, #condition)

static void assert_holds(void (*inside)(void))
{
	int status;
	pid_t pid;

	need_root();
	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		inside();
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void write_sysctl(const char *path, const char *value)
{
	int fd = open(path, O_WRONLY);

	CHECK(fd >= 0 && write(fd, value, strlen(value)) > 0);
	close(fd);
}

static void enter_own_network(void)
{
	struct ifreq lo = {.ifr_name = "lo", .ifr_flags = IFF_UP};
	int fd;

	CHECK(unshare(CLONE_NEWNET) == 0);
	fd = socket(AF_INET, SOCK_DGRAM, 0);
	CHECK(ioctl(fd, SIOCSIFFLAGS, &lo) == 0);
	close(fd);
}

/* Listen on every second port that the responder may take: this family's even or odd ones. */
static void occupy(int family, int odd)
{
	struct sockaddr_in6 addr = {.sin6_family = family};
	int port, fd;

	for (port = 600; port <= 1023; port++) {
		if (port % 2 != odd)
			continue;
		fd = socket(family, SOCK_STREAM, 0);
		addr.sin6_port = htons(port); /* in the same place for IPv4 */
		CHECK(bind(fd, (struct sockaddr *)&addr,
			   family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(addr)) == 0);
	}
}

static void without_ipv6(void)
{
	struct responder r;

	enter_own_network();
	write_sysctl("/proc/sys/net/ipv6/conf/all/disable_ipv6", "1");
	CHECK(responder_start(&r) == 0);
	CHECK(r.port > 0 && r.port6 == 0);
	responder_stop(&r);
}

static void without_a_common_port(void)
{
	struct responder r;

	enter_own_network();
	write_sysctl("/proc/sys/net/ipv6/bindv6only", "1");
	occupy(AF_INET, 0);
	occupy(AF_INET6, 1);
	CHECK(responder_start(&r) == 0);
	CHECK(r.port % 2 == 1 && r.port6 % 2 == 0 && r.port6 > 0);
	responder_stop(&r);
}

static void with_fewer_privileged_ports(void)
{
	struct responder r = {.port = 7};

	enter_own_network();
	write_sysctl("/proc/sys/net/ipv4/ip_unprivileged_port_start", "700");
	CHECK(responder_start(&r) == 0);
	CHECK(r.port < 700);
	responder_stop(&r);
	/* 995 is for POP3 over TLS, whether or not it runs already. */
	write_sysctl("/proc/sys/net/ipv4/ip_unprivileged_port_start", "996");
	CHECK(responder_start(&r) == 0);
	CHECK(r.port < 995 && !getservbyport(htons(r.port), "tcp"));
	responder_stop(&r);
	write_sysctl("/proc/sys/net/ipv4/ip_unprivileged_port_start", "80");
	r.port = 7;
	CHECK(responder_start(&r) == -EADDRINUSE);
	CHECK(r.port == 7);
}

static void test_ports_of_other_hosts(void **state)
{
	(void)state;
	assert_holds(without_ipv6);
	assert_holds(without_a_common_port);
	assert_holds(with_fewer_privileged_ports);
}

/* After the daemon has dropped what it may, it can still start and end a responder. */
static void start_with_few_capabilities(void)
{
	const unsigned int keep[] = {SANDBOX_CHILD_CAPS, RESPONDER_CAPS};
	struct responder r;
	pid_t pid;

	CHECK(sandbox_daemon(keep, sizeof(keep) / sizeof(*keep)) == 0);
	CHECK(responder_start(&r) == 0);
	pid = r.pid;
	responder_stop(&r);
	CHECK(kill(pid, 0) < 0 && errno == ESRCH);
}

static void start_without_capabilities(void)
{
	struct responder r;

	CHECK(sandbox_daemon(NULL, 0) == 0);
	CHECK(responder_start(&r) == -EACCES);
}

static void start_without_chroot(void)
{
	const unsigned int keep[] = {RESPONDER_CAPS, CAP_SETUID, CAP_SETGID, CAP_SETPCAP};
	struct responder r;

	CHECK(sandbox_daemon(keep, sizeof(keep) / sizeof(*keep)) == 0);
	CHECK(responder_start(&r) == -EPERM);
	CHECK(waitpid(-1, NULL, 0) < 0 && errno == ECHILD);
}

static void test_capabilities(void **state)
{
	(void)state;
	assert_holds(start_with_few_capabilities);
	assert_holds(start_without_capabilities);
	assert_holds(start_without_chroot);
}

/* The daemon is killed: child and clients are not left behind. */
static void test_daemon_that_died(void **state)
{
	int port[2], fd;
	struct responder r;
	pid_t daemon_lock_pid;
	ssize_t got;
	char c;

	(void)state;
	need_root();
	assert_int_equal(pipe(port), 0);
	fflush(NULL);
	daemon_lock_pid = fork();
	if (daemon_lock_pid == 0) {
		CHECK(responder_start(&r) == 0);
		CHECK(write(port[1], &r, sizeof(r)) == sizeof(r));
		pause();
	}
	assert_int_equal(read(port[0], &r, sizeof(r)), sizeof(r));
	fd = connect_to(AF_INET, r.port);
	kill(daemon_lock_pid, SIGKILL);
	waitpid(daemon_lock_pid, NULL, 0);
	got = recv(fd, &c, 1, 0);
	assert_true(got == 0 || (got < 0 && errno == ECONNRESET));
	close(fd);
	close(port[0]);
	close(port[1]);
}

/* One connection whose first command is given along; true: it rode on the SYN. */
static bool open_fast(struct responder *r)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(r->port)};
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	struct tcp_info info = {0};
	socklen_t length = sizeof(info);
	struct asked asked = {0};
	char greeting[4];

	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	CHECK(sendto(fd, MAIL, strlen(MAIL), MSG_FASTOPEN, (struct sockaddr *)&to, sizeof(to)) ==
	      (ssize_t)strlen(MAIL));
	CHECK(poll(&(struct pollfd){.fd = r->fd, .events = POLLIN}, 1, WAIT_MS) == 1);
	CHECK(responder_serve(r, lookup_known, &asked) == 0);
	CHECK(recv(fd, greeting, 4, 0) == 4 && memcmp(greeting, "220 ", 4) == 0);
	CHECK(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length) == 0);
	close(fd);
	return info.tcpi_options & TCPI_OPT_SYN_DATA;
}

static void open_fast_twice(void)
{
	struct responder r;

	enter_own_network();
	write_sysctl("/proc/sys/net/ipv4/tcp_fastopen", "3");
	CHECK(responder_start(&r) == 0);
	CHECK(!open_fast(&r)); /* gets the cookie */
	CHECK(open_fast(&r));
	responder_stop(&r);
}

static void test_fast_open(void **state)
{
	(void)state;
	assert_holds(open_fast_twice);
}

/* What is in /proc about the child: nobody, without capabilities, filtered, in an empty root. */
static void test_child_is_locked_in(void **state)
{
	static const char *const expected[] = {"Uid:\t65534\t65534\t65534\t65534\n",
					       "CapBnd:\t0000000000000000\n",
					       "CapPrm:\t0000000000000000\n",
					       "NoNewPrivs:\t1\n",
					       "Seccomp:\t2\n",
					       "Groups:\t \n"};
	char path[64], status[8192] = "";
	struct responder r;
	size_t i;
	FILE *f;

	(void)state;
	need_root();
	r = start();
	snprintf(path, sizeof(path), "/proc/%d/status", r.pid);
	f = fopen(path, "re");
	assert_non_null(f);
	assert_true(fread(status, 1, sizeof(status) - 1, f) > 0);
	fclose(f);
	for (i = 0; i < sizeof(expected) / sizeof(*expected); i++)
		if (!strstr(status, expected[i]))
			fail_msg("no \"%s\" in %s", expected[i], status);
	snprintf(path, sizeof(path), "/proc/%d/root/etc", r.pid);
	assert_int_equal(access(path, F_OK), -1);
	responder_stop(&r);
}

static void test_many_idle_clients(void **state)
{
	enum { IDLE = 600 };
	struct responder r;
	int fds[IDLE];
	struct asked asked = {0};
	int i, fd;

	(void)state;
	need_root();
	r = start();
	for (i = 0; i < IDLE; i++) {
		fds[i] = connect_to(AF_INET, r.port);
		await(r.fd, POLLIN);
		assert_int_equal(responder_serve(&r, lookup_known, &asked), 0);
	}
	fd = connect_to(AF_INET, r.port);
	await(r.fd, POLLIN);
	responder_serve(&r, lookup_known, &asked);
	client_says(fd, MAIL);
	await(r.fd, POLLIN);
	responder_serve(&r, lookup_known, &asked);
	client_hears(fd, GREETING REFUSED);
	close(fd);
	for (i = 0; i < IDLE; i++)
		close(fds[i]);
	responder_stop(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ports),
		cmocka_unit_test(test_child_that_died),
		cmocka_unit_test(test_child_is_locked_in),
		cmocka_unit_test(test_many_idle_clients),
		cmocka_unit_test(test_ports_of_other_hosts),
		cmocka_unit_test(test_capabilities),
		cmocka_unit_test(test_daemon_that_died),
		cmocka_unit_test(test_fast_open),
	};

	alarm(120);
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
