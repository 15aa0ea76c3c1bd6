/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * maillog_origin_test.c - whose a message is that comes to the queue in a roundabout way: through a
 * filter that hands it in again, before the queue or behind it, or by a service with a name of its
 * own.
 */
#include "maillog_fixture.h"

#define FILTER 1020

static void begins(const char *id, const char *submission, const char *message_id,
		   const char *sender)
{
	char text[512];
	bool client = submission[0] == 'c';

	snprintf(text, sizeof(text), "%s: %s%s%s%s", id, submission, client ? "" : " from=<",
		 client ? "" : sender, client ? "" : ">");
	says(client ? "postfix/smtpd" : "postfix/pickup", text);
	snprintf(text, sizeof(text), "%s: message-id=%s", id, message_id);
	says("postfix/cleanup", text);
	snprintf(text, sizeof(text), "%s: from=<%s>, size=237, nrcpt=1 (queue active)", id, sender);
	says("postfix/qmgr", text);
}

static void given(const char *id, const char *rcpt)
{
	char text[512];

	snprintf(text, sizeof(text),
		 "%s: to=<%s>, relay=spamfilter" TAIL
		 ", dsn=2.0.0, status=sent (delivered via spamfilter service)",
		 id, rcpt);
	says("postfix/pipe", text);
	silent();
}

static void removed(const char *id)
{
	char text[512];

	snprintf(text, sizeof(text), "%s: removed", id);
	says("postfix/qmgr", text);
}

static void piped(const char *id, const char *rcpt)
{
	given(id, rcpt);
	removed(id);
}

static const struct submission *leaves(const char *id, const char *rcpt)
{
	char text[512];

	snprintf(text, sizeof(text), "%s: to=<%s>, " MX SENT, id, rcpt);
	says("postfix/smtp", text);
	return &reported(REPORT_OUTCOME, SMTP_DELIVERED)->submission;
}

#define ALICE	"client=x[192.0.2.9]:4000, sasl_method=PLAIN, sasl_username=alice"
#define MALLORY "client=x[192.0.2.9]:4001, sasl_method=PLAIN, sasl_username=mallory"
#define AGAIN	"uid=1020"

static void test_second_pass(void **state)
{
	const struct submission *o;

	(void)state;
	begins("A00001", ALICE, "<1@x>", "bob@bob.test");
	piped("A00001", "r@far.test");
	begins("B00001", AGAIN, "<1@x>", "bob@bob.test");
	o = leaves("B00001", "r@far.test");
	assert_int_equal(o->known, SUBMISSION_AGAIN | SUBMISSION_HAS_UID | SUBMISSION_HAS_CLIENT);
	assert_int_equal(o->uid, FILTER);
	assert_string_equal(o->auth, "alice");
	/* It stays so, for whatever it is tried again. */
	assert_string_equal(leaves("B00001", "r@far.test")->auth, "alice");
	/* From sendmail(1) to sendmail(1); a filter behind a filter. */
	begins("A00002", "uid=1001", "<2@x>", "bob@bob.test");
	piped("A00002", "r@far.test");
	begins("B00002", AGAIN, "<2@x>", "bob@bob.test");
	piped("B00002", "r@far.test");
	begins("C00002", "uid=1021", "<2@x>", "BOB@bob.test");
	o = leaves("C00002", "R@far.test");
	assert_int_equal(o->known,
			 SUBMISSION_AGAIN | SUBMISSION_HAS_UID | SUBMISSION_HAS_FIRST_UID);
	assert_int_equal(o->uid, 1021);
	assert_int_equal(o->first_uid, 1001);
}

/* It is delivered before pipe(8) has said anything of the first pass. */
static void test_second_pass_is_faster(void **state)
{
	(void)state;
	begins("A00000", ALICE, "<0@x>", "bob@bob.test");
	piped("A00000", "r@far.test");
	begins("A00001", ALICE, "<1@x>", "bob@bob.test");
	begins("B00001", AGAIN, "<1@x>", "bob@bob.test");
	assert_string_equal(leaves("B00001", "r@far.test")->auth, "alice");
	piped("A00001", "r@far.test");
	/* Of two that are alike it could be either. */
	begins("A00002", ALICE, "<2@x>", "bob@bob.test");
	begins("A00003", MALLORY, "<2@x>", "bob@bob.test");
	begins("B00002", AGAIN, "<2@x>", "bob@bob.test");
	assert_false(leaves("B00002", "r@far.test")->known & SUBMISSION_AGAIN);
	piped("A00002", "r@far.test");
	assert_string_equal(leaves("B00002", "r@far.test")->auth, "alice");
	/* Another sender's, and one that is not in the queue any more. */
	begins("B00003", AGAIN, "<2@x>", "carol@bob.test");
	assert_false(leaves("B00003", "r@far.test")->known & SUBMISSION_AGAIN);
	says("postfix/qmgr", "A00003: removed");
	begins("B00004", AGAIN, "<2@x>", "bob@bob.test");
	assert_false(leaves("B00004", "r@far.test")->known & SUBMISSION_AGAIN);
}

