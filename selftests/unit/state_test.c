// SPDX-License-Identifier: GPL-2.0-only
/*
 * state_test.c - the state database: what goes in comes out, in this boot and the next; what is
 * damaged, foreign or cut is met without a crash; a commit is kept whole or not at all.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>
#include "state.h"

#define NS INT64_C(1000000000)
#define WALL_S INT64_C(1795269900) /* 2026-11-21T14:05:00Z */

static char directory[64];
static char path[96];
static int syncs; /* fdatasync() calls, SQLite's included: this definition goes before libc's */

int fdatasync(int fd)
{
	syncs++;
	return fsync(fd);
}

static const struct state_clock first_boot = {
	.boot_id = "11111111-1111-1111-1111-111111111111",
	.boot_ns = 5000 * NS,
	.wall_ns = WALL_S * NS,
};

/* 600 seconds of wall clock later, 30 seconds after a boot. */
static const struct state_clock second_boot = {
	.boot_id = "22222222-2222-2222-2222-222222222222",
	.boot_ns = 30 * NS,
	.wall_ns = (WALL_S + 600) * NS,
};

static int make_directory(void **unused)
{
	(void)unused;
	strcpy(directory, "/tmp/smtplimit-state.XXXXXX");
	if (!mkdtemp(directory))
		return -1;
	snprintf(path, sizeof(path), "%s/state/state.db", directory);
	return 0;
}

/* Remove what is in `top`, one level of directories down, and `top`. */
static void remove_tree(const char *top)
{
	char name[512];
	struct dirent *entry;
	DIR *dir = opendir(top);

	while (dir && (entry = readdir(dir))) {
		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		snprintf(name, sizeof(name), "%s/%s", top, entry->d_name);
		if (unlink(name) && errno == EISDIR)
			remove_tree(name);
	}
	if (dir)
		closedir(dir);
	rmdir(top);
}

static int remove_directory(void **unused)
{
	(void)unused;
	remove_tree(directory);
	return 0;
}

static struct state *open_at(const struct state_clock *clock, enum state_open how)
{
	struct state *state = NULL;
	int r = state_open(path, how, &state);

	if (r)
		fail_msg("state_open: %d, %s", r, state_error(NULL));
	state_set_clock(state, clock);
	return state;
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

static struct account_id uid_account(uint32_t uid)
{
	return (struct account_id){ .kind = ACCOUNT_UID, .uid = uid };
}

static struct account_id domain_account(const char *domain)
{
	struct account_id id = { .kind = ACCOUNT_DOMAIN };

	strcpy(id.domain, domain);
	return id;
}

static void add(struct window *w, int64_t second, uint64_t mail, enum smtp_outcome outcome)
{
	struct record r = { .second = second, .mail = mail, .count = 1, .outcome = outcome };

	assert_int_equal(window_add(w, &r, 5000, 3600), 0);
}

/* delivered 1, deferred 2 (mails 7 and 8 pending), failed 1; seconds 1500 and 4990 */
static struct window window_sample(void)
{
	struct window w = { 0 };

	add(&w, 1500, 0, SMTP_DELIVERED);
	add(&w, 4990, 7, SMTP_DEFERRED);
	add(&w, 4990, 8, SMTP_DEFERRED);
	add(&w, 4990, 0, SMTP_FAILED);
	return w;
}

struct kept_window {
	int count;
	struct account_id account;
	char own_domain[SMTPL_DOMAIN_SIZE];
	struct window window;
};

static int keep_window(void *arg, const struct account_id *account, const char *own_domain,
		       struct window *window)
{
	struct kept_window *kept = arg;

	if (kept->count++)
		window_clear(&kept->window);
	kept->account = *account;
	strcpy(kept->own_domain, own_domain);
	kept->window = *window;
	return 0;
}

static struct kept_window read_window(const struct state_clock *clock)
{
	struct state *state = open_at(clock, STATE_READ);
	struct kept_window kept = { 0 };

