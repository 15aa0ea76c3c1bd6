/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * config_test.c - every key, the exact words for errors of the file as a whole, and the printed
 * settings. Single values are in config_value_test.c, the lists in config_list_test.c.
 */
#include "config_fixture.h"

#include <jansson.h>

#include "config/config_key.h"
#include "core/reply_class.h"

static void test_defaults(void **state)
{
	static const uint32_t relays[] = {0, 8, 101};
	struct config c = read_good("");

	(void)state;
	assert_int_equal(c.rule.mode, VERDICT_ENFORCE);
	assert_int_equal(c.rule.window_s, 3600);
	assert_int_equal(c.rule.suspend_s, 3600);
	assert_int_equal(c.rule.percent, 50);
	assert_int_equal(c.rule.min_failures, 5);
	assert_int_equal(c.rule.set_aside, 1u << REPLY_LISTED | 1u << REPLY_UNAUTHENTICATED);
	assert_int_equal(c.rule.one_remote, 50);
	assert_int_equal(c.rule.trouble_accounts, 4);
	assert_int_equal(c.rule.trouble_share, 50);
	assert_int_equal(c.rule.defer_grace_s, 0);
	assert_int_equal(c.rule.hard_recipients, 0);
	assert_int_equal(c.rule.hard_percent, 25);
	assert_int_equal(c.rule.warn, 80);
	assert_string_equal(c.replies_file, "");
	assert_int_equal(c.replies.count, 0);
	assert_null(c.accounts);
	assert_int_equal(c.ports_count, 3);
	assert_int_equal(c.ports[0], 25);
	assert_int_equal(c.ports[1], 465);
	assert_int_equal(c.ports[2], 587);
	assert_int_equal(c.relays.count, 3);
	assert_memory_equal(c.relays.uid, relays, sizeof(relays));
	assert_int_equal(c.exempts.count, 0);
	assert_false(c.local);
	assert_string_equal(c.cgroup, "auto");
	assert_int_equal(c.ring_bytes, 4 << 20);
	assert_int_equal(c.tls, SMTPL_TLS_PROCESS);
	assert_int_equal(c.source, CONFIG_SOURCE_AUTO);
	assert_string_equal(c.owners_file, "/etc/smtplimit/domains");
	assert_string_equal(c.owners_command, "");
	assert_int_equal(c.owners_refresh_s, 300);
	assert_false(c.count_forwards);
	assert_true(c.feed_exim);
	assert_string_equal(c.feed_postfix, "auto");
	assert_int_equal(c.relay, CONFIG_RELAY_HOOK);
	assert_string_equal(c.notify_command, "");
	assert_string_equal(c.notify_admin, "");
	assert_int_equal(c.notify_customer, CONFIG_CUSTOMER_OFF);
	assert_string_equal(c.notify_customer_file, "");
	assert_string_equal(c.notify_customer_command, "");
	assert_string_equal(c.notify_from, "");
	assert_string_equal(c.notify_webhook, "");
	assert_string_equal(c.notify_secret_file, "");
	assert_string_equal(c.directory, "t.d");
	assert_string_equal(c.state, "/var/lib/smtplimit");
	assert_string_equal(c.run, "/run/smtplimit");
	assert_string_equal(c.bpffs, "/sys/fs/bpf/smtplimit");
}

