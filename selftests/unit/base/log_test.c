/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * log_test.c - the escaper against what hostile servers and customers send, and the form of a line
 * on a terminal and in the journal.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/log.h"

struct example {
	const char *bytes;
	const char *escaped;
};

static void expect(const struct example *examples, size_t count, int utf8)
{
	char out[256];

	for (size_t i = 0; i < count; i++) {
		const char *bytes = examples[i].bytes;

		assert_ptr_equal(log_escape(bytes, strlen(bytes), utf8, out, sizeof(out)), out);
		assert_string_equal(out, examples[i].escaped);
	}
}
#define EXPECT(examples, utf8) expect(examples, sizeof(examples) / sizeof(examples[0]), utf8)

static void test_ascii(void **state)
{
	static const struct example both[] = {
		{"", ""},
		{"550 5.1.1 no such user ~", "550 5.1.1 no such user ~"},
		{"a\\b", "a\\\\b"},
		{"\\x1b", "\\\\x1b"},
		{"a\r\nb\tc", "a\\x0d\\x0ab\\x09c"},
		{"\x1b[31mred\x1b[0m", "\\x1b[31mred\\x1b[0m"},
		{"\x1b]0;title\x07", "\\x1b]0;title\\x07"},
		{"\x7f\x01", "\\x7f\\x01"},
	};

	(void)state;
	EXPECT(both, 0);
	EXPECT(both, 1);
}

static void test_bytes_without_utf8(void **state)
{
	static const struct example bytes[] = {
		{"m\xc3\xbcller", "m\\xc3\\xbcller"},
		{"\x9b"
		 "31m",
		 "\\x9b31m"},
		{"\xff", "\\xff"},
	};

	(void)state;
	EXPECT(bytes, 0);
}

static void test_utf8_that_passes(void **state)
{
	static const struct example good[] = {
		{"m\xc3\xbcller", "m\xc3\xbcller"},
		{"\xc2\xa0", "\xc2\xa0"},
		{"\xe4\xbe\x8b\xe3\x81\x88", "\xe4\xbe\x8b\xe3\x81\x88"},
		{"\xe2\x82\xac", "\xe2\x82\xac"},
		{"\xef\xbf\xa0", "\xef\xbf\xa0"},
		{"\xf0\x9f\x93\xa7", "\xf0\x9f\x93\xa7"},
	};

	(void)state;
	EXPECT(good, 1);
}

static void test_utf8_that_does_not(void **state)
{
	static const struct example bad[] = {
		/* C1 controls, U+009B is CSI */
		{"\xc2\x80", "\\xc2\\x80"},
		{"\xc2\x9b"
		 "31m",
		 "\\xc2\\x9b31m"},
		{"\xc2\x9f", "\\xc2\\x9f"},
		/* overlong: NUL, ESC, '/', in two to four bytes */
		{"\xc0\x80", "\\xc0\\x80"},
		{"\xc1\x9b", "\\xc1\\x9b"},
		{"\xe0\x80\x9b", "\\xe0\\x80\\x9b"},
		{"\xe0\x9f\xbf", "\\xe0\\x9f\\xbf"},
		{"\xf0\x80\x80\xaf", "\\xf0\\x80\\x80\\xaf"},
		{"\xf0\x8f\xbf\xbf", "\\xf0\\x8f\\xbf\\xbf"},
		/* surrogates, beyond U+10FFFF, bytes that are never used */
		{"\xed\xa0\x80", "\\xed\\xa0\\x80"},
		{"\xed\xbf\xbf", "\\xed\\xbf\\xbf"},
		{"\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80"},
		{"\xf5\x80\x80\x80", "\\xf5\\x80\\x80\\x80"},
		{"\xfe\xff", "\\xfe\\xff"},
		/* cut short, by the end and by another character */
		{"\xc3", "\\xc3"},
		{"\xe2\x82", "\\xe2\\x82"},
		{"\xf0\x9f\x93", "\\xf0\\x9f\\x93"},
		{"\xc3(", "\\xc3("},
		{"\xe2\x82\x1b[m", "\\xe2\\x82\\x1b[m"},
		{"\xa9", "\\xa9"},
		/* bidi embeddings, overrides, isolates, marks */
		{"\xe2\x80\xaa", "\\xe2\\x80\\xaa"},
		{"\xe2\x80\xae"
		 "gpj.exe",
		 "\\xe2\\x80\\xaegpj.exe"},
		{"\xe2\x81\xa6", "\\xe2\\x81\\xa6"},
		{"\xe2\x81\xa9", "\\xe2\\x81\\xa9"},
		{"\xe2\x80\x8e", "\\xe2\\x80\\x8e"},
		{"\xd8\x9c", "\\xd8\\x9c"},
		/* line separators, zero width, BOM, tags, noncharacters */
		{"\xe2\x80\xa8", "\\xe2\\x80\\xa8"},
		{"\xe2\x80\x8b", "\\xe2\\x80\\x8b"},
		{"\xef\xbb\xbf", "\\xef\\xbb\\xbf"},
		{"\xf3\xa0\x81\x81", "\\xf3\\xa0\\x81\\x81"},
		{"\xef\xb7\x90", "\\xef\\xb7\\x90"},
		{"\xef\xbf\xbf", "\\xef\\xbf\\xbf"},
	};

	(void)state;
	EXPECT(bad, 1);
}

static void test_where_it_ends(void **state)
{
	char out[16];

	(void)state;
	assert_string_equal(log_escape("abcdef", 3, 0, out, sizeof(out)), "abc");
	assert_string_equal(log_escape("ab\0cd", 5, 0, out, sizeof(out)), "ab");
	/* The bytes behind `size` are not looked at, not even to end a character. */
	assert_string_equal(log_escape("\xc3\xbc", 1, 1, out, sizeof(out)), "\\xc3");
}

