/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * config_directory_test.c - the files of accounts beside the main file: their order, what they may
 * hold, and those that are not taken.
 */
#include "config_fixture.h"

#include <sys/stat.h>

static const struct account_id alice = {.kind = ACCOUNT_UID, .uid = 1000};
static const struct account_id bob = {.kind = ACCOUNT_UID, .uid = 1001};

static int make_directory(void **state)
{
	(void)state;
	return mkdir("t.d", 0755);
}

static int remove_directory(void **state)
{
	(void)state;
	return system("rm -r t.d");
}

static void write_conf(const char *path, const char *text)
{
	write_file(path, text);
	assert_int_equal(chmod(path, 0644), 0);
}

static void test_files(void **state)
{
	struct config c;

	(void)state;
	write_conf("t.d/b.conf", "\xef\xbb\xbf# a plan\r\n[account alice]\r\npercent = 70\r\n");
	write_conf("t.d/a.conf", "[account bob]\nmode = observe\n");
	write_conf("t.d/suspended.txt", "a template");
	write_conf("t.d/b.conf~", "[account alice]\npercent = 71\n");
	write_conf("t.d/.b.conf.swp", "nonsense");
	c = read_good("[account 4711]\n");
	assert_string_equal(c.directory, "t.d");
	assert_int_equal(c.accounts->count, 3);
	assert_string_equal(c.accounts->accounts[1].name, "bob");
	assert_int_equal(config_account_rule(&c, &alice, 0)->percent, 70);
	assert_int_equal(config_account_rule(&c, &bob, 0)->mode, VERDICT_OBSERVE);
	assert_string_equal(config_account_find(&c, &alice)->section->file, "t.d/b.conf");
	assert_int_equal(config_account_find(&c, &alice)->section->lines[0], 3);
	assert_null(config_warning(&c, 0));
}

static void test_named_in_two_files(void **state)
{
	(void)state;
	write_conf("t.d/a.conf", "\n[account alice]\n");
	expect_error("[limit]\n[account alice]\n",
		     "t.d/a.conf:2: [account] \"alice\": named in t.conf:2 already, want each "
		     "account in one section");
	write_conf("t.d/b.conf", "[account uid:1000]\n");
	expect_error("", "t.d/b.conf:1: [account] \"uid:1000\": named in t.d/a.conf:2 already as "
			 "\"alice\", want each account in one section");
}

static void test_errors_name_the_file(void **state)
{
	(void)state;
	write_conf("t.d/a.conf", "[account alice]\npercent = 0\n");
	expect_error("", "t.d/a.conf:2: percent = \"0\": want a whole number from 1 to 100");
	/* The main file comes first. */
	expect_error("[limit]\npercent = 0\n",
		     "t.conf:2: percent = \"0\": want a whole number from 1 to 100");
	write_conf("t.d/a.conf", "[limit]\npercent = 5\n");
	expect_error("",
		     "t.d/a.conf:1: [limit]: want nothing but [account NAME] in the files of t.d");
	write_conf("t.d/a.conf", "percent = 5\n");
	expect_error("",
		     "t.d/a.conf:1: \"percent\" stands in no section: want [account NAME] above "
		     "it");
	write_conf("t.d/a.conf", "[acount]\n");
	expect_error("", "t.d/a.conf:1: unknown section \"acount\": did you mean [account]?");
	write_conf("t.d/a.conf", "[x]\n");
	expect_error("", "t.d/a.conf:1: unknown section \"x\": want [account NAME]");
	write_conf("t.d/a.conf", "[account alice]\nnonsense\n");
	expect_error("", "t.d/a.conf:2: \"nonsense\": want KEY = VALUE, a [section], or a comment "
			 "behind #");
}

static void test_who_may_write(void **state)
{
	static const char want[] = "others than root may write to it: want root as its owner, and "
				   "nobody else to write (chown root:root, chmod";
	char expected[256];

	(void)state;
	write_conf("t.d/a.conf", "[account alice]\n");
	snprintf(expected, sizeof(expected), "t.d/a.conf: %s 644)", want);
	assert_int_equal(chmod("t.d/a.conf", 0646), 0);
	expect_error("", expected);
	if (!chown("t.d/a.conf", 4711, 0) && !chmod("t.d/a.conf", 0644))
		expect_error("", expected);
	if (!chown("t.d/a.conf", 0, 4711) && !chmod("t.d/a.conf", 0664))
		expect_error("", expected);
	write_conf("t.d/a.conf", "[account alice]\n");
	snprintf(expected, sizeof(expected), "t.d: %s 755)", want);
	assert_int_equal(chmod("t.d", 0777), 0);
	expect_error("", expected);
	assert_int_equal(chmod("t.d", 0755), 0);
	read_good("");
}

static void test_not_regular(void **state)
{
	struct config c;

	(void)state;
	assert_int_equal(mkfifo("t.d/a.conf", 0600), 0);
	expect_error("", "t.d/a.conf: is no regular file: want a text file");
	assert_int_equal(unlink("t.d/a.conf"), 0);
	assert_int_equal(symlink("nowhere", "t.d/a.conf"), 0);
	expect_error("", "t.d/a.conf: cannot read it: No such file or directory");
	assert_int_equal(unlink("t.d/a.conf"), 0);
	assert_int_equal(mkdir("t.d/a.conf", 0755), 0);
	expect_error("", "t.d/a.conf: is no regular file: want a text file");
	assert_int_equal(rmdir("t.d/a.conf"), 0);
	/* A link to a file is as good as the file. */
	write_conf("t.d/plan", "[account alice]\npercent = 70\n");
	assert_int_equal(symlink("plan", "t.d/a.conf"), 0);
	c = read_good("");
	assert_int_equal(config_account_rule(&c, &alice, 0)->percent, 70);
}

static void test_hidden(void **state)
{
	struct config c;

	(void)state;
	write_conf("t.d/.a.conf", "nonsense");
	c = read_good("");
	assert_string_equal(config_warning(&c, 0), "t.d/.a.conf: hidden, not read: want a name "
						   "without a dot at its begin");
	assert_null(config_warning(&c, 1));
	assert_int_equal(config_account_rule(&c, &alice, 0)->percent, 50);
}

static void test_no_directory(void **state)
{
	(void)state;
	read_good("");
	assert_int_equal(rmdir("t.d"), 0);
	read_good("");
	write_conf("t.d", "");
	expect_error("", "t.d: is no directory: want one, or nothing there");
	assert_int_equal(unlink("t.d"), 0);
	assert_int_equal(mkdir("t.d", 0755), 0);
}

#define WITH(test) cmocka_unit_test_setup_teardown(test, make_directory, remove_directory)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH(test_files),
		WITH(test_named_in_two_files),
		WITH(test_errors_name_the_file),
		WITH(test_who_may_write),
		WITH(test_not_regular),
		WITH(test_hidden),
		WITH(test_no_directory),
	};

	return run_config_tests(tests, sizeof(tests) / sizeof(tests[0]));
}
