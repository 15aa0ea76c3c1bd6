// SPDX-License-Identifier: GPL-2.0-only
/*
 * log_event_test.c - events of accounts in a journal that a real systemd-journald writes, field by
 * field; and as plain lines where stderr is no journal, or journald is gone.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include <jansson.h>
#include <sys/mman.h>
#include <systemd/sd-journal.h>
#include "base/log.h"
#include "base/log_event.h"
#include "lib/journald_fixture.h"

#define UNTIL_S INT64_C(1795269900) /* 2026-11-21T14:05:00Z */

static const struct log_facts alice = {.account = "alice",
				       .domain = "example.com",
				       .login = "alice@example.com",
				       .has_figures = true,
				       .bad = 7,
				       .percent = 58,
				       .until_wall_s = UNTIL_S};

/* Runs log_event() with stderr as the file, and JOURNAL_STREAM naming it where `journal` is set. */
static void log_into(int file, bool journal, enum log_event_kind kind,
		     const struct log_facts *facts, const char *text)
{
	int saved = dup(STDERR_FILENO), kept;
	char own[64];
	struct stat st;

	assert_true(saved >= 0 && file >= 0);
	assert_int_equal(fstat(file, &st), 0);
	snprintf(own, sizeof(own), "%ju:%ju", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino);
	if (journal)
		setenv("JOURNAL_STREAM", own, 1);
	assert_true(dup2(file, STDERR_FILENO) >= 0);
	errno = EXDEV;
	log_event(kind, facts, "%s", text);
	kept = errno;
	dup2(saved, STDERR_FILENO);
	close(saved);
	unsetenv("JOURNAL_STREAM");
	assert_int_equal(kept, EXDEV);
}

static void line_of(bool journal, char *out, size_t out_size)
{
	int file = memfd_create("stderr", MFD_CLOEXEC);
	ssize_t n;

	log_into(file, journal, LOG_EVENT_SUSPENDED, &alice, "a line");
	n = pread(file, out, out_size - 1, 0);
	assert_true(n >= 0);
	out[n] = '\0';
	close(file);
}

static void test_ids(void **state)
{
	(void)state;
	for (enum log_event_kind a = 0; a < LOG_EVENT_KINDS; a++) {
		assert_int_equal(strlen(log_event_id(a)), 32);
		assert_int_equal(strspn(log_event_id(a), "0123456789abcdef"), 32);
		for (enum log_event_kind b = 0; b < a; b++)
			assert_string_not_equal(log_event_id(a), log_event_id(b));
	}
	/* What users' alarms go by is never changed. */
	assert_string_equal(log_event_id(LOG_EVENT_SUSPENDED), "9b1f7ba84d8e478e9c2cb19900b7b8b2");
	assert_string_equal(log_event_id(LOG_EVENT_WOULD_SUSPEND),
			    "ad9c012ac1f84f3f88d72a6fd9f82936");
	assert_string_equal(log_event_id(LOG_EVENT_RELEASED), "bef037ff91d04256888b2242db55ace6");
	assert_string_equal(log_event_id(LOG_EVENT_OVER), "06e221dd023e46918402476b9eaba6e0");
	assert_string_equal(log_event_id(LOG_EVENT_NEAR), "84f51fc8c9cf4edfa956abd7ebf2a3ee");
}

static void test_no_journal(void **state)
{
	char out[256];

	(void)state;
	line_of(false, out, sizeof(out));
	assert_string_equal(out, "smtplimit: a line\n");
}

static int set_up(void **state)
{
	(void)state;
	if (journald_is_possible())
		begin_journald();
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	if (journald_is_possible())
		end_journald();
	return 0;
}

static void need(void)
{
	if (!journald_is_possible())
		skip();
}

/* As systemd does for a unit's stderr. */
static void log_to_journal(enum log_event_kind kind, const struct log_facts *facts,
			   const char *text)
{
	int stream = sd_journal_stream_fd("smtplimit", LOG_LEVEL_INFO, 1);

	log_into(stream, true, kind, facts, text);
	close(stream);
}