/* pipe(8) is given the recipients of each domain apart, and the message stays in the queue for the
 * others when those of one are through. */
static void test_one_of_two_is_faster(void **state)
{
	(void)state;
	begins("A00000", ALICE, "<0@x>", "bob@bob.test");
	piped("A00000", "r@far.test");
	begins("A00001", ALICE, "<1@x>", "bob@bob.test");
	begins("B00001", AGAIN, "<1@x>", "bob@bob.test");
	given("A00001", "r@far.test");
	assert_string_equal(leaves("B00001", "r@far.test")->auth, "alice");
	removed("B00001");
	begins("B00002", AGAIN, "<1@x>", "bob@bob.test");
	assert_string_equal(leaves("B00002", "r@near.test")->auth, "alice");
	given("A00001", "r@near.test");
	removed("A00001");
	begins("B00003", AGAIN, "<1@x>", "bob@bob.test");
	assert_false(leaves("B00003", "s@near.test")->known & SUBMISSION_AGAIN);
}

/* Without a Message-ID cleanup(8) makes one for the second pass, or for both. */
static void test_no_message_id(void **state)
{
	(void)state;
	begins("A00001", ALICE, "<>", "bob@bob.test");
	piped("A00001", "r@far.test");
	begins("B00001", AGAIN, "<20261122022728.B00001@host.test>", "bob@bob.test");
	assert_string_equal(leaves("B00001", "r@far.test")->auth, "alice");
	begins("A00002", "uid=1001", "<20261122022728.A00002@host.test>", "bob@bob.test");
	piped("A00002", "r@far.test");
	begins("B00002", AGAIN, "<20261122022728.A00002@host.test>", "bob@bob.test");
	assert_false(leaves("B00002", "r@far.test")->known & SUBMISSION_AGAIN);
}

static void test_no_second_pass(void **state)
{
	(void)state;
	begins("A00001", ALICE, "<1@x>", "bob@bob.test");
	piped("A00001", "r@far.test");
	begins("B00001", AGAIN, "<2@x>", "bob@bob.test");
	assert_false(leaves("B00001", "r@far.test")->known & SUBMISSION_AGAIN);
	begins("B00002", AGAIN, "<1@x>", "carol@bob.test");
	assert_false(leaves("B00002", "r@far.test")->known & SUBMISSION_AGAIN);
	begins("B00003", AGAIN, "<1@x>", "bob@bob.test");
	assert_false(leaves("B00003", "s@far.test")->known & SUBMISSION_AGAIN);
	begins("B00004", "client=localhost[127.0.0.1]:4000", "<1@x>", "bob@bob.test");
	assert_false(leaves("B00004", "r@far.test")->known & SUBMISSION_AGAIN);
	says("postfix/qmgr", "B00004: removed");
	current.wall_ns += MAILLOG_PASS_NS + 1;
	begins("B00005", AGAIN, "<1@x>", "bob@bob.test");
	assert_false(leaves("B00005", "r@far.test")->known & SUBMISSION_AGAIN);
}

/* Who makes his message look like another's pays for what comes back of his own, and nothing of it
 * is left for a third. */
