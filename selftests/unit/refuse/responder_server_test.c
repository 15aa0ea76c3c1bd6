/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * responder_server_test.c - the responder's event loop over real sockets, with small bounds and on
 * any port, which takes no privilege. The test plays the daemon and the clients.
 */
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/wait.h>
#include <cmocka.h>
#include "responder_fixture.h"
#include "refuse/responder_server.h"

static const struct responder_bounds roomy = {
	.clients = 8,
	.ask_ms = 60000,
	.idle_ms = 60000,
	.life_ms = 60000,
	.leave_ms = 60000,
	.input_bytes = 64 << 10,
	.drain_bytes = 1 << 20,
};

/* The event loop alone, in a child of the test, which plays the daemon. */
struct loop {
	pid_t pid;
	int parent;
	int port;
};

static int listen_anywhere(int *port)
{
	struct sockaddr_in addr = {.sin_family = AF_INET};
	socklen_t length = sizeof(addr);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

	addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	assert_int_equal(listen(fd, 1024), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&addr, &length), 0);
	*port = ntohs(addr.sin_port);
	return fd;
}

static struct loop loop_start(const struct responder_bounds *bounds)
{
	struct responder_sockets sockets = {.listen6 = -1};
	pid_t self = getpid();
	struct loop loop;
	int pair[2];
	int err = -1;

	sockets.listen4 = listen_anywhere(&loop.port);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, pair), 0);
	sockets.parent = pair[1];
	fflush(NULL);
	loop.pid = fork();
	if (loop.pid == 0)
		_exit(responder_server(&sockets, bounds, self));
	close(pair[1]);
	close(sockets.listen4);
	loop.parent = pair[0];
	await(loop.parent, POLLIN);
	assert_int_equal(recv(loop.parent, &err, sizeof(err), 0), sizeof(err));
	assert_int_equal(err, 0);
	return loop;
}

/* The daemon ends; so does the child, by itself and in order. */
static void loop_end(struct loop *loop)
{
	int status;

	close(loop->parent);
	assert_int_equal(waitpid(loop->pid, &status, 0), loop->pid);
	assert_int_equal(status, 0);
}

static struct responder_question loop_question(const struct loop *loop)
{
	struct responder_question q;

	await(loop->parent, POLLIN);
	assert_int_equal(recv(loop->parent, &q, sizeof(q), 0), sizeof(q));
	return q;
}

static void loop_answer(const struct loop *loop, struct responder_answer answer)
{
	answer.id = loop_question(loop).id;
	assert_int_equal(send(loop->parent, &answer, sizeof(answer), 0), sizeof(answer));
}

static int client_of(const struct loop *loop)
{
	int fd = connect_to(AF_INET, loop->port);

	loop_answer(loop, known);
	client_hears(fd, GREETING);
	return fd;
}

static void test_asks_who_it_is(void **state)
{
	static const uint8_t mapped[16] = {[10] = 0xff, 0xff, 127, 0, 0, 1};
	struct loop loop = loop_start(&roomy);
	int fd = connect_to(AF_INET, loop.port);
	struct responder_question q = loop_question(&loop);
	struct responder_answer answer = known;
	struct sockaddr_in own;
	socklen_t length = sizeof(own);
	char early;

	(void)state;
	assert_int_equal(getsockname(fd, (struct sockaddr *)&own, &length), 0);
	assert_int_equal(q.port, ntohs(own.sin_port));
	assert_memory_equal(q.addr, mapped, sizeof(mapped));
	/* What is no answer to this question is passed over. */
	answer.known = 0;
	answer.id = q.id + 1;
	send(loop.parent, &answer, sizeof(answer), 0);
	answer.id = q.id + roomy.clients;
	send(loop.parent, &answer, sizeof(answer), 0);
	send(loop.parent, &q.id, sizeof(q.id), 0);
	client_says(fd, MAIL);
	assert_int_equal(recv(fd, &early, 1, MSG_DONTWAIT), -1);
	answer.known = 1;
	answer.id = q.id;
	send(loop.parent, &answer, sizeof(answer), 0);
	/* Asked again once a sender is named, with the domain. */
	q = loop_question(&loop);
	assert_string_equal(q.domain, "example.com");
	assert_memory_equal(q.addr, mapped, sizeof(mapped));
	send(loop.parent, &answer, sizeof(answer), 0); /* to the first question: no answer */
	answer.id = q.id;
	send(loop.parent, &answer, sizeof(answer), 0);
	client_hears(fd, GREETING REFUSED);
	/* A second answer changes nothing. */
	answer.known = 0;
	send(loop.parent, &answer, sizeof(answer), 0);
	client_says(fd, "QUIT\r\n");
	client_hears(fd, BYE);
	client_hears_the_end(fd);
	loop_end(&loop);
}

