/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * suspended_test.c - the file `suspended`: what is written, that it is replaced at once and only
 * when something differs, and that no line refuses that is not whole, of its form, and in time.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/stat.h>
#include <cmocka.h>
#include "refuse/responder.h"
#include "refuse/refusal_text.h"
#include "refuse/suspended.h"

#define END_S 1795269900 /* 2026-11-21T14:05:00Z */
#define TEXT(domain)                                                                               \
	"550 5.7.1 Domain " domain " has exceeded the max defers and failures per hour (7/5 "      \
	"(58%)) allowed. Message discarded. Sending is possible again at 2026-11-21T14:05:00Z."

static char run[] = "/tmp/suspended_test.XXXXXX";
static char path[64];

static int make_run(void **state)
{
	(void)state;
	if (!mkdtemp(run))
		return -1;
	snprintf(path, sizeof(path), "%s/suspended", run);
	return 0;
}

static int remove_run(void **state)
{
	(void)state;
	unlink(path);
	return rmdir(run); /* fails where anything else was left */
}

static void write_raw(const char *content)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_int_equal(fputs(content, f) < 0, 0);
	assert_int_equal(fclose(f), 0);
}

static void assert_content(const char *expected)
{
	char content[4096];
	FILE *f = fopen(path, "r");

	assert_non_null(f);
	content[fread(content, 1, sizeof(content) - 1, f)] = '\0';
	fclose(f);
	assert_string_equal(content, expected);
}

static struct stat look(void)
{
	struct stat st;

	assert_int_equal(lstat(path, &st), 0);
	return st;
}

static void write_two(const char *second)
{
	struct suspended_writer *w;

	assert_int_equal(suspended_begin(run, &w), 0);
	assert_int_equal(suspended_add(w, "alice", TEXT("a.example")), 0);
	assert_int_equal(suspended_add(w, second, TEXT("a.example")), 0);
	assert_int_equal(suspended_commit(w), 0);
}

static int find(const char *name, int64_t now_s, char *text)
{
	return suspended_find(run, name, now_s, "", text, SUSPENDED_TEXT_SIZE);
}

static void assert_none(const char *name, int64_t now_s)
{
	char text[SUSPENDED_TEXT_SIZE] = "untouched";

	assert_int_equal(find(name, now_s, text), -ENOENT);
	assert_string_equal(text, "untouched");
}

/* The file says the same at any time; how long it lasts is said when it is read. */
static void assert_refused(const char *name, int64_t now_s)
{
	char text[SUSPENDED_TEXT_SIZE], expected[SUSPENDED_TEXT_SIZE] = TEXT("a.example");

	strcpy(expected + strlen(expected) - 1, now_s ? " (in 1 minute)." : " (in 20779 days).");
	assert_int_equal(find(name, now_s, text), 0);
	assert_string_equal(text, expected);
	assert_int_equal(suspended_find(run, name, now_s, "Ask us.", text, sizeof(text)), 0);
	strcat(expected, " Ask us.");
	assert_string_equal(text, expected);
}

static void test_write_and_find(void **state)
{
	(void)state;
	assert_none("alice", 0);
	umask(077);
	write_two("a.example");
	umask(022);
	assert_content("alice: " TEXT("a.example") "\na.example: " TEXT("a.example") "\n");
	assert_int_equal(look().st_mode, S_IFREG | 0644);
	assert_refused("alice", END_S - 1);
	assert_refused("A.Example", END_S - 1);
	assert_none("alic", END_S - 1);
	assert_none("alice2", END_S - 1);
	assert_none("", END_S - 1);
	assert_none("alice: 550", END_S - 1);
	assert_none("alice", END_S);
}

static void test_written_when_it_differs(void **state)
{
	struct suspended_writer *w;
	ino_t before;

	(void)state;
	write_two("1001");
	before = look().st_ino;
	write_two("1001");
	assert_int_equal(look().st_ino, before);
	write_two("1002");
	assert_int_not_equal(look().st_ino, before);
	/* Others' hands. */
	before = look().st_ino;
	assert_int_equal(chmod(path, 0600), 0);
	write_two("1002");
	assert_int_equal(look().st_mode, S_IFREG | 0644);
	unlink(path);
	assert_int_equal(symlink("/etc/passwd", path), 0);
	write_two("1002");
	assert_int_equal(look().st_mode, S_IFREG | 0644);
	/* Nobody is suspended any more. */
	assert_int_equal(suspended_begin(run, &w), 0);
	assert_int_equal(suspended_commit(w), 0);
	assert_content("");
}

static void test_forgotten(void **state)
{
	struct suspended_writer *w;

	(void)state;
	write_two("1001");
	assert_int_equal(suspended_begin(run, &w), 0);
	assert_int_equal(suspended_add(w, "bob", TEXT("b.example")), 0);
	suspended_abandon(w);
	assert_refused("1001", 0);
	assert_none("bob", 0);
}

