// SPDX-License-Identifier: GPL-2.0-only
/*
 * state_damage_test.c - the state database in bad files: those that are damaged, foreign or
 * truncated cause no crash and are reported.
 */
#include <dirent.h>
#include <errno.h>
#include <setjmp.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/stat.h>
#include <cmocka.h>
#include "lib/state_fixture.h"

/* Nothing here needs the disk, so SQLite's fdatasync() calls end here, not in libc. */
int fdatasync(int fd)
{
	(void)fd;
	return 0;
}

static bool keep_log; /* run_sql() closes as a kill -9 would */

static void run_sql(const char *sql)
{
	sqlite3 *db;

	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, keep_log, NULL);
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
}

static void open_makes_private_files(void **unused)
{
	char name[128];
	struct stat st;
	struct state *state = NULL;

	(void)unused;
	assert_int_equal(state_open(path, STATE_READ, &state), -ENOENT);
	assert_null(state);
	assert_non_null(strstr(state_error(NULL), "does not exist"));
	state = open_at(&first_boot, STATE_WRITE);
	assert_string_equal(state_error(state), "");
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	snprintf(name, sizeof(name), "%s-wal", path);
	assert_int_equal(stat(name, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	snprintf(name, sizeof(name), "%s/state", directory);
	assert_int_equal(stat(name, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	state_close(state);
}

static void expect_refused(const char *text)
{
	static char before[1 << 20], after[1 << 20], log_before[1 << 20], log_after[1 << 20];
	size_t size = read_file(path, before, sizeof(before)), log_size;
	struct state *state = NULL;
	char log[128];

	snprintf(log, sizeof(log), "%s-wal", path);
	log_size = read_file(log, log_before, sizeof(log_before));
	for (int how = STATE_READ; how <= STATE_WRITE; how++) {
		assert_int_equal(state_open(path, how, &state), -EPROTO);
		assert_null(state);
		assert_non_null(strstr(state_error(NULL), text));
		assert_int_equal(read_file(path, after, sizeof(after)), size);
		assert_memory_equal(before, after, size);
		assert_int_equal(read_file(log, log_after, sizeof(log_after)), log_size);
		assert_memory_equal(log_before, log_after, log_size);
	}
}

static void open_refuses_other_schemas(void **unused)
{
	(void)unused;
	state_close(open_at(&first_boot, STATE_WRITE));
	run_sql("PRAGMA user_version = 2");
	expect_refused("has schema 2, this version of smtplimit knows schema 1");
	/* The same while the log of that version still holds what it wrote last. */
	keep_log = true;
	run_sql("PRAGMA user_version = 3");
	keep_log = false;
	expect_refused("has schema 3, this version of smtplimit knows schema 1");
	run_sql("PRAGMA user_version = 1; PRAGMA application_id = 7");
	expect_refused("another program");
	unlink(path);
	run_sql("CREATE TABLE mine (a)");
	expect_refused("another program");
}

/* Any content of the column makes a window or a skipped row. */
static void hostile_windows_are_skipped(void **unused)
{
	struct account_id alice = uid_account(1000), bob = uid_account(1001);
	static const char *const damage[] = {
		"data = NULL",
		"data = x''",
		"data = 'text'",
		"data = zeroblob(12)",
		"data = x'020000000000000001'",
		"data = CAST(x'01' || substr(data, 2) AS BLOB)",
		"data = CAST(x'03' || substr(data, 2) AS BLOB)",
		"data = x'01000000ffffffffffffffff'",
		"data = x'02000000ffffffffffffffff'",
		"data = substr(data, 1, length(data) - 1)",
		"data = CAST(data || x'00' AS BLOB)",
		("data = CAST(substr(data, 1, 12) || substr(data, 33, 20)"
		 " || substr(data, 13, 20) || substr(data, 53) AS BLOB)"),
		("data = CAST(substr(data, 1, 44) || x'01000000' || substr(data, 49)"
		 " AS BLOB)"), /* two pending mails, one deferral */
		("data = CAST(substr(data, 1, 48) || x'00000000' || substr(data, 53)"
		 " AS BLOB)"), /* a failed mail, no failure */
		/* The first entry, pending since before the window: no identity, an outcome that
		 * cannot be before it, one that is no entry's; classes and flags that are none. */
		"data = CAST(substr(data, 1, 52) || zeroblob(8) || substr(data, 61) AS BLOB)",
		"data = CAST(substr(data, 1, 76) || x'03' || substr(data, 78) AS BLOB)",
		"data = CAST(substr(data, 1, 76) || x'01' || substr(data, 78) AS BLOB)",
		"data = CAST(substr(data, 1, 77) || x'00' || substr(data, 79) AS BLOB)",
		"data = CAST(substr(data, 1, 77) || x'0b' || substr(data, 79) AS BLOB)",
		"data = CAST(substr(data, 1, 78) || x'05' || substr(data, 80) AS BLOB)",
		/* It is in the window, and in no second of it. */
		"data = CAST(substr(data, 1, 78) || x'00' || substr(data, 80) AS BLOB)",
		"domain = 'a'",
		"kind = 3",
		"uid = -1",
		"uid = 4294967296",
		"boot = zeroblob(200)",
		"wall_ns = -1",
		"boot_ns = -5",
		"own_domain = NULL",
		"own_domain = hex(zeroblob(200))",
	};
	struct kept_window kept;
	struct state *state;

	(void)unused;
	for (size_t i = 0; i < sizeof(damage) / sizeof(*damage); i++) {
		char sql[512];

		put_sample(&alice);
		put_sample(&bob);
		snprintf(sql, sizeof(sql), "UPDATE windows SET %s WHERE uid = 1000", damage[i]);
		run_sql(sql);
		state = open_at(&second_boot, STATE_READ);
		memset(&kept, 0, sizeof(kept));
		assert_int_equal(state_each_window(state, keep_window, &kept), 0);
		if (kept.count != 1 || state_skipped(state) != 1)
			fail_msg("%s: %d rows", damage[i], kept.count);
		assert_int_equal(kept.account.uid, 1001);
		window_clear(&kept.window);
		state_close(state);
		run_sql("DELETE FROM windows");
	}
}

static void hostile_times_are_skipped(void **unused)
{
	struct state_suspension s = suspension_sample();
	struct state_count count = {.uid = 1, .domain = "a.example"};
	struct kept_suspensions kept = {0};
	struct state *state = open_at(&first_boot, STATE_WRITE);

	(void)unused;
	assert_int_equal(state_put_suspension(state, &s), 0);
	assert_int_equal(state_put_count(state, &count), 0);
	run_sql("UPDATE suspensions SET until_ns = 9223372036854775807;"
		"UPDATE counts SET failed = -1");
	state_set_clock(state, &second_boot);
	assert_int_equal(state_each_suspension(state, keep_suspension, &kept), 0);
	assert_int_equal(state_each_count(state, keep_count, &count), 0);
	assert_int_equal(kept.count, 0);
	assert_int_equal(state_skipped(state), 2);
	state_close(state);
}

/* Each byte of a window's column is inverted in turn. Whatever is accepted must be usable. */
static void flipped_bytes_are_met(void **unused)
{
	struct account_id alice = uid_account(1000);
	struct kept_window kept;
	struct state *state;

	(void)unused;
	put_sample(&alice);
	for (int i = 1; i <= 12 + 2 * 20 + 4 * 28; i++) {
		char sql[256];

		put_sample(&alice);
		snprintf(sql, sizeof(sql),
			 "UPDATE windows SET data = CAST(substr(data, 1, %d) || x'ff'"
			 " || substr(data, %d) AS BLOB)",
			 i - 1, i + 1);
		run_sql(sql);
		state = open_at(&first_boot, STATE_READ);
		memset(&kept, 0, sizeof(kept));
		assert_int_equal(state_each_window(state, keep_window, &kept), 0);
		assert_int_equal(kept.count + state_skipped(state), 1);
		window_slide(&kept.window, INT64_C(1) << 41, 3600);
		assert_int_equal(window_counts(&kept.window).deferred, 0);
		window_clear(&kept.window);
		state_close(state);
	}
}

static void fill(int rows)
{
	struct state *state = open_at(&first_boot, STATE_WRITE);
	struct state_count count = {0};

	assert_int_equal(state_begin(state), 0);
	for (int i = 0; i < rows; i++) {
		count.uid = i;
		snprintf(count.domain, sizeof(count.domain), "%d.%0100d.example", i, i);
		assert_int_equal(state_put_count(state, &count), 0);
	}
	assert_int_equal(state_commit(state), 0);
	state_close(state);
}

/* Number of databases that were renamed as damaged; removes them, with their logs. */
static int remove_damaged(void)
{
	char top[96], name[512];
	struct dirent *entry;
	int found = 0;
	DIR *dir;

	snprintf(top, sizeof(top), "%s/state", directory);
	dir = opendir(top);
	while ((entry = readdir(dir))) {
		if (!strstr(entry->d_name, ".damaged-"))
			continue;
		snprintf(name, sizeof(name), "%s/%s", top, entry->d_name);
		unlink(name);
		found += entry->d_name[strlen(entry->d_name) - 1] == 'Z';
	}
	closedir(dir);
	return found;
}

static void try_cut(const char *bytes, size_t length, int rows)
{
	struct state *state = NULL;
	int seen = 0, r;

	write_file(path, bytes, length);
	r = state_open(path, STATE_READ, &state);
	if (!r) {
		r = state_each_count(state, count_row, &seen);
		assert_true(r == 0 || r == -EBADMSG);
		state_close(state);
	} else if (r != -EBADMSG && r != -ENOENT) {
		fail_msg("cut at %zu: %d %s", length, r, state_error(NULL));
	}
	seen = 0;
	state = open_at(&first_boot, STATE_WRITE);
	assert_int_equal(state_each_count(state, count_row, &seen), 0);
	if (state_error(state)[0]) {
		assert_non_null(strstr(state_error(state), ".damaged-"));
		assert_int_equal(seen, 0);
		assert_int_equal(remove_damaged(), 1);
	} else if (seen != (length ? rows : 0)) {
		fail_msg("cut at %zu: %d rows", length, seen);
	} else {
		assert_int_equal(remove_damaged(), 0);
	}
	state_close(state);
}

static void cut_files_are_met(void **unused)
{
	static char bytes[1 << 20];
	const int rows = 200;
	size_t size;

	(void)unused;
	fill(rows);
	size = read_file(path, bytes, sizeof(bytes));
	assert_true(size > 8 * 4096 && size < sizeof(bytes));
	for (size_t length = 0; length < 120; length++)
		try_cut(bytes, length, rows);
	for (size_t length = 120; length < size; length += 509)
		try_cut(bytes, length, rows);
	for (size_t length = 4096; length <= size; length += 4096) {
		try_cut(bytes, length - 1, rows);
		try_cut(bytes, length, rows);
	}
}

static void scribbled_files_are_met(void **unused)
{
	static char bytes[1 << 20], bad[1 << 20];
	size_t size;

	(void)unused;
	srand(1);
	fill(200);
	size = read_file(path, bytes, sizeof(bytes));
	for (int round = 0; round < 200; round++) {
		struct state *state = NULL;
		int seen = 0;

		memcpy(bad, bytes, size);
		for (int i = 0; i < 8; i++)
			bad[100 + rand() % (size - 100)] = rand();
		write_file(path, bad, size);
		if (!state_open(path, STATE_READ, &state)) {
			state_each_count(state, count_row, &seen);
			state_close(state);
		}
		if (!state_open(path, STATE_WRITE, &state))
			state_close(state);
		else
			assert_true(strlen(state_error(NULL)) > 0);
		remove_damaged();
		unlink(path);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STATE_TEST(open_makes_private_files),	 STATE_TEST(open_refuses_other_schemas),
		STATE_TEST(hostile_windows_are_skipped), STATE_TEST(hostile_times_are_skipped),
		STATE_TEST(flipped_bytes_are_met),	 STATE_TEST(cut_files_are_met),
		STATE_TEST(scribbled_files_are_met),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	alarm(120);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
