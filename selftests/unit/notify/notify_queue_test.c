// SPDX-License-Identifier: GPL-2.0-only
/*
 * notify_queue_test.c - which notices go out when: one by one, as a digest, once an hour, again
 * after a failure; and whose are dropped when there are too many.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "notify/notify_queue.h"

#define SECOND_MS 1000ll
#define MINUTE_MS (60 * SECOND_MS)
#define HOUR_MS	  (60 * MINUTE_MS)
#define ALL	  (NOTIFY_BIT(NOTIFY_WAYS) - 1)

static struct notify_queue *q;

static int begin(void **state)
{
	(void)state;
	q = notify_queue_new(42);
	notify_queue_set_ways(q, ALL);
	return q ? 0 : -1;
}

static int end(void **state)
{
	(void)state;
	notify_queue_free(q);
	return 0;
}

static struct notice notice(enum notice_kind kind, const char *account, const char *customer)
{
	struct notice n = {.kind = kind, .time_s = 1000};

	snprintf(n.account, sizeof(n.account), "%s", account);
	snprintf(n.customer, sizeof(n.customer), "%s", customer);
	return n;
}

static void add(enum notice_kind kind, const char *account, int64_t now_ms)
{
	struct notice n = notice(kind, account, "");

	notify_queue_add(q, &n, now_ms);
}

static void add_number(unsigned int number, const char *customer, int64_t now_ms)
{
	struct notice n = notice(NOTICE_SUSPENDED, "", customer);

	snprintf(n.account, sizeof(n.account), "uid:%u", number);
	notify_queue_add(q, &n, now_ms);
}

/* Send all that is due by a way; their number. */
static unsigned int send_all(enum notify_way way, int64_t now_ms)
{
	struct notify_task *task;
	unsigned int sent = 0;

	while ((task = notify_queue_take(q, way, now_ms))) {
		notify_queue_done(q, task, NOTIFY_SENT, now_ms);
		sent++;
	}
	return sent;
}

static void test_a_notice_waits_for_others_and_goes_by_each_way(void **state)
{
	(void)state;
	add(NOTICE_SUSPENDED, "alice", 0);
	assert_null(notify_queue_take(q, NOTIFY_COMMAND, 5 * SECOND_MS - 1));
	assert_int_equal(notify_queue_due(q, ALL, 0), 0); /* the look-up of her address */
	assert_int_equal(notify_queue_due(q, NOTIFY_BIT(NOTIFY_COMMAND), 0), 5 * SECOND_MS);
	assert_int_equal(send_all(NOTIFY_COMMAND, 5 * SECOND_MS), 1);
	assert_int_equal(send_all(NOTIFY_ADMIN, 5 * SECOND_MS), 1);
	assert_int_equal(send_all(NOTIFY_WEBHOOK, 5 * SECOND_MS), 1);
	assert_int_equal(send_all(NOTIFY_CUSTOMER, 5 * SECOND_MS), 0);
	assert_int_equal(notify_queue_stats(q).sent, 3);
	assert_int_equal(notify_queue_stats(q).waiting, 1);
}

static void test_a_way_that_is_not_in_use_gets_nothing(void **state)
{
	(void)state;
	notify_queue_set_ways(q, NOTIFY_BIT(NOTIFY_ADMIN));
	add(NOTICE_SUSPENDED, "alice", 0);
	assert_int_equal(send_all(NOTIFY_COMMAND, MINUTE_MS), 0);
	assert_int_equal(send_all(NOTIFY_ADMIN, MINUTE_MS), 1);
	assert_int_equal(notify_queue_stats(q).waiting, 0);
	assert_int_equal(notify_queue_due(q, ALL, MINUTE_MS), INT64_MAX);
}

static void test_of_one_kind_and_account_one_an_hour(void **state)
{
	struct notify_task *task;

	(void)state;
	add(NOTICE_SUSPENDED, "alice", 0);
	add(NOTICE_SUSPENDED, "alice", SECOND_MS);
	add(NOTICE_RELEASED, "alice", SECOND_MS); /* another kind */
	add(NOTICE_SUSPENDED, "bob", SECOND_MS);
	assert_int_equal(send_all(NOTIFY_ADMIN, MINUTE_MS), 3);
	add(NOTICE_SUSPENDED, "alice", HOUR_MS - 1);
	assert_int_equal(send_all(NOTIFY_ADMIN, HOUR_MS + MINUTE_MS), 0);
	add(NOTICE_SUSPENDED, "alice", HOUR_MS);
	task = notify_queue_take(q, NOTIFY_ADMIN, HOUR_MS + MINUTE_MS);
	assert_non_null(task);
	assert_int_equal(task->notice->repeated, 2);
	notify_queue_done(q, task, NOTIFY_SENT, HOUR_MS + MINUTE_MS);
	assert_int_equal(notify_queue_stats(q).dropped, 0);
}

