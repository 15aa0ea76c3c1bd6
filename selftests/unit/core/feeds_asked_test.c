// SPDX-License-Identifier: GPL-2.0-only
/*
 * feeds_asked_test.c - what no report explains is charged to whom the policy server named at
 * submission.
 */
#include "base/clock.h"
#include "pipeline_feeds.h"

/* The mail of a transport that reports nothing, under a neighbour's domain, beside reports of other
 * mail: whom the server was told pays; one whom it was never told of, nobody. */
static void test_what_is_never_reported(void **state)
{
	static const struct account_id alice = {.kind = ACCOUNT_UID, .uid = ALICE};
	struct fixture *f = *state;

	report(f, 1, SMTP_DELIVERED);
	f->domain = "neighbour.example";
	pipeline_asked(f->p, SENDER, &alice, f->now * NS_PER_S);
	wire(f, 2, SMTP_FAILED);
	wire_named(f, SENDER + 1, 3, SMTP_FAILED, f->now * NS_PER_S, f->now * NS_PER_S);
	for (int i = 0; i < 29; i++) {
		seconds(f, 20);
		report(f, 10, SMTP_DELIVERED);
		assert_alice(f, 2 + i, 0, 0);
	}
	seconds(f, 21);
	assert_alice(f, 30, 0, 1);
	assert_null(account_of(f)); /* domain:neighbour.example */
	assert_int_equal(feed_of(f).stats.wire_only, 2);
}

/* The same when the feed has stopped; an outsider's mail is nobody's. */
static void test_who_was_asked_about_pays_without_a_feed(void **state)
{
	static const struct account_id alice = {.kind = ACCOUNT_UID, .uid = ALICE};
	struct fixture *f = *state;

	report(f, 1, SMTP_DELIVERED);
	f->domain = "neighbour.example";
	pipeline_asked(f->p, SENDER, &alice, f->now * NS_PER_S);
	pipeline_asked(f->p, SENDER + 1, NULL, f->now * NS_PER_S);
	wire(f, 2, SMTP_FAILED);
	pipeline_feed_end(f->p, RELAY, PIPELINE_FEED_BLIND, f->now * NS_PER_S);
	assert_alice(f, 1, 0, 1);
	wire(f, 3, SMTP_FAILED);
	wire_named(f, SENDER + 1, 4, SMTP_FAILED, f->now * NS_PER_S, f->now * NS_PER_S);
	assert_alice(f, 1, 0, 2);
	assert_null(account_of(f));
}

/* The server has asked, and reports what it gave to the tunnel; the tunnel's own wire is the same
 * mail once more. */
static void test_what_a_tunnel_carries(void **state)
{
	static const struct account_id alice = {.kind = ACCOUNT_UID, .uid = ALICE};
	struct fixture *f = *state;

	pipeline_asked(f->p, SENDER, &alice, f->now * NS_PER_S);
	f->uid = TUNNEL;
	wire(f, 1, SMTP_DELIVERED);
	wire(f, 2, SMTP_FAILED);
	report(f, 1, SMTP_DELIVERED);
	report(f, 2, SMTP_FAILED);
	seconds(f, 2 * 600);
	assert_alice(f, 1, 0, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FEED_TEST(test_what_is_never_reported),
		FEED_TEST(test_who_was_asked_about_pays_without_a_feed),
		FEED_TEST(test_what_a_tunnel_carries),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
