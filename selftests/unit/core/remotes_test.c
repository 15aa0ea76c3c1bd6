// SPDX-License-Identifier: GPL-2.0-only
/*
 * remotes_test.c - what accounts met at remotes: examples, boundaries of time and memory, floods,
 * and all of it against a list of everything (remotes_model.h). Examples of rare remotes are in
 * remotes_rare_test.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <malloc.h>
#include <stdlib.h>
#include "../base/nomem.h"
#include "remotes_model.h"

#define SEED	42
#define GMAIL	1000
#define OUTLOOK 2000

static const int64_t T = 100000;

static uint64_t chance(uint64_t *seed, uint64_t below)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed % below;
}

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

static void check_figures(const struct remotes *r, uint32_t remote, int64_t now_s,
			  struct remotes_figures want)
{
	struct remotes_figures f = remotes_figures(r, remote, now_s);

	assert_int_equal(f.bad, want.bad);
	assert_int_equal(f.set_aside, want.set_aside);
	assert_int_equal(f.tried, want.tried);
	assert_int_equal(f.accounts, want.accounts);
}

#define FIGURES(...) ((struct remotes_figures){__VA_ARGS__})

static void test_nothing(void **state)
{
	struct remotes *r = *state;

	check_figures(r, GMAIL, T, FIGURES(0));
	check_figures(r, REMOTES_ANYWHERE, 10, FIGURES(0));
	assert_false(remotes_trouble(r, GMAIL, T, 1, 0));
	assert_false(remotes_rare(r, GMAIL, T));
	assert_true(remotes_delivery_counts(r, GMAIL, 1, T));
	assert_int_equal(remotes_uncounted(r, GMAIL, 1, T), 0);
	remotes_meet(r, 0, 1, REMOTES_TROUBLE, T);
	check_figures(r, 0, T, FIGURES(0));
	assert_int_equal(remotes_lost(r), 0);
	assert_int_equal(remotes_bytes(r), REMOTES_BYTES_MIN);
	remotes_free(NULL);
}

static void test_meetings(void **state)
{
	struct remotes *r = *state;

	remotes_meet(r, GMAIL, 1, REMOTES_TROUBLE, T);
	remotes_meet(r, GMAIL, 1, REMOTES_TROUBLE, T);
	remotes_meet(r, GMAIL, 2, REMOTES_DELIVERED, T);
	remotes_meet(r, GMAIL, 3, REMOTES_OTHER, T);
	check_figures(r, GMAIL, T, FIGURES(.bad = 1, .tried = 3, .accounts = 3));
	remotes_meet(r, GMAIL, 2, REMOTES_SET_ASIDE, T);
	check_figures(r, GMAIL, T, FIGURES(.bad = 1, .set_aside = 1, .tried = 3, .accounts = 3));
	/* Neither takes the other away, nor does a failure that says nothing. */
	remotes_meet(r, GMAIL, 1, REMOTES_SET_ASIDE, T + 1);
	remotes_meet(r, GMAIL, 1, REMOTES_OTHER, T + 1);
	check_figures(r, GMAIL, T, FIGURES(.bad = 1, .set_aside = 2, .tried = 3, .accounts = 3));
	remotes_meet(r, GMAIL, 1, REMOTES_DELIVERED, T + 1);
	check_figures(r, GMAIL, T, FIGURES(.set_aside = 1, .tried = 3, .accounts = 3));
	check_figures(r, OUTLOOK, T, FIGURES(0));
	check_figures(r, REMOTES_ANYWHERE, T, FIGURES(0));
	remotes_meet(r, REMOTES_ANYWHERE, 1, REMOTES_TROUBLE, T);
	check_figures(r, REMOTES_ANYWHERE, T, FIGURES(.bad = 1, .tried = 1, .accounts = 1));
}

