// SPDX-License-Identifier: GPL-2.0-only
/*
 * feeds_stop_test.c - why a feed does not run.
 */
#include "base/clock.h"
#include "pipeline_feeds.h"

static void test_why_it_stopped(void **state)
{
	struct fixture *f = *state;

	pipeline_feed_begin(f->p, RELAY, FEED_POSTFIX, f->now * NS_PER_S);
	pipeline_feed_end(f->p, RELAY, PIPELINE_FEED_BLIND, f->now * NS_PER_S);
	assert_false(feed_of(f).running);
	assert_int_equal(feed_of(f).stop, PIPELINE_FEED_BLIND);
	pipeline_feed_begin(f->p, RELAY, FEED_POSTFIX, f->now * NS_PER_S);
	assert_int_equal(feed_of(f).stop, PIPELINE_FEED_UNTOLD);
	f->now++;
	wire(f, 1, SMTP_FAILED);
	seconds(f, 31);
	assert_int_equal(feed_of(f).stop, PIPELINE_FEED_SILENT);
	/* It turns out why. */
	pipeline_feed_end(f->p, RELAY, PIPELINE_FEED_BLIND, f->now * NS_PER_S);
	assert_int_equal(feed_of(f).stop, PIPELINE_FEED_BLIND);
	report(f, 2, SMTP_DELIVERED); /* of Exim's */
	assert_true(feed_of(f).running);
	pipeline_feed_reader_gone(f->p, FEED_POSTFIX);
	f->now++;
	wire(f, 3, SMTP_FAILED);
	seconds(f, 31);
	assert_int_equal(feed_of(f).stop, PIPELINE_FEED_SILENT);
	report(f, 4, SMTP_DELIVERED);
	pipeline_feed_reader_gone(f->p, FEED_EXIM);
	f->now++;
	wire(f, 5, SMTP_FAILED);
	seconds(f, 31);
	assert_int_equal(feed_of(f).stop, PIPELINE_FEED_GONE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FEED_TEST(test_why_it_stopped),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("feeds_stop", tests, NULL, NULL);
}
