/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * sock_diag_test.c - the uids that the kernel gives for sockets of this process are its own.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <arpa/inet.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <cmocka.h>
#include "kernel/sock_diag.h"

/* IPv6 sockets, which speak IPv4 with a v4-mapped address. */
static struct sockaddr_in6 name_of(int fd)
{
	struct sockaddr_storage name;
	struct sockaddr_in6 found = {.sin6_family = AF_INET6};
	socklen_t length = sizeof(name);

	assert_int_equal(getsockname(fd, (struct sockaddr *)&name, &length), 0);
	if (name.ss_family == AF_INET6)
		return *(struct sockaddr_in6 *)&name;
	memset(found.sin6_addr.s6_addr + 10, 0xff, 2);
	memcpy(found.sin6_addr.s6_addr + 12, &((struct sockaddr_in *)&name)->sin_addr, 4);
	found.sin6_port = ((struct sockaddr_in *)&name)->sin_port;
	return found;
}

static void assert_found(const struct sockaddr *to, socklen_t size)
{
	int listener = socket(to->sa_family, SOCK_STREAM, 0);
	int client = socket(to->sa_family, SOCK_STREAM, 0);
	struct sockaddr_storage at;
	struct sockaddr_in6 name;
	uint32_t uid = 99999;

	assert_int_equal(bind(listener, to, size), 0);
	assert_int_equal(listen(listener, 1), 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *)&at, &size), 0);
	assert_int_equal(connect(client, (struct sockaddr *)&at, size), 0);
	name = name_of(client);
	assert_int_equal(sock_diag_tcp_uid(name.sin6_addr.s6_addr, ntohs(name.sin6_port), &uid), 0);
	assert_int_equal(uid, geteuid());
	close(client);
	close(listener);
	uid = 99999;
	assert_int_equal(sock_diag_tcp_uid(name.sin6_addr.s6_addr, ntohs(name.sin6_port), &uid),
			 -ENOENT);
	assert_int_equal(uid, 99999);
}

static void test_ipv4(void **state)
{
	const struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};

	(void)state;
	assert_found((const struct sockaddr *)&to, sizeof(to));
}

static void test_ipv6(void **state)
{
	const struct sockaddr_in6 to = {.sin6_family = AF_INET6,
					.sin6_addr = IN6ADDR_LOOPBACK_INIT};
	int fd = socket(AF_INET6, SOCK_STREAM, 0);
	bool usable = fd >= 0 && bind(fd, (const struct sockaddr *)&to, sizeof(to)) == 0;

	(void)state;
	if (fd >= 0)
		close(fd);
	if (!usable)
		skip();
	assert_found((const struct sockaddr *)&to, sizeof(to));
}

static void test_another_address(void **state)
{
	const uint8_t addr[16] = {[10] = 0xff, 0xff, 127, 0, 0, 99};
	uint32_t uid;

	(void)state;
	assert_int_equal(sock_diag_tcp_uid(addr, 1, &uid), -ENOENT);
}

static void test_unix_peers(void **state)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	char directory[] = "/tmp/diag_test.XXXXXX";
	struct sock_diag_peer peers[3];
	struct stat inode[2];
	int listener, client[2], server[2], i;

	(void)state;
	assert_non_null(mkdtemp(directory));
	snprintf(at.sun_path, sizeof(at.sun_path), "%s/s", directory);
	listener = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(bind(listener, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(listen(listener, 2), 0);
	assert_int_equal(sock_diag_unix_peers(at.sun_path, peers, 3), 0);
	for (i = 0; i < 2; i++) {
		client[i] = socket(AF_UNIX, SOCK_STREAM, 0);
		assert_int_equal(connect(client[i], (struct sockaddr *)&at, sizeof(at)), 0);
		server[i] = accept(listener, NULL, NULL);
		assert_true(server[i] >= 0);
		assert_int_equal(fstat(client[i], &inode[i]), 0);
	}
	assert_int_equal(sock_diag_unix_peers(at.sun_path, peers, 3), 2);
	assert_int_equal(peers[0].inode + peers[1].inode, inode[0].st_ino + inode[1].st_ino);
	assert_true(peers[0].inode == inode[0].st_ino || peers[0].inode == inode[1].st_ino);
	assert_int_equal(peers[0].uid, geteuid());
	assert_int_equal(sock_diag_unix_peers(at.sun_path, peers, 1), -E2BIG);
	assert_int_equal(sock_diag_unix_peers(directory, peers, 3), 0);
	close(client[0]);
	assert_int_equal(sock_diag_unix_peers(at.sun_path, peers, 3), 1);
	assert_int_equal(peers[0].inode, inode[1].st_ino);
	close(client[1]);
	close(server[0]);
	close(server[1]);
	close(listener);
	unlink(at.sun_path);
	rmdir(directory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ipv4),
		cmocka_unit_test(test_ipv6),
		cmocka_unit_test(test_another_address),
		cmocka_unit_test(test_unix_peers),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
