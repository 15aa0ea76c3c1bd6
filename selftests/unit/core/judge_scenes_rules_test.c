// SPDX-License-Identifier: GPL-2.0-only
/*
 * judge_scenes_rules_test.c - accounts with rules of their own, the notice that one is near the
 * line, and what a listener hears of each outcome.
 */
#include "judge_scenes.h"

/* ---- rules of accounts ---- */

static void test_own_rules(void **state)
{
	struct host *h = *state;

	rule_of(h, 1)->min_failures = 10;
	rule_of(h, 2)->percent = 90;
	rule_of(h, 3)->suspend_s = 60;
	for (int account = 0; account < 4; account++) {
		write_new(h, account, 1, &thanks);
		write_many(h, account, 8, &no_such_user);
	}
	assert_suspended(h, 0, 5, 83);
	assert_free(h, 1);
	assert_free(h, 2);
	assert_suspended(h, 3, 5, 83);
	assert_int_equal(account_at(h, 0)->until_ns / NS_PER_S - h->now, HOUR);
	assert_int_equal(account_at(h, 3)->until_ns / NS_PER_S - h->now, 60);
	write_many(h, 1, 2, &no_such_user);
	write_many(h, 2, 1, &no_such_user);
	assert_suspended(h, 1, 10, 90);
	assert_suspended(h, 2, 9, 90);
}

/* Over the line, said once, and judged on; from then on only what is sent later counts. */
static void test_observe_then_enforce(void **state)
{
	struct host *h = *state;

	rule_of(h, 1)->mode = VERDICT_OBSERVE;
	write_many(h, 1, 20, &no_such_user);
	assert_suspended(h, 1, 5, 100);
	assert_int_equal(account_at(h, 1)->state, ACCOUNT_OBSERVED);
	assert_int_equal(h->counted[COUNTED_SUSPENDED], 0);
	assert_mails(h, 1, 0, 0, 20);
	advance(h, 10);
	h->accounts[1].rule.mode = VERDICT_ENFORCE;
	change_rule(h);
	assert_mails(h, 1, 0, 0, 0);
	assert_int_equal(account_at(h, 1)->state, ACCOUNT_FREE);
	write_many(h, 1, 4, &no_such_user);
	advance(h, 10);
	assert_int_equal(h->accounts[1].suspended, 1);
	write_many(h, 1, 1, &no_such_user);
	assert_int_equal(h->accounts[1].suspended, 2);
	assert_int_equal(account_at(h, 1)->state, ACCOUNT_SUSPENDED);
}

/* The other way, and one that is enforced all along, change nothing. */
static void test_rule_changes_nothing_else(void **state)
{
	struct host *h = *state;

	write_many(h, 0, 4, &no_such_user);
	write_many(h, 1, 4, &no_such_user);
	rule_of(h, 1)->mode = VERDICT_OBSERVE;
	change_rule(h);
	assert_mails(h, 0, 0, 0, 4);
	assert_mails(h, 1, 0, 0, 4);
	write_many(h, 0, 1, &no_such_user);
	write_many(h, 1, 1, &no_such_user);
	assert_int_equal(account_at(h, 0)->state, ACCOUNT_SUSPENDED);
	assert_int_equal(account_at(h, 1)->state, ACCOUNT_OBSERVED);
}

/* 80 % of the way: four of five failures, and 40 % of the mails. */
static void test_near(void **state)
{
	struct host *h = *state;

	for (int i = 0; i < 6; i++)
		write_new(h, 0, 1, &thanks);
	for (int i = 0; i < 7; i++)
		write_new(h, 1, 1, &thanks);
	write_many(h, 0, 3, &no_such_user);
	write_many(h, 1, 4, &no_such_user);
	write_many(h, 2, 3, &no_such_user);
	for (int i = 0; i < 3; i++)
		assert_int_equal(h->accounts[i].near, 0);
	write_many(h, 0, 1, &no_such_user);
	write_many(h, 2, 1, &no_such_user);
	assert_int_equal(h->accounts[0].near, 1);
	assert_int_equal(h->accounts[0].verdict.percent, 40);
	assert_int_equal(h->accounts[0].verdict.headroom, 2);
	assert_int_equal(h->accounts[1].near, 0);
	assert_int_equal(h->accounts[2].near, 1);
	assert_int_equal(h->accounts[2].verdict.headroom, 1);
	assert_all_free(h);
}

/* What is set aside is on no way to the line: 4 of 11 mails. */
static void test_near_without_what_is_set_aside(void **state)
{
	struct host *h = *state;

	for (int i = 0; i < 7; i++)
		write_new(h, 0, 1, &thanks);
	write_many(h, 0, 12, &block_list);
	write_many(h, 0, 4, &no_such_user);
	assert_int_equal(h->accounts[0].near, 0);
	write_many(h, 0, 1, &no_such_user);
	assert_int_equal(h->accounts[0].near, 1);
	assert_int_equal(h->accounts[0].verdict.percent, 41);
}

