/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * maillog_line_test.c - lines of syslog files: their times, above all.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "base/clock.h"
#include "maillog/maillog_line.h"

#define WALL 1795314448ll

static void line_is(const char *line, int64_t now_s, int64_t wall_ns, const char *ident,
		    const char *text)
{
	struct maillog_clock clock = {0};
	struct maillog_line parsed;
	int again;

	for (again = 0; again < 2; again++) {
		if (!maillog_line_parse(&clock, line, strlen(line), now_s, &parsed))
			fail_msg("not a line: %s", line);
		assert_int_equal(parsed.wall_ns, wall_ns);
		assert_int_equal(parsed.ident.size, strlen(ident));
		assert_memory_equal(parsed.ident.at, ident, strlen(ident));
		assert_int_equal(parsed.text.size, strlen(text));
		assert_memory_equal(parsed.text.at, text, strlen(text));
	}
}

static void test_lines(void **state)
{
	(void)state;
	line_is("Nov 22 02:27:28 host postfix/smtp[136]: a b", WALL, WALL * NS_PER_S,
		"postfix/smtp", "a b");
	line_is("Nov  2 02:27:28 host postfix/smtp[136]: a", WALL, (WALL - 20 * 86400) * NS_PER_S,
		"postfix/smtp", "a");
	/* In the future: last year's. A day is a clock that is wrong. */
	line_is("Nov 23 02:27:28 h x: a", WALL, (WALL + 86400) * NS_PER_S, "x", "a");
	line_is("Nov 24 02:27:28 h x: a", WALL, (WALL + (2 - 365) * 86400) * NS_PER_S, "x", "a");
	line_is("Dec 31 23:59:59 h x: a", 1798761605, 1798761599 * NS_PER_S, "x", "a");
	line_is("Jan  1 00:00:01 h x: a", 1798761599, 1798761601 * NS_PER_S, "x", "a");
	line_is("Feb 29 00:00:00 h x: a", WALL, 1709164800 * NS_PER_S, "x", "a");
	line_is("2026-11-22T02:27:28.123456+00:00 host postfix-out/a/smtpd[1]: a", WALL,
		WALL * NS_PER_S + 123456000, "postfix-out/a/smtpd", "a");
	line_is("2026-11-22T03:57:28+01:30 host x: ", WALL, WALL * NS_PER_S, "x", "");
	line_is("2026-11-21T21:27:28-05:00 host x: a", WALL, WALL * NS_PER_S, "x", "a");
	line_is("2026-11-22T02:27:28Z host x: a", WALL, WALL * NS_PER_S, "x", "a");
}

static void test_lines_that_are_none(void **state)
{
	static const char *const lines[] = {
		"",
		"\n",
		"Nov 22 02:27:28",
		"Nov 22 02:27:28 ",
		"Nov 22 02:27:28 host",
		"Nov 22 02:27:28 host postfix/smtp[136]",
		"Nov 22 02:27:28 host postfix/smtp[x]: a",
		"Nov 22 02:27:28 host postfix/smtp[136] a",
		"Nov 22 02:27:28 host : a",
		"Nox 22 02:27:28 host x: a",
		"Nov 32 02:27:28 host x: a",
		"Nov 22 24:27:28 host x: a",
		"Nov 22 02-27:28 host x: a",
		"2026-11-22T02:27:28 host x: a",
		"2026-13-22T02:27:28Z host x: a",
		"2026-11-22T02:27:28.1 host x: a",
		"2026-11-22 02:27:28Z host x: a",
		"2026-11-22T02:27:28+0x:00 host x: a",
		"Nov 22 02:27:28 host last message repeated 2 times",
	};
	struct maillog_clock clock = {0};
	struct maillog_line parsed;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(lines) / sizeof(*lines); i++)
		if (maillog_line_parse(&clock, lines[i], strlen(lines[i]), WALL, &parsed))
			fail_msg("taken for a line: %s", lines[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_lines_that_are_none),
	};

	/* The form without a zone is local time. */
	setenv("TZ", "UTC", 1);
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
