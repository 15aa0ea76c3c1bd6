// SPDX-License-Identifier: GPL-2.0-only
/*
 * verdict_test.c - the rule at its borders, and against a line that is found by trying. Random
 * tallies have fixed seeds, which are printed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "core/verdict.h"
#include "window_fixture.h"

struct row {
	uint64_t delivered, deferred, failed;
	uint32_t percent, min;
	bool suspend;
	uint32_t said; /* percent as it is shown */
};

static struct tally tally_of(uint64_t delivered, uint64_t deferred, uint64_t failed)
{
	return (struct tally){.delivered = delivered,
			      .deferred = deferred,
			      .failed = failed,
			      .bad = deferred + failed};
}

static void check(const struct row *r)
{
	struct tally tally = tally_of(r->delivered, r->deferred, r->failed);
	struct verdict_rule rule = {.percent = r->percent, .min_failures = r->min};
	struct verdict v = verdict_decide(&tally, &rule);

	assert_int_equal(v.bad, r->deferred + r->failed);
	assert_int_equal(v.percent, r->said);
	assert_int_equal(v.suspend, r->suspend);
	assert_int_equal(v.headroom == 0, r->suspend);
	assert_false(v.near); /* nobody asked */
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

/* What one remote has above its share is no failure, but stays in the figures of the window. */
static void test_bad_is_what_is_judged(void **state)
{
	const struct verdict_rule rule = {.percent = 50, .min_failures = 5};
	struct tally tally = tally_of(0, 2, 10);
	struct verdict v;

	(void)state;
	tally.bad = 4;
	v = verdict_decide(&tally, &rule);
	assert_int_equal(v.bad, 4);
	assert_false(v.suspend);
	assert_int_equal(v.headroom, 1);
}

static void test_lead(void **state)
{
	static const struct {
		uint64_t delivered, bad;
		uint32_t lead;
		bool suspend;
	} rows[] =
		{
			{0, 5, 4, true},    {0, 5, 6, false},	{0, 6, 6, true},
			{5, 5, 0, true},    {5, 8, 4, false},	{5, 9, 4, true},
			{5, 8, 3, true},    {20, 23, 4, false}, {20, 24, 4, true},
			{21, 24, 4, false}, {21, 25, 4, true}, /* now the percentage decides */
			{25, 25, 4, true},  {25, 24, 4, false}, {26, 25, 4, false},
			{26, 26, 20, true},
		};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct verdict_rule rule = {
			.percent = 50, .min_failures = 5, .lead = rows[i].lead};
		const struct tally tally = tally_of(rows[i].delivered, 0, rows[i].bad);

		assert_int_equal(verdict_decide(&tally, &rule).suspend, rows[i].suspend);
	}
}

/* The second line goes by different unknown recipients, among all mails. */
static void test_second_line(void **state)
{
	struct verdict_rule rule = {
		.percent = 50, .min_failures = 5, .hard_recipients = 100, .hard_percent = 25};
	struct tally tally = tally_of(300, 0, 100);

	(void)state;
	tally.unknown = 100;
	assert_true(verdict_decide(&tally, &rule).suspend);
	assert_int_equal(verdict_decide(&tally, &rule).headroom, 0);
	tally.unknown = 99;
	assert_false(verdict_decide(&tally, &rule).suspend);
	tally.unknown = 100;
	tally.delivered = 301;
	assert_false(verdict_decide(&tally, &rule).suspend);
	tally.delivered = 300;
	tally.deferred = 1;
	assert_false(verdict_decide(&tally, &rule).suspend);
	rule.hard_percent = 24;
	assert_true(verdict_decide(&tally, &rule).suspend);
	rule.hard_recipients = 0;
	assert_false(verdict_decide(&tally, &rule).suspend);
}

static void test_near(void **state)
{
	static const struct {
		uint64_t delivered, bad;
		uint32_t warn;
		bool near;
	} rows[] = {
		{0, 0, 80, false},   {0, 3, 80, false}, {0, 4, 80, true}, /* 4 of the 5 */
		{6, 4, 80, true},    {7, 4, 80, false},			  /* 40 % of the 50 */
		{0, 4, 81, false},   {0, 4, 0, false},	{0, 4, 100, false}, {60, 40, 80, true},
		{60, 39, 80, false}, {0, 0, 1, false},	{99, 1, 1, true},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct verdict_rule rule = {
			.percent = 50, .min_failures = 5, .warn = rows[i].warn};
		const struct tally tally = tally_of(rows[i].delivered, 0, rows[i].bad);

		assert_int_equal(verdict_decide(&tally, &rule).near, rows[i].near);
	}
}

