// SPDX-License-Identifier: GPL-2.0-only
/*
 * state_remotes_test.c - alarms about remotes in the state database: since when one lasts, which
 * are kept, hostile names and texts, and a database of an earlier version.
 */
#include <setjmp.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include "lib/state_fixture.h"
#include "state/state_remotes.h"

struct seen {
	int rows;
	struct state_remote first;
	struct state_remote last;
};

static int see(void *arg, const struct state_remote *remote)
{
	struct seen *seen = arg;

	if (!seen->rows++)
		seen->first = *remote;
	seen->last = *remote;
	return 0;
}

static struct seen seen_at(struct state *state, int64_t wall_s)
{
	struct state_clock now = first_boot;
	struct seen seen = {0};

	now.wall_ns = wall_s * NS_PER_S;
	state_set_clock(state, &now);
	assert_int_equal(state_each_remote(state, see, &seen), 0);
	return seen;
}

static void put(struct state *state, enum pipeline_alarm kind, const char *remote, int64_t wall_s)
{
	struct state_remote r = {.kind = kind,
				 .accounts = 14,
				 .tried = 20,
				 .text = "550 5.7.1 \xc3\xa4 is listed\x1b[2J\xff'); DROP TABLE",
				 .last_wall_s = wall_s};

	snprintf(r.remote, sizeof(r.remote), "%s", remote);
	assert_int_equal(state_put_remote(state, &r), 0);
}

static void comes_back_as_it_was(void **unused)
{
	struct state *state = open_at(&first_boot, STATE_WRITE);
	struct seen seen;

	(void)unused;
	put(state, PIPELINE_ALARM_LISTED, "a\x1b\xff.example", WALL_S - 5);
	state_close(state);
	state = open_at(&second_boot, STATE_READ);
	seen = seen_at(state, WALL_S);
	assert_int_equal(seen.rows, 1);
	assert_int_equal(seen.first.kind, PIPELINE_ALARM_LISTED);
	assert_string_equal(seen.first.remote, "a\x1b\xff.example");
	assert_string_equal(seen.first.text,
			    "550 5.7.1 \xc3\xa4 is listed\x1b[2J\xff'); DROP TABLE");
	assert_int_equal(seen.first.accounts, 14);
	assert_int_equal(seen.first.tried, 20);
	assert_int_equal(seen.first.since_wall_s, WALL_S - 5);
	assert_int_equal(seen.first.last_wall_s, WALL_S - 5);
	state_close(state);
}

/* Said again within two hours it lasts; later, or after a step back of the clock, it is new. */
static void lasts_while_it_is_repeated(void **unused)
{
	static const int64_t at[] = {0, 7200, 14401, 14400}, since[] = {0, 0, 14401, 14400};
	struct state *state = open_at(&first_boot, STATE_WRITE);
	struct seen seen;

	(void)unused;
	for (size_t i = 0; i < sizeof(at) / sizeof(*at); i++) {
		put(state, PIPELINE_ALARM_TROUBLE, "a.example", WALL_S + at[i]);
		seen = seen_at(state, WALL_S + at[i]);
		assert_int_equal(seen.rows, 1);
		assert_int_equal(seen.first.since_wall_s, WALL_S + since[i]);
		assert_int_equal(seen.first.last_wall_s, WALL_S + at[i]);
	}
	put(state, PIPELINE_ALARM_LISTED, "a.example", WALL_S + 14400);
	assert_int_equal(seen_at(state, WALL_S + 14400).rows, 2); /* each kind has its own */
	state_close(state);
}

static void shown_for_a_day(void **unused)
{
	struct state *state = open_at(&first_boot, STATE_WRITE);
	struct seen seen;

	(void)unused;
	put(state, PIPELINE_ALARM_NO_ANSWER, "", WALL_S);
	put(state, PIPELINE_ALARM_TROUBLE, "b.example", WALL_S + 1);
	seen = seen_at(state, WALL_S + STATE_REMOTES_S);
	assert_int_equal(seen.rows, 2);
	assert_string_equal(seen.first.remote, "b.example"); /* the newest first */
	assert_int_equal(seen_at(state, WALL_S + STATE_REMOTES_S + 1).rows, 1);
	assert_int_equal(seen_at(state, WALL_S).rows, 1); /* the other is of the future */
	put(state, PIPELINE_ALARM_LISTED, "c.example", WALL_S + STATE_REMOTES_S + 1);
	assert_int_equal(seen_at(state, WALL_S + STATE_REMOTES_S + 1).rows, 2);
	state_close(state);
}

static void oldest_go(void **unused)
{
	struct state *state = open_at(&first_boot, STATE_WRITE);
	struct seen seen;
	char name[16];

	(void)unused;
	assert_int_equal(state_begin(state), 0);
	for (int i = 0; i < STATE_REMOTES_MAX + 10; i++) {
		snprintf(name, sizeof(name), "r%d.example", i);
		put(state, PIPELINE_ALARM_TROUBLE, name, WALL_S + i);
	}
	assert_int_equal(state_commit(state), 0);
	seen = seen_at(state, WALL_S + STATE_REMOTES_MAX + 10);
	assert_int_equal(seen.rows, STATE_REMOTES_MAX);
	assert_string_equal(seen.last.remote, "r10.example");
	state_close(state);
}

static void bad_rows_and_no_table(void **unused)
{
	struct state *state = open_at(&first_boot, STATE_WRITE);
	sqlite3 *db;

	(void)unused;
	put(state, PIPELINE_ALARM_LISTED, "a.example", WALL_S);
	state_close(state);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db,
				      "INSERT INTO remotes SELECT column1, 'b', column2, 1,"
				      " printf('%.*c', column3, 'x'), 1, last_s FROM remotes,"
				      " (VALUES (0, 1, 1), (4, 1, 1), (1, -1, 1), (2, 1, 300))",
				      NULL, NULL, NULL),
			 SQLITE_OK);
	state = open_at(&first_boot, STATE_READ);
	assert_int_equal(seen_at(state, WALL_S).rows, 1);
	assert_int_equal(state_skipped(state), 4);
	state_close(state);
	assert_int_equal(sqlite3_exec(db, "DROP TABLE remotes", NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
	state = open_at(&first_boot, STATE_READ);
	assert_int_equal(seen_at(state, WALL_S).rows, 0);
	state_close(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STATE_TEST(comes_back_as_it_was),  STATE_TEST(lasts_while_it_is_repeated),
		STATE_TEST(shown_for_a_day),	   STATE_TEST(oldest_go),
		STATE_TEST(bad_rows_and_no_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
