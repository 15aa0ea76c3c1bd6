/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * opensmtpd_test.c - the filter protocol: sessions learned from the server's lines, every question
 * answered, and nothing else taken for a question.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <arpa/inet.h>
#include <cmocka.h>
#include "policy/opensmtpd.h"

#define SESSION		       "5066755635621e3e"
#define OTHER		       "6fedf785551cc9f1"
#define TOKEN		       "3a8d52051222e3fe"
#define REPORT(version, event) "report|" version "|1795314290.829705|smtp-in|" event
#define FILTER(version, phase) "filter|" version "|1795314290.829705|smtp-in|" phase
#define CONNECT(session, source)                                                                   \
	REPORT("0.7", "link-connect") "|" session "|mail.test|pass|" source "|192.0.2.1:25"
#define MAIL(session, sender) FILTER("0.7", "mail-from") "|" session "|" TOKEN "|" sender

static struct opensmtpd *filter;
static struct opensmtpd_question question;

static int make(void **state)
{
	(void)state;
	filter = opensmtpd_new();
	return filter ? 0 : -1;
}

static int unmake(void **state)
{
	(void)state;
	opensmtpd_free(filter);
	return 0;
}

static enum opensmtpd_step line(const char *text)
{
	char bytes[4096];

	snprintf(bytes, sizeof(bytes), "%s", text);
	return opensmtpd_line(filter, bytes, &question);
}

static const struct submission *asked(const char *text)
{
	if (line(text) != OPENSMTPD_ASK)
		fail_msg("no question: %s", text);
	return &question.session->submission;
}

static void assert_client(const struct submission *o, const char *addr, uint32_t port)
{
	uint8_t want[16] = {[10] = 0xff, 0xff};

	if (inet_pton(AF_INET, addr, want + 12) != 1)
		assert_int_equal(inet_pton(AF_INET6, addr, want), 1);
	assert_int_equal(o->known, SUBMISSION_HAS_CLIENT);
	assert_memory_equal(o->client, want, sizeof(want));
	assert_int_equal(o->client_port, port);
}

static void test_register(void **state)
{
	(void)state;
	assert_int_equal(line("config|smtpd-version|7.4"), OPENSMTPD_NOTHING);
	assert_int_equal(line("config|ready"), OPENSMTPD_REGISTER);
	assert_non_null(strstr(opensmtpd_register(), "register|filter|smtp-in|mail-from\n"));
	assert_non_null(strstr(opensmtpd_register(), "register|report|smtp-in|link-connect\n"));
	assert_string_equal(strstr(opensmtpd_register(), "register|ready"), "register|ready\n");
}

static void test_network_client(void **state)
{
	const struct submission *o;

	(void)state;
	line(CONNECT(SESSION, "127.0.0.1:48084"));
	o = asked(MAIL(SESSION, "alice@alice.test"));
	assert_client(o, "127.0.0.1", 48084);
	assert_string_equal(o->sender, "alice@alice.test");
	assert_string_equal(o->auth, "");
	assert_string_equal(question.session->socket, "");
	line(CONNECT(OTHER, "[2001:db8::1]:25"));
	assert_client(asked(MAIL(OTHER, "")), "2001:db8::1", 25);
	assert_string_equal(question.session->submission.sender, "");
}

static void test_local_socket(void **state)
{
	(void)state;
	line(CONNECT(SESSION, "unix:/var/run/smtpd.sock"));
	assert_int_equal(asked(MAIL(SESSION, "x@y.test"))->known, 0);
	assert_string_equal(question.session->socket, "/var/run/smtpd.sock");
}

static void test_strange_sources(void **state)
{
	static const char *const sources[] = {
		CONNECT(SESSION, ""),
		CONNECT(SESSION, "nonsense"),
		CONNECT(SESSION, "1.2.3.4"),
		CONNECT(SESSION, "1.2.3.4:65536"),
		CONNECT(SESSION, "[]:1"),
		CONNECT(SESSION, ":1"),
		REPORT("0.7", "link-connect") "|" SESSION,
	};

	(void)state;
	for (size_t i = 0; i < sizeof(sources) / sizeof(*sources); i++) {
		line(sources[i]);
		assert_int_equal(asked(MAIL(SESSION, "x@y.test"))->known, 0);
		assert_string_equal(question.session->socket, "");
	}
}

/* The order of the fields changed with 0.7. */
static void test_auth(void **state)
{
	(void)state;
	line(CONNECT(SESSION, "192.0.2.7:1"));
	line(REPORT("0.7", "link-auth") "|" SESSION "|fail|mallory");
	assert_string_equal(asked(MAIL(SESSION, "a@b.test"))->auth, "");
	line(REPORT("0.7", "link-auth") "|" SESSION "|pass|al|ice");
	assert_string_equal(asked(MAIL(SESSION, "a@b.test"))->auth, "al|ice");
	line(CONNECT(OTHER, "192.0.2.7:2"));
	line(REPORT("0.6", "link-auth") "|" OTHER "|bob|fail");
	assert_string_equal(asked(MAIL(OTHER, "a@b.test"))->auth, "");
	line(REPORT("0.6", "link-auth") "|" OTHER "|pass|bob|pass");
	assert_string_equal(asked(MAIL(OTHER, "a@b.test"))->auth, "pass|bob");
	line(REPORT("0.7", "link-auth") "|ffffffffffffffff|pass|nobody");
	assert_int_equal(opensmtpd_sessions(filter), 2);
}

