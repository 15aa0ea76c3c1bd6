// SPDX-License-Identifier: GPL-2.0-only
/*
 * state_feeds_test.c - mail servers' reports in the state database: added up, bounded, deleted with
 * their key, in the next boot, and in a database of an earlier version.
 */
#include <setjmp.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include "base/clock.h"
#include "lib/state_fixture.h"
#include "core/delivery_report.h"
#include "state/state_feeds.h"

static void run_sql(const char *sql)
{
	char *error = NULL;
	sqlite3 *db;

	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	if (sqlite3_exec(db, sql, NULL, NULL, &error) != SQLITE_OK)
		fail_msg("%s", error);
	sqlite3_close(db);
}

struct seen {
	int rows;
	struct account_id account;
	char domain[SMTPL_DOMAIN_SIZE];
	struct relay_count told;
	struct smtpl_totals superseded;
	uint32_t uid;
	struct state_feed feed;
};

static int see_told(void *arg, const struct account_id *account, const char *domain,
		    const struct relay_count *counts)
{
	struct seen *seen = arg;

	seen->rows++;
	seen->account = *account;
	snprintf(seen->domain, sizeof(seen->domain), "%s", domain);
	relay_count_add(&seen->told, counts);
	return 0;
}

static int see_superseded(void *arg, uint32_t uid, const char *domain,
			  const struct smtpl_totals *superseded)
{
	struct seen *seen = arg;

	seen->rows++;
	seen->uid = uid;
	snprintf(seen->domain, sizeof(seen->domain), "%s", domain);
	seen->superseded = *superseded;
	return 0;
}

static int see_feed(void *arg, const struct state_feed *feed)
{
	struct seen *seen = arg;

	seen->rows++;
	seen->feed = *feed;
	return 0;
}

static struct seen told_in(struct state *state)
{
	struct seen seen = {0};

	assert_int_equal(state_each_relay_count(state, see_told, &seen), 0);
	return seen;
}

static void told_adds_up(void **unused)
{
	const struct relay_count more = {1, 2, 3, 4, 5, 6};
	struct account_id domain = domain_account("b.example"), alice = uid_account(1000);
	struct state *state;
	struct seen seen;

	(void)unused;
	state = open_at(&first_boot, STATE_WRITE);
	for (int i = 0; i < 3; i++)
		assert_int_equal(state_add_relay_count(state, &alice, "a.example", &more), 0);
	seen = told_in(state);
	assert_int_equal(seen.rows, 1);
	assert_memory_equal(&seen.account, &alice, sizeof(alice));
	assert_string_equal(seen.domain, "a.example");
	assert_int_equal(seen.told.delivered, 3);
	assert_int_equal(seen.told.deferred, 6);
	assert_int_equal(seen.told.failed, 9);
	assert_int_equal(seen.told.unknown, 12);
	assert_int_equal(seen.told.refused, 15);
	assert_int_equal(seen.told.bypass, 18);
	assert_int_equal(state_add_relay_count(state, &domain, "b.example", &more), 0);
	assert_int_equal(told_in(state).rows, 2);
	assert_int_equal(state_clear_relay_counts(state), 0);
	assert_int_equal(told_in(state).rows, 0);
	state_close(state);
}

/* A transaction that failed is put again as it was, and must not have counted. */
static void rolled_back(void **unused)
{
	const struct relay_count one = {.failed = 1};
	struct account_id alice = uid_account(1000);
	struct state *state;

	(void)unused;
	state = open_at(&first_boot, STATE_WRITE);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(state_begin(state), 0);
		assert_int_equal(state_add_relay_count(state, &alice, "a.example", &one), 0);
		if (i == 0)
			state_rollback(state);
		else
			assert_int_equal(state_commit(state), 0);
	}
	assert_int_equal(told_in(state).told.failed, 1);
	state_close(state);
}

