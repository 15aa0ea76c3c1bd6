/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * door_server_test.c - the door's event loop over real sockets, with small bounds. The test plays
 * the daemon and the mail servers. What takes a second uid is skipped without root.
 */
#include "child.h"
#include "door_fixture.h"
#include "door_server.h"

static const struct door_bounds roomy = {
	.clients = 8,
	.per_uid = 8,
	.ask_ms = 60000,
	.request_ms = 60000,
	.idle_ms = 60000,
	.write_ms = 60000,
	.records = 1024,
};

/* The event loop alone, in a child of the test, which plays the daemon. */
struct loop {
	pid_t pid;
	int parent;
	struct door_stats stats; /* as last told */
};

struct setup {
	struct door_sockets sockets;
	struct door_bounds bounds;
	struct config_uids peers;
};

static int run_loop(void *arg, int fd, pid_t parent)
{
	const struct setup *setup = arg;

	return door_server(&setup->sockets, &setup->bounds, &setup->peers, fd, parent);
}

static int listen_at(const char *name)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	struct sockaddr_un addr = address(name);

	unlink(addr.sun_path);
	assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	assert_int_equal(chmod(addr.sun_path, 0666), 0);
	assert_int_equal(listen(fd, 4096), 0);
	return fd;
}

static struct loop loop_start(const struct door_bounds *bounds)
{
	struct setup setup = {.bounds = *bounds, .peers = {.uid = {BOB, getuid()}, .count = 2}};
	struct loop loop = {.pid = 0};
	size_t i;

	for (i = 0; i < DOOR_SOCKETS; i++)
		setup.sockets.listen[i] = listen_at(door_socket_names[i]);
	fflush(NULL);
	assert_int_equal(child_start(run_loop, &setup, &loop.pid, &loop.parent), 0);
	for (i = 0; i < DOOR_SOCKETS; i++)
		close(setup.sockets.listen[i]);
	return loop;
}

/* The daemon ends; so does the child, by itself and in order. */
static void loop_end(struct loop *loop)
{
	int status;

	close(loop->parent);
	assert_int_equal(waitpid(loop->pid, &status, 0), loop->pid);
	assert_int_equal(status, 0);
	assert_int_equal(try_connect(DOOR_EXIM), -1);
}

/* The next message of this kind. What was counted is noted. */
static struct door_message loop_message(struct loop *loop, enum door_kind kind)
{
	struct door_message m;

	for (;;) {
		await(loop->parent, POLLIN);
		assert_true(recv(loop->parent, &m, sizeof(m), 0) > 0);
		if (m.kind == DOOR_COUNTED)
			loop->stats = m.stats;
		if (m.kind == kind)
			return m;
		assert_int_equal(m.kind, DOOR_COUNTED);
	}
}

static struct door_question loop_question(struct loop *loop)
{
	return loop_message(loop, DOOR_QUESTION).question;
}

static void loop_send(const struct loop *loop, uint32_t id, struct door_answer answer)
{
	answer.id = id;
	assert_int_equal(send(loop->parent, &answer, sizeof(answer), 0), sizeof(answer));
}

static struct origin loop_answer(struct loop *loop, struct door_answer answer)
{
	struct door_question q = loop_question(loop);

	loop_send(loop, q.id, answer);
	return q.origin;
}

/* Until so much has been told: it is in the second behind that it is. */
static void loop_await_count(struct loop *loop, const uint64_t *counter, uint64_t value)
{
	while (*counter != value)
		loop_message(loop, DOOR_COUNTED);
}

static void test_exim(void **state)
{
	struct loop loop = loop_start(&roomy);
	int fd = connect_and_say(DOOR_EXIM, ASK);
	struct origin o = loop_answer(&loop, passed());

	(void)state;
	assert_int_equal(o.known, ORIGIN_HAS_UID);
	assert_int_equal(o.uid, 1001);
	assert_string_equal(o.sender, "a@Example.COM.");
	hears(fd, PASSED);
	hears_the_end(fd);
	/* Half-closed, without a line end: readsocket. */
	fd = connect_and_say(DOOR_EXIM, "uid=1001 sender=a@example.com");
	shutdown(fd, SHUT_WR);
	loop_answer(&loop, refused());
	hears(fd, REFUSED);
	hears_the_end(fd);
	fd = connect_and_say(DOOR_EXIM, "uid=1001\r\nmore than a line");
	loop_answer(&loop, refused());
	hears(fd, "refused uid:1001 " REFUSAL("own.example") "\n");
	hears_the_end(fd);
	fd = connect_and_say(DOOR_EXIM, "sender=\n");
	loop_answer(&loop, (struct door_answer){.charge = ORIGIN_NULL});
	hears(fd, "ok -\n");
	hears_the_end(fd);
	loop_end(&loop);
}

