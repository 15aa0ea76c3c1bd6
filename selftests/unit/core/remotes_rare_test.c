// SPDX-License-Identifier: GPL-2.0-only
/*
 * remotes_rare_test.c - which remotes are rare, on small hosts and large ones, and which deliveries
 * at them count.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include "core/remotes.h"

#define SEED	42
#define GMAIL	1000
#define OUTLOOK 2000

static const int64_t T = 100000;

static int setup(void **state)
{
	*state = remotes_new(SEED);
	return !*state;
}

static int teardown(void **state)
{
	remotes_free(*state);
	return 0;
}

/* That many accounts, other than those of the tests, had a delivery somewhere. */
static void know_anywhere(struct remotes *r, uint32_t accounts, int64_t now_s)
{
	for (uint64_t account = 10001; account <= 10000u + accounts; account++)
		remotes_meet(r, REMOTES_ANYWHERE, account, REMOTES_DELIVERED, now_s);
	assert_int_equal(remotes_figures(r, REMOTES_ANYWHERE, now_s).accounts, accounts);
}

/* One delivery, as a caller does it. */
static bool deliver(struct remotes *r, uint64_t account, int64_t now_s)
{
	bool counts = remotes_delivery_counts(r, GMAIL, account, now_s);

	remotes_meet(r, GMAIL, account, REMOTES_DELIVERED, now_s);
	return counts;
}

static void test_accounts_there(void **state)
{
	struct remotes *r = *state;

	know_anywhere(r, 64, T);
	for (uint64_t account = 1; account <= 8; account++) {
		assert_true(remotes_rare(r, GMAIL, T + account));
		remotes_meet(r, GMAIL, account, REMOTES_OTHER, T + account);
		remotes_meet(r, GMAIL, account, REMOTES_OTHER, T + account);
	}
	assert_false(remotes_rare(r, GMAIL, T + 8));
	assert_true(remotes_rare(r, OUTLOOK, T + 8));
	know_anywhere(r, 64, T + 80000);
	assert_false(remotes_rare(r, GMAIL, T + 86400));
	assert_true(remotes_rare(r, GMAIL, T + 86401));
	assert_false(remotes_rare(r, REMOTES_ANYWHERE, T + 80000));
}

/* Where 63 accounts are known nobody can say what is rare, and every delivery counts. */
static void test_small_host(void **state)
{
	struct remotes *r = *state;

	know_anywhere(r, 63, T);
	for (int i = 0; i < 50; i++)
		assert_true(deliver(r, 1, T + 1));
	assert_false(remotes_rare(r, GMAIL, T + 1));
	assert_false(remotes_rare(r, OUTLOOK, T + 1));
	assert_int_equal(remotes_uncounted(r, GMAIL, 1, T + 1), 0);
	remotes_meet(r, REMOTES_ANYWHERE, 1, REMOTES_TROUBLE, T + 1);
	assert_true(remotes_rare(r, GMAIL, T + 1));
	assert_true(remotes_rare(r, OUTLOOK, T + 1));
	assert_false(deliver(r, 1, T + 1));
	assert_int_equal(remotes_uncounted(r, GMAIL, 1, T + 1), 31);
}

/* An account is known on the host for 24 hours, and not for the 30 minutes of trouble. */
static void test_host_of_24_hours(void **state)
{
	struct remotes *r = *state;

	know_anywhere(r, 64, T);
	assert_true(remotes_rare(r, GMAIL, T + 86399));
	assert_false(remotes_rare(r, GMAIL, T + 86400));
	know_anywhere(r, 63, T + 86400);
	assert_false(remotes_rare(r, GMAIL, T + 86400));
	know_anywhere(r, 64, T + 86400);
	assert_true(remotes_rare(r, GMAIL, T + 86400));
}

static void test_rare_deliveries(void **state)
{
	struct remotes *r = *state;

	know_anywhere(r, 64, T);
	for (int i = 0; i < 20; i++)
		assert_true(deliver(r, 1, T + i));
	assert_false(deliver(r, 1, T + 20));
	assert_false(deliver(r, 1, T + 3599));
	assert_true(deliver(r, 2, T + 3599));
	for (int i = 0; i < 20; i++)
		assert_true(deliver(r, 1, T + 3600));
	assert_false(deliver(r, 1, T + 3600));
	/* The eighth account that writes there shows that others do. */
	for (uint64_t account = 3; account <= 8; account++) {
		assert_false(deliver(r, 1, T + 3601));
		remotes_meet(r, GMAIL, account, REMOTES_OTHER, T + 3601);
	}
	for (int i = 0; i < 50; i++)
		assert_true(deliver(r, 1, T + 3601));
	/* It is rare again: 20 and more have counted in this hour. */
	know_anywhere(r, 64, T + 80000);
	remotes_meet(r, GMAIL, 1, REMOTES_OTHER, T + 3599 + 86400 - 10);
	for (int i = 0; i < 20; i++)
		assert_true(deliver(r, 1, T + 3599 + 86400 - 1));
	assert_true(deliver(r, 1, T + 3599 + 86400 - 1));
	assert_false(deliver(r, 1, T + 3599 + 86400));
}

