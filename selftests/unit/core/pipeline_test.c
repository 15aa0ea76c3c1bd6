// SPDX-License-Identifier: GPL-2.0-only
/*
 * pipeline_test.c - from events to verdicts: who pays, when an account is suspended and how that
 * ends, what a damaged record does. Lost events: pipeline_heal_test.c; saving and memory:
 * pipeline_save_test.c.
 */
#include <errno.h>
#include "base/clock.h"
#include "pipeline_events.h"

static void test_minimum(void **state)
{
	struct fixture *f = *state;

	anonymous(f, SMTP_FAILED, 4);
	assert_int_equal(f->suspended, 0);
	anonymous(f, SMTP_FAILED, 1);
	assert_int_equal(f->suspended, 1);
	assert_int_equal(f->verdict.bad, 5);
	assert_int_equal(f->verdict.percent, 100);
	assert_int_equal(f->account.kind, ACCOUNT_UID);
	assert_int_equal(f->account.uid, ALICE);
	assert_string_equal(accounts_own_domain(account_of(f)), "a.example");
	assert_int_equal(account_of(f)->until_ns, (f->now + 3600) * NS_PER_S);
}

static void test_percent(void **state)
{
	struct fixture *f = *state;

	anonymous(f, SMTP_DELIVERED, 11);
	anonymous(f, SMTP_FAILED, 10);
	assert_int_equal(f->suspended, 0);
	anonymous(f, SMTP_DEFERRED, 1); /* 11 of 22 */
	assert_int_equal(f->suspended, 1);
	assert_int_equal(f->verdict.percent, 50);
}

/* The known example: 55 %, minimum 7. The table is (delivered, failed) added, then the verdict. */
static void test_worked_example(void **state)
{
	static const struct verdict_rule rule = {.window_s = 3600,
						 .suspend_s = 3600,
						 .percent = 55,
						 .min_failures = 7,
						 .one_remote = 100};
	struct fixture *f = *state;

	set_rule(f, &rule);
	anonymous(f, SMTP_DELIVERED, 5);
	anonymous(f, SMTP_FAILED, 6); /* 6 of 11 */
	assert_int_equal(f->suspended, 0);
	anonymous(f, SMTP_DELIVERED, 2);
	anonymous(f, SMTP_FAILED, 1); /* 7 of 14 */
	assert_int_equal(f->suspended, 0);
	anonymous(f, SMTP_FAILED, 1); /* 8 of 15 */
	assert_int_equal(f->suspended, 0);
	anonymous(f, SMTP_FAILED, 1); /* 9 of 16 */
	assert_int_equal(f->suspended, 1);
	assert_int_equal(f->verdict.bad, 9);
	assert_int_equal(f->verdict.percent, 56);
}

static void test_recipients_of_one_reply(void **state)
{
	struct fixture *f = *state;

	mail(f, 77, 500, 20);
	outcome(f, SMTP_FAILED, SMTP_SUBJECT_REST, 0, 20);
	assert_int_equal(f->suspended, 1);
	assert_int_equal(f->verdict.bad, 20);
}

static void test_retries_and_greylisting(void **state)
{
	struct fixture *f = *state;

	for (int try = 0; try < 20; try++, f->now += 60)
		message(f, 500, SMTP_DEFERRED);
	assert_window(f, 0, 1, 0);
	for (uint64_t hash = 501; hash < 504; hash++)
		message(f, hash, SMTP_DEFERRED);
	assert_window(f, 0, 4, 0);
	for (uint64_t hash = 500; hash < 504; hash++)
		message(f, hash, SMTP_DELIVERED);
	assert_window(f, 4, 0, 0);
	assert_int_equal(f->suspended, 0);
}

static void test_window_seconds(void **state)
{
	static const struct {
		int64_t later;
		int suspended;
	} rows[] = {{3599, 1}, {3600, 0}, {3601, 0}};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct fixture *f;

		assert_int_equal(fixture_setup(state), 0);
		f = *state;
		anonymous(f, SMTP_FAILED, 4);
		f->now += rows[i].later;
		anonymous(f, SMTP_FAILED, 1);
		assert_int_equal(f->suspended, rows[i].suspended);
		fixture_teardown(state);
	}
}

