// SPDX-License-Identifier: GPL-2.0-only
/*
 * judge_scenes_uncharged_test.c - failures that are charged to nobody: however many they are and
 * whether or not their mail is known, they stop no account, and they excuse no other failure.
 */
#include "core/remotes.h"
#include "judge_scenes.h"

/* The receiver's greeting, before anything is known of a mail. */
static void greet(struct host *h, int account, int remote, const struct said *said)
{
	struct host_account *a = &h->accounts[account];
	struct smtpl_event_outcome e = {
		.head = {SMTPL_EVENT_OUTCOME, HOST_UID(account), 1, h->now * NS_PER_S},
		.count = 1,
		.code = said->code,
		.outcome = said->outcome,
		.subject = SMTP_SUBJECT_SESSION,
		.enhanced = {said->enhanced[0], said->enhanced[1], said->enhanced[2]},
		.domain = "a.example"};

	*count_field(&a->count, said->outcome) += 1;
	e.totals = event_totals(&a->count);
	snprintf(e.text, sizeof(e.text), "%s", said->text);
	remote_address(remote, e.dest);
	event_letter(h, &e, sizeof(e));
	assert_int_equal(h->class, said->class);
}

static void test_listed_at_the_greeting(void **state)
{
	struct host *h = *state;

	for (int i = 0; i < 20; i++)
		greet(h, 0, 1, &block_list);
	assert_free(h, 0);
	assert_mails(h, 0, 0, 0, 0);
	assert_int_equal(h->counted[COUNTED_SET_ASIDE], 20);
}

static void test_refused_at_the_greeting(void **state)
{
	struct host *h = *state;

	for (int i = 0; i < 5; i++)
		greet(h, 0, 1, &is_spam);
	assert_suspended(h, 0, 5, 100);
}

/* More than a window has room for. */
static void test_large_list_of_a_listed_server(void **state)
{
	struct host *h = *state;

	for (int i = 0; i < WINDOW_MAILS_MAX + 100; i++)
		write_new(h, 0, 1, &block_list);
	advance(h, 1);
	assert_free(h, 0);
	assert_mails(h, 0, 0, 0, WINDOW_MAILS_MAX);
}

static void test_large_list_of_dead_addresses(void **state)
{
	struct host *h = *state;

	rule_of(h, 0)->min_failures = WINDOW_MAILS_MAX + 100;
	for (int i = 0; i < WINDOW_MAILS_MAX + 100; i++)
		write_new(h, 0, 1, &no_such_user);
	assert_suspended(h, 0, WINDOW_MAILS_MAX + 100, 100);
}

/* A server of the spammer's own defers each mail with words that nobody is charged for; an hour
 * later the same addresses are written to where they belong. */
static void test_prepared_at_an_own_server(void **state)
{
	const struct said own_words = {
		SMTP_DEFERRED, REPLY_LISTED, 450, {4, 7, 1}, "Your network is on our block list",
		OWN_FAULT_NONE};
	struct letter spam[20];
	struct host *h = *state;

	for (int i = 0; i < 20; i++)
		spam[i] = write_new(h, 0, 1, &own_words);
	advance(h, HOUR);
	assert_free(h, 0);
	for (int i = 0; i < 20; i++) {
		spam[i].remote = 2 + i;
		spam[i].sent = h->now; /* another message */
		try_letter(h, &spam[i], &no_such_user);
	}
	assert_suspended(h, 0, 5, 100);
}

/* The same remote goes on refusing: it is the queue alone. */
static void test_queue_of_a_listed_server(void **state)
{
	struct letter queue[20];
	struct host *h = *state;
	struct said deferred = block_list;

	deferred.outcome = SMTP_DEFERRED;
	deferred.code = 450;
	deferred.enhanced[0] = 4;
	for (int i = 0; i < 20; i++)
		queue[i] = write_new(h, 0, 1, &deferred);
	advance(h, HOUR);
	for (int i = 0; i < 20; i++)
		try_letter(h, &queue[i], &no_such_user);
	assert_free(h, 0);
	assert_int_equal(h->counted[COUNTED_OLD], 20);
}

/* ---- what an own server says of mails of others ---- */

static void make_large(struct host *h)
{
	for (int i = 0; i < 70; i++)
		write_new(h, 20 + i, 1, &thanks);
}