static void test_remotes_count_apart(void **state)
{
	struct notice n = notice(NOTICE_SERVER_LISTED, "", "");

	(void)state;
	snprintf(n.remote, sizeof(n.remote), "gmail.com");
	notify_queue_add(q, &n, 0);
	notify_queue_add(q, &n, 0);
	snprintf(n.remote, sizeof(n.remote), "gmx.net");
	notify_queue_add(q, &n, 0);
	assert_int_equal(send_all(NOTIFY_ADMIN, MINUTE_MS), 2);
}

static void test_ten_in_a_minute_go_one_by_one(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < 10; i++)
		add_number(i, "", 0);
	assert_int_equal(send_all(NOTIFY_WEBHOOK, 5 * SECOND_MS), 10);
}

static void test_a_storm_is_one_digest(void **state)
{
	struct notify_task *task;
	int64_t now_ms = 0;

	(void)state;
	for (unsigned int i = 0; i < 1000; i++) {
		now_ms = i * 50;
		add_number(i, "", now_ms);
		assert_null(notify_queue_take(q, NOTIFY_WEBHOOK, now_ms));
	}
	assert_int_equal(notify_queue_due(q, NOTIFY_BIT(NOTIFY_WEBHOOK), now_ms),
			 now_ms + 10 * SECOND_MS);
	now_ms += 10 * SECOND_MS;
	task = notify_queue_take(q, NOTIFY_WEBHOOK, now_ms);
	assert_non_null(task);
	assert_null(task->notice);
	assert_int_equal(task->digest->count, 1000);
	assert_int_equal(task->digest->kinds[NOTICE_SUSPENDED], 1000);
	assert_int_equal(task->digest->entries, NOTICE_DIGEST_MAX);
	assert_string_equal(task->digest->entry[0].account, "uid:0");
	notify_queue_done(q, task, NOTIFY_SENT, now_ms);
	assert_int_equal(send_all(NOTIFY_WEBHOOK, now_ms), 0);
	assert_int_equal(send_all(NOTIFY_ADMIN, now_ms), 1);
	assert_int_equal(send_all(NOTIFY_COMMAND, now_ms), 1);
	assert_int_equal(notify_queue_stats(q).dropped, 0);
}

/* Whoever waits for its end gets a digest after two minutes. */
static void test_a_storm_without_an_end_is_a_digest_each_two_minutes(void **state)
{
	unsigned int sent = 0;

	(void)state;
	for (unsigned int i = 0; i < 1200; i++) {
		add_number(i, "", i * SECOND_MS);
		sent += send_all(NOTIFY_WEBHOOK, i * SECOND_MS);
	}
	assert_in_range(sent, 5 + 9, 6 + 10); /* the first few went alone */
}

static void test_a_single_one_after_a_storm_is_no_digest(void **state)
{
	struct notify_task *task;

	(void)state;
	for (unsigned int i = 0; i < 20; i++)
		add_number(i, "", 0);
	assert_int_equal(send_all(NOTIFY_WEBHOOK, 10 * SECOND_MS), 1);
	add_number(20, "", 11 * SECOND_MS);
	task = notify_queue_take(q, NOTIFY_WEBHOOK, 30 * SECOND_MS);
	assert_non_null(task);
	assert_string_equal(task->notice->account, "uid:20");
	notify_queue_done(q, task, NOTIFY_SENT, 30 * SECOND_MS);
}

static void test_customers_get_their_own_in_a_storm(void **state)
{
	int64_t now_ms = 0;
	unsigned int sent = 0;

	(void)state;
	for (unsigned int i = 0; i < 1000; i++)
		add_number(i, "a@b.test", 0);
	while (sent < 1000 && now_ms < HOUR_MS) {
		assert_in_range(send_all(NOTIFY_CUSTOMER, now_ms), 0, 1);
		sent++;
		now_ms += 200;
	}
	assert_int_equal(sent, 1000);
	assert_int_equal(send_all(NOTIFY_CUSTOMER, now_ms), 0);
}

static void test_customers_hear_of_what_is_theirs_alone(void **state)
{
	struct notice n = notice(NOTICE_SUSPENDED, "alice", "a@b.test");

	(void)state;
	n.simulated = 1;
	notify_queue_add(q, &n, 0);
	n = notice(NOTICE_BYPASS, "alice", "a@b.test");
	notify_queue_add(q, &n, 0);
	assert_int_equal(send_all(NOTIFY_CUSTOMER, MINUTE_MS), 0);
	n = notice(NOTICE_NEARLY_THERE, "alice", "a@b.test");
	notify_queue_add(q, &n, MINUTE_MS);
	assert_int_equal(send_all(NOTIFY_CUSTOMER, MINUTE_MS), 1);
}

static void test_an_address_is_looked_up_first(void **state)
{
	struct notify_task *task;

	(void)state;
	add(NOTICE_SUSPENDED, "alice", 0);
	task = notify_queue_take(q, NOTIFY_LOOKUP, 0);
	assert_non_null(task);
	notify_queue_found(q, task, "a@b.test", 10);
	task = notify_queue_take(q, NOTIFY_CUSTOMER, 10);
	assert_non_null(task);
	assert_string_equal(task->address, "a@b.test");
	notify_queue_done(q, task, NOTIFY_SENT, 10);
	add(NOTICE_SUSPENDED, "bob", 10);
	task = notify_queue_take(q, NOTIFY_LOOKUP, 10);
	notify_queue_done(q, task, NOTIFY_NOBODY, 10);
	assert_int_equal(notify_queue_stats(q).failed, 0);
	assert_int_equal(notify_queue_stats(q).sent, 1);
}