	assert_int_equal(state_each_window(state, keep_window, &kept), 0);
	assert_int_equal(state_skipped(state), 0);
	state_close(state);
	return kept;
}

static void put_sample(const struct account_id *account)
{
	struct state *state = open_at(&first_boot, STATE_WRITE);
	struct window w = window_sample();

	assert_int_equal(state_put_window(state, account, "example.com", &w), 0);
	window_clear(&w);
	state_close(state);
}

static void window_round_trip(void **unused)
{
	struct account_id alice = uid_account(1000), domain = domain_account("b.example");
	struct window_slot slot, past;
	struct kept_window kept;

	(void)unused;
	put_sample(&alice);
	kept = read_window(&first_boot);
	assert_int_equal(kept.count, 1);
	assert_memory_equal(&kept.account, &alice, sizeof(alice));
	assert_string_equal(kept.own_domain, "example.com");
	assert_true(window_slot(&kept.window, 0, &slot));
	assert_int_equal(slot.second, 1500);
	assert_int_equal(slot.delivered, 1);
	assert_true(window_slot(&kept.window, 1, &slot));
	assert_int_equal(slot.second, 4990);
	assert_int_equal(slot.deferred, 2);
	assert_int_equal(slot.failed, 1);
	assert_false(window_slot(&kept.window, 2, &past));
	/* Mail 7 is still known as pending: its delivery replaces the deferral. */
	add(&kept.window, 4995, 7, SMTP_DELIVERED);
	assert_int_equal(window_counts(&kept.window).delivered, 2);
	assert_int_equal(window_counts(&kept.window).deferred, 1);
	window_clear(&kept.window);

	put_sample(&domain);
	kept = read_window(&first_boot);
	assert_int_equal(kept.count, 2);
	window_clear(&kept.window);
}

static void window_empty_deletes(void **unused)
{
	struct account_id alice = uid_account(1000), bob = uid_account(1001);
	struct window none = { 0 };
	struct kept_window kept;
	struct state *state;

	(void)unused;
	put_sample(&alice);
	put_sample(&bob);
	state = open_at(&first_boot, STATE_WRITE);
	assert_int_equal(state_put_window(state, &alice, "", &none), 0);
	state_close(state);
	kept = read_window(&first_boot);
	assert_int_equal(kept.count, 1);
	assert_int_equal(kept.account.uid, 1001);
	window_clear(&kept.window);
}

static void expect_newest(const struct state_clock *clock, int64_t second)
{
	struct kept_window kept = read_window(clock);
	struct window_slot slot;

	assert_true(window_slot(&kept.window, 1, &slot));
	assert_int_equal(slot.second, second);
	assert_true(window_slot(&kept.window, 0, &slot));
	assert_int_equal(slot.second, second - 3490);
	window_clear(&kept.window);
}

static void window_moves_with_the_boot(void **unused)
{
	struct account_id alice = uid_account(1000);
	struct state_clock clock = first_boot;

	(void)unused;
	put_sample(&alice);
	/* The same boot: a step of the wall clock moves nothing. */
	clock.wall_ns -= 10 * 365 * 86400 * NS;
	expect_newest(&clock, 4990);
	clock.wall_ns += 20 * 365 * 86400 * NS;
	expect_newest(&clock, 4990);
	/* 610 seconds before the second 30 of the new boot. */
	expect_newest(&second_boot, 30 - 610);
	/* A new boot in the past: no time has gone by, rather than less than none. */
	clock = second_boot;
	clock.wall_ns = 0;
	expect_newest(&clock, 30 - 10);
	/* Parts of a second go towards the past. */
	clock = second_boot;
	clock.boot_ns += NS / 2;
	expect_newest(&clock, 30 - 610);
	clock.boot_ns -= NS;
	expect_newest(&clock, 29 - 610);
}

static int keep_count(void *arg, const struct state_count *count)
{
	*(struct state_count *)arg = *count;
	return 0;
}

static int count_row(void *arg, const struct state_count *count)
{
	(void)count;
	++*(int *)arg;
	return 0;
}

static void expect_count(const struct state_count *is, const struct state_count *want)
{
	assert_int_equal(is->uid, want->uid);
	assert_string_equal(is->domain, want->domain);
	assert_memory_equal(&is->kernel, &want->kernel, sizeof(want->kernel));
	assert_memory_equal(&is->accounted, &want->accounted, sizeof(want->accounted));
}

static void count_round_trip(void **unused)
{
	struct state_count in = {
		.uid = UINT32_MAX,
		.domain = "example.com",
		.kernel = { 1, 2, 3, 4, 5, 6, 7, 4000 * NS, 9 },
		.accounted = { 10, 11, 12, 13 },
	};
	struct state_count out;
	struct state *state = open_at(&first_boot, STATE_WRITE);

	(void)unused;
	assert_int_equal(state_put_count(state, &in), 0);
	assert_int_equal(state_put_count(state, &in), 0);
	assert_int_equal(state_each_count(state, keep_count, &out), 0);
	expect_count(&out, &in);
	state_set_clock(state, &second_boot);
	in.kernel.last_ns = 0; /* before this boot */
	assert_int_equal(state_each_count(state, keep_count, &out), 0);
	expect_count(&out, &in);
	state_close(state);
}

static struct state_suspension suspension_sample(void)
{
	struct state_suspension s = {
		.account = uid_account(1000),
		.kernel = { 4000 * NS, 7600 * NS, 7, 5, 58, 0 },
		.domain = "example.com",
		.reason = "because",
	};

