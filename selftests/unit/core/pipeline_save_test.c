// SPDX-License-Identifier: GPL-2.0-only
/*
 * pipeline_save_test.c - what the pipeline gives to be saved and takes back, what it forgets, and
 * what it does without memory.
 */
#include <errno.h>
#include "base/clock.h"
#include "../base/nomem.h"
#include "pipeline_events.h"

struct saved {
	struct pipeline *to;
	int keys;
	int accounts;
};

static int save_key(void *arg, uint32_t uid, const char *domain,
		    const struct smtpl_totals *accounted)
{
	struct saved *s = arg;

	s->keys++;
	return s->to ? pipeline_restore_key(s->to, uid, domain, accounted) : 0;
}

static int save_account(void *arg, const struct account *a)
{
	struct saved *s = arg;
	struct account_id id = accounts_id(a);
	const struct window_mail *m = NULL;
	struct window_slot slot;
	struct window w = {0};

	s->accounts++;
	if (!s->to)
		return 0;
	for (size_t i = 0; window_slot(&a->window, i, &slot); i++)
		assert_int_equal(window_restore_slot(&w, &slot), 0);
	while ((m = window_mail(&a->window, m)))
		assert_int_equal(window_restore_mail(&w, m), 0);
	return pipeline_restore_window(s->to, &id, accounts_own_domain(a), VERDICT_ENFORCE, &w);
}

static void test_save_and_restore(void **state)
{
	struct fixture *f = *state;
	struct pipeline *old = f->p;
	struct saved saved = {0};

	message(f, 500, SMTP_DEFERRED);
	anonymous(f, SMTP_FAILED, 3);
	anonymous(f, SMTP_DELIVERED, 2);
	saved.to = pipeline_new(&fixture_ops, f, &fixture_rule);
	assert_int_equal(pipeline_each_dirty_key(old, save_key, &saved), 0);
	assert_int_equal(pipeline_each_dirty_account(old, save_account, &saved), 0);
	assert_int_equal(saved.keys, 1);
	assert_int_equal(saved.accounts, 1);
	f->p = saved.to;
	pipeline_free(old);
	assert_window(f, 2, 1, 3);
	assert_string_equal(accounts_own_domain(account_of(f)), "a.example");
	snapshot(f); /* nothing is missing: nothing is healed */
	assert_int_equal(pipeline_stats(f->p).healed, 0);
	message(f, 500, SMTP_DEFERRED); /* still the same mail */
	assert_window(f, 2, 1, 3);
	assert_int_equal(f->suspended, 0);
	anonymous(f, SMTP_FAILED, 1);
	assert_int_equal(f->suspended, 1);
}

static void test_dirty(void **state)
{
	struct fixture *f = *state;
	struct saved saved = {0};

	anonymous(f, SMTP_FAILED, 3);
	pipeline_each_dirty_key(f->p, save_key, &saved);
	pipeline_each_dirty_account(f->p, save_account, &saved);
	pipeline_each_dirty_key(f->p, save_key, &saved); /* it was not saved */
	assert_int_equal(saved.keys, 2);
	pipeline_saved(f->p);
	pipeline_each_dirty_key(f->p, save_key, &saved);
	pipeline_each_dirty_account(f->p, save_account, &saved);
	assert_int_equal(saved.keys, 2);
	assert_int_equal(saved.accounts, 1);
	f->count.connections++; /* no attempt, but other figures of the key */
	f->count.last_ns++;
	snapshot(f);
	pipeline_each_dirty_key(f->p, save_key, &saved);
	pipeline_each_dirty_account(f->p, save_account, &saved);
	assert_int_equal(saved.keys, 3);
	assert_int_equal(saved.accounts, 1);
}

/* One that was observed to be over it is not said to be so again, until its time is over. */
static void test_restored_observation(void **state)
{
	struct fixture *f = *state;
	struct account_id alice = {.kind = ACCOUNT_UID, .uid = ALICE};
	struct verdict_rule observe = fixture_rule;
	struct window_slot slot = {f->now - 10, 0, 0, 5};
	struct window w = {0};

	observe.mode = VERDICT_OBSERVE;
	assert_int_equal(window_restore_slot(&w, &slot), 0);
	assert_int_equal(pipeline_restore_window(f->p, &alice, "", VERDICT_OBSERVE, &w), 0);
	assert_int_equal(pipeline_observe(f->p, &alice, (f->now + 100) * NS_PER_S), 0);
	set_rule(f, &observe);
	f->now += 99;
	tick(f);
	assert_int_equal(f->suspended, 0);
	f->now += 1;
	tick(f);
	assert_int_equal(f->suspended, 1);
}

/* A restored account over the line is suspended by the next tick; one whose suspension ended while
 * nobody ran begins empty. */
