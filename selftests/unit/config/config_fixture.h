/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * config_fixture.h - shared by the tests of the configuration: a file in a directory of the test,
 * and a passwd database of the few users below. Included once, by the test itself.
 */
#ifndef CONFIG_FIXTURE_H
#define CONFIG_FIXTURE_H

#include <errno.h>
#include <pwd.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "config/config_account.h"

static struct passwd users[] = {
	{.pw_name = (char *)"root", .pw_uid = 0},      {.pw_name = (char *)"mail", .pw_uid = 8},
	{.pw_name = (char *)"postfix", .pw_uid = 101}, {.pw_name = (char *)"alice", .pw_uid = 1000},
	{.pw_name = (char *)"bob", .pw_uid = 1001},    {.pw_name = (char *)"4711", .pw_uid = 1002},
};
#define USERS (sizeof(users) / sizeof(users[0]))

/* These take the place of the C library's functions. */
struct passwd *getpwnam(const char *name)
{
	errno = !strcmp(name, "broken") ? EIO : 0;
	for (size_t i = 0; i < USERS; i++)
		if (!strcmp(users[i].pw_name, name))
			return &users[i];
	return NULL;
}

struct passwd *getpwuid(uid_t uid)
{
	for (size_t i = 0; i < USERS; i++)
		if (users[i].pw_uid == uid)
			return &users[i];
	return NULL;
}

/* The files are written into a directory of the test, which is the current one. */
static char directory[] = "/tmp/smtplimit-config-XXXXXX";

static void write_bytes(const char *bytes, size_t size)
{
	FILE *f = fopen("t.conf", "w");

	assert_non_null(f);
	assert_int_equal(fwrite(bytes, 1, size, f), size);
	assert_int_equal(fclose(f), 0);
}

static inline struct config read_good(const char *text)
{
	static struct config c;
	char error[CONFIG_ERROR_SIZE] = "";

	config_free(&c); /* a copy of the last one ends here */
	write_bytes(text, strlen(text));
	if (config_read("t.conf", &c, error, sizeof(error)))
		fail_msg("%s", error);
	return c;
}

static inline void write_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fputs(text, f);
	assert_int_equal(fclose(f), 0);
}

static void expect_error_of(const char *bytes, size_t size, const char *expected)
{
	static struct config c;
	char error[CONFIG_ERROR_SIZE] = "";

	write_bytes(bytes, size);
	assert_int_equal(config_read("t.conf", &c, error, sizeof(error)), -1);
	assert_string_equal(error, expected);
}

static inline void expect_error(const char *text, const char *expected)
{
	expect_error_of(text, strlen(text), expected);
}

static inline int run_config_tests(const struct CMUnitTest *tests, size_t count)
{
	int failed;

	if (!mkdtemp(directory) || chdir(directory))
		return 1;
	cmocka_set_message_output(CM_OUTPUT_TAP);
	failed = _cmocka_run_group_tests("config", tests, count, NULL, NULL);
	unlink("t.conf");
	if (chdir("/") || rmdir(directory))
		return 1;
	return failed;
}

#endif
