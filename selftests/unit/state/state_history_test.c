// SPDX-License-Identifier: GPL-2.0-only
/*
 * state_history_test.c - the history of suspensions: how each end looks, what is bounded, what a
 * crash leaves, clocks that are set, and a database of an earlier version.
 */
#include <setjmp.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include "base/clock.h"
#include "lib/state_fixture.h"
#include "state/state_history.h"

#define HOUR_S 3600

/* For the bounds of number in all, which would take long to reach. */
static void run_sql(const char *sql)
{
	char *error = NULL;
	sqlite3 *db;

	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	if (sqlite3_exec(db, sql, NULL, NULL, &error) != SQLITE_OK)
		fail_msg("%s", error);
	sqlite3_close(db);
}

/* Time goes on by both clocks. */
static struct state_clock later(int64_t seconds)
{
	struct state_clock clock = first_boot;

	clock.boot_ns += seconds * NS_PER_S;
	clock.wall_ns += seconds * NS_PER_S;
	return clock;
}

static struct state_suspension suspension_at(const struct state_clock *now, uint32_t uid,
					     int64_t for_s)
{
	struct state_suspension s = suspension_sample();

	s.account = uid_account(uid);
	s.kernel.since_ns = now->boot_ns;
	s.kernel.until_ns = now->boot_ns + for_s * NS_PER_S;
	return s;
}

static void suspend(struct state *state, const struct state_clock *now, uint32_t uid, int64_t for_s)
{
	const struct state_suspension s = suspension_at(now, uid, for_s);

	state_set_clock(state, now);
	assert_int_equal(state_put_suspension(state, &s), 0);
}

static void observe(struct state *state, const struct state_clock *now, uint32_t uid, int64_t for_s)
{
	struct state_suspension s = suspension_at(now, uid, for_s);

	s.observed = true;
	state_set_clock(state, now);
	assert_int_equal(state_put_suspension(state, &s), 0);
}

static void end(struct state *state, const struct state_clock *now, uint32_t uid)
{
	const struct account_id id = uid_account(uid);

	state_set_clock(state, now);
	assert_int_equal(state_delete_suspension(state, &id), 0);
}

#define ROWS_MAX 600

struct rows {
	struct state_history row[ROWS_MAX];
	size_t count;
};

static int keep(void *arg, const struct state_history *h)
{
	struct rows *rows = arg;

	assert_true(rows->count < ROWS_MAX);
	rows->row[rows->count++] = *h;
	return 0;
}

static const struct rows *read_rows(struct state *state, const struct state_clock *now,
				    uint32_t uid, int64_t since_s)
{
	const struct account_id id = uid_account(uid);
	static struct rows rows;

	rows.count = 0;
	state_set_clock(state, now);
	assert_int_equal(state_each_history(state, uid ? &id : NULL, since_s, keep, &rows), 0);
	assert_int_equal(state_skipped(state), 0);
	return &rows;
}

/* Times from WALL_S on; ended_s: -1, it runs. */
static void expect_row(const struct state_history *h, enum state_history_end how, int64_t since_s,
		       int64_t until_s, int64_t ended_s)
{
	assert_int_equal(h->end, how);
	assert_int_equal(h->since_wall_s, WALL_S + since_s);
	assert_int_equal(h->until_wall_s, WALL_S + until_s);
	assert_int_equal(h->ended_wall_s, ended_s < 0 ? 0 : WALL_S + ended_s);
}

static void over_by_itself(void **unused)
{
	struct state *state = open_at(&first_boot, STATE_WRITE);
	const struct state_clock running = later(HOUR_S - 1), over = later(HOUR_S);
	const struct rows *rows;

	(void)unused;
	suspend(state, &first_boot, 1000, HOUR_S);
	rows = read_rows(state, &running, 1000, 0);
	assert_int_equal(rows->count, 1);
	expect_row(&rows->row[0], STATE_HISTORY_RUNNING, 0, HOUR_S, -1);
	assert_int_equal(rows->row[0].bad, 7);
	assert_int_equal(rows->row[0].min, 5);
	assert_int_equal(rows->row[0].percent, 58);
	assert_int_equal(rows->row[0].by_hand, 0);
	assert_int_equal(rows->row[0].observed, 0);
	assert_string_equal(rows->row[0].domain, "example.com");
	assert_string_equal(rows->row[0].reason, "because");
	/* Whether somebody came to note the end or not. */
	rows = read_rows(state, &over, 1000, 0);
	expect_row(&rows->row[0], STATE_HISTORY_OVER, 0, HOUR_S, HOUR_S);
	end(state, &over, 1000);
	rows = read_rows(state, &over, 1000, 0);
	assert_int_equal(rows->count, 1);
	expect_row(&rows->row[0], STATE_HISTORY_OVER, 0, HOUR_S, HOUR_S);
	state_close(state);
}

