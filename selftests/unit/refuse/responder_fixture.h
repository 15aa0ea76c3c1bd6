/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * responder_fixture.h - for the tests of the responder: what it says, a client on loopback that
 * waits for what it expects, never for a time, and a daemon that knows everybody.
 */
#ifndef SMTPL_TEST_RESPONDER_FIXTURE_H
#define SMTPL_TEST_RESPONDER_FIXTURE_H

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <cmocka.h>
#include "refuse/refusal_text.h"
#include "refuse/responder.h"

#define GREETING "220 smtplimit ESMTP\r\n"
#define REFUSAL(domain)                                                                            \
	"5.7.1 Domain " domain " has exceeded the max defers and failures per hour (7/5 (58%)) "   \
	"allowed. Message discarded. Sending is possible again at 2026-11-21T14:05:00Z."
#define REFUSED	    "550 " REFUSAL("example.com") "\r\n"
#define REFUSED_OWN "550 " REFUSAL("own.example") "\r\n"
#define UNAVAILABLE "421 4.3.2 Service not available, try again later\r\n"
#define BYE	    "221 2.0.0 Bye\r\n"
#define MAIL	    "MAIL FROM:<a@example.com>\r\n"
#define WAIT_MS	    20000

static const struct responder_answer known = {
	.known = 1,
	.bad = 7,
	.min = 5,
	.percent = 58,
	.names_sender = 1,
	.until_wall_s = 1795269900,
	.domain = "own.example",
};

static inline void await(int fd, short events)
{
	struct pollfd ready = {.fd = fd, .events = events};

	assert_int_equal(poll(&ready, 1, WAIT_MS), 1);
}

static inline int connect_to(int family, int port)
{
	struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
	struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = htons(port)};
	const struct timeval patience = {.tv_sec = WAIT_MS / 1000};
	int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	six.sin6_addr = in6addr_loopback;
	four.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	if (family == AF_INET)
		assert_int_equal(connect(fd, (struct sockaddr *)&four, sizeof(four)), 0);
	else
		assert_int_equal(connect(fd, (struct sockaddr *)&six, sizeof(six)), 0);
	return fd;
}

static inline void client_says(int fd, const char *text)
{
	assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

/* The next bytes of the server's are these. */
static inline void client_hears(int fd, const char *expected)
{
	char said[4096];
	size_t length = strlen(expected);

	assert_true(length < sizeof(said));
	assert_int_equal(recv(fd, said, length, MSG_WAITALL), length);
	said[length] = '\0';
	assert_string_equal(said, expected);
}

/* The server has closed, in order: not by a reset. */
static inline void client_hears_the_end(int fd)
{
	char more;

	assert_int_equal(recv(fd, &more, 1, 0), 0);
	close(fd);
}

struct asked {
	int times;
	struct responder_question last;
};

static inline void lookup_known(void *arg, const struct responder_question *question,
				struct responder_answer *answer)
{
	struct asked *asked = arg;

	asked->times++;
	asked->last = *question;
	*answer = known;
}

static inline void need_root(void)
{
	if (geteuid() != 0)
		skip();
}

static inline struct responder start(void)
{
	struct responder r;

	fflush(NULL);
	assert_int_equal(responder_start(&r), 0);
	return r;
}

#endif
