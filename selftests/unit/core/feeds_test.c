// SPDX-License-Identifier: GPL-2.0-only
/*
 * feeds_test.c - what mail servers report beside the wire: which of the two is charged in each
 * order of the two, when the feed stops and begins, what is compared and what is saved. All orders
 * at random: feeds_world_test.c.
 */
#include <errno.h>
#include "base/clock.h"
#include "pipeline_feeds.h"

static void test_told_is_charged(void **state)
{
	struct fixture *f = *state;

	report(f, 1, SMTP_FAILED);
	wire(f, 1, SMTP_FAILED); /* read later than its report */
	assert_alice(f, 0, 0, 1);
	wire(f, 2, SMTP_DELIVERED);
	assert_alice(f, 0, 0, 1);
	report(f, 2, SMTP_DELIVERED);
	assert_alice(f, 1, 0, 1);
	report(f, 3, SMTP_DEFERRED); /* TLS */
	assert_alice(f, 1, 1, 1);
	seconds(f, 6);
	assert_int_equal(feed_of(f).stats.agreed, 2);
	assert_int_equal(feed_of(f).stats.told_only, 1);
	assert_int_equal(feed_of(f).stats.differed + feed_of(f).stats.late, 0);
	assert_int_equal(superseded_of(f).delivered, 1);
	assert_int_equal(superseded_of(f).failed, 1);
	assert_int_equal(reported_of_all(f).delivered, 1);
	assert_int_equal(reported_of_all(f).deferred, 1);
	assert_int_equal(reported_of_all(f).failed, 1);
	assert_string_equal(accounts_own_domain(accounts_find(
				    pipeline_accounts(f->p),
				    &(struct account_id){.kind = ACCOUNT_UID, .uid = ALICE})),
			    "owned.example");
}

/* The envelope may name a neighbour: who submitted it pays. */
static void test_who_submitted_pays(void **state)
{
	struct fixture *f = *state;
	struct outcome one;

	set_rule(f, &fixture_rule);
	f->domain = "neighbour.example";
	for (uint64_t rcpt = 1; rcpt <= 5; rcpt++) {
		assert_int_equal(f->suspended, 0);
		one = report_of_alice(rcpt, SMTP_FAILED, 0);
		one.domain = "neighbour.example";
		take_report(f, FEED_EXIM, &one);
		wire(f, rcpt, SMTP_FAILED);
	}
	assert_int_equal(f->suspended, 1);
	assert_int_equal(f->account.kind, ACCOUNT_UID);
	assert_int_equal(f->account.uid, ALICE);
	assert_null(account_of(f)); /* domain:neighbour.example */
}

/* A forward is charged to nobody, and the wire is superseded all the same. */
static void test_nobody_pays(void **state)
{
	const struct payer nobody = {.relay = true};
	struct outcome one = report_of_alice(1, SMTP_FAILED, 0);
	struct fixture *f = *state;

	one.payer = &nobody;
	wire(f, 9, SMTP_DELIVERED); /* before any report: charged */
	f->now++;
	take_report(f, FEED_EXIM, &one);
	wire(f, 1, SMTP_FAILED);
	one.null_sender = true;
	take_report(f, FEED_EXIM, &one);
	seconds(f, 700);
	assert_alice(f, 1, 0, 0);
	assert_int_equal(feed_of(f).stats.agreed, 1);
	assert_int_equal(feed_of(f).stats.told_only, 0);
	assert_int_equal(reported_of_all(f).failed, 0);
	assert_int_equal(superseded_of(f).failed, 1);
}

static void test_refused_is_no_outcome(void **state)
{
	struct outcome one = report_of_alice(1, SMTP_FAILED, 0);
	struct fixture *f = *state;

	one.source = OUTCOME_REFUSAL;
	take_report(f, FEED_EXIM, &one);
	assert_alice(f, 0, 0, 0);
	assert_int_equal(reported_of_all(f).refused, 1);
	assert_int_equal(reported_of_all(f).failed, 0);
	wire(f, 1, SMTP_FAILED); /* not of that */
	seconds(f, 31);
	assert_alice(f, 0, 0, 1);
}