static void test_what_fails_is_tried_again_five_times_in_all(void **state)
{
	static const int64_t after_ms[] = {MINUTE_MS, 5 * MINUTE_MS, 15 * MINUTE_MS, HOUR_MS, 0};
	struct notify_task *task;
	int64_t now_ms = 5 * SECOND_MS;

	(void)state;
	add(NOTICE_SUSPENDED, "alice", 0);
	for (size_t i = 0; i < 5; i++) {
		task = notify_queue_take(q, NOTIFY_WEBHOOK, now_ms);
		assert_non_null(task);
		assert_int_equal(notify_queue_done(q, task, NOTIFY_FAILED, now_ms), after_ms[i]);
		assert_null(notify_queue_take(q, NOTIFY_WEBHOOK, now_ms + after_ms[i] - 1));
		now_ms += after_ms[i];
	}
	assert_int_equal(notify_queue_stats(q).failed, 1);
}

static void test_one_that_waits_to_be_tried_again_holds_up_no_other(void **state)
{
	struct notify_task *task;

	(void)state;
	add(NOTICE_SUSPENDED, "alice", 0);
	task = notify_queue_take(q, NOTIFY_WEBHOOK, 5 * SECOND_MS);
	notify_queue_done(q, task, NOTIFY_FAILED, 5 * SECOND_MS);
	add(NOTICE_SUSPENDED, "bob", 6 * SECOND_MS);
	task = notify_queue_take(q, NOTIFY_WEBHOOK, 11 * SECOND_MS);
	assert_non_null(task);
	assert_string_equal(task->notice->account, "bob");
	notify_queue_done(q, task, NOTIFY_SENT, 11 * SECOND_MS);
}

/* Kinds of an account are fewer than the hourly limit lets through in a day. */
static void test_an_account_drops_its_own_alone(void **state)
{
	struct notify_task *task;

	(void)state;
	for (int kind = 1; kind < NOTICE_KINDS; kind++)
		add((enum notice_kind)kind, "alice", 0);
	assert_int_equal(notify_queue_stats(q).dropped, NOTICE_KINDS - 1 - NOTIFY_SHARE_MAX);
	add(NOTICE_SUSPENDED, "bob", 0);
	assert_int_equal(notify_queue_stats(q).dropped, NOTICE_KINDS - 1 - NOTIFY_SHARE_MAX);
	while ((task = notify_queue_take(q, NOTIFY_ADMIN, MINUTE_MS)))
		notify_queue_done(q, task, NOTIFY_FAILED, MINUTE_MS);
}

static void test_the_queue_is_bounded_and_the_host_has_places(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < 3000; i++)
		add_number(i, "a@b.test", 0);
	assert_int_equal(notify_queue_stats(q).dropped, 3000 - (NOTIFY_LETTERS_MAX - 64));
	add(NOTICE_HOOK_MISSING, "", 0);
	assert_int_equal(notify_queue_stats(q).dropped, 3000 - (NOTIFY_LETTERS_MAX - 64));
}

static void test_what_waits_for_a_way_that_ends_is_counted(void **state)
{
	(void)state;
	add(NOTICE_SUSPENDED, "alice", 0);
	notify_queue_flush(q, 0);
	assert_int_equal(notify_queue_stats(q).waiting, 4);
	notify_queue_set_ways(q, NOTIFY_BIT(NOTIFY_ADMIN));
	assert_int_equal(notify_queue_stats(q).waiting, 1);
	assert_int_equal(notify_queue_stats(q).dropped, 3);
	assert_int_equal(send_all(NOTIFY_ADMIN, 0), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, begin, end)
		TEST(a_notice_waits_for_others_and_goes_by_each_way),
		TEST(a_way_that_is_not_in_use_gets_nothing),
		TEST(of_one_kind_and_account_one_an_hour),
		TEST(remotes_count_apart),
		TEST(ten_in_a_minute_go_one_by_one),
		TEST(a_storm_is_one_digest),
		TEST(a_storm_without_an_end_is_a_digest_each_two_minutes),
		TEST(a_single_one_after_a_storm_is_no_digest),
		TEST(customers_get_their_own_in_a_storm),
		TEST(customers_hear_of_what_is_theirs_alone),
		TEST(an_address_is_looked_up_first),
		TEST(what_fails_is_tried_again_five_times_in_all),
		TEST(one_that_waits_to_be_tried_again_holds_up_no_other),
		TEST(an_account_drops_its_own_alone),
		TEST(the_queue_is_bounded_and_the_host_has_places),
		TEST(what_waits_for_a_way_that_ends_is_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