static void released_before(void **unused)
{
	struct state *state = open_at(&first_boot, STATE_WRITE);
	const struct state_clock release = later(720), much_later = later(3 * HOUR_S);
	const struct rows *rows;

	(void)unused;
	suspend(state, &first_boot, 1000, HOUR_S);
	suspend(state, &first_boot, 1001, HOUR_S);
	end(state, &release, 1000);
	rows = read_rows(state, &release, 1000, 0);
	assert_int_equal(rows->count, 1);
	expect_row(&rows->row[0], STATE_HISTORY_RELEASED, 0, HOUR_S, 720);
	/* Another end changes nothing any more, nor did it change another account's. */
	end(state, &much_later, 1000);
	rows = read_rows(state, &much_later, 0, 0);
	assert_int_equal(rows->count, 2);
	expect_row(&rows->row[0], STATE_HISTORY_OVER, 0, HOUR_S, HOUR_S);
	expect_row(&rows->row[1], STATE_HISTORY_RELEASED, 0, HOUR_S, 720);
	state_close(state);
}

static void replaced_by_the_next(void **unused)
{
	struct state *state = open_at(&first_boot, STATE_WRITE);
	const struct state_clock next = later(600), now = later(601), third = later(3 * HOUR_S);
	const struct rows *rows;

	(void)unused;
	suspend(state, &first_boot, 1000, HOUR_S);
	suspend(state, &next, 1000, HOUR_S);
	rows = read_rows(state, &now, 1000, 0);
	assert_int_equal(rows->count, 2);
	expect_row(&rows->row[0], STATE_HISTORY_RUNNING, 600, 600 + HOUR_S, -1);
	expect_row(&rows->row[1], STATE_HISTORY_REPLACED, 0, HOUR_S, 600);
	/* Its end was not noted, but it was over. */
	suspend(state, &third, 1000, 60);
	rows = read_rows(state, &third, 1000, 0);
	assert_int_equal(rows->count, 3);
	expect_row(&rows->row[1], STATE_HISTORY_OVER, 600, 600 + HOUR_S, 600 + HOUR_S);
	state_close(state);
}

/* One that is observed refuses nobody and ends no suspension, nor is it ended by a release. */
static void observed_is_apart(void **unused)
{
	struct state *state = open_at(&first_boot, STATE_WRITE);
	const struct state_clock next = later(60);
	struct kept_suspensions kept = {0};
	const struct rows *rows;

	(void)unused;
	observe(state, &first_boot, 1000, HOUR_S);
	assert_int_equal(state_each_suspension(state, keep_suspension, &kept), 0);
	assert_int_equal(kept.count, 0);
	suspend(state, &next, 1000, HOUR_S);
	end(state, &next, 1000);
	rows = read_rows(state, &next, 1000, 0);
	assert_int_equal(rows->count, 2);
	expect_row(&rows->row[0], STATE_HISTORY_RELEASED, 60, 60 + HOUR_S, 60);
	assert_int_equal(rows->row[0].observed, 0);
	expect_row(&rows->row[1], STATE_HISTORY_RUNNING, 0, HOUR_S, -1);
	assert_int_equal(rows->row[1].observed, 1);
	state_close(state);
}

