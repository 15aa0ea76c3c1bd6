// SPDX-License-Identifier: GPL-2.0-only
/*
 * judge_scenes_host_test.c - many accounts of one server: what they meet together is nobody's
 * fault, what one of them does alone is, and nobody hides failures behind a server of his own.
 */
#include "judge_scenes.h"

/* Each of the first `accounts` writes `mails`, in turn and one a second, to a new recipient at the
 * remote. */
static void all_write(struct host *h, int accounts, int mails, int remote, const struct said *said)
{
	for (int i = 0; i < accounts * mails; i++) {
		write_new(h, i % accounts, remote, said);
		advance(h, 1);
	}
}

/* ---- this server is listed ---- */

/* For an hour; the fourth account's first mail, three seconds after the first, makes it known. */
static void test_listed(void **state)
{
	struct host *h = *state;

	all_write(h, 40, 1, 1, &block_list);
	assert_int_equal(h->alarms[PIPELINE_ALARM_LISTED], 1);
	assert_int_equal(h->alarm_bad, 4);
	assert_int_equal(h->alarm_tried, 4);
	for (int i = 1; i < HOUR / 60; i++) {
		advance(h, 20);
		all_write(h, 40, 1, 1, &block_list);
	}
	advance(h, 22);
	write_new(h, 0, 1, &block_list);
	assert_int_equal(h->alarms[PIPELINE_ALARM_LISTED], 1);
	advance(h, 1);
	write_new(h, 0, 1, &block_list);
	assert_int_equal(h->alarms[PIPELINE_ALARM_LISTED], 2);
	assert_int_equal(h->alarm_bad, 32); /* as many as are kept of a remote */
	assert_int_equal(h->alarm_tried, 32);
	assert_int_equal(h->alarms[PIPELINE_ALARM_TROUBLE], 0);
	assert_all_free(h);
	assert_int_equal(h->accounts[0].near, 0);
	assert_int_equal(h->counted[COUNTED_SET_ASIDE], 40 * 60 + 2);
}

static void test_listed_for_three(void **state)
{
	struct host *h = *state;

	all_write(h, 3, 10, 1, &block_list);
	assert_all_free(h);
	assert_int_equal(h->alarms[PIPELINE_ALARM_LISTED], 0);
}

static void test_listed_and_nothing_is_set_aside(void **state)
{
	struct host *h = *state;

	h->rule.set_aside = 0;
	change_rule(h);
	all_write(h, 40, 4, 1, &block_list);
	assert_all_free(h);
	all_write(h, 40, 6, 1, &block_list);
	assert_int_equal(suspended_accounts(h), 40);
	assert_suspended(h, 39, 5, 100);
	assert_int_equal(h->alarms[PIPELINE_ALARM_LISTED], 0);
}

/* The listing hides nobody's dead addresses. */
static void test_listed_and_a_dictionary_attack(void **state)
{
	struct host *h = *state;

	all_write(h, 40, 10, 1, &block_list);
	for (int i = 0; i < 4; i++)
		write_new(h, 7, 1, &no_such_user);
	assert_all_free(h);
	write_new(h, 7, 1, &no_such_user);
	assert_suspended(h, 7, 5, 100);
	assert_int_equal(suspended_accounts(h), 1);
}

/* ---- a remote is in trouble ---- */

/* With failures at one remote as good as any. */
static void set_breaker_alone(struct host *h)
{
	h->rule.one_remote = 100;
	change_rule(h);
}

static void test_four_are_slowed_down(void **state)
{
	struct host *h = *state;

	set_breaker_alone(h);
	all_write(h, 4, 20, 1, &slow_down);
	assert_all_free(h);
	assert_int_equal(h->alarms[PIPELINE_ALARM_TROUBLE], 1);
	assert_int_equal(h->alarm_bad, 4);
	assert_int_equal(h->alarm_tried, 4);
	assert_int_equal(h->alarms[PIPELINE_ALARM_NO_ANSWER], 0);
}

