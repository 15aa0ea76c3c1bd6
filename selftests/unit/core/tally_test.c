// SPDX-License-Identifier: GPL-2.0-only
/*
 * tally_test.c - examples of what counts of the mails in a window, a setting each.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "tally_fixture.h"

static void test_outcomes(void **state)
{
	struct scene *s = *state;
	struct tally t;

	add_many(&s->w, NOW, 7, SMTP_DELIVERED);
	fails(s, 1, 2, REPLY_CONTENT, 9);
	defers(s, NOW, 3, REPLY_UNEXPLAINED, 9);
	t = tally_at(s, NOW);
	assert_int_equal(t.delivered, 7);
	assert_int_equal(t.failed, 2);
	assert_int_equal(t.deferred, 1);
	assert_int_equal(t.bad, 3);
	assert_int_equal(t.unknown, 0);
	assert_true(t.next_s == INT64_MAX);
	/* An hour later there is a pending mail, and nothing counts. */
	t = tally_at(s, NOW + HOUR);
	assert_int_equal(t.delivered + t.failed + t.deferred + t.bad, 0);
	assert_false(window_empty(&s->w));
}

/* One failing address is one failure, and one more for each further 20 mails to it. */
static void test_one_recipient(void **state)
{
	static const struct {
		int mails;
		uint64_t bad;
	} rows[] = {{1, 1}, {2, 1}, {20, 1}, {21, 2}, {40, 2}, {41, 3}, {400, 20}};
	struct scene *s = *state;
	int sent = 0;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		for (; sent < rows[i].mails; sent++)
			fails(s, 1, 1, REPLY_RECIPIENT, 9);
		assert_int_equal(bad(s), rows[i].bad);
		assert_int_equal(tally_at(s, NOW).unknown, 1);
	}
	fails(s, 2, 1, REPLY_RECIPIENT, 9);
	assert_int_equal(bad(s), 21);
	/* Deferred and failed mails of it are of one recipient, too. */
	defers(s, NOW, 2, REPLY_UNEXPLAINED, 9);
	assert_int_equal(bad(s), 21);
	defers(s, NOW, 3, REPLY_UNEXPLAINED, 9);
	assert_int_equal(bad(s), 22);
}

static void test_set_aside(void **state)
{
	struct scene *s = *state;

	fails(s, 1, 3, REPLY_LISTED, 8);
	fails(s, 11, 3, REPLY_UNAUTHENTICATED, 8);
	fails(s, 21, 3, REPLY_CONTENT, 8);
	assert_int_equal(bad(s), 3);
	s->rule.set_aside = 1u << REPLY_CONTENT;
	assert_int_equal(bad(s), 6);
	assert_int_equal(tally_at(s, NOW).failed, 6);
	s->rule.set_aside = 0;
	assert_int_equal(bad(s), 9);
	/* This host's own fault is never charged, whatever is set. */
	fails(s, 31, 3, REPLY_OWN, 8);
	assert_int_equal(bad(s), 9);
	assert_true(verdict_sets_aside(&s->rule, REPLY_OWN));
	assert_false(verdict_sets_aside(&s->rule, REPLY_LISTED));
}

/* A mail that is set aside does not stand for others of its recipient. */
static void test_set_aside_hides_nobody(void **state)
{
	struct scene *s = *state;

	fails(s, 1, 1, REPLY_CONTENT, 9);
	fails(s, 1, 1, REPLY_LISTED, 9);
	assert_int_equal(bad(s), 1);
}

static void test_grace(void **state)
{
	static const enum reply_class patient[] = {REPLY_GREYLIST, REPLY_NO_ANSWER,
						   REPLY_UNEXPLAINED};
	static const enum reply_class at_once[] = {REPLY_RECIPIENT, REPLY_CONTENT, REPLY_RATE,
						   REPLY_FULL};
	struct scene *s = *state;

	for (uint64_t i = 0; i < 3; i++)
		defers(s, NOW + i, 1 + i, patient[i], 100 + i);
	s->rule.one_remote = 100;
	assert_int_equal(tally_at(s, NOW + 2).bad, 3);
	assert_true(tally_at(s, NOW + 2).next_s == INT64_MAX);
	s->rule.defer_grace_s = 1800;
	assert_int_equal(tally_at(s, NOW + 2).bad, 0);
	assert_int_equal(tally_at(s, NOW + 2).next_s, NOW + 1800);
	assert_int_equal(tally_at(s, NOW + 1799).bad, 0);
	assert_int_equal(tally_at(s, NOW + 1800).bad, 1);
	assert_int_equal(tally_at(s, NOW + 1800).next_s, NOW + 1801);
	assert_int_equal(tally_at(s, NOW + 1801).bad, 2);
	assert_int_equal(tally_at(s, NOW + 1802).bad, 3);
	assert_true(tally_at(s, NOW + 1802).next_s == INT64_MAX);
	/* Other classes, and what failed for good, count at once. */
	for (uint64_t i = 0; i < 4; i++)
		defers(s, NOW + 1802, 10 + i, at_once[i], 110 + i);
	assert_int_equal(tally_at(s, NOW + 1802).bad, 7);
	for (uint64_t i = 0; i < 3; i++)
		fails(s, 20 + i, 1, patient[i], 120 + i);
	assert_int_equal(tally_at(s, NOW + 1802).bad, 10);
}