/* The reader's clock was looked at before the event was made: the event's time holds. */
static void test_event_ahead(void **state)
{
	struct fixture *f = *state;
	struct smtpl_event_outcome e;

	f->now += 5;
	e = event_outcome(f, SMTP_FAILED, SMTP_SUBJECT_REST, 0, 5);
	assert_int_equal(pipeline_event(f->p, &e, sizeof(e), (f->now - 5) * NS_PER_S), 0);
	assert_int_equal(f->suspended, 1);
	assert_int_equal(account_of(f)->until_ns, (f->now + 3600) * NS_PER_S);
	assert_int_equal(window_next_change(&account_of(f)->window, 3600), f->now + 3600);
}

/* Time alone: five delivered leave, five failed stay. */
static void test_due_by_time(void **state)
{
	struct fixture *f = *state;
	int64_t begin = f->now;

	anonymous(f, SMTP_DELIVERED, 6);
	f->now += 100;
	anonymous(f, SMTP_FAILED, 5); /* 5 of 11 */
	for (f->now = begin + 101; f->now < begin + 3600; f->now++)
		tick(f);
	assert_int_equal(f->suspended, 0);
	tick(f);
	assert_int_equal(f->suspended, 1);
	assert_int_equal(f->verdict.bad, 5);
	assert_int_equal(f->verdict.percent, 100);
}

static void test_not_due_below_minimum(void **state)
{
	struct fixture *f = *state;

	anonymous(f, SMTP_DELIVERED, 6);
	f->now += 100;
	anonymous(f, SMTP_FAILED, 4);
	for (int64_t end = f->now + 4000; f->now < end; f->now++)
		tick(f);
	assert_int_equal(f->suspended, 0);
}

/* Outcomes during a suspension stay out, and it ends with an empty window at its second. */
static void test_suspension_ends(void **state)
{
	struct fixture *f = *state;
	int64_t begin = f->now;

	anonymous(f, SMTP_FAILED, 5);
	anonymous(f, SMTP_FAILED, 10);
	assert_window(f, 0, 0, 5);
	assert_int_equal(pipeline_stats(f->p).while_suspended, 10);
	f->now = begin + 3599;
	tick(f);
	assert_int_equal(account_of(f)->state, ACCOUNT_SUSPENDED);
	anonymous(f, SMTP_FAILED, 10);
	f->now = begin + 3600;
	tick(f);
	assert_int_equal(account_of(f)->state, ACCOUNT_FREE);
	assert_window(f, 0, 0, 0);
	anonymous(f, SMTP_FAILED, 4);
	assert_window(f, 0, 0, 4);
	assert_int_equal(f->suspended, 1);
	anonymous(f, SMTP_FAILED, 1);
	assert_int_equal(f->suspended, 2);
}

/* The same without a tick in time, and with an event that comes late. */
static void test_suspension_ends_by_event(void **state)
{
	struct fixture *f = *state;
	struct smtpl_event_outcome late;

	anonymous(f, SMTP_FAILED, 5);
	f->now += 3599;
	late = event_outcome(f, SMTP_FAILED, SMTP_SUBJECT_REST, 0, 20);
	f->now += 1;
	anonymous(f, SMTP_DELIVERED, 1);
	assert_window(f, 1, 0, 0);
	send(f, &late, sizeof(late));
	assert_window(f, 1, 0, 0);
	assert_int_equal(f->suspended, 1);
}

static void test_release(void **state)
{
	struct fixture *f = *state;
	struct account_id id = {.kind = ACCOUNT_UID, .uid = ALICE};
	struct account_id nobody = {.kind = ACCOUNT_UID};

	pipeline_release(f->p, &nobody);
	anonymous(f, SMTP_FAILED, 5);
	pipeline_release(f->p, &id);
	assert_int_equal(account_of(f)->state, ACCOUNT_FREE);
	assert_window(f, 0, 0, 0);
	f->now += 1;
	anonymous(f, SMTP_FAILED, 4);
	assert_int_equal(f->suspended, 1);
	assert_int_equal(pipeline_suspend(f->p, &id, (f->now + 10) * NS_PER_S), 0);
	anonymous(f, SMTP_FAILED, 4);
	assert_window(f, 0, 0, 4);
	f->now += 10;
	tick(f);
	assert_window(f, 0, 0, 0);
	assert_int_equal(f->suspended, 1);
}

static void test_release_inside_the_call(void **state)
{
	struct fixture *f = *state;

	f->release_at_once = true;
	anonymous(f, SMTP_FAILED, 5);
	assert_int_equal(f->suspended, 1);
	assert_int_equal(account_of(f)->state, ACCOUNT_FREE);
	assert_window(f, 0, 0, 0);
}

