/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * policy_server_test.c - the policy server's event loop over real sockets: each protocol, and who
 * may talk. The test plays the daemon and the mail servers. What takes a second uid is skipped
 * without root.
 */
#include "policy_loop.h"

static void test_exim(void **state)
{
	struct loop loop = loop_start(&roomy);
	int fd = connect_and_say(POLICY_EXIM, ASK);
	struct submission o = loop_answer(&loop, passed());

	(void)state;
	assert_int_equal(o.known, SUBMISSION_HAS_UID);
	assert_int_equal(o.uid, 1001);
	assert_string_equal(o.sender, "a@Example.COM.");
	hears(fd, PASSED);
	hears_the_end(fd);
	/* Half-closed, without a line end: readsocket. */
	fd = connect_and_say(POLICY_EXIM, "uid=1001 sender=a@example.com");
	shutdown(fd, SHUT_WR);
	loop_answer(&loop, refused());
	hears(fd, REFUSED);
	hears_the_end(fd);
	fd = connect_and_say(POLICY_EXIM, "uid=1001\r\nmore than a line");
	loop_answer(&loop, refused());
	hears(fd, "refused uid:1001 " REFUSAL("own.example") "\n");
	hears_the_end(fd);
	fd = connect_and_say(POLICY_EXIM, "sender=\n");
	loop_answer(&loop, (struct policy_answer){.charge = PAYER_NULL_SENDER});
	hears(fd, "ok -\n");
	hears_the_end(fd);
	loop_end(&loop);
}

static void test_exim_malformed(void **state)
{
	char line[POLICY_LINE_MAX + 3];
	struct loop loop = loop_start(&roomy);
	int fd = connect_and_say(POLICY_EXIM, "uid=x\n");

	(void)state;
	hears(fd,
	      "error \"uid=x\": want uid=N, addr=IP, port=N, to=IP, toport=N, auth=X, sender=X (or "
	      "auth64=, sender64=BASE64), nosender=1, rcpts=N, account=uid:N or account=domain:X\n");
	hears_the_end(fd);
	memset(line, 'x', sizeof(line) - 1);
	line[sizeof(line) - 1] = '\0';
	fd = connect_and_say(POLICY_EXIM, line);
	hears(fd, "error want a line of at most 4096 bytes\n");
	hears_the_end(fd);
	loop_await_count(&loop, &loop.stats.malformed, 2);
	/* Neither who says nothing, nor who asks well. */
	fd = connect_to(POLICY_EXIM);
	shutdown(fd, SHUT_WR);
	hears_the_end(fd);
	fd = connect_and_say(POLICY_EXIM, ASK);
	loop_answer(&loop, passed());
	hears(fd, PASSED);
	hears_the_end(fd);
	hears_the_end(connect_and_say(POLICY_FEED, "ex\n"));
	loop_await_count(&loop, &loop.stats.malformed, 3);
	loop_end(&loop);
}

static void test_policy(void **state)
{
	struct loop loop = loop_start(&roomy);
	int fd = connect_and_say(POLICY_DELEGATION, POLICY);
	const char *c;

	(void)state;
	assert_string_equal(loop_answer(&loop, passed()).sender, "a@example.com");
	hears(fd, DUNNO);
	/* A byte at a time. */
	for (c = POLICY; *c; c++)
		assert_int_equal(send(fd, c, 1, 0), 1);
	loop_answer(&loop, refused());
	hears(fd, REJECT);
	/* Two at once, and one that needs no daemon. */
	says(fd, POLICY POLICY "request=smtpd_access_policy\nprotocol_state=HELO\n\n");
	loop_answer(&loop, refused());
	loop_answer(&loop, passed());
	hears(fd, REJECT DUNNO DUNNO);
	says(fd, "not a request\n");
	hears_the_end(fd);
	loop_await_count(&loop, &loop.stats.malformed, 1);
	fd = connect_and_say(POLICY_DELEGATION, "request=smtpd_access_policy\n");
	shutdown(fd, SHUT_WR);
	hears_the_end(fd);
	loop_end(&loop);
}

