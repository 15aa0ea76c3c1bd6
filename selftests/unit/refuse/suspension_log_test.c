// SPDX-License-Identifier: GPL-2.0-only
/*
 * suspension_log_test.c - the lines of the log about a suspension, as they stand where stderr is no
 * journal.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <cmocka.h>
#include "base/clock.h"
#include "base/clock_text.h"
#include "refuse/suspension_log.h"

/* Without a passwd entry. */
#define ALICE 4000001

static int saved;

static int begin(void **state)
{
	int file = memfd_create("stderr", MFD_CLOEXEC);

	(void)state;
	unsetenv("JOURNAL_STREAM");
	saved = dup(STDERR_FILENO);
	if (file < 0 || saved < 0 || dup2(file, STDERR_FILENO) < 0)
		return -1;
	return close(file);
}

static int finish(void **state)
{
	(void)state;
	dup2(saved, STDERR_FILENO);
	return close(saved);
}

static void expect(const char *expected)
{
	char line[512];
	ssize_t n = pread(STDERR_FILENO, line, sizeof(line) - 1, 0);

	assert_true(n >= 0);
	line[n] = '\0';
	assert_string_equal(line, expected);
}

static struct state_suspension sample(int64_t for_s)
{
	uint64_t now_ns = clock_boot_ns();

	return (struct state_suspension){
		.account = {.kind = ACCOUNT_UID, .uid = ALICE},
		.kernel = {.since_ns = now_ns, .until_ns = now_ns + for_s * NS_PER_S},
		.reason = "deferred and failed mails 7/5 (58%)",
	};
}

/* Far enough that the day stands there, whatever the hour is now. */
static void expect_begun(const struct state_suspension *s, const char *before, const char *behind)
{
	char until[CLOCK_TEXT_SIZE], line[256];

	clock_text_day(clock_wall_of(s->kernel.until_ns) / NS_PER_S, until);
	suspension_log_begin(s, "");
	snprintf(line, sizeof(line), "smtplimit: %s until %s %s\n", before, until, behind);
	expect(line);
}

static void test_suspended(void **state)
{
	const struct state_suspension s = sample(3 * 24 * 3600);

	(void)state;
	expect_begun(&s, "uid:4000001 is suspended", "(3 d): deferred and failed mails 7/5 (58%)");
}

static void test_would_suspend(void **state)
{
	struct state_suspension s = sample(36 * 3600);

	(void)state;
	s.observed = true;
	expect_begun(&s, "would suspend uid:4000001",
		     "(36 h): deferred and failed mails 7/5 (58%) (mode = observe)");
}

static void test_may_send_again(void **state)
{
	const struct account_id id = {.kind = ACCOUNT_DOMAIN, .domain = "a.example"};

	(void)state;
	suspension_log_end(LOG_EVENT_OVER, &id, "", "the suspension is over");
	expect("smtplimit: domain:a.example may send again: the suspension is over\n");
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, begin, finish)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_suspended),
		TEST(test_would_suspend),
		TEST(test_may_send_again),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("suspension_log", tests, NULL, NULL);
}
