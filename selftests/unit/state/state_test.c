// SPDX-License-Identifier: GPL-2.0-only
/*
 * state_test.c - the state database: rows are read as they were written, in this boot and the next;
 * a transaction is kept as a whole; what must survive a power failure is synced.
 */
#include <errno.h>
#include <setjmp.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include "base/clock.h"
#include "lib/state_fixture.h"

static int syncs; /* SQLite's calls of fdatasync(): this definition goes before libc's */

int fdatasync(int fd)
{
	(void)fd;
	syncs++;
	return 0;
}

static void run_sql(const char *sql)
{
	sqlite3 *db;

	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
}

/* All that is known of the sample's mails; window_mail() begins with the oldest pending one. */
static void expect_sample_mails(const struct window *w)
{
	static const struct window_mail want[] = {
		{.mail = 6, .second = 1300, .outcome = SMTP_DEFERRED, .flags = WINDOW_MAIL_PAST},
		{.mail = 7, .second = 4990, .outcome = SMTP_DEFERRED},
		{.mail = 8, .second = 4990, .outcome = SMTP_DEFERRED},
		{.mail = 9, .second = 4990, .outcome = SMTP_FAILED, .flags = WINDOW_MAIL_EXCUSED},
	};
	const struct window_mail *m = NULL;

	for (size_t i = 0; i < sizeof(want) / sizeof(*want); i++) {
		m = window_mail(w, m);
		assert_non_null(m);
		assert_int_equal(m->mail, want[i].mail);
		assert_int_equal(m->rcpt, want[i].mail + 1000);
		assert_int_equal(m->remote, 3000000000);
		assert_int_equal(m->second, want[i].second);
		assert_int_equal(m->outcome, want[i].outcome);
		assert_int_equal(m->class, REPLY_FULL);
		assert_int_equal(m->flags, want[i].flags);
	}
	assert_null(window_mail(w, m));
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
	assert_int_equal(slot.failed, 2);
	assert_false(window_slot(&kept.window, 2, &past));
	expect_sample_mails(&kept.window);
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

/*
 * A window as the version before this one wrote it: a delivery at second 1500; at 4990 two
 * deferrals, which are pending, and a failure. Its mails have no recipients, and those that failed
 * no names.
 */
static const char version_1[] = "010000000200000002000000"
				"dc05000000000000010000000000000000000000"
				"7e13000000000000000000000200000001000000"
				"07000000000000007e13000000000000"
				"88776655443322117e13000000000000";

static void window_of_version_1(void **unused)
{
	struct account_id alice = uid_account(1000);
	const struct window_mail *m;
	struct kept_window kept;
	char sql[512];

	(void)unused;
	put_sample(&alice);
	snprintf(sql, sizeof(sql), "UPDATE windows SET data = x'%s'", version_1);
	run_sql(sql);
	kept = read_window(&first_boot);
	assert_int_equal(kept.count, 1);
	assert_int_equal(window_counts(&kept.window).delivered, 1);
	assert_int_equal(window_counts(&kept.window).deferred, 2);
	assert_int_equal(window_counts(&kept.window).failed, 1);
	m = window_mail(&kept.window, NULL);
	assert_int_equal(m->class, REPLY_UNEXPLAINED);
	assert_int_equal(m->second, 4990);
	assert_int_equal(m->rcpt, 0);
	/* The pending mails are found again, and counted once. */
	add(&kept.window, 4995, 0x1122334455667788, SMTP_DEFERRED);
	add(&kept.window, 4995, 7, SMTP_DELIVERED);
	assert_int_equal(window_counts(&kept.window).delivered, 2);
	assert_int_equal(window_counts(&kept.window).deferred, 1);
	add(&kept.window, 4996, 0x1122334455667788, SMTP_FAILED);
	assert_int_equal(window_counts(&kept.window).deferred, 0);
	assert_int_equal(window_counts(&kept.window).failed, 2);
	window_clear(&kept.window);
	/* Its seconds move with the boot as well. */
	kept = read_window(&second_boot);
	assert_int_equal(window_mail(&kept.window, NULL)->second, 30 - 610);
	window_clear(&kept.window);
}

static void window_empty_deletes(void **unused)
{
	struct account_id alice = uid_account(1000), bob = uid_account(1001);
	struct window none = {0};
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
	assert_int_equal(window_mail(&kept.window, NULL)->second, second - 3690);
	window_clear(&kept.window);
}

static void window_moves_with_the_boot(void **unused)
{
	struct account_id alice = uid_account(1000);
	struct state_clock clock = first_boot;

	(void)unused;
	put_sample(&alice);
	/* The same boot: a step of the wall clock moves nothing. */
	clock.wall_ns -= 10 * 365 * 86400 * NS_PER_S;
	expect_newest(&clock, 4990);
	clock.wall_ns += 20 * 365 * 86400 * NS_PER_S;
	expect_newest(&clock, 4990);
	/* 610 seconds before the second 30 of the new boot. */
	expect_newest(&second_boot, 30 - 610);
	/* A new boot in the past: no time has gone by, rather than less than none. */
	clock = second_boot;
	clock.wall_ns = 0;
	expect_newest(&clock, 30 - 10);
	/* Parts of a second go towards the past. */
	clock = second_boot;
	clock.boot_ns += NS_PER_S / 2;
	expect_newest(&clock, 30 - 610);
	clock.boot_ns -= NS_PER_S;
	expect_newest(&clock, 29 - 610);
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
		.kernel = {1, 2, 3, 4, 5, 6, 7, 4000 * NS_PER_S, 9},
		.accounted = {10, 11, 12, 13},
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

static void count_delete(void **unused)
{
	struct state_count in = {.uid = 1000, .domain = "a.example"}, out;
	struct state *state = open_at(&first_boot, STATE_WRITE);
	int rows = 0;

	(void)unused;
	assert_int_equal(state_put_count(state, &in), 0);
	in.uid = 1001;
	assert_int_equal(state_put_count(state, &in), 0);
	assert_int_equal(state_begin(state), 0);
	assert_int_equal(state_delete_count(state, 1000, "a.example"), 0);
	assert_int_equal(state_delete_count(state, 1001, "a.exampl"), 0); /* not there */
	assert_int_equal(state_commit(state), 0);
	assert_int_equal(state_each_count(state, count_row, &rows), 0);
	assert_int_equal(rows, 1);
	assert_int_equal(state_each_count(state, keep_count, &out), 0);
	assert_int_equal(out.uid, 1001);
	state_close(state);
}

static void suspension_round_trip(void **unused)
{
	struct state_suspension in = suspension_sample(), out;
	struct kept_suspensions kept = {0};
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
	assert_int_equal(out.kernel.until_ns, 2030 * NS_PER_S);
	assert_int_equal(out.kernel.since_ns, 0);
	assert_int_equal(out.since_wall_s, WALL_S - 1000);
	/* Written again in the new boot, the start is not lost. */
	assert_int_equal(state_put_suspension(state, &out), 0);
	out = only_suspension(state);
	assert_int_equal(out.kernel.until_ns, 2030 * NS_PER_S);
	assert_int_equal(out.since_wall_s, WALL_S - 1000);
	/* Nor eternal on a host that comes up in 1970. */
	clock.boot_id[0] = '3';
	clock.wall_ns = 100 * NS_PER_S;
	state_set_clock(state, &clock);
	assert_int_equal(only_suspension(state).kernel.until_ns, 2030 * NS_PER_S);
	/* Over: far in the future of the wall clock. */
	clock.wall_ns = 2 * WALL_S * NS_PER_S;
	state_set_clock(state, &clock);
	assert_int_equal(only_suspension(state).kernel.until_ns, 0);
	state_close(state);
}

/* Visible together, and not before. */
static void transaction_is_one(void **unused)
{
	struct state *writer = open_at(&first_boot, STATE_WRITE);
	struct state *reader = open_at(&first_boot, STATE_READ);
	struct state_suspension s = suspension_sample();
	struct kept_suspensions kept = {0};

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

/* SQLite rolls back by itself on some failures. What follows must not be committed row by row. */
static void failed_put_fails_the_commit(void **unused)
{
	struct state *state = open_at(&first_boot, STATE_WRITE);
	struct state_count count = {.uid = 1};
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

/* A power cut must not undo a suspension; a window may wait. */
static void durable_is_synced(void **unused)
{
	struct state *state = open_at(&first_boot, STATE_WRITE);
	struct state_suspension s = suspension_sample();
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
	assert_int_equal(state_put_suspension(state, &s), 0);
	assert_int_equal(syncs, 1);
	assert_int_equal(state_commit(state), 0);
	assert_int_equal(syncs, 2);
	window_clear(&w);
	state_close(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STATE_TEST(window_round_trip),	   STATE_TEST(window_of_version_1),
		STATE_TEST(window_empty_deletes),  STATE_TEST(window_moves_with_the_boot),
		STATE_TEST(count_round_trip),	   STATE_TEST(count_delete),
		STATE_TEST(suspension_round_trip), STATE_TEST(suspension_moves_with_the_boot),
		STATE_TEST(transaction_is_one),	   STATE_TEST(failed_put_fails_the_commit),
		STATE_TEST(durable_is_synced),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	alarm(120);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