/* The 257th domain, and those after it, are counted under "". */
static void domains_are_bounded(void **unused)
{
	const struct relay_count one = {.delivered = 1};
	struct account_id alice = uid_account(1000), bob = uid_account(1001);
	char domain[32];
	struct state *state;

	(void)unused;
	state = open_at(&first_boot, STATE_WRITE);
	assert_int_equal(state_begin(state), 0);
	for (int i = 0; i < STATE_RELAY_COUNTS_PER_ACCOUNT + 10; i++) {
		snprintf(domain, sizeof(domain), "d%d.example", i);
		assert_int_equal(state_add_relay_count(state, &alice, domain, &one), 0);
	}
	assert_int_equal(state_add_relay_count(state, &alice, "d0.example", &one), 0);
	assert_int_equal(state_add_relay_count(state, &bob, "d300.example", &one), 0);
	assert_int_equal(state_commit(state), 0);
	assert_int_equal(told_in(state).rows, STATE_RELAY_COUNTS_PER_ACCOUNT + 2);
	assert_int_equal(told_in(state).told.delivered, STATE_RELAY_COUNTS_PER_ACCOUNT + 12);
	state_close(state);
	run_sql("CREATE TABLE rest AS SELECT delivered FROM told WHERE sender_domain = '';"
		"CREATE TABLE only (n INTEGER CHECK (n = 10)); INSERT INTO only SELECT * FROM rest;");
}

/* The bound in all, with rows of a later time to be kept. */
static void rows_are_bounded(void **unused)
{
	const struct relay_count one = {.delivered = 1};
	struct account_id alice = uid_account(1000);
	struct state *state;

	(void)unused;
	state_close(open_at(&first_boot, STATE_WRITE));
	run_sql("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 262145)"
		"INSERT INTO told SELECT 2, 0, 'd' || i, '', i, 1, 0, 0, 0, 0, 0 FROM n;");
	state = open_at(&first_boot, STATE_WRITE);
	assert_int_equal(state_add_relay_count(state, &alice, "a.example", &one), 0);
	assert_int_equal(told_in(state).rows, STATE_RELAY_COUNTS_MAX / 4 * 3 + 1);
	state_close(state);
	run_sql("CREATE TABLE kept (n INTEGER CHECK (n = 65537));"
		"INSERT INTO kept SELECT min(wall_ns) - 1 FROM told;");
}

static void aside_goes_with_its_key(void **unused)
{
	const struct smtpl_totals first = {9, 9, 9, 9}, then = {1, 2, 3, 4};
	struct seen seen = {0};
	struct state *state;

	(void)unused;
	state = open_at(&first_boot, STATE_WRITE);
	assert_int_equal(state_put_superseded(state, 8, "a.example", &first), 0);
	assert_int_equal(state_put_superseded(state, 8, "a.example", &then), 0);
	assert_int_equal(state_each_superseded(state, see_superseded, &seen), 0);
	assert_int_equal(seen.rows, 1);
	assert_int_equal(seen.uid, 8);
	assert_string_equal(seen.domain, "a.example");
	assert_memory_equal(&seen.superseded, &then, sizeof(then));
	assert_int_equal(state_delete_count(state, 8, "a.example"), 0);
	seen.rows = 0;
	assert_int_equal(state_each_superseded(state, see_superseded, &seen), 0);
	assert_int_equal(seen.rows, 0);
	state_close(state);
}