/* Two hosts, one report, in each order of reading. */
static void test_several_hosts(void **state)
{
	struct fixture *f = *state;

	report(f, 99, SMTP_DELIVERED);
	for (int order = 0; order < 3; order++) {
		uint64_t rcpt = 10 + order;

		f->now++;
		if (order == 0)
			report(f, rcpt, SMTP_DELIVERED);
		wire(f, rcpt, SMTP_DEFERRED);
		if (order == 1)
			report(f, rcpt, SMTP_DELIVERED);
		wire(f, rcpt, SMTP_DELIVERED);
		if (order == 2)
			report(f, rcpt, SMTP_DELIVERED);
	}
	seconds(f, 700);
	assert_alice(f, 4, 0, 0);
	assert_int_equal(feed_of(f).stats.agreed, 3);
	assert_int_equal(feed_of(f).stats.retried, 3);
	assert_int_equal(feed_of(f).stats.wire_only, 0);
	assert_int_equal(superseded_of(f).delivered, 3);
	assert_int_equal(superseded_of(f).deferred, 3);
}

static void test_differences(void **state)
{
	struct fixture *f = *state;

	report(f, 1, SMTP_DELIVERED);
	wire(f, 1, SMTP_FAILED);
	wire(f, 2, SMTP_FAILED);
	seconds(f, 1);
	report(f, 3, SMTP_DEFERRED); /* it lives: the second waits */
	seconds(f, 598);
	assert_int_equal(feed_of(f).stats.wire_only, 0);
	assert_true(feed_of(f).running);
	seconds(f, 1);
	assert_int_equal(feed_of(f).stats.wire_only, 1);
	assert_int_equal(feed_of(f).stats.differed, 1);
	assert_int_equal(feed_of(f).stats.told_only, 1);
	assert_alice(f, 1, 1, 0);
	assert_int_equal(superseded_of(f).failed, 2);
}

/* Each report is of its own round, however late a log is read. */
static void test_backlog(void **state)
{
	struct outcome one;
	struct fixture *f = *state;
	int64_t begin = f->now;

	pipeline_feed_begin(f->p, RELAY, FEED_POSTFIX, f->now * NS_PER_S);
	for (int round = 0; round < 3; round++, f->now += 5)
		wire(f, 1, round < 2 ? SMTP_DEFERRED : SMTP_DELIVERED);
	for (int round = 0; round < 3; round++) {
		one = report_of_alice(1, round < 2 ? SMTP_DEFERRED : SMTP_DELIVERED,
				      (begin + 5 * round) * NS_PER_S);
		take_report(f, FEED_POSTFIX, &one);
		assert_alice(f, round == 2, round < 2, 0);
	}
	seconds(f, 6);
	assert_int_equal(feed_of(f).stats.agreed, 3);
	assert_int_equal(feed_of(f).stats.retried, 0);
}

/* ---- stopping and beginning ---- */

static void test_silence_stops(void **state)
{
	struct fixture *f = *state;

	report(f, 1, SMTP_DELIVERED);
	seconds(f, 1);
	wire(f, 2, SMTP_FAILED);
	anonymous(f, SMTP_DEFERRED, 3);
	pipeline_feed_begin(f->p, RELAY, FEED_EXIM,
			    f->now * NS_PER_S); /* a sign of life proves nothing */
	seconds(f, 29);
	assert_alice(f, 1, 0, 0);
	assert_true(feed_of(f).running);
	seconds(f, 1);
	assert_false(feed_of(f).running);
	assert_int_equal(feed_of(f).changed_ns, f->now * NS_PER_S);
	assert_alice(f, 1, 3, 1);
	wire(f, 3, SMTP_FAILED);
	assert_alice(f, 1, 3, 2);
	pipeline_feed_begin(f->p, RELAY, FEED_EXIM, f->now * NS_PER_S);
	assert_false(feed_of(f).running);
	report(f, 2, SMTP_FAILED); /* both are already charged */
	report(f, 3, SMTP_FAILED);
	assert_true(feed_of(f).running);
	assert_alice(f, 1, 3, 2);
	assert_int_equal(feed_of(f).stats.late, 2);
	assert_int_equal(reported_of_all(f).failed, 0);
	assert_int_equal(superseded_of(f).failed, 0);
	report(f, 3, SMTP_FAILED); /* another message */
	assert_alice(f, 1, 3, 3);
}

