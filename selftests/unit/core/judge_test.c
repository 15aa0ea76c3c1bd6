// SPDX-License-Identifier: GPL-2.0-only
/*
 * judge_test.c - what is told and not judged.
 */
#include "base/clock.h"
#include "pipeline_feeds.h"

/* Of before a reboot, told after it: no time of its own, and no news. */
static void test_past_is_not_judged(void **state)
{
	struct fixture *f = *state;
	struct pipeline_report told = told_by_alice(1, SMTP_FAILED, 0);

	told.past = true;
	assert_int_equal(pipeline_report(f->p, &told, f->now * NS_PER_S), 0);
	assert_alice(f, 0, 0, 0);
	assert_int_equal(told_of_all(f).failed, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FEED_TEST(test_past_is_not_judged),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("judge", tests, NULL, NULL);
}