static void test_alike(void **state)
{
	int alice = 0, mallory = 0, i;

	(void)state;
	begins("A00001", ALICE, "<1@x>", "bob@bob.test");
	begins("A00002", MALLORY, "<1@x>", "bob@bob.test");
	piped("A00001", "r@far.test");
	piped("A00002", "r@far.test");
	for (i = 0; i < 3; i++) {
		char id[] = "B00001";
		const struct submission *o;

		id[5] = (char)('1' + i);
		begins(id, AGAIN, "<1@x>", "bob@bob.test");
		o = leaves(id, "r@far.test");
		alice += !strcmp(o->auth, "alice");
		mallory += !strcmp(o->auth, "mallory");
	}
	assert_int_equal(alice, 1);
	assert_int_equal(mallory, 1);
	/* The filter has kept a message of alice's. */
	current.wall_ns += NS_PER_S;
	begins("A00003", ALICE, "<3@x>", "bob@bob.test");
	piped("A00003", "r@far.test");
	current.wall_ns += NS_PER_S;
	begins("A00004", MALLORY, "<3@x>", "bob@bob.test");
	piped("A00004", "r@far.test");
	begins("B00005", AGAIN, "<3@x>", "bob@bob.test");
	assert_string_equal(leaves("B00005", "r@far.test")->auth, "mallory");
}

/* One who sends more than a table holds at once does not cost another his. */
static void test_a_share_each(void **state)
{
	char rcpt[32];
	int i, known = 0;

	(void)state;
	for (i = 0; i < 20; i++) {
		char auth[128];

		snprintf(auth, sizeof(auth),
			 "client=x[192.0.2.9]:4, sasl_method=P, sasl_username=u%d", i);
		snprintf(rcpt, sizeof(rcpt), "u%d@far.test", i);
		begins("A00001", auth, "<1@x>", "u@one.test");
		piped("A00001", rcpt);
	}
	begins("A00002", MALLORY, "<1@x>", "bob@bob.test");
	for (i = 0; i < 5000; i++) {
		snprintf(rcpt, sizeof(rcpt), "r%d@far.test", i);
		piped("A00002", rcpt);
	}
	for (i = 0; i < 20; i++) {
		char id[] = "B00001", auth[16];

		id[4] = (char)('0' + i / 10);
		id[5] = (char)('0' + i % 10);
		snprintf(rcpt, sizeof(rcpt), "u%d@far.test", i);
		snprintf(auth, sizeof(auth), "u%d", i);
		begins(id, AGAIN, "<1@x>", "u@one.test");
		known += !strcmp(leaves(id, rcpt)->auth, auth);
	}
	assert_true(known >= 17);
}

#define ACCEPTED(id)                                                                               \
	"proxy-accept: END-OF-MESSAGE: 250 2.0.0 Ok: queued as " id                                \
	"; from=<bob@bob.test> to=<r@far.test> proto=ESMTP helo=<client.test>"

static void comes_back(const char *id)
{
	char text[256];

	snprintf(text, sizeof(text), "%s: client=localhost[127.0.0.1]:36054", id);
	says("postfix/smtpd", text);
	snprintf(text, sizeof(text), "%s: message-id=<1@x>", id);
	says("postfix/cleanup", text);
}

static void test_filter_before_the_queue(void **state)
{
	(void)state;
	says_as("postfix-in/smtpd", "7",
		"NOQUEUE: client=x[192.0.2.9]:4000, sasl_method=PLAIN, "
		"sasl_username=alice");
	says_as("postfix-in/smtpd", "8",
		"NOQUEUE: client=x[192.0.2.8]:4000, sasl_method=PLAIN, "
		"sasl_username=carol");
	comes_back("A00001");
	comes_back("A00002");
	comes_back("A00003");
	says_as("postfix-in/smtpd", "8", ACCEPTED("A00002"));
	says_as("postfix-in/smtpd", "7", ACCEPTED("A00001") " sasl_username=<alice>");
	assert_string_equal(leaves("A00001", "r@far.test")->auth, "alice");
	assert_string_equal(leaves("A00002", "r@far.test")->auth, "carol");
	/* The same process' next client, who has not said who he is, and says that he is bob. */
	says_as("postfix-in/smtpd", "7", "NOQUEUE: client=x[192.0.2.7]:4000");
	says_as("postfix-in/smtpd", "7", ACCEPTED("A00003") "> sasl_username=<bob>");
	assert_string_equal(leaves("A00003", "r@far.test")->auth, "");
	/* What a client writes behind the reply, and a process of which nothing is known. */
	comes_back("A00004");
	says_as("postfix-in/smtpd", "8",
		"proxy-accept: END-OF-MESSAGE: 250 2.0.0 Ok; from=<bob@bob.test> to=<r@far.test> "
		"proto=ESMTP helo=< queued as A00004; from=>");
	says_as("postfix-in/smtpd", "9", ACCEPTED("A00004"));
	assert_string_equal(leaves("A00004", "r@far.test")->auth, "");
	/* Taken in from another host: no filter of ours has brought it. */
	says("postfix/smtpd", "A00005: client=x[192.0.2.5]:36054");
	says_as("postfix-in/smtpd", "8", ACCEPTED("A00005"));
	assert_string_equal(leaves("A00005", "r@far.test")->auth, "");
}

