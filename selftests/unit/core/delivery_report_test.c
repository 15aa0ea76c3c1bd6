/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * delivery_report_test.c - what is taken out of replies and names of hosts, and the bounds of a
 * record that another process has made.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "core/delivery_report.h"

static void test_age(void **state)
{
	(void)state;
	assert_int_equal(delivery_report_age(-5), 0);
	assert_int_equal(delivery_report_age(0), 0);
	assert_int_equal(delivery_report_age(7265), 7265);
	assert_int_equal(delivery_report_age(REPORT_AGE_MAX_S + 1), REPORT_AGE_MAX_S);
	assert_int_equal(delivery_report_age(INT64_MAX), REPORT_AGE_MAX_S);
}

static void host_is(const char *name, const char *host)
{
	struct delivery_report r = {.host = ""};

	delivery_report_host(&r, name, strlen(name));
	assert_string_equal(r.host, host);
}

static void test_host(void **state)
{
	char name[REPORT_HOST_SIZE + 1];

	(void)state;
	host_is("mx1.example.org", "mx1.example.org");
	host_is("MX1.Example.ORG.", "mx1.example.org");
	host_is("_x-1", "_x-1");
	host_is("", "");
	host_is(".", "");
	host_is("192.0.2.1", "");
	host_is("2001:db8::1", "");
	host_is("mx 1", "");
	host_is("mx\x1b[m", "");
	host_is("m\xc3\xbcller", "");
	memset(name, 'x', sizeof(name));
	name[REPORT_HOST_SIZE] = '\0';
	host_is(name, "");
	name[REPORT_HOST_SIZE - 1] = '\0';
	host_is(name, name);
}

static void reply_is(const char *said, uint16_t code, uint16_t class, const char *text)
{
	struct delivery_report r = {.enhanced = {9, 9, 9}};

	assert_true(delivery_report_reply(&r, said, strlen(said)));
	assert_int_equal(r.code, code);
	assert_int_equal(r.enhanced[0], class);
	assert_string_equal(r.text, text);
}

static void test_reply(void **state)
{
	(void)state;
	reply_is("550", 550, 0, "");
	reply_is("550 ", 550, 0, "");
	reply_is("250 2.0.0", 250, 2, "");
	reply_is("550 no", 550, 0, "no");
	reply_is("550 5.1.1  no\r\n", 550, 5, "no");
	reply_is("550-5.1.1 no\r\n550-5.1.1 such\r\n550 5.1.1 user", 550, 5, "no such user");
	/* Joined by blanks, as Postfix does it. */
	reply_is("550-5.1.1 no 550-5.1.1 such 550 5.1.1 user", 550, 5, "no such user");
	reply_is("550-no\n550 5.1.1 user", 550, 5, "no user");
	reply_is("550-\n550 no", 550, 0, "no");
	/* Numbers that are no heads of lines. */
	reply_is("550 no 550 5.1.1 user", 550, 0, "no 550 5.1.1 user");
	reply_is("550-over 450 MB\n550 of 550 MB", 550, 0, "over 450 MB of 550 MB");
	reply_is("550 5.1.1001 x", 550, 0, "5.1.1001 x");
	reply_is("550 5.1.1x", 550, 0, "5.1.1x");
}

static void test_no_reply(void **state)
{
	static const char *const said[] = {"", "55", "5501 x", "650 x", "150 x", "no", "550x"};
	struct delivery_report r, untouched;

	(void)state;
	memset(&r, 0xee, sizeof(r));
	untouched = r;
	for (size_t i = 0; i < sizeof(said) / sizeof(*said); i++) {
		assert_false(delivery_report_reply(&r, said[i], strlen(said[i])));
		assert_memory_equal(&r, &untouched, sizeof(r));
	}
	delivery_report_text(&r, " not\nfound ", 11);
	assert_string_equal(r.text, "not found");
}

/* The bytes behind the size are not read, and a text that is too long is cut. */
static void test_sizes(void **state)
{
	struct delivery_report r = {.code = 0};
	char text[SMTPL_TEXT_SIZE + 50];

	(void)state;
	assert_true(delivery_report_reply(&r, "550 5.1.1 no", 3));
	assert_string_equal(r.text, "");
	assert_int_equal(r.enhanced[0], 0);
	assert_true(delivery_report_reply(&r, "550 5.1.1 no", 9));
	assert_int_equal(r.enhanced[0], 5);
	memset(text, 'x', sizeof(text));
	delivery_report_text(&r, text, sizeof(text));
	assert_int_equal(strlen(r.text), SMTPL_TEXT_SIZE - 1);
}

static void test_bound(void **state)
{
	struct delivery_report r;

	(void)state;
	memset(&r, 'x', sizeof(r));
	delivery_report_bound(&r);
	assert_int_equal(strlen(r.rcpt), sizeof(r.rcpt) - 1);
	assert_int_equal(strlen(r.id), sizeof(r.id) - 1);
	assert_int_equal(strlen(r.host), sizeof(r.host) - 1);
	assert_int_equal(strlen(r.tls), sizeof(r.tls) - 1);
	assert_int_equal(strlen(r.text), sizeof(r.text) - 1);
	assert_int_equal(strlen(r.submission.sender), sizeof(r.submission.sender) - 1);
	assert_int_equal(r.age_s, REPORT_AGE_UNKNOWN);
	r.age_s = -2;
	delivery_report_bound(&r);
	assert_int_equal(r.age_s, REPORT_AGE_UNKNOWN);
	r.age_s = REPORT_AGE_MAX_S;
	delivery_report_bound(&r);
	assert_int_equal(r.age_s, REPORT_AGE_MAX_S);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_age),   cmocka_unit_test(test_host),
		cmocka_unit_test(test_reply), cmocka_unit_test(test_no_reply),
		cmocka_unit_test(test_sizes), cmocka_unit_test(test_bound),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
