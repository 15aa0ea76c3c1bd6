// SPDX-License-Identifier: GPL-2.0-only
/*
 * hooked_files_test.c - the note of where hooks are, and whether a file still has its lines.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>
#include "base/hooked_files.h"

static char directory[64], path[128];
static struct hooked_files files;

static int begin(void **state)
{
	(void)state;
	snprintf(directory, sizeof(directory), "/tmp/smtplimit-hooked-XXXXXX");
	if (!mkdtemp(directory))
		return -1;
	snprintf(path, sizeof(path), "%s/conf", directory);
	files.count = 0;
	return 0;
}

static int end(void **state)
{
	char note[128];

	(void)state;
	hooked_files_free(&files);
	snprintf(note, sizeof(note), "%s/" HOOKED_FILES, directory);
	unlink(note);
	unlink(path);
	return rmdir(directory);
}

static void put(const char *name, const char *text)
{
	FILE *out = fopen(name, "w");

	assert_non_null(out);
	fputs(text, out);
	assert_int_equal(fclose(out), 0);
}

static void put_note(const char *text)
{
	char name[128];

	snprintf(name, sizeof(name), "%s/" HOOKED_FILES, directory);
	put(name, text);
}

static bool lacks(const char *text, unsigned int lines, const char *want)
{
	struct hooked_file f = {"exim", "", "", path, lines};
	char *why, whole[256];
	bool r;

	if (text)
		put(path, text);
	r = hooked_file_lacks(&f, &why);
	if (r) {
		snprintf(whole, sizeof(whole), "%s %s", path, want);
		assert_string_equal(why, whole);
	} else {
		assert_null(why);
	}
	free(why);
	return r;
}

static void nothing_is_noted_at_first(void **state)
{
	(void)state;
	assert_int_equal(hooked_files_read(directory, &files), 0);
	assert_int_equal(files.count, 0);
}

static void what_is_written_is_read(void **state)
{
	struct hooked_files again;

	(void)state;
	assert_int_equal(hooked_files_add(&files, "exim", "", "", "/etc/exim.conf", 14), 0);
	assert_int_equal(hooked_files_add(&files, "postfix", "/root of it", "/etc/postfix-out",
					  "/root of it/etc/postfix-out/main.cf", 5),
			 0);
	assert_int_equal(hooked_files_write(directory, &files), 0);
	assert_int_equal(hooked_files_read(directory, &again), 0);
	assert_int_equal(again.count, 2);
	assert_true(hooked_file_same(&again.file[0], &files.file[0]));
	assert_false(hooked_file_same(&again.file[0], &files.file[1]));
	assert_string_equal(again.file[0].path, "/etc/exim.conf");
	assert_int_equal(again.file[0].lines, 14);
	assert_string_equal(again.file[1].root, "/root of it");
	assert_string_equal(again.file[1].dir, "/etc/postfix-out");
	assert_string_equal(again.file[1].path, "/root of it/etc/postfix-out/main.cf");
	hooked_files_free(&again);
}

static void set_age(int age_s)
{
	const struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_sec = time(NULL) - age_s}};
	char note[128];

	snprintf(note, sizeof(note), "%s/" HOOKED_FILES, directory);
	assert_int_equal(utimensat(AT_FDCWD, note, times, 0), 0);
}

/* Killed in the middle, `hook` leaves files of 0 lines, of which nothing is missed. */
static void what_was_begun_long_ago_lacks_lines(void **state)
{
	struct hooked_files again;

	(void)state;
	hooked_files_add(&files, "exim", "", "", "/etc/exim.conf", 0);
	hooked_files_add(&files, "postfix", "", "", "/etc/postfix/main.cf", 2);
	assert_int_equal(hooked_files_write(directory, &files), 0);
	set_age(HOOKED_WORK_S - 60);
	assert_int_equal(hooked_files_read(directory, &again), 0);
	assert_int_equal(again.file[0].lines, 0);
	hooked_files_free(&again);
	set_age(HOOKED_WORK_S);
	assert_int_equal(hooked_files_read(directory, &again), 0);
	assert_int_equal(again.file[0].lines, UINT_MAX);
	assert_int_equal(again.file[1].lines, 2);
	hooked_files_free(&again);
}

