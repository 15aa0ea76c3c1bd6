// SPDX-License-Identifier: GPL-2.0-only
/*
 * sessions_test.c - which mails an outcome decides, and the bounds of what is remembered. Seen
 * through the pipeline where a count shows it, else on the table itself.
 */
#include "pipeline_events.h"
#include "../base/nomem.h"
#include "core/sessions.h"

static struct smtpl_event_path path_of(uint64_t cookie, uint32_t uid, uint32_t txn, uint32_t rcpt,
				       uint64_t hash)
{
	return (struct smtpl_event_path){
		.head = {rcpt ? SMTPL_EVENT_RCPT : SMTPL_EVENT_MAIL, uid, cookie, 1},
		.txn = txn,
		.rcpt = rcpt,
		.hash = hash,
	};
}

static void open_session(struct sessions *t, uint64_t cookie, uint32_t uid, uint32_t rcpts)
{
	struct smtpl_event_path e = path_of(cookie, uid, 1, 0, 5);

	sessions_mail(t, &e, 1);
	for (uint32_t i = 1; i <= rcpts; i++) {
		e = path_of(cookie, uid, 1, i, 1000 + i);
		sessions_rcpt(t, &e, 1);
	}
}

static size_t rest(struct sessions *t, uint64_t cookie, uint32_t uid, uint32_t count)
{
	struct smtpl_event_outcome e = {.head = {SMTPL_EVENT_OUTCOME, uid, cookie, 1},
					.txn = 1,
					.count = count,
					.outcome = SMTP_DELIVERED,
					.subject = SMTP_SUBJECT_REST};

	return sessions_decide(t, &e, 1).known;
}

/* The addresses of a report name the mail that the wire shows, whatever its hash. */
static void test_told_names_the_same_mail(void **state)
{
	static const char *const addresses[] = {"n1@one.test", "n11@one.test", "r451-n4@one.test"};
	uint64_t sender = sessions_address_hash("alice@alice.test"), seen = 0;
	struct sessions *t = sessions_new(0);
	struct session_decision d;

	(void)state;
	for (uint32_t i = 0; i < 3; i++) {
		uint64_t hash = sessions_address_hash(addresses[i]);
		struct smtpl_event_path m = path_of(i + 1, 8, 1, 0, sender);
		struct smtpl_event_path r = path_of(i + 1, 8, 1, 1, hash);
		struct smtpl_event_outcome e = {.head = {SMTPL_EVENT_OUTCOME, 8, i + 1, 1},
						.txn = 1,
						.count = 1,
						.outcome = SMTP_DELIVERED,
						.subject = SMTP_SUBJECT_REST};

		sessions_mail(t, &m, 1);
		sessions_rcpt(t, &r, 1);
		d = sessions_decide(t, &e, 1);
		assert_int_equal(d.known, 1);
		assert_true(d.mails[0].mail == sessions_mail_identity(sender, hash));
		assert_true(d.mails[0].rcpt == sessions_rcpt_identity(hash));
		seen |= hash;
	}
	/* Or the test tests nothing. */
	assert_int_equal(seen >> 62, 3);
	sessions_free(t);
}

/* Each subject closes exactly the deferrals of the recipients that it decides. */
static void test_subjects(void **state)
{
	struct fixture *f = *state;
	static const struct verdict_rule lenient = {.window_s = 3600,
						    .suspend_s = 3600,
						    .percent = 100,
						    .min_failures = 1000000,
						    .one_remote = 100};

	set_rule(f, &lenient);
	mail(f, 77, 500, 6);
	outcome(f, SMTP_DEFERRED, SMTP_SUBJECT_REST, 0, 6);
	assert_window(f, 0, 6, 0);
	mail(f, 77, 500, 6);
	outcome(f, SMTP_FAILED, SMTP_SUBJECT_RCPT, 2, 1);
	assert_window(f, 0, 5, 1);
	/* The second of those accepted is number 3, and is decided once. */
	outcome(f, SMTP_DELIVERED, SMTP_SUBJECT_PRDR, 2, 1);
	assert_window(f, 1, 4, 1);
	outcome(f, SMTP_DELIVERED, SMTP_SUBJECT_REST, 0, 4);
	assert_window(f, 5, 0, 1);
	/* They were decided: nothing is left to name. */
	outcome(f, SMTP_DELIVERED, SMTP_SUBJECT_REST, 0, 2);
	assert_window(f, 7, 0, 1);
}

