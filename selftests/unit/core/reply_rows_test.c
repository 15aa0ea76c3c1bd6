/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * reply_rows_test.c - an administrator's rows: how a line is read, what is said of a wrong one, and
 * that they come before the table.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "core/reply_rows.h"

static struct reply_rows rows;
static char error[REPLY_ERROR_MAX];

static int add(const char *line)
{
	return reply_rows_add(&rows, "my.replies", 7, line, error);
}

static int empty(void **state)
{
	(void)state;
	reply_rows_free(&rows);
	return 0;
}

static void is_row(size_t i, enum reply_class class, const char *code, const char *enhanced,
		   const char *phrase)
{
	assert_true(i < rows.count);
	assert_int_equal(rows.rows[i].class, class);
	assert_string_equal(rows.rows[i].code, code);
	assert_string_equal(rows.rows[i].enhanced, enhanced);
	assert_string_equal(rows.rows[i].phrase, phrase);
}

static void test_lines(void **state)
{
	(void)state;
	assert_int_equal(add(""), 0);
	assert_int_equal(add("  # a comment"), 0);
	assert_int_equal(rows.count, 0);
	assert_int_equal(add("listed 550 5.7.1 \"block list\""), 0);
	assert_int_equal(add("\trate  4xx * \"Our friends at * aren't busy\"\t# so they say\r"), 0);
	assert_int_equal(add("greylist 451 4.7.1"), 0);
	assert_int_equal(add("no_answer none 4.*.* # nothing"), 0);
	assert_int_equal(add("content * * \"[X-1] # *.Bad.example no*\""), 0);
	assert_int_equal(rows.count, 5);
	is_row(0, REPLY_LISTED, "550", "5.7.1", "block list");
	is_row(1, REPLY_RATE, "4xx", "*", "our friends at * arent busy");
	is_row(2, REPLY_GREYLIST, "451", "4.7.1", "");
	is_row(3, REPLY_NO_ANSWER, "none", "4.*.*", "");
	is_row(4, REPLY_CONTENT, "*", "*", "x 1 *.bad.example no*");
}

static void refused(const char *line, const char *why)
{
	assert_int_equal(add(line), -EINVAL);
	assert_string_equal(error, why);
	assert_int_equal(rows.count, 0);
}

static void test_wrong_lines(void **state)
{
	(void)state;
	refused("lsited 550 5.7.1 \"x\"",
		"my.replies:7: \"lsited\" is no class: want recipient, content, listed, "
		"unauthenticated, rate, full, greylist, no_answer, own or unexplained");
	refused("listed", "my.replies:7: \"\" is no code: want 400 to 599, 4xx, 5xx, none or *");
	refused("listed 250 *",
		"my.replies:7: \"250\" is no code: want 400 to 599, 4xx, 5xx, none or *");
	refused("listed 5501 *",
		"my.replies:7: \"5501\" is no code: want 400 to 599, 4xx, 5xx, none or *");
	refused("listed 550 5.7.1 block list",
		"my.replies:7: \"block\" is no phrase: want words between quotation marks");
	refused("listed 550 5.7.1 \"block",
		"my.replies:7: \"\"block\" is no phrase: want words between quotation marks");
	refused("listed 550 5.7.1 \"a\" b",
		"my.replies:7: \"b\" stands behind the phrase: want nothing there");
	refused("listed 550 5.7.1 \"...\"",
		"my.replies:7: \"...\" has no words: want those that stand in the reply");
	refused("listed 550 5.7.1 \"* *\"",
		"my.replies:7: \"* *\" has no words: want those that stand in the reply");
	refused("listed 550 5.7.1 \"a*b\"",
		"my.replies:7: \"a*b\" has a \"*\" within a word: want it alone or at an end");
	refused("listed * *",
		"my.replies:7: \"listed\" would be every reply: want a code or a phrase");
}

static void test_wrong_enhanced_codes(void **state)
{
	static const char *const wrong[] = {"5.7",	"5.7.1.1", "2.0.0", "55.7.1",
					    "5.7.1234", "5..1",	   "5.7.",  "x"};
	char line[64];

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		snprintf(line, sizeof(line), "listed 550 %s", wrong[i]);
		assert_int_equal(add(line), -EINVAL);
		assert_non_null(
			strstr(error, "is no enhanced code: want 5.7.1, 5.7.*, *.7.1 or *"));
	}
}

static void test_bounds(void **state)
{
	char line[256] = "listed 550 * \"";
	size_t head = strlen(line);

	(void)state;
	memset(line + head, 'a', REPLY_PHRASE_MAX);
	line[head + REPLY_PHRASE_MAX] = '"';
	assert_int_equal(add(line), -EINVAL);
	assert_non_null(strstr(error, "is too long for a phrase: want less than 128 bytes"));
	line[head + REPLY_PHRASE_MAX - 1] = '"';
	line[head + REPLY_PHRASE_MAX] = '\0';
	for (int i = 0; i < REPLY_ROWS_MAX; i++)
		assert_int_equal(add(line), 0);
	assert_int_equal(add(line), -EINVAL);
	assert_string_equal(error,
			    "my.replies:7: \"listed\" is one row too many: want at most 1024");
}

static void test_they_come_first(void **state)
{
	const struct reply unknown = {SMTP_FAILED, 550, {5, 1, 1}, "User unknown here", 17};
	const struct reply other = {SMTP_FAILED, 550, {5, 1, 1}, "User unknown", 12};

	(void)state;
	assert_int_equal(add("own 550 5.1.* \"unknown here\""), 0);
	assert_int_equal(reply_class(&unknown, &rows), REPLY_OWN);
	assert_int_equal(reply_class(&unknown, NULL), REPLY_RECIPIENT);
	assert_int_equal(reply_class(&other, &rows), REPLY_RECIPIENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_lines, empty),
		cmocka_unit_test_teardown(test_wrong_lines, empty),
		cmocka_unit_test_teardown(test_wrong_enhanced_codes, empty),
		cmocka_unit_test_teardown(test_bounds, empty),
		cmocka_unit_test_teardown(test_they_come_first, empty),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("reply_rows", tests, NULL, NULL);
}
