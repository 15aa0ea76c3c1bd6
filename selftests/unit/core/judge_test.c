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

int main(void)
{
	const struct CMUnitTest tests[] = {
		FEED_TEST(test_past_is_not_judged),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("judge", tests, NULL, NULL);
}
