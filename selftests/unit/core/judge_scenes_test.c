// SPDX-License-Identifier: GPL-2.0-only
/*
 * judge_scenes_test.c - one account as it goes about its day: what it sends, what becomes of it in
 * the next two days, and that nobody is stopped for it; and beside it who must be stopped.
 */
#include "judge_scenes.h"

/* ---- a newsletter ---- */

#define NEWSLETTER 1000
#define STALE	   5

/* 10 mails in 3 seconds; every 200th finds a full mailbox, each at another receiver. */
static void newsletter(struct host *h, struct letter stale[STALE])
{
	for (int i = 0; i < NEWSLETTER; i++) {
		if (i % (NEWSLETTER / STALE) == 100)
			stale[i / (NEWSLETTER / STALE)] =
				write_new(h, 0, 1 + i % 50 + 50 * (i / 200), &mailbox_full);
		else
			write_new(h, 0, 1 + i % 50, &thanks);
		advance(h, i % 10 == 2 || i % 10 == 5 || i % 10 == 9);
	}
}

static void test_newsletter(void **state)
{
	struct host *h = *state;
	struct letter stale[STALE];

	newsletter(h, stale);
	assert_mails(h, 0, NEWSLETTER - STALE, STALE, 0);
	for (int run = 0; run < 96; run++) {
		advance(h, 30 * MINUTES);
		for (int i = 0; i < STALE; i++)
			try_letter(h, &stale[i], run < 95 ? &mailbox_full : &no_such_user);
	}
	assert_free(h, 0);
	assert_int_equal(h->accounts[0].near, 0);
	assert_mails(h, 0, 0, 0, 0);
}

/* The same customer's script, after somebody found it. */
static void test_newsletter_to_a_bought_list(void **state)
{
	struct host *h = *state;

	for (int i = 0; i < 8; i++)
		write_new(h, 0, 1 + i, i % 2 ? &thanks : &no_such_user);
	assert_free(h, 0);
	write_new(h, 0, 9, &no_such_user);
	assert_suspended(h, 0, 5, 55);
	for (int i = 9; i < NEWSLETTER; i++)
		write_new(h, 0, 1 + i % 50, i % 2 ? &thanks : &no_such_user);
	assert_int_equal(h->accounts[0].suspended, 1);
	assert_int_equal(h->counted[COUNTED_SUSPENDED], NEWSLETTER - 9);
}

/* ---- the queue alone ---- */

#define QUEUE 8

/* Exim's default schedule, with queue runs 30 minutes apart, and Postfix's: seconds since the mail
 * was first tried. */
static const uint32_t exim_tries[] = {
	1800,  3600,  5400,  7200,   9000,   12600,  18000,  27000,
	39600, 59400, 81000, 102600, 124200, 145800, 167400,
};
static const uint32_t postfix_tries[] = {
	450,	1050,	2250,	4650,	8850,	13050,	17250,	21450,	25650,	29850,	34050,
	38250,	42450,	46650,	50850,	55050,	59250,	63450,	67650,	71850,	76050,	80250,
	84450,	88650,	92850,	97050,	101250, 105450, 109650, 113850, 118050, 122250, 126450,
	130650, 134850, 139050, 143250, 147450, 151650, 155850, 160050, 164250, 168450, 172650,
};

/* Each gives up at the first try that finds the mail too old, after 4 and 5 days. */
#define EXIM_LAST_S    (4 * DAY + 6 * HOUR)
#define POSTFIX_LAST_S (5 * DAY + 4200)

/* 40 mails in 10 minutes, every fifth of them deferred. */
static void fill_queue(struct host *h, struct letter queue[QUEUE])
{
	for (int i = 0; i < 5 * QUEUE; i++) {
		if (i % 5 == 2)
			queue[i / 5] = write_new(h, 0, 1 + i, &mailbox_full);
		else
			write_new(h, 0, 1 + i, &thanks);
		advance(h, 15);
	}
	assert_mails(h, 0, 4 * QUEUE, QUEUE, 0);
}

static void run_queue(struct host *h, const struct letter queue[QUEUE], const struct said *said)
{
	for (int i = 0; i < QUEUE; i++)
		try_letter(h, &queue[i], said);
}

/* What happens to the account or the daemon after so many tries. */
static void happen(struct host *h, int tries)
{
	const struct account_id id = account_id_of(0);

	if (tries == 3 || tries == 7 || tries == 13)
		restart(h);
	if (tries == 5)
		assert_int_equal(pipeline_suspend(h->p, &id, (h->now + 12 * HOUR) * NS_PER_S), 0);
	if (tries == 9)
		pipeline_release(h->p, &id);
}

