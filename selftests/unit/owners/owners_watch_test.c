/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * owners_watch_test.c - a change of any source is noticed and read once, when it is complete; a
 * source that cannot be read leaves the owners as they were; the command is run at its times.
 */
#include <poll.h>
#include <signal.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/clock.h"
#include "lib/owners_fixture.h"
#include "owners/owners_watch.h"

#define OWN "/etc/smtplimit/domains"
/* Seconds within which a change has to be taken in. */
#define SOON 3

static struct owners_watch watch;
static char error[OWNERS_WATCH_ERROR_SIZE];
static uint64_t now_ns;

static int poll_once(void)
{
	now_ns += NS_PER_S;
	error[0] = '\0';
	return owners_watch_poll(&watch, &config, now_ns, error, sizeof(error));
}

static void start(enum config_source source)
{
	config.source = source;
	assert_int_equal(owners_watch_start(&watch, &config, root, &OWNERS_COMMAND_LIMITS), 0);
}

/* The first result that is not "nothing new". */
static int poll_soon(void)
{
	int result = 0;

	for (int i = 0; i < SOON && !result; i++)
		result = poll_once();
	return result;
}

static void expect_quiet(void)
{
	for (int i = 0; i < 3 * SOON; i++)
		assert_int_equal(poll_once(), 0);
}

/* It is read, once. */
static void expect_read(const char *rows)
{
	assert_int_equal(poll_soon(), 1);
	assert_string_equal(listing(watch.owners), rows);
	expect_quiet();
}

/* It is reported once, and changes nothing. */
static void expect_broken(int code, const char *text, const char *rows)
{
	assert_int_equal(poll_soon(), code);
	assert_string_equal(error, text);
	assert_string_equal(listing(watch.owners), rows);
}

static void rename_over(const char *path, const char *text)
{
	char fresh[512];

	write_text("/fresh", text);
	snprintf(fresh, sizeof(fresh), "%s", below("/fresh"));
	assert_int_equal(rename(fresh, below(path)), 0);
}

static void test_file(void **state)
{
	(void)state;
	start(CONFIG_SOURCE_FILE);
	expect_broken(-ENOENT, OWN ": cannot be read: No such file or directory", "");
	write_text(OWN, "a.example: alice\n");
	expect_read("a.example=1000");
	/* The same length. */
	rename_over(OWN, "a.example: uid:3\n");
	expect_read("a.example=3");
	write_text(OWN, "a.example: carol\n");
	expect_read("a.example=1002");

	rename_over(OWN, "a.example: bob\nbroken\n");
	expect_broken(-EINVAL, OWN ":2: \"broken\": want DOMAIN: USER, one domain a line",
		      "a.example=1002");
	expect_quiet();
	rename_over(OWN, "a.example: bob\nmended: bob\n");
	expect_read("a.example=1001 mended=1001");

	assert_int_equal(unlink(below(OWN)), 0);
	expect_broken(-ENOENT, OWN ": cannot be read: No such file or directory",
		      "a.example=1001 mended=1001");
	write_text(OWN, "b.example: bob\n");
	expect_read("b.example=1001");
	owners_watch_stop(&watch);
}

static void test_auto(void **state)
{
	(void)state;
	start(CONFIG_SOURCE_AUTO);
	expect_read("");
	/* The directories appear later. */
	write_text("/etc/virtual/domainowners", "v.example: bob\n");
	expect_read("v.example=1001");
	write_text("/usr/local/hestia/data/users/alice/web.conf", "DOMAIN='h.example'\n");
	expect_read("h.example=1000 v.example=1001");
	write_text("/usr/local/hestia/data/users/carol/mail.conf", "DOMAIN='m.example'\n");
	expect_read("h.example=1000 m.example=1002 v.example=1001");
	write_text("/etc/userdomains", "v.example: alice\n");
	expect_read("h.example=1000 m.example=1002 v.example=1000");
	assert_int_equal(symlink("v.example", below("/etc/virtual/p.example")), 0);
	expect_read("h.example=1000 m.example=1002 p.example=1000 v.example=1000");

	/* One broken source leaves all owners as they were. */
	write_text("/etc/userdomains", "v.example alice\n");
	expect_broken(
		-EINVAL,
		"/etc/userdomains:1: \"v.example alice\": want DOMAIN: USER, one domain a line",
		"h.example=1000 m.example=1002 p.example=1000 v.example=1000");
	assert_int_equal(unlink(below("/etc/userdomains")), 0);
	expect_read("h.example=1000 m.example=1002 p.example=1001 v.example=1001");
	assert_int_equal(unlink(below("/usr/local/hestia/data/users/alice/web.conf")), 0);
	expect_read("m.example=1002 p.example=1001 v.example=1001");
	owners_watch_stop(&watch);
}

/* A file that grows is read when it has stopped, or changes without end. */
static void test_settles(void **state)
{
	char text[4096] = "";
	int reads = 0, result;

	(void)state;
	start(CONFIG_SOURCE_FILE);
	write_text(OWN, "a.example: alice\n");
	assert_int_equal(poll_once(), 1);
	for (int i = 0; i < 4; i++) {
		sprintf(text + strlen(text), "%d.example: ", i);
		write_text(OWN, text);
		assert_int_equal(poll_once(), 0);
		strcat(text, "bob\n");
		write_text(OWN, text);
		assert_int_equal(poll_once(), 0);
	}
	expect_read("0.example=1001 1.example=1001 2.example=1001 3.example=1001");
	for (int i = 10; i < 50; i++) {
		sprintf(text + strlen(text), "%d.example: bob\n", i);
		write_text(OWN, text);
		result = poll_once();
		assert_true(result == 0 || result == 1);
		reads += result;
	}
	assert_in_range(reads, 2, 5);
	owners_watch_stop(&watch);
}

