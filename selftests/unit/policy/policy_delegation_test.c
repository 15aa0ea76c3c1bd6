/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * policy_delegation_test.c - policy requests as Postfix writes them, and malformed ones.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <arpa/inet.h>
#include <cmocka.h>
#include "policy/policy_delegation.h"

#define REQUEST "request=smtpd_access_policy\n"
#define CLIENT	"client_address=192.0.2.1\nclient_port=40001\n"
#define SERVER	"server_address=2001:db8::2\nserver_port=587\n"

/* Feed complete lines, with the empty one at the end. Returns the step of the last. */
static enum policy_step request(struct policy_delegation *p, const char *text)
{
	enum policy_step step = POLICY_MORE;
	char line[POLICY_LINE_MAX + 1];
	size_t length;

	policy_delegation_begin(p);
	for (; *text && step == POLICY_MORE; text += length + 1) {
		length = strcspn(text, "\n");
		memcpy(line, text, length);
		step = policy_delegation_line(p, line, length);
	}
	assert_int_equal(*text, '\0');
	return step;
}

static void test_submission(void **state)
{
	static const uint8_t client[16] = {[10] = 0xff, 0xff, 192, 0, 2, 1};
	static const uint8_t server[16] = {0x20, 0x01, 0x0d, 0xb8, [15] = 2};
	struct policy_delegation p;

	(void)state;
	assert_int_equal(request(&p, REQUEST
				 "protocol_state=RCPT\nprotocol_name=ESMTP\n"
				 "helo_name=a=b=c\nqueue_id=\nsender=a@b.example\n"
				 "recipient=x@example.net\nrecipient_count=0\n" CLIENT SERVER
				 "sasl_method=plain\nsasl_username=u@c.example\n\n"),
			 POLICY_ASK);
	assert_int_equal(p.submission.known, SUBMISSION_HAS_CLIENT);
	assert_memory_equal(p.submission.client, client, 16);
	assert_int_equal(p.submission.client_port, 40001);
	assert_memory_equal(p.submission.server, server, 16);
	assert_int_equal(p.submission.server_port, 587);
	assert_string_equal(p.submission.auth, "u@c.example");
	assert_string_equal(p.submission.sender, "a@b.example");
	assert_int_equal(
		request(&p, REQUEST "sender=\nprotocol_state=DATA\nclient_address=::1\n\n"),
		POLICY_ASK);
	assert_string_equal(p.submission.sender, "");
	assert_string_equal(p.submission.auth, "");
	assert_int_equal(p.submission.known, SUBMISSION_HAS_CLIENT);
	assert_int_equal(p.submission.client_port, 0);
	assert_int_equal(p.submission.server_port, 0);
}

/* Nobody has said MAIL yet, so nobody can be refused. */
static void test_states(void **state)
{
	static const struct {
		const char *state;
		enum policy_step step;
	} states[] = {
		{"CONNECT", POLICY_REPLY}, {"EHLO", POLICY_REPLY}, {"HELO", POLICY_REPLY},
		{"ETRN", POLICY_REPLY},	   {"VRFY", POLICY_REPLY}, {"MAIL", POLICY_ASK},
		{"RCPT", POLICY_ASK},	   {"DATA", POLICY_ASK},   {"END-OF-MESSAGE", POLICY_ASK},
		{"", POLICY_ASK},	   {"NEWER", POLICY_ASK},
	};
	struct policy_delegation p;
	char text[128];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(states) / sizeof(*states); i++) {
		snprintf(text, sizeof(text), REQUEST "protocol_state=%s\n\n", states[i].state);
		assert_int_equal(request(&p, text), states[i].step);
	}
}

static void test_unknown_values(void **state)
{
	struct policy_delegation p;

	(void)state;
	assert_int_equal(
		request(&p, "client_address=unknown\nclient_port=unknown\nx=\n=\n"
			    "server_address=unknown\nserver_port=unknown\nx_port=1\n" REQUEST "\n"),
		POLICY_ASK);
	assert_int_equal(p.submission.known, 0);
	assert_int_equal(p.submission.client_port, 0);
	assert_int_equal(p.submission.server_port, 0);
}

static void test_malformed(void **state)
{
	struct policy_delegation p;

	(void)state;
	assert_int_equal(request(&p, "\n"), POLICY_MALFORMED);
	assert_int_equal(request(&p, "sender=a@b.example\n\n"), POLICY_MALFORMED);
	assert_int_equal(request(&p, "request=other\n"), POLICY_MALFORMED);
	assert_int_equal(request(&p, REQUEST "sender\n"), POLICY_MALFORMED);
	assert_int_equal(request(&p, "GET / HTTP/1.0\r\n"), POLICY_MALFORMED);
	policy_delegation_begin(&p);
	assert_int_equal(policy_delegation_line(&p, (char[]){"a=\0b"}, 4), POLICY_MALFORMED);
}

/* 64 KiB of any lines, long ones or many. */
static void test_too_much(void **state)
{
	char line[] = "unknown_attribute=123456789012345678901234567890123456789012345";
	struct policy_delegation p;
	size_t i;

	(void)state;
	assert_int_equal(strlen(line), 63);
	policy_delegation_begin(&p);
	for (i = 0; i < 1024; i++) {
		assert_int_equal(policy_delegation_line(&p, line, 63), POLICY_MORE);
		line[17] = '='; /* where it was cut */
	}
	assert_int_equal(policy_delegation_line(&p, line, 63), POLICY_MALFORMED);
	policy_delegation_begin(&p);
	assert_int_equal(policy_delegation_skip(&p, POLICY_DELEGATION_MAX), POLICY_MORE);
	assert_int_equal(policy_delegation_skip(&p, 1), POLICY_MALFORMED);
}

/* What a refusal turns away: Postfix counts recipients at DATA and later alone. */
static void test_recipients(void **state)
{
	struct policy_delegation p;

	(void)state;
	assert_int_equal(request(&p, REQUEST "protocol_state=RCPT\nrecipient_count=0\n\n"),
			 POLICY_ASK);
	assert_int_equal(p.submission.rcpts, 1);
	assert_int_equal(request(&p, REQUEST "protocol_state=MAIL\n\n"), POLICY_ASK);
	assert_int_equal(p.submission.rcpts, 1);
	assert_int_equal(request(&p, REQUEST "protocol_state=DATA\nrecipient_count=7\n\n"),
			 POLICY_ASK);
	assert_int_equal(p.submission.rcpts, 7);
	assert_int_equal(request(&p, REQUEST "recipient_count=3\nprotocol_state=DATA\n\n"),
			 POLICY_ASK);
	assert_int_equal(p.submission.rcpts, 3);
	assert_int_equal(request(&p, REQUEST "protocol_state=DATA\nrecipient_count=99999\n\n"),
			 POLICY_ASK);
	assert_int_equal(p.submission.rcpts, 1);
}

static void test_answers(void **state)
{
	char answer[POLICY_DELEGATION_ANSWER_SIZE];

	(void)state;
	assert_int_equal(policy_delegation_answer(NULL, answer), 14);
	assert_string_equal(answer, "action=DUNNO\n\n");
	assert_int_equal(policy_delegation_answer("550 5.7.1 No.", answer), 22);
	assert_string_equal(answer, "action=550 5.7.1 No.\n\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_submission),     cmocka_unit_test(test_states),
		cmocka_unit_test(test_unknown_values), cmocka_unit_test(test_malformed),
		cmocka_unit_test(test_too_much),       cmocka_unit_test(test_answers),
		cmocka_unit_test(test_recipients),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
