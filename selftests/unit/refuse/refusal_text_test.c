/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * refusal_text_test.c - the text of a refusal to the letter, by the rule and by hand.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include "refuse/refusal_text.h"

#define END_S 1795269900 /* 2026-11-21T14:05:00Z */
#define AGAIN "Message discarded. Sending is possible again at 2026-11-21T14:05:00Z"
#define RULE                                                                                       \
	"550 5.7.1 Domain own.test has exceeded the max defers and failures per hour (7/5 (58%)) " \
	"allowed. " AGAIN
#define HAND "550 5.7.1 Domain own.test is not allowed to send mail at present. "

static const struct responder_answer by_rule = {
	.bad = 7, .min = 5, .percent = 58, .until_wall_s = END_S, .domain = "own.test"};
static const struct responder_answer by_hand = {
	.by_hand = 1, .bad = 0, .min = 5, .until_wall_s = END_S, .domain = "own.test"};

static void assert_text(const struct responder_answer *a, const char *sender, const char *expected)
{
	char text[512];

	assert_int_equal(refusal_text(a, sender, text, sizeof(text)), strlen(expected));
	assert_string_equal(text, expected);
}

static void test_how_long(void **state)
{
	static const struct {
		int64_t left_s;
		const char *end;
	} times[] = {
		{1, " (in 1 minute)."},
		{60, " (in 1 minute)."},
		{61, " (in 2 minutes)."},
		{47 * 60, " (in 47 minutes)."},
		{7199, " (in 120 minutes)."},
		{7200, " (in 2 hours)."},
		{7201, " (in 3 hours)."},
		{2 * 86400, " (in 2 days)."},
		{7 * 86400, " (in 7 days)."},
		{0, "."},
		{-5, "."},
	};
	char expected[512], text[512];

	(void)state;
	for (size_t i = 0; i < sizeof(times) / sizeof(*times); i++) {
		struct responder_answer a = by_rule;

		snprintf(expected, sizeof(expected), "%s%s", RULE, times[i].end);
		a.now_wall_s = END_S - times[i].left_s;
		assert_text(&a, NULL, expected);
		/* What is made of the file's text is the same. */
		snprintf(text, sizeof(text), "%s.", RULE);
		refusal_text_complete(text, sizeof(text), END_S, a.now_wall_s, "");
		assert_string_equal(text, expected);
	}
}

static void test_by_hand(void **state)
{
	struct responder_answer a = by_hand;

	(void)state;
	assert_text(&a, NULL, HAND AGAIN ".");
	strcpy(a.reason, "An old form is abused");
	assert_text(&a, NULL, HAND "An old form is abused. " AGAIN ".");
	strcpy(a.reason, "Update your shop!");
	strcpy(a.contact, "Ask support@host.example");
	a.now_wall_s = END_S - 60;
	assert_text(&a, NULL,
		    HAND "Update your shop! " AGAIN " (in 1 minute). Ask support@host.example");
}

static void test_whom_it_names(void **state)
{
	struct responder_answer a = by_rule;

	(void)state;
	assert_text(&a, "forged.test", RULE ".");
	a.names_sender = 1;
	assert_text(&a, "two words", RULE ".");
	assert_text(&a, "line\nfeed", RULE ".");
	assert_text(&a, "", RULE ".");
	assert_text(&a, "other.test",
		    "550 5.7.1 Domain other.test has exceeded the max defers and failures per hour "
		    "(7/5 (58%)) allowed. " AGAIN ".");
}

/* All of it stays within a line of SMTP; of the domain the end is shown. */
static void test_at_its_longest(void **state)
{
	struct responder_answer a = by_hand;
	char domain[600], text[512];

	(void)state;
	memset(domain, 'd', sizeof(domain));
	memcpy(domain + sizeof(domain) - 12, "example.com", 12);
	memset(a.reason, 'r', sizeof(a.reason) - 1);
	memset(a.contact, 'c', sizeof(a.contact) - 1);
	a.names_sender = 1;
	a.now_wall_s = 1;
	for (a.by_hand = 0; a.by_hand < 2; a.by_hand++) {
		assert_int_equal(refusal_text(&a, domain, text, sizeof(text)), 510);
		assert_non_null(strstr(text, "dexample.com "));
		assert_non_null(strstr(text, a.contact));
	}
	/* In the file there was no contact to leave room for. */
	a.contact[0] = '\0';
	a.now_wall_s = 0;
	memset(a.contact, 'c', sizeof(a.contact) - 1);
	strcpy(text, "550 5.7.1 Domain ");
	memset(text + strlen(text), 'd', 400);
	strcpy(text + 417, " ... again at 2026-11-21T14:05:00Z.");
	refusal_text_complete(text, sizeof(text), END_S, END_S - 60, a.contact);
	assert_string_equal(text + strlen(text) - 15, " (in 1 minute).");
	refusal_text_complete(text, 3, END_S, END_S - 60, "");
	refusal_text_complete((char[]){""}, 1, END_S, END_S - 60, "x");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_how_long),
		cmocka_unit_test(test_by_hand),
		cmocka_unit_test(test_whom_it_names),
		cmocka_unit_test(test_at_its_longest),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