static void test_no_number_suffices(void **state)
{
	const struct verdict_rule rule = {.percent = 100, .min_failures = 5};
	struct tally tally = tally_of(1, 0, 999);

	(void)state;
	assert_true(verdict_decide(&tally, &rule).headroom == UINT64_MAX);
	tally.delivered = 0;
	tally.bad = 3;
	assert_int_equal(verdict_decide(&tally, &rule).headroom, 2);
}

/* ---- against a line that is found by trying ---- */

static bool is_over(uint64_t bad, uint64_t delivered, const struct verdict_rule *rule)
{
	return bad > 0 && bad >= rule->min_failures &&
	       100 * bad >= rule->percent * (bad + delivered) &&
	       (!rule->lead || bad >= VERDICT_LEAD_FAILURES || bad >= delivered + rule->lead);
}

static void assert_headroom(const struct tally *t, const struct verdict_rule *rule)
{
	const struct verdict v = verdict_decide(t, rule);
	struct tally more = *t;

	assert_int_equal(v.suspend, is_over(t->bad, t->delivered, rule));
	if (v.headroom == UINT64_MAX) {
		assert_int_equal(rule->percent, 100);
		assert_true(t->delivered > 0);
		return;
	}
	assert_int_equal(v.headroom == 0, v.suspend);
	more.bad += v.headroom;
	more.failed += v.headroom;
	assert_true(verdict_decide(&more, rule).suspend);
	assert_true(is_over(more.bad, more.delivered, rule));
	if (!v.headroom)
		return;
	more.bad--;
	more.failed--;
	assert_false(verdict_decide(&more, rule).suspend);
	assert_false(is_over(more.bad, more.delivered, rule));
}

static void test_headroom(void **state)
{
	uint64_t seed = 7;

	(void)state;
	print_message("# seed 7\n");
	for (int i = 0; i < 200000; i++) {
		uint64_t most = random_next(&seed) % 4 ? 60 : 5000;
		struct tally t = tally_of(random_next(&seed) % most, random_next(&seed) % most,
					  random_next(&seed) % most);
		const struct verdict_rule rule = {
			.percent = 1 + random_next(&seed) % 100,
			.min_failures = 1 + random_next(&seed) % 20,
			.lead = random_next(&seed) % 2 ? random_next(&seed) % 21 : 0,
			.warn = random_next(&seed) % 100,
		};

		if (random_next(&seed) % 2)
			t.bad = random_next(&seed) % (t.bad + 1);
		assert_headroom(&t, &rule);
		/* Whoever is over the line of percentage and failures is near it. */
		if (rule.warn && is_over(t.bad, t.delivered, &rule))
			assert_true(verdict_decide(&t, &rule).near);
	}
}

static void test_headroom_of_the_second_line(void **state)
{
	struct verdict_rule rule = {.percent = 100, .min_failures = 1000, .hard_recipients = 20};
	uint64_t seed = 7;

	(void)state;
	print_message("# seed 7\n");
	for (int i = 0; i < 20000; i++) {
		struct tally t = tally_of(random_next(&seed) % 100, 0, random_next(&seed) % 40);
		uint64_t headroom;

		rule.hard_percent = 1 + random_next(&seed) % 100;
		t.unknown = random_next(&seed) % (t.failed + 1);
		headroom = verdict_decide(&t, &rule).headroom;
		assert_int_equal(verdict_decide(&t, &rule).suspend, headroom == 0);
		for (uint64_t n = 0; n < 1000 && n < headroom; n++) {
			assert_false(verdict_decide(&t, &rule).suspend);
			t.failed++;
			t.bad++;
			t.unknown++;
		}
		if (headroom < 1000)
			assert_true(verdict_decide(&t, &rule).suspend);
	}
}

static void test_permille(void **state)
{
	static const struct {
		uint64_t bad, delivered;
		int permille;
	} rows[] = {
		{0, 0, -1},  {0, 1, 0},	   {1, 0, 1000}, {1, 2, 333},	  {2, 1, 667},
		{7, 7, 500}, {1, 1999, 1}, {1, 2000, 0}, {1999, 1, 1000},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(verdict_permille(rows[i].bad, rows[i].delivered),
				 rows[i].permille);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_borders),
		cmocka_unit_test(test_worked_example),
		cmocka_unit_test(test_bad_is_what_is_judged),
		cmocka_unit_test(test_lead),
		cmocka_unit_test(test_second_line),
		cmocka_unit_test(test_near),
		cmocka_unit_test(test_no_number_suffices),
		cmocka_unit_test(test_headroom),
		cmocka_unit_test(test_headroom_of_the_second_line),
		cmocka_unit_test(test_permille),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("verdict", tests, NULL, NULL);
}