static void play_queue(struct host *h, const uint32_t *tries, int count, int64_t last, bool happens)
{
	struct letter queue[QUEUE];
	int64_t begin = h->now;

	fill_queue(h, queue);
	for (int i = 0; i < count; i++) {
		advance(h, begin + tries[i] - h->now);
		run_queue(h, queue, &mailbox_full);
		if (happens)
			happen(h, i);
		if (tries[i] > HOUR + 600)
			assert_mails(h, 0, 0, 0, 0);
	}
	advance(h, begin + last - h->now);
	run_queue(h, queue, &mailbox_full);
	advance(h, 1);
	run_queue(h, queue, &no_such_user);
	assert_mails(h, 0, 0, 0, 0);
	assert_free(h, 0);
	assert_int_equal(h->accounts[0].near, 0);
	assert_int_equal(h->counted[COUNTED_MAIL], 5 * QUEUE);
	/* The account is judged as ever. */
	write_many(h, 0, 4, &mailbox_full);
	assert_free(h, 0);
	write_many(h, 0, 1, &mailbox_full);
	assert_int_equal(h->accounts[0].suspended, 1);
}

static void test_queue_alone_exim(void **state)
{
	play_queue(*state, exim_tries, sizeof(exim_tries) / sizeof(*exim_tries), EXIM_LAST_S,
		   false);
}

static void test_queue_alone_postfix(void **state)
{
	play_queue(*state, postfix_tries, sizeof(postfix_tries) / sizeof(*postfix_tries),
		   POSTFIX_LAST_S, false);
}

static void test_queue_over_suspension_and_restart(void **state)
{
	play_queue(*state, exim_tries, sizeof(exim_tries) / sizeof(*exim_tries), EXIM_LAST_S, true);
}

static void test_queue_over_suspension_and_restart_postfix(void **state)
{
	play_queue(*state, postfix_tries, sizeof(postfix_tries) / sizeof(*postfix_tries),
		   POSTFIX_LAST_S, true);
}

/* The account's own mail suspends it; what was deferred before is tried again when that is over. */
static void test_queue_after_a_verdict(void **state)
{
	struct host *h = *state;
	struct letter queue[QUEUE];

	for (int i = 0; i < 5; i++)
		queue[i] = write_new(h, 0, 1 + i, &mailbox_full);
	assert_suspended(h, 0, 5, 100);
	for (int i = 5; i < QUEUE; i++) /* a mail server took them in before */
		queue[i] = write_new(h, 0, 1 + i, &mailbox_full);
	for (int run = 0; run < 96; run++) {
		advance(h, 30 * MINUTES);
		run_queue(h, queue, &mailbox_full);
	}
	run_queue(h, queue, &no_such_user);
	assert_int_equal(h->accounts[0].suspended, 1);
	assert_mails(h, 0, 0, 0, 0);
	write_many(h, 0, 5, &mailbox_full);
	assert_int_equal(h->accounts[0].suspended, 2);
}

/* ---- one address ---- */

/* A failure counts once more for each further 20: the 1st, 21st, 41st, 61st and 81st. */
static void test_tries_at_one_dead_address(void **state)
{
	struct host *h = *state;

	for (int i = 0; i < 60; i++) {
		write_to(h, 0, 500, 1, &no_such_user);
		advance(h, 10);
	}
	assert_int_equal(h->accounts[0].near, 0);
	assert_int_equal(h->counted[COUNTED_MAIL], 1);
	assert_int_equal(h->counted[COUNTED_SAME_RECIPIENT], 59);
	write_to(h, 0, 500, 1, &no_such_user);
	assert_int_equal(h->accounts[0].near, 1);
	assert_int_equal(h->accounts[0].verdict.bad, 4);
	for (int i = 61; i < 80; i++)
		write_to(h, 0, 500, 1, &no_such_user);
	assert_free(h, 0);
	write_to(h, 0, 500, 1, &no_such_user);
	assert_suspended(h, 0, 5, 100);
}

static void test_five_tries_at_one_dead_address(void **state)
{
	struct host *h = *state;

	for (int i = 0; i < 5; i++)
		write_to(h, 0, 500, 1, &no_such_user);
	assert_free(h, 0);
	assert_int_equal(h->accounts[0].near, 0);
	for (int i = 0; i < 4; i++) {
		assert_free(h, 0);
		write_new(h, 0, 1, &no_such_user);
	}
	assert_suspended(h, 0, 5, 100);
}

/* Each mail is another recipient's: as many are five failures. */
static void test_five_dead_addresses(void **state)
{
	struct host *h = *state;

	for (int i = 0; i < 4; i++)
		write_new(h, 0, 1, &no_such_user);
	assert_free(h, 0);
	write_new(h, 0, 1, &no_such_user);
	assert_suspended(h, 0, 5, 100);
}

static void test_cron_to_a_dead_mailbox(void **state)
{
	struct host *h = *state;

	for (int i = 0; i < DAY / (10 * MINUTES); i++) {
		write_to(h, 0, 500, 1, &no_such_user);
		advance(h, 10 * MINUTES);
	}
	assert_free(h, 0);
	assert_int_equal(h->accounts[0].near, 0);
	assert_mails(h, 0, 0, 0, 5);
}

static void test_cron_to_dead_mailboxes(void **state)
{
	struct host *h = *state;

	for (int i = 0; i < 5; i++) {
		assert_free(h, 0);
		write_new(h, 0, 1, &no_such_user);
		advance(h, 10 * MINUTES);
	}
	assert_suspended(h, 0, 5, 100);
}