static void test_services_with_names(void **state)
{
	(void)state;
	submit("A00000", "alice@one.test");
	says("postfix-submission/smtpd", "A00001: " ALICE);
	says("postfix/cleanup", "A00001: message-id=<1@x>");
	says("postfix/qmgr", "A00001: from=<bob@bob.test>, size=2, nrcpt=1 (queue active)");
	says("enforced-tls-smtp/smtp", "A00001: to=<a@far.test>, " MX SENT);
	assert_string_equal(reported(REPORT_OUTCOME, SMTP_DELIVERED)->submission.auth, "alice");
	says("postfix-203.0.113.4/smtp", "A00001: to=<b@far.test>, " MX SENT);
	assert_string_equal(reported(REPORT_OUTCOME, SMTP_DELIVERED)->submission.auth, "alice");
	says("postfix/qmgr", "A00001: removed");
	says("postfix-203.0.113.4/smtp", "A00001: to=<c@far.test>, " MX SENT);
	assert_string_equal(reported(REPORT_OUTCOME, SMTP_DELIVERED)->submission.auth, "alice");
	/* Also cleanup(8) may have one. */
	says("submission/smtpd", "A00002: " ALICE);
	says("pre-cleanup/cleanup", "A00002: message-id=<1@x>");
	says("postfix/qmgr", "A00002: from=<bob@bob.test>, size=2, nrcpt=1 (queue active)");
	says("postfix/smtp", "A00002: to=<a@far.test>, " MX SENT);
	assert_string_equal(reported(REPORT_OUTCOME, SMTP_DELIVERED)->submission.auth, "alice");
	assert_int_equal(maillog_stats(current.p).unknown, 0);
}

/* The same queue id in two instances, whose services have the same names. */
static void test_instances_and_names(void **state)
{
	(void)state;
	submit("A00000", "alice@one.test");
	says("mailout/qmgr", "A00009: from=<bob@bob.test>, size=2, nrcpt=1 (queue active)");
	says("submission/smtpd", "A00001: " ALICE);
	says("postfix/cleanup", "A00001: message-id=<1@x>");
	says("submission/smtpd", "A00001: " MALLORY);
	says("mailout/cleanup", "A00001: message-id=<1@x>");
	says("postfix/smtp", "A00001: to=<a@far.test>, " MX SENT);
	assert_string_equal(reported(REPORT_OUTCOME, SMTP_DELIVERED)->submission.auth, "alice");
	says("mailout/smtp", "A00001: to=<a@far.test>, " MX SENT);
	assert_string_equal(reported(REPORT_OUTCOME, SMTP_DELIVERED)->submission.auth, "mallory");
	/* Of which of the two nobody knows; then one is removed. */
	says("bulk/smtp", "A00001: to=<a@far.test>, " MX SENT);
	assert_int_equal(reported(REPORT_OUTCOME, SMTP_DELIVERED)->submission.known,
			 SUBMISSION_NO_SENDER);
	says("mailout/qmgr", "A00001: removed");
	says("bulk/smtp", "A00001: to=<a@far.test>, " MX SENT);
	assert_string_equal(reported(REPORT_OUTCOME, SMTP_DELIVERED)->submission.auth, "alice");
}

#define TUNNEL			"relay=127.0.0.1[127.0.0.1]:2465" TAIL
#define BY_TUNNEL(status, text) "A00001: to=<x@far.test>, " TUNNEL ", dsn=" status " (" text ")"

