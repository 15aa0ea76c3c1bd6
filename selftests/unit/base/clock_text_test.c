// SPDX-License-Identifier: GPL-2.0-only
/*
 * clock_text_test.c - times for people: local, with the day where it is another, and spans.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>
#include <cmocka.h>
#include "base/clock_text.h"

#define TUESDAY INT64_C(1796133900) /* 2026-12-01T14:05:00Z */
#define DAY_S	86400

static void zone(const char *name)
{
	setenv("TZ", name, 1);
	tzset();
}

static void test_time(void **state)
{
	char text[CLOCK_TEXT_SIZE];

	(void)state;
	zone("UTC");
	assert_string_equal(clock_text(TUESDAY, TUESDAY - 3600, text), "14:05");
	assert_string_equal(clock_text(TUESDAY, TUESDAY - DAY_S, text), "Tue 1 Dec 14:05");
	assert_string_equal(clock_text(TUESDAY, TUESDAY - 365 * DAY_S, text), "Tue 1 Dec 14:05");
	assert_string_equal(clock_text_day(TUESDAY + 59, text), "Tue 1 Dec 14:05");
	/* The day is the local one. */
	zone("AAA-10");
	assert_string_equal(clock_text_day(TUESDAY, text), "Wed 2 Dec 00:05");
	assert_string_equal(clock_text(TUESDAY, TUESDAY - 3600, text), "Wed 2 Dec 00:05");
	assert_string_equal(clock_text(TUESDAY, TUESDAY + 3600, text), "00:05");
}

static void test_iso(void **state)
{
	char text[CLOCK_TEXT_SIZE];

	(void)state;
	zone("AAA-10");
	assert_string_equal(clock_text_iso(TUESDAY, text), "2026-12-01T14:05:00Z");
	assert_string_equal(clock_text_iso(0, text), "1970-01-01T00:00:00Z");
	assert_string_equal(clock_text_iso(-1, text), "1970-01-01T00:00:00Z");
	assert_string_equal(clock_text_iso(INT64_MAX, text), "9999-12-31T23:59:59Z");
}

static void test_span(void **state)
{
	static const struct {
		int64_t seconds;
		const char *text;
	} spans[] = {
		{-5, "0 s"},
		{0, "0 s"},
		{119, "119 s"},
		{120, "2 min"},
		{3600, "60 min"},
		{3659, "60 min"},
		{7199, "119 min"},
		{7200, "2 h"},
		{9000, "2 h 30 min"},
		{24 * 3600, "24 h"},
		{2 * DAY_S - 1, "47 h 59 min"},
		{2 * DAY_S, "2 d"},
		{3 * DAY_S + 4 * 3600 + 59, "3 d 4 h"},
		{INT64_MAX, "106751991167300 d 15 h"},
	};
	char text[CLOCK_TEXT_SIZE];

	(void)state;
	for (size_t i = 0; i < sizeof(spans) / sizeof(*spans); i++)
		assert_string_equal(clock_text_span(spans[i].seconds, text), spans[i].text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_time),
		cmocka_unit_test(test_iso),
		cmocka_unit_test(test_span),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("clock_text", tests, NULL, NULL);
}