static void test_every_key(void **state)
{
	static const uint32_t relays[] = {0, 8, 4000}, exempts[] = {1000, 1001, 1002, 70};
	struct config c = read_good("\xef\xbb\xbf# a comment\r\n"
				    "[limit]\r\n"
				    "mode=observe ; why not\r\n"
				    "window : 90s\n"
				    "percent = 100\n"
				    "min_failures = 1\n"
				    "suspend = 2h\n"
				    "\n"
				    "[watch] # the network\n"
				    "ports = 2525 , 25\t65535,,1\n"
				    "relay_users = mail 4000\n"
				    "exempt_users = alice,bob ; these\n"
				    "   4711, alice ; and these\n"
				    "\tuid:70\n"
				    "local = yes\n"
				    "cgroup = /sys/fs/cgroup/test/\n"
				    "ring = 64k\n"
				    "tls = library\n"
				    "[paths]\n"
				    "state = /srv/a b/\n"
				    "[accounts]\n"
				    "source = command\n"
				    "file = /srv/domains\n"
				    "command = mysql -N -e 'select \\t'\n"
				    "  a | sort ; sorted\n"
				    "refresh = 24h\n"
				    "count_forwards = yes\n"
				    "[feed]\n"
				    "exim = no\n"
				    "postfix = /var/log/mail.log\n"
				    "[refuse]\n"
				    "relay = reset\n"
				    "contact = a\n"
				    "[limit]\n"
				    "[paths]\n"
				    "run = /run/x\n"
				    "bpffs = /sys/fs/bpf/x");

	(void)state;
	assert_int_equal(c.rule.mode, VERDICT_OBSERVE);
	assert_int_equal(c.rule.window_s, 90);
	assert_int_equal(c.rule.percent, 100);
	assert_int_equal(c.rule.min_failures, 1);
	assert_int_equal(c.rule.suspend_s, 7200);
	assert_int_equal(c.ports_count, 4);
	assert_int_equal(c.ports[0], 2525);
	assert_int_equal(c.ports[1], 25);
	assert_int_equal(c.ports[2], 65535);
	assert_int_equal(c.ports[3], 1);
	assert_int_equal(c.relays.count, 3);
	assert_memory_equal(c.relays.uid, relays, sizeof(relays));
	assert_int_equal(c.exempts.count, 4);
	assert_memory_equal(c.exempts.uid, exempts, sizeof(exempts));
	assert_true(c.local);
	assert_string_equal(c.cgroup, "/sys/fs/cgroup/test");
	assert_int_equal(c.ring_bytes, 65536);
	assert_int_equal(c.tls, SMTPL_TLS_LIBRARY);
	assert_int_equal(c.source, CONFIG_SOURCE_COMMAND);
	assert_string_equal(c.owners_file, "/srv/domains");
	assert_string_equal(c.owners_command, "mysql -N -e 'select \\t' a | sort");
	assert_int_equal(c.owners_refresh_s, 86400);
	assert_true(c.count_forwards);
	assert_false(c.feed_exim);
	assert_string_equal(c.feed_postfix, "/var/log/mail.log");
	assert_int_equal(c.relay, CONFIG_RELAY_RESET);
	assert_string_equal(c.state, "/srv/a b");
	assert_string_equal(c.run, "/run/x");
	assert_string_equal(c.bpffs, "/sys/fs/bpf/x");
}

static void test_every_key_of_limit(void **state)
{
	struct config c = read_good("[limit]\n"
				    "set_aside = rate full ; both\n"
				    "  greylist, no_answer\n"
				    "one_remote = 100\n"
				    "trouble_accounts = 32\n"
				    "trouble_share = 1\n"
				    "defer_grace = 60m\n"
				    "hard_recipients = 20\n"
				    "hard_percent = 100\n"
				    "warn = 0\n");

	(void)state;
	assert_int_equal(c.rule.set_aside, 1u << REPLY_RATE | 1u << REPLY_FULL |
						   1u << REPLY_GREYLIST | 1u << REPLY_NO_ANSWER);
	assert_int_equal(c.rule.one_remote, 100);
	assert_int_equal(c.rule.trouble_accounts, 32);
	assert_int_equal(c.rule.trouble_share, 1);
	assert_int_equal(c.rule.defer_grace_s, 3600);
	assert_int_equal(c.rule.hard_recipients, 20);
	assert_int_equal(c.rule.hard_percent, 100);
	assert_int_equal(c.rule.warn, 0);
}

