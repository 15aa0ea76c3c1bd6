/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * config_account_test.c - [account NAME]: the rule of each account, names that are gone or named
 * twice, and what is wrong with a section. Files beside the main one are in
 * config_directory_test.c.
 */
#include "config_fixture.h"

#include <jansson.h>

#include "config/config_key.h"

static const struct account_id alice = {.kind = ACCOUNT_UID, .uid = 1000};
static const struct account_id bob = {.kind = ACCOUNT_UID, .uid = 1001};
static const struct account_id nobody = {.kind = ACCOUNT_UID, .uid = 65534};
static const struct account_id example = {.kind = ACCOUNT_DOMAIN, .domain = "example.com"};

/* A section takes [limit] for what it does not set, also one that stands below it. */
static void test_rule(void **state)
{
	struct config c = read_good("[account alice]\n"
				    "percent = 70\n"
				    "min_failures = 30\n"
				    "[limit]\n"
				    "percent = 40\n"
				    "suspend = 2h\n"
				    "warn = 10\n"
				    "[account domain:Example.COM., uid:1001]\n"
				    "mode = observe\n"
				    "suspend = 5m\n");
	const struct verdict_rule *rule = config_account_rule(&c, &alice, 0);

	(void)state;
	assert_int_equal(rule->percent, 70);
	assert_int_equal(rule->min_failures, 30);
	assert_int_equal(rule->suspend_s, 7200);
	assert_int_equal(rule->mode, VERDICT_ENFORCE);
	assert_int_equal(rule->warn, 10);
	rule = config_account_rule(&c, &example, 0);
	assert_ptr_equal(config_account_rule(&c, &bob, INT64_MAX - 1), rule);
	assert_int_equal(rule->percent, 40);
	assert_int_equal(rule->min_failures, 5);
	assert_int_equal(rule->suspend_s, 300);
	assert_int_equal(rule->mode, VERDICT_OBSERVE);
	assert_ptr_not_equal(config_account_rule(&c, &nobody, 0), rule);
	assert_int_equal(config_account_rule(&c, &nobody, 0)->percent, 40);
	assert_null(config_account_find(&c, &nobody));
	assert_null(config_warning(&c, 0));
}

/* A section may set what [limit] has by default. */
static void test_same_as_the_default(void **state)
{
	struct config c = read_good("[limit]\npercent = 40\nmode = observe\n"
				    "[account alice]\npercent = 50\nmode = enforce\n");

	(void)state;
	assert_int_equal(config_account_rule(&c, &alice, 0)->percent, 50);
	assert_int_equal(config_account_rule(&c, &alice, 0)->mode, VERDICT_ENFORCE);
}

static void test_until(void **state)
{
	struct config c = read_good("[account alice]\n"
				    "percent = 70\n"
				    "until = 2999-01-01T00:00Z\n"
				    "note = a fair, until new year\n");
	const int64_t end = 32472144000;
	const struct config_account *account = config_account_find(&c, &alice);

	(void)state;
	assert_non_null(account);
	assert_string_equal(account->name, "alice");
	assert_string_equal(account->section->file, "t.conf");
	assert_int_equal(account->section->line, 1);
	assert_string_equal(account->section->note, "a fair, until new year");
	assert_int_equal(account->section->until_s, end);
	assert_int_equal(config_account_rule(&c, &alice, end - 1)->percent, 70);
	assert_int_equal(config_account_rule(&c, &alice, end)->percent, 50);
	assert_null(config_warning(&c, 0));
	c = read_good("[account alice]\npercent = 70\n");
	assert_int_equal(config_account_find(&c, &alice)->section->until_s, CONFIG_NO_END);
	assert_string_equal(config_account_find(&c, &alice)->section->note, "");
}

static void test_warnings(void **state)
{
	struct config c = read_good("[account ghost, alice]\n"
				    "percent = 70\n"
				    "[account bob]\n"
				    "until = 2026-01-01Z\n"
				    "[account mail]\n"
				    "[watch]\n"
				    "exempt_users = alice\n");

	(void)state;
	assert_string_equal(config_warning(&c, 0),
			    "t.conf:1: [account] \"ghost\": no such user; want a user name, uid:N "
			    "or domain:NAME; passed over");
	assert_string_equal(config_warning(&c, 1),
			    "t.conf:3: [account] until is over; passed over");
	assert_string_equal(
		config_warning(&c, 2),
		"t.conf:1: [account] \"alice\" is in exempt_users, and is never judged");
	assert_string_equal(config_warning(&c, 3),
			    "t.conf:5: [account] \"mail\" is in relay_users, and is never judged");
	assert_null(config_warning(&c, 4));
	assert_int_equal(config_account_rule(&c, &alice, 0)->percent, 70);
}