static void test_trouble(void **state)
{
	struct remotes *r = *state;

	for (uint64_t account = 1; account <= 4; account++) {
		assert_false(remotes_trouble(r, GMAIL, T, 4, 50));
		remotes_meet(r, GMAIL, account, REMOTES_TROUBLE, T);
	}
	assert_true(remotes_trouble(r, GMAIL, T, 4, 50));
	assert_true(remotes_trouble(r, GMAIL, T, 4, 100));
	assert_false(remotes_trouble(r, GMAIL, T, 5, 50));
	assert_false(remotes_trouble(r, GMAIL, T, 0, 50));
	assert_false(remotes_trouble(r, OUTLOOK, T, 4, 50));
	for (uint64_t account = 5; account <= 8; account++) {
		assert_true(remotes_trouble(r, GMAIL, T, 4, 50));
		remotes_meet(r, GMAIL, account, REMOTES_DELIVERED, T);
	}
	assert_true(remotes_trouble(r, GMAIL, T, 4, 50));
	assert_false(remotes_trouble(r, GMAIL, T, 4, 51));
	remotes_meet(r, GMAIL, 9, REMOTES_OTHER, T);
	assert_false(remotes_trouble(r, GMAIL, T, 4, 50));
}

static void test_exactly_30_minutes(void **state)
{
	struct remotes *r = *state;

	remotes_meet(r, GMAIL, 1, REMOTES_TROUBLE, T);
	remotes_meet(r, GMAIL, 2, REMOTES_SET_ASIDE, T);
	check_figures(r, GMAIL, T + 1799,
		      FIGURES(.bad = 1, .set_aside = 1, .tried = 2, .accounts = 2));
	assert_true(remotes_trouble(r, GMAIL, T + 1799, 1, 50));
	check_figures(r, GMAIL, T + 1800, FIGURES(.accounts = 2));
	assert_false(remotes_trouble(r, GMAIL, T + 1800, 1, 50));
	/* The trouble has its time, whatever comes later. */
	remotes_meet(r, GMAIL, 1, REMOTES_OTHER, T + 1799);
	check_figures(r, GMAIL, T + 1800, FIGURES(.tried = 1, .accounts = 2));
}

static void test_exactly_24_hours(void **state)
{
	struct remotes *r = *state;

	for (uint64_t account = 1; account <= 3; account++)
		remotes_meet(r, GMAIL, account, REMOTES_OTHER, T + account);
	check_figures(r, GMAIL, T + 86400, FIGURES(.accounts = 3));
	check_figures(r, GMAIL, T + 86401, FIGURES(.accounts = 2));
	check_figures(r, GMAIL, T + 86402, FIGURES(.accounts = 1));
	check_figures(r, GMAIL, T + 86403, FIGURES(0));
}

/* Clocks of feeds differ by a little, and boot time may begin at 0. */
static void test_time_goes_back(void **state)
{
	struct remotes *r = *state;

	remotes_meet(r, GMAIL, 1, REMOTES_TROUBLE, T);
	check_figures(r, GMAIL, T - 5, FIGURES(.bad = 1, .tried = 1, .accounts = 1));
	remotes_meet(r, GMAIL, 1, REMOTES_DELIVERED, T - 5);
	check_figures(r, GMAIL, T, FIGURES(.tried = 1, .accounts = 1));
	check_figures(r, GMAIL, T + 1799, FIGURES(.tried = 1, .accounts = 1));
	remotes_meet(r, GMAIL, 1, REMOTES_TROUBLE, T - 5);
	check_figures(r, GMAIL, T + 1799, FIGURES(.bad = 1, .tried = 1, .accounts = 1));
	remotes_meet(r, OUTLOOK, 1, REMOTES_TROUBLE, 0);
	remotes_meet(r, OUTLOOK, 2, REMOTES_TROUBLE, -7);
	check_figures(r, OUTLOOK, 0, FIGURES(.bad = 2, .tried = 2, .accounts = 2));
}

/* ---- against the list of everything ---- */

struct world {
	uint64_t seed;
	uint32_t remotes;
	bool one_set; /* all of them share one set of rows */
	uint64_t accounts;
	int64_t step_s; /* at most, between two */
	bool ties;	/* several within a second, and clocks that go back */
	size_t steps;
	uint64_t others; /* accounts besides, met anywhere every 25 hours */
};

/* Remote number i of the world; number 0 is REMOTES_ANYWHERE. */
static uint32_t world_remote(const struct world *w, uint32_t i)
{
	uint32_t remote = GMAIL, found = 0;

	if (!w->one_set)
		return i ? GMAIL + i : REMOTES_ANYWHERE;
	while (model_set(SEED, remote) != 5 || found++ < i)
		remote++;
	return remote;
}