static void test_socketmap(void **state)
{
	struct loop loop = loop_start(&roomy);
	int fd = connect_and_say(POLICY_SOCKETMAP, KEY KEY "6:nope x,");

	(void)state;
	loop_answer(&loop, passed());
	loop_answer(&loop, refused());
	hears(fd,
	      NOT_FOUND "174:OK error:5.7.1 " REASON(
		      "example.com") ","
				     "54:PERM no such map: want transport, pickup, users or ask,");
	says(fd, "73:pickup/h.example Received: by r.example (Postfix, from userid 1001)\n id x,");
	hears(fd, NOT_FOUND);
	says(fd, "73:pickup/h.example Received: by h.example (Postfix, from userid 1001)\n id x,");
	assert_int_equal(loop_answer(&loop, refused()).uid, 1001);
	hears(fd, "175:OK REJECT 5.7.1 " REASON("own.example") ",");
	says(fd, "3:nope x,");
	hears_the_end(fd);
	loop_await_count(&loop, &loop.stats.malformed, 1);
	loop_end(&loop);
}

static void test_feed(void **state)
{
	struct loop loop = loop_start(&roomy);
	struct delivery_report r;
	int fd = connect_and_say(POLICY_FEED, EVENT "one\n");

	(void)state;
	/* Closed, whatever the daemon does. */
	hears_the_end(fd);
	r = loop_message(&loop, POLICY_RECORD).record;
	assert_int_equal(r.kind, REPORT_OUTCOME);
	assert_int_equal(r.relay_uid, 101);
	assert_string_equal(r.id, "one");
	fd = connect_and_say(POLICY_FEED, "exim event=msg:host:defer\n");
	hears_the_end(fd);
	fd = connect_and_say(POLICY_FEED, "exim event=msg:delivery id=two");
	shutdown(fd, SHUT_WR);
	hears_the_end(fd);
	r = loop_message(&loop, POLICY_RECORD).record;
	assert_string_equal(r.id, "two");
	assert_int_equal(r.relay_uid, getuid());
	fd = connect_and_say(POLICY_FEED, "nonsense\n");
	hears_the_end(fd);
	loop_await_count(&loop, &loop.stats.malformed, 1);
	loop_end(&loop);
}

static void test_answers_that_are_none(void **state)
{
	struct loop loop = loop_start(&roomy);
	int fd = connect_and_say(POLICY_EXIM, ASK);
	struct policy_question q = loop_question(&loop);
	char longer[sizeof(struct policy_answer) + 1] = {0};
	char early;

	(void)state;
	loop_send(&loop, q.id + 1, refused());
	loop_send(&loop, q.id - 1, refused());
	assert_int_equal(send(loop.parent, &q.id, sizeof(q.id), 0), sizeof(q.id));
	memcpy(longer, &q.id, sizeof(q.id));
	assert_int_equal(send(loop.parent, longer, sizeof(longer), 0), sizeof(longer));
	assert_int_equal(recv(fd, &early, 1, MSG_DONTWAIT), -1);
	loop_send(&loop, q.id, passed());
	hears(fd, PASSED);
	hears_the_end(fd);
	loop_end(&loop);
}

/* A client that leaves takes no place in line with it. */
static void test_client_that_leaves(void **state)
{
	struct loop loop = loop_start(&roomy);
	struct policy_question q;
	int fd, i;

	(void)state;
	for (i = 0; i < 100; i++) {
		fd = connect_and_say(POLICY_DELEGATION, POLICY);
		q = loop_question(&loop);
		close(fd);
		loop_send(&loop, q.id, passed());
	}
	fd = connect_and_say(POLICY_EXIM, ASK);
	loop_answer(&loop, refused());
	hears(fd, REFUSED);
	hears_the_end(fd);
	loop_end(&loop);
}

static void test_stranger(void **state)
{
	struct loop loop;
	int fd;

	(void)state;
	need_root();
	loop = loop_start(&roomy);
	fd = connect_as(STRANGER, POLICY_EXIM);
	hears_the_end(fd);
	fd = connect_as(BOB, POLICY_EXIM);
	says(fd, ASK);
	loop_answer(&loop, passed());
	hears(fd, PASSED);
	hears_the_end(fd);
	loop_await_count(&loop, &loop.stats.strangers, 1);
	loop_end(&loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_exim),
		cmocka_unit_test(test_exim_malformed),
		cmocka_unit_test(test_policy),
		cmocka_unit_test(test_socketmap),
		cmocka_unit_test(test_feed),
		cmocka_unit_test(test_answers_that_are_none),
		cmocka_unit_test(test_client_that_leaves),
		cmocka_unit_test(test_stranger),
	};

	alarm(120);
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, make_run, remove_run);
}
