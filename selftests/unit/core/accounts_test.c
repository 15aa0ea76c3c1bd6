// SPDX-License-Identifier: GPL-2.0-only
/*
 * accounts_test.c - the table of accounts: creation, the list to save, the check list, removal.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "base/clock.h"
#include "core/accounts.h"
#include "../base/nomem.h"

static struct account_id uid_id(uint32_t uid)
{
	return (struct account_id){.kind = ACCOUNT_UID, .uid = uid};
}

static struct account_id domain_id(const char *domain)
{
	struct account_id id = {.kind = ACCOUNT_DOMAIN};

	snprintf(id.domain, sizeof(id.domain), "%s", domain);
	return id;
}

static struct account *get_uid(struct accounts *t, uint32_t uid)
{
	struct account_id id = uid_id(uid);
	struct account *a;

	assert_int_equal(accounts_get(t, &id, &a), 0);
	return a;
}

static void fail_once(struct account *a, int64_t second)
{
	const struct outcome o = {.outcome = SMTP_FAILED,
				  .class = REPLY_UNEXPLAINED,
				  .count = 1,
				  .time_ns = second * NS_PER_S,
				  .age_s = OUTCOME_AGE_UNKNOWN};
	enum outcome_counted counted;

	assert_int_equal(window_add(&a->window, &o, second, 3600, &counted), 0);
}

static void defer_once(struct account *a, int64_t second)
{
	const struct outcome o = {.outcome = SMTP_DEFERRED,
				  .class = REPLY_FULL,
				  .count = 1,
				  .mail = 7,
				  .rcpt = 8,
				  .time_ns = second * NS_PER_S,
				  .age_s = OUTCOME_AGE_UNKNOWN};
	enum outcome_counted counted;

	assert_int_equal(window_add(&a->window, &o, second, 3600, &counted), 0);
}

static int setup(void **state)
{
	*state = accounts_new(42);
	return *state ? 0 : -1;
}

static int teardown(void **state)
{
	accounts_free(*state);
	return 0;
}

static void test_identity(void **state)
{
	struct account_id one = uid_id(1), zero = uid_id(0), domain = domain_id("a.example");
	struct account_id other = domain_id("b.example"), back;
	struct accounts *t = *state;
	struct account *a, *b;

	assert_null(accounts_find(t, &one));
	assert_int_equal(accounts_get(t, &one, &a), 0);
	assert_int_equal(accounts_get(t, &one, &b), 0);
	assert_ptr_equal(a, b);
	assert_int_equal(accounts_get(t, &domain, &b), 0);
	assert_ptr_not_equal(a, b);
	assert_ptr_equal(accounts_find(t, &domain), b);
	assert_null(accounts_find(t, &other));
	assert_null(accounts_find(t, &zero)); /* a domain's uid is no uid */
	assert_int_equal(accounts_count(t), 2);
	back = accounts_id(b);
	assert_memory_equal(&back, &domain, sizeof(back));
	back = accounts_id(a);
	assert_memory_equal(&back, &one, sizeof(back));
}

static void test_longest_domain(void **state)
{
	struct account_id id = {.kind = ACCOUNT_DOMAIN}, back;
	struct account *a;

	memset(id.domain, 'x', sizeof(id.domain) - 1);
	assert_int_equal(accounts_get(*state, &id, &a), 0);
	back = accounts_id(a);
	assert_memory_equal(&back, &id, sizeof(back));
	assert_ptr_equal(accounts_find(*state, &id), a);
}

static void test_own_domain(void **state)
{
	struct account_id id = domain_id("a.example");
	struct account *a = get_uid(*state, 1), *b;

	assert_string_equal(accounts_own_domain(a), "");
	accounts_set_own_domain(a, "one.example");
	accounts_set_own_domain(a, "");
	assert_string_equal(accounts_own_domain(a), "one.example");
	accounts_set_own_domain(a, "two.example");
	assert_string_equal(accounts_own_domain(a), "two.example");
	assert_int_equal(accounts_get(*state, &id, &b), 0);
	accounts_set_own_domain(b, "two.example");
	assert_string_equal(accounts_own_domain(b), "a.example");
	assert_null(b->own_domain);
}

static void test_many(void **state)
{
	struct accounts *t = *state;
	uint64_t sum = 0;

	for (uint32_t uid = 0; uid < 10000; uid++)
		get_uid(t, uid);
	assert_int_equal(accounts_count(t), 10000);
	for (struct account *a = accounts_next(t, NULL); a; a = accounts_next(t, a))
		sum += a->uid;
	assert_int_equal(sum, 9999ull * 10000 / 2);
	for (uint32_t uid = 0; uid < 10000; uid++)
		assert_int_equal(get_uid(t, uid)->uid, uid);
	assert_int_equal(accounts_count(t), 10000);
	for (int i = 0; i < 2000 && accounts_count(t); i++)
		accounts_collect(t, 10000, 3600, accounts_collect_budget(t));
	assert_int_equal(accounts_count(t), 0);
	assert_null(accounts_next(t, NULL));
}

