// SPDX-License-Identifier: GPL-2.0-only
/*
 * relay_counts_test.c - counts of mail through mail servers between two savings: which go together,
 * and the bound.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include "../base/nomem.h"
#include "core/relay_counts.h"

static const struct relay_count one = {1, 2, 3, 4, 5, 6};

static const struct account_id alice = {.kind = ACCOUNT_UID, .uid = 1001};
static const struct account_id bob = {.kind = ACCOUNT_UID, .uid = 1002};
static const struct account_id domain = {.kind = ACCOUNT_DOMAIN, .domain = "a.example"};

struct sum {
	int rows;
	struct relay_count counts;
};

static int add_up(void *arg, const struct account_id *account, const char *sender,
		  const struct relay_count *counts)
{
	struct sum *sum = arg;

	(void)account;
	(void)sender;
	sum->rows++;
	relay_count_add(&sum->counts, counts);
	return 0;
}

static struct sum sum_of(const struct relay_counts *t)
{
	struct sum sum = {0};

	assert_int_equal(relay_counts_each(t, add_up, &sum), 0);
	return sum;
}

static void test_rows(void **state)
{
	struct relay_counts *t = relay_counts_new(42);
	struct sum sum;

	(void)state;
	for (int i = 0; i < 2; i++) {
		relay_counts_add(t, &alice, "a.example", &one);
		relay_counts_add(t, &alice, "b.example", &one);
		relay_counts_add(t, &alice, "", &one);
		relay_counts_add(t, &bob, "a.example", &one);
		relay_counts_add(t, &domain, "a.example", &one);
	}
	sum = sum_of(t);
	assert_int_equal(sum.rows, 5);
	assert_int_equal(sum.counts.delivered, 10);
	assert_int_equal(sum.counts.deferred, 20);
	assert_int_equal(sum.counts.failed, 30);
	assert_int_equal(sum.counts.unknown, 40);
	assert_int_equal(sum.counts.refused, 50);
	assert_int_equal(sum.counts.bypass, 60);
	relay_counts_clear(t);
	assert_int_equal(sum_of(t).rows, 0);
	relay_counts_add(t, &bob, "a.example", &one);
	assert_int_equal(sum_of(t).counts.failed, 3);
	relay_counts_free(t);
	relay_counts_free(NULL);
}

static int stop(void *arg, const struct account_id *account, const char *sender,
		const struct relay_count *counts)
{
	(void)account;
	(void)sender;
	(void)counts;
	++*(int *)arg;
	return -7;
}

static void test_each_ends(void **state)
{
	struct relay_counts *t = relay_counts_new(42);
	int calls = 0;

	(void)state;
	relay_counts_add(t, &alice, "a.example", &one);
	relay_counts_add(t, &bob, "a.example", &one);
	assert_int_equal(relay_counts_each(t, stop, &calls), -7);
	assert_int_equal(calls, 1);
	relay_counts_free(t);
}

static void test_bound(void **state)
{
	struct relay_counts *t = relay_counts_new(42);
	char sender[32];

	(void)state;
	for (int i = 0; i < RELAY_COUNTS_MAX + 3; i++) {
		snprintf(sender, sizeof(sender), "d%d.example", i);
		relay_counts_add(t, &alice, sender, &one);
	}
	relay_counts_add(t, &alice, "d0.example", &one);
	assert_int_equal(sum_of(t).rows, RELAY_COUNTS_MAX);
	assert_int_equal(sum_of(t).counts.delivered, RELAY_COUNTS_MAX + 1);
	assert_int_equal(relay_counts_lost(t), 3);
	relay_counts_free(t);
}

static void test_no_memory(void **state)
{
	struct relay_counts *t;

	(void)state;
	if (!NOMEM_WORKS)
		skip();
	t = relay_counts_new(42);
	nomem_after(0);
	relay_counts_add(t, &alice, "a.example", &one);
	nomem_after(-1);
	assert_int_equal(sum_of(t).rows, 0);
	assert_int_equal(relay_counts_lost(t), 1);
	relay_counts_free(t);
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
	return cmocka_run_group_tests_name("relay_counts", tests, NULL, NULL);
}
