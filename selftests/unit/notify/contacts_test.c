// SPDX-License-Identifier: GPL-2.0-only
/*
 * contacts_test.c - customers' addresses out of a file and of panels' records.
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
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "notify/contacts.h"

static char root[] = "/tmp/contacts-XXXXXX";
static char address[MAIL_ADDRESS_SIZE];
static struct contacts c;

static const char *path(const char *name)
{
	static char text[512];

	snprintf(text, sizeof(text), "%s/%s", root, name);
	return text;
}

static void write_file(const char *name, const char *bytes)
{
	FILE *file = fopen(path(name), "w");

	assert_non_null(file);
	assert_int_equal(fputs(bytes, file) < 0, 0);
	assert_int_equal(fclose(file), 0);
}

static int begin(void **state)
{
	static const char *const below[] = {
		"var",
		"var/cpanel",
		"var/cpanel/users",
		"usr",
		"usr/local",
		"usr/local/directadmin",
		"usr/local/directadmin/data",
		"usr/local/directadmin/data/users",
		"usr/local/directadmin/data/users/bob",
	};

	(void)state;
	if (!mkdtemp(root))
		return -1;
	for (size_t i = 0; i < sizeof(below) / sizeof(below[0]); i++)
		if (mkdir(path(below[i]), 0700))
			return -1;
	c.root = root;
	return 0;
}

static int end(void **state)
{
	char command[64];

	(void)state;
	contacts_free(&c);
	snprintf(command, sizeof(command), "rm -r %s", root);
	return system(command);
}

static int in_file(const char *account)
{
	return contacts_in_file(&c, path("contacts"), account, address);
}

static void test_a_file(void **state)
{
	(void)state;
	write_file("contacts",
		   "# account address\nalice a@one.test\nali x@y.test\n"
		   "domain:one.test \t b@one.test \r\nbob not an address\nuid:7 c@one.test");
	assert_int_equal(in_file("alice"), 0);
	assert_string_equal(address, "a@one.test");
	assert_int_equal(in_file("domain:one.test"), 0);
	assert_string_equal(address, "b@one.test");
	assert_int_equal(in_file("uid:7"), 0);
	assert_string_equal(address, "c@one.test");
	assert_int_equal(in_file("bob"), -ENOENT);
	assert_int_equal(in_file("carol"), -ENOENT);
	assert_int_equal(in_file("#"), -ENOENT);
	assert_int_equal(in_file(""), -ENOENT);
}

static void test_a_file_that_has_changed(void **state)
{
	(void)state;
	write_file("contacts", "alice new@one.test\n");
	assert_int_equal(in_file("alice"), 0);
	assert_string_equal(address, "new@one.test");
	assert_int_equal(unlink(path("contacts")), 0);
	assert_int_equal(in_file("alice"), -ENOENT);
	assert_int_equal(mkfifo(path("contacts"), 0600), 0);
	assert_int_equal(in_file("alice"), -EINVAL);
	assert_int_equal(unlink(path("contacts")), 0);
}

static void test_cpanel(void **state)
{
	(void)state;
	write_file("var/cpanel/users/alice", "BWLIMIT=unlimited\nCONTACTEMAIL=a@one.test\n"
					     "CONTACTEMAIL2=b@one.test\n");
	assert_int_equal(contacts_in_panel(&c, "alice", address), 0);
	assert_string_equal(address, "a@one.test");
	write_file("var/cpanel/users/alice", "CONTACTEMAIL2=b@one.test\nCONTACTEMAIL=\n");
	assert_int_equal(contacts_in_panel(&c, "alice", address), -ENOENT);
	write_file("var/cpanel/users/alice", "CONTACTEMAIL=a@one.test, b@one.test\n");
	assert_int_equal(contacts_in_panel(&c, "alice", address), -ENOENT);
}

static void test_directadmin(void **state)
{
	(void)state;
	write_file("usr/local/directadmin/data/users/bob/user.conf",
		   "domain=two.test\nemail=b@two.test\nusertype=user\n");
	assert_int_equal(contacts_in_panel(&c, "bob", address), 0);
	assert_string_equal(address, "b@two.test");
}

static void test_names_that_are_no_users(void **state)
{
	static const char *const names[] = {"",	    ".", "..", "../users/alice", "domain:one.test",
					    "uid:7"};

	(void)state;
	write_file("var/cpanel/users/uid:7", "CONTACTEMAIL=a@one.test\n");
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		assert_int_equal(contacts_in_panel(&c, names[i], address), -ENOENT);
	assert_int_equal(symlink("alice", path("var/cpanel/users/eve")), 0);
	assert_int_equal(contacts_in_panel(&c, "eve", address), -ELOOP);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_file),
		cmocka_unit_test(test_a_file_that_has_changed),
		cmocka_unit_test(test_cpanel),
		cmocka_unit_test(test_directadmin),
		cmocka_unit_test(test_names_that_are_no_users),
	};

	return cmocka_run_group_tests(tests, begin, end);
}
