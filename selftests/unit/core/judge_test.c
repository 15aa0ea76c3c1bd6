// SPDX-License-Identifier: GPL-2.0-only
/*
 * judge_test.c - what is reported and not judged.
 */
#include "base/clock.h"
#include "pipeline_feeds.h"

/* It happened before a reboot and is reported after it: it has no time of its own. */
static void test_past_is_not_judged(void **state)
{
	struct fixture *f = *state;
	struct outcome one = report_of_alice(1, SMTP_FAILED, 0);

	one.age_s = feeds_rule.window_s;
	take_report(f, FEED_EXIM, &one);
	assert_alice(f, 0, 0, 0);
	assert_int_equal(reported_of_all(f).failed, 1);
}

/* Reports give whole seconds: one of half a second after a release is not of before it. */
static void test_right_after_a_release(void **state)
{
	struct fixture *f = *state;
	struct outcome one = report_of_alice(1, SMTP_DEFERRED, f->now * NS_PER_S);

	take_report(f, FEED_POSTFIX, &one);
	assert_alice(f, 0, 1, 0);
	f->now += 10;
	pipeline_tick(f->p, f->now * NS_PER_S + NS_PER_S / 2);
	pipeline_release(f->p, &feeds_alice.id);
	assert_alice(f, 0, 0, 0);
	one = report_of_alice(2, SMTP_DEFERRED, f->now * NS_PER_S);
	one.age_s = 1;
	take_report(f, FEED_POSTFIX, &one);
	assert_alice(f, 0, 1, 0);
	one = report_of_alice(3, SMTP_DEFERRED, (f->now - 1) * NS_PER_S);
	take_report(f, FEED_POSTFIX, &one);
	assert_alice(f, 0, 1, 0);
}

static void report_aged(struct fixture *f, uint64_t rcpt, enum smtp_outcome o, int64_t age_s)
{
	struct outcome one = report_of_alice(rcpt, o, f->now * NS_PER_S);

	one.age_s = age_s;
	take_report(f, FEED_EXIM, &one);
}

/* Who lets his mails wait in the queue for more than an hour before their first try does not get
 * out of the window by that; only of a message of before the feed a try may have gone unseen. */
static void test_a_queue_that_waits(void **state)
{
	struct fixture *f = *state;

	set_rule(f, &fixture_rule);
	pipeline_feed_begin(f->p, RELAY, FEED_EXIM, f->now * NS_PER_S);
	f->now += 7200;
	for (uint64_t rcpt = 1; rcpt <= 10; rcpt++)
		report_aged(f, rcpt, SMTP_FAILED, 7300);
	assert_alice(f, 0, 0, 0);
	report_aged(f, 11, SMTP_DEFERRED, 7000);
	assert_alice(f, 0, 1, 0);
	f->now += 1800;
	report_aged(f, 11, SMTP_DEFERRED, 8800);
	for (uint64_t rcpt = 12; rcpt < 16; rcpt++) {
		assert_int_equal(f->suspended, 0);
		report_aged(f, rcpt, SMTP_FAILED, 8800);
	}
	assert_int_equal(f->suspended, 1);
	assert_int_equal(f->verdict.bad, 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FEED_TEST(test_past_is_not_judged),
		FEED_TEST(test_right_after_a_release),
		FEED_TEST(test_a_queue_that_waits),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("judge", tests, NULL, NULL);
}