/* What was charged counts at its own time, and is judged. */
static void test_stop_judges(void **state)
{
	struct fixture *f = *state;

	set_rule(f, &fixture_rule);
	report(f, 1, SMTP_DELIVERED);
	seconds(f, 1);
	for (uint64_t rcpt = 2; rcpt < 7; rcpt++)
		wire(f, rcpt, SMTP_FAILED);
	seconds(f, 10);
	pipeline_feed_end(f->p, RELAY, PIPELINE_FEED_UNREADABLE, f->now * NS_PER_S);
	assert_alice(f, 1, 0, 5);
	seconds(f, 2);
	assert_int_equal(f->suspended, 1);
	f->uid = ALICE;
	assert_int_equal(window_next_change(&account_of(f)->window, 3600), f->now - 13 + 3600);
}

/* Any report proves that the feed is alive; what waits may be reported after minutes. */
static void test_slow_messages(void **state)
{
	struct fixture *f = *state;

	report(f, 1, SMTP_DELIVERED);
	seconds(f, 1);
	wire(f, 2, SMTP_DEFERRED);
	seconds(f, 29);
	report(f, 3, SMTP_DELIVERED);
	seconds(f, 300);
	assert_true(feed_of(f).running);
	report(f, 2, SMTP_FAILED);
	assert_alice(f, 2, 0, 1);
	seconds(f, 6);
	assert_int_equal(feed_of(f).stats.differed, 1);
}

/* A report slower than the grace on an idle host: the wire was charged, the report is not. */
static void test_slow_and_alone(void **state)
{
	struct fixture *f = *state;

	report(f, 1, SMTP_DELIVERED);
	seconds(f, 1);
	wire(f, 2, SMTP_DEFERRED); /* the first host */
	seconds(f, 40);
	assert_alice(f, 1, 1, 0);
	wire(f, 2, SMTP_DELIVERED); /* the second */
	assert_alice(f, 2, 0, 0);
	seconds(f, 1);
	report(f, 2, SMTP_DELIVERED);
	assert_alice(f, 2, 0, 0);
	assert_int_equal(feed_of(f).stats.late, 1);
}

/* The deferral was charged, the end of the mail went over TLS: its report is charged. */
static void test_charged_deferral_is_not_the_end(void **state)
{
	struct fixture *f = *state;

	wire(f, 2, SMTP_DEFERRED);
	assert_alice(f, 0, 1, 0);
	seconds(f, 1);
	report(f, 2, SMTP_DELIVERED);
	assert_alice(f, 1, 0, 0);
	assert_int_equal(feed_of(f).stats.late, 0);
}

/* The first report is of what was already charged from the wire. */
static void test_begins_in_the_middle(void **state)
{
	struct fixture *f = *state;

	wire(f, 1, SMTP_FAILED);
	report(f, 1, SMTP_FAILED);
	assert_alice(f, 0, 0, 1);
	/* Read late, of before that: its report may have been lost. */
	wire_named(f, SENDER, 2, SMTP_FAILED, f->now * NS_PER_S - 1, f->now * NS_PER_S);
	assert_alice(f, 0, 0, 2);
	report(f, 2, SMTP_FAILED);
	assert_alice(f, 0, 0, 2);
	assert_int_equal(feed_of(f).stats.late, 2);
}

/* Its own report was lost; that of the next message to the same person comes before its outcome.
 * */
static void test_telling_of_the_next(void **state)
{
	struct fixture *f = *state;

	report(f, 9, SMTP_DELIVERED);
	pipeline_feed_end(f->p, RELAY, PIPELINE_FEED_UNREADABLE, f->now * NS_PER_S);
	wire(f, 1, SMTP_FAILED);
	seconds(f, 60);
	report(f, 1, SMTP_FAILED);
	wire(f, 1, SMTP_FAILED);
	seconds(f, 40);
	assert_alice(f, 1, 0, 2);
	assert_int_equal(superseded_of(f).failed, 0);
	assert_int_equal(reported_of_all(f).failed, 0);
}