static void test_a_tunnel(void **state)
{
	(void)state;
	submit("A00001", "alice@one.test");
	/* Of a server that has taken nothing yet nothing is known. */
	says("postfix/smtp",
	     BY_TUNNEL("5.1.1, status=bounced",
		       "host 127.0.0.1[127.0.0.1] said: 550 no (in reply to RCPT TO "
		       "command)"));
	silent();
	says("postfix/smtp", BY_TUNNEL("2.0.0, status=sent", "250 2.0.0 Ok: queued as 4XYZabc"));
	assert_int_equal(reported(REPORT_OUTCOME, SMTP_DELIVERED)->submission.uid, 1001);
	says("postfix/smtp",
	     BY_TUNNEL("5.1.1, status=bounced",
		       "host 127.0.0.1[127.0.0.1] said: 550 no (in reply to RCPT TO "
		       "command)"));
	assert_int_equal(reported(REPORT_OUTCOME, SMTP_FAILED)->code, 550);
	/* The tunnel's own trouble. */
	says("postfix/smtp",
	     BY_TUNNEL("4.4.2, status=deferred",
		       "lost connection with 127.0.0.1[127.0.0.1] while receiving the "
		       "initial server greeting"));
	reported(REPORT_HOME, SMTP_DEFERRED);
	says("postfix/smtp",
	     "A00001: to=<x@far.test>, " NONE("4.4.1", "deferred",
					      "connect to 127.0.0.1[127.0.0.1]:2465: Connection "
					      "refused"));
	reported(REPORT_HOME, SMTP_DEFERRED);
	says("postfix/smtp", BY_TUNNEL("4.7.8, status=deferred",
				       "SASL authentication failed; server 127.0.0.1[127.0.0.1] "
				       "said: 535 5.7.8 Error"));
	/* Another port, and the own LMTP server. */
	says("postfix/smtp",
	     "A00001: to=<x@far.test>, relay=127.0.0.1[127.0.0.1]:10024" TAIL
	     ", dsn=5.1.1, status=bounced (host 127.0.0.1[127.0.0.1] said: 550 no)");
	says("postfix/lmtp", "A00001: to=<x@far.test>, relay=127.0.0.1[127.0.0.1]:24" TAIL SENT);
	says("postfix/lmtp", "A00001: to=<x@far.test>, relay=127.0.0.1[127.0.0.1]:24" TAIL BOUNCED);
	silent();
	/* An address cannot make its own failure one of a server at home. */
	says("postfix/smtp",
	     "A00001: to=<\"x>, relay=l[127.0.0.1]:9, delay=0, delays=0/0/0/0, dsn=5.0.0, "
	     "status=bounced (no)\"@far.test>, " TUNNEL
	     ", dsn=5.1.1, status=bounced (host 127.0.0.1[127.0.0.1] said: 550 no)");
	reported(REPORT_OUTCOME, SMTP_FAILED);
}

/* The first message that a server hands in again shows that it is a filter. */
static void test_a_filter_is_no_tunnel(void **state)
{
	(void)state;
	submit("A00001", "alice@one.test");
	says("postfix/smtpd", "B00001: client=localhost[127.0.0.1]:36054");
	says("postfix/smtp", BY_TUNNEL("2.0.0, status=sent", "250 2.0.0 Ok: queued as B00001"));
	says("postfix/smtp", BY_TUNNEL("2.0.0, status=sent", "250 2.7.0 Ok, discarded"));
	says("postfix/smtp", BY_TUNNEL("5.7.0, status=bounced",
				       "host 127.0.0.1[127.0.0.1] said: 554 5.7.0 Reject"));
	silent();
}

/* Postfix 3.11 says that there is a bounce before it says anything else of it. */
static void test_notice_comes_first(void **state)
{
	(void)state;
	maillog_begin(current.p, false);
	says("postfix/bounce", "A00001: sender non-delivery notification: B00001");
	says("postfix/cleanup", "B00001: message-id=<1@x>");
	says("postfix/qmgr", "B00001: from=<>, size=2, nrcpt=1 (queue active)");
	assert_int_equal(leaves("B00001", "a@far.test")->known, SUBMISSION_INTERNAL);
	/* Anything behind it is somebody's words. */
	says("postfix/smtp", "B00002: to=<x@far.test>, " MX SENT);
	current.count = 0;
	says("postfix/bounce", "A00001: sender notification failed to a@b: x notification: B00002");
	assert_int_equal(leaves("B00002", "a@far.test")->known, SUBMISSION_NO_SENDER);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_second_pass),
		TEST(test_second_pass_is_faster),
		TEST(test_one_of_two_is_faster),
		TEST(test_no_message_id),
		TEST(test_no_second_pass),
		TEST(test_alike),
		TEST(test_a_share_each),
		TEST(test_filter_before_the_queue),
		TEST(test_services_with_names),
		TEST(test_instances_and_names),
		TEST(test_a_tunnel),
		TEST(test_a_filter_is_no_tunnel),
		TEST(test_notice_comes_first),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