static void check_remote(const struct remotes *r, const struct model *m, uint32_t remote,
			 uint64_t account, int64_t now_s)
{
	struct remotes_figures f = model_figures(m, remote, now_s);

	check_figures(r, remote, now_s, f);
	assert_int_equal(remotes_rare(r, remote, now_s), model_rare(m, remote, now_s));
	assert_int_equal(remotes_delivery_counts(r, remote, account, now_s),
			 model_delivery_counts(m, remote, account, now_s));
	assert_int_equal(remotes_uncounted(r, remote, account, now_s),
			 model_uncounted(m, remote, account, now_s));
	assert_int_equal(remotes_trouble(r, remote, now_s, 2, 40),
			 f.bad >= 2 && 100 * f.bad >= 40 * f.tried);
	assert_int_equal(remotes_lost(r), m->lost);
}

static void meet_others(struct remotes *r, struct model *m, uint64_t others, int64_t now_s)
{
	for (uint64_t account = 1000; account < 1000 + others; account++) {
		remotes_meet(r, REMOTES_ANYWHERE, account, REMOTES_DELIVERED, now_s);
		model_meet(m, REMOTES_ANYWHERE, account, REMOTES_DELIVERED, now_s);
	}
}

static uint64_t run_world(const struct world *w)
{
	static struct model m;
	static uint32_t remotes[64];
	struct remotes *r = remotes_new(SEED);
	uint64_t seed = w->seed;
	int64_t now_s = T, others_s = INT64_MIN / 2;

	print_message("seed 0x%llx\n", (unsigned long long)seed);
	assert_non_null(r);
	m.seed = SEED;
	m.count = 0;
	m.lost = 0;
	for (uint32_t i = 0; i < w->remotes; i++)
		remotes[i] = world_remote(w, i);
	for (size_t step = 0; step < w->steps; step++) {
		uint32_t remote = remotes[chance(&seed, w->remotes)];
		uint64_t account = chance(&seed, w->accounts);
		enum remotes_met met = chance(&seed, 6);
		int64_t at_s;

		now_s += (w->ties ? 0 : 1) + chance(&seed, w->step_s);
		if (now_s - others_s > 90000) {
			others_s = now_s;
			meet_others(r, &m, w->others, now_s);
		}
		at_s = now_s - (w->ties && !chance(&seed, 8) ? chance(&seed, 90) : 0);
		met = met > REMOTES_OTHER ? REMOTES_DELIVERED : met;
		remotes_meet(r, remote, account, met, at_s);
		model_meet(&m, remote, account, met, at_s);
		check_remote(r, &m, remote, account, at_s);
		check_remote(r, &m, remotes[chance(&seed, w->remotes)], account,
			     now_s + chance(&seed, 4) * chance(&seed, 2000));
	}
	remotes_free(r);
	return m.lost;
}

static void test_any_meetings(void **state)
{
	(void)state;
	for (uint64_t i = 1; i <= 4; i++)
		run_world(&(struct world){0x9e3779b97f4a7c15ull * i, 3, false, 12, 60, true, 1200,
					  51 + i});
	run_world(&(struct world){0xfeedull, 3, false, 30, 6000, true, 800, 64});
}

/* Few accounts, so that there are many deliveries of one within its hour. */
static void test_any_deliveries(void **state)
{
	(void)state;
	run_world(&(struct world){0xabcdefull, 2, false, 2, 20, true, 1500, 64});
	run_world(&(struct world){0xabcdeeull, 2, false, 9, 20, true, 1500, 64});
	run_world(&(struct world){0xabcdedull, 2, false, 2, 120, true, 1500, 62});
	run_world(&(struct world){0xabcdecull, 2, false, 1, 5, true, 2500, 64});
}

static void test_more_accounts_than_places(void **state)
{
	(void)state;
	run_world(&(struct world){.seed = 0xbeefull,
				  .remotes = 2,
				  .one_set = true,
				  .accounts = 45,
				  .step_s = 50,
				  .steps = 1000,
				  .others = 64});
}

static void test_more_remotes_than_rows(void **state)
{
	struct world w = {
		.remotes = 24, .one_set = true, .accounts = 3, .steps = 700, .others = 64};

	(void)state;
	w.seed = 0xcafe1ull;
	w.step_s = 3000;
	assert_true(run_world(&w) > 0);
	w.seed = 0xcafe2ull;
	w.step_s = 20000;
	run_world(&w);
	w.seed = 0xcafe3ull;
	w.accounts = 1;
	assert_int_equal(run_world(&w), 0);
}

/* ---- floods and bounds ---- */