static void test_not_lines(void **state)
{
	static const char *const names[] = {"", "#x", "a b", "a:b", "\"a\"", "a\nb", "a\x7f"};
	static const char *const texts[] = {"", " x", "a\nb", "a\x01", "\xc3\xa4"};
	char long_one[600];
	struct suspended_writer *w;
	size_t i;

	(void)state;
	write_raw("");
	memset(long_one, 'x', sizeof(long_one) - 1);
	long_one[sizeof(long_one) - 1] = '\0';
	assert_int_equal(suspended_begin(run, &w), 0);
	for (i = 0; i < sizeof(names) / sizeof(*names); i++)
		assert_int_equal(suspended_add(w, names[i], TEXT("a.example")), -EINVAL);
	for (i = 0; i < sizeof(texts) / sizeof(*texts); i++)
		assert_int_equal(suspended_add(w, "a", texts[i]), -EINVAL);
	assert_int_equal(suspended_add(w, long_one, TEXT("a.example")), -EINVAL);
	assert_int_equal(suspended_add(w, "a", long_one), -EINVAL);
	long_one[SUSPENDED_TEXT_SIZE - 1] = '\0';
	assert_int_equal(suspended_add(w, "a", long_one), 0);
	assert_int_equal(suspended_commit(w), 0);
	/* Written, though without a time it refuses nobody. */
	assert_none("a", 0);
}

/* Each is one byte or more away from a line that refuses. */
static void test_malformed(void **state)
{
	static const char *const lines[] = {
		"x: 550 no time\n",
		"x: \n",
		"x:\n",
		"x\n",
		"x:550 at once again at 2026-11-21T14:05:00Z.\n",
		"x: again at 2026-11-21T14:05:00Z",
		"x: again at 2026-11-21T14:05:00Z\n",
		"x: again at 2026-11-21T14:05:00Z. \n",
		"x: again at 2026-11-21 14:05:00Z.\n",
		"x: again at 2026-11-21T14:05:00.\n",
		"x: again at 2026-02-31T14:05:00Z.\n",
		"x: again at 2026-11-21T24:05:00Z.\n",
		"x: again at 2026-11-21T14:05:60Z.\n",
		"x: again at  026-11-21T14:05:00Z.\n",
		"x: again at 2026-11-21T 4:05:00Z.\n",
		"x: until 2026-11-21T14:05:00Z.\n",
		"x: a\x01gain at 2026-11-21T14:05:00Z.\n",
		"x: again at 2026-11-21T14:05:00Z.\r\n",
		"# x: again at 2026-11-21T14:05:00Z.\n",
		" x: again at 2026-11-21T14:05:00Z.\n",
		"again at 2026-11-21T14:05:00Z.\n",
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(lines) / sizeof(*lines); i++) {
		write_raw(lines[i]);
		assert_none("x", 0);
	}
	/* None of these stands in the way of a good line. */
	write_raw("x: 550 no time\nx: again at 2020-01-01T00:00:00Z.\n\n"
		  "x: again at 2026-11-21T14:05:00Z.\n");
	assert_int_equal(find("x", END_S - 1, (char[SUSPENDED_TEXT_SIZE]){0}), 0);
}

/* What begins in the middle of a line that is too long is no line. */
static void test_long_line(void **state)
{
	char content[4096];
	size_t at;

	(void)state;
	for (at = 1000; at < 1050; at++) {
		memset(content, 'y', at);
		snprintf(content + at, sizeof(content) - at, "x: again at 2026-11-21T14:05:00Z.\n");
		write_raw(content);
		assert_none("x", 0);
	}
}

static void test_no_room(void **state)
{
	char small[8];

	(void)state;
	write_two("1001");
	assert_int_equal(suspended_find(run, "alice", 0, "", small, sizeof(small)), -ENOBUFS);
}

static void test_no_directory(void **state)
{
	struct suspended_writer *w;

	(void)state;
	assert_int_equal(suspended_begin("/nonexistent", &w), 0);
	assert_int_equal(suspended_commit(w), -ENOENT);
	assert_int_equal(suspended_find("/proc/version", "x", 0, "", NULL, 0), -ENOTDIR);
}

/* The text is the one that the responder says. */
static void test_text_of_the_responder(void **state)
{
	const struct responder_answer a = {
		.bad = 7, .min = 5, .percent = 58, .until_wall_s = END_S, .domain = "a.example"};
	char text[600];
	struct suspended_writer *w;

	(void)state;
	refusal_text(&a, NULL, text, sizeof(text));
	assert_string_equal(text, TEXT("a.example"));
	assert_int_equal(suspended_begin(run, &w), 0);
	assert_int_equal(suspended_add(w, "alice", text), 0);
	assert_int_equal(suspended_commit(w), 0);
	assert_refused("alice", END_S - 1);
	assert_none("alice", END_S);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_write_and_find),
		cmocka_unit_test(test_written_when_it_differs),
		cmocka_unit_test(test_forgotten),
		cmocka_unit_test(test_not_lines),
		cmocka_unit_test(test_malformed),
		cmocka_unit_test(test_long_line),
		cmocka_unit_test(test_no_room),
		cmocka_unit_test(test_no_directory),
		cmocka_unit_test(test_text_of_the_responder),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, make_run, remove_run);
}