static void test_observe(void **state)
{
	struct fixture *f = *state;

	struct verdict_rule observe = fixture_rule;

	observe.mode = VERDICT_OBSERVE;
	set_rule(f, &observe);
	anonymous(f, SMTP_FAILED, 5);
	anonymous(f, SMTP_FAILED, 5);
	assert_int_equal(f->suspended, 1);
	assert_window(f, 0, 0, 10); /* nothing is refused: all of it counts */
	f->now += 3599;
	anonymous(f, SMTP_FAILED, 5);
	assert_int_equal(f->suspended, 1);
	f->now += 1;
	anonymous(f, SMTP_FAILED, 1); /* the first ten have left */
	assert_int_equal(f->suspended, 2);
	assert_int_equal(f->verdict.bad, 6);
	/* From now on for real: by what is sent from now on. */
	set_rule(f, &fixture_rule);
	f->now += 1;
	tick(f);
	assert_int_equal(f->suspended, 2);
	assert_window(f, 0, 0, 0);
	anonymous(f, SMTP_FAILED, 5);
	assert_int_equal(f->suspended, 3);
	assert_int_equal(account_of(f)->state, ACCOUNT_SUSPENDED);
}

static void test_stricter_rule(void **state)
{
	static const struct verdict_rule strict = {.window_s = 3600,
						   .suspend_s = 3600,
						   .percent = 50,
						   .min_failures = 2,
						   .one_remote = 100};
	struct fixture *f = *state;

	anonymous(f, SMTP_FAILED, 3);
	set_rule(f, &strict);
	f->now += 1;
	tick(f);
	assert_int_equal(f->suspended, 1);
	assert_int_equal(f->verdict.bad, 3);
}

/* A relay's mail is its sender domain's; a direct sender pays for all its domains together. */
static void test_who_pays(void **state)
{
	struct fixture *f = *state;

	anonymous(f, SMTP_FAILED, 3);
	f->domain = "b.example";
	f->count = (struct smtpl_count){0};
	anonymous(f, SMTP_FAILED, 2);
	assert_int_equal(f->suspended, 1);
	f->uid = RELAY;
	anonymous(f, SMTP_FAILED, 4);
	f->domain = "c.example";
	anonymous(f, SMTP_FAILED, 4);
	assert_int_equal(f->suspended, 1);
	anonymous(f, SMTP_FAILED, 1);
	assert_int_equal(f->suspended, 2);
	assert_int_equal(f->account.kind, ACCOUNT_DOMAIN);
	assert_string_equal(f->account.domain, "c.example");
	f->domain = "";
	anonymous(f, SMTP_FAILED, 50);
	f->uid = EXEMPT;
	f->domain = "b.example";
	anonymous(f, SMTP_FAILED, 50);
	assert_int_equal(f->suspended, 2);
	assert_int_equal(pipeline_stats(f->p).not_judged, 100);
	f->uid = BOB;
	anonymous(f, SMTP_UNKNOWN, 50);
	assert_null(account_of(f));
	assert_int_equal(pipeline_stats(f->p).attempts, 3 + 2 + 4 + 5 + 150);
}

/* A domain that somebody owns: what goes through the relay counts with what the owner sends. */
static void test_owners_pay(void **state)
{
	struct fixture *f = *state;

	anonymous(f, SMTP_FAILED, 3); /* ALICE herself */
	f->uid = RELAY;
	f->domain = "owned.example";
	f->count = (struct smtpl_count){0};
	anonymous(f, SMTP_FAILED, 1);
	assert_null(account_of(f)); /* domain:owned.example */
	assert_int_equal(f->suspended, 0);
	anonymous(f, SMTP_FAILED, 1);
	assert_int_equal(f->suspended, 1);
	assert_int_equal(f->account.kind, ACCOUNT_UID);
	assert_int_equal(f->account.uid, ALICE);
	assert_int_equal(f->verdict.bad, 5);
	anonymous(f, SMTP_FAILED, 2);
	assert_int_equal(pipeline_stats(f->p).bypass, 2);
	f->domain = "relayed.example"; /* a relay's own: the domain pays */
	f->count = (struct smtpl_count){0};
	anonymous(f, SMTP_FAILED, 4);
	assert_window(f, 0, 0, 4);
	f->domain = "exempt.example";
	f->count = (struct smtpl_count){0};
	anonymous(f, SMTP_FAILED, 50);
	assert_int_equal(pipeline_stats(f->p).not_judged, 50);
	assert_int_equal(f->suspended, 1);
}