static void test_warnings_are_bounded(void **state)
{
	char text[1024] = "[account ", name[16];
	struct config c;

	(void)state;
	for (int i = 0; i < CONFIG_WARNINGS_MAX + 3; i++) {
		snprintf(name, sizeof(name), "ghost%d,", i);
		strcat(text, name);
	}
	strcat(text, "]\n");
	c = read_good(text);
	assert_string_equal(config_warning(&c, 31),
			    "t.conf:1: [account] \"ghost31\": no such user; want a user name, "
			    "uid:N or domain:NAME; passed over");
	assert_string_equal(config_warning(&c, 32), "there are more warnings like these");
	assert_null(config_warning(&c, 33));
}

static void test_named_twice(void **state)
{
	(void)state;
	expect_error("[account alice]\n[account bob, alice]\n",
		     "t.conf:2: [account] \"alice\": named in t.conf:1 already, want each account "
		     "in one section");
	expect_error("[account alice, bob,alice]\n",
		     "t.conf:1: [account] \"alice\": named in t.conf:1 already, want each account "
		     "in one section");
	expect_error("[account alice]\n\n[account uid:1000]\n",
		     "t.conf:3: [account] \"uid:1000\": named in t.conf:1 already as \"alice\", "
		     "want each account in one section");
	expect_error("[account domain:example.com]\n[account domain:EXAMPLE.com.]\n",
		     "t.conf:2: [account] \"domain:EXAMPLE.com.\": named in t.conf:1 already as "
		     "\"domain:example.com\", want each account in one section");
	expect_error("[account ghost]\n[account ghost]\n",
		     "t.conf:2: [account] \"ghost\": named in t.conf:1 already, want each account "
		     "in one section");
	read_good("[account ghost, phantom]\n");
}

static void test_bad_names(void **state)
{
	static const char nobody_named[] = "t.conf:1: [account] names nobody: want [account NAME], "
					   "or [account NAME, NAME, ...]";
	char text[512], expected[512];

	(void)state;
	expect_error("[account]\n", nobody_named);
	expect_error("[account ]\n", nobody_named);
	expect_error("[account , ]\n", nobody_named);
	expect_error("[account uid:x]\n", "t.conf:1: [account] \"uid:x\": want uid:N, N a whole "
					  "number from 0 to 4294967294");
	expect_error("[account a:b]\n",
		     "t.conf:1: [account] \"a:b\": want a user name, uid:N or domain:NAME");
	expect_error("[account broken]\n", "t.conf:1: [account] \"broken\": cannot ask the passwd "
					   "database: Input/output error");
	expect_error("[account alice\npercent = 1\n",
		     "t.conf:1: \"[account alice\": want a [section] alone on its line");
	expect_error("[account alice] percent = 1\n",
		     "t.conf:1: \"[account alice] percent = 1\": want a [section] alone on its "
		     "line");
	expect_error("[accounts alice]\n",
		     "t.conf:1: unknown section \"accounts alice\": want [limit], [watch], "
		     "[accounts], [feed], [refuse], [notify], [paths] or [account NAME]");
	snprintf(text, sizeof(text), "[account %0300d]\n", 0);
	snprintf(expected, sizeof(expected),
		 "t.conf:1: [account] \"%064d...\" is longer than any account", 0);
	expect_error(text, expected);
	read_good("  [account alice]\t; a comment\n[account bob] # another\n");
}

static void test_bad_settings(void **state)
{
	(void)state;
	expect_error("[account alice]\npercent = 0\n",
		     "t.conf:2: percent = \"0\": want a whole number from 1 to 100");
	expect_error("[account alice]\nmode = off\n",
		     "t.conf:2: mode = \"off\": want enforce or observe");
	expect_error("[account alice]\npercent = 5\npercent = 6\n",
		     "t.conf:3: percent = \"6\": set in line 2 already, want it once");
	expect_error("[account alice]\nwindow = 5m\n",
		     "t.conf:2: unknown key \"window\" in [account]: did you mean \"window\" of "
		     "[limit]? [account] has percent, min_failures, suspend, mode, until, note");
	expect_error("[account alice]\nprecent = 5\n",
		     "t.conf:2: unknown key \"precent\" in [account]: did you mean \"percent\"? "
		     "[account] has percent, min_failures, suspend, mode, until, note");
	expect_error("[account alice]\nnote = a\x1b[2J\n",
		     "t.conf:2: note = \"a\\x1b[2J\": want a text of printable characters, in "
		     "UTF-8");
	expect_error("[account alice]\nnote = a\xff\n",
		     "t.conf:2: note = \"a\\xff\": want a text of printable characters, in UTF-8");
	expect_error("[account alice]\nnote = a\n  b\n",
		     "t.conf:3: \"b\": a line that begins with a blank goes on with note, which is "
		     "no list: want it in the first column");
	/* Each section has keys of its own. */
	read_good(
		"[account alice]\npercent = 5\n[account bob]\npercent = 6\n[limit]\npercent = 7\n");
}