/* It takes each mail that another remote has just deferred. */
static void test_own_server_takes_what_others_defer(void **state)
{
	struct host *h = *state;

	make_large(h);
	rule_of(h, 0)->min_failures = 15;
	for (int i = 0; i < 12; i++) {
		struct letter l = write_new(h, 0, 100 + i, &mailbox_full);

		assert_free(h, 0);
		l.remote = 99;
		try_letter(h, &l, &thanks);
	}
	assert_mails(h, 0, 12, 12, 0);
	for (int i = 0; i < 60; i++)
		write_new(h, 0, 99, &thanks);
	assert_mails(h, 0, 20, 12, 0);
	for (int i = 0; i < 20 && !h->accounts[0].suspended; i++) {
		struct letter l = write_new(h, 0, 200 + i, &mailbox_full);

		l.remote = 99;
		try_letter(h, &l, &thanks);
	}
	assert_suspended(h, 0, 20, 50);
}

/* The second host of a receiver that many write to takes what the first has deferred. */
static void test_other_network_of_a_large_receiver(void **state)
{
	struct host *h = *state;

	make_large(h);
	for (int i = 0; i < 20; i++) {
		struct letter l = write_new(h, 0, 2, &greylisted);

		l.remote = 1;
		try_letter(h, &l, &thanks);
	}
	assert_mails(h, 0, 20, 0, 0);
}

/* A host of two accounts: too few for the breaker. */
static void test_no_name_is_found(void **state)
{
	struct host *h = *state;

	write_new(h, 0, 1, &thanks);
	write_new(h, 1, 2, &thanks);
	advance(h, REMOTES_NAMES_S - 10);
	for (int i = 0; i < 4; i++)
		write_new(h, i % 2, 10 + i, &no_name);
	advance(h, 10);
	write_many(h, 0, 40, &no_name);
	write_many(h, 1, 4, &no_name);
	assert_free(h, 0);
	assert_free(h, 1);
	assert_int_equal(h->counted[COUNTED_SET_ASIDE], 44);
	/* It is over: nothing of it is charged later, and what comes now is. */
	write_new(h, 1, 2, &thanks);
	advance(h, 60);
	write_many(h, 0, 4, &no_such_user);
	assert_free(h, 0);
	write_many(h, 0, 2, &no_such_user);
	assert_int_equal(h->accounts[0].suspended, 1);
}

/* Domains whose own servers are dead, while the mail of others, or a reply of any kind, shows that
 * names are found. */
static void test_list_of_dead_domains(void **state)
{
	struct host *h = *state;

	for (int i = 0; i < 20 && !h->accounts[0].suspended; i++) {
		advance(h, 30);
		write_new(h, 0, 10 + i, &no_name);
		if (i % 3 == 2)
			write_new(h, 1, 500 + i, i % 2 ? &thanks : &no_such_user);
	}
	assert_int_equal(h->accounts[0].suspended, 1);
	assert_free(h, 1);
}

static void test_login_of_the_host(void **state)
{
	struct host *h = *state;

	write_many(h, 0, 40, &login_expired);
	assert_free(h, 0);
	assert_int_equal(h->counted[COUNTED_SET_ASIDE], 40);
	write_many(h, 0, 5, &no_such_user);
	assert_suspended(h, 0, 5, 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		{"test_listed_at_the_greeting", test_listed_at_the_greeting, host_setup,
		 host_teardown, &host_wire},
		{"test_refused_at_the_greeting", test_refused_at_the_greeting, host_setup,
		 host_teardown, &host_wire},
		SCENE(test_large_list_of_a_listed_server),
		SCENE(test_large_list_of_dead_addresses),
		SCENE(test_prepared_at_an_own_server),
		SCENE(test_queue_of_a_listed_server),
		{"test_own_server_takes_what_others_defer", test_own_server_takes_what_others_defer,
		 host_setup, host_teardown, &host_wire},
		SCENE(test_other_network_of_a_large_receiver),
		{"test_no_name_is_found", test_no_name_is_found, host_setup, host_teardown,
		 &host_reports},
		{"test_list_of_dead_domains", test_list_of_dead_domains, host_setup, host_teardown,
		 &host_reports},
		{"test_login_of_the_host", test_login_of_the_host, host_setup, host_teardown,
		 &host_reports},
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("judge_scenes_uncharged", tests, NULL, NULL);
}
