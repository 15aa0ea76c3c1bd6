/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * responder_smtp_test.c - what the responder says to which command, and the text of a refusal to
 * the letter. The session takes its input by the byte, so that the cut of the stream cannot matter.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "refuse/refusal_text.h"
#include "refuse/responder_smtp.h"

#define GREETING "220 smtplimit ESMTP\r\n"
#define EHLO                                                                                       \
	"250-smtplimit\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250-STARTTLS\r\n"      \
	"250-AUTH CRAM-MD5\r\n250 ENHANCEDSTATUSCODES\r\n"
#define REFUSAL(domain)                                                                            \
	"550 5.7.1 Domain " domain " has exceeded the max defers and failures per hour (7/5 "      \
	"(58%)) allowed. Message discarded. Sending is possible again at 2026-11-21T14:05:00Z."
#define REFUSED(domain) REFUSAL(domain) "\r\n"
#define OWN		REFUSED("own.example")
#define OK		"250 2.0.0 OK\r\n"
#define BYE		"221 2.0.0 Bye\r\n"
#define UNKNOWN		"500 5.5.2 Command not recognized\r\n"
#define UNAVAILABLE	"421 4.3.2 Service not available, try again later\r\n"

static const struct responder_answer answer = {
	.known = 1,
	.bad = 7,
	.min = 5,
	.percent = 58,
	.names_sender = 1,
	.until_wall_s = 1795269900,
	.domain = "own.example",
};

/* Everything that a session answers to `bytes`, without the greeting. */
static const char *dialogue(const char *bytes, size_t size, bool *closing)
{
	static char said[65536];
	static struct responder_smtp rs;
	char reply[RESPONDER_REPLY_SIZE];
	size_t length = 0;
	size_t i;

	assert_int_equal(responder_smtp_greet(&rs, &answer, reply), strlen(GREETING));
	assert_string_equal(reply, GREETING);
	for (i = 0; i < size; i++) {
		size_t got = responder_smtp_byte(&rs, (uint8_t)bytes[i], said + length);

		assert_true(got < RESPONDER_REPLY_SIZE);
		length += got;
		if (rs.asking)
			length += responder_smtp_answered(&rs, &answer, said + length);
		assert_true(length < sizeof(said) - RESPONDER_REPLY_SIZE);
	}
	said[length] = '\0';
	*closing = rs.closing;
	return said;
}

static void assert_said(const char *bytes, const char *expected, bool closes)
{
	bool closing;

	assert_string_equal(dialogue(bytes, strlen(bytes), &closing), expected);
	assert_int_equal(closing, closes);
}

static void test_each_command(void **state)
{
	(void)state;
	assert_said("EHLO host.example\r\n", EHLO, false);
	assert_said("ehlo host.example\r\n", EHLO, false);
	assert_said("HELO host.example\r\n", "250 smtplimit\r\n", false);
	assert_said("helo host.example\r\n", "250 smtplimit\r\n", false);
	assert_said("MAIL FROM:<a@example.com>\r\n", REFUSED("example.com"), false);
	assert_said("RCPT TO:<b@example.net>\r\n", OWN, false);
	assert_said("DATA\r\n", OWN, false);
	assert_said("STARTTLS\r\n", OWN, false);
	assert_said("AUTH PLAIN\r\n", OWN, false);
	assert_said("AUTH CRAM-MD5\r\n", OWN, false);
	assert_said("AUTH PLAIN AGEAYg==\r\n", OWN, false);
	assert_said("RSET\r\n", OK, false);
	assert_said("NOOP\r\n", OK, false);
	assert_said("noop ignored words\r\n", OK, false);
	assert_said("VRFY postmaster\r\n", "252 2.5.0 Cannot verify, but nothing is sent here\r\n",
		    false);
	assert_said("QUIT\r\n", BYE, true);
	assert_said("HELP\r\n", UNKNOWN, false);
	assert_said("GET / HTTP/1.1\r\n", UNKNOWN, false);
}

static void test_nothing_before_the_line_ends(void **state)
{
	(void)state;
	assert_said("MAIL FROM:<a@example.com>", "", false);
	assert_said("QUIT", "", false);
	assert_said("", "", false);
}