static void test_prdr_names_the_right_one(void **state)
{
	struct fixture *f = *state;

	message(f, 500, SMTP_DEFERRED);
	message(f, 502, SMTP_DEFERRED);
	mail(f, 77, 500, 3);
	outcome(f, SMTP_FAILED, SMTP_SUBJECT_RCPT, 1, 1); /* closes 500 */
	assert_window(f, 0, 1, 1);
	outcome(f, SMTP_DELIVERED, SMTP_SUBJECT_PRDR, 1, 1); /* is 501 */
	assert_window(f, 1, 1, 1);
	outcome(f, SMTP_DELIVERED, SMTP_SUBJECT_PRDR, 2, 1); /* closes 502 */
	assert_window(f, 2, 0, 1);
	outcome(f, SMTP_DELIVERED, SMTP_SUBJECT_PRDR, 3, 1); /* nobody that is known */
	assert_window(f, 3, 0, 1);
}

static void test_sender_is_part_of_the_mail(void **state)
{
	struct fixture *f = *state;

	mail(f, 77, 500, 1);
	outcome(f, SMTP_DEFERRED, SMTP_SUBJECT_REST, 0, 1);
	mail(f, 78, 500, 1);
	outcome(f, SMTP_DELIVERED, SMTP_SUBJECT_REST, 0, 1);
	assert_window(f, 1, 1, 0);
	mail(f, 77, 500, 1);
	outcome(f, SMTP_DELIVERED, SMTP_SUBJECT_REST, 0, 1);
	assert_window(f, 2, 0, 0);
}

/* More is decided than is known: the rest are mails of their own. */
static void test_fewer_known(void **state)
{
	struct fixture *f = *state;

	mail(f, 77, 500, 2);
	outcome(f, SMTP_DEFERRED, SMTP_SUBJECT_REST, 0, 4);
	assert_window(f, 0, 4, 0);
	mail(f, 77, 500, 2);
	outcome(f, SMTP_DEFERRED, SMTP_SUBJECT_REST, 0, 4);
	assert_window(f, 0, 6, 0); /* two retries, two new */
	assert_int_equal(f->suspended, 1);
}

/* The event of recipient 2 was lost: a gap, not a shift. */
static void test_lost_rcpt(void **state)
{
	struct fixture *f = *state;

	message(f, 500, SMTP_DEFERRED);
	message(f, 502, SMTP_DEFERRED);
	mail(f, 77, 500, 1);
	path(f, SMTPL_EVENT_RCPT, 3, 502);
	outcome(f, SMTP_FAILED, SMTP_SUBJECT_RCPT, 2, 1);
	assert_window(f, 0, 2, 1);
	outcome(f, SMTP_DELIVERED, SMTP_SUBJECT_PRDR, 2, 1); /* number 3 */
	assert_window(f, 1, 1, 1);
	outcome(f, SMTP_DELIVERED, SMTP_SUBJECT_REST, 0, 1);
	assert_window(f, 2, 0, 1);
}

static void test_lost_mail(void **state)
{
	struct fixture *f = *state;

	message(f, 500, SMTP_DEFERRED);
	f->txn++;
	path(f, SMTPL_EVENT_RCPT, 1, 500); /* of a sender that nobody knows */
	outcome(f, SMTP_DELIVERED, SMTP_SUBJECT_REST, 0, 1);
	assert_window(f, 1, 1, 0);
}

/* A server's limit of recipients leaves the last ones undecided; they are not the ones delivered.
 * */
static void test_more_known(void **state)
{
	struct fixture *f = *state;

	for (uint64_t hash = 500; hash < 503; hash++)
		message(f, hash, SMTP_DEFERRED);
	mail(f, 77, 500, 3);
	outcome(f, SMTP_DELIVERED, SMTP_SUBJECT_REST, 0, 2);
	assert_window(f, 2, 1, 0);
	message(f, 502, SMTP_DELIVERED);
	assert_window(f, 3, 0, 0);
}

/* SMTP_SENDERS transactions may be open at the same time, and no more are kept apart. */
static void test_pipelined_transactions(void **state)
{
	struct fixture *f = *state;
	uint32_t last;

	for (uint64_t hash = 500; hash < 504; hash++)
		message(f, hash, SMTP_DEFERRED);
	for (uint64_t hash = 500; hash < 504; hash++)
		mail(f, 77, hash, 1);
	last = f->txn;
	for (f->txn = last - 3; f->txn <= last; f->txn++)
		outcome(f, SMTP_DELIVERED, SMTP_SUBJECT_REST, 0, 1);
	assert_window(f, 4, 0, 0);
	f->txn = last - 4;
	outcome(f, SMTP_DELIVERED, SMTP_SUBJECT_REST, 0, 1);
	assert_window(f, 5, 0, 0);
}