static void feed_round_trip(void **unused)
{
	struct pipeline_feed feed = {.relay_uid = 8,
				     .mta = FEED_POSTFIX,
				     .running = true,
				     .told_ns = 4990 * NS_PER_S,
				     .changed_ns = 100 * NS_PER_S,
				     .stats = {.told_delivered = 3, .forgotten = 7}};
	struct seen seen = {0};
	struct state *state;

	(void)unused;
	state = open_at(&first_boot, STATE_WRITE);
	assert_int_equal(state_put_feed(state, &feed), 0);
	assert_int_equal(state_each_feed(state, see_feed, &seen), 0);
	assert_int_equal(seen.rows, 1);
	assert_memory_equal(&seen.feed.known.stats, &feed.stats, sizeof(feed.stats));
	assert_int_equal(seen.feed.known.relay_uid, 8);
	assert_int_equal(seen.feed.known.mta, FEED_POSTFIX);
	assert_true(seen.feed.known.running);
	assert_int_equal(seen.feed.known.told_ns, feed.told_ns);
	assert_int_equal(seen.feed.reported_wall_s, WALL_S - 10);
	/* After a reboot both are before it. */
	state_set_clock(state, &second_boot);
	assert_int_equal(state_each_feed(state, see_feed, &seen), 0);
	assert_int_equal(seen.feed.known.told_ns, 0);
	assert_int_equal(seen.feed.reported_wall_s, WALL_S - 10);
	assert_int_equal(seen.feed.changed_wall_s, WALL_S - 4900);
	feed.told_ns = 0;
	assert_int_equal(state_put_feed(state, &feed), 0);
	assert_int_equal(state_each_feed(state, see_feed, &seen), 0);
	assert_int_equal(seen.feed.reported_wall_s, 0);
	feed.running = false;
	for (feed.stop = 0; feed.stop < PIPELINE_FEED_STOPS; feed.stop++) {
		assert_int_equal(state_put_feed(state, &feed), 0);
		assert_int_equal(state_each_feed(state, see_feed, &seen), 0);
		assert_false(seen.feed.known.running);
		assert_int_equal(seen.feed.known.stop, feed.stop);
	}
	state_close(state);
}

static void database_of_before(void **unused)
{
	const struct relay_count one = {.delivered = 1};
	struct account_id alice = uid_account(1000);
	struct seen seen = {0};
	struct state *state;

	(void)unused;
	state_close(open_at(&first_boot, STATE_WRITE));
	run_sql("DROP TABLE told; DROP TABLE aside; DROP TABLE feeds");
	state = open_at(&first_boot, STATE_READ);
	assert_int_equal(state_each_relay_count(state, see_told, &seen), 0);
	assert_int_equal(state_each_superseded(state, see_superseded, &seen), 0);
	assert_int_equal(state_each_feed(state, see_feed, &seen), 0);
	assert_int_equal(seen.rows, 0);
	state_close(state);
	state = open_at(&first_boot, STATE_WRITE);
	assert_int_equal(state_add_relay_count(state, &alice, "a.example", &one), 0);
	assert_int_equal(told_in(state).rows, 1);
	state_close(state);
}

static void bad_rows_are_passed_over(void **unused)
{
	struct seen seen = {0};
	struct state *state;

	(void)unused;
	state_close(open_at(&first_boot, STATE_WRITE));
	run_sql("INSERT INTO told VALUES (7, 1, '', '', 0, 1, 1, 1, 1, 1, 1),"
		" (1, 1, '', '', 0, -1, 1, 1, 1, 1, 1);"
		"INSERT INTO aside VALUES (-1, 'a', 1, 1, 1, 1), (1, 'b', 1, 1, 1, -1);"
		"INSERT INTO feeds (uid, boot, wall_ns, boot_ns) VALUES (-1, 'x', 1, 1);");
	state = open_at(&first_boot, STATE_READ);
	assert_int_equal(state_each_relay_count(state, see_told, &seen), 0);
	assert_int_equal(state_each_superseded(state, see_superseded, &seen), 0);
	assert_int_equal(state_each_feed(state, see_feed, &seen), 0);
	assert_int_equal(seen.rows, 0);
	assert_int_equal(state_skipped(state), 5);
	state_close(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STATE_TEST(told_adds_up),
		STATE_TEST(rolled_back),
		STATE_TEST(domains_are_bounded),
		STATE_TEST(rows_are_bounded),
		STATE_TEST(aside_goes_with_its_key),
		STATE_TEST(feed_round_trip),
		STATE_TEST(database_of_before),
		STATE_TEST(bad_rows_are_passed_over),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("state_feeds", tests, NULL, NULL);
}
