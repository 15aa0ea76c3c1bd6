/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * reply_words_test.c - what is a word, and what a phrase finds.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include "core/reply_words.h"

static void words_are(const char *text, const char *want)
{
	struct reply_words words;
	char got[1200] = "";

	reply_words_read(&words, text, strlen(text));
	for (size_t i = 0; i < words.count; i++)
		snprintf(got + strlen(got), sizeof(got) - strlen(got), "%s|",
			 reply_words_get(&words, i));
	assert_string_equal(got, want);
}

static void test_words(void **state)
{
	(void)state;
	words_are("", "");
	words_are("Mailbox FULL!", "mailbox|full|");
	words_are("grey-listed, over_quota.", "grey|listed|over|quota|");
	words_are("It doesn't (at all)", "it|doesnt|at|all|");
	words_are("[TSS04] #5.1.1: zen.Spamhaus.org;", "tss04|5.1.1|zen.spamhaus.org|");
	words_are("a-b.example -x- --", "a-b.example|x|");
	words_are("x...", "x|");
	words_are("\xc3\x9c-b", "\xc3\x9c|b|");
	words_are("https://a.example/why?p=Full", "https|a.example|why|p|full|");
}

static void test_addresses_are_no_words(void **state)
{
	(void)state;
	words_are("<a@b.example>: no", "no|");
	words_are("to <a b@c> and <d> x", "to|and|x|");
	words_are("to <cut at the en", "to|");
	words_are("to a@b.example: no", "to|no|");
	words_are("to \"a b\"@c.example, no", "to|no|");
	words_are("(a@b:blocked)", "blocked|");
	words_are("x?id=a%40b&y", "x|id|");
	words_are("@", "");
	words_are("a @ b", "a|b|");
}

static void test_longest_text(void **state)
{
	char text[2 * REPLY_TEXT_MAX];
	struct reply_words words;

	(void)state;
	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = i % 2 ? ' ' : 'a';
	reply_words_read(&words, text, sizeof(text));
	assert_int_equal(words.count, REPLY_TEXT_MAX / 2);
	memset(text, 'a', sizeof(text));
	reply_words_read(&words, text, sizeof(text));
	assert_int_equal(words.count, 1);
	assert_int_equal(strlen(reply_words_get(&words, 0)), REPLY_TEXT_MAX);
}

static void has(const char *text, const char *phrase, bool want)
{
	struct reply_words words;

	reply_words_read(&words, text, strlen(text));
	if (reply_words_have(&words, phrase) != want)
		fail_msg("\"%s\" %s \"%s\"", text, want ? "lacks" : "has", phrase);
}

static void test_phrases(void **state)
{
	(void)state;
	has("the mailbox is full", "mailbox is full", true);
	has("the mailbox is fuller", "mailbox is full", false);
	has("the mailbox is fuller", "mailbox is full*", true);
	has("my mailbox is not full", "mailbox * full", true);
	has("mailbox full", "mailbox * full", true);
	has("full mailbox", "mailbox * full", false);
	has("the mailbox mailbox is full", "mailbox is full", true);
	has("a b a b c", "a b c", true);
	has("a b x a c", "a * b c", false);
	has("a b x b c", "a * b c", true);
	has("horrible", "rbl", false);
	has("greylisted", "grey*", true);
	has("grey", "grey*", true);
	has("grey.example", "grey*", false);
	has("grey.example", "grey.*", true);
	has("zen.spamhaus.org", "*.spamhaus.org", true);
	has("spamhaus.org", "*.spamhaus.org", false);
	has("xspamhaus.org", "*.spamhaus.org", false);
	has("no host", "*.spamhaus.org", false);
	has("anything", "", true);
	has("", "", true);
	has("", "a", false);
	has("a", "a *", true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_addresses_are_no_words),
		cmocka_unit_test(test_longest_text),
		cmocka_unit_test(test_phrases),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("reply_words", tests, NULL, NULL);
}
