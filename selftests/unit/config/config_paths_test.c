/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * config_paths_test.c - a broken file as read by the commands that need its [paths] alone: these
 * are exact, and nothing is read when [paths] itself is broken.
 */
#include "config_fixture.h"

static struct config c;
static char error[CONFIG_ERROR_SIZE];

static int read_paths(const char *text)
{
	write_bytes(text, strlen(text));
	error[0] = '\0';
	return config_read_paths("t.conf", &c, error, sizeof(error));
}

/* Only [paths] is read, with /s, /r and the default. */
static void expect_paths(const char *text, const char *expected)
{
	assert_int_equal(read_paths(text), 1);
	assert_string_equal(error, expected);
	assert_true(c.paths_only);
	assert_string_equal(c.state, "/s");
	assert_string_equal(c.run, "/r");
	assert_string_equal(c.bpffs, "/sys/fs/bpf/smtplimit");
	assert_int_equal(c.rule.percent, 50);
}

static void expect_nothing(const char *text, const char *expected)
{
	assert_int_equal(read_paths(text), -1);
	assert_string_equal(error, expected);
}

#define PATHS "[paths]\nstate = /s\nrun = /r\n"

static void test_good_file(void **state)
{
	(void)state;
	assert_int_equal(read_paths("[limit]\npercent = 60\n" PATHS), 0);
	assert_string_equal(error, "");
	assert_false(c.paths_only);
	assert_int_equal(c.rule.percent, 60);
	assert_string_equal(c.state, "/s");
}

static void test_error_elsewhere(void **state)
{
	char text[1024];

	(void)state;
	expect_paths(
		"[limit]\npercent = 60\nwindow = x\n" PATHS,
		"t.conf:3: window = \"x\": want whole numbers with s, m, h, d or w, like 60m or 1h30m, from 1s "
		"to 24h");
	expect_paths(
		PATHS "[limit]\nnonsense\npercent = 60\n",
		"t.conf:5: \"nonsense\": want KEY = VALUE, a [section], or a comment behind #");
	expect_paths("mode = observe\n" PATHS,
		     "t.conf:1: \"mode\" stands in no section: want [limit], [watch], [accounts], "
		     "[feed], [refuse], [notify], [paths] or [account NAME] above it");
	expect_paths("[lmit]\npercent = 60\n" PATHS,
		     "t.conf:1: unknown section \"lmit\": did you mean [limit]?");
	expect_paths("[limit\npercent = 60\n[watch]\nlocal = yes\n" PATHS,
		     "t.conf:1: \"[limit\": want a [section] alone on its line");
	expect_paths(
		"[paths]\nstate = /s\n[watch]\nport = 25\nstate = /wrong\n[paths]\nrun = /r\n",
		"t.conf:4: unknown key \"port\" in [watch]: did you mean \"ports\"? [watch] has "
		"ports, relay_users, exempt_users, direct_users, local, cgroup, ring, tls");
	/* Nothing outside is continued by what is in it, or the other way round. */
	expect_paths(PATHS "[watch]\nlocal = maybe\n  /x\n",
		     "t.conf:5: local = \"maybe\": want yes or no");
	snprintf(text, sizeof(text), "[watch]\nports = %0300d\n" PATHS, 25);
	expect_paths(text,
		     "t.conf:2: 308 bytes: want lines of at most 198, lists go on in an indented "
		     "line");
	expect_paths("[limit]\npercent = 0\r\n\xef\xbb\xbf\n" PATHS "\n\n[watch]\n[",
		     "t.conf:2: percent = \"0\": want a whole number from 1 to 100");
}

/* An error that only the whole file shows is outside of [paths], too. */
static void test_error_of_the_whole(void **state)
{
	(void)state;
	expect_paths("[watch]\nports =\n" PATHS,
		     "t.conf:2: ports = \"\": want at least one port from 1 to 65535");
}

static void test_error_in_paths(void **state)
{
	char name[] = "/tmp/smtplimit-no-such-file";

	(void)state;
	expect_nothing("[limit]\npercent = 0\n[paths]\nstate = s\n",
		       "t.conf:4: state = \"s\": want an absolute path of a directory, not /, of "
		       "printable characters");
	expect_nothing(
		"[limit]\npercent = 0\n[paths]\nstate /s\n",
		"t.conf:4: \"state /s\": want KEY = VALUE, a [section], or a comment behind #");
	expect_nothing("[limit]\npercent = 0\n[pahts]\nstate = /s\n",
		       "t.conf:3: unknown section \"pahts\": did you mean [paths]?");
	expect_nothing("[limit]\npercent = 0\n[paths\nstate = /s\n",
		       "t.conf:3: \"[paths\": want a [section] alone on its line");
	expect_nothing(PATHS "[limit]\npercent = 0\n[paths]\nrun = /x\n",
		       "t.conf:7: run = \"/x\": set in line 3 already, want it once");
	assert_int_equal(config_read_paths(name, &c, error, sizeof(error)), -1);
	assert_string_equal(error,
			    "/tmp/smtplimit-no-such-file: cannot read the configuration: No such "
			    "file or directory");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good_file),
		cmocka_unit_test(test_error_elsewhere),
		cmocka_unit_test(test_error_of_the_whole),
		cmocka_unit_test(test_error_in_paths),
	};

	return run_config_tests(tests, sizeof(tests) / sizeof(tests[0]));
}
