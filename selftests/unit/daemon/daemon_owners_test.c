/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * daemon_owners_test.c - the daemon's owners: a start with a source that cannot be read has those
 * of the last time, each fault is logged once, and what was read is saved.
 */
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "lib/owners_fixture.h"
#include "daemon/daemon.h"
#include "config/config_value.h"
#include "state/state_owners.h"
#include "who/payer.h"

static struct daemon the_daemon;
static char file[600];
static char logged[4096];
static int log_fd, stderr_fd;

static void capture_log(void)
{
	stderr_fd = dup(STDERR_FILENO);
	log_fd = memfd_create("log", MFD_CLOEXEC);
	assert_true(log_fd >= 0 && dup2(log_fd, STDERR_FILENO) >= 0);
}

/* What was logged since. */
static const char *end_log(void)
{
	ssize_t n = pread(log_fd, logged, sizeof(logged) - 1, 0);

	assert_true(n >= 0 && dup2(stderr_fd, STDERR_FILENO) >= 0);
	close(stderr_fd);
	close(log_fd);
	logged[n] = '\0';
	return logged;
}

/* Our own file below the root of the test, which is its whole path here. */
static void begin(enum config_source source)
{
	char path[128];

	memset(&the_daemon, 0, sizeof(the_daemon));
	the_daemon.config = config;
	the_daemon.config.source = source;
	snprintf(file, sizeof(file), "%s", below("/domains"));
	snprintf(the_daemon.config.owners_file, sizeof(the_daemon.config.owners_file), "%s", file);
	snprintf(path, sizeof(path), "%s/state.db", root);
	assert_int_equal(state_open(path, STATE_WRITE, &the_daemon.state), 0);
}

static void start(void)
{
	capture_log();
	assert_int_equal(daemon_owners_start(&the_daemon), 0);
	end_log();
}

static void end(void)
{
	daemon_owners_stop(&the_daemon);
	state_close(the_daemon.state);
}

/* As the daemon does it each second, without its waiting: not even as long as on a loaded machine,
 * where a reading that took long is not repeated soon. */
static void poll_seconds(int seconds)
{
	capture_log();
	for (int i = 0; i < seconds; i++) {
		the_daemon.owners.check_ns = 0;
		daemon_owners_poll(&the_daemon);
	}
	end_log();
}

static void expect_owner(const char *domain, uint32_t expected)
{
	uint32_t uid = 0;

	assert_true(daemon_owner(&the_daemon, domain, &uid));
	assert_int_equal(uid, expected);
}

static int keep_row(void *arg, const char *domain, uint32_t uid)
{
	return owners_add(arg, domain, uid);
}

static void expect_saved(const char *rows)
{
	struct owners *saved = owners_new();

	assert_int_equal(state_each_owner(the_daemon.state, keep_row, saved), 0);
	assert_string_equal(listing(saved), rows);
	owners_free(saved);
}

static void test_read_and_saved(void **state)
{
	uint32_t uid;

	(void)state;
	begin(CONFIG_SOURCE_FILE);
	write_text("/domains", "a.example: alice\nb.example: bob\nc.example: gone\n");
	start();
	assert_non_null(strstr(logged, "domains with an owner: 2 (file "));
	assert_non_null(strstr(logged, "domains of users that this host does not know: 1"));
	expect_owner("a.example", 1000);
	assert_false(daemon_owner(&the_daemon, "c.example", &uid));
	expect_saved("a.example=1000 b.example=1001");
	poll_seconds(3);
	assert_string_equal(logged, "");

	write_text("/domains", "b.example: carol\n");
	poll_seconds(3);
	assert_non_null(strstr(logged, "domains with an owner: 1 (file "));
	expect_owner("b.example", 1002);
	expect_saved("b.example=1002");
	end();
}