/* Who may send again by the time that a sender is named is told to try again; the account's own
 * domain needs no question; one that it does not own is not named. */
static void test_second_question(void **state)
{
	struct loop loop = loop_start(&roomy);
	struct responder_answer forged = known;
	int fd = client_of(&loop);

	(void)state;
	client_says(fd, "MAIL FROM:<a@own.example>\r\n");
	client_hears(fd, REFUSED_OWN);
	forged.names_sender = 0;
	client_says(fd, MAIL);
	loop_answer(&loop, forged);
	client_hears(fd, REFUSED_OWN);
	client_says(fd, MAIL "NOOP\r\n");
	loop_answer(&loop, (struct responder_answer){.known = 0});
	client_hears(fd, UNAVAILABLE);
	client_hears_the_end(fd);
	loop_end(&loop);
}

static void test_unknown_client(void **state)
{
	struct loop loop = loop_start(&roomy);
	int fd = connect_to(AF_INET, loop.port);

	(void)state;
	loop_answer(&loop, (struct responder_answer){.known = 0});
	client_hears(fd, UNAVAILABLE);
	client_hears_the_end(fd);
	loop_end(&loop);
}

static void test_no_answer(void **state)
{
	struct responder_bounds bounds = roomy;
	struct loop loop;
	int fd;

	(void)state;
	bounds.ask_ms = 100;
	loop = loop_start(&bounds);
	fd = connect_to(AF_INET, loop.port);
	client_hears(fd, UNAVAILABLE);
	client_hears_the_end(fd);
	loop_end(&loop);
}

static void test_idle_client(void **state)
{
	struct responder_bounds bounds = roomy;
	struct loop loop;
	int fd;

	(void)state;
	bounds.idle_ms = 100;
	loop = loop_start(&bounds);
	fd = client_of(&loop);
	client_hears(fd, UNAVAILABLE);
	client_hears_the_end(fd);
	loop_end(&loop);
}

static void test_lively_client_has_a_whole_life_too(void **state)
{
	struct responder_bounds bounds = roomy;
	struct pollfd ready = {.events = POLLIN};
	struct loop loop;
	int fd, i;

	(void)state;
	bounds.life_ms = 500;
	bounds.ask_ms = 500;
	loop = loop_start(&bounds);
	fd = client_of(&loop);
	ready.fd = fd;
	for (i = 0; i < WAIT_MS / 20 && poll(&ready, 1, 20) == 0; i++)
		client_says(fd, "N");
	client_hears(fd, UNAVAILABLE);
	close(fd);
	loop_end(&loop);
}

/* A client that does not close after the last reply loses its place all the same. */
static void test_client_that_stays(void **state)
{
	struct responder_bounds bounds = roomy;
	struct pollfd closed = {.events = 0};
	struct loop loop;
	int fd;

	(void)state;
	bounds.leave_ms = 100;
	loop = loop_start(&bounds);
	fd = client_of(&loop);
	client_says(fd, "QUIT\r\n");
	client_hears(fd, BYE);
	closed.fd = fd;
	/* The server's socket is gone once what the client still sends is answered by a reset. */
	while (poll(&closed, 1, 20) == 0)
		send(fd, "N", 1, MSG_NOSIGNAL);
	assert_true(closed.revents & (POLLERR | POLLHUP));
	close(fd);
	loop_end(&loop);
}

static void test_half_closed_client(void **state)
{
	struct loop loop = loop_start(&roomy);
	int fd = connect_to(AF_INET, loop.port);

	(void)state;
	/* printf | nc: all is sent and closed before the greeting. */
	client_says(fd, "HELO h\r\n" MAIL "RCPT TO:<b@example.net>\r\nNOOP\r\n");
	shutdown(fd, SHUT_WR);
	loop_answer(&loop, known);
	loop_answer(&loop, known);
	client_hears(fd, GREETING "250 smtplimit\r\n" REFUSED REFUSED "250 2.0.0 OK\r\n");
	client_hears_the_end(fd);
	loop_end(&loop);
}

