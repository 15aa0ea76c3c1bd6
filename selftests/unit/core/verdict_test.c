// SPDX-License-Identifier: GPL-2.0-only
/*
 * verdict_test.c - the rule at its borders.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "core/verdict.h"

struct row {
	uint64_t delivered, deferred, failed;
	uint32_t percent, min;
	bool suspend;
	uint32_t said; /* percent as it is shown */
};

static void check(const struct row *r)
{
	struct window_counts counts = {r->delivered, r->deferred, r->failed};
	struct verdict_rule rule = {3600, 3600, r->percent, r->min};
	struct verdict v = verdict_decide(&counts, &rule);

	assert_int_equal(v.bad, r->deferred + r->failed);
	assert_int_equal(v.percent, r->said);
	assert_int_equal(v.suspend, r->suspend);
}

static void test_borders(void **state)
{
	static const struct row rows[] = {
		{0, 0, 0, 50, 5, false, 0},
		{0, 0, 4, 50, 5, false, 100}, /* one below the minimum */
		{0, 0, 5, 50, 5, true, 100},  /* exactly the minimum */
		{0, 2, 3, 50, 5, true, 100},  /* both kinds count */
		{0, 5, 0, 50, 5, true, 100},
		{5, 5, 0, 50, 5, true, 50},    /* exactly 50 % */
		{6, 3, 2, 50, 5, false, 45},   /* one delivered more */
		{51, 0, 50, 50, 5, false, 49}, /* 49.5 %: cut when shown, not when judged */
		{50, 0, 50, 50, 5, true, 50},
		{2, 0, 1, 33, 1, true, 33}, /* 33.3 % */
		{2, 0, 1, 34, 1, false, 33},
		{0, 0, 1, 100, 1, true, 100},
		{1, 0, 999, 100, 1, false, 99},
		{99, 0, 1, 1, 1, true, 1},
		{100, 0, 1, 1, 1, false, 0},
		{10, 0, 0, 1, 0, false, 0}, /* no rule suspends for nothing */
		{0, 0, 0, 0, 0, false, 0},
		{0, 0, 999999, 50, 1000000, false, 100},
		{0, 0, 1000000, 50, 1000000, true, 100},
		/* A full window of 86400 seconds. */
		{86400ull * UINT32_MAX, 0, 86400ull * UINT32_MAX, 50, 5, true, 50},
		{86400ull * UINT32_MAX, 0, 86400ull * UINT32_MAX - 1, 50, 5, false, 49},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		check(&rows[i]);
}

/* The known example with 55 % and a minimum of 7. */
static void test_worked_example(void **state)
{
	static const struct row rows[] = {
		{5, 0, 6, 55, 7, false, 54}, /* 6 of 11: too few, and below */
		{4, 0, 6, 55, 7, false, 60}, /* above, but too few */
		{7, 0, 7, 55, 7, false, 50}, {7, 0, 8, 55, 7, false, 53},
		{7, 0, 9, 55, 7, true, 56},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		check(&rows[i]);
}

static void test_permille(void **state)
{
	static const struct {
		struct window_counts counts;
		int permille;
	} rows[] = {
		{{0, 0, 0}, -1},   {{1, 0, 0}, 0},    {{0, 1, 0}, 1000},
		{{2, 0, 1}, 333},  {{1, 1, 1}, 667},  {{7, 2, 5}, 500},
		{{1999, 0, 1}, 1}, {{2000, 0, 1}, 0}, {{1, 0, 1999}, 1000},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(verdict_permille(&rows[i].counts), rows[i].permille);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_borders),
		cmocka_unit_test(test_worked_example),
		cmocka_unit_test(test_permille),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("verdict", tests, NULL, NULL);
}
