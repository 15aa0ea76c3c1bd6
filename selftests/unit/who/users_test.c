// SPDX-License-Identifier: GPL-2.0-only
/*
 * users_test.c - users of a passwd file are found without asking anybody, as the file is now;
 * others are asked for once a minute each.
 */
#include <errno.h>
#include <pwd.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "who/users.h"

#define MANY 5000 /* more names than are kept of those asked for */

static unsigned int asked;
static bool carol_is_there;
static char file[64];
static struct users users;

/* In place of the C library's: the other sources of names. */
struct passwd *getpwnam(const char *name)
{
	static struct passwd carol = {.pw_name = (char *)"carol", .pw_uid = 1002};

	asked++;
	errno = 0;
	return carol_is_there && !strcmp(name, "carol") ? &carol : NULL;
}

static void write_file(const char *text)
{
	char fresh[80];
	FILE *f;

	snprintf(fresh, sizeof(fresh), "%s.new", file);
	f = fopen(fresh, "w");
	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(rename(fresh, file), 0);
}

static int begin(void **unused)
{
	(void)unused;
	snprintf(file, sizeof(file), "/tmp/smtplimit-users-XXXXXX");
	close(mkstemp(file));
	asked = 0;
	carol_is_there = true;
	return 0;
}

static int end(void **unused)
{
	(void)unused;
	users_free(&users);
	return unlink(file);
}

/* -1: there is none. */
static int64_t find(const char *name, uint64_t now_ns)
{
	uint32_t uid = 7;

	if (users_find(&users, file, name, now_ns, &uid))
		return uid;
	assert_int_equal(uid, 7);
	return -1;
}

static void local_users_are_not_asked_for(void **unused)
{
	(void)unused;
	write_file("alice:x:1000:1000::/:\nbob:x:1001:1001::/:\nalice:x:9:9::/:\n");
	assert_int_equal(find("alice", NS_PER_S), 1000);
	assert_int_equal(find("bob", NS_PER_S), 1001);
	assert_int_equal(asked, 0);
}

static void file_is_read_when_it_changes(void **unused)
{
	(void)unused;
	write_file("alice:x:1000:1000::/:\n");
	assert_int_equal(find("alice", NS_PER_S), 1000);
	assert_int_equal(find("dave", NS_PER_S), -1);
	write_file("alice:x:2000:1000::/:\ndave:x:1003:1003::/:\n");
	assert_int_equal(find("alice", NS_PER_S), 1000); /* looked at once a second */
	assert_int_equal(find("alice", 2 * NS_PER_S), 2000);
	assert_int_equal(find("dave", 2 * NS_PER_S), 1003);
	write_file("");
	assert_int_equal(find("alice", 3 * NS_PER_S), -1);
	assert_int_equal(asked, 2); /* dave at first, alice at last */
}

static void others_are_asked_for_once_a_minute(void **unused)
{
	(void)unused;
	write_file("+:x:5:5::/:\nalice:x:1000:1000::/:\n");
	assert_int_equal(find("carol", NS_PER_S), 1002);
	assert_int_equal(find("nobody-knows", NS_PER_S), -1);
	assert_int_equal(find("carol", 60 * NS_PER_S), 1002);
	assert_int_equal(find("nobody-knows", 60 * NS_PER_S), -1);
	assert_int_equal(find("+", 60 * NS_PER_S), -1);
	assert_int_equal(asked, 3);
	carol_is_there = false;
	assert_int_equal(find("carol", 61 * NS_PER_S), -1);
	assert_int_equal(asked, 4);
}

static void without_a_file_all_are_asked_for(void **unused)
{
	(void)unused;
	assert_int_equal(unlink(file), 0);
	assert_int_equal(find("carol", NS_PER_S), 1002);
	assert_int_equal(find("alice", NS_PER_S), -1);
	write_file("alice:x:1000:1000::/:\n");
	assert_int_equal(find("alice", 2 * NS_PER_S), 1000);
	assert_int_equal(asked, 2);
}

static void names_of_strangers_are_bounded(void **unused)
{
	char name[16];

	(void)unused;
	write_file("");
	for (unsigned int i = 0; i < MANY; i++) {
		snprintf(name, sizeof(name), "u%u", i);
		assert_int_equal(find(name, NS_PER_S), -1);
	}
	assert_int_equal(asked, MANY);
	assert_true(users.others.count < MANY);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(local_users_are_not_asked_for, begin, end),
		cmocka_unit_test_setup_teardown(file_is_read_when_it_changes, begin, end),
		cmocka_unit_test_setup_teardown(others_are_asked_for_once_a_minute, begin, end),
		cmocka_unit_test_setup_teardown(without_a_file_all_are_asked_for, begin, end),
		cmocka_unit_test_setup_teardown(names_of_strangers_are_bounded, begin, end),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
