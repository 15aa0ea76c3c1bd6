// SPDX-License-Identifier: GPL-2.0-only
/*
 * notice_facts_test.c - the last failures of accounts: which are kept, how they are grouped, and
 * that hostile names and many accounts stay within their bounds.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "notify/notice_facts.h"

static struct notice_facts *f;
static const struct account_id alice = {.kind = ACCOUNT_UID, .uid = 20001};
static const struct account_id domain = {.kind = ACCOUNT_DOMAIN, .domain = "one.test"};

static int begin(void **state)
{
	(void)state;
	f = notice_facts_new(7);
	return f ? 0 : -1;
}

static int end(void **state)
{
	(void)state;
	notice_facts_free(f);
	return 0;
}

static void fails(const struct account_id *id, const char *recipient, const char *remote,
		  enum reply_class class, int64_t time_s)
{
	const struct notice_failure failure = {
		.recipient = recipient,
		.remote = remote,
		.enhanced = "5.1.1",
		.text = "no such user",
		.class = class,
		.code = 550,
		.time_s = time_s,
	};

	notice_facts_add(f, id, &failure);
}

static struct notice filled(const struct account_id *id, int64_t time_s, uint32_t window_s)
{
	struct notice n = {.kind = NOTICE_SUSPENDED, .time_s = time_s, .window_s = window_s};

	notice_facts_fill(f, id, &n);
	return n;
}

static void test_an_account_without_failures_has_none(void **state)
{
	struct notice n;

	(void)state;
	fails(&domain, "a@far.test", "far.test", REPLY_RECIPIENT, 100);
	n = filled(&alice, 100, 3600);
	assert_int_equal(n.groups, 0);
	assert_int_equal(n.recipients, 0);
}

static void test_the_last_ten_recipients_the_latest_first(void **state)
{
	struct notice n;
	char address[32];

	(void)state;
	for (int i = 1; i <= 15; i++) {
		snprintf(address, sizeof(address), "n%d@far.test", i);
		fails(&alice, address, "far.test", REPLY_RECIPIENT, 100 + i);
	}
	n = filled(&alice, 200, 3600);
	assert_int_equal(n.recipients, NOTICE_RECIPIENTS_MAX);
	assert_string_equal(n.recipient[0].address, "n15@far.test");
	assert_string_equal(n.recipient[9].address, "n6@far.test");
	assert_int_equal(n.recipient[0].code, 550);
	assert_string_equal(n.recipient[0].enhanced, "5.1.1");
	assert_string_equal(n.recipient[0].text, "no such user");
	assert_int_equal(n.groups, 1);
	assert_int_equal(n.group[0].count, 15);
	assert_string_equal(n.group[0].class, "recipient");
}

static void test_one_recipient_has_one_place(void **state)
{
	struct notice n;

	(void)state;
	fails(&alice, "b@far.test", "far.test", REPLY_RECIPIENT, 99);
	for (int i = 0; i < 30; i++)
		fails(&alice, "a@far.test", "far.test", REPLY_RECIPIENT, 100 + i);
	n = filled(&alice, 200, 3600);
	assert_int_equal(n.recipients, 2);
	assert_string_equal(n.recipient[1].address, "b@far.test");
	assert_int_equal(n.group[0].count, 31);
}

static void test_groups_by_class_and_remote_the_largest_first(void **state)
{
	struct notice n;

	(void)state;
	fails(&alice, "a@far.test", "far.test", REPLY_FULL, 100);
	for (int i = 0; i < 3; i++)
		fails(&alice, "a@far.test", "far.test", REPLY_RECIPIENT, 100);
	for (int i = 0; i < 2; i++)
		fails(&alice, "a@one.test", "one.test", REPLY_RECIPIENT, 100);
	n = filled(&alice, 100, 3600);
	assert_int_equal(n.groups, 3);
	assert_string_equal(n.group[0].remote, "far.test");
	assert_int_equal(n.group[0].count, 3);
	assert_string_equal(n.group[1].remote, "one.test");
	assert_string_equal(n.group[2].class, "full");
}

static void test_more_groups_than_fit_keep_the_largest(void **state)
{
	struct notice n;
	char remote[32];

	(void)state;
	for (int i = 0; i < 5; i++)
		fails(&alice, "a@big.test", "big.test", REPLY_LISTED, 100);
	for (int i = 0; i < 50; i++) {
		snprintf(remote, sizeof(remote), "r%d.test", i);
		fails(&alice, "a@b.test", remote, REPLY_RECIPIENT, 101);
	}
	n = filled(&alice, 110, 3600);
	assert_int_equal(n.groups, NOTICE_GROUPS_MAX);
	assert_string_equal(n.group[0].remote, "big.test");
	assert_int_equal(n.group[0].count, 5);
}

static void test_what_is_older_than_the_window_is_left_out(void **state)
{
	(void)state;
	fails(&alice, "old@far.test", "far.test", REPLY_FULL, 100);
	fails(&alice, "new@far.test", "far.test", REPLY_RECIPIENT, 4000);
	assert_int_equal(filled(&alice, 4000, 3600).recipients, 1);
	assert_int_equal(filled(&alice, 4000, 3600).groups, 1);
	assert_int_equal(filled(&alice, 4000, 0).recipients, 2);
	fails(&alice, "new@far.test", "far.test", REPLY_RECIPIENT, 9000);
	assert_int_equal(filled(&alice, 9000, 3600).group[0].count, 1);
}

static void test_long_and_missing_strings(void **state)
{
	char text[1000];
	struct notice n;

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	notice_facts_add(f, &alice,
			 &(struct notice_failure){.recipient = text,
						  .remote = text,
						  .enhanced = text,
						  .text = text,
						  .class = REPLY_FULL,
						  .time_s = 1});
	notice_facts_add(f, &domain,
			 &(struct notice_failure){.class = REPLY_NO_ANSWER, .time_s = 1});
	n = filled(&alice, 1, 0);
	assert_int_equal(strlen(n.recipient[0].address), NOTICE_ADDRESS_SIZE - 1);
	assert_int_equal(strlen(n.group[0].example), NOTICE_TEXT_SIZE - 1);
	assert_true(notice_check(&n));
	n = filled(&domain, 1, 0);
	assert_int_equal(n.recipients, 0);
	assert_string_equal(n.group[0].class, "no_answer");
	assert_string_equal(n.group[0].remote, "");
}

static void test_accounts_are_bounded_and_the_oldest_goes(void **state)
{
	struct account_id id = {.kind = ACCOUNT_UID};

	(void)state;
	fails(&domain, "a@far.test", "far.test", REPLY_FULL, 1);
	for (uint32_t uid = 1; uid < 3000; uid++) {
		id.uid = uid;
		fails(&id, "a@far.test", "far.test", REPLY_FULL, 2);
		if (uid % 1000 == 0)
			fails(&domain, "a@far.test", "far.test", REPLY_FULL, 2);
	}
	assert_int_equal(notice_facts_accounts(f), NOTICE_FACTS_ACCOUNTS);
	assert_int_equal(filled(&domain, 2, 0).groups, 1);
	id.uid = 1;
	assert_int_equal(filled(&id, 2, 0).groups, 0);
	id.uid = 2999;
	assert_int_equal(filled(&id, 2, 0).groups, 1);
}

static void test_a_forgotten_account_begins_anew(void **state)
{
	(void)state;
	fails(&alice, "a@far.test", "far.test", REPLY_FULL, 1);
	notice_facts_forget(f, &alice);
	notice_facts_forget(f, &alice);
	assert_int_equal(filled(&alice, 1, 0).groups, 0);
	assert_int_equal(notice_facts_accounts(f), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, begin, end)
		TEST(an_account_without_failures_has_none),
		TEST(the_last_ten_recipients_the_latest_first),
		TEST(one_recipient_has_one_place),
		TEST(groups_by_class_and_remote_the_largest_first),
		TEST(more_groups_than_fit_keep_the_largest),
		TEST(what_is_older_than_the_window_is_left_out),
		TEST(long_and_missing_strings),
		TEST(accounts_are_bounded_and_the_oldest_goes),
		TEST(a_forgotten_account_begins_anew),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