static void test_dialogues(void **state)
{
	(void)state;
	/* A client goes on after the refusal, and stops. */
	assert_said("EHLO h\r\nMAIL FROM:<a@example.com>\r\nRSET\r\nQUIT\r\n",
		    EHLO REFUSED("example.com") OK BYE, true);
	/* Pipelined: each command gets its reply, and no body is awaited. */
	assert_said("MAIL FROM:<a@example.com>\r\nRCPT TO:<b@example.net>\r\nDATA\r\nQUIT\r\n",
		    REFUSED("example.com") REFUSED("example.com") REFUSED("example.com") BYE, true);
	/* The domain is that of the newest MAIL, never a recipient's. */
	assert_said("MAIL FROM:<a@one.example>\r\nMAIL FROM:<a@two.example>\r\nRCPT TO:<b@x.y>\r\n",
		    REFUSED("one.example") REFUSED("two.example") REFUSED("two.example"), false);
	/* An AUTH that is refused has no further lines. */
	assert_said("AUTH LOGIN\r\nQUIT\r\n", OWN BYE, true);
	assert_said("STARTTLS\r\nEHLO h\r\n", OWN EHLO, false);
	assert_said("QUIT\r\nMAIL FROM:<a@example.com>\r\n", BYE, true);
}

static void test_sender_domain(void **state)
{
	(void)state;
	assert_said("MAIL FROM:<A@EXAMPLE.Com>\r\n", REFUSED("example.com"), false);
	assert_said("mail from: <a@example.com> SIZE=100 BODY=8BITMIME\r\n", REFUSED("example.com"),
		    false);
	assert_said("MAIL FROM:a@example.com\r\n", REFUSED("example.com"), false);
	assert_said("MAIL FROM:<\"x@y z\"@example.com>\r\n", REFUSED("example.com"), false);
	assert_said("MAIL FROM:<a@example.com.>\r\n", REFUSED("example.com"), false);
	assert_said("MAIL FROM:<@relay.example:a@example.com>\r\n", REFUSED("example.com"), false);
	assert_said("MAIL FROM:<>\r\n", OWN, false);
	assert_said("MAIL FROM:<alice>\r\n", OWN, false);
	assert_said("MAIL FROM:<a@b\xc3\xbc"
		    "cher.example>\r\n",
		    OWN, false);
	assert_said("MAIL FROM:<a@exa\x1b[2Jmple.com>\r\n", OWN, false);
}

static void test_domain_of_any_length(void **state)
{
	char command[700], expected[700], domain[400];
	size_t length;
	bool closing;

	(void)state;
	memset(domain, 'd', sizeof(domain));
	/* What a path of RFC 5321 can hold, is shown whole. */
	for (length = 1; length <= 250; length++) {
		snprintf(command, sizeof(command), "MAIL FROM:<a@%.*s>\r\n", (int)length, domain);
		snprintf(expected, sizeof(expected),
			 "550 5.7.1 Domain %.*s has exceeded the max defers and failures per hour "
			 "(7/5 (58%%)) allowed. Message discarded. Sending is possible again at "
			 "2026-11-21T14:05:00Z.\r\n",
			 (int)length, domain);
		assert_string_equal(dialogue(command, strlen(command), &closing), expected);
	}
	/* Of a longer one there is the key form. */
	snprintf(command, sizeof(command), "MAIL FROM:<a@%.*s>\r\n", 400, domain);
	dialogue(command, strlen(command), &closing);
	assert_non_null(strchr(dialogue(command, strlen(command), &closing), '~'));
}

static void test_chunks_are_not_commands(void **state)
{
	(void)state;
	/* RFC 3030: the chunk comes, refused or not. */
	assert_said("BDAT 6\r\nQUIT\r\nNOOP\r\n", OWN OK, false);
	assert_said("BDAT 6 LAST\r\nQUIT\r\nQUIT\r\n", OWN BYE, true);
}

static void test_malformed(void **state)
{
	static const char nuls[] = "MA\0IL FROM:<a@b>\r\nNOOP\0\r\nQUIT\r\n";
	char line[5000];
	bool closing;

	(void)state;
	assert_string_equal(dialogue(nuls, sizeof(nuls) - 1, &closing), UNKNOWN OK BYE);
	assert_true(closing);
	/* A bare LF ends a command, as most servers have it. */
	assert_said("EHLO h\nMAIL FROM:<a@example.com>\nQUIT\n", EHLO REFUSED("example.com") BYE,
		    true);
	assert_said("NOOPS\r\nNOO\r\nMAILS\r\n", UNKNOWN UNKNOWN UNKNOWN, false);
	memset(line, 'x', sizeof(line));
	memcpy(line + sizeof(line) - 2, "\r\n", 2);
	assert_string_equal(dialogue(line, sizeof(line), &closing), UNKNOWN);
	memcpy(line, "MAIL FROM:<", 11);
	memcpy(line + 4000, "@example.com>", 13);
	assert_string_equal(dialogue(line, sizeof(line), &closing), REFUSED("example.com"));
}