static void test_three_are_slowed_down(void **state)
{
	struct host *h = *state;

	set_breaker_alone(h);
	all_write(h, 3, 4, 1, &slow_down);
	assert_all_free(h);
	all_write(h, 3, 1, 1, &slow_down);
	assert_int_equal(suspended_accounts(h), 3);
	assert_suspended(h, 2, 5, 100);
	assert_int_equal(h->alarms[PIPELINE_ALARM_TROUBLE], 0);
}

/* Four of nine are fewer than half of those that tried. */
static void test_four_of_nine_are_slowed_down(void **state)
{
	struct host *h = *state;

	set_breaker_alone(h);
	for (int i = 4; i < 9; i++)
		write_new(h, i, 1, &thanks);
	all_write(h, 4, 20, 1, &slow_down);
	assert_int_equal(suspended_accounts(h), 4);
	assert_int_equal(h->alarms[PIPELINE_ALARM_TROUBLE], 0);
}

/* Each at a remote of his own: then it is the way to all of them. */
static void nobody_answers(struct host *h, int accounts)
{
	set_breaker_alone(h);
	for (int i = 0; i < 20; i++)
		for (int account = 0; account < accounts; account++, advance(h, 1))
			write_new(h, account, 100 * account + i + 1, &no_answer);
}

static void test_nobody_answers_four(void **state)
{
	struct host *h = *state;

	nobody_answers(h, 4);
	assert_all_free(h);
	assert_int_equal(h->alarms[PIPELINE_ALARM_NO_ANSWER], 1);
	assert_int_equal(h->alarms[PIPELINE_ALARM_TROUBLE], 0);
}

static void test_nobody_answers_three(void **state)
{
	struct host *h = *state;

	nobody_answers(h, 3);
	assert_int_equal(suspended_accounts(h), 3);
	assert_int_equal(h->alarms[PIPELINE_ALARM_NO_ANSWER], 0);
}

static void never_excused(struct host *h, const struct said *said)
{
	set_breaker_alone(h);
	all_write(h, 8, 10, 1, &slow_down);
	for (int i = 0; i < 4; i++)
		write_new(h, 2, 1, said);
	assert_all_free(h);
	write_new(h, 2, 1, said);
	assert_suspended(h, 2, 5, 100);
	assert_int_equal(suspended_accounts(h), 1);
}

static void test_trouble_excuses_no_dead_address(void **state)
{
	never_excused(*state, &no_such_user);
}

static void test_trouble_excuses_no_spam(void **state)
{
	never_excused(*state, &is_spam);
}

/* The others get through again; account 7 was the last that met it. */
static void end_trouble(struct host *h)
{
	for (int i = 0; i < 7; i++)
		write_new(h, i, 1, &thanks);
}

static void excused_stays(struct host *h, int mails)
{
	set_breaker_alone(h);
	all_write(h, 8, mails, 1, &slow_down);
	end_trouble(h);
	advance(h, 5 * MINUTES);
	write_many(h, 7, 4, &no_such_user);
	advance(h, HOUR / 2);
	assert_all_free(h);
	write_many(h, 7, 1, &no_such_user);
	assert_suspended(h, 7, 5, 100);
}

static void test_excused_for_good(void **state)
{
	excused_stays(*state, 10);
}

/* No verdict looked at them as long as the trouble lasted: they were too few. */
static void test_few_excused_for_good(void **state)
{
	excused_stays(*state, 3);
}

/* Mail that is put off after the trouble is charged. */
static void test_retries_after_trouble(void **state)
{
	struct host *h = *state;
	struct letter letters[5];

	set_breaker_alone(h);
	all_write(h, 8, 1, 1, &slow_down);
	for (int i = 0; i < 5; i++)
		letters[i] = write_new(h, 7, 1, &slow_down);
	end_trouble(h);
	advance(h, 5 * MINUTES);
	for (int i = 0; i < 5; i++) {
		assert_free(h, 7);
		try_letter(h, &letters[i], &slow_down);
	}
	assert_suspended(h, 7, 5, 100);
}

/* ---- dilution ---- */

#define OWN_SERVER 7
#define NEIGHBOURS 70

static void make_large(struct host *h)
{
	for (int i = 20; i < 20 + NEIGHBOURS; i++)
		write_new(h, i, 1, &thanks);
}

