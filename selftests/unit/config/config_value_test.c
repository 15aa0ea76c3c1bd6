/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * config_value_test.c - each kind of single value: its range from both sides, the exact words of
 * every error.
 */
#include "config_fixture.h"

static void test_durations(void **state)
{
	static const char *const bad[] = {
		"0s",
		"0h",
		"25h",
		"1441m",
		"86401s",
		"60",
		"2d",
		"1w",
		"1d1s",
		"1.5h",
		"-60m",
		"+60m",
		"60M",
		"m",
		"60ms",
		"30m1h",
		"1h1h",
		"1h30",
		"1h 30m",
		"60 m",
		"99999999999999999999s",
		"9223372036854775807h",
	};
	char text[64], expected[256];

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		snprintf(text, sizeof(text), "[limit]\nwindow = %s\n", bad[i]);
		snprintf(
			expected, sizeof(expected),
			"t.conf:2: window = \"%s\": want whole numbers with s, m, h, d or w, like 60m or 1h30m, "
			"from 1s to 24h",
			bad[i]);
		expect_error(text, expected);
	}
	expect_error(
		"[limit]\nsuspend =\n",
		"t.conf:2: suspend = \"\": want whole numbers with s, m, h, d or w, like 60m or 1h30m, "
		"from 1s to 30d");
	expect_error(
		"[limit]\nsuspend = 43201m\n",
		"t.conf:2: suspend = \"43201m\": want whole numbers with s, m, h, d or w, like 60m or 1h30m, "
		"from 1s to 30d");
}

static void test_units_together(void **state)
{
	static const struct {
		const char *text;
		int64_t seconds;
	} cases[] = {
		{"1h30m", 5400},   {"2d", 172800},	   {"1w", 604800},
		{"1d12h", 129600}, {"1w2d3h4m5s", 788645}, {"0h90s", 90},
	};
	char text[64];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		snprintf(text, sizeof(text), "[limit]\nsuspend = %s\n", cases[i].text);
		assert_int_equal(read_good(text).rule.suspend_s, cases[i].seconds);
	}
}

static void test_duration_text(void **state)
{
	static const struct {
		int64_t seconds;
		const char *text;
	} cases[] = {
		{1, "1s"},     {59, "59s"},    {60, "1m"},     {90, "90s"},	  {3600, "60m"},
		{5400, "90m"}, {7200, "2h"},   {86400, "24h"}, {86399, "86399s"}, {2592000, "30d"},
		{0, "0s"},     {604800, "7d"}, {90000, "25h"},
	};
	char text[32], want[128];
	int64_t seconds;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		config_duration_text(cases[i].seconds, text, sizeof(text));
		assert_string_equal(text, cases[i].text);
		assert_int_equal(config_duration(text, 0, 2592000, &seconds, want, sizeof(want)),
				 0);
		assert_int_equal(seconds, cases[i].seconds);
	}
}

static void test_numbers(void **state)
{
	static const char *const bad[] = {"0",	 "101",	 "150", "-1",  "+5",
					  "50%", "0x10", "5e1", "1 0", "18446744073709551666"};
	char text[64], expected[256];

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		snprintf(text, sizeof(text), "[limit]\n\npercent = %s\n", bad[i]);
		snprintf(expected, sizeof(expected),
			 "t.conf:3: percent = \"%s\": want a whole number from 1 to 100", bad[i]);
		expect_error(text, expected);
	}
	expect_error("[limit]\nmin_failures = 1000001",
		     "t.conf:2: min_failures = \"1000001\": want a whole number from 1 to 1000000");
	expect_error("[limit]\nmode = Observe",
		     "t.conf:2: mode = \"Observe\": want enforce or observe");
	expect_error("[watch]\ntls = on", "t.conf:2: tls = \"on\": want off, process or library");
	expect_error("[watch]\ntls =\n", "t.conf:2: tls = \"\": want off, process or library");
	expect_error("[watch]\ntls = Process",
		     "t.conf:2: tls = \"Process\": want off, process or library");
	assert_int_equal(read_good("[watch]\ntls = off").tls, SMTPL_TLS_OFF);
	assert_int_equal(read_good("[watch]\ntls = process").tls, SMTPL_TLS_PROCESS);
	assert_int_equal(read_good("[watch]\ntls = library").tls, SMTPL_TLS_LIBRARY);
	expect_error("[watch]\nlocal = true", "t.conf:2: local = \"true\": want yes or no");
}

static void test_sizes(void **state)
{
	static const char *const bad[] = {"2k",	 "128m", "5k", "0",   "4095",
					  "4kb", "k",	 "1g", "-4k", "18014398509481988k"};
	char text[64], expected[256];

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		snprintf(text, sizeof(text), "[watch]\nring = %s\n", bad[i]);
		snprintf(expected, sizeof(expected),
			 "t.conf:2: ring = \"%s\": want a power of two, in bytes or with k or m, "
			 "from 4k to 64m",
			 bad[i]);
		expect_error(text, expected);
	}
}