static void test_exim_malformed(void **state)
{
	char line[DOOR_LINE_MAX + 3];
	struct loop loop = loop_start(&roomy);
	int fd = connect_and_say(DOOR_EXIM, "uid=x\n");

	(void)state;
	hears(fd, "error \"uid=x\": want uid=N, addr=IP, port=N, auth=X, auth64=BASE64, sender=X, "
		  "sender64=BASE64, nosender=1, account=uid:N or account=domain:X\n");
	hears_the_end(fd);
	memset(line, 'x', sizeof(line) - 1);
	line[sizeof(line) - 1] = '\0';
	fd = connect_and_say(DOOR_EXIM, line);
	hears(fd, "error want a line of at most 4096 bytes\n");
	hears_the_end(fd);
	fd = connect_to(DOOR_EXIM);
	shutdown(fd, SHUT_WR);
	hears_the_end(fd);
	loop_end(&loop);
}

static void test_policy(void **state)
{
	struct loop loop = loop_start(&roomy);
	int fd = connect_and_say(DOOR_POLICY, POLICY);
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
	fd = connect_and_say(DOOR_POLICY, "request=smtpd_access_policy\n");
	shutdown(fd, SHUT_WR);
	hears_the_end(fd);
	loop_end(&loop);
}

static void test_socketmap(void **state)
{
	struct loop loop = loop_start(&roomy);
	int fd = connect_and_say(DOOR_SOCKETMAP, KEY KEY "6:nope x,");

	(void)state;
	loop_answer(&loop, passed());
	loop_answer(&loop, refused());
	hears(fd, NOT_FOUND "174:OK error:5.7.1 " REASON("example.com") ","
		  "54:PERM no such map: want transport, pickup, users or ask,");
	says(fd, "63:pickup Received: by h.example (Postfix, from userid 1001)\n id x,");
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
	struct feed_record r;
	int fd = connect_and_say(DOOR_FEED, EVENT "one\n");

	(void)state;
	/* Closed, whatever the daemon does. */
	hears_the_end(fd);
	r = loop_message(&loop, DOOR_RECORD).record;
	assert_int_equal(r.kind, FEED_OUTCOME);
	assert_int_equal(r.relay_uid, 101);
	assert_string_equal(r.id, "one");
	fd = connect_and_say(DOOR_FEED, "exim event=msg:host:defer\n");
	hears_the_end(fd);
	fd = connect_and_say(DOOR_FEED, "exim event=msg:delivery id=two");
	shutdown(fd, SHUT_WR);
	hears_the_end(fd);
	r = loop_message(&loop, DOOR_RECORD).record;
	assert_string_equal(r.id, "two");
	assert_int_equal(r.relay_uid, getuid());
	fd = connect_and_say(DOOR_FEED, "nonsense\n");
	hears_the_end(fd);
	loop_await_count(&loop, &loop.stats.malformed, 1);
	loop_end(&loop);
}

/* The daemon takes nothing for a while: nobody waits for it, and what is lost is counted. */
static void test_feed_that_nobody_takes(void **state)
{
	enum { EVENTS = 3000 };
	struct door_bounds bounds = roomy;
	uint32_t got = 0, lost = 0;
	char line[128], id[16];
	struct feed_record r;
	struct loop loop;
	int i;

	(void)state;
	bounds.records = 100;
	loop = loop_start(&bounds);
	for (i = 0; i < EVENTS; i++) {
		snprintf(line, sizeof(line), EVENT "%d\n", i);
		hears_the_end(connect_and_say(DOOR_FEED, line));
	}
	while (got + lost < EVENTS) {
		r = loop_message(&loop, DOOR_RECORD).record;
		assert_int_equal(r.relay_uid, 101);
		if (r.kind == FEED_LOST) {
			lost += r.count;
			continue;
		}
		/* In order, and without a hole but at the end. */
		assert_int_equal(lost, 0);
		snprintf(id, sizeof(id), "%u", got++);
		assert_string_equal(r.id, id);
	}
	assert_true(lost > 0 && got >= 100);
	assert_int_equal(got + lost, EVENTS);
	loop_await_count(&loop, &loop.stats.lost, lost);
	/* From now on all is well again. */
	hears_the_end(connect_and_say(DOOR_FEED, EVENT "last\n"));
	assert_string_equal(loop_message(&loop, DOOR_RECORD).record.id, "last");
	loop_end(&loop);
}