/* Where checks of the files take long, they come less often. */
static void test_dear_looks(void **state)
{
	(void)state;
	start(CONFIG_SOURCE_FILE);
	write_text(OWN, "a.example: alice\n");
	assert_int_equal(poll_once(), 1);
	watch.check_ns = now_ns + 5 * NS_PER_S;
	write_text(OWN, "bb.example: bob\n");
	for (int i = 0; i < 4; i++)
		assert_int_equal(poll_once(), 0);
	expect_read("bb.example=1001");
	watch.check_ns = now_ns + 1000 * NS_PER_S;
	owners_watch_reload(&watch);
	assert_int_equal(poll_once(), 1);
	owners_watch_stop(&watch);
}

static void wait_for_command(void)
{
	struct pollfd answered = {.fd = watch.command.fd, .events = POLLIN};

	assert_int_equal(poll(&answered, 1, 10000), 1);
}

static void test_command(void **state)
{
	(void)state;
	config.owners_refresh_s = 10;
	snprintf(config.owners_command, sizeof(config.owners_command),
		 "cat %s/printed; exit $(cat %s/exit)", root, root);
	write_text("/printed", "a.example: alice\n");
	write_text("/exit", "0");
	start(CONFIG_SOURCE_COMMAND);
	assert_int_equal(poll_once(), 0);
	wait_for_command();
	write_text("/printed", "b.example: bob\n");
	assert_int_equal(poll_once(), 1);
	assert_string_equal(listing(watch.owners), "a.example=1000");
	for (int i = 0; i < 9; i++)
		assert_int_equal(poll_once(), 0);
	wait_for_command();
	assert_int_equal(poll_once(), 1);
	assert_string_equal(listing(watch.owners), "b.example=1001");

	write_text("/printed", "c.example: bob\n");
	write_text("/exit", "4");
	owners_watch_reload(&watch);
	assert_int_equal(poll_once(), 0);
	wait_for_command();
	expect_broken(-ECHILD, "the command failed with status 4", "b.example=1001");
	write_text("/printed", "c.example bob\n");
	write_text("/exit", "0");
	owners_watch_reload(&watch);
	assert_int_equal(poll_once(), 0);
	wait_for_command();
	expect_broken(-EINVAL,
		      "output of the command:1: \"c.example bob\": want DOMAIN: USER, one domain a "
		      "line",
		      "b.example=1001");
	owners_watch_stop(&watch);
	assert_null(watch.owners);
}

/* The settings have changed: to another source, and to a command without a child to run it. */
static void test_reload(void **state)
{
	(void)state;
	start(CONFIG_SOURCE_FILE);
	write_text(OWN, "a.example: alice\n");
	write_text("/etc/userdomains", "b.example: bob\n");
	expect_read("a.example=1000");
	config.source = CONFIG_SOURCE_CPANEL;
	owners_watch_reload(&watch);
	expect_read("b.example=1001");
	config.source = CONFIG_SOURCE_COMMAND;
	owners_watch_reload(&watch);
	expect_broken(
		-ENOTCONN,
		"the command for source = command is run by a process of the daemon's start: want "
		"a restart",
		"b.example=1001");
	config.source = CONFIG_SOURCE_NONE;
	owners_watch_reload(&watch);
	expect_read("");
	owners_watch_stop(&watch);
}

static void test_local_users(void **state)
{
	(void)state;
	snprintf(config.owners_file, sizeof(config.owners_file), OWN);
	write_text(OWN, "a.example: alice\nb.example: bob\nc.example: dave\nd.example: root\n");
	write_text("/etc/passwd", "alice:x:2000:2000::/:\ndave:x:1003:1003::/:\nroot:x:0:0::/:\n");
	users_asked = 0;
	start(CONFIG_SOURCE_FILE);
	expect_read("a.example=2000 b.example=1001 c.example=1003");
	assert_int_equal(users_asked, 1); /* bob alone: the others are in the file */
	write_text("/etc/passwd", "bob:x:2001:2001::/:\n");
	expect_read("a.example=1000 b.example=2001");
	owners_watch_stop(&watch);
}

static void test_child_gone(void **state)
{
	(void)state;
	snprintf(config.owners_command, sizeof(config.owners_command), "echo a.example: alice");
	start(CONFIG_SOURCE_COMMAND);
	assert_int_equal(poll_once(), 0);
	wait_for_command();
	assert_int_equal(poll_once(), 1);
	kill(watch.command.pid, SIGKILL);
	wait_for_command();
	expect_broken(-EPIPE, "the process that runs the command is gone", "a.example=1000");
	owners_watch_stop(&watch);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		OWNERS_TEST(test_file),	       OWNERS_TEST(test_auto),
		OWNERS_TEST(test_settles),     OWNERS_TEST(test_dear_looks),
		OWNERS_TEST(test_command),     OWNERS_TEST(test_reload),
		OWNERS_TEST(test_local_users), OWNERS_TEST(test_child_gone),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("owners_watch", tests, NULL, NULL);
}
