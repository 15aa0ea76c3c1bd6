// SPDX-License-Identifier: GPL-2.0-only
/*
 * unix_listener_test.c - a listening socket takes the place of a dead one, and of nothing else.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <cmocka.h>
#include "base/unix_listener.h"

static char directory[] = "/tmp/unix_listener_test.XXXXXX";
static char path[sizeof(directory) + 2];

static int connects(int type)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, type, 0), err;

	strcpy(addr.sun_path, path);
	err = connect(fd, (struct sockaddr *)&addr, sizeof(addr)) ? -errno : 0;
	close(fd);
	return err;
}

static void replaces_a_dead_one(void **unused)
{
	struct stat st;
	int dead, fd;

	(void)unused;
	dead = unix_listener(directory, "s", SOCK_STREAM, 0666, 1);
	assert_true(dead >= 0);
	assert_int_equal(connects(SOCK_STREAM), 0);
	close(dead);
	assert_int_equal(connects(SOCK_STREAM), -ECONNREFUSED);
	fd = unix_listener(directory, "s", SOCK_SEQPACKET, 0600, 1);
	assert_true(fd >= 0);
	assert_int_equal(connects(SOCK_SEQPACKET), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	assert_int_equal(fcntl(fd, F_GETFL) & O_NONBLOCK, O_NONBLOCK);
	close(fd);
	unlink(path);
}

static void leaves_what_is_no_socket(void **unused)
{
	char long_name[200] = {0};
	int fd = open(path, O_WRONLY | O_CREAT, 0600);

	(void)unused;
	close(fd);
	assert_int_equal(unix_listener(directory, "s", SOCK_STREAM, 0600, 1), -EEXIST);
	unlink(path);
	memset(long_name, 'x', sizeof(long_name) - 1);
	assert_int_equal(unix_listener(directory, long_name, SOCK_STREAM, 0600, 1), -ENAMETOOLONG);
	assert_int_equal(unix_listener("/nonexistent", "s", SOCK_STREAM, 0600, 1), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(replaces_a_dead_one),
		cmocka_unit_test(leaves_what_is_no_socket),
	};
	int failed;

	if (!mkdtemp(directory))
		return 1;
	snprintf(path, sizeof(path), "%s/s", directory);
	cmocka_set_message_output(CM_OUTPUT_TAP);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	rmdir(directory);
	return failed;
}