/* At every size of the buffer: whole escapes and characters, a NUL, nothing behind it. */
static void test_truncation(void **state)
{
	static const char bytes[] = "a\x1b\\\xc3\xbc\xe2\x82\xac\xf0\x9f\x93\xa7";
	static const size_t ends[] = {0, 1, 5, 7, 9, 12, 16};
	static const char whole[] = "a\\x1b\\\\\xc3\xbc\xe2\x82\xac\xf0\x9f\x93\xa7";
	char out[32];

	(void)state;
	for (size_t size = 1; size < sizeof(out); size++) {
		size_t length = 0;

		for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
			if (ends[i] < size)
				length = ends[i];
		memset(out, '#', sizeof(out));
		log_escape(bytes, strlen(bytes), 1, out, size);
		assert_int_equal(strlen(out), length);
		assert_memory_equal(out, whole, length);
		for (size_t i = size; i < sizeof(out); i++)
			assert_int_equal(out[i], '#');
	}
	out[0] = '#';
	log_escape(bytes, strlen(bytes), 1, out, 0);
	assert_int_equal(out[0], '#');
}

/* No two different ASCII texts have the same form. */
static void test_one_to_one(void **state)
{
	char one[4] = {0}, out[16], again[8];

	(void)state;
	for (int byte = 1; byte < 256; byte++) {
		one[0] = (char)byte;
		log_escape(one, 1, 0, out, sizeof(out));
		for (const char *c = out; *c; c++)
			assert_in_range((unsigned char)*c, 0x20, 0x7e);
		if (out[0] == '\\' && out[1] == 'x')
			snprintf(again, sizeof(again), "%c", (int)strtol(out + 2, NULL, 16));
		else
			snprintf(again, sizeof(again), "%c", out[0]);
		assert_int_equal((unsigned char)again[0], byte);
	}
}

/* What log_line() writes to stderr, with JOURNAL_STREAM as given ("": that of the file itself). */
static void line_of(const char *stream, char *out, size_t out_size, const char *text)
{
	int saved = dup(STDERR_FILENO), file = memfd_create("stderr", MFD_CLOEXEC);
	char own[64];
	struct stat st;
	ssize_t n;

	assert_true(saved >= 0 && file >= 0);
	assert_int_equal(fstat(file, &st), 0);
	snprintf(own, sizeof(own), "%ju:%ju", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino);
	if (stream)
		setenv("JOURNAL_STREAM", *stream ? stream : own, 1);
	else
		unsetenv("JOURNAL_STREAM");
	assert_true(dup2(file, STDERR_FILENO) >= 0);
	errno = EXDEV;
	log_line(LOG_LEVEL_WARNING, "%s", text);
	n = errno;
	dup2(saved, STDERR_FILENO);
	assert_int_equal(n, EXDEV);
	n = pread(file, out, out_size - 1, 0);
	assert_true(n >= 0);
	out[n] = '\0';
	close(saved);
	close(file);
	unsetenv("JOURNAL_STREAM");
}

static void test_line(void **state)
{
	char out[256];

	(void)state;
	line_of(NULL, out, sizeof(out), "two words");
	assert_string_equal(out, "smtplimit: two words\n");
	line_of("", out, sizeof(out), "two words");
	assert_string_equal(out, "<4>two words\n");
	/* The journal is somebody else's stderr. */
	line_of("1:1", out, sizeof(out), "two words");
	assert_string_equal(out, "smtplimit: two words\n");
	/* Nobody can write a second line, or a level of his own. */
	line_of("", out, sizeof(out), "a\n<0>b\x1b[m \xc2\x9b m\xc3\xbcller");
	assert_string_equal(out, "<4>a\\x0a<0>b\\x1b[m \\xc2\\x9b m\xc3\xbcller\n");
	/* What is escaped already stays as it is. */
	line_of(NULL, out, sizeof(out), "\\x1b and \\\\");
	assert_string_equal(out, "smtplimit: \\x1b and \\\\\n");
}

/* A log that cannot be written is not an error of the caller, and leaves errno as it was. */
static void test_no_stderr(void **state)
{
	int saved = dup(STDERR_FILENO), kept;

	(void)state;
	assert_true(saved >= 0);
	close(STDERR_FILENO);
	errno = EXDEV;
	log_error("nobody reads this");
	kept = errno;
	dup2(saved, STDERR_FILENO);
	close(saved);
	assert_int_equal(kept, EXDEV);
}

static void test_long_line(void **state)
{
	static char text[2 * LOG_TEXT_SIZE], out[3 * LOG_TEXT_SIZE];

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	line_of(NULL, out, sizeof(out), text);
	assert_int_equal(strlen(out), strlen("smtplimit: ") + LOG_TEXT_SIZE - 1 + 1);
	assert_int_equal(out[strlen(out) - 1], '\n');
	memset(text, '\x01', sizeof(text) - 1);
	line_of(NULL, out, sizeof(out), text);
	assert_int_equal(strlen(out), strlen("smtplimit: ") + (LOG_TEXT_SIZE - 1) / 4 * 4 + 1);
	assert_int_equal(out[strlen(out) - 1], '\n');
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ascii),
		cmocka_unit_test(test_bytes_without_utf8),
		cmocka_unit_test(test_utf8_that_passes),
		cmocka_unit_test(test_utf8_that_does_not),
		cmocka_unit_test(test_where_it_ends),
		cmocka_unit_test(test_truncation),
		cmocka_unit_test(test_one_to_one),
		cmocka_unit_test(test_line),
		cmocka_unit_test(test_no_stderr),
		cmocka_unit_test(test_long_line),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
