/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * pipeline_feeds.h - a relay whose server reports its deliveries: its attempts as the kernel sees
 * them, with a mail and a time of their own, its reports, and what the pipeline gives to be saved
 * of both.
 */
#ifndef SMTPL_TEST_PIPELINE_FEEDS_H
#define SMTPL_TEST_PIPELINE_FEEDS_H

#include "base/clock.h"
#include "pipeline_events.h"
#include "core/delivery_report.h"
#include "core/sessions.h"

#define MS     1000000ull
#define SENDER 77

static const struct verdict_rule feeds_rule = {.window_s = 86400,
					       .suspend_s = 3600,
					       .percent = 100,
					       .min_failures = 1000000,
					       .one_remote = 100};

static inline int feeds_setup(void **state)
{
	int err = fixture_setup(state);
	struct fixture *f = *state;

	if (err)
		return err;
	set_rule(f, &feeds_rule);
	f->uid = RELAY;
	f->domain = "owned.example"; /* ALICE's */
	return 0;
}

static inline void wire_named(struct fixture *f, uint64_t sender, uint64_t rcpt,
			      enum smtp_outcome o, uint64_t time_ns, uint64_t now_ns)
{
	struct smtpl_event_path m = {
		.head = event_head(f, SMTPL_EVENT_MAIL), .txn = ++f->txn, .hash = sender};
	struct smtpl_event_path r = {
		.head = event_head(f, SMTPL_EVENT_RCPT), .txn = f->txn, .rcpt = 1, .hash = rcpt};
	struct smtpl_event_outcome e = event_outcome(f, o, SMTP_SUBJECT_REST, 0, 1);

	m.head.time_ns = r.head.time_ns = e.head.time_ns = f->count.last_ns = time_ns;
	assert_int_equal(pipeline_event(f->p, &m, sizeof(m), now_ns), 0);
	assert_int_equal(pipeline_event(f->p, &r, sizeof(r), now_ns), 0);
	assert_int_equal(pipeline_event(f->p, &e, sizeof(e), now_ns), 0);
}

/* One attempt, read as soon as it was made. */
static inline void wire(struct fixture *f, uint64_t rcpt, enum smtp_outcome o)
{
	wire_named(f, SENDER, rcpt, o, f->now * NS_PER_S, f->now * NS_PER_S);
}

static const struct payer feeds_alice = {
	.id = {.kind = ACCOUNT_UID, .uid = ALICE}, .pays = true, .relay = true};
static const struct outcome_detail feeds_detail;

static inline struct outcome report_of_alice(uint64_t rcpt, enum smtp_outcome o, uint64_t time_ns)
{
	return (struct outcome){.outcome = o,
				.source = OUTCOME_REPORT,
				.uid = RELAY,
				.payer = &feeds_alice,
				.domain = "owned.example",
				.mail = sessions_mail_identity(SENDER, rcpt),
				.rcpt = sessions_rcpt_identity(rcpt),
				.time_ns = time_ns,
				.age_s = OUTCOME_AGE_UNKNOWN,
				.detail = &feeds_detail};
}

static inline void take_report(struct fixture *f, enum feed_mta mta, const struct outcome *report)
{
	assert_int_equal(pipeline_report(f->p, mta, report, f->now * NS_PER_S), 0);
}

static inline void report(struct fixture *f, uint64_t rcpt, enum smtp_outcome o)
{
	struct outcome one = report_of_alice(rcpt, o, f->now * NS_PER_S);

	take_report(f, FEED_EXIM, &one);
}

static inline void seconds(struct fixture *f, int64_t count)
{
	while (count-- > 0) {
		f->now++;
		tick(f);
	}
}

static inline void assert_alice(struct fixture *f, uint64_t delivered, uint64_t deferred,
				uint64_t failed)
{
	f->uid = ALICE;
	assert_window(f, delivered, deferred, failed);
	f->uid = RELAY;
}

static inline int note_feed(void *arg, const struct pipeline_feed *feed)
{
	*(struct pipeline_feed *)arg = *feed;
	return 0;
}

/* Of the one feed, with nothing ever saved. */
static inline struct pipeline_feed feed_of(struct fixture *f)
{
	struct pipeline_feed feed = {0};

	assert_int_equal(pipeline_each_dirty_feed(f->p, note_feed, &feed), 0);
	return feed;
}

static inline int sum_totals(void *arg, uint32_t uid, const char *domain,
			     const struct smtpl_totals *more)
{
	struct smtpl_totals *sum = arg;

	(void)uid;
	(void)domain;
	sum->delivered += more->delivered;
	sum->deferred += more->deferred;
	sum->failed += more->failed;
	sum->unknown += more->unknown;
	return 0;
}

static inline struct smtpl_totals superseded_of(struct fixture *f)
{
	struct smtpl_totals sum = {0};

	assert_int_equal(pipeline_each_dirty_superseded(f->p, sum_totals, &sum), 0);
	return sum;
}

static inline struct smtpl_totals accounted_of(struct fixture *f)
{
	struct smtpl_totals sum = {0};

	assert_int_equal(pipeline_each_dirty_key(f->p, sum_totals, &sum), 0);
	return sum;
}

static inline int sum_reported(void *arg, const struct account_id *account, const char *domain,
			       const struct relay_count *more)
{
	(void)account;
	(void)domain;
	relay_count_add(arg, more);
	return 0;
}

static inline struct relay_count reported_of_all(struct fixture *f)
{
	struct relay_count sum = {0};

	assert_int_equal(pipeline_each_relay_count(f->p, sum_reported, &sum), 0);
	return sum;
}

#define FEED_TEST(f) cmocka_unit_test_setup_teardown(f, feeds_setup, fixture_teardown)

#endif