static void test_too_many_errors(void **state)
{
	char bytes[600], expected[2000];
	size_t sent = 0;
	size_t said = 0;
	int i;

	(void)state;
	for (i = 0; i < RESPONDER_ERRORS_MAX; i++) {
		sent += snprintf(bytes + sent, sizeof(bytes) - sent, "WHAT\r\n");
		said += snprintf(expected + said, sizeof(expected) - said, UNKNOWN);
	}
	assert_said(bytes, expected, false);
	snprintf(bytes + sent, sizeof(bytes) - sent, "WHAT\r\nNOOP\r\n");
	snprintf(expected + said, sizeof(expected) - said, "421 4.7.0 Too many errors\r\n");
	assert_said(bytes, expected, true);
}

static void test_nobody_behind_the_client(void **state)
{
	struct responder_answer unknown = answer;
	char reply[RESPONDER_REPLY_SIZE];
	struct responder_smtp rs;

	(void)state;
	unknown.known = 0;
	assert_int_equal(responder_smtp_greet(&rs, &unknown, reply), strlen(UNAVAILABLE));
	assert_string_equal(reply, UNAVAILABLE);
	assert_true(rs.closing);
	assert_int_equal(responder_smtp_byte(&rs, '\n', reply), 0);
	responder_smtp_greet(&rs, NULL, reply);
	assert_string_equal(reply, UNAVAILABLE);
	assert_true(rs.closing);
}

static void test_text(void **state)
{
	struct responder_answer a = answer;
	char text[512];
	char small[20];

	(void)state;
	assert_int_equal(refusal_text(&a, "example.com", text, sizeof(text)),
			 strlen(REFUSAL("example.com")));
	assert_string_equal(text, REFUSAL("example.com"));
	refusal_text(&a, NULL, text, sizeof(text));
	assert_string_equal(text, REFUSAL("own.example"));
	refusal_text(&a, "", text, sizeof(text));
	assert_string_equal(text, REFUSAL("own.example"));
	refusal_text(&a, "two words", text, sizeof(text));
	assert_string_equal(text, REFUSAL("own.example"));
	refusal_text(&a, "line\nfeed", text, sizeof(text));
	assert_string_equal(text, REFUSAL("own.example"));
	assert_int_equal(refusal_text(&a, "example.com", small, sizeof(small)), 19);
	assert_string_equal(small, "550 5.7.1 Domain ex");
}

static void test_text_at_its_longest(void **state)
{
	struct responder_answer a = {
		.bad = UINT32_MAX,
		.min = UINT32_MAX,
		.percent = UINT32_MAX,
		.names_sender = 1,
		.until_wall_s = INT64_MAX,
	};
	char domain[600];
	char text[RESPONDER_REPLY_SIZE];

	(void)state;
	memset(domain, 'd', sizeof(domain));
	memcpy(domain + sizeof(domain) - 12, "example.com", 12);
	assert_true(refusal_text(&a, domain, text, sizeof(text)) <= 510);
	assert_non_null(strstr(text, "dexample.com has exceeded"));
	assert_non_null(strstr(text, " at 9999-12-31T23:59:59Z."));
	a.until_wall_s = INT64_MIN;
	refusal_text(&a, domain, text, sizeof(text));
	assert_non_null(strstr(text, " at 1970-01-01T00:00:00Z."));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_command),
		cmocka_unit_test(test_nothing_before_the_line_ends),
		cmocka_unit_test(test_dialogues),
		cmocka_unit_test(test_sender_domain),
		cmocka_unit_test(test_domain_of_any_length),
		cmocka_unit_test(test_chunks_are_not_commands),
		cmocka_unit_test(test_malformed),
		cmocka_unit_test(test_too_many_errors),
		cmocka_unit_test(test_nobody_behind_the_client),
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_text_at_its_longest),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