static void deliver(struct host *h, int account, int remote, int mails)
{
	for (int i = 0; i < mails; i++)
		write_new(h, account, remote, &thanks);
}

/* Of 500 deliveries 20 count, so the line is at 20 failures. */
static void test_own_server_of_a_large_host(void **state)
{
	struct host *h = *state;

	make_large(h);
	deliver(h, 0, OWN_SERVER, 500);
	assert_int_equal(h->counted[COUNTED_SET_ASIDE], 480);
	assert_mails(h, 0, 20, 0, 0);
	write_many(h, 0, 19, &no_such_user);
	assert_free(h, 0);
	write_many(h, 0, 11, &no_such_user);
	assert_suspended(h, 0, 20, 50);
}

/* Afterwards, too. */
static void test_own_server_after_the_failures(void **state)
{
	struct host *h = *state;

	make_large(h);
	rule_of(h, 0)->min_failures = 30;
	for (int i = 0; i < 29; i++) {
		deliver(h, 0, OWN_SERVER, 17);
		write_new(h, 0, 1000 + i, &no_such_user);
	}
	assert_free(h, 0);
	write_new(h, 0, 1030, &no_such_user);
	assert_suspended(h, 0, 30, 60);
}

static void test_server_of_a_small_host(void **state)
{
	struct host *h = *state;

	deliver(h, 1, 1, 1);
	deliver(h, 2, 1, 1);
	deliver(h, 0, OWN_SERVER, 500);
	assert_mails(h, 0, 500, 0, 0);
	write_many(h, 0, 30, &no_such_user);
	assert_free(h, 0);
}

static void test_server_that_eight_write_to(void **state)
{
	struct host *h = *state;

	make_large(h);
	for (int i = 20; i < 27; i++)
		write_new(h, i, OWN_SERVER, &thanks);
	deliver(h, 0, OWN_SERVER, 500);
	assert_mails(h, 0, 500, 0, 0);
	write_many(h, 0, 30, &no_such_user);
	assert_free(h, 0);
}

/* A company's only partner: 5 % of its mail there fails. Elsewhere the deliveries do not help. */
static void test_company_and_its_rare_partner(void **state)
{
	struct host *h = *state;

	make_large(h);
	for (int i = 0; i < 15; i++) {
		deliver(h, 0, OWN_SERVER, 20);
		write_new(h, 0, OWN_SERVER, &no_such_user);
	}
	assert_free(h, 0);
	for (int i = 0; i < 15; i++)
		write_new(h, 0, OWN_SERVER, &no_such_user);
	advance(h, HOUR / 2);
	assert_free(h, 0);
	write_many(h, 0, 19, &no_such_user);
	assert_free(h, 0);
	write_many(h, 0, 1, &no_such_user);
	assert_suspended(h, 0, 20, 50);
}

/* No delivery speaks for whoever has none there. */
static void test_rare_partner_that_refuses_all(void **state)
{
	struct host *h = *state;

	make_large(h);
	for (int i = 0; i < 5; i++)
		write_new(h, 0, OWN_SERVER, &no_such_user);
	assert_suspended(h, 0, 5, 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SCENE(test_listed),
		SCENE(test_listed_for_three),
		SCENE(test_listed_and_nothing_is_set_aside),
		SCENE(test_listed_and_a_dictionary_attack),
		SCENE(test_four_are_slowed_down),
		SCENE(test_three_are_slowed_down),
		SCENE(test_four_of_nine_are_slowed_down),
		SCENE(test_nobody_answers_four),
		SCENE(test_nobody_answers_three),
		SCENE(test_trouble_excuses_no_dead_address),
		SCENE(test_trouble_excuses_no_spam),
		SCENE(test_excused_for_good),
		SCENE(test_few_excused_for_good),
		SCENE(test_retries_after_trouble),
		SCENE(test_own_server_of_a_large_host),
		SCENE(test_own_server_after_the_failures),
		SCENE(test_server_of_a_small_host),
		SCENE(test_server_that_eight_write_to),
		SCENE(test_company_and_its_rare_partner),
		SCENE(test_rare_partner_that_refuses_all),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("judge_scenes_host", tests, NULL, NULL);
}