/* The entry with this MESSAGE_ID, as journalctl shows it. */
static json_t *entry_of(enum log_event_kind kind)
{
	json_t *entry;
	char command[128];
	FILE *out;

	assert_int_equal(system("journalctl --sync"), 0);
	snprintf(command, sizeof(command), "journalctl --all -o json MESSAGE_ID=%s",
		 log_event_id(kind));
	out = popen(command, "re");
	assert_non_null(out);
	entry = json_loadf(out, 0, NULL);
	assert_non_null(entry);
	assert_int_equal(pclose(out), 0);
	return entry;
}

static void expect_field(const json_t *entry, const char *name, const char *value)
{
	const char *text = json_string_value(json_object_get(entry, name));

	if (!value)
		assert_null(json_object_get(entry, name));
	else if (!text)
		fail_msg("no text in %s", name);
	else
		assert_string_equal(text, value);
}

static void test_fields(void **state)
{
	json_t *entry;

	(void)state;
	need();
	log_to_journal(LOG_EVENT_SUSPENDED, &alice, "alice is suspended until 14:05 (60 min)");
	entry = entry_of(LOG_EVENT_SUSPENDED);
	expect_field(entry, "MESSAGE", "alice is suspended until 14:05 (60 min)");
	expect_field(entry, "PRIORITY", "5");
	expect_field(entry, "SYSLOG_IDENTIFIER", "smtplimit");
	expect_field(entry, "_TRANSPORT", "journal");
	expect_field(entry, "SMTPLIMIT_ACCOUNT", "alice");
	expect_field(entry, "SMTPLIMIT_DOMAIN", "example.com");
	expect_field(entry, "SMTPLIMIT_LOGIN", "alice@example.com");
	expect_field(entry, "SMTPLIMIT_BAD", "7");
	expect_field(entry, "SMTPLIMIT_PERCENT", "58");
	expect_field(entry, "SMTPLIMIT_UNTIL", "2026-11-21T14:05:00Z");
	expect_field(entry, "CODE_FILE", NULL);
	json_decref(entry);
}

static void test_what_is_not_known_has_no_field(void **state)
{
	const struct log_facts facts = {.account = "alice", .domain = ""};
	static const char *const none[] = {"SMTPLIMIT_DOMAIN", "SMTPLIMIT_LOGIN", "SMTPLIMIT_BAD",
					   "SMTPLIMIT_PERCENT", "SMTPLIMIT_UNTIL"};
	json_t *entry;

	(void)state;
	need();
	log_to_journal(LOG_EVENT_OVER, &facts, "alice may send again: the suspension is over");
	entry = entry_of(LOG_EVENT_OVER);
	expect_field(entry, "SMTPLIMIT_ACCOUNT", "alice");
	for (size_t i = 0; i < sizeof(none) / sizeof(*none); i++)
		expect_field(entry, none[i], NULL);
	json_decref(entry);
}

/* Nobody's bytes become a field of their own, or reach a terminal. */
static void test_hostile_bytes(void **state)
{
	const struct log_facts facts = {.account = "a\nPRIORITY=0", .domain = "x\x1b[31m.test"};
	json_t *entry;

	(void)state;
	need();
	log_to_journal(LOG_EVENT_WOULD_SUSPEND, &facts, "a\nSMTPLIMIT_LOGIN=root\x1b[m");
	entry = entry_of(LOG_EVENT_WOULD_SUSPEND);
	expect_field(entry, "MESSAGE", "a\\x0aSMTPLIMIT_LOGIN=root\\x1b[m");
	expect_field(entry, "SMTPLIMIT_ACCOUNT", "a\\x0aPRIORITY=0");
	expect_field(entry, "SMTPLIMIT_DOMAIN", "x\\x1b[31m.test");
	expect_field(entry, "SMTPLIMIT_LOGIN", NULL);
	expect_field(entry, "PRIORITY", "5");
	json_decref(entry);
}

/* JOURNAL_STREAM says journal, and nobody listens: the line goes to stderr after all. */
static void test_journald_is_gone(void **state)
{
	char out[256];

	(void)state;
	need();
	stop_journald();
	unlink("/run/systemd/journal/socket");
	line_of(true, out, sizeof(out));
	assert_string_equal(out, "<5>a line\n");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ids), cmocka_unit_test(test_no_journal),
		TEST(test_fields),	    TEST(test_what_is_not_known_has_no_field),
		TEST(test_hostile_bytes),   TEST(test_journald_is_gone),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("log_event", tests, NULL, NULL);
}