static void test_no_answer(void **state)
{
	struct door_bounds bounds = roomy;
	struct door_question q[3];
	struct loop loop;
	int exim, policy, map;

	(void)state;
	bounds.ask_ms = 100;
	loop = loop_start(&bounds);
	exim = connect_and_say(DOOR_EXIM, ASK);
	q[0] = loop_question(&loop);
	hears_the_end(exim);
	policy = connect_and_say(DOOR_POLICY, POLICY);
	q[1] = loop_question(&loop);
	hears_the_end(policy);
	map = connect_and_say(DOOR_SOCKETMAP, KEY);
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

static void test_answers_that_are_none(void **state)
{
	struct loop loop = loop_start(&roomy);
	int fd = connect_and_say(DOOR_EXIM, ASK);
	struct door_question q = loop_question(&loop);
	char longer[sizeof(struct door_answer) + 1] = {0};
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

/* Who says nothing, or never comes to an end, or does not read, loses the place. */
static void test_slow_clients(void **state)
{
	struct door_bounds bounds = roomy;
	struct loop loop;
	int exim, feed, policy, idle, fd;

	(void)state;
	bounds.request_ms = 300;
	loop = loop_start(&bounds);
	exim = connect_to(DOOR_EXIM);
	feed = connect_and_say(DOOR_FEED, "exim event=");
	policy = connect_and_say(DOOR_POLICY, "request=");
	idle = connect_to(DOOR_POLICY);
	/* Meanwhile others are served. */
	fd = connect_and_say(DOOR_EXIM, ASK);
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
	struct door_bounds bounds = roomy;
	struct pollfd ready = {.events = POLLIN};
	struct loop loop;
	int i;

	(void)state;
	bounds.request_ms = 300;
	loop = loop_start(&bounds);
	ready.fd = connect_to(DOOR_POLICY);
	for (i = 0; i < WAIT_MS / 20 && poll(&ready, 1, 20) == 0; i++)
		send(ready.fd, "x", 1, MSG_NOSIGNAL);
	assert_true(i >= 5 && i < WAIT_MS / 20);
	close(ready.fd);
	loop_end(&loop);
}

static void test_idle_client(void **state)
{
	struct door_bounds bounds = roomy;
	struct loop loop;

	(void)state;
	bounds.idle_ms = 100;
	loop = loop_start(&bounds);
	hears_the_end(connect_to(DOOR_SOCKETMAP));
	loop_end(&loop);
}

/* Answers pile up until the child stops reading; then it is dropped, and nobody else minds. */
static void test_client_that_does_not_read(void **state)
{
	struct door_bounds bounds = roomy;
	struct loop loop;
	int fd, other;

	(void)state;
	bounds.write_ms = 200;
	loop = loop_start(&bounds);
	fd = connect_to(DOOR_SOCKETMAP);
	while (send(fd, "6:nope x,", 9, MSG_NOSIGNAL) == 9)
		;
	assert_true(errno == EPIPE || errno == ECONNRESET);
	close(fd);
	other = connect_and_say(DOOR_EXIM, ASK);
	loop_answer(&loop, passed());
	hears(other, PASSED);
	hears_the_end(other);
	loop_end(&loop);
}

/* A client that leaves takes no place in line with it. */
static void test_client_that_leaves(void **state)
{
	struct loop loop = loop_start(&roomy);
	struct door_question q;
	int fd, i;

	(void)state;
	for (i = 0; i < 100; i++) {
		fd = connect_and_say(DOOR_POLICY, POLICY);
		q = loop_question(&loop);
		close(fd);
		loop_send(&loop, q.id, passed());
	}
	fd = connect_and_say(DOOR_EXIM, ASK);
	loop_answer(&loop, refused());
	hears(fd, REFUSED);
	hears_the_end(fd);
	loop_end(&loop);
}

/* More than may be asked at once: each gets its own answer in the end. */
static void test_many_at_once(void **state)
{
	enum { CLIENTS = 300 };
	struct door_bounds bounds = roomy;
	char line[64], expected[64];
	int fds[CLIENTS];
	struct loop loop;
	int i;

	(void)state;
	bounds.clients = bounds.per_uid = CLIENTS;
	loop = loop_start(&bounds);
	for (i = 0; i < CLIENTS; i++) {
		snprintf(line, sizeof(line), "uid=%d sender=a@example.com\n", 2000 + i);
		fds[i] = connect_and_say(DOOR_EXIM, line);
	}
	for (i = 0; i < CLIENTS; i++) {
		struct door_question q = loop_question(&loop);
		struct door_answer answer = passed();

		answer.account.uid = q.origin.uid;
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
	asking = connect_and_say(DOOR_EXIM, ASK);
	for (i = 0; i < 20; i++)
		idle[i] = connect_to(DOOR_POLICY);
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
	struct door_bounds bounds = roomy;
	struct loop loop;
	int bobs[2], flood[20], i;

	(void)state;
	need_root();
	bounds.per_uid = 6;
	loop = loop_start(&bounds);
	bobs[0] = connect_as(BOB, DOOR_POLICY);
	bobs[1] = connect_as(BOB, DOOR_POLICY);
	for (i = 0; i < 20; i++)
		flood[i] = connect_to(DOOR_POLICY);
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

static void test_stranger(void **state)
{
	struct loop loop;
	int fd;

	(void)state;
	need_root();
	loop = loop_start(&roomy);
	fd = connect_as(STRANGER, DOOR_EXIM);
	hears_the_end(fd);
	fd = connect_as(BOB, DOOR_EXIM);
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
		cmocka_unit_test(test_feed_that_nobody_takes),
		cmocka_unit_test(test_no_answer),
		cmocka_unit_test(test_answers_that_are_none),
		cmocka_unit_test(test_slow_clients),
		cmocka_unit_test(test_trickle),
		cmocka_unit_test(test_idle_client),
		cmocka_unit_test(test_client_that_does_not_read),
		cmocka_unit_test(test_client_that_leaves),
		cmocka_unit_test(test_many_at_once),
		cmocka_unit_test(test_places_are_taken_from_the_idle),
		cmocka_unit_test(test_places_of_another_uid),
		cmocka_unit_test(test_stranger),
	};

	alarm(120);
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, make_run, remove_run);
}