static void test_dirty(void **state)
{
	struct accounts *t = *state;
	struct account *a = get_uid(t, 1), *b = get_uid(t, 2);

	assert_null(accounts_dirty(t));
	accounts_mark_dirty(t, a);
	accounts_mark_dirty(t, b);
	accounts_mark_dirty(t, a);
	assert_ptr_equal(accounts_dirty(t), b);
	assert_ptr_equal(b->dirty_next, a);
	assert_null(a->dirty_next);
	accounts_saved(t);
	assert_null(accounts_dirty(t));
	accounts_mark_dirty(t, a);
	assert_ptr_equal(accounts_dirty(t), a);
	assert_null(a->dirty_next);
}

/* All that are due at `now`, in any order, as a sum of uids. */
static uint64_t due(struct accounts *t, int64_t now)
{
	unsigned int budget = UINT32_MAX;
	struct account *a;
	uint64_t sum = 0;

	while ((a = accounts_due(t, now, &budget))) {
		assert_int_equal(a->check_s, 0);
		sum += a->uid;
	}
	return sum;
}

static void test_check_list(void **state)
{
	struct accounts *t = *state;

	assert_int_equal(due(t, 1000000), 0);
	accounts_check_at(t, get_uid(t, 1), 1000010);
	accounts_check_at(t, get_uid(t, 2), 1000011);
	accounts_check_at(t, get_uid(t, 4), 1000011);
	accounts_check_at(t, get_uid(t, 8), 1000010 + 4096); /* the same bucket, a round later */
	accounts_check_at(t, get_uid(t, 16), 1000010 + 86400 * 30);
	assert_int_equal(due(t, 1000009), 0);
	assert_int_equal(due(t, 1000010), 1);
	assert_int_equal(due(t, 1000010), 0);
	assert_int_equal(due(t, 1000011), 6);
	assert_int_equal(due(t, 1000009 + 4096), 0);
	assert_int_equal(due(t, 1000010 + 4096), 8);
	assert_int_equal(due(t, 1000009 + 86400 * 30), 0);
	assert_int_equal(due(t, 1000010 + 86400 * 30), 16);
}

static void test_check_moves(void **state)
{
	struct accounts *t = *state;
	struct account *a = get_uid(t, 1);

	due(t, 1000);
	accounts_check_at(t, a, 1010);
	accounts_check_at(t, a, 1020);
	assert_int_equal(due(t, 1019), 0);
	assert_int_equal(due(t, 1020), 1);
	accounts_check_at(t, a, 0); /* as soon as possible */
	assert_int_equal(due(t, 1021), 1);
	accounts_check_at(t, a, 1030);
	accounts_check_never(t, a);
	accounts_check_never(t, a);
	assert_int_equal(due(t, 9000), 0);
}

/* Before the first call the wheel stands at 0; a suspended machine wakes up far away. */
static void test_check_gap(void **state)
{
	struct accounts *t = *state;

	accounts_check_at(t, get_uid(t, 1), 0);
	accounts_check_at(t, get_uid(t, 2), 5000000);
	accounts_check_at(t, get_uid(t, 4), 5000001);
	assert_int_equal(due(t, 5000000), 3);
	accounts_check_at(t, get_uid(t, 8), 5002000);
	accounts_check_at(t, get_uid(t, 16), 9000000);
	assert_int_equal(due(t, 8999999), 12);
	assert_int_equal(due(t, 9000000), 16);
}

/* A small budget finds the same, later; what is taken from the list meanwhile does no harm. */
static void test_check_budget(void **state)
{
	struct accounts *t = *state;
	struct account *a;
	uint64_t sum = 0;
	int calls = 0;

	due(t, 100);
	for (uint32_t uid = 1; uid <= 64; uid++)
		accounts_check_at(t, get_uid(t, uid), uid % 2 ? 110 : 110 + 4096);
	while (calls < 100) {
		unsigned int budget = 3;

		while ((a = accounts_due(t, 120, &budget))) {
			sum += a->uid;
			if (a->uid == 33)
				accounts_check_never(t, get_uid(t, 32));
		}
		assert_int_equal(budget == 0 || sum == 32 * 32, true);
		calls++;
	}
	assert_int_equal(sum, 32 * 32); /* the odd ones up to 63 */
	assert_int_equal(due(t, 110 + 4096), 33 * 32 - 32);
}