/* The last value inside and the first outside, on both ends. */
static void test_ranges(void **state)
{
	static const char *const good[] = {
		"[limit]\nwindow = 1s",
		"[limit]\nwindow = 24h",
		"[limit]\nwindow = 86400s",
		"[limit]\nsuspend = 1s",
		"[limit]\nsuspend = 720h",
		"[limit]\nsuspend = 43200m",
		"[limit]\npercent = 1",
		"[limit]\nmin_failures = 1000000",
		"[watch]\nring = 4k",
		"[watch]\nring = 64m",
		"[watch]\nring = 8192",
		"[watch]\nrelay_users = 4294967294",
		"[accounts]\nrefresh = 1s",
		"[accounts]\nrefresh = 24h",
		"[limit]\none_remote = 0",
		"[limit]\ntrouble_accounts = 0",
		"[limit]\ntrouble_accounts = 2",
		"[limit]\ntrouble_share = 100",
		"[limit]\nhard_recipients = 0",
		"[limit]\nhard_recipients = 1000000",
		"[limit]\nhard_percent = 1",
		"[limit]\nwarn = 100",
		"[limit]\ndefer_grace = 0s",
		"[limit]\ndefer_grace = 0",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		read_good(good[i]);
	assert_int_equal(read_good("[limit]\nsuspend = 720h").rule.suspend_s, 2592000);
	assert_int_equal(read_good("[watch]\nring = 64m").ring_bytes, 67108864);
}

static void test_unknown_names(void **state)
{
	(void)state;
	expect_error(
		"[limit]\nprecent = 5",
		"t.conf:2: unknown key \"precent\" in [limit]: did you mean \"percent\"? "
		"[limit] has mode, window, percent, min_failures, suspend, set_aside, one_remote, "
		"trouble_accounts, trouble_share, defer_grace, hard_recipients, hard_percent, "
		"rare_remote, lead, warn, replies");
	expect_error(
		"[limit]\nPercent = 5",
		"t.conf:2: unknown key \"Percent\" in [limit]: did you mean \"percent\"? "
		"[limit] has mode, window, percent, min_failures, suspend, set_aside, one_remote, "
		"trouble_accounts, trouble_share, defer_grace, hard_recipients, hard_percent, "
		"rare_remote, lead, warn, replies");
	expect_error(
		"[paths]\nports = 25",
		"t.conf:2: unknown key \"ports\" in [paths]: did you mean \"ports\" of [watch]? "
		"[paths] has state, run, bpffs");
	expect_error("[watch]\nx\x1b]0;y = 25",
		     "t.conf:2: unknown key \"x\\x1b]0;y\" in [watch]: want one of ports, "
		     "relay_users, exempt_users, direct_users, local, cgroup, ring, tls");
	expect_error("[limits]\n", "t.conf:1: unknown section \"limits\": did you mean [limit]?");
	expect_error(
		"[limit]\n[x\xe2\x80\xae]\n",
		"t.conf:2: unknown section \"x\\xe2\\x80\\xae\": want [limit], [watch], [accounts], "
		"[feed], [refuse], [notify], [paths] or [account NAME]");
	expect_error(
		"percent = 5\n",
		"t.conf:1: \"percent\" stands in no section: want [limit], [watch], [accounts], "
		"[feed], [refuse], [notify], [paths] or [account NAME] above it");
}

static void test_lines(void **state)
{
	char text[256], expected[256];

	(void)state;
	expect_error(
		"[limit]\npercent 50\n",
		"t.conf:2: \"percent 50\": want KEY = VALUE, a [section], or a comment behind #");
	/* The first error is reported, by whatever part it is found. */
	expect_error("[limit]\r\npercent\r\npercent = 500\n",
		     "t.conf:2: \"percent\": want KEY = VALUE, a [section], or a comment behind #");
	expect_error("[limit]\npercent = 500\nnothing\n",
		     "t.conf:2: percent = \"500\": want a whole number from 1 to 100");
	expect_error("[limit] percent = 10\n",
		     "t.conf:1: \"[limit] percent = 10\": want a [section] alone on its line");
	expect_error("[limit\n", "t.conf:1: \"[limit\": want a [section] alone on its line");
	expect_error("[limit]\npercent = 50\nwindow = 5m\npercent = 51\n",
		     "t.conf:4: percent = \"51\": set in line 2 already, want it once");
	expect_error("[limit]\npercent = 50 # half\n",
		     "t.conf:2: percent = \"50 # half\": want a comment on a line of its own, or "
		     "behind \" ;\"");
	expect_error(
		"[limit]\npercent = 50\n  window = 5m\n",
		"t.conf:3: \"window = 5m\": a line that begins with a blank goes on with percent, "
		"which is no list: want it in the first column");
	expect_error("\xef\xbb\xbf[limits]\n",
		     "t.conf:1: unknown section \"limits\": did you mean [limit]?");
	/* Behind a section there is nothing to go on with. */
	assert_int_equal(read_good("[limit]\n  percent = 7\n").rule.percent, 7);

	memset(text, 'x', sizeof(text));
	memcpy(text, "[paths]\n#", 9);
	text[8 + 198] = '\0';
	read_good(text);
	text[8 + 198] = 'x';
	text[8 + 199] = '\0';
	expect_error(text, "t.conf:2: 199 bytes: want lines of at most 198, lists go on in an "
			   "indented line");
	snprintf(expected, sizeof(expected), "t.conf:2: a zero byte: want a text file");
	expect_error_of("[limit]\nper\0cent = 1\n", 21, expected);
}

static void test_files(void **state)
{
	static struct config c;
	char error[CONFIG_ERROR_SIZE];

	(void)state;
	assert_int_equal(config_read("missing\x1b", &c, error, sizeof(error)), -1);
	assert_string_equal(error, "missing\\x1b: cannot read the configuration: "
				   "No such file or directory");
	assert_int_equal(config_read("/", &c, error, sizeof(error)), -1);
	assert_string_equal(error, "/: cannot read the configuration: Is a directory");
	assert_int_equal(config_read("/dev/zero", &c, error, sizeof(error)), -1);
	assert_string_equal(error, "/dev/zero: cannot read the configuration: File too large");
	assert_int_equal(config_read("/dev/null", &c, error, sizeof(error)), 0);
}

static void test_error_is_cut(void **state)
{
	static struct config c;
	char error[16];

	(void)state;
	memset(error, 'x', sizeof(error));
	write_bytes("[limit]\npercent = 0", 19);
	assert_int_equal(config_read("t.conf", &c, error, 12), -1);
	assert_string_equal(error, "t.conf:2: p");
	assert_int_equal(error[12], 'x');
}

static char *printed(bool json)
{
	char error[CONFIG_ERROR_SIZE] = "", *text;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	assert_non_null(out);
	if (config_print("t.conf", json, out, error, sizeof(error)))
		fail_msg("%s", error);
	fclose(out);
	return text;
}

/* Without the comments, which tell the origin. */
static char *settings_of(const char *text)
{
	char *kept = calloc(1, strlen(text) + 1);

	for (const char *line = text; *line; line = strchr(line, '\n') + 1)
		if (*line != '#')
			strncat(kept, line, (size_t)(strchr(line, '\n') + 1 - line));
	return kept;
}

/* What is printed is a file that says the same. */
static void round_trip(const char *config)
{
	char *text, *first, *second;

	write_bytes(config, strlen(config));
	text = printed(false);
	first = settings_of(text);
	write_bytes(text, strlen(text));
	free(text);
	text = printed(false);
	second = settings_of(text);
	assert_string_equal(second, first);
	free(text);
	free(first);
	free(second);
}

static void test_print(void **state)
{
	static const char config[] = "[limit]\npercent = 55\nwindow = 2h\n[watch]\n"
				     "exempt_users = alice\n 70\nports = 25\n";
	char *text;

	(void)state;
	write_bytes(config, strlen(config));
	text = printed(false);
	assert_non_null(strstr(text, "[limit]\n# default\nmode = enforce\n# t.conf:3\nwindow = 2h\n"
				     "# t.conf:2\npercent = 55\n# default\nmin_failures = 5\n"));
	assert_non_null(strstr(text, "\n\n[watch]\n# t.conf:7\nports = 25\n"
				     "# default\nrelay_users = root,mail,postfix\n"
				     "# t.conf:5\nexempt_users = alice,uid:70\n"));
	free(text);
	round_trip(config);
}

/* Longer than a line of the file may be. */
static void test_print_long(void **state)
{
	static char config[8192];
	int used = sprintf(config, "[watch]\nexempt_users = 5000");

	(void)state;
	for (int uid = 5001; uid < 5200; uid++)
		used += sprintf(config + used, "\n %d", uid);
	used += sprintf(config + used, "\n[notify]\ncommand = one  two 'three  four'");
	for (int word = 0; word < 100; word++)
		used += sprintf(config + used, "\n word%d  x", word);
	sprintf(config + used, "\n[limit]\nsuspend = 1w1d\nset_aside =\n"
			       "[account alice, nosuch]\npercent = 70\nnote = a; b\n"
			       "until = 2026-12-24\n");
	round_trip(config);
}

/* JSON with ' for ", an origin that is left out is "default": {'percent': [50], ...}. */
static void expect_json(const char *text, const char *section, const char *expected)
{
	char *json = strdup(expected), *printed_text;
	json_t *all, *wanted, *from;
	const char *key;
	json_t *setting;

	for (char *c = json; *c; c++)
		*c = *c == '\'' ? '"' : *c;
	write_bytes(text, strlen(text));
	printed_text = printed(true);
	all = json_loads(printed_text, 0, NULL);
	wanted = json_loads(json, 0, NULL);
	assert_non_null(all);
	assert_non_null(wanted);
	assert_int_equal(json_object_size(json_object_get(all, section)), json_object_size(wanted));
	json_object_foreach(json_object_get(all, section), key, setting)
	{
		from = json_array_get(json_object_get(wanted, key), 1);
		if (!json_equal(json_object_get(setting, "value"),
				json_array_get(json_object_get(wanted, key), 0)))
			fail_msg("value of %s: %s", key, printed_text);
		assert_string_equal(json_string_value(json_object_get(setting, "from")),
				    from ? json_string_value(from) : "default");
	}
	json_decref(all);
	json_decref(wanted);
	free(json);
	free(printed_text);
}

static void test_print_json(void **state)
{
	(void)state;
	expect_json("[limit]\npercent = 55\nwindow = 2h\n", "limit",
		    "{'mode': ['enforce'], 'window': [7200, 't.conf:3'],"
		    " 'percent': [55, 't.conf:2'], 'min_failures': [5], 'suspend': [3600],"
		    "'set_aside': [['listed', 'unauthenticated']], 'one_remote': [50],"
		    "'trouble_accounts': [4], 'trouble_share': [50], 'defer_grace': [0],"
		    "'hard_recipients': [0], 'hard_percent': [25], "
		    "'rare_remote': [0], 'lead': [0], 'warn': [80], 'replies': ['']}");
	expect_json("", "watch",
		    "{'ports': [[25, 465, 587]], 'relay_users': [['root', 'mail', 'postfix']],"
		    " 'exempt_users': [[]], 'direct_users': [[]], 'local': [false],"
		    " 'cgroup': ['auto'], 'ring': [4194304], 'tls': ['process']}");
	expect_json("", "accounts",
		    "{'source': ['auto'], 'file': ['/etc/smtplimit/domains'], 'command': [''],"
		    " 'refresh': [300], 'count_forwards': [false], 'trusted_hosts': [[]]}");
	expect_json("", "feed", "{'exim': [true], 'postfix': ['auto']}");
	expect_json("", "refuse", "{'relay': ['hook'], 'contact': ['']}");
	expect_json("[notify]\nadmin = a@example.com\n", "notify",
		    "{'command': [''], 'admin': ['a@example.com', 't.conf:2'],"
		    " 'customer': ['off'], 'customer_file': [''], 'customer_command': [''],"
		    " 'from': [''], 'webhook': [''], 'webhook_secret_file': ['']}");
	expect_json("", "paths",
		    "{'state': ['/var/lib/smtplimit'], 'run': ['/run/smtplimit'],"
		    " 'bpffs': ['/sys/fs/bpf/smtplimit']}");
}

static void test_print_error(void **state)
{
	char error[CONFIG_ERROR_SIZE];

	(void)state;
	write_bytes("[limit]\npercent = 0\n", 20);
	assert_int_equal(config_print("t.conf", false, NULL, error, sizeof(error)), -1);
	assert_string_equal(error, "t.conf:2: percent = \"0\": want a whole number from 1 to 100");
}

/* Every key has its place in the table, and what is printed can be read back. */
static void test_keys(void **state)
{
	static struct config c;
	char why[512], *text;
	size_t size;
	FILE *out;

	(void)state;
	config_defaults(&c);
	for (size_t i = 0; i < CONFIG_KEYS; i++) {
		const struct config_key *key = &config_keys[i];

		assert_ptr_equal(config_key_find(key->section, key->name), key);
		out = open_memstream(&text, &size);
		key->type->write(key, &c, out);
		fclose(out);
		if (key->type->clear)
			key->type->clear(key, &c);
		if (key->type->read(key, text, &c, why, sizeof(why)))
			fail_msg("%s = %s: %s", key->name, text, why);
		free(text);
	}
	assert_null(config_key_find("limit", "ports"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_every_key),
		cmocka_unit_test(test_every_key_of_limit),
		cmocka_unit_test(test_ranges),
		cmocka_unit_test(test_unknown_names),
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_files),
		cmocka_unit_test(test_error_is_cut),
		cmocka_unit_test(test_print),
		cmocka_unit_test(test_print_long),
		cmocka_unit_test(test_print_json),
		cmocka_unit_test(test_print_error),
		cmocka_unit_test(test_keys),
	};

	return run_config_tests(tests, sizeof(tests) / sizeof(tests[0]));
}