static void test_near_once_an_hour(void **state)
{
	struct host *h = *state;

	rule_of(h, 0)->min_failures = 100;
	for (int i = 0; i < 85; i++) {
		write_new(h, 0, 1 + i, &no_such_user);
		advance(h, i >= 79 ? 10 * MINUTES : 1); /* the 80th is the first of them */
	}
	assert_int_equal(h->accounts[0].near, 1);
	write_many(h, 0, 80, &no_such_user);
	assert_int_equal(h->accounts[0].near, 2);
	h->rule.warn = 0;
	rule_of(h, 1);
	write_many(h, 1, 4, &no_such_user);
	assert_int_equal(h->accounts[1].near, 0);
	assert_all_free(h);
}

/* A suspension ends by itself, with the first mail as well as with a tick. */
static void test_end_of_a_suspension(void **state)
{
	struct host *h = *state;

	write_many(h, 0, 5, &no_such_user);
	h->now += HOUR - 1;
	write_new(h, 0, 1, &no_such_user);
	assert_int_equal(h->last, COUNTED_SUSPENDED);
	h->now++;
	write_many(h, 0, 4, &no_such_user);
	assert_int_equal(h->last, COUNTED_MAIL);
	assert_int_equal(h->accounts[0].suspended, 1);
	write_many(h, 0, 1, &no_such_user);
	assert_int_equal(h->accounts[0].suspended, 2);
}

/* ---- whoever listens to outcomes ---- */

static void test_every_kind_is_heard(void **state)
{
	struct host *h = *state;
	struct letter deferred = write_new(h, 0, 1, &mailbox_full);

	assert_int_equal(h->last, COUNTED_MAIL);
	advance(h, MINUTES);
	try_letter(h, &deferred, &mailbox_full);
	assert_int_equal(h->last, COUNTED_RETRY);
	write_to(h, 0, 500, 1, &no_such_user);
	assert_int_equal(h->last, COUNTED_MAIL);
	write_to(h, 0, 500, 1, &no_such_user);
	assert_int_equal(h->last, COUNTED_SAME_RECIPIENT);
	write_new(h, 0, 1, &block_list);
	assert_int_equal(h->last, COUNTED_SET_ASIDE);
	write_new(h, 0, 1, &thanks);
	assert_int_equal(h->last, COUNTED_MAIL);
	write_new(h, HOST_EXEMPT, 1, &no_such_user);
	assert_int_equal(h->last, COUNTED_NOBODY);
	advance(h, HOUR);
	try_letter(h, &deferred, &no_such_user);
	assert_int_equal(h->last, COUNTED_OLD);
	write_many(h, 0, 5, &no_such_user);
	write_new(h, 0, 1, &thanks);
	assert_int_equal(h->last, COUNTED_SUSPENDED);
	h->refuses = h->source == HOST_REPORTS;
	write_new(h, 1, 1, &no_such_user);
	assert_int_equal(h->last, h->refuses ? COUNTED_NOBODY : COUNTED_MAIL);
	assert_int_equal(h->heard, 15);
}

/* A mail as this file remembers it, account by account. */
struct kept {
	struct letter letter;
	enum smtp_outcome outcome;
	int suspensions; /* of its account so far, when it was first tried */
	bool counts;	 /* it came into the window then */
};

#define DEAD 3 /* so many dead addresses get mail again and again */

/* What happened so far, told by the test alone. */
struct story {
	struct kept kept[2000];
	int used;
	uint64_t seed;
	uint64_t counted[COUNTED_KINDS];
};

static bool is_inside(const struct host *h, const struct kept *k)
{
	return k->counts && k->letter.sent > h->now - HOUR &&
	       k->suspensions == h->accounts[k->letter.account].suspended;
}

static bool has_failed_there(const struct host *h, const struct story *s, const struct letter *l)
{
	for (int i = 0; i < s->used; i++)
		if (s->kept[i].letter.account == l->account && s->kept[i].letter.rcpt == l->rcpt &&
		    s->kept[i].outcome != SMTP_DELIVERED && is_inside(h, &s->kept[i]))
			return true;
	return false;
}

static enum outcome_counted expected(const struct host *h, const struct story *s,
				     const struct kept *k, bool again, const struct said *said)
{
	if (k->letter.account == HOST_EXEMPT)
		return COUNTED_NOBODY;
	if (h->now < h->accounts[k->letter.account].until)
		return COUNTED_SUSPENDED;
	if (again && !is_inside(h, k))
		return COUNTED_OLD;
	if (said == &block_list)
		return COUNTED_SET_ASIDE;
	if (again)
		return COUNTED_RETRY;
	return said != &thanks && has_failed_there(h, s, &k->letter) ? COUNTED_SAME_RECIPIENT :
								       COUNTED_MAIL;
}