/* Accounts as uid:N, whose names need no user: "uid:100000, uid:100001 ...". */
static char *many(size_t count, size_t first, size_t padding)
{
	char *text = malloc(count * 16 + padding + 64), *at = text;

	at = stpcpy(at, "[account ");
	for (size_t i = 0; i < count; i++)
		at += sprintf(at, "uid:%zu, ", 100000 + first + i);
	for (size_t i = 0; i < padding; i++)
		*at++ = ' ';
	strcpy(at, "]\n");
	return text;
}

static void test_bounds(void **state)
{
	struct account_id last = {.kind = ACCOUNT_UID, .uid = 100000 + 5000};
	char *text = many(5000, 1, 0), *all;
	struct config c;
	size_t length;

	(void)state;
	c = read_good(text);
	assert_int_equal(c.accounts->count, 5000);
	assert_non_null(config_account_find(&c, &last));
	last.uid++;
	assert_null(config_account_find(&c, &last));
	free(text);

	length = (64 << 10) - strlen("[account uid:100000, ]");
	text = many(1, 0, length);
	read_good(text);
	free(text);
	text = many(1, 0, length + 1);
	expect_error(text, "t.conf:1: 65537 bytes: want a [section] of at most 65536, further "
			   "accounts in another one");
	free(text);

	text = many(5000, 0, 0);
	all = many(5001, 5000, 0);
	text = realloc(text, strlen(text) + strlen(all) + 1);
	strcat(text, all);
	expect_error(text, "t.conf:2: [account] want at most 10000 accounts in all");
	free(text);
	free(all);
}

/* The policy client, which a mail server's user runs, reads no accounts. */
static void test_client_passes_over(void **state)
{
	static const char text[] = "[account a:b]\npercent = 500\n[limit]\npercent = 60\n"
				   "replies = /missing\n[account]\n[paths]\nrun = /r\n";
	static struct config c;
	char error[CONFIG_ERROR_SIZE];

	(void)state;
	write_bytes(text, strlen(text));
	assert_int_equal(config_read_client("t.conf", &c, error, sizeof(error)), 0);
	assert_int_equal(c.rule.percent, 60);
	assert_string_equal(c.run, "/r");
	assert_null(c.accounts);
	assert_int_equal(config_read_paths("t.conf", &c, error, sizeof(error)), 1);
	assert_string_equal(error,
			    "t.conf:1: [account] \"a:b\": want a user name, uid:N or domain:NAME");
	assert_true(c.paths_only);
	assert_string_equal(c.run, "/r");
	config_free(&c);
}

static char *printed(bool json)
{
	char error[CONFIG_ERROR_SIZE] = "", *text;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (config_print("t.conf", json, out, error, sizeof(error)))
		fail_msg("%s", error);
	fclose(out);
	return text;
}

static void test_print(void **state)
{
	static const char config[] = "[account bob, ghost]\n"
				     "percent = 70\n"
				     "note = big; list\n"
				     "[account alice]\n"
				     "until = 2026-01-01T00:00Z\n"
				     "suspend = 2h\n";
	char *text, *json;
	json_t *all, *expected;

	(void)state;
	write_bytes(config, strlen(config));
	text = printed(false);
	assert_string_equal(
		strstr(text, "[account "),
		"[account bob]\n# t.conf:2\npercent = 70\n# t.conf:3\nnote = big; list\n\n"
		"[account ghost]\n# t.conf:2, no such user\npercent = 70\n"
		"# t.conf:3, no such user\nnote = big; list\n\n"
		"[account alice]\n# t.conf:6, over\nsuspend = 2h\n"
		"# t.conf:5, over\nuntil = 2026-01-01T00:00:00Z\n");
	free(text);
	json = printed(true);
	all = json_loads(json, 0, NULL);
	expected = json_pack("{s:{s:{s:i,s:s},s:{s:s,s:s}},s:{s:{s:i,s:s},s:{s:s,s:s}},"
			     "s:{s:{s:i,s:s},s:{s:s,s:s}}}",
			     "bob", "percent", "value", 70, "from", "t.conf:2", "note", "value",
			     "big; list", "from", "t.conf:3", "ghost", "percent", "value", 70,
			     "from", "t.conf:2", "note", "value", "big; list", "from", "t.conf:3",
			     "alice", "suspend", "value", 7200, "from", "t.conf:6", "until",
			     "value", "2026-01-01T00:00:00Z", "from", "t.conf:5");
	assert_non_null(expected);
	assert_true(json_equal(json_object_get(all, "account"), expected));
	json_decref(all);
	json_decref(expected);
	free(json);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rule),
		cmocka_unit_test(test_same_as_the_default),
		cmocka_unit_test(test_until),
		cmocka_unit_test(test_warnings),
		cmocka_unit_test(test_warnings_are_bounded),
		cmocka_unit_test(test_named_twice),
		cmocka_unit_test(test_bad_names),
		cmocka_unit_test(test_bad_settings),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_client_passes_over),
		cmocka_unit_test(test_print),
	};

	return run_config_tests(tests, sizeof(tests) / sizeof(tests[0]));
}
