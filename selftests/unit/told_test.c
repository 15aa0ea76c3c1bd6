// SPDX-License-Identifier: GPL-2.0-only
/*
 * told_test.c - counts of mail through mail servers between two savings: which go together, and the
 * bound.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include "nomem.h"
#include "core/told.h"

static const struct told_counts one = { 1, 2, 3, 4, 5, 6 };

static const struct account_id alice = { .kind = ACCOUNT_UID, .uid = 1001 };
static const struct account_id bob = { .kind = ACCOUNT_UID, .uid = 1002 };
static const struct account_id domain = { .kind = ACCOUNT_DOMAIN, .domain = "a.example" };

struct sum {
	int rows;
	struct told_counts counts;
};

static int add_up(void *arg, const struct account_id *account, const char *sender,
		  const struct told_counts *counts)
{
	struct sum *sum = arg;

	(void)account;
	(void)sender;
	sum->rows++;
	told_counts_add(&sum->counts, counts);
	return 0;
}

static struct sum sum_of(const struct told *t)
{
	struct sum sum = { 0 };

	assert_int_equal(told_each(t, add_up, &sum), 0);
	return sum;
}

static void test_rows(void **state)
{
	struct told *t = told_new(42);
	struct sum sum;

	(void)state;
	for (int i = 0; i < 2; i++) {
		told_add(t, &alice, "a.example", &one);
		told_add(t, &alice, "b.example", &one);
		told_add(t, &alice, "", &one);
		told_add(t, &bob, "a.example", &one);
		told_add(t, &domain, "a.example", &one);
	}
	sum = sum_of(t);
	assert_int_equal(sum.rows, 5);
	assert_int_equal(sum.counts.delivered, 10);
	assert_int_equal(sum.counts.deferred, 20);
	assert_int_equal(sum.counts.failed, 30);
	assert_int_equal(sum.counts.unknown, 40);
	assert_int_equal(sum.counts.refused, 50);
	assert_int_equal(sum.counts.bypass, 60);
	told_clear(t);
	assert_int_equal(sum_of(t).rows, 0);
	told_add(t, &bob, "a.example", &one);
	assert_int_equal(sum_of(t).counts.failed, 3);
	told_free(t);
	told_free(NULL);
}

static int stop(void *arg, const struct account_id *account, const char *sender,
		const struct told_counts *counts)
{
	(void)account;
	(void)sender;
	(void)counts;
	++*(int *)arg;
	return -7;
}

static void test_each_ends(void **state)
{
	struct told *t = told_new(42);
	int calls = 0;

	(void)state;
	told_add(t, &alice, "a.example", &one);
	told_add(t, &bob, "a.example", &one);
	assert_int_equal(told_each(t, stop, &calls), -7);
	assert_int_equal(calls, 1);
	told_free(t);
}

static void test_bound(void **state)
{
	struct told *t = told_new(42);
	char sender[32];

	(void)state;
	for (int i = 0; i < TOLD_MAX + 3; i++) {
		snprintf(sender, sizeof(sender), "d%d.example", i);
		told_add(t, &alice, sender, &one);
	}
	told_add(t, &alice, "d0.example", &one);
	assert_int_equal(sum_of(t).rows, TOLD_MAX);
	assert_int_equal(sum_of(t).counts.delivered, TOLD_MAX + 1);
	assert_int_equal(told_lost(t), 3);
	told_free(t);
}

static void test_no_memory(void **state)
{
	struct told *t;

	(void)state;
	if (!NOMEM_WORKS)
		skip();
	t = told_new(42);
	nomem_after(0);
	told_add(t, &alice, "a.example", &one);
	nomem_after(-1);
	assert_int_equal(sum_of(t).rows, 0);
	assert_int_equal(told_lost(t), 1);
	told_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_each_ends),
		cmocka_unit_test(test_bound),
		cmocka_unit_test(test_no_memory),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("told", tests, NULL, NULL);
}