static void test_paths(void **state)
{
	static const char *const bad[] = {
		"run/x", "", "/", "//", "\"/run/x\"", "/run/\x1b[2J", "/run/\xff", "/run/a\\b"};
	static const char *const shown[] = {
		"run/x", "", "/", "//", "\"/run/x\"", "/run/\\x1b[2J", "/run/\\xff", "/run/a\\\\b"};
	char text[256], expected[256], path[128];

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		snprintf(text, sizeof(text), "[paths]\nstate = %s\n", bad[i]);
		snprintf(expected, sizeof(expected),
			 "t.conf:2: state = \"%s\": want an absolute path of a directory, not /, "
			 "of printable characters",
			 shown[i]);
		expect_error(text, expected);
	}
	expect_error("[watch]\ncgroup = user.slice",
		     "t.conf:2: cgroup = \"user.slice\": want auto, or the absolute path of a "
		     "cgroup v2 directory");

	memset(path, 'x', sizeof(path));
	path[0] = '/';
	path[CONFIG_RUN_MAX] = '\0';
	snprintf(text, sizeof(text), "[paths]\nrun = %s/\n", path);
	assert_string_equal(read_good(text).run, path);
	snprintf(text, sizeof(text), "[paths]\nrun = %sy\n", path);
	snprintf(expected, sizeof(expected),
		 "t.conf:2: run = \"%sy\": want at most 90 bytes, not 91", path);
	expect_error(text, expected);
}

static void test_words(void **state)
{
	static const char *const sources[] = {"auto",	"none", "cpanel", "directadmin",
					      "hestia", "file", "command"};
	char text[128];

	(void)state;
	for (size_t i = 0; i < sizeof(sources) / sizeof(sources[0]); i++) {
		snprintf(text, sizeof(text), "[accounts]\nsource = %s\ncommand = x\n", sources[i]);
		assert_int_equal(read_good(text).source, i);
	}
	assert_string_equal(read_good("[feed]\npostfix = off").feed_postfix, "off");
	assert_string_equal(read_good("[feed]\npostfix = journal").feed_postfix, "journal");
	assert_int_equal(read_good("[refuse]\nrelay = hook").relay, CONFIG_RELAY_HOOK);
	expect_error("[accounts]\nsource = cPanel",
		     "t.conf:2: source = \"cPanel\": want auto, none, cpanel, directadmin, hestia, "
		     "file or command");
	expect_error("[refuse]\nrelay = drop", "t.conf:2: relay = \"drop\": want hook or reset");
	expect_error(
		"[feed]\npostfix = yes",
		"t.conf:2: postfix = \"yes\": want auto, off, journal, or the absolute path of "
		"a log file");
	expect_error("[feed]\npostfix = /",
		     "t.conf:2: postfix = \"/\": want an absolute path of a log file, not /, of "
		     "printable characters");
	expect_error("[feed]\nexim = auto", "t.conf:2: exim = \"auto\": want yes or no");
	expect_error("[accounts]\nfile = domains",
		     "t.conf:2: file = \"domains\": want an absolute path of a file, not /, of "
		     "printable characters");
	expect_error(
		"[accounts]\nrefresh = 25h",
		"t.conf:2: refresh = \"25h\": want whole numbers with s, m, h, d or w, like 60m or 1h30m, "
		"from 1s to 24h");
}

/* A command of `size` bytes, in lines of 101 but the last. */
static void write_command(char *text, size_t size)
{
	char *at = stpcpy(text, "[accounts]\ncommand =\n");

	for (size_t i = 0; i < size; i++) {
		if (i % 101 == 0)
			*at++ = ' ';
		*at++ = i % 101 == 100 ? '\n' : 'x';
	}
	strcpy(at, "\n");
}

static void test_command(void **state)
{
	static const char want[] = "want command = and what to run in [accounts] as well";
	char text[2 * PATH_MAX], expected[256];

	(void)state;
	snprintf(expected, sizeof(expected), "t.conf:2: source = \"command\": %s", want);
	expect_error("[accounts]\nsource = command\n", expected);
	snprintf(expected, sizeof(expected), "t.conf:3: source = \"command\": %s", want);
	expect_error("[accounts]\ncommand = ; none\nsource = command\n", expected);
	expect_error("[accounts]\ncommand = a\x1b",
		     "t.conf:2: command = \"a\\x1b\": want a command of printable characters");
	expect_error("[accounts]\ncommand = a\xff\\",
		     "t.conf:2: command = \"a\\xff\\\\\": want a command of printable characters");
	assert_string_equal(read_good("[accounts]\ncommand = a;b\n\n c ;d\n ; e").owners_command,
			    "a;b c");

	write_command(text, PATH_MAX - 64);
	assert_int_equal(strlen(read_good(text).owners_command), PATH_MAX - 64);
	write_command(text, PATH_MAX - 63);
	snprintf(expected, sizeof(expected),
		 "t.conf:42: command = \"%.94s\": want at most 4032 bytes, not 4033",
		 strrchr(text, ' ') + 1);
	expect_error(text, expected);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_durations),      cmocka_unit_test(test_duration_text),
		cmocka_unit_test(test_units_together), cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_sizes),	       cmocka_unit_test(test_paths),
		cmocka_unit_test(test_words),	       cmocka_unit_test(test_command),
	};

	return run_config_tests(tests, sizeof(tests) / sizeof(tests[0]));
}
