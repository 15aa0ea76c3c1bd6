/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * maillog_journal_test.c - Postfix's messages out of a journal that a real systemd-journald writes,
 * in a mount namespace of this test's own; and those of a customer who calls himself postfix/smtp.
 */
#include <errno.h>
#include "base/clock.h"
#include "maillog_reader_fixture.h"
#include "lib/journald_fixture.h"

#define CUSTOMER 1001

/* As a syslog client with this uid: what logger -t TAG does. */
static void log_as(uid_t uid, const char *tag, const char *text)
{
	char line[1024];
	int size = snprintf(line, sizeof(line), "<22>Nov 22 02:27:28 %s[12]: %s", tag, text);
	int status;
	pid_t pid;
	int fd;

	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		if (uid && setresuid(uid, uid, uid))
			_exit(1);
		fd = log_socket();
		_exit(fd < 0 || send(fd, line, size, 0) != size);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void outcome_as(uid_t uid, unsigned int number)
{
	char text[256];

	outcome_line(text, sizeof(text), number);
	log_as(uid, "postfix/smtp", text);
}

/* What was sent is not yet in the journal: read it from long ago, until it is, and forget that. */
static void await_stored(unsigned int records)
{
	snprintf(host.disk.position, sizeof(host.disk.position),
		 "journal:%lld:s=00000000000000000000000000000001;i=1;b=2;m=3;t=4;x=5",
		 (long long)(time(NULL) - 60) * NS_PER_S);
	start();
	serve_until_told(records);
	assert_int_equal(host.memory.records, records);
	assert_int_equal(host.holes, 1);
	memset(&host.disk, 0, sizeof(host.disk));
	host.alive = host.holes = 0;
	crash();
}

static uid_t postfix_uid(void)
{
	return getpwnam("postfix")->pw_uid;
}

static bool possible(void)
{
	return journald_is_possible() && getpwnam("postfix");
}

static int set_up(void **state)
{
	if (!possible())
		return 0;
	set_up_reader(state);
	strcpy(host.where, "journal");
	begin_journald();
	return 0;
}

static int tear_down(void **state)
{
	if (!possible())
		return 0;
	end_journald();
	tear_down_reader(state);
	return 0;
}

static void need(void)
{
	if (!possible())
		skip();
}

static void test_history_and_outcomes(void **state)
{
	(void)state;
	need();
	log_as(postfix_uid(), "postfix/pickup", "9F5D65B: uid=1001 from=<alice@one.test>");
	outcome_as(postfix_uid(), 1);
	await_stored(1);
	start();
	serve_until_alive();
	assert_int_equal(host.memory.records, 0);
	outcome_as(postfix_uid(), 2);
	outcome_as(0, 3);
	serve_until_told(2);
	assert_int_equal(host.memory.reported[2], 1);
	assert_int_equal(host.memory.reported[3], 1);
	assert_int_equal(host.last.submission.known, SUBMISSION_HAS_UID | SUBMISSION_NO_SENDER);
	assert_int_equal(host.last.submission.uid, 1001);
}

static void test_customers_cannot_forge(void **state)
{
	(void)state;
	need();
	log_as(postfix_uid(), "postfix/pickup", "9F5D65B: uid=1001 from=<alice@one.test>");
	outcome_as(postfix_uid(), 0);
	await_stored(1);
	start();
	serve_until_alive();
	outcome_as(CUSTOMER, 1);
	outcome_as(65534, 2);
	log_as(CUSTOMER, "postfix/pickup", "9F5D65B: uid=1002 from=<alice@one.test>");
	log_as(0, "sendmail",
	       "9F5D65B: to=<n3@far.test>, relay=mx[203.0.113.1]:25, delay=1, "
	       "delays=0/0/0/1, dsn=2.0.0, status=sent (250 2.0.0 Ok)");
	outcome_as(postfix_uid(), 4);
	serve_until_told(1);
	assert_int_equal(host.memory.reported[4], 1);
	assert_int_equal(host.last.submission.uid, 1001);
	serve_until_alive();
	assert_int_equal(host.memory.records, 1);
}

/* Killed and started again, journald as well: each once. */
static void test_restarts(void **state)
{
	unsigned int n = 0;
	unsigned int i;
	int round;

	(void)state;
	need();
	outcome_as(postfix_uid(), 30000);
	await_stored(1);
	start();
	serve_until_alive();
	save();
	for (round = 0; round < 12; round++) {
		for (i = 0; i < 40; i++)
			outcome_as(postfix_uid(), n++);
		if (round % 3 == 0)
			serve();
		if (round % 4 == 1)
			save();
		crash();
		if (round == 6) {
			stop_journald();
			run_journald();
		}
		outcome_as(postfix_uid(), n++);
		start();
	}
	serve_until_told(n);
	for (i = 0; i < n; i++)
		assert_int_equal(host.memory.reported[i], 1);
	assert_int_equal(host.memory.reported[30000], 0);
	assert_int_equal(host.holes, 0);
}

static void test_waits_for_a_journal(void **state)
{
	(void)state;
	need();
	stop_journald();
	assert_int_equal(system("rm -rf /run/log/journal"), 0);
	start();
	serve_until_lost();
	assert_int_equal(host.lost, 1);
	make_journal_directory();
	run_journald();
	serve_until_alive();
	outcome_as(postfix_uid(), 1);
	serve_until_told(1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_history_and_outcomes),
		TEST(test_customers_cannot_forge),
		TEST(test_restarts),
		TEST(test_waits_for_a_journal),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
