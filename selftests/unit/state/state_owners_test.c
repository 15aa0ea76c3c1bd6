/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * state_owners_test.c - the saved owners are those of the last table put, all or none of it; rows
 * that are the same are not written.
 */
#include <errno.h>
#include <setjmp.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include "lib/state_fixture.h"
#include "state/state_owners.h"

static char rows[4096];

static int list_row(void *arg, const char *domain, uint32_t uid)
{
	size_t used = strlen(rows);

	(void)arg;
	snprintf(rows + used, sizeof(rows) - used, "%s%s=%u", used ? " " : "", domain, uid);
	return 0;
}

/* The table's key keeps them in order. */
static void expect_rows(struct state *state, const char *expected)
{
	rows[0] = '\0';
	assert_int_equal(state_each_owner(state, list_row, NULL), 0);
	assert_string_equal(rows, expected);
}

static struct owners *table(const char *const *domains, uint32_t first)
{
	struct owners *owners = owners_new();

	assert_non_null(owners);
	for (uint32_t i = 0; domains[i]; i++)
		assert_int_equal(owners_add(owners, domains[i], first + i), 0);
	return owners;
}

static void put(struct state *state, const char *const *domains, uint32_t first)
{
	struct owners *owners = table(domains, first);

	if (state_put_owners(state, owners))
		fail_msg("%s", state_error(state));
	owners_free(owners);
}

static void run_sql(const char *sql)
{
	sqlite3 *db;

	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
}

static void replaces_all(void **unused)
{
	static const char *const first[] = {"b.example", "a.example", "c.example", NULL};
	static const char *const second[] = {"d.example", "c.example", NULL};
	static const char *const none[] = {NULL};
	struct state *state = open_at(&first_boot, STATE_WRITE), *reading;

	(void)unused;
	expect_rows(state, ""); /* no table yet */
	put(state, first, 1000);
	expect_rows(state, "a.example=1001 b.example=1000 c.example=1002");
	put(state, second, 4294967290u);
	expect_rows(state, "c.example=4294967291 d.example=4294967290");
	state_close(state);

	reading = open_at(&second_boot, STATE_READ);
	expect_rows(reading, "c.example=4294967291 d.example=4294967290");
	assert_int_equal(state_put_owners(reading, NULL), -EROFS);
	state_close(reading);
	state = open_at(&first_boot, STATE_WRITE);
	put(state, none, 0);
	expect_rows(state, "");
	put(state, first, 1000);
	assert_int_equal(state_put_owners(state, NULL), 0);
	expect_rows(state, "");
	state_close(state);
}

/* An old database, opened for reading, has no such table. */
static void without_table(void **unused)
{
	struct state *state = open_at(&first_boot, STATE_WRITE);

	(void)unused;
	state_close(state);
	run_sql("DROP TABLE IF EXISTS owners");
	state = open_at(&first_boot, STATE_READ);
	expect_rows(state, "");
	state_close(state);
}

static int count_of(struct state *state)
{
	rows[0] = '\0';
	state_each_owner(state, list_row, NULL);
	return (int)strlen(rows);
}

static int64_t wal_size(void)
{
	char wal[128];
	struct stat st;

	snprintf(wal, sizeof(wal), "%s-wal", path);
	return stat(wal, &st) ? 0 : st.st_size;
}

static void same_is_not_written(void **unused)
{
	static const char *const domains[] = {"a.example", "b.example", NULL};
	struct state *state = open_at(&first_boot, STATE_WRITE);
	int64_t size;

	(void)unused;
	put(state, domains, 1000);
	size = wal_size();
	assert_true(size > 0);
	put(state, domains, 1000);
	assert_int_equal(wal_size(), size);
	put(state, domains, 1001);
	assert_true(wal_size() > size);
	state_close(state);
}

/* A failure in the middle keeps the rows of before, and the next put works. */
static void all_or_nothing(void **unused)
{
	static const char *const first[] = {"a.example", "b.example", NULL};
	static const char *const second[] = {"c.example", "refused.example", "d.example", NULL};
	struct state *state = open_at(&first_boot, STATE_WRITE);
	struct owners *owners = table(second, 1);

	(void)unused;
	put(state, first, 1000);
	state_close(state);
	run_sql("CREATE TRIGGER t BEFORE INSERT ON owners WHEN new.domain = 'refused.example'"
		" BEGIN SELECT raise(ABORT, 'no'); END");
	state = open_at(&first_boot, STATE_WRITE);
	assert_true(state_put_owners(state, owners) < 0);
	expect_rows(state, "a.example=1000 b.example=1001");
	state_close(state);
	run_sql("DROP TRIGGER t");
	state = open_at(&first_boot, STATE_WRITE);
	assert_int_equal(state_put_owners(state, owners), 0);
	expect_rows(state, "c.example=1 d.example=3 refused.example=2");
	assert_int_equal(count_of(state), strlen("c.example=1 d.example=3 refused.example=2"));
	/* The transaction is not left open. */
	assert_int_equal(state_begin(state), 0);
	assert_int_equal(state_commit(state), 0);
	state_close(state);
	owners_free(owners);
}

static void bad_rows_are_skipped(void **unused)
{
	static const char *const domains[] = {"a.example", NULL};
	struct state *state = open_at(&first_boot, STATE_WRITE);

	(void)unused;
	put(state, domains, 1000);
	state_close(state);
	run_sql("INSERT INTO owners VALUES ('', 1), ('b.example', -1), ('c.example', 4294967296),"
		" (printf('%.*c', 200, 'x'), 5), ('d.example', 7)");
	state = open_at(&first_boot, STATE_WRITE);
	expect_rows(state, "a.example=1000 d.example=7");
	assert_int_equal(state_skipped(state), 4);
	put(state, domains, 1000);
	expect_rows(state, "a.example=1000");
	assert_int_equal(state_skipped(state), 4);
	state_close(state);
}

static int stop_at_once(void *arg, const char *domain, uint32_t uid)
{
	(void)domain;
	(void)uid;
	return ++*(int *)arg == 2 ? 7 : 0;
}

static void callback_ends(void **unused)
{
	static const char *const domains[] = {"a.example", "b.example", "c.example", NULL};
	struct state *state = open_at(&first_boot, STATE_WRITE);
	int calls = 0;

	(void)unused;
	put(state, domains, 1);
	assert_int_equal(state_each_owner(state, stop_at_once, &calls), 7);
	assert_int_equal(calls, 2);
	state_close(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STATE_TEST(replaces_all),	  STATE_TEST(without_table),
		STATE_TEST(same_is_not_written),  STATE_TEST(all_or_nothing),
		STATE_TEST(bad_rows_are_skipped), STATE_TEST(callback_ends),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("state_owners", tests, NULL, NULL);
}