/* Input that nobody reads turns a close into a reset, which would take the replies with it. */
static void test_last_reply_is_not_lost(void **state)
{
	static char body[200000];
	struct loop loop = loop_start(&roomy);
	int fd = client_of(&loop);

	(void)state;
	memset(body, 'x', sizeof(body) - 1);
	client_says(fd, MAIL "QUIT\r\n");
	client_says(fd, body);
	shutdown(fd, SHUT_WR);
	loop_answer(&loop, known);
	client_hears(fd, REFUSED BYE);
	client_hears_the_end(fd);
	loop_end(&loop);
}

static void test_too_much_input(void **state)
{
	struct responder_bounds bounds = roomy;
	char filler[1025];
	struct loop loop;
	int fd, i;

	(void)state;
	bounds.input_bytes = 16 << 10;
	loop = loop_start(&bounds);
	fd = client_of(&loop);
	memset(filler, 'x', sizeof(filler));
	filler[1024] = '\0';
	for (i = 0; i < 20; i++)
		client_says(fd, filler);
	client_hears(fd, UNAVAILABLE);
	client_hears_the_end(fd);
	loop_end(&loop);
}

/* More replies than all buffers hold: the child reads no further until the client does. */
static void test_client_that_does_not_read(void **state)
{
	enum { COMMANDS = 20000 };
	struct responder_bounds bounds = roomy;
	struct loop loop;
	int fd, other, i, status;
	int small = 65536;
	pid_t writer;

	(void)state;
	bounds.input_bytes = 1 << 20;
	loop = loop_start(&bounds);
	fd = client_of(&loop);
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	fflush(NULL);
	writer = fork();
	if (writer == 0) {
		for (i = 0; i < COMMANDS; i++)
			if (send(fd, "DATA\r\n", 6, MSG_NOSIGNAL) != 6)
				_exit(1);
		_exit(0);
	}
	/* Meanwhile another one is served. */
	other = client_of(&loop);
	client_says(other, MAIL);
	loop_answer(&loop, known);
	client_hears(other, REFUSED);
	close(other);
	for (i = 0; i < COMMANDS; i++)
		client_hears(fd, REFUSED_OWN);
	assert_int_equal(waitpid(writer, &status, 0), writer);
	assert_int_equal(status, 0);
	close(fd);
	loop_end(&loop);
}

static void test_places_are_taken_from_the_idle(void **state)
{
	struct loop loop = loop_start(&roomy);
	int idle[20], fd;
	size_t i;

	(void)state;
	for (i = 0; i < 20; i++)
		idle[i] = client_of(&loop);
	fd = client_of(&loop);
	client_says(fd, MAIL);
	loop_answer(&loop, known);
	client_hears(fd, REFUSED);
	/* The longest idle had to go, told so; the others are still there. */
	for (i = 0; i < 13; i++) {
		client_hears(idle[i], UNAVAILABLE);
		client_hears_the_end(idle[i]);
	}
	for (; i < 20; i++) {
		client_says(idle[i], "QUIT\r\n");
		client_hears(idle[i], BYE);
		client_hears_the_end(idle[i]);
	}
	close(fd);
	loop_end(&loop);
}

/* The daemon has other things to do while many come: each gets its answer in the end. */
static void test_slow_daemon(void **state)
{
	enum { CLIENTS = 600 };
	struct responder_bounds bounds = roomy;
	struct loop loop;
	int fds[CLIENTS];
	int i;

	(void)state;
	bounds.clients = CLIENTS;
	loop = loop_start(&bounds);
	for (i = 0; i < CLIENTS; i++)
		fds[i] = connect_to(AF_INET, loop.port);
	for (i = 0; i < CLIENTS; i++)
		loop_answer(&loop, known);
	for (i = 0; i < CLIENTS; i++) {
		client_hears(fds[i], GREETING);
		close(fds[i]);
	}
	loop_end(&loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_asks_who_it_is),
		cmocka_unit_test(test_second_question),
		cmocka_unit_test(test_unknown_client),
		cmocka_unit_test(test_no_answer),
		cmocka_unit_test(test_idle_client),
		cmocka_unit_test(test_lively_client_has_a_whole_life_too),
		cmocka_unit_test(test_client_that_stays),
		cmocka_unit_test(test_half_closed_client),
		cmocka_unit_test(test_last_reply_is_not_lost),
		cmocka_unit_test(test_too_much_input),
		cmocka_unit_test(test_client_that_does_not_read),
		cmocka_unit_test(test_places_are_taken_from_the_idle),
		cmocka_unit_test(test_slow_daemon),
	};

	alarm(120);
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