/* The process dies in the middle of a transaction: suspension and history agree. */
static void a_crash_between(void **unused)
{
	struct state *state = open_at(&first_boot, STATE_WRITE);
	const struct state_suspension s = suspension_at(&first_boot, 1000, HOUR_S);
	const struct state_clock release = later(10);

	(void)unused;
	assert_int_equal(state_begin(state), 0);
	assert_int_equal(state_put_suspension(state, &s), 0);
	state_rollback(state);
	assert_int_equal(read_rows(state, &first_boot, 1000, 0)->count, 0);
	suspend(state, &first_boot, 1000, HOUR_S);
	assert_int_equal(state_begin(state), 0);
	end(state, &release, 1000);
	state_close(state); /* without a commit */
	state = open_at(&release, STATE_READ);
	expect_row(&read_rows(state, &release, 1000, 0)->row[0], STATE_HISTORY_RUNNING, 0, HOUR_S,
		   -1);
	only_suspension(state);
	state_close(state);
}

/* A step of the wall clock moves no suspension: it ends by boot time. */
static void the_clock_is_set_back(void **unused)
{
	struct state *state = open_at(&first_boot, STATE_WRITE);
	struct state_clock over = later(HOUR_S), soon = later(60);
	const struct rows *rows;

	(void)unused;
	suspend(state, &first_boot, 1000, HOUR_S);
	over.wall_ns -= 1800 * NS_PER_S;
	end(state, &over, 1000);
	rows = read_rows(state, &over, 1000, 0);
	expect_row(&rows->row[0], STATE_HISTORY_OVER, 0, HOUR_S, 1800);
	/* No end is before its start. */
	suspend(state, &first_boot, 1001, HOUR_S);
	soon.wall_ns -= 7200 * NS_PER_S;
	end(state, &soon, 1001);
	rows = read_rows(state, &first_boot, 1001, 0);
	expect_row(&rows->row[0], STATE_HISTORY_RELEASED, 0, HOUR_S, 0);
	state_close(state);
}

/* By one account's share, with the other's kept. */
static void bounded_for_each_account(void **unused)
{
	struct state *state = open_at(&first_boot, STATE_WRITE);
	const int more = STATE_HISTORY_PER_ACCOUNT + 44;
	const struct rows *rows;
	struct state_clock now;

	(void)unused;
	suspend(state, &first_boot, 1001, 1);
	assert_int_equal(state_begin(state), 0);
	for (int i = 0; i < more; i++) {
		now = later(60 * i);
		suspend(state, &now, 1000, 1);
	}
	assert_int_equal(state_commit(state), 0);
	rows = read_rows(state, &now, 1000, 0);
	assert_int_equal(rows->count, STATE_HISTORY_PER_ACCOUNT);
	assert_int_equal(rows->row[0].since_wall_s, WALL_S + 60 * (more - 1));
	assert_int_equal(rows->row[rows->count - 1].since_wall_s, WALL_S + 60 * 44);
	assert_int_equal(read_rows(state, &now, 1001, 0)->count, 1);
	state_close(state);
}

static int64_t rows_in_all(void)
{
	sqlite3_stmt *statement;
	int64_t count;
	sqlite3 *db;

	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(
		sqlite3_prepare_v2(db, "SELECT count(*) FROM history", -1, &statement, NULL),
		SQLITE_OK);
	assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
	count = sqlite3_column_int64(statement, 0);
	sqlite3_finalize(statement);
	sqlite3_close(db);
	return count;
}

/* A connection looks at the bounds in all with its first row, and then with every 64th. */
static void bounded_in_all(void **unused)
{
	struct state *state = open_at(&first_boot, STATE_WRITE);
	struct state_clock now = later(10);

	(void)unused;
	suspend(state, &first_boot, 1000, 1);
	state_close(state);
	run_sql("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 70000)"
		" INSERT INTO history (kind, uid, domain, own_domain, since_s, until_s, ended_s, how,"
		" bad, min, percent, by_hand, observed, reason) SELECT 1, 10000 + i, '', '',"
		" since_s, until_s, ended_s, how, 5, 5, 100, 0, 0, '' FROM n, history WHERE uid = 1000");
	assert_int_equal(rows_in_all(), 70001);
	state = open_at(&now, STATE_WRITE);
	suspend(state, &now, 1001, 1);
	assert_int_equal(rows_in_all(), STATE_HISTORY_MAX);
	assert_int_equal(read_rows(state, &now, 1000, 0)->count, 0);
	assert_int_equal(read_rows(state, &now, 80000, 0)->count, 1);
	assert_int_equal(read_rows(state, &now, 1001, 0)->count, 1);
	state_close(state);
}

