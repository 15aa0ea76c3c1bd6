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

int main(void)
{
	const struct CMUnitTest tests[] = {
		FEED_TEST(test_past_is_not_judged),
		FEED_TEST(test_right_after_a_release),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("judge", tests, NULL, NULL);
}
