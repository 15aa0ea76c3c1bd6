/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * config_date_test.c - `until`: dates of the host's time zone and of UTC, days that do not exist,
 * and how a date is printed.
 */
#include "config_fixture.h"

#include <time.h>

#include "config/config_key.h"

static int64_t until(const char *date)
{
	static const struct account_id alice = {.kind = ACCOUNT_UID, .uid = 1000};
	struct config c;
	char text[128];

	snprintf(text, sizeof(text), "[account alice]\nuntil = %s\n", date);
	c = read_good(text);
	return config_account_find(&c, &alice)->section->until_s;
}

/* 2026-12-24T18:00Z */
#define EVENING 1798135200

static void test_dates(void **state)
{
	(void)state;
	assert_int_equal(until("2026-12-24T18:00Z"), EVENING);
	assert_int_equal(until("2026-12-24 18:00:59Z"), EVENING + 59);
	assert_int_equal(until("2026-12-24 19:00"), EVENING);
	assert_int_equal(until("2026-12-24T19:00:00"), EVENING);
	/* A day alone means its end. */
	assert_int_equal(until("2026-12-24Z"), EVENING + 6 * 3600);
	assert_int_equal(until("2026-12-24"), EVENING + 5 * 3600);
	assert_int_equal(until("2026-12-31"), until("2027-01-01 00:00"));
	assert_int_equal(until("2028-02-29"), until("2028-03-01 00:00"));
	/* Summer time begins at 02:00 on this day, so that it has 23 hours. */
	assert_int_equal(until("2026-03-29") - until("2026-03-28"), 23 * 3600);
	assert_int_equal(until("2026-07-01 12:00"), until("2026-07-01 10:00Z"));
}

static void test_bad_dates(void **state)
{
	static const char *const bad[] = {
		"",
		"tomorrow",
		"2026",
		"2026-12",
		"24.12.2026",
		"2026-2-30",
		"2026-02-29",
		"2100-02-29",
		"2026-13-01",
		"2026-00-01",
		"2026-01-00",
		"2026-04-31",
		"1999-01-01",
		"3000-01-01",
		"2026-12-24 24:00",
		"2026-12-24 18:60",
		"2026-12-24 18:00:60",
		"2026-12-24 18",
		"2026-12-24 1800",
		"2026-12-24  18:00",
		"2026-12-24T18:00z",
		"2026-12-24T18:00+01:00",
		"2026-12-24T18:00Zx",
		"2026-12-24T",
		"1798135200",
	};
	char text[128], expected[256];

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		snprintf(text, sizeof(text), "[account alice]\nuntil = %s\n", bad[i]);
		snprintf(expected, sizeof(expected),
			 "t.conf:2: until = \"%s\": want a date like 2026-12-24, 2026-12-24 18:00 "
			 "or 2026-12-24T18:00Z",
			 bad[i]);
		expect_error(text, expected);
	}
}

/* What is printed is read back as the same. */
static void test_print(void **state)
{
	const struct config_key *key = config_key_find("account", "until");
	struct config_section section = {.until_s = EVENING};
	char *text, why[256];
	size_t size;
	FILE *out = open_memstream(&text, &size);
	json_t *json = key->type->json(key, &section);

	(void)state;
	key->type->write(key, &section, out);
	fclose(out);
	assert_string_equal(text, "2026-12-24T18:00:00Z");
	assert_string_equal(json_string_value(json), text);
	section.until_s = 0;
	assert_int_equal(key->type->read(key, text, &section, why, sizeof(why)), 0);
	assert_int_equal(section.until_s, EVENING);
	json_decref(json);
	free(text);
	section.until_s = CONFIG_NO_END;
	json = key->type->json(key, &section);
	assert_true(json_is_null(json));
	json_decref(json);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_dates),
		cmocka_unit_test(test_bad_dates),
		cmocka_unit_test(test_print),
	};

	setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3", 1);
	tzset();
	return run_config_tests(tests, sizeof(tests) / sizeof(tests[0]));
}