static void play(struct host *h, struct story *s, struct kept *k, bool again)
{
	static const struct said *const replies[] = {&thanks,	    &thanks,	 &thanks,
						     &thanks,	    &thanks,	 &mailbox_full,
						     &mailbox_full, &block_list, &no_such_user};
	const struct said *said = replies[random_next(&s->seed) % 9];
	int account = k->letter.account;
	enum outcome_counted counted;
	int before = h->accounts[account].suspended;

	if (k->letter.rcpt <= DEAD)
		said = &no_such_user;
	counted = expected(h, s, k, again, said);
	try_letter(h, &k->letter, said);
	assert_int_equal(h->last, counted);
	s->counted[counted]++;
	if (!again) {
		k->counts = counted != COUNTED_SUSPENDED && counted != COUNTED_NOBODY;
		k->suspensions = before;
	}
	k->outcome = said->outcome;
}

static struct kept *some_pending(struct story *s)
{
	int begin = s->used ? (int)(random_next(&s->seed) % (uint64_t)s->used) : 0;

	for (int i = begin; i < s->used; i++)
		if (s->kept[i].outcome == SMTP_DEFERRED)
			return &s->kept[i];
	return NULL;
}

/* Accounts 0 to 19 and an exempt user, ten hours long; a fifth of the mails goes to dead addresses
 * that may have had mail before. */
static void test_tally_of_outcomes(void **state)
{
	struct host *h = *state;
	struct story *s = calloc(1, sizeof(*s));

	assert_non_null(s);
	s->seed = 4711;
	while (s->used < 2000) {
		struct kept *k = random_next(&s->seed) % 6 ? NULL : some_pending(s);
		uint64_t which = random_next(&s->seed) % 21;
		uint32_t rcpt = random_next(&s->seed) % 5 ? 10000u + s->used : 1 + which % DEAD;
		bool again = k != NULL;

		if (!again) {
			k = &s->kept[s->used++];
			k->letter = (struct letter){which < 20 ? (int)which : HOST_EXEMPT,
						    1 + s->used % 50, rcpt, h->now};
		}
		play(h, s, k, again);
		advance(h, random_next(&s->seed) % 30);
	}
	for (int i = 0; i < COUNTED_KINDS; i++) {
		assert_int_equal(h->counted[i], s->counted[i]);
		assert_true(s->counted[i] > 0);
	}
	assert_true(suspended_accounts(h) > 3);
	free(s);
}

/* The reports of a message's recipients come one after the other: those of before the line was
 * crossed get past no suspension. */
static void test_bypass(void **state)
{
	struct host *h = *state;
	bool relay = h->source == HOST_REPORTS;

	write_many(h, 0, 5, &no_such_user);
	assert_suspended(h, 0, 5, 100);
	h->now--;
	write_new(h, 0, 1, &no_such_user);
	h->now++;
	assert_int_equal(h->last, COUNTED_SUSPENDED);
	assert_int_equal(h->bypassed, 0);
	advance(h, 1);
	write_new(h, 0, 1, &no_such_user);
	assert_int_equal(h->bypassed, relay);
	advance(h, HOUR);
	write_new(h, 0, 1, &thanks);
	assert_int_equal(h->bypassed, relay);
}

/* Nobody was refused while the account was observed; what it sent then is not held against it. */
static void test_own_mode_is_over(void **state)
{
	struct host *h = *state;

	rule_of(h, 0)->mode = VERDICT_OBSERVE;
	change_rule(h);
	write_many(h, 0, 10, &no_such_user);
	assert_int_equal(account_at(h, 0)->state, ACCOUNT_OBSERVED);
	h->accounts[0].has_rule = false; /* as of that time, with no reload */
	advance(h, MINUTES);
	write_many(h, 0, 4, &no_such_user);
	assert_int_equal(h->accounts[0].suspended, 1);
	write_many(h, 0, 1, &no_such_user);
	assert_int_equal(h->accounts[0].suspended, 2);
	assert_int_equal(account_at(h, 0)->state, ACCOUNT_SUSPENDED);
}

static void test_own_mode_is_over_below_the_line(void **state)
{
	struct host *h = *state;

	rule_of(h, 0)->mode = VERDICT_OBSERVE;
	change_rule(h);
	write_many(h, 0, 4, &no_such_user);
	h->accounts[0].has_rule = false;
	advance(h, 1);
	write_many(h, 0, 1, &no_such_user);
	assert_free(h, 0);
	advance(h, 1);
	write_many(h, 0, 3, &no_such_user);
	assert_free(h, 0);
	write_many(h, 0, 1, &no_such_user);
	assert_suspended(h, 0, 5, 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SCENE(test_own_rules),
		SCENE(test_observe_then_enforce),
		SCENE(test_rule_changes_nothing_else),
		SCENE(test_near),
		SCENE(test_near_without_what_is_set_aside),
		SCENE(test_near_once_an_hour),
		SCENE(test_end_of_a_suspension),
		SCENE(test_every_kind_is_heard),
		SCENE(test_tally_of_outcomes),
		SCENE(test_bypass),
		SCENE(test_own_mode_is_over),
		SCENE(test_own_mode_is_over_below_the_line),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("judge_scenes_rules", tests, NULL, NULL);
}