/* Within the grace it is no failure of its recipient yet. */
static void test_grace_hides_nobody(void **state)
{
	struct scene *s = *state;

	s->rule.defer_grace_s = 600;
	defers(s, NOW, 1, REPLY_GREYLIST, 9);
	fails(s, 1, 1, REPLY_CONTENT, 9);
	assert_int_equal(bad(s), 1);
	assert_int_equal(tally_at(s, NOW + 600).bad, 1);
}

static void test_one_remote(void **state)
{
	static const struct {
		int soft, others;
		uint32_t percent;
		uint64_t bad;
	} rows[] = {
		{10, 0, 50, 0}, /* all at one remote says nothing of the account */
		{10, 1, 50, 2},	 {10, 4, 50, 8},   {10, 10, 50, 20}, {10, 11, 50, 21},
		{10, 4, 0, 4},	 {10, 4, 100, 14}, {10, 6, 25, 8}, /* 2 of 8 are 25 % */
		{10, 7, 25, 9},	 {10, 1, 80, 5},   {10, 2, 80, 10},  {10, 3, 80, 13},
		{10, 3, 99, 13},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct scene *s = *state;

		s->rule.one_remote = rows[i].percent;
		fails(s, 1, rows[i].soft, REPLY_RATE, 77);
		fails(s, 101, rows[i].others, REPLY_CONTENT, 77);
		assert_int_equal(bad(s), rows[i].bad);
		window_clear(&s->w);
	}
}

/* Rate, full and no answer are soft, of the worst remote; failures of no known remote are not. */
static void test_which_are_soft(void **state)
{
	struct scene *s = *state;

	fails(s, 1, 4, REPLY_RATE, 77);
	fails(s, 11, 4, REPLY_FULL, 77);
	fails(s, 21, 4, REPLY_NO_ANSWER, 77);
	assert_int_equal(bad(s), 0);
	fails(s, 31, 6, REPLY_FULL, 78);
	assert_int_equal(bad(s), 12);
	fails(s, 41, 6, REPLY_FULL, 0);
	assert_int_equal(bad(s), 24);
	fails(s, 51, 30, REPLY_RECIPIENT, 79);
	fails(s, 91, 30, REPLY_CONTENT, 79);
	fails(s, 131, 30, REPLY_UNEXPLAINED, 79);
	fails(s, 171, 30, REPLY_GREYLIST, 79);
	assert_int_equal(bad(s), 144);
	/* A hundred mails to one full mailbox are five of its remote's failures. */
	window_clear(&s->w);
	for (int i = 0; i < 100; i++)
		fails(s, 1, 1, REPLY_FULL, 77);
	fails(s, 2, 3, REPLY_CONTENT, 77);
	assert_int_equal(bad(s), 6);
}

static void test_breaker(void **state)
{
	static const enum reply_class excused[] = {REPLY_RATE, REPLY_GREYLIST, REPLY_NO_ANSWER,
						   REPLY_UNEXPLAINED};
	struct scene *s = *state;

	s->rule.one_remote = 100;
	for (int i = 0; i < 4; i++) {
		fails(s, 10 * i + 1, 1, excused[i], 77);
		fails(s, 10 * i + 2, 1, excused[i], 78);
		assert_true(verdict_is_trouble(excused[i]));
	}
	fails(s, 101, 1, REPLY_RECIPIENT, 77);
	fails(s, 102, 1, REPLY_CONTENT, 77);
	fails(s, 103, 1, REPLY_FULL, 77);
	others_meet(s, 77, 3, REMOTES_TROUBLE);
	assert_int_equal(bad(s), 11);
	/* Of four accounts, and half of those that tried. */
	others_meet(s, 77, 4, REMOTES_TROUBLE);
	s->rule.trouble_accounts = 5;
	assert_int_equal(bad(s), 11);
	s->rule.trouble_accounts = 0;
	assert_int_equal(bad(s), 11);
	s->rule.trouble_accounts = 4;
	assert_int_equal(bad(s), 7);
}

static void test_breaker_needs_a_share(void **state)
{
	struct scene *s = *state;

	fails(s, 1, 3, REPLY_GREYLIST, 77);
	for (int i = 0; i < 9; i++)
		remotes_meet(s->remotes, 77, i, i < 4 ? REMOTES_TROUBLE : REMOTES_DELIVERED, NOW);
	assert_int_equal(bad(s), 3);
	s->rule.trouble_share = 44;
	assert_int_equal(bad(s), 0);
}

/* What was excused stays so when the remote is well again, after a restart, and where nothing is
 * known of remotes; a retry is looked at anew. */
