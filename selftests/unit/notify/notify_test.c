// SPDX-License-Identifier: GPL-2.0-only
/*
 * notify_test.c - the real process smtpl-notify with smtpl-command: notices become runs of a
 * command, settings change while it runs, and its figures come back. The test stands in for the
 * daemon.
 */
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "notify/channel.h"
#include "notify/notify.h"

static struct notify n;
static struct notify_settings settings;
static struct notify_stats stats;
static char directory[] = "/tmp/notify-XXXXXX";

static const char *path(const char *name)
{
	static char text[128];

	snprintf(text, sizeof(text), "%s/%s", directory, name);
	return text;
}

static int begin(void **state)
{
	(void)state;
	signal(SIGPIPE, SIG_IGN);
	/* The command is nobody's where this is root's. */
	return mkdtemp(directory) && chmod(directory, 0777) == 0 ? 0 : -1;
}

static int end(void **state)
{
	char command[64];

	(void)state;
	snprintf(command, sizeof(command), "rm -r %s", directory);
	return system(command);
}

static void start(const char *command)
{
	memset(&settings, 0, sizeof(settings));
	memset(&stats, 0, sizeof(stats));
	snprintf(settings.command, sizeof(settings.command), "%s", command);
	snprintf(settings.host, sizeof(settings.host), "h.test");
	assert_int_equal(notify_start(&n, &settings, -1), 0);
}

static void suspend(const char *account)
{
	struct notice notice = {.kind = NOTICE_SUSPENDED, .time_s = 1796000000, .bad = 7};

	snprintf(notice.account, sizeof(notice.account), "%s", account);
	assert_int_equal(notify_send(&n, &notice), 0);
}

/* What a file holds. */
static const char *content(const char *name)
{
	static char text[65536];
	FILE *file = fopen(path(name), "r");
	size_t size = file ? fread(text, 1, sizeof(text) - 1, file) : 0;

	text[size] = '\0';
	if (file)
		fclose(file);
	return text;
}

static void test_what_is_held_goes_at_the_end(void **state)
{
	char command[256];

	(void)state;
	snprintf(command, sizeof(command),
		 "cat >%s/json; echo \"$SMTPLIMIT_KIND $SMTPLIMIT_BAD\" >%s/env", directory,
		 directory);
	start(command);
	suspend("alice");
	notify_stop(&n, &stats);
	assert_int_equal(n.pid, 0);
	assert_string_equal(content("env"), "suspended 7\n");
	assert_non_null(strstr(content("json"), "\"account\":\"alice\""));
	assert_int_equal(stats.sent, 1);
	assert_int_equal(stats.waiting, 0);
}

static void test_a_burst_is_a_digest(void **state)
{
	char command[256], account[32];

	(void)state;
	snprintf(command, sizeof(command), "echo \"$SMTPLIMIT_KIND $SMTPLIMIT_COUNT\" >>%s/burst",
		 directory);
	start(command);
	for (int i = 0; i < 1000; i++) {
		snprintf(account, sizeof(account), "uid:%d", 30000 + i);
		suspend(account);
	}
	notify_stop(&n, &stats);
	assert_string_equal(content("burst"), "digest 1000\n");
	assert_int_equal(stats.sent, 1);
	assert_int_equal(stats.dropped, 0);
}

static void test_new_settings_hold_for_the_next_notice(void **state)
{
	(void)state;
	start("exit 1");
	snprintf(settings.command, sizeof(settings.command), "echo new >%s/new", directory);
	assert_int_equal(notify_set(&n, &settings), 0);
	suspend("alice");
	notify_stop(&n, &stats);
	assert_string_equal(content("new"), "new\n");
	assert_int_equal(stats.sent, 1);
}

/* It fails, and waits for its next time when the process ends. */
static void test_what_fails_is_waiting(void **state)
{
	(void)state;
	start("echo no >&2; exit 1");
	suspend("alice");
	notify_stop(&n, &stats);
	assert_int_equal(stats.sent, 0);
	assert_int_equal(stats.failed, 0);
	assert_int_equal(stats.waiting, 1);
}

static void test_records_that_make_no_sense(void **state)
{
	struct notify_notice_record record = {.put = NOTIFY_PUT_NOTICE};

	(void)state;
	start("exit 0");
	assert_int_equal(send(n.fd, &record, sizeof(record), 0), sizeof(record)); /* of no kind */
	assert_int_equal(send(n.fd, &record, 100, 0), 100);
	assert_int_equal(send(n.fd, &record, 1, 0), 1);
	record.put = 99;
	assert_int_equal(send(n.fd, &record, sizeof(record), 0), sizeof(record));
	suspend("alice");
	notify_stop(&n, &stats);
	assert_int_equal(stats.sent, 1);
}

static void test_it_is_gone_when_its_command_process_is(void **state)
{
	struct pollfd gone = {.events = POLLIN};
	char command[64];

	(void)state;
	start("exit 0");
	snprintf(command, sizeof(command), "kill -KILL $(ps -o pid= --ppid %d)", (int)n.pid);
	assert_int_equal(system(command), 0);
	gone.fd = n.fd;
	assert_int_equal(poll(&gone, 1, 20000), 1);
	assert_int_equal(notify_serve(&n, &stats), -EPIPE);
	notify_stop(&n, &stats);
}

static void test_which_processes_settings_need(void **state)
{
	struct notify_settings s = {0};

	(void)state;
	assert_int_equal(notify_ways(&s), 0);
	assert_int_equal(notify_channels(&s), 0);
	strcpy(s.admin, "root");
	assert_int_equal(notify_channels(&s), 1u << CHANNEL_MAIL);
	s.contacts = NOTIFY_CONTACTS_COMMAND;
	assert_int_equal(notify_channels(&s), 1u << CHANNEL_MAIL | 1u << CHANNEL_COMMAND);
	s = (struct notify_settings){.webhook = "http://h.test/"};
	assert_int_equal(notify_channels(&s), 1u << CHANNEL_WEBHOOK);
	assert_int_equal(notify_ways(&s), NOTIFY_BIT(NOTIFY_WEBHOOK));
}

static void test_jobs_that_are_too_large(void **state)
{
	static struct channel_job job;
	static char large[CHANNEL_BYTES];
	struct channel_part part[3] = {{"a", 2}, {NULL, 0}, {large, sizeof(large) - 2}};

	(void)state;
	assert_true(channel_job_make(&job, CHANNEL_SEND, 1, part));
	part[2].size++;
	assert_false(channel_job_make(&job, CHANNEL_SEND, 1, part));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_held_goes_at_the_end),
		cmocka_unit_test(test_a_burst_is_a_digest),
		cmocka_unit_test(test_new_settings_hold_for_the_next_notice),
		cmocka_unit_test(test_what_fails_is_waiting),
		cmocka_unit_test(test_records_that_make_no_sense),
		cmocka_unit_test(test_it_is_gone_when_its_command_process_is),
		cmocka_unit_test(test_which_processes_settings_need),
		cmocka_unit_test(test_jobs_that_are_too_large),
	};

	return cmocka_run_group_tests(tests, begin, end);
}