static void host_try(struct fixture *f, enum smtp_outcome o, enum smtp_subject subject, int host)
{
	struct smtpl_event_outcome e = event_outcome(f, o, subject, 0, 1);

	e.dest[15] = host;
	if (subject == SMTP_SUBJECT_SESSION)
		e.txn = 0;
	send(f, &e, sizeof(e));
}

/* Tries towards a host that does not answer are one mail; its refusals are not. */
static void test_dead_host(void **state)
{
	struct fixture *f = *state;

	for (int i = 0; i < 10; i++)
		host_try(f, SMTP_DEFERRED, SMTP_SUBJECT_SESSION, 1);
	assert_window(f, 0, 1, 0);
	host_try(f, SMTP_DEFERRED, SMTP_SUBJECT_SESSION, 2);
	assert_window(f, 0, 2, 0);
	host_try(f, SMTP_FAILED, SMTP_SUBJECT_SESSION, 1);
	host_try(f, SMTP_FAILED, SMTP_SUBJECT_SESSION, 1);
	assert_window(f, 0, 2, 2);
	mail(f, 77, 500, 0);
	host_try(f, SMTP_DEFERRED, SMTP_SUBJECT_MAIL, 1);
	host_try(f, SMTP_DEFERRED, SMTP_SUBJECT_MAIL, 1);
	assert_window(f, 0, 3, 2);
	assert_int_equal(f->suspended, 1);
}

static void test_close_forgets(void **state)
{
	struct fixture *f = *state;
	struct smtpl_event_close close;

	mail(f, 77, 500, 1);
	assert_int_equal(pipeline_stats(f->p).sessions, 1);
	f->uid = BOB; /* not its owner */
	close.head = event_head(f, SMTPL_EVENT_CLOSE);
	send(f, &close, sizeof(close));
	assert_int_equal(pipeline_stats(f->p).sessions, 1);
	f->uid = ALICE;
	close.head = event_head(f, SMTPL_EVENT_CLOSE);
	send(f, &close, sizeof(close));
	assert_int_equal(pipeline_stats(f->p).sessions, 0);
}

static void test_another_uid(void **state)
{
	struct sessions *t = sessions_new(1);

	(void)state;
	open_session(t, 9, ALICE, 1);
	open_session(t, 9, BOB, 1);
	assert_int_equal(rest(t, 9, BOB, 1), 0);
	assert_int_equal(rest(t, 9, ALICE, 1), 1);
	sessions_free(t);
}

static void test_rcpts_bound(void **state)
{
	struct sessions *t = sessions_new(1);

	(void)state;
	open_session(t, 9, ALICE, SMTPL_RCPTS_PER_MESSAGE + 10);
	assert_int_equal(rest(t, 9, ALICE, SMTPL_RCPTS_PER_MESSAGE + 10), SMTPL_RCPTS_PER_MESSAGE);
	sessions_free(t);
}

static void test_sessions_of_a_uid(void **state)
{
	struct sessions *t = sessions_new(1);

	(void)state;
	open_session(t, 1, BOB, 1);
	for (uint64_t cookie = 2; cookie <= SESSIONS_PER_UID + 1; cookie++)
		open_session(t, cookie, ALICE, 1);
	assert_int_equal(sessions_evicted(t), 0);
	open_session(t, 2, ALICE, 1); /* the oldest is heard of again */
	open_session(t, SESSIONS_PER_UID + 2, ALICE, 1);
	assert_int_equal(sessions_evicted(t), 1);
	assert_int_equal(rest(t, 3, ALICE, 1), 0);
	assert_int_equal(rest(t, 2, ALICE, 1), 1);
	assert_int_equal(rest(t, 1, BOB, 1), 1);
	sessions_free(t);
}

static void test_sessions_of_all(void **state)
{
	struct sessions *t = sessions_new(1);

	(void)state;
	for (uint64_t cookie = 1; cookie <= SESSIONS_MAX + 10; cookie++)
		open_session(t, cookie, cookie % 1000, 1);
	assert_int_equal(sessions_count(t), SESSIONS_MAX);
	assert_int_equal(sessions_evicted(t), 10);
	assert_int_equal(rest(t, 10, 10, 1), 0);
	assert_int_equal(rest(t, 11, 11, 1), 1);
	sessions_expire(t, 2, 1, SESSIONS_MAX);
	assert_int_equal(sessions_count(t), 0);
	sessions_free(t);
}