static void test_restored_verdicts(void **state)
{
	struct fixture *f = *state;
	struct account_id alice = {.kind = ACCOUNT_UID, .uid = ALICE};
	struct account_id bob = {.kind = ACCOUNT_UID, .uid = BOB};
	struct window_slot slot = {f->now - 10, 0, 0, 5};
	struct window one = {0}, two = {0};

	assert_int_equal(window_restore_slot(&one, &slot), 0);
	assert_int_equal(window_restore_slot(&two, &slot), 0);
	assert_int_equal(pipeline_restore_window(f->p, &alice, "", VERDICT_ENFORCE, &one), 0);
	assert_int_equal(pipeline_restore_window(f->p, &bob, "", VERDICT_ENFORCE, &two), 0);
	assert_true(window_empty(&one));
	assert_int_equal(pipeline_suspend(f->p, &bob, (f->now - 5) * NS_PER_S), 0);
	tick(f);
	assert_int_equal(f->suspended, 1);
	assert_int_equal(f->account.uid, ALICE);
	f->uid = BOB;
	assert_int_equal(account_of(f)->state, ACCOUNT_FREE);
	assert_window(f, 0, 0, 0);
}

/* Millions of domains may pass; only those of the window stay. */
static void test_accounts_go(void **state)
{
	struct fixture *f = *state;
	char domain[32];

	f->uid = RELAY;
	for (int i = 0; i < 20000; i++) {
		snprintf(domain, sizeof(domain), "d%d.example", i);
		f->domain = domain;
		f->count = (struct smtpl_count){0};
		anonymous(f, SMTP_FAILED, 1);
	}
	assert_int_equal(pipeline_stats(f->p).accounts, 20000);
	pipeline_saved(f->p);
	f->now += 3600;
	for (int i = 0; i < 1000; i++, f->now++)
		tick(f);
	assert_int_equal(pipeline_stats(f->p).accounts, 20000); /* their rows are to be deleted */
	pipeline_saved(f->p);
	for (int i = 0; i < 3000; i++, f->now++)
		tick(f);
	assert_int_equal(pipeline_stats(f->p).accounts, 0);
	assert_int_equal(pipeline_stats(f->p).collected, 20000);
}

/* A key that the map has forgotten begins at zero; one of which anything waits stays. */
static void test_keys_go(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(pipeline_forget_key(f->p, ALICE, "a.example"), -ENOENT);
	assert_false(pipeline_key_settled(f->p, ALICE, "a.example", &f->count));
	anonymous(f, SMTP_FAILED, 4);
	assert_int_equal(pipeline_forget_key(f->p, ALICE, "a.example"), -EBUSY);
	assert_false(pipeline_key_settled(f->p, ALICE, "a.example", &f->count));
	pipeline_saved(f->p);
	assert_true(pipeline_key_settled(f->p, ALICE, "a.example", &f->count));
	f->count.failed++; /* its event is in the ring */
	assert_false(pipeline_key_settled(f->p, ALICE, "a.example", &f->count));
	f->count.failed--;
	pipeline_snapshot_begin(f->p);
	f->count.delivered++;
	pipeline_snapshot_key(f->p, ALICE, "a.example", &f->count);
	pipeline_saved(f->p);
	assert_int_equal(pipeline_forget_key(f->p, ALICE, "a.example"), -EBUSY);
	pipeline_snapshot_end(f->p, f->now * NS_PER_S);
	pipeline_saved(f->p);
	assert_window(f, 1, 0, 4);
	assert_int_equal(pipeline_forget_key(f->p, ALICE, "a.example"), 0);
	assert_int_equal(pipeline_stats(f->p).keys, 0);
	/* Anew, with totals that were taken in before: they are others. */
	f->count = (struct smtpl_count){0};
	f->now += 7200;
	anonymous(f, SMTP_FAILED, 4);
	assert_window(f, 0, 0, 4);
	assert_int_equal(f->suspended, 0);
	anonymous(f, SMTP_FAILED, 1);
	assert_int_equal(f->suspended, 1);
	snapshot(f);
	assert_int_equal(pipeline_stats(f->p).resets, 0);
	assert_int_equal(pipeline_stats(f->p).late, 0);
}

/* What found no memory is missing, and the next snapshot takes it in. */
static void test_no_memory(void **state)
{
	struct fixture *f = *state;
	struct smtpl_event_outcome e;

	if (!NOMEM_WORKS)
		skip();
	for (long allowed = 0; allowed < 5; allowed++) {
		e = event_outcome(f, SMTP_DELIVERED, SMTP_SUBJECT_REST, 0, 3);
		nomem_after(allowed);
		pipeline_event(f->p, &e, sizeof(e), f->now * NS_PER_S);
		nomem_after(-1);
	}
	assert_int_equal(pipeline_stats(f->p).nomem, 3); /* key, account, window */
	assert_int_equal(pipeline_stats(f->p).attempts, 6);
	snapshot(f);
	assert_int_equal(pipeline_stats(f->p).healed, 9);
	assert_window(f, 15, 0, 0);
	for (long allowed = 0; allowed < 6; allowed++) {
		nomem_after(allowed);
		assert_null(pipeline_new(&fixture_ops, f, &fixture_rule));
		nomem_after(-1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_save_and_restore),  TEST(test_dirty),
		TEST(test_restored_verdicts), TEST(test_restored_observation),
		TEST(test_accounts_go),	      TEST(test_keys_go),
		TEST(test_no_memory),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("pipeline_save", tests, NULL, NULL);
}
