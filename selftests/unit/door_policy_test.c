/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * door_policy_test.c - policy requests as Postfix writes them, and what is none.
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
#include "ask/door_policy.h"

#define REQUEST "request=smtpd_access_policy\n"
#define CLIENT  "client_address=192.0.2.1\nclient_port=40001\n"
#define SERVER  "server_address=2001:db8::2\nserver_port=587\n"

/* Feed whole lines, the empty one at the end included. The step of the last. */
static enum door_step request(struct door_policy *p, const char *text)
{
	enum door_step step = DOOR_MORE;
	char line[DOOR_LINE_MAX + 1];
	size_t length;

	door_policy_begin(p);
	for (; *text && step == DOOR_MORE; text += length + 1) {
		length = strcspn(text, "\n");
		memcpy(line, text, length);
		step = door_policy_line(p, line, length);
	}
	assert_int_equal(*text, '\0');
	return step;
}

static void test_submission(void **state)
{
	static const uint8_t client[16] = {[10] = 0xff, 0xff, 192, 0, 2, 1};
	static const uint8_t server[16] = {0x20, 0x01, 0x0d, 0xb8, [15] = 2};
	struct door_policy p;

	(void)state;
	assert_int_equal(request(&p, REQUEST "protocol_state=RCPT\nprotocol_name=ESMTP\n"
		 "helo_name=a=b=c\nqueue_id=\nsender=a@b.example\n"
		 "recipient=x@example.net\nrecipient_count=0\n" CLIENT SERVER
		 "sasl_method=plain\nsasl_username=u@c.example\n\n"),
		 DOOR_ASK);
	assert_int_equal(p.origin.known, ORIGIN_HAS_CLIENT);
	assert_memory_equal(p.origin.client, client, 16);
	assert_int_equal(p.origin.client_port, 40001);
	assert_memory_equal(p.origin.server, server, 16);
	assert_int_equal(p.origin.server_port, 587);
	assert_string_equal(p.origin.auth, "u@c.example");
	assert_string_equal(p.origin.sender, "a@b.example");
	assert_int_equal(
		request(&p, REQUEST "sender=\nprotocol_state=DATA\nclient_address=::1\n\n"),
		DOOR_ASK);
	assert_string_equal(p.origin.sender, "");
	assert_string_equal(p.origin.auth, "");
	assert_int_equal(p.origin.known, ORIGIN_HAS_CLIENT);
	assert_int_equal(p.origin.client_port, 0);
	assert_int_equal(p.origin.server_port, 0);
}

/* Nobody has said MAIL yet, so nobody can be refused. */
static void test_states(void **state)
{
	static const struct {
		const char *state;
		enum door_step step;
	} states[] = {
		{"CONNECT", DOOR_SAY}, {"EHLO", DOOR_SAY},  {"HELO", DOOR_SAY},
		{"ETRN", DOOR_SAY},    {"VRFY", DOOR_SAY},  {"MAIL", DOOR_ASK},
		{"RCPT", DOOR_ASK},    {"DATA", DOOR_ASK},  {"END-OF-MESSAGE", DOOR_ASK},
		{"", DOOR_ASK},        {"NEWER", DOOR_ASK},
	};
	struct door_policy p;
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
	struct door_policy p;

	(void)state;
	assert_int_equal(
		request(&p, "client_address=unknown\nclient_port=unknown\nx=\n=\n"
		 "server_address=unknown\nserver_port=unknown\nx_port=1\n" REQUEST "\n"),
		DOOR_ASK);
	assert_int_equal(p.origin.known, 0);
	assert_int_equal(p.origin.client_port, 0);
	assert_int_equal(p.origin.server_port, 0);
}

static void test_malformed(void **state)
{
	struct door_policy p;

	(void)state;
	assert_int_equal(request(&p, "\n"), DOOR_MALFORMED);
	assert_int_equal(request(&p, "sender=a@b.example\n\n"), DOOR_MALFORMED);
	assert_int_equal(request(&p, "request=other\n"), DOOR_MALFORMED);
	assert_int_equal(request(&p, REQUEST "sender\n"), DOOR_MALFORMED);
	assert_int_equal(request(&p, "GET / HTTP/1.0\r\n"), DOOR_MALFORMED);
	door_policy_begin(&p);
	assert_int_equal(door_policy_line(&p, (char[]){"a=\0b"}, 4), DOOR_MALFORMED);
}

/* 64 KiB of any lines, long ones or many. */
static void test_too_much(void **state)
{
	char line[] = "unknown_attribute=123456789012345678901234567890123456789012345";
	struct door_policy p;
	size_t i;

	(void)state;
	assert_int_equal(strlen(line), 63);
	door_policy_begin(&p);
	for (i = 0; i < 1024; i++) {
		assert_int_equal(door_policy_line(&p, line, 63), DOOR_MORE);
		line[17] = '='; /* where it was cut */
	}
	assert_int_equal(door_policy_line(&p, line, 63), DOOR_MALFORMED);
	door_policy_begin(&p);
	assert_int_equal(door_policy_skip(&p, DOOR_POLICY_MAX), DOOR_MORE);
	assert_int_equal(door_policy_skip(&p, 1), DOOR_MALFORMED);
}

static void test_answers(void **state)
{
	char answer[DOOR_POLICY_ANSWER_SIZE];

	(void)state;
	assert_int_equal(door_policy_answer(NULL, answer), 14);
	assert_string_equal(answer, "action=DUNNO\n\n");
	assert_int_equal(door_policy_answer("550 5.7.1 No.", answer), 22);
	assert_string_equal(answer, "action=550 5.7.1 No.\n\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_submission),     cmocka_unit_test(test_states),
		cmocka_unit_test(test_unknown_values), cmocka_unit_test(test_malformed),
		cmocka_unit_test(test_too_much),       cmocka_unit_test(test_answers),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