	return s;
}

struct kept_suspensions {
	int count;
	struct state_suspension last;
};

static int keep_suspension(void *arg, const struct state_suspension *s)
{
	struct kept_suspensions *kept = arg;

	kept->count++;
	kept->last = *s;
	return 0;
}

static struct state_suspension only_suspension(struct state *state)
{
	struct kept_suspensions kept = { 0 };

	assert_int_equal(state_each_suspension(state, keep_suspension, &kept), 0);
	assert_int_equal(kept.count, 1);
	return kept.last;
}

static void suspension_round_trip(void **unused)
{
	struct state_suspension in = suspension_sample(), out;
	struct kept_suspensions kept = { 0 };
	struct state *state = open_at(&first_boot, STATE_WRITE);

	(void)unused;
	assert_int_equal(state_put_suspension(state, &in), 0);
	out = only_suspension(state);
	in.since_wall_s = WALL_S - 1000;
	assert_memory_equal(&out, &in, sizeof(in));
	assert_int_equal(state_delete_suspension(state, &in.account), 0);
	assert_int_equal(state_each_suspension(state, keep_suspension, &kept), 0);
	assert_int_equal(kept.count, 0);
	state_close(state);
}

/* It had 2600 seconds to go when it was written, 600 have gone by: 2000 are left. */
static void suspension_moves_with_the_boot(void **unused)
{
	struct state_suspension in = suspension_sample(), out;
	struct state_clock clock = second_boot;
	struct state *state = open_at(&first_boot, STATE_WRITE);

	(void)unused;
	assert_int_equal(state_put_suspension(state, &in), 0);
	state_set_clock(state, &second_boot);
	out = only_suspension(state);
	assert_int_equal(out.kernel.until_ns, 2030 * NS);
	assert_int_equal(out.kernel.since_ns, 0);
	assert_int_equal(out.since_wall_s, WALL_S - 1000);
	/* Written again in the new boot, the start is not lost. */
	assert_int_equal(state_put_suspension(state, &out), 0);
	out = only_suspension(state);
	assert_int_equal(out.kernel.until_ns, 2030 * NS);
	assert_int_equal(out.since_wall_s, WALL_S - 1000);
	/* Nor eternal on a host that comes up in 1970. */
	strcpy(clock.boot_id, "33333333-3333-3333-3333-333333333333");
	clock.wall_ns = 100 * NS;
	state_set_clock(state, &clock);
	assert_int_equal(only_suspension(state).kernel.until_ns, 2030 * NS);
	/* Over: far in the future of the wall clock. */
	clock.wall_ns = 2 * WALL_S * NS;
	state_set_clock(state, &clock);
	assert_int_equal(only_suspension(state).kernel.until_ns, 0);
	state_close(state);
}

static int take_order(void *arg, const struct state_order *order)
{
	return state_delete_order(arg, order->id);
}

static int keep_orders(void *arg, const struct state_order *order)
{
	struct state_order **next = arg;

	*(*next)++ = *order;
	return 0;
}

static void expect_order(const struct state_order *is, const struct state_order *want)
{
	assert_int_equal(is->id, want->id);
	assert_memory_equal(&is->account, &want->account, sizeof(want->account));
	assert_int_equal(is->suspend, want->suspend);
	assert_int_equal(is->for_s, want->for_s);
	assert_string_equal(is->reason, want->reason);
}

static void orders_queue(void **unused)
{
	struct state *cli = open_at(&first_boot, STATE_WRITE);
	struct state *daemon = open_at(&first_boot, STATE_WRITE);
	struct state_order one = { .account = uid_account(1000), .suspend = true, .for_s = 60,
				   .reason = "phish" };
	struct state_order two = { .account = domain_account("b.example") };
	struct state_order got[3] = { 0 }, *next = got;

	(void)unused;
	assert_int_equal(state_put_order(cli, &one, &one.id), 0);
	assert_int_equal(state_put_order(cli, &two, &two.id), 0);
	assert_true(two.id > one.id);
	assert_int_equal(state_each_order(daemon, keep_orders, &next), 0);
	assert_ptr_equal(next, got + 2);
	expect_order(&got[0], &one);
	expect_order(&got[1], &two);
	assert_int_equal(state_order_pending(cli, one.id), 1);
	assert_int_equal(state_each_order(daemon, take_order, daemon), 0);
	assert_int_equal(state_order_pending(cli, one.id), 0);
	assert_int_equal(state_order_pending(cli, two.id), 0);
	assert_int_equal(state_delete_order(cli, one.id), -ENOENT);
	/* A number is never used again: an old wait cannot mistake a new order for its own. */
	assert_int_equal(state_put_order(cli, &one, &one.id), 0);
	assert_true(one.id > two.id);
	state_close(cli);
	state_close(daemon);
}

/* Visible together, and not before. */
static void transaction_is_one(void **unused)
{
	struct state *writer = open_at(&first_boot, STATE_WRITE);
	struct state *reader = open_at(&first_boot, STATE_READ);
	struct state_suspension s = suspension_sample();
	struct kept_suspensions kept = { 0 };

	(void)unused;
	assert_int_equal(state_begin(writer), 0);
	assert_int_equal(state_begin(writer), -EINVAL);
	for (uint32_t uid = 1; uid <= 3; uid++) {
		s.account.uid = uid;
		assert_int_equal(state_put_suspension(writer, &s), 0);
	}
	assert_int_equal(state_each_suspension(reader, keep_suspension, &kept), 0);
	assert_int_equal(kept.count, 0);
	assert_int_equal(state_commit(writer), 0);
	assert_int_equal(state_each_suspension(reader, keep_suspension, &kept), 0);
	assert_int_equal(kept.count, 3);

	assert_int_equal(state_begin(writer), 0);
	assert_int_equal(state_delete_suspension(writer, &s.account), 0);
	state_rollback(writer);
	assert_int_equal(state_each_suspension(reader, keep_suspension, &kept), 0);
	assert_int_equal(kept.count, 6);
	assert_int_equal(state_put_suspension(reader, &s), -EROFS);
	assert_string_equal(state_error(reader), "the state database is open for reading only");
	state_close(writer);
	state_close(reader);
}

/* SQLite rolls back by itself on some failures. What follows must not be kept one by one. */
static void failed_put_fails_the_commit(void **unused)
{
	struct state *state = open_at(&first_boot, STATE_WRITE);
	struct state_count count = { .uid = 1 };
	int rows = 0;

	(void)unused;
	run_sql("CREATE TRIGGER t BEFORE INSERT ON counts WHEN NEW.uid = 2"
		" BEGIN SELECT RAISE(ROLLBACK, 'torn'); END");
	assert_int_equal(state_begin(state), 0);
	for (count.uid = 1; count.uid <= 3; count.uid++)
		assert_int_equal(state_put_count(state, &count), count.uid == 1 ? 0 : -EIO);
	assert_int_equal(state_commit(state), -EIO);
	assert_non_null(strstr(state_error(state), "torn"));
	assert_int_equal(state_each_count(state, count_row, &rows), 0);
	assert_int_equal(rows, 0);
	assert_int_equal(state_begin(state), 0);
	assert_int_equal(state_put_count(state, &count), 0);
	assert_int_equal(state_commit(state), 0);
	assert_int_equal(state_each_count(state, count_row, &rows), 0);
	assert_int_equal(rows, 1);
	state_close(state);
}

/* A power cut must not undo a suspension or an order; a window may wait. */
static void durable_is_synced(void **unused)
{
	struct state *state = open_at(&first_boot, STATE_WRITE);
	struct state_suspension s = suspension_sample();
	struct state_order order = { .account = uid_account(1) };
	struct window w = window_sample();

	(void)unused;
	syncs = 0;
	assert_int_equal(state_begin(state), 0);
	assert_int_equal(state_put_window(state, &s.account, "", &w), 0);
	assert_int_equal(state_commit(state), 0);
	/* SQLite syncs the first header of a log; from there on a routine commit does not sync. */
	syncs = 0;
	assert_int_equal(state_put_window(state, &s.account, "", &w), 0);
	assert_int_equal(syncs, 0);
	assert_int_equal(state_put_suspension(state, &s), 0);
	assert_int_equal(syncs, 1);
	assert_int_equal(state_begin(state), 0);
	assert_int_equal(state_put_order(state, &order, &order.id), 0);
	assert_int_equal(syncs, 1);
	assert_int_equal(state_commit(state), 0);
	assert_int_equal(syncs, 2);
	window_clear(&w);
	state_close(state);
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

static size_t read_file(const char *name, char *bytes, size_t size)
{
	int fd = open(name, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, bytes, size);

	if (fd >= 0)
		close(fd);
	return n < 0 ? 0 : n;
}

static void write_file(const char *name, const char *bytes, size_t size)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, size), size);
	close(fd);
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