static void test_broken(void **state)
{
	char expected[1024];

	(void)state;
	begin(CONFIG_SOURCE_FILE);
	write_text("/domains", "a.example\n");
	start();
	snprintf(expected, sizeof(expected),
		 "%s:1: \"a.example\": want DOMAIN: USER, one domain a line; the owners known "
		 "before stay",
		 file);
	assert_non_null(strstr(logged, expected));
	assert_int_equal(owners_count(the_daemon.owners.owners), 0);
	poll_seconds(5);
	assert_string_equal(logged, "");
	write_text("/domains", "a.example: alice\n");
	poll_seconds(5);
	assert_non_null(strstr(logged, "owners of domains can be read again"));
	expect_owner("a.example", 1000);

	/* What is the same as before is not written again: the row that goes away here stays away.
	 * */
	assert_int_equal(state_put_owners(the_daemon.state, NULL), 0);
	the_daemon.list_stale = false;
	write_text("/domains", "# changed\na.example: alice\n");
	poll_seconds(5);
	expect_saved("");
	assert_false(the_daemon.list_stale);
	write_text("/domains", "a.example: carol\n");
	poll_seconds(5);
	expect_saved("a.example=1002");
	assert_true(the_daemon.list_stale);
	write_text("/domains", "a.example: alice\n");
	poll_seconds(5);

	/* A fault that is found again each second is told once. */
	assert_int_equal(unlink(file), 0);
	poll_seconds(5);
	snprintf(expected, sizeof(expected), "%s: cannot be read: No such file or directory", file);
	assert_non_null(strstr(logged, expected));
	assert_null(strstr(strstr(logged, expected) + 1, expected));
	expect_owner("a.example", 1000);
	expect_saved("a.example=1000");
	end();
}

/* As the maps have it, once the daemon has written them. */
static enum smtpl_role role_of(void *arg, uint32_t uid)
{
	const struct daemon *a = arg;

	return config_uids_has(&a->config.relays, uid) ? SMTPL_ROLE_RELAY : SMTPL_ROLE_DIRECT;
}

static void expect_payer(const char *domain, enum account_kind kind, uint32_t uid)
{
	const struct payer_ops ops = {.role = role_of, .owner = daemon_owner};
	struct account_id id;

	assert_int_equal(payer_of_domain(&ops, &the_daemon, domain, &id), PAYER_ACCOUNT);
	assert_int_equal(id.kind, kind);
	assert_int_equal(id.uid, uid);
}

/* What was saved holds until the source can be read; but nobody pays who is a relay by now. */
static void test_start_from_saved(void **state)
{
	uint32_t uid;

	(void)state;
	begin(CONFIG_SOURCE_FILE);
	write_text("/domains", "a.example: alice\nb.example: bob\n");
	start();
	end();

	write_text("/domains", "broken\n");
	config.relays.uid[config.relays.count++] = 1001;
	begin(CONFIG_SOURCE_FILE);
	start();
	assert_non_null(strstr(logged, "; the owners known before stay"));
	expect_payer("a.example", ACCOUNT_UID, 1000);
	expect_payer("b.example", ACCOUNT_DOMAIN, 0);
	expect_saved("a.example=1000 b.example=1001");
	end();

	begin(CONFIG_SOURCE_NONE);
	start();
	assert_false(daemon_owner(&the_daemon, "a.example", &uid));
	expect_saved("");
	end();
}

static void test_reload(void **state)
{
	struct config before;

	(void)state;
	begin(CONFIG_SOURCE_NONE);
	write_text("/domains", "a.example: alice\n");
	start();
	before = the_daemon.config;
	the_daemon.config.source = CONFIG_SOURCE_FILE;
	snprintf(the_daemon.config.owners_command, sizeof(the_daemon.config.owners_command),
		 "true");
	capture_log();
	daemon_owners_reload(&the_daemon, &before);
	assert_non_null(strstr(end_log(), "the new command for owners is taken up by a restart"));
	poll_seconds(1);
	expect_owner("a.example", 1000);
	end();
}

static void test_command(void **state)
{
	struct pollfd answered = {.events = POLLIN};

	(void)state;
	begin(CONFIG_SOURCE_COMMAND);
	snprintf(the_daemon.config.owners_command, sizeof(the_daemon.config.owners_command),
		 "echo a.example: alice");
	start();
	assert_string_equal(logged, "");
	answered.fd = the_daemon.owners.command.fd;
	assert_int_equal(poll(&answered, 1, 10000), 1);
	poll_seconds(1);
	assert_non_null(strstr(logged, "domains with an owner: 1 (command)"));
	expect_owner("a.example", 1000);
	expect_saved("a.example=1000");
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		OWNERS_TEST(test_read_and_saved),   OWNERS_TEST(test_broken),
		OWNERS_TEST(test_start_from_saved), OWNERS_TEST(test_reload),
		OWNERS_TEST(test_command),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("daemon_owners", tests, NULL, NULL);
}
