/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * policy_fixture.h - for the tests of the policy server: a directory for its sockets, clients that
 * wait for what they expect, never for a time, and what they may hear.
 */
#ifndef SMTPL_TEST_POLICY_FIXTURE_H
#define SMTPL_TEST_POLICY_FIXTURE_H

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <cmocka.h>
#include "policy/policy_server.h"
#include "policy/policy_talk.h"

#define WAIT_MS	 20000
#define BOB	 65433 /* a peer, when the test is root */
#define STRANGER 65434
#define REASON(domain)                                                                             \
	"Domain " domain " has exceeded the max defers and failures per hour (7/5 (58%)) "         \
	"allowed. Message discarded. Sending is possible again at 2026-11-21T14:05:00Z."
#define REFUSAL(domain) "550 5.7.1 " REASON(domain)
#define ASK		"uid=1001 sender=a@Example.COM.\n"
#define PASSED		"ok uid:1001\n"
#define REFUSED		"refused uid:1001 " REFUSAL("example.com") "\n"
#define POLICY		"request=smtpd_access_policy\nsender=a@example.com\n\n"
#define DUNNO		"action=DUNNO\n\n"
#define REJECT		"action=" REFUSAL("example.com") "\n\n"
#define KEY		"23:transport a@example.com,"
#define NOT_FOUND	"9:NOTFOUND ,"
#define EVENT		"exim event=msg:delivery relay=101 id="

static char run[] = "/tmp/policy_test.XXXXXX";

static inline int make_run(void **state)
{
	(void)state;
	return mkdtemp(run) && chmod(run, 0755) == 0 ? 0 : -1;
}

static inline struct sockaddr_un address(const char *name)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};

	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s/%s", run, name);
	return addr;
}

/* Fails where something was left behind besides the sockets. */
static inline int remove_run(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < POLICY_SOCKETS; i++)
		unlink(address(policy_socket_names[i]).sun_path);
	return rmdir(run);
}

static inline void await(int fd, short events)
{
	struct pollfd ready = {.fd = fd, .events = events};

	assert_int_equal(poll(&ready, 1, WAIT_MS), 1);
}

static inline int try_connect(enum policy_socket socket_)
{
	struct sockaddr_un addr = address(policy_socket_names[socket_]);
	const struct timeval patience = {.tv_sec = WAIT_MS / 1000};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0)
		return fd;
	close(fd);
	return -1;
}

static inline int connect_to(enum policy_socket socket_)
{
	int fd = try_connect(socket_);

	assert_true(fd >= 0);
	return fd;
}

/* By another uid; only root can. */
static inline int connect_as(uid_t uid, enum policy_socket socket_)
{
	int fd;

	assert_int_equal(seteuid(uid), 0);
	fd = connect_to(socket_);
	assert_int_equal(seteuid(0), 0);
	return fd;
}

static inline void need_root(void)
{
	if (geteuid() != 0)
		skip();
}

static inline void says(int fd, const char *text)
{
	assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

static inline int connect_and_say(enum policy_socket socket_, const char *text)
{
	int fd = connect_to(socket_);

	says(fd, text);
	return fd;
}

/* The next bytes of the policy server's are these. */
static inline void hears(int fd, const char *expected)
{
	char said[4096];
	size_t length = strlen(expected);
	ssize_t got;

	assert_true(length < sizeof(said));
	got = recv(fd, said, length, MSG_WAITALL);
	assert_true(got >= 0);
	said[got] = '\0';
	assert_string_equal(said, expected);
}

static inline void hears_the_end(int fd)
{
	char more;

	assert_int_equal(recv(fd, &more, 1, 0), 0);
	close(fd);
}

static inline struct policy_answer passed(void)
{
	struct policy_answer answer = {.charge = PAYER_ACCOUNT};

	answer.account = (struct account_id){.kind = ACCOUNT_UID, .uid = 1001};
	return answer;
}

static inline struct policy_answer refused(void)
{
	struct policy_answer answer = passed();

	answer.refusal = (struct responder_answer){.known = 1,
						   .bad = 7,
						   .min = 5,
						   .percent = 58,
						   .names_sender = 1,
						   .until_wall_s = 1795269900,
						   .domain = "own.example"};
	return answer;
}

#endif
