/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * policy_bounds_test.c - the bounds of the policy server's event loop: on time, on places, and on
 * what is kept for a daemon that is busy. Nobody who is slow delays another.
 */
#include "policy_loop.h"

/* The daemon takes nothing for a while: nobody waits for it, and what is lost is counted. */
static void test_feed_that_nobody_takes(void **state)
{
	enum { EVENTS = 3000 };
	struct policy_bounds bounds = roomy;
	struct policy_message m;
	char line[128], id[16];
	struct loop loop;
	uint32_t got = 0;
	int i;

	(void)state;
	bounds.records = 100;
	loop = loop_start(&bounds);
	for (i = 0; i < EVENTS; i++) {
		snprintf(line, sizeof(line), EVENT "%d\n", i);
		hears_the_end(connect_and_say(POLICY_FEED, line));
	}
	while (got + loop.stats.lost < EVENTS) {
		m = loop_next(&loop);
		if (m.kind == POLICY_COUNTED)
			continue;
		/* In order, and without a hole but at the end. */
		assert_int_equal(m.kind, POLICY_RECORD);
		assert_int_equal(m.record.relay_uid, 101);
		snprintf(id, sizeof(id), "%u", got++);
		assert_string_equal(m.record.id, id);
	}
	assert_true(loop.stats.lost > 0 && got >= 100);
	assert_int_equal(got + loop.stats.lost, EVENTS);
	/* From now on all is well again. */
	hears_the_end(connect_and_say(POLICY_FEED, EVENT "last\n"));
	assert_string_equal(loop_message(&loop, POLICY_RECORD).record.id, "last");
	loop_end(&loop);
}

static void test_no_answer(void **state)
{
	struct policy_bounds bounds = roomy;
	struct policy_question q[3];
	struct loop loop;
	int exim, policy, map;

	(void)state;
	bounds.ask_ms = 100;
	loop = loop_start(&bounds);
	exim = connect_and_say(POLICY_EXIM, ASK);
	q[0] = loop_question(&loop);
	hears_the_end(exim);
	policy = connect_and_say(POLICY_DELEGATION, POLICY);
	q[1] = loop_question(&loop);
	hears_the_end(policy);
	map = connect_and_say(POLICY_SOCKETMAP, KEY);
	q[2] = loop_question(&loop);
	hears(map, NOT_FOUND);
	loop_await_count(&loop, &loop.stats.late, 3);
	/* Answers that come too late are nobody's, least of all the next one's. */
	says(map, KEY);
	loop_send(&loop, q[0].id, refused());
	loop_send(&loop, q[1].id, refused());
	loop_send(&loop, q[2].id, refused());
	loop_answer(&loop, passed());
	hears(map, NOT_FOUND);
	close(map);
	loop_end(&loop);
}

/* Who says nothing, or never comes to an end, or does not read, loses the place. */
static void test_slow_clients(void **state)
{
	struct policy_bounds bounds = roomy;
	struct loop loop;
	int exim, feed, policy, idle, fd;

	(void)state;
	bounds.request_ms = 300;
	loop = loop_start(&bounds);
	exim = connect_to(POLICY_EXIM);
	feed = connect_and_say(POLICY_FEED, "exim event=");
	policy = connect_and_say(POLICY_DELEGATION, "request=");
	idle = connect_to(POLICY_DELEGATION);
	/* Meanwhile others are served. */
	fd = connect_and_say(POLICY_EXIM, ASK);
	loop_answer(&loop, passed());
	hears(fd, PASSED);
	hears_the_end(fd);
	hears_the_end(exim);
	hears_the_end(feed);
	hears_the_end(policy);
	says(idle, POLICY);
	loop_answer(&loop, passed());
	hears(idle, DUNNO);
	close(idle);
	loop_end(&loop);
}

/* A byte now and then buys no more time for one request. */
static void test_trickle(void **state)
{
	struct policy_bounds bounds = roomy;
	struct pollfd ready = {.events = POLLIN};
	struct loop loop;
	int i;

	(void)state;
	bounds.request_ms = 300;
	loop = loop_start(&bounds);
	ready.fd = connect_to(POLICY_DELEGATION);
	for (i = 0; i < WAIT_MS / 20 && poll(&ready, 1, 20) == 0; i++)
		send(ready.fd, "x", 1, MSG_NOSIGNAL);
	assert_true(i >= 5 && i < WAIT_MS / 20);
	close(ready.fd);
	loop_end(&loop);
}