/* Two messages to the same person, both reported before the second is read: it is the second's. */
static void test_telling_of_both(void **state)
{
	struct fixture *f = *state;

	wire(f, 1, SMTP_FAILED);
	f->now++;
	report(f, 1, SMTP_FAILED);
	report(f, 1, SMTP_FAILED);
	assert_alice(f, 0, 0, 2);
	wire(f, 1, SMTP_FAILED);
	seconds(f, 40);
	assert_alice(f, 0, 0, 2);
	assert_int_equal(superseded_of(f).failed, 1);
	assert_int_equal(feed_of(f).stats.agreed, 1);
}

static void test_unmatched(void **state)
{
	struct fixture *f = *state;

	report(f, 9, SMTP_DELIVERED);
	f->now++;
	anonymous(f, SMTP_FAILED, 3);
	anonymous(f, SMTP_UNKNOWN, 2);
	assert_int_equal(accounted_of(f).failed, 0);
	assert_int_equal(superseded_of(f).unknown, 2);
	f->now++;
	report(f, 8, SMTP_DELIVERED); /* of a later time */
	assert_int_equal(accounted_of(f).failed, 3);
	assert_int_equal(superseded_of(f).failed, 3);
	f->now++;
	anonymous(f, SMTP_FAILED, 4);
	pipeline_feed_end(f->p, RELAY, PIPELINE_FEED_UNREADABLE, f->now * NS_PER_S);
	assert_alice(f, 2, 0, 4);
	assert_int_equal(superseded_of(f).failed, 3);
	/* Lost while it runs: the reading finds it. */
	pipeline_feed_begin(f->p, RELAY, FEED_POSTFIX, f->now * NS_PER_S);
	event_outcome(f, SMTP_FAILED, SMTP_SUBJECT_REST, 0, 5);
	snapshot(f);
	report(f, 7, SMTP_DELIVERED);
	assert_alice(f, 3, 0, 4);
	assert_int_equal(superseded_of(f).failed, 8);
	assert_int_equal(feed_of(f).stats.wire_failed, 8);
}

/* ---- suspensions ---- */

static void test_bypass(void **state)
{
	const struct account_id alice = {.kind = ACCOUNT_UID, .uid = ALICE};
	struct fixture *f = *state;

	wire(f, 1, SMTP_DELIVERED);
	seconds(f, 1);
	assert_int_equal(pipeline_suspend(f->p, &alice, (f->now + 60) * NS_PER_S), 0);
	wire_named(f, SENDER, 2, SMTP_DELIVERED, f->now * NS_PER_S - 1,
		   f->now * NS_PER_S); /* before it */
	assert_int_equal(reported_of_all(f).bypass, 0);
	wire(f, 3, SMTP_DELIVERED);
	wire(f, 4, SMTP_FAILED);
	assert_int_equal(reported_of_all(f).bypass, 2);
	report(f, 5, SMTP_DEFERRED);
	wire(f, 5, SMTP_DEFERRED);
	assert_int_equal(reported_of_all(f).bypass, 3);
	assert_int_equal(pipeline_stats(f->p).bypass, 3);
	f->uid = ALICE; /* directly: not through a mail server */
	f->count = (struct smtpl_count){0};
	anonymous(f, SMTP_FAILED, 7);
	f->uid = RELAY;
	assert_int_equal(reported_of_all(f).bypass, 3);
	assert_alice(f, 1, 0, 0);
	seconds(f, 60);
	report(f, 6, SMTP_FAILED);
	assert_int_equal(reported_of_all(f).bypass, 3);
	assert_alice(f, 0, 0, 1);
}

/* ---- saving ---- */

static void test_saved(void **state)
{
	struct fixture *f = *state;

	report(f, 1, SMTP_FAILED);
	wire(f, 1, SMTP_FAILED);
	pipeline_saved(f->p);
	assert_int_equal(reported_of_all(f).failed, 0);
	assert_int_equal(feed_of(f).relay_uid, 0);
	assert_int_equal(superseded_of(f).failed, 0);
	f->now++;
	wire(f, 2, SMTP_FAILED);
	assert_int_equal(accounted_of(f).failed, 1); /* what waits would be missing */
	assert_int_equal(superseded_of(f).failed, 1);
	pipeline_saved(f->p);
	assert_int_equal(pipeline_forget_key(f->p, RELAY, f->domain), -EBUSY);
	assert_false(pipeline_key_settled(f->p, RELAY, f->domain, &f->count));
	report(f, 2, SMTP_FAILED);
	assert_int_equal(accounted_of(f).failed, 2);
	assert_int_equal(superseded_of(f).failed, 2);
	pipeline_saved(f->p);
	assert_true(pipeline_key_settled(f->p, RELAY, f->domain, &f->count));
	assert_int_equal(pipeline_forget_key(f->p, RELAY, f->domain), 0);
}