static void test_flood_displaces_nobody(void **state)
{
	enum { OTHERS = 2000, FLOOD = 400000 };
	struct remotes *r = *state;
	uint32_t kept = 0;

	for (uint32_t i = 0; i < OTHERS; i++)
		for (uint64_t account = 1; account <= 2; account++)
			remotes_meet(r, GMAIL + i, account, REMOTES_TROUBLE, T);
	for (uint32_t i = 0; i < FLOOD; i++)
		remotes_meet(r, GMAIL + OTHERS + i, 666, REMOTES_TROUBLE, T + 1 + i / 1000);
	assert_int_equal(remotes_lost(r), 0);
	for (uint32_t i = 0; i < OTHERS; i++)
		check_figures(r, GMAIL + i, T + 500, FIGURES(.bad = 2, .tried = 2, .accounts = 2));
	/* A new remote of several accounts finds its place in the flood. */
	for (uint64_t account = 1; account <= 4; account++)
		remotes_meet(r, 7, account, REMOTES_TROUBLE, T + 500);
	assert_true(remotes_trouble(r, 7, T + 500, 4, 50));
	for (uint32_t i = 0; i < FLOOD; i++)
		kept += remotes_figures(r, GMAIL + OTHERS + i, T + 500).tried;
	assert_in_range(kept, REMOTES_ROWS * 9 / 10, REMOTES_ROWS - OTHERS - 1);
	assert_in_range(remotes_bytes(r), REMOTES_BYTES_MIN,
			REMOTES_BYTES_MIN + (REMOTES_ROWS + 2 * OTHERS) * 24);
}

/* What two accounts fill stays for 24 hours and no longer; who is not noted then is counted. */
static void test_flood_of_two(void **state)
{
	enum { FLOOD = 200000 };
	struct remotes *r = *state;
	uint64_t lost;

	for (uint32_t i = 0; i < 2 * FLOOD; i++)
		remotes_meet(r, GMAIL + i / 2, i % 2, REMOTES_OTHER, T);
	assert_true(remotes_lost(r) > FLOOD);
	lost = remotes_lost(r);
	remotes_meet(r, 7, 1, REMOTES_TROUBLE, T + 86399);
	assert_int_equal(remotes_lost(r), lost + 1);
	check_figures(r, 7, T + 86399, FIGURES(0));
	for (uint64_t account = 1; account <= 64; account++)
		remotes_meet(r, REMOTES_ANYWHERE, account, REMOTES_DELIVERED, T + 86399);
	assert_true(remotes_rare(r, 7, T + 86399));
	assert_true(remotes_delivery_counts(r, 7, 1, T + 86399));
	assert_int_equal(remotes_uncounted(r, 7, 1, T + 86399), 0);
	remotes_meet(r, 7, 1, REMOTES_TROUBLE, T + 86400);
	assert_int_equal(remotes_lost(r), lost + 1);
	check_figures(r, 7, T + 86400, FIGURES(.bad = 1, .tried = 1, .accounts = 1));
}

static void test_anywhere(void **state)
{
	struct remotes *r = *state;
	struct remotes_figures f;

	for (uint64_t account = 1; account <= 300; account++)
		remotes_meet(r, REMOTES_ANYWHERE, account, REMOTES_DELIVERED, T);
	f = remotes_figures(r, REMOTES_ANYWHERE, T);
	assert_in_range(f.tried, 290, 300);
	/* Of thousands, a sample: the share is about right. */
	for (uint64_t account = 1; account <= 5000; account++)
		remotes_meet(r, REMOTES_ANYWHERE, account,
			     account % 10 < 3 ? REMOTES_TROUBLE : REMOTES_DELIVERED,
			     T + account / 10);
	f = remotes_figures(r, REMOTES_ANYWHERE, T + 500);
	assert_int_equal(f.tried, REMOTES_ANYWHERE_MEETINGS);
	assert_in_range(100 * f.bad / f.tried, 24, 36);
	assert_int_equal(remotes_bytes(r), REMOTES_BYTES_MIN);
}

static size_t heap(void)
{
	struct mallinfo2 m = mallinfo2();

	return m.uordblks + m.hblkhd;
}