static void test_excuse_stays(void **state)
{
	struct scene *s = *state;
	struct window saved;

	defers(s, NOW, 1, REPLY_GREYLIST, 77);
	others_meet(s, 77, 4, REMOTES_TROUBLE);
	assert_int_equal(bad(s), 0);
	others_meet(s, 77, 4, REMOTES_DELIVERED);
	assert_int_equal(bad(s), 0);
	fails(s, 2, 1, REPLY_GREYLIST, 77);
	assert_int_equal(bad(s), 1);
	saved = copied(&s->w);
	assert_int_equal(tally_window(&saved, &s->rule, NULL, 0, s->room, NOW).bad, 1);
	window_clear(&saved);
	s->mail = 0;
	defers(s, NOW + 60, 1, REPLY_GREYLIST, 77);
	assert_int_equal(tally_at(s, NOW + 60).bad, 2);
}

/* Nobody answers this host: its resolver or its line is down. */
static void test_nobody_answers(void **state)
{
	struct scene *s = *state;

	s->rule.one_remote = 100;
	for (int i = 0; i < 5; i++)
		fails(s, 1 + i, 1, REPLY_NO_ANSWER, 100 + i);
	fails(s, 10, 1, REPLY_NO_ANSWER, 0);
	fails(s, 11, 1, REPLY_GREYLIST, 111);
	assert_int_equal(bad(s), 7);
	others_meet(s, REMOTES_ANYWHERE, 4, REMOTES_TROUBLE);
	assert_int_equal(bad(s), 1);
}

/* An account and one other write to a remote: failures of any class there are capped, up to a
 * number. */
static void test_rare_remote(void **state)
{
	struct scene *s = *state;

	fails(s, 1, 20, REPLY_RECIPIENT, 77);
	others_meet(s, REMOTES_ANYWHERE, REMOTES_HOST_ACCOUNTS, REMOTES_DELIVERED);
	others_meet(s, 77, REMOTES_RARE_ACCOUNTS - 1, REMOTES_OTHER);
	assert_int_equal(bad(s), 20);
	s->rule.rare_remote = 100;
	assert_int_equal(bad(s), 0);
	fails(s, 101, 3, REPLY_CONTENT, 78);
	assert_int_equal(bad(s), 6);
	s->rule.rare_remote = 21;
	assert_int_equal(bad(s), 6);
	s->rule.rare_remote = 20;
	assert_int_equal(bad(s), 23);
	s->rule.rare_remote = 100;
	others_meet(s, 77, REMOTES_RARE_ACCOUNTS, REMOTES_OTHER);
	others_meet(s, 78, REMOTES_RARE_ACCOUNTS, REMOTES_OTHER);
	assert_int_equal(bad(s), 23);
	/* Where nothing is known of remotes none is rare. */
	assert_int_equal(tally_window(&s->w, &s->rule, NULL, 0, s->room, NOW).bad, 23);
}

/* Each failure without an identity is a recipient's of its own, of no known class and remote. */
static void test_anonymous(void **state)
{
	struct scene *s = *state;
	struct tally t;

	s->rule.defer_grace_s = 600;
	s->rule.set_aside = 0x7ff;
	add_many(&s->w, NOW, 30, SMTP_FAILED);
	add_many(&s->w, NOW, 10, SMTP_DEFERRED);
	fails(s, 1, 5, REPLY_LISTED, 9);
	t = tally_at(s, NOW);
	assert_int_equal(t.failed, 30);
	assert_int_equal(t.deferred, 10);
	assert_int_equal(t.bad, 40);
	assert_int_equal(t.unknown, 0);
}

static void test_unknown_recipients(void **state)
{
	struct scene *s = *state;

	fails(s, 1, 30, REPLY_RECIPIENT, 9);
	fails(s, 1, 30, REPLY_RECIPIENT, 9);
	fails(s, 101, 30, REPLY_CONTENT, 9);
	assert_int_equal(tally_at(s, NOW).unknown, 30);
	defers(s, NOW, 201, REPLY_RECIPIENT, 9);
	assert_int_equal(tally_at(s, NOW).unknown, 31);
}

/* The room is used again and again, and never cleared: more counts than its cells have. */
static void test_room_is_used_again(void **state)
{
	struct scene *s = *state;

	for (uint64_t i = 1; i <= 3000; i++) {
		fails(s, i, 1, REPLY_FULL, i % 5 + 1);
		assert_int_equal(bad(s), i == 1 ? 0 : i);
	}
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, scene_begin, scene_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_outcomes),
		TEST(test_one_recipient),
		TEST(test_set_aside),
		TEST(test_set_aside_hides_nobody),
		TEST(test_grace),
		TEST(test_grace_hides_nobody),
		TEST(test_one_remote),
		TEST(test_which_are_soft),
		TEST(test_breaker),
		TEST(test_breaker_needs_a_share),
		TEST(test_excuse_stays),
		TEST(test_nobody_answers),
		TEST(test_rare_remote),
		TEST(test_anonymous),
		TEST(test_unknown_recipients),
		TEST(test_room_is_used_again),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("tally", tests, NULL, NULL);
}