static void bounded_by_age(void **unused)
{
	struct state *state = open_at(&first_boot, STATE_WRITE);
	struct state_clock now = later(STATE_HISTORY_S + 1);

	(void)unused;
	suspend(state, &first_boot, 1000, 1);
	now = later(STATE_HISTORY_S);
	assert_int_equal(read_rows(state, &now, 1000, 0)->count, 1);
	now = later(STATE_HISTORY_S + 1);
	assert_int_equal(read_rows(state, &now, 1000, 0)->count, 0);
	assert_int_equal(rows_in_all(), 1);
	state_close(state);
	state = open_at(&now, STATE_WRITE);
	suspend(state, &now, 1001, 1);
	assert_int_equal(rows_in_all(), 1);
	state_close(state);
}

static void newest_first_and_since(void **unused)
{
	struct state *state = open_at(&first_boot, STATE_WRITE);
	const struct state_clock two = later(100), three = later(200);
	const struct rows *rows;

	(void)unused;
	suspend(state, &three, 1002, 1);
	suspend(state, &first_boot, 1000, 1);
	suspend(state, &two, 1001, 1);
	rows = read_rows(state, &three, 0, 0);
	assert_int_equal(rows->count, 3);
	for (int i = 0; i < 3; i++)
		assert_int_equal(rows->row[i].account.uid, 1002 - i);
	rows = read_rows(state, &three, 0, WALL_S + 100);
	assert_int_equal(rows->count, 2);
	assert_int_equal(read_rows(state, &three, 1000, WALL_S + 100)->count, 0);
	state_close(state);
}

/* It gets the table when it is opened for writing; a reader of it finds nothing. */
static void earlier_database(void **unused)
{
	struct state *state = open_at(&first_boot, STATE_WRITE);
	const struct state_clock now = later(10);
	const struct state_suspension s = suspension_at(&first_boot, 1000, HOUR_S);

	(void)unused;
	assert_int_equal(state_put_suspension(state, &s), 0);
	state_close(state);
	run_sql("DROP TABLE history");
	state = open_at(&now, STATE_READ);
	assert_int_equal(read_rows(state, &now, 0, 0)->count, 0);
	state_close(state);
	/* A suspension of that time ends without a row; the next has one. */
	state = open_at(&now, STATE_WRITE);
	end(state, &now, 1000);
	suspend(state, &now, 1000, 60);
	assert_int_equal(read_rows(state, &now, 0, 0)->count, 1);
	state_close(state);
}

static void damaged_rows_are_skipped(void **unused)
{
	struct state *state = open_at(&first_boot, STATE_WRITE);
	struct rows rows = {.count = 0};

	(void)unused;
	for (uint32_t uid = 1000; uid < 1005; uid++)
		suspend(state, &first_boot, uid, 60);
	run_sql("UPDATE history SET how = 0 WHERE uid = 1000;"
		"UPDATE history SET how = 9 WHERE uid = 1001;"
		"UPDATE history SET since_s = -1, ended_s = -1 WHERE uid = 1002;"
		"UPDATE history SET kind = 7 WHERE uid = 1003");
	assert_int_equal(state_each_history(state, NULL, INT64_MIN, keep, &rows), 0);
	assert_int_equal(rows.count, 1);
	assert_int_equal(rows.row[0].account.uid, 1004);
	/* Of 1002 the time is too long ago to be asked for. */
	assert_int_equal(state_skipped(state), 3);
	state_close(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STATE_TEST(over_by_itself),	      STATE_TEST(released_before),
		STATE_TEST(replaced_by_the_next),     STATE_TEST(observed_is_apart),
		STATE_TEST(a_crash_between),	      STATE_TEST(the_clock_is_set_back),
		STATE_TEST(bounded_for_each_account), STATE_TEST(bounded_in_all),
		STATE_TEST(bounded_by_age),	      STATE_TEST(newest_first_and_since),
		STATE_TEST(earlier_database),	      STATE_TEST(damaged_rows_are_skipped),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	alarm(120);
	return cmocka_run_group_tests_name("state_history", tests, NULL, NULL);
}