static void test_idle_client(void **state)
{
	struct policy_bounds bounds = roomy;
	struct loop loop;

	(void)state;
	bounds.idle_ms = 100;
	loop = loop_start(&bounds);
	hears_the_end(connect_to(POLICY_SOCKETMAP));
	loop_end(&loop);
}

/* Answers pile up until the child stops reading; then it is dropped, and nobody else minds. */
static void test_client_that_does_not_read(void **state)
{
	struct policy_bounds bounds = roomy;
	struct loop loop;
	int fd, other;

	(void)state;
	bounds.write_ms = 200;
	loop = loop_start(&bounds);
	fd = connect_to(POLICY_SOCKETMAP);
	while (send(fd, "6:nope x,", 9, MSG_NOSIGNAL) == 9)
		;
	assert_true(errno == EPIPE || errno == ECONNRESET);
	close(fd);
	other = connect_and_say(POLICY_EXIM, ASK);
	loop_answer(&loop, passed());
	hears(other, PASSED);
	hears_the_end(other);
	loop_end(&loop);
}

/* More than may be asked at once: each gets its own answer in the end. */
static void test_many_at_once(void **state)
{
	enum { CLIENTS = 300 };
	struct policy_bounds bounds = roomy;
	char line[64], expected[64];
	int fds[CLIENTS];
	struct loop loop;
	int i;

	(void)state;
	bounds.clients = bounds.per_uid = CLIENTS;
	loop = loop_start(&bounds);
	for (i = 0; i < CLIENTS; i++) {
		snprintf(line, sizeof(line), "uid=%d sender=a@example.com\n", 2000 + i);
		fds[i] = connect_and_say(POLICY_EXIM, line);
	}
	for (i = 0; i < CLIENTS; i++) {
		struct policy_question q = loop_question(&loop);
		struct policy_answer answer = passed();

		answer.account.uid = q.submission.uid;
		loop_send(&loop, q.id, answer);
	}
	for (i = 0; i < CLIENTS; i++) {
		snprintf(expected, sizeof(expected), "ok uid:%d\n", 2000 + i);
		hears(fds[i], expected);
		hears_the_end(fds[i]);
	}
	loop_end(&loop);
}

static void test_places_are_taken_from_the_idle(void **state)
{
	struct loop loop = loop_start(&roomy);
	int idle[20], asking, i;

	(void)state;
	/* The oldest of all, but not idle. */
	asking = connect_and_say(POLICY_EXIM, ASK);
	for (i = 0; i < 20; i++)
		idle[i] = connect_to(POLICY_DELEGATION);
	for (i = 0; i < 13; i++)
		hears_the_end(idle[i]);
	for (; i < 20; i++) {
		says(idle[i], "request=smtpd_access_policy\nprotocol_state=EHLO\n\n");
		hears(idle[i], DUNNO);
		close(idle[i]);
	}
	loop_answer(&loop, passed());
	hears(asking, PASSED);
	hears_the_end(asking);
	loop_await_count(&loop, &loop.stats.crowded, 13);
	loop_end(&loop);
}

/* One uid floods: the other's connections stay. */
static void test_places_of_another_uid(void **state)
{
	struct policy_bounds bounds = roomy;
	struct loop loop;
	int bobs[2], flood[20], i;

	(void)state;
	need_root();
	bounds.per_uid = 6;
	loop = loop_start(&bounds);
	bobs[0] = connect_as(BOB, POLICY_DELEGATION);
	bobs[1] = connect_as(BOB, POLICY_DELEGATION);
	for (i = 0; i < 20; i++)
		flood[i] = connect_to(POLICY_DELEGATION);
	for (i = 0; i < 14; i++)
		hears_the_end(flood[i]);
	for (i = 0; i < 2; i++) {
		says(bobs[i], "request=smtpd_access_policy\nprotocol_state=EHLO\n\n");
		hears(bobs[i], DUNNO);
		close(bobs[i]);
	}
	for (i = 14; i < 20; i++)
		close(flood[i]);
	loop_end(&loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_feed_that_nobody_takes),
		cmocka_unit_test(test_no_answer),
		cmocka_unit_test(test_slow_clients),
		cmocka_unit_test(test_trickle),
		cmocka_unit_test(test_idle_client),
		cmocka_unit_test(test_client_that_does_not_read),
		cmocka_unit_test(test_many_at_once),
		cmocka_unit_test(test_places_are_taken_from_the_idle),
		cmocka_unit_test(test_places_of_another_uid),
	};

	alarm(120);
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, make_run, remove_run);
}