static void test_collect(void **state)
{
	struct accounts *t = *state;
	struct account *busy = get_uid(t, 1), *dirty = get_uid(t, 2), *suspended = get_uid(t, 3);
	struct account *released = get_uid(t, 4);

	get_uid(t, 5);
	fail_once(busy, 1000);
	accounts_mark_dirty(t, dirty);
	suspended->state = ACCOUNT_SUSPENDED;
	released->begins_ns = 1500 * NS_PER_S;
	accounts_check_at(t, get_uid(t, 5), 2000); /* must leave the list with the account */
	assert_int_equal(accounts_collect(t, 4599, 3600, 64), 1);
	assert_int_equal(accounts_count(t), 4);
	assert_int_equal(due(t, 4599), 0);
	assert_int_equal(accounts_collect(t, 4600, 3600, 64), 1); /* the busy one is empty now */
	assert_int_equal(accounts_collect(t, 5099, 3600, 64), 0);
	assert_int_equal(accounts_collect(t, 5100, 3600, 64), 1);
	accounts_saved(t);
	assert_int_equal(accounts_collect(t, 5100, 3600, 64), 1);
	suspended->state = ACCOUNT_FREE;
	assert_int_equal(accounts_collect(t, 5100, 3600, 64), 1);
	assert_int_equal(accounts_count(t), 0);
}

/* The row of a window that was saved must be deleted before the account is forgotten. */
static void test_collect_stored(void **state)
{
	struct accounts *t = *state;
	struct account *a = get_uid(t, 1);

	fail_once(a, 1000);
	accounts_mark_dirty(t, a);
	accounts_saved(t);
	assert_int_equal(accounts_collect(t, 4600, 3600, 64), 0);
	assert_ptr_equal(accounts_dirty(t), a);
	assert_true(window_empty(&a->window));
	accounts_saved(t);
	assert_int_equal(accounts_collect(t, 4600, 3600, 64), 1);
}

/* A pending mail keeps its account as long as it may be tried again. */
static void test_collect_pending(void **state)
{
	struct accounts *t = *state;
	int64_t end = 1000 + WINDOW_PENDING_S;

	defer_once(get_uid(t, 1), 1000);
	assert_int_equal(accounts_collect(t, 1000 + 3600, 3600, 64), 0);
	assert_int_equal(accounts_collect(t, end - 1, 3600, 64), 0);
	assert_int_equal(accounts_collect(t, end, 3600, 64), 1);
}

/* Go through the whole table. */
static size_t collect_all(struct accounts *t, int64_t now)
{
	size_t gone = 0;

	for (int i = 0; i < 300; i++)
		gone += accounts_collect(t, now, 3600, accounts_collect_budget(t));
	return gone;
}

/* Not with very many accounts: a stranger who chooses domains must not fill the memory. Those with
 * mail in their windows stay, however many there are. */
static void test_collect_pending_bound(void **state)
{
	struct accounts *t = *state;

	for (uint32_t uid = 1; uid <= ACCOUNTS_PENDING_MAX + 10; uid++)
		defer_once(get_uid(t, uid), 1000);
	assert_int_equal(collect_all(t, 1000 + 3599), 0);
	assert_int_equal(collect_all(t, 1000 + 3600), 10);
	assert_int_equal(accounts_count(t), ACCOUNTS_PENDING_MAX);
}

static void test_no_memory(void **state)
{
	struct account_id id = uid_id(7);
	struct account *a = NULL;

	if (!NOMEM_WORKS)
		skip();
	nomem_after(0);
	assert_int_equal(accounts_get(*state, &id, &a), -ENOMEM);
	assert_null(accounts_new(0));
	nomem_after(1);
	assert_null(accounts_new(0));
	nomem_after(-1);
	assert_null(a);
	assert_int_equal(accounts_count(*state), 0);
	/* The table cannot grow, and works all the same. */
	for (uint32_t uid = 0; uid < 1000; uid++) {
		id.uid = uid;
		nomem_after(1);
		assert_int_equal(accounts_get(*state, &id, &a), 0);
		accounts_set_own_domain(a, "x.example");
		accounts_set_own_domain(a, "y.example");
		nomem_after(-1);
	}
	for (uint32_t uid = 0; uid < 1000; uid++)
		assert_int_equal(get_uid(*state, uid)->uid, uid);
	assert_int_equal(accounts_count(*state), 1000);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_identity),
		TEST(test_longest_domain),
		TEST(test_own_domain),
		TEST(test_many),
		TEST(test_dirty),
		TEST(test_check_list),
		TEST(test_check_moves),
		TEST(test_check_gap),
		TEST(test_check_budget),
		TEST(test_collect),
		TEST(test_collect_stored),
		TEST(test_collect_pending),
		TEST(test_collect_pending_bound),
		TEST(test_no_memory),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("accounts", tests, NULL, NULL);
}