/* What waited is found missing: Exim's report would have been lost, a log still has its own. */
static void test_restart(void **state)
{
	static const struct {
		uint32_t mta;
		bool told_then;
		uint64_t failed;
	} rows[] = {{FEED_EXIM, false, 1}, {FEED_POSTFIX, true, 1}, {FEED_POSTFIX, false, 1}};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct smtpl_totals accounted, superseded;
		struct pipeline_feed feed;
		struct outcome one;
		struct fixture *f;

		assert_int_equal(feeds_setup(state), 0);
		f = *state;
		pipeline_feed_begin(f->p, RELAY, rows[i].mta, f->now * NS_PER_S);
		f->now++;
		wire(f, 1, SMTP_FAILED);
		accounted = accounted_of(f);
		superseded = superseded_of(f);
		feed = feed_of(f);
		assert_int_equal(accounted.failed, 0);
		pipeline_free(f->p);
		f->p = pipeline_new(&fixture_ops, f, &feeds_rule);
		f->now++;
		pipeline_restore_key(f->p, RELAY, f->domain, &accounted);
		pipeline_restore_superseded(f->p, RELAY, f->domain, &superseded);
		assert_int_equal(pipeline_restore_feed(f->p, &feed, f->now * NS_PER_S), 0);
		snapshot(f);
		assert_alice(f, 0, 0, rows[i].mta == FEED_EXIM);
		one = report_of_alice(1, SMTP_FAILED, (f->now - 1) * NS_PER_S);
		if (rows[i].told_then)
			take_report(f, rows[i].mta, &one);
		seconds(f, 31);
		assert_alice(f, 0, 0, rows[i].failed);
		fixture_teardown(state);
	}
}

/* ---- bounds ---- */

static void test_bounds(void **state)
{
	struct fixture *f = *state;
	const uint64_t max = 65536;

	report(f, 1, SMTP_DELIVERED);
	f->now++;
	for (uint64_t rcpt = 2; rcpt < max + 12; rcpt++)
		wire(f, rcpt, SMTP_DELIVERED);
	assert_int_equal(feed_of(f).stats.forgotten, 10);
	pipeline_feed_end(f->p, RELAY, PIPELINE_FEED_UNREADABLE, f->now * NS_PER_S);
	assert_alice(f, 1 + max, 0, 0);
	for (uint64_t rcpt = max + 12; rcpt < max + 22; rcpt++)
		wire(f, rcpt, SMTP_DELIVERED);
	assert_alice(f, 11 + max, 0, 0);
	assert_int_equal(feed_of(f).stats.forgotten, 20);
	for (uint64_t rcpt = 2; rcpt < max + 22; rcpt++)
		report(f, rcpt, SMTP_DELIVERED);
	assert_alice(f, 31 + max, 0, 0); /* those twenty are charged by their reports */
	assert_int_equal(feed_of(f).stats.late, max);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FEED_TEST(test_told_is_charged),
		FEED_TEST(test_who_submitted_pays),
		FEED_TEST(test_nobody_pays),
		FEED_TEST(test_refused_is_no_outcome),
		FEED_TEST(test_several_hosts),
		FEED_TEST(test_differences),
		FEED_TEST(test_backlog),
		FEED_TEST(test_silence_stops),
		FEED_TEST(test_stop_judges),
		FEED_TEST(test_slow_messages),
		FEED_TEST(test_slow_and_alone),
		FEED_TEST(test_charged_deferral_is_not_the_end),
		FEED_TEST(test_begins_in_the_middle),
		FEED_TEST(test_telling_of_the_next),
		FEED_TEST(test_telling_of_both),
		FEED_TEST(test_unmatched),
		FEED_TEST(test_bypass),
		FEED_TEST(test_saved),
		cmocka_unit_test(test_restart),
		FEED_TEST(test_bounds),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("feeds", tests, NULL, NULL);
}