/* Every place is taken. malloc says what that costs; it adds 16 bytes to a block, or 32. */
static void test_memory(void **state)
{
	enum { REMOTES = 150000 };
	size_t before = heap();
	struct remotes *r = remotes_new(SEED);

	(void)state;
	assert_non_null(r);
	for (uint32_t i = 0; i < 2 * REMOTES; i++)
		remotes_meet(r, GMAIL + i / 2, i % 2, REMOTES_OTHER, T);
	for (uint64_t account = 2; account < 40; account++)
		for (uint32_t i = 0; i < REMOTES; i++)
			remotes_meet(r, GMAIL + i, account, REMOTES_OTHER, T);
	assert_int_equal(remotes_bytes(r), REMOTES_BYTES_MAX);
	assert_true(REMOTES_BYTES_MAX < 25 << 20);
	if (NOMEM_WORKS)
		assert_in_range(heap() - before, REMOTES_BYTES_MAX,
				REMOTES_BYTES_MAX + 32 * REMOTES_ROWS);
	remotes_free(r);
	if (NOMEM_WORKS)
		assert_in_range(heap(), 0, before + 65536);
}

static void test_no_memory(void **state)
{
	struct remotes *r = *state;

	if (!NOMEM_WORKS)
		skip();
	for (long allowed = 0; allowed < 3; allowed++) {
		nomem_after(allowed);
		assert_null(remotes_new(SEED));
		nomem_after(-1);
	}
	nomem_after(0);
	remotes_meet(r, GMAIL, 1, REMOTES_TROUBLE, T);
	remotes_meet(r, REMOTES_ANYWHERE, 1, REMOTES_TROUBLE, T);
	nomem_after(-1);
	assert_int_equal(remotes_lost(r), 1);
	check_figures(r, GMAIL, T, FIGURES(0));
	check_figures(r, REMOTES_ANYWHERE, T, FIGURES(.bad = 1, .tried = 1, .accounts = 1));
	remotes_meet(r, GMAIL, 1, REMOTES_TROUBLE, T);
	nomem_after(0);
	remotes_meet(r, GMAIL, 2, REMOTES_TROUBLE, T);
	remotes_meet(r, GMAIL, 1, REMOTES_SET_ASIDE, T);
	nomem_after(-1);
	assert_int_equal(remotes_lost(r), 2);
	check_figures(r, GMAIL, T, FIGURES(.bad = 1, .set_aside = 1, .tried = 1, .accounts = 1));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

/* Three names in two minutes without any answer, and not one less. */
static void test_no_names(void **state)
{
	struct remotes *r = *state;

	assert_false(remotes_no_names(r, T));
	remotes_resolved(r, T);
	for (int i = 0; i < 5; i++)
		remotes_unresolved(r, GMAIL + i % 2, T + 10 + i);
	assert_false(remotes_no_names(r, T + 10000));
	remotes_unresolved(r, OUTLOOK, T + 20);
	assert_false(remotes_no_names(r, T + REMOTES_NAMES_S - 1));
	assert_true(remotes_no_names(r, T + REMOTES_NAMES_S));
	/* Any answer ends it, and it begins anew. */
	remotes_resolved(r, T + 200);
	assert_false(remotes_no_names(r, T + 10000));
	for (int i = 0; i < REMOTES_NAMES; i++)
		remotes_unresolved(r, GMAIL + i, T + 210);
	assert_false(remotes_no_names(r, T + 200 + REMOTES_NAMES_S - 1));
	assert_true(remotes_no_names(r, T + 200 + REMOTES_NAMES_S));
}

/* Of the time before the first report nothing is known: it counts as an answer. */
static void test_no_names_at_the_start(void **state)
{
	struct remotes *r = *state;

	for (int i = 0; i < REMOTES_NAMES; i++)
		remotes_unresolved(r, GMAIL + i, T);
	assert_false(remotes_no_names(r, T + REMOTES_NAMES_S - 1));
	assert_true(remotes_no_names(r, T + REMOTES_NAMES_S));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_nothing),
		TEST(test_meetings),
		TEST(test_trouble),
		TEST(test_exactly_30_minutes),
		TEST(test_exactly_24_hours),
		TEST(test_time_goes_back),
		TEST(test_no_names),
		TEST(test_no_names_at_the_start),
		cmocka_unit_test(test_any_meetings),
		cmocka_unit_test(test_any_deliveries),
		cmocka_unit_test(test_more_accounts_than_places),
		cmocka_unit_test(test_more_remotes_than_rows),
		TEST(test_flood_displaces_nobody),
		TEST(test_flood_of_two),
		TEST(test_anywhere),
		cmocka_unit_test(test_memory),
		TEST(test_no_memory),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("remotes", tests, NULL, NULL);
}