/* Healed attempts go the same way. */
static void test_owners_pay_for_lost_events(void **state)
{
	struct fixture *f = *state;

	f->uid = RELAY;
	f->domain = "owned.example";
	event_outcome(f, SMTP_FAILED, SMTP_SUBJECT_REST, 0, 5);
	snapshot(f);
	assert_int_equal(f->suspended, 1);
	assert_int_equal(f->account.uid, ALICE);
}

/* ---- damaged records ---- */

static void refuse(struct fixture *f, const void *data, size_t size)
{
	uint64_t before = pipeline_stats(f->p).malformed;

	assert_int_equal(pipeline_event(f->p, data, size, f->now * NS_PER_S), -EPROTO);
	assert_int_equal(pipeline_stats(f->p).malformed, before + 1);
}

static void test_malformed(void **state)
{
	struct fixture *f = *state;
	struct smtpl_event_outcome good = event_outcome(f, SMTP_FAILED, SMTP_SUBJECT_RCPT, 1, 1), e;
	struct smtpl_event_path p = {event_head(f, SMTPL_EVENT_MAIL), .txn = 1, .hash = 1}, q;

	for (size_t size = 0; size < sizeof(good); size++)
		refuse(f, &good, size);
	for (size_t size = 0; size < sizeof(p); size++)
		refuse(f, &p, size);
#define BAD(field, value) (e = good, e.field = (value), refuse(f, &e, sizeof(e)))
	BAD(head.type, 0);
	BAD(head.type, 6);
	BAD(head.time_ns, (f->now + 61) * NS_PER_S);
	BAD(outcome, 0);
	BAD(outcome, SMTP_OUTCOMES);
	BAD(outcome, SMTP_DELIVERED); /* whose total is 0 */
	BAD(subject, 0);
	BAD(subject, 6);
	BAD(count, 0);
	BAD(count, 2);
	BAD(rcpt, 0);
	BAD(code, 199);
	BAD(code, 600);
#undef BAD
	e = good;
	memset(e.domain, 'x', sizeof(e.domain));
	refuse(f, &e, sizeof(e));
#define BAD(field, value) (q = p, q.field = (value), refuse(f, &q, sizeof(q)))
	BAD(txn, 0);
	BAD(hash, 0);
	BAD(rcpt, 1);
	BAD(head.type, SMTPL_EVENT_RCPT);
#undef BAD
	assert_window(f, 0, 0, 0);
	send(f, &p, sizeof(p));
	send(f, &good, sizeof(good));
	assert_window(f, 0, 0, 1);
}

/* Any bytes at all: no crash, and no more taken in than the totals say. */
static void test_noise(void **state)
{
	struct fixture *f = *state;
	uint64_t words[64], seed = 88172645463325252ull;

	print_message("# seed %llu\n", (unsigned long long)seed);
	for (int i = 0; i < 200000; i++) {
		struct smtpl_event *head = (void *)words;
		struct smtpl_event_outcome *e = (void *)words;

		for (size_t w = 0; w < 64; w++) {
			seed ^= seed << 13;
			seed ^= seed >> 7;
			seed ^= seed << 17;
			words[w] = seed;
		}
		head->type %= 6;
		head->cookie %= 64;
		head->uid %= 8;
		head->time_ns = f->now * NS_PER_S;
		e->outcome %= 5;
		e->subject %= 6;
		e->code = 250;
		e->txn %= 8; /* those of MAIL and RCPT lie elsewhere and are as they are */
		e->domain[seed % SMTPL_DOMAIN_SIZE] = 0;
		if (seed % 3)
			e->count = e->rcpt = 1;
		pipeline_event(f->p, words, sizeof(words), f->now * NS_PER_S);
	}
	assert_true(pipeline_stats(f->p).malformed < 200000);
	assert_true(pipeline_stats(f->p).attempts > 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_minimum),
		TEST(test_percent),
		TEST(test_worked_example),
		TEST(test_recipients_of_one_reply),
		TEST(test_retries_and_greylisting),
		cmocka_unit_test(test_window_seconds),
		TEST(test_event_ahead),
		TEST(test_due_by_time),
		TEST(test_not_due_below_minimum),
		TEST(test_suspension_ends),
		TEST(test_suspension_ends_by_event),
		TEST(test_release),
		TEST(test_release_inside_the_call),
		TEST(test_observe),
		TEST(test_stricter_rule),
		TEST(test_who_pays),
		TEST(test_owners_pay),
		TEST(test_owners_pay_for_lost_events),
		TEST(test_malformed),
		TEST(test_noise),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("pipeline", tests, NULL, NULL);
}