/* Any content of the column: a window or a skipped row, never more. */
static void hostile_windows_are_skipped(void **unused)
{
	struct account_id alice = uid_account(1000), bob = uid_account(1001);
	static const char *const damage[] = {
		"data = NULL", "data = x''", "data = 'text'", "data = zeroblob(12)",
		"data = x'010000000000000001'", "data = CAST(x'02' || substr(data, 2) AS BLOB)",
		"data = x'01000000ffffffffffffffff'", "data = substr(data, 1, length(data) - 1)",
		"data = CAST(data || x'00' AS BLOB)",
		("data = CAST(substr(data, 1, 12) || substr(data, 33, 20)"
		 " || substr(data, 13, 20) || substr(data, 53) AS BLOB)"),
		("data = CAST(substr(data, 1, 44) || x'01000000' || substr(data, 49)"
		 " AS BLOB)"), /* two pending mails, one deferral */
		"domain = 'a'", "kind = 3", "uid = -1", "uid = 4294967296", "boot = zeroblob(200)",
		"wall_ns = -1", "boot_ns = -5", "own_domain = NULL",
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
	struct state_count count = { .uid = 1, .domain = "a.example" };
	struct kept_suspensions kept = { 0 };
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

/* Each byte of a window's column in turn is turned over. Whatever is taken must be usable. */
static void flipped_bytes_are_met(void **unused)
{
	struct account_id alice = uid_account(1000);
	struct kept_window kept;
	struct state *state;

	(void)unused;
	put_sample(&alice);
	for (int i = 1; i <= 12 + 2 * 20 + 2 * 16; i++) {
		char sql[256];

		put_sample(&alice);
		snprintf(sql, sizeof(sql), "UPDATE windows SET data = CAST(substr(data, 1, %d) || x'ff'"
			 " || substr(data, %d) AS BLOB)", i - 1, i + 1);
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
	struct state_count count = { 0 };

	assert_int_equal(state_begin(state), 0);
	for (int i = 0; i < rows; i++) {
		count.uid = i;
		snprintf(count.domain, sizeof(count.domain), "%d.%0100d.example", i, i);
		assert_int_equal(state_put_count(state, &count), 0);
	}
	assert_int_equal(state_commit(state), 0);
	state_close(state);
}

/* Number of databases that were put aside; removes them, with their logs. */
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

/* After a kill -9 the log is there and the index over it may not be. */
static void read_recovers_the_log(void **unused)
{
	static char bytes[1 << 20];
	char from[128], to[128];
	struct state *writer;
	struct state_suspension s = suspension_sample();
	static const char *const parts[] = { "", "-wal" };

	(void)unused;
	writer = open_at(&first_boot, STATE_WRITE);
	assert_int_equal(state_put_suspension(writer, &s), 0);
	snprintf(to, sizeof(to), "%s/copy", directory);
	assert_int_equal(mkdir(to, 0700), 0);
	for (int i = 0; i < 2; i++) {
		size_t size;

		snprintf(from, sizeof(from), "%s%s", path, parts[i]);
		snprintf(to, sizeof(to), "%s/copy/state.db%s", directory, parts[i]);
		size = read_file(from, bytes, sizeof(bytes));
		assert_true(size > 0);
		write_file(to, bytes, size);
	}
	state_close(writer);
	snprintf(path, sizeof(path), "%s/copy/state.db", directory);
	writer = open_at(&first_boot, STATE_READ);
	assert_int_equal(only_suspension(writer).kernel.bad, 7);
	state_close(writer);
}

/* Every commit sets the same number in all rows, until killed. */
static void write_until_killed(int ready)
{
	struct state_suspension s = suspension_sample();
	struct state *state;

	if (state_open(path, STATE_WRITE, &state))
		_exit(1);
	for (uint32_t n = 1;; n++) {
		struct state_order order = { .account = uid_account(n) };

		if (state_begin(state))
			_exit(2);
		for (uint32_t uid = 1; uid <= 8; uid++) {
			s.account.uid = uid;
			s.kernel.bad = n;
			if (state_put_suspension(state, &s))
				_exit(3);
		}
		if (state_put_order(state, &order, &order.id) || state_commit(state))
			_exit(4);
		if (n == 1 && write(ready, "", 1) != 1)
			_exit(5);
	}
}

struct all_equal {
	int count;
	uint32_t n;
};

static int check_equal(void *arg, const struct state_suspension *s)
{
	struct all_equal *all = arg;

	if (all->count++ && all->n != s->kernel.bad)
		return -1;
	all->n = s->kernel.bad;
	return 0;
}

static int keep_last_order(void *arg, const struct state_order *order)
{
	*(struct state_order *)arg = *order;
	return 0;
}

static void killed_writer_leaves_whole_commits(void **unused)
{
	int ready[2], status;

	(void)unused;
	srand(getpid());
	for (int round = 0; round < 40; round++) {
		struct all_equal all = { 0 };
		struct state_order last;
		struct state *state;
		char byte;
		pid_t pid;

		assert_int_equal(pipe(ready), 0);
		pid = fork();
		if (!pid)
			write_until_killed(ready[1]);
		close(ready[1]);
		assert_int_equal(read(ready[0], &byte, 1), 1);
		usleep(rand() % 20000); /* the moment of the kill is the test's input */
		kill(pid, SIGKILL);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFSIGNALED(status));
		close(ready[0]);
		state = open_at(&first_boot, round % 2 ? STATE_READ : STATE_WRITE);
		assert_string_equal(state_error(state), "");
		assert_int_equal(state_each_suspension(state, check_equal, &all), 0);
		assert_int_equal(all.count, 8);
		assert_int_equal(state_each_order(state, keep_last_order, &last), 0);
		assert_int_equal(last.account.uid, all.n);
		state_close(state);
	}
}

/* In a child with a file system of its own: the number of the step that went wrong, or 0. */
static int fill_the_disk(void)
{
	struct state_count count = { .kernel = { .failed = 1 } };
	struct state *state;
	int filler, r = 0, seen = 0, before = 0;
	char name[128];

	if (state_open(path, STATE_WRITE, &state))
		return 1;
	snprintf(name, sizeof(name), "%s/filler", directory);
	filler = open(name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	if (filler < 0 || ftruncate(filler, 0))
		return 2;
	while (write(filler, path, sizeof(path)) > 0)
		;
	if (errno != ENOSPC)
		return 3;
	for (int round = 0; round < 100 && !r; round++) {
		before = seen = 0;
		if (state_each_count(state, count_row, &before) || state_begin(state))
			return 4;
		for (int i = 0; i < 50; i++) {
			snprintf(count.domain, sizeof(count.domain), "%d.%d.%090d", round, i, i);
			state_put_count(state, &count);
		}
		r = state_commit(state);
	}
	if (r != -ENOSPC || !strstr(state_error(state), "no space left"))
		return 5;
	if (state_each_count(state, count_row, &seen) || seen != before)
		return 6;
	if (ftruncate(filler, 0))
		return 7;
	count.uid = 1;
	if (state_begin(state) || state_put_count(state, &count) || state_commit(state))
		return 8;
	seen = 0;
	if (state_each_count(state, count_row, &seen) || seen != before + 1)
		return 9;
	state_close(state);
	if (state_open(path, STATE_WRITE, &state) || state_error(state)[0])
		return 10;
	state_close(state);
	return 0;
}

static void full_disk_keeps_nothing_half(void **unused)
{
	int status;
	pid_t pid = fork();

	(void)unused;
	if (!pid) {
		if (unshare(geteuid() ? CLONE_NEWUSER | CLONE_NEWNS : CLONE_NEWNS) ||
		    mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
		    mount("tmpfs", directory, "tmpfs", 0, "size=512k,mode=0700"))
			_exit(100);
		_exit(fill_the_disk());
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 100) {
		print_message("# no mount namespace here: needs root, or user namespaces\n");
		skip();
	}
	assert_int_equal(WEXITSTATUS(status), 0);
}

#define STATE_TEST(function) \
	cmocka_unit_test_setup_teardown(function, make_directory, remove_directory)

int main(void)
{
	const struct CMUnitTest tests[] = {
		STATE_TEST(window_round_trip),
		STATE_TEST(window_empty_deletes),
		STATE_TEST(window_moves_with_the_boot),
		STATE_TEST(count_round_trip),
		STATE_TEST(suspension_round_trip),
		STATE_TEST(suspension_moves_with_the_boot),
		STATE_TEST(orders_queue),
		STATE_TEST(transaction_is_one),
		STATE_TEST(failed_put_fails_the_commit),
		STATE_TEST(durable_is_synced),
		STATE_TEST(open_makes_private_files),
		STATE_TEST(open_refuses_other_schemas),
		STATE_TEST(hostile_windows_are_skipped),
		STATE_TEST(hostile_times_are_skipped),
		STATE_TEST(flipped_bytes_are_met),
		STATE_TEST(cut_files_are_met),
		STATE_TEST(scribbled_files_are_met),
		STATE_TEST(read_recovers_the_log),
		STATE_TEST(killed_writer_leaves_whole_commits),
		STATE_TEST(full_disk_keeps_nothing_half),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	alarm(120);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