static void one_hook_is_dropped_and_no_other(void **state)
{
	(void)state;
	hooked_files_add(&files, "exim", "", "", "/etc/a", 1);
	hooked_files_add(&files, "exim", "", "/etc/other", "/etc/other/a", 1);
	hooked_files_add(&files, "postfix", "", "", "/etc/b", 1);
	hooked_files_add(&files, "exim", "", "", "/etc/c", 1);
	hooked_files_drop(&files, "exim", "", "");
	assert_int_equal(files.count, 2);
	assert_string_equal(files.file[0].path, "/etc/other/a");
	assert_string_equal(files.file[1].path, "/etc/b");
}

static void names_that_no_line_can_hold_are_refused(void **state)
{
	(void)state;
	assert_int_equal(hooked_files_add(&files, "exim", "", "", "/etc/a\tb", 1), -EINVAL);
	assert_int_equal(hooked_files_add(&files, "exim", "", "/etc\n", "/etc/a", 1), -EINVAL);
	for (int i = 0; i < HOOKED_FILES_MAX; i++)
		assert_int_equal(hooked_files_add(&files, "exim", "", "", "/etc/a", 1), 0);
	assert_int_equal(hooked_files_add(&files, "exim", "", "", "/etc/a", 1), -E2BIG);
}

static void a_damaged_line_is_told_and_the_others_are_read(void **state)
{
	(void)state;
	put_note("# comment\nexim\t\t\t3\t/etc/a\nexim\t\t\tmany\t/etc/b\nexim\t/etc/c\n"
		 "exim\t\t\t3\tetc/d\nexim\t\t\t3\t/etc/e\tf\nexim\t\t\t3\t/etc/g");
	assert_int_equal(hooked_files_read(directory, &files), -EBADMSG);
	assert_int_equal(files.count, 2);
	assert_string_equal(files.file[1].path, "/etc/g");
}

static void lines_that_name_it_are_counted(void **state)
{
	static const char text[] = "# BEGIN smtplimit a\nx smtplimit smtplimit\n\nother\nsmtplimit";

	(void)state;
	assert_int_equal(hooked_lines(text, strlen(text)), 3);
	assert_int_equal(hooked_lines(text, 0), 0);
	assert_int_equal(hooked_lines("smtplimi", 8), 0);
}

static void a_file_has_it_or_lacks_it(void **state)
{
	(void)state;
	assert_false(lacks("a\nsmtplimit\nsmtplimit\n", 2, ""));
	assert_false(lacks("smtplimit\nsmtplimit\nsmtplimit", 2, ""));
	assert_true(lacks("smtplimit smtplimit\n", 2, "lacks a part of it"));
	assert_true(lacks("", 2, "lacks it"));
	assert_false(lacks("", 0, ""));
	unlink(path);
	assert_true(lacks(NULL, 2, "is gone"));
}

static void what_is_no_file_keeps_nobody_waiting(void **state)
{
	(void)state;
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_true(lacks(NULL, 1, "Invalid argument"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(nothing_is_noted_at_first, begin, end),
		cmocka_unit_test_setup_teardown(what_is_written_is_read, begin, end),
		cmocka_unit_test_setup_teardown(what_was_begun_long_ago_lacks_lines, begin, end),
		cmocka_unit_test_setup_teardown(one_hook_is_dropped_and_no_other, begin, end),
		cmocka_unit_test_setup_teardown(names_that_no_line_can_hold_are_refused, begin,
						end),
		cmocka_unit_test_setup_teardown(a_damaged_line_is_told_and_the_others_are_read,
						begin, end),
		cmocka_unit_test_setup_teardown(lines_that_name_it_are_counted, begin, end),
		cmocka_unit_test_setup_teardown(a_file_has_it_or_lacks_it, begin, end),
		cmocka_unit_test_setup_teardown(what_is_no_file_keeps_nobody_waiting, begin, end),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("hooked_files", tests, NULL, NULL);
}