static void test_rcpts_of_a_uid(void **state)
{
	const uint32_t full = SESSIONS_RCPTS_PER_UID / SMTPL_RCPTS_PER_MESSAGE;
	struct sessions *t = sessions_new(1);

	(void)state;
	open_session(t, 1, BOB, SMTPL_RCPTS_PER_MESSAGE);
	for (uint64_t cookie = 2; cookie < 2 + full; cookie++)
		open_session(t, cookie, ALICE, SMTPL_RCPTS_PER_MESSAGE);
	assert_int_equal(sessions_evicted(t), 0);
	open_session(t, 2 + full, ALICE, 1);
	assert_int_equal(sessions_evicted(t), 1);
	assert_int_equal(rest(t, 2, ALICE, 1), 0);
	assert_int_equal(rest(t, 1, BOB, 1), 1);
	sessions_free(t);
}

/* However short they are, the memory of addresses has its bound; the mails are known beyond it, and
 * what is forgotten makes room. */
static void test_addresses_of_a_uid(void **state)
{
	const size_t most = SESSIONS_ADDRESSES_PER_UID / 32;
	struct sessions *t = sessions_new(1);
	struct smtpl_event_outcome e = {.head = {SMTPL_EVENT_OUTCOME, ALICE, 0, 1},
					.txn = 1,
					.count = 1000,
					.outcome = SMTP_DELIVERED,
					.subject = SMTP_SUBJECT_REST};
	size_t kept = 0;

	(void)state;
	for (e.head.cookie = 1; e.head.cookie <= 40; e.head.cookie++) {
		struct session_decision decision;

		open_session(t, e.head.cookie, ALICE, 1000);
		decision = sessions_decide(t, &e, 1);
		assert_int_equal(decision.known, 1000);
		for (size_t i = 0; i < decision.known; i++)
			kept += decision.mails[i].recipient != NULL;
	}
	assert_in_range(kept, most - 100, most);
	e.head.cookie = 1;
	e.head.type = SMTPL_EVENT_CLOSE;
	sessions_close(t, &e.head);
	open_session(t, 1, ALICE, 1);
	e.head.type = SMTPL_EVENT_OUTCOME;
	assert_non_null(sessions_decide(t, &e, 1).mails[0].recipient);
	sessions_free(t);
}

static void test_expire(void **state)
{
	struct sessions *t = sessions_new(1);

	(void)state;
	open_session(t, 1, ALICE, 1); /* at 1 */
	open_session(t, 2, ALICE, 1);
	sessions_expire(t, 100, 100, 10);
	assert_int_equal(sessions_count(t), 2);
	sessions_expire(t, 101, 100, 1);
	assert_int_equal(sessions_count(t), 1);
	sessions_expire(t, 101, 100, 10);
	assert_int_equal(sessions_count(t), 0);
	sessions_free(t);
}

/* Whatever allocation fails: what is decided is what is known, and nothing leaks or breaks. */
static void test_no_memory(void **state)
{
	size_t before = 0;

	(void)state;
	if (!NOMEM_WORKS)
		skip();
	for (long allowed = 0; before < 17; allowed++) {
		struct sessions *t = sessions_new(1);
		size_t known;

		assert_true(allowed < 64);

		nomem_after(allowed);
		open_session(t, 1, ALICE, 17);
		nomem_after(-1);
		known = rest(t, 1, ALICE, 17);
		assert_true(known >= before);
		before = known;
		sessions_free(t);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_told_names_the_same_mail),
		TEST(test_subjects),
		TEST(test_prdr_names_the_right_one),
		TEST(test_sender_is_part_of_the_mail),
		TEST(test_fewer_known),
		TEST(test_lost_rcpt),
		TEST(test_lost_mail),
		TEST(test_more_known),
		TEST(test_pipelined_transactions),
		TEST(test_dead_host),
		TEST(test_close_forgets),
		cmocka_unit_test(test_another_uid),
		cmocka_unit_test(test_rcpts_bound),
		cmocka_unit_test(test_sessions_of_a_uid),
		cmocka_unit_test(test_sessions_of_all),
		cmocka_unit_test(test_rcpts_of_a_uid),
		cmocka_unit_test(test_addresses_of_a_uid),
		cmocka_unit_test(test_expire),
		cmocka_unit_test(test_no_memory),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("sessions", tests, NULL, NULL);
}