/* A row of the remote that was not made or not kept must not cost anybody a delivery. */
static void test_no_row(void **state)
{
	struct remotes *r = *state;

	know_anywhere(r, 64, T);
	assert_true(remotes_rare(r, GMAIL, T));
	assert_true(remotes_delivery_counts(r, GMAIL, 1, T));
	assert_int_equal(remotes_uncounted(r, GMAIL, 1, T), 0);
	assert_true(remotes_delivery_counts(r, 0, 1, T));
	assert_int_equal(remotes_uncounted(r, 0, 1, T), 0);
}

/* None of the first 20, then each, up to the 255 that a meeting keeps. */
static void test_uncounted(void **state)
{
	struct remotes *r = *state;

	know_anywhere(r, 64, T);
	for (uint32_t i = 1; i <= 600; i++) {
		uint32_t want = i <= 20 ? 0 : i <= 255 ? i - 20 : 235;

		assert_int_equal(deliver(r, 1, T), i <= 20);
		assert_int_equal(remotes_uncounted(r, GMAIL, 1, T), want);
	}
	assert_int_equal(remotes_uncounted(r, GMAIL, 2, T), 0);
	assert_int_equal(remotes_uncounted(r, OUTLOOK, 1, T), 0);
	assert_int_equal(remotes_uncounted(r, REMOTES_ANYWHERE, 10001, T), 0);
	/* Failures change nothing. */
	remotes_meet(r, GMAIL, 1, REMOTES_TROUBLE, T);
	remotes_meet(r, GMAIL, 1, REMOTES_OTHER, T);
	assert_int_equal(remotes_uncounted(r, GMAIL, 1, T), 235);
}

static void test_uncounted_of_an_hour(void **state)
{
	struct remotes *r = *state;

	know_anywhere(r, 64, T);
	deliver(r, 1, T);
	for (int i = 0; i < 29; i++)
		deliver(r, 1, T + 3000);
	assert_int_equal(remotes_uncounted(r, GMAIL, 1, T + 3599), 10);
	assert_int_equal(remotes_uncounted(r, GMAIL, 1, T + 3600), 0);
	/* The last second belongs to the hour; the next delivery begins another. */
	deliver(r, 1, T + 3599);
	assert_int_equal(remotes_uncounted(r, GMAIL, 1, T + 3599), 11);
	for (uint32_t i = 1; i <= 22; i++) {
		deliver(r, 1, T + 4000);
		assert_int_equal(remotes_uncounted(r, GMAIL, 1, T + 4000), i <= 20 ? 0 : i - 20);
	}
	assert_int_equal(remotes_uncounted(r, GMAIL, 1, T + 7599), 2);
	assert_int_equal(remotes_uncounted(r, GMAIL, 1, T + 7600), 0);
}

/* Whether the remote is rare is asked of the moment, and not of the time of the deliveries. */
static void test_uncounted_while_rare(void **state)
{
	struct remotes *r = *state;

	know_anywhere(r, 64, T);
	for (int i = 0; i < 30; i++)
		deliver(r, 1, T);
	for (uint64_t account = 2; account <= 8; account++) {
		assert_int_equal(remotes_uncounted(r, GMAIL, 1, T), 10);
		remotes_meet(r, GMAIL, account, REMOTES_OTHER, T);
	}
	assert_int_equal(remotes_uncounted(r, GMAIL, 1, T), 0);
	know_anywhere(r, 64, T + 86400);
	for (int i = 0; i < 30; i++)
		assert_true(deliver(r, 1, T + 86399));
	assert_int_equal(remotes_uncounted(r, GMAIL, 1, T + 86399), 0);
	assert_int_equal(remotes_uncounted(r, GMAIL, 1, T + 86400), 10);
}

static uint64_t chance(uint64_t *seed, uint64_t below)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed % below;
}

static void test_never_more_than_40_count(void **state)
{
	struct remotes *r = *state;
	uint64_t seed = 0x1234567;
	int64_t now_s = T, known_s = 0, counted[4096];
	size_t count = 0, most = 0;

	print_message("seed 0x%llx\n", (unsigned long long)seed);
	while (count < 4096) {
		size_t within = 0;

		now_s += chance(&seed, 60) ? chance(&seed, 3) : chance(&seed, 3000);
		if (now_s - known_s > 80000) {
			known_s = now_s;
			know_anywhere(r, 64, now_s);
		}
		if (!deliver(r, 1, now_s))
			continue;
		counted[count++] = now_s;
		while (within < count && now_s - counted[count - 1 - within] < 3600)
			within++;
		if (within > most)
			most = within;
	}
	assert_in_range(most, 20, 40);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_accounts_there),
		TEST(test_small_host),
		TEST(test_host_of_24_hours),
		TEST(test_rare_deliveries),
		TEST(test_no_row),
		TEST(test_uncounted),
		TEST(test_uncounted_of_an_hour),
		TEST(test_uncounted_while_rare),
		TEST(test_never_more_than_40_count),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("remotes_rare", tests, NULL, NULL);
}
