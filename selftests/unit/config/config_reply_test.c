/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * config_reply_test.c - set_aside, the other settings of [limit] that have a range with a hole, and
 * the administrator's rows of replies.
 */
#include "config_fixture.h"

#include <sys/stat.h>

#include "core/reply_class.h"

static void test_set_aside(void **state)
{
	static const char want[] =
		"want listed, unauthenticated, rate, full, greylist, no_answer or unexplained";
	static const char *const not_aside[] = {"recipient", "content", "own"};
	char text[256], expected[256];

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		snprintf(text, sizeof(text), "[limit]\nset_aside = listed, %s\n", not_aside[i]);
		snprintf(expected, sizeof(expected),
			 "t.conf:2: set_aside = \"listed, %s\": \"%s\" cannot be set aside: %s",
			 not_aside[i], not_aside[i], want);
		expect_error(text, expected);
	}
	snprintf(expected, sizeof(expected),
		 "t.conf:3: set_aside = \"Rate\": \"Rate\" is no class of replies: %s", want);
	expect_error("[limit]\nset_aside = listed\n  Rate\n", expected);
	assert_int_equal(read_good("[limit]\nset_aside =\n").rule.set_aside, 0);
	assert_int_equal(read_good("[limit]\nset_aside = listed unauthenticated,rate full greylist "
				   "no_answer unexplained\n")
				 .rule.set_aside,
			 1u << REPLY_LISTED | 1u << REPLY_UNAUTHENTICATED | 1u << REPLY_RATE |
				 1u << REPLY_FULL | 1u << REPLY_GREYLIST | 1u << REPLY_NO_ANSWER |
				 1u << REPLY_UNEXPLAINED);
}

static void test_ranges(void **state)
{
	static const struct {
		const char *setting, *value, *want;
	} bad[] = {
		{"one_remote", "101", "want a whole number from 0 to 100"},
		{"one_remote", "", "want a whole number from 0 to 100"},
		{"trouble_accounts", "1", "want 0 for off, or a whole number from 2 to 32"},
		{"trouble_accounts", "33", "want 0 for off, or a whole number from 2 to 32"},
		{"trouble_accounts", "off", "want 0 for off, or a whole number from 2 to 32"},
		{"trouble_share", "0", "want a whole number from 1 to 100"},
		{"trouble_share", "101", "want a whole number from 1 to 100"},
		{"defer_grace", "61m",
		 "want whole numbers with s, m, h, d or w, like 60m or 1h30m, from 0s to 60m"},
		{"defer_grace", "1",
		 "want whole numbers with s, m, h, d or w, like 60m or 1h30m, from 0s to 60m"},
		{"hard_recipients", "19", "want 0 for off, or a whole number from 20 to 1000000"},
		{"hard_recipients", "1000001",
		 "want 0 for off, or a whole number from 20 to 1000000"},
		{"hard_percent", "0", "want a whole number from 1 to 100"},
		{"warn", "101", "want a whole number from 0 to 100"},
		{"replies", "rows",
		 "want an absolute path of a file, not /, of printable characters"},
	};
	char text[128], expected[256];

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		snprintf(text, sizeof(text), "[limit]\n%s = %s\n", bad[i].setting, bad[i].value);
		snprintf(expected, sizeof(expected), "t.conf:2: %s = \"%s\": %s", bad[i].setting,
			 bad[i].value, bad[i].want);
		expect_error(text, expected);
	}
}

/* The file `rows` with this text, as `replies = ` of t.conf. */
static const char *with_rows(const char *rows, char path[64], char text[128])
{
	snprintf(path, 64, "%s/rows", directory);
	snprintf(text, 128, "[limit]\nreplies = %s\n", path);
	write_file(path, rows);
	assert_int_equal(chmod(path, 0644), 0);
	return text;
}

static void test_rows(void **state)
{
	struct reply reply = {.outcome = SMTP_DEFERRED, .code = 451, .text = "we nap", .size = 6};
	char path[64], text[128], expected[512];
	struct config c;

	(void)state;
	c = read_good(with_rows("\xef\xbb\xbf# ours\r\n\nfull 4xx * \"we nap\"\r\nlisted 554 5.7.1",
				path, text));
	assert_int_equal(c.replies.count, 2);
	assert_string_equal(c.replies_file, path);
	assert_int_equal(reply_class(&reply, &c.replies), REPLY_FULL);

	snprintf(expected, sizeof(expected),
		 "%s:2: \"6xx\" is no code: want 400 to 599, 4xx, 5xx, "
		 "none or *",
		 path);
	expect_error(with_rows("full 4xx * \"we nap\"\nfull 6xx *\n", path, text), expected);
	snprintf(expected, sizeof(expected),
		 "t.conf:2: replies = \"%s\": others than root may write "
		 "to it: want root as its owner, and nobody else to write (chown root:root, chmod "
		 "644)",
		 path);
	with_rows("", path, text);
	assert_int_equal(chmod(path, 0666), 0);
	expect_error(text, expected);
	assert_int_equal(chmod(path, 0644), 0);
	assert_int_equal(read_good(text).replies.count, 0);
	assert_int_equal(unlink(path), 0);
	snprintf(expected, sizeof(expected),
		 "t.conf:2: replies = \"%s\": cannot read it: No such file or directory", path);
	expect_error(text, expected);
}

static void test_zero_byte(void **state)
{
	char path[64], text[128], expected[256];
	FILE *f;

	(void)state;
	with_rows("", path, text);
	f = fopen(path, "w");
	assert_int_equal(fwrite("\n\0\n", 1, 3, f), 3);
	fclose(f);
	snprintf(expected, sizeof(expected), "%s:2: a zero byte: want a text file", path);
	expect_error(text, expected);
	assert_int_equal(unlink(path), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_set_aside),
		cmocka_unit_test(test_ranges),
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_zero_byte),
	};

	return run_config_tests(tests, sizeof(tests) / sizeof(tests[0]));
}