static void test_sessions_end(void **state)
{
	(void)state;
	line(CONNECT(SESSION, "192.0.2.7:1"));
	line(REPORT("0.7", "link-auth") "|" SESSION "|pass|alice");
	line(CONNECT(SESSION, "192.0.2.8:2")); /* the same name once more: a new one */
	assert_int_equal(opensmtpd_sessions(filter), 1);
	assert_string_equal(asked(MAIL(SESSION, "a@b.test"))->auth, "");
	line(REPORT("0.7", "link-disconnect") "|" SESSION);
	line(REPORT("0.7", "link-disconnect") "|" SESSION);
	assert_int_equal(opensmtpd_sessions(filter), 0);
	assert_int_equal(line(MAIL(SESSION, "a@b.test")), OPENSMTPD_PROCEED);
}

static void test_sessions_are_bounded(void **state)
{
	char text[256];

	(void)state;
	for (unsigned int i = 0; i < OPENSMTPD_SESSIONS_MAX + 10; i++) {
		snprintf(text, sizeof(text),
			 REPORT("0.7", "link-connect") "|%016x|h|pass|1.2.3.4:5|x", i);
		line(text);
	}
	assert_int_equal(opensmtpd_sessions(filter), OPENSMTPD_SESSIONS_MAX);
	line(REPORT("0.7", "link-disconnect") "|0000000000000005");
	assert_int_equal(opensmtpd_sessions(filter), OPENSMTPD_SESSIONS_MAX - 1);
}

/* Whatever asks is answered. */
static void test_questions(void **state)
{
	static const struct {
		const char *text;
		enum opensmtpd_step step;
	} cases[] = {
		{FILTER("0.7", "rcpt-to") "|" SESSION "|" TOKEN "|bob@b.test", OPENSMTPD_PROCEED},
		{FILTER("0.7", "mail-from") "|" SESSION "|" TOKEN, OPENSMTPD_PROCEED},
		{FILTER("0.7", "mail-from") "|" SESSION "|" TOKEN "|", OPENSMTPD_ASK},
		{FILTER("0.7", "mail-from") "|" SESSION "|" TOKEN "|a|b@c.test", OPENSMTPD_ASK},
		{FILTER("0.7", "mail-from") "|" OTHER "|" TOKEN "|a@b.test", OPENSMTPD_PROCEED},
		{FILTER("0.7", "mail-from") "|" SESSION "|3a8d|a@b.test", OPENSMTPD_NOTHING},
		{FILTER("0.7", "mail-from") "|" SESSION "0|" TOKEN "|a", OPENSMTPD_NOTHING},
		{FILTER("0.7", "mail-from") "|" SESSION, OPENSMTPD_NOTHING},
		{"filter|0.7|1.2|smtp-out|mail-from|" SESSION "|" TOKEN "|a", OPENSMTPD_NOTHING},
		{REPORT("0.7", "mail-from") "|" SESSION "|" TOKEN "|a", OPENSMTPD_NOTHING},
		{"filter", OPENSMTPD_NOTHING},
		{"filter|", OPENSMTPD_NOTHING},
		{"config", OPENSMTPD_NOTHING},
		{"config|", OPENSMTPD_NOTHING},
		{"", OPENSMTPD_NOTHING},
		{"|||||||||||||||||", OPENSMTPD_NOTHING},
	};

	(void)state;
	line(CONNECT(SESSION, "192.0.2.7:1"));
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		if (line(cases[i].text) != cases[i].step)
			fail_msg("%s", cases[i].text);
}

static void test_replies(void **state)
{
	char reply[OPENSMTPD_REPLY_SIZE], text[2000];
	size_t length;

	(void)state;
	line(CONNECT(SESSION, "192.0.2.7:1"));
	asked(MAIL(SESSION, "a@b.test"));
	length = opensmtpd_reply(&question, NULL, reply);
	assert_int_equal(length, strlen(reply));
	assert_string_equal(reply, "filter-result|" SESSION "|" TOKEN "|proceed\n");
	opensmtpd_reply(&question, "550 5.7.1 No.", reply);
	assert_string_equal(reply, "filter-result|" SESSION "|" TOKEN "|reject|550 5.7.1 No.\n");
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	length = opensmtpd_reply(&question, text, reply);
	assert_int_equal(length, strlen(reply));
	assert_int_equal(reply[length - 1], '\n');
}

static void test_inodes(void **state)
{
	(void)state;
	line(CONNECT(SESSION, "unix:/s"));
	asked(MAIL(SESSION, "a@b.test"));
	assert_false(opensmtpd_has_inode(filter, 77));
	question.session->inode = 77;
	assert_true(opensmtpd_has_inode(filter, 77));
	line(REPORT("0.7", "link-disconnect") "|" SESSION);
	assert_false(opensmtpd_has_inode(filter, 77));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_register, make, unmake),
		cmocka_unit_test_setup_teardown(test_network_client, make, unmake),
		cmocka_unit_test_setup_teardown(test_local_socket, make, unmake),
		cmocka_unit_test_setup_teardown(test_strange_sources, make, unmake),
		cmocka_unit_test_setup_teardown(test_auth, make, unmake),
		cmocka_unit_test_setup_teardown(test_sessions_end, make, unmake),
		cmocka_unit_test_setup_teardown(test_sessions_are_bounded, make, unmake),
		cmocka_unit_test_setup_teardown(test_questions, make, unmake),
		cmocka_unit_test_setup_teardown(test_replies, make, unmake),
		cmocka_unit_test_setup_teardown(test_inodes, make, unmake),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