/* ---- one remote ---- */

static void test_partner_is_down(void **state)
{
	struct host *h = *state;
	struct letter letters[20];

	for (int i = 0; i < 20; i++) {
		letters[i] = write_new(h, 0, 1, &no_answer);
		advance(h, MINUTES);
	}
	for (int run = 0; run < 16; run++) {
		for (int i = 0; i < 20; i++)
			try_letter(h, &letters[i], &no_answer);
		advance(h, 15 * MINUTES);
	}
	assert_free(h, 0);
	assert_int_equal(h->accounts[0].near, 0);
	/* Half of the failures are the partner's at most, so others count twice. */
	for (int i = 0; i < 20; i++)
		write_new(h, 0, 1, &no_answer);
	write_many(h, 0, 2, &no_such_user);
	assert_free(h, 0);
	write_many(h, 0, 1, &no_such_user);
	assert_suspended(h, 0, 6, 100);
}

static void test_nobody_answers_one_account(void **state)
{
	struct host *h = *state;

	h->rule.trouble_accounts = 0;
	change_rule(h);
	write_many(h, 0, 4, &no_answer);
	assert_free(h, 0);
	for (int i = 4; i < 20; i++)
		write_new(h, 0, 1000 + i, &no_answer);
	assert_suspended(h, 0, 5, 100);
}

static void test_dictionary_attack_at_one_remote(void **state)
{
	struct host *h = *state;

	for (int i = 0; i < 4; i++)
		write_new(h, 0, 1, &no_such_user);
	assert_free(h, 0);
	write_new(h, 0, 1, &no_such_user);
	assert_suspended(h, 0, 5, 100);
}

/* ---- greylisting ---- */

#define TOWNS 10

static void write_to_towns(struct host *h, int64_t grace_s, struct letter letters[TOWNS])
{
	h->rule.defer_grace_s = grace_s;
	change_rule(h);
	for (int i = 0; i < TOWNS; i++) {
		letters[i] = write_new(h, 0, 1 + i, &greylisted);
		advance(h, 2);
	}
}

static void test_town_halls(void **state)
{
	struct host *h = *state;
	struct letter letters[TOWNS];

	write_to_towns(h, 30 * MINUTES, letters);
	advance(h, 15 * MINUTES);
	for (int i = 0; i < TOWNS; i++)
		try_letter(h, &letters[i], &thanks);
	advance(h, 2 * HOUR);
	assert_free(h, 0);
	assert_int_equal(h->accounts[0].near, 0);
	assert_int_equal(h->counted[COUNTED_RETRY], TOWNS);
}

/* The fifth mail was first tried 12 seconds before the end of them. */
static void test_town_halls_without_a_retry(void **state)
{
	struct host *h = *state;
	struct letter letters[TOWNS];

	write_to_towns(h, 30 * MINUTES, letters);
	advance(h, letters[4].sent + 30 * MINUTES - 1 - h->now);
	assert_free(h, 0);
	assert_int_equal(h->accounts[0].near, 1);
	advance(h, 1);
	assert_suspended(h, 0, 5, 100);
}

/* A retry does not make a mail younger. */
static void test_town_halls_that_never_take_it(void **state)
{
	struct host *h = *state;
	struct letter letters[TOWNS];

	write_to_towns(h, 30 * MINUTES, letters);
	advance(h, 15 * MINUTES);
	for (int i = 0; i < TOWNS; i++)
		try_letter(h, &letters[i], &greylisted);
	advance(h, letters[4].sent + 30 * MINUTES - 1 - h->now);
	assert_free(h, 0);
	advance(h, 1);
	assert_suspended(h, 0, 5, 100);
}

static void test_town_halls_without_grace(void **state)
{
	struct host *h = *state;
	struct letter letters[TOWNS];

	write_to_towns(h, 0, letters);
	assert_suspended(h, 0, 5, 100);
	assert_int_equal(h->counted[COUNTED_SUSPENDED], TOWNS - 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SCENE(test_newsletter),
		SCENE(test_newsletter_to_a_bought_list),
		SCENE(test_queue_alone_exim),
		SCENE(test_queue_alone_postfix),
		SCENE(test_queue_over_suspension_and_restart),
		SCENE(test_queue_over_suspension_and_restart_postfix),
		SCENE(test_queue_after_a_verdict),
		SCENE(test_tries_at_one_dead_address),
		SCENE(test_five_tries_at_one_dead_address),
		SCENE(test_five_dead_addresses),
		SCENE(test_cron_to_a_dead_mailbox),
		SCENE(test_cron_to_dead_mailboxes),
		SCENE(test_partner_is_down),
		SCENE(test_nobody_answers_one_account),
		SCENE(test_dictionary_attack_at_one_remote),
		SCENE(test_town_halls),
		SCENE(test_town_halls_without_a_retry),
		SCENE(test_town_halls_that_never_take_it),
		SCENE(test_town_halls_without_grace),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("judge_scenes", tests, NULL, NULL);
}
