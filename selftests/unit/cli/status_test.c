// SPDX-License-Identifier: GPL-2.0-only
/*
 * status_test.c - what status makes of entries and rows, whole JSON against whole JSON, and that
 * nothing untrusted reaches the terminal as it is.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include "base/clock.h"
#include "status_fixture.h"

#define STATS_NONE(name, text) ", \"" #name "\": 0"

static void whole_object(void **unused)
{
	json_t *root, *stats;

	(void)unused;
	status.stats.ring_full = 3;
	status.daemon_lock_pid = 77;
	status.meta.started_ns = (BOOT_S - 600) * NS_PER_S;
	status.meta.heartbeat_ns = BOOT_S * NS_PER_S;
	status_problem(&status, "row %d", 5);
	suspended_uid(ALICE, (struct smtpl_suspension){(BOOT_S - 60) * NS_PER_S,
						       (BOOT_S + 1740) * NS_PER_S, 7, 5, 58, 0});
	count(ALICE, "", (struct smtpl_count){.connections = 9, .opaque = 1, .refused = 2});
	count(ALICE, "b.example", (struct smtpl_count){1, 5, 3, 4, 2, 0, 0, 9, 0, 0});
	count(ALICE, "a.example", (struct smtpl_count){.delivered = 10});
	window(uid_account(ALICE), 10, 5, 3, 4);
	root = status_json();
	stats = json_object_get(root, "stats");
	assert_int_equal(json_integer_value(json_object_get(stats, "ring_full")), 3);
	json_object_set_new(stats, "ring_full", json_integer(0));
	json_object_set_new(stats, "begin", json_null());
	expect_json(stats, "{\"begin\": null" SMTPL_STATS(STATS_NONE) "}");
	json_object_del(root, "stats");
	assert_true(json_is_object(json_object_get(root, "losses")));
	json_object_del(root, "losses");
	assert_true(json_string_length(json_object_get(root, "version")) > 0);
	json_object_del(root, "version");
	assert_true(json_is_object(json_object_get(root, "tls")));
	json_object_del(root, "tls");
	expect_json(
		root,
		"{\"mode\": \"enforce\","
		" \"window_s\": 3600, \"percent\": 50, \"min_failures\": 5, \"suspend_s\": 1800,"
		" \"loaded\": true, \"problems\": [\"row 5\"], \"faults\": [], \"feeds\": [],"
		" \"remotes\": [], \"daemon\": {\"running\": true,"
		" \"pid\": 77, \"started\": \"2026-11-21T13:55:00Z\","
		" \"heartbeat\": \"2026-11-21T14:05:00Z\"}, \"accounts\": [{"
		" \"account\": \"uid:4000001\", \"uid\": 4000001, \"role\": \"direct\","
		" \"domains\": [\"a.example\", \"b.example\"], \"window\": {\"delivered\": 5,"
		" \"deferred\": 3, \"failed\": 4, \"percent\": 58.3}, \"headroom\": 0, \"total\":"
		" {\"connections\": 10, \"delivered\": 15, \"deferred\": 3, \"failed\": 4,"
		" \"unknown\": 2, \"opaque\": 1, \"refused\": 2}, \"bypass\": 0, \"suspended\": true,"
		" \"since\": \"2026-11-21T14:04:00Z\", \"until\": \"2026-11-21T14:34:00Z\","
		" \"reason\": \"deferred and failed mails 7/5 (58%)\","
		" \"told\": false}]}");
	json_decref(root);
}

#define NO_TOTAL                                                                                   \
	"\"total\": {\"connections\": 0, \"delivered\": 0, \"deferred\": 0, \"failed\": 0,"        \
	" \"unknown\": 0, \"opaque\": 0, \"refused\": 0}"
#define NO_WINDOW                                                                                  \
	"\"window\": {\"delivered\": 0, \"deferred\": 0, \"failed\": 0, \"percent\": null}"
#define NOT_SUSPENDED                                                                              \
	"\"bypass\": 0, \"suspended\": false, \"since\": null, \"until\": null, \"reason\": null," \
	" \"told\": false"

static void relay_mail_is_its_domains(void **unused)
{
	(void)unused;
	role(RELAY, SMTPL_ROLE_RELAY);
	role(OTHER, SMTPL_ROLE_RELAY);
	count(RELAY, "", (struct smtpl_count){.connections = 3, .opaque = 1});
	count(RELAY, "x.example", (struct smtpl_count){.delivered = 2, .failed = 1});
	count(OTHER, "x.example", (struct smtpl_count){.delivered = 3, .unknown = 4});
	assert_int_equal(status.relay_sessions, 3);
	expect_accounts("[{\"account\": \"domain:x.example\", \"uid\": null, \"role\": null,"
			" \"domains\": [\"x.example\"], " NO_WINDOW
			", \"headroom\": 5, \"total\": {\"connections\": 0,"
			" \"delivered\": 5, \"deferred\": 0, \"failed\": 1, \"unknown\": 4,"
			" \"opaque\": 0, \"refused\": 0}, " NOT_SUSPENDED "},"
			" {\"account\": \"uid:4000010\", \"uid\": 4000010, \"role\": \"relay\","
			" \"domains\": [], " NO_WINDOW
			", \"headroom\": null, \"total\": {\"connections\": 3,"
			" \"delivered\": 0, \"deferred\": 0, \"failed\": 0, \"unknown\": 0,"
			" \"opaque\": 1, \"refused\": 0}, " NOT_SUSPENDED "}]");
}

static void exempt_is_marked(void **unused)
{
	(void)unused;
	role(GUEST, SMTPL_ROLE_EXEMPT);
	count(GUEST, "x.example", (struct smtpl_count){0});
	expect_accounts("[{\"account\": \"uid:4000020\", \"uid\": 4000020, \"role\": \"exempt\","
			" \"domains\": [\"x.example\"], " NO_WINDOW
			", \"headroom\": null, " NO_TOTAL ", " NOT_SUSPENDED "}]");
}

/* The rest of a window is slid to now, and an account of which nothing is left is not shown. */
static void windows_are_slid_to_now(void **unused)
{
	(void)unused;
	window(uid_account(ALICE), 3600, 0, 0, 1);
	window(uid_account(BOB), 3599, 0, 0, 1);
	expect_accounts("[{\"account\": \"uid:4000002\", \"uid\": 4000002, \"role\": \"direct\","
			" \"domains\": [], \"window\": {\"delivered\": 0, \"deferred\": 0,"
			" \"failed\": 1, \"percent\": 100.0}, \"headroom\": 4, " NO_TOTAL
			", " NOT_SUSPENDED "}]");
}

static void over_is_not_suspended(void **unused)
{
	struct smtpl_suspension s = {1, BOOT_S * NS_PER_S, 7, 5, 58, 0};

	(void)unused;
	suspended_uid(ALICE, s);
	expect_accounts("[]");
}

static struct state_suspension saved(struct account_id id, const char *reason, uint32_t by_hand)
{
	struct state_suspension s = {
		.account = id,
		.kernel = {0, (BOOT_S + 60) * NS_PER_S, 7, 5, 58, by_hand},
		.since_wall_s = WALL_S - 1000,
	};

	snprintf(s.reason, sizeof(s.reason), "%s", reason);
	return s;
}

static const char saved_domain[] =
	"[{\"account\": \"domain:x.example\", \"uid\": null, \"role\": null, \"domains\":"
	" [\"x.example\"], " NO_WINDOW ", \"headroom\": 0, " NO_TOTAL
	", \"bypass\": 0, \"suspended\": true,"
	" \"since\": \"2026-11-21T13:48:20Z\", \"until\": \"2026-11-21T14:06:00Z\","
	" \"reason\": \"phish\", \"told\": false}]";

/* The map has who, the row has why and, over a reboot, since when. */
static void saved_rows_tell_why(void **unused)
{
	struct account_id x = domain_account("x.example");
	struct smtpl_suspension in_map = {0, (BOOT_S + 60) * NS_PER_S, 7, 5, 58, 1};
	struct state_suspension row = saved(x, "phish", 1),
				gone = saved(uid_account(BOB), "old", 1);
	struct smtpl_domain_key key = {.domain = "x.example"};

	(void)unused;
	assert_int_equal(status_domain(&status, &key, &in_map), 0);
	assert_int_equal(status_suspension(&status, &row), 0);
	row = saved(x, "of another suspension", 0);
	assert_int_equal(status_suspension(&status, &row), 0);
	/* Not in the map: not refused. */
	assert_int_equal(status_suspension(&status, &gone), 0);
	expect_accounts(saved_domain);
}

static void saved_rows_stand_for_maps(void **unused)
{
	struct state_suspension row = saved(domain_account("x.example"), "phish", 1);

	(void)unused;
	assert_int_equal(status_suspension(&status, &row), 0);
	expect_accounts(saved_domain);
}

static void reason_without_a_row(void **unused)
{
	struct smtpl_suspension s = {(BOOT_S - 1) * NS_PER_S, (BOOT_S + 1) * NS_PER_S, 0, 5, 0, 1};

	(void)unused;
	suspended_uid(ALICE, s);
	assert_int_equal(status_finish(&status), 0);
	assert_string_equal(status.accounts[0]->reason, "by hand");
}

/* Those suspended, then by the failures that are left until the line; of equal ones that with the
 * most failures, then by name. */
static void nearest_is_first(void **unused)
{
	static const struct {
		uint32_t uid;
		uint64_t headroom;
	} order[] = {{4000005, 0}, {4000003, 0}, {4000002, 0}, {4000006, 2}, {4000008, 4},
		     {4000007, 5}, {4000004, 5}, {4000009, 5}, {4000001, 8}};

	(void)unused;
	suspended_uid(4000005,
		      (struct smtpl_suspension){NS_PER_S, (BOOT_S + 9) * NS_PER_S, 7, 5, 58, 0});
	window(uid_account(4000001), 1, 9, 1, 0); /* 9 of 18 are half of them */
	window(uid_account(4000002), 1, 5, 5, 0);
	window(uid_account(4000003), 1, 10, 2, 8);
	window(uid_account(4000006), 1, 0, 3, 0);
	window(uid_account(4000007), 1, 6, 1, 0);
	window(uid_account(4000008), 1, 5, 0, 1);
	count(4000004, "", (struct smtpl_count){.connections = 1});
	count(4000009, "", (struct smtpl_count){.connections = 2});
	assert_int_equal(status_finish(&status), 0);
	assert_int_equal(status.accounts_count, 9);
	for (int i = 0; i < 9; i++) {
		assert_int_equal(status.accounts[i]->id.uid, order[i].uid);
		assert_int_equal(status.accounts[i]->headroom, order[i].headroom);
	}
}

/* With a delivery, failures alone never make 100 %. */
static void no_headroom_is_null(void **unused)
{
	json_t *root, *account;
	char *text;

	(void)unused;
	status.rule.percent = 100;
	window(uid_account(ALICE), 1, 1, 0, 4);
	root = status_json();
	account = json_array_get(json_object_get(root, "accounts"), 0);
	assert_true(json_is_null(json_object_get(account, "headroom")));
	json_decref(root);

	end(NULL);
	begin(NULL);
	status.rule.percent = 100;
	window(uid_account(ALICE), 1, 1, 0, 4);
	text = status_string();
	assert_non_null(strstr(text, " 4    80.0%         -  "));
	free(text);
}

/* The figures are of what counts: one address that fails twice is one failure, what is set aside
 * none. */
static void window_is_what_counts(void **unused)
{
	struct outcome o = {.outcome = SMTP_FAILED,
			    .class = REPLY_RECIPIENT,
			    .count = 1,
			    .rcpt = 7,
			    .time_ns = (BOOT_S - 10) * NS_PER_S,
			    .age_s = OUTCOME_AGE_UNKNOWN};
	struct account_id alice = uid_account(ALICE);
	enum outcome_counted counted;
	struct window w = {0};

	(void)unused;
	status.rule.set_aside = 1u << REPLY_LISTED;
	for (o.mail = 1; o.mail <= 6; o.mail++) {
		o.class = o.mail > 3 ? REPLY_LISTED : REPLY_RECIPIENT;
		assert_int_equal(window_add(&w, &o, BOOT_S, 3600, &counted), 0);
	}
	assert_int_equal(status_window(&status, &alice, &w), 0);
	window_clear(&w);
	expect_accounts("[{\"account\": \"uid:4000001\", \"uid\": 4000001, \"role\": \"direct\","
			" \"domains\": [], \"window\": {\"delivered\": 0, \"deferred\": 0,"
			" \"failed\": 1, \"percent\": 100.0}, \"headroom\": 4, " NO_TOTAL
			", " NOT_SUSPENDED "}]");
}

static void hostile_bytes_are_escaped(void **unused)
{
	static const char evil[] = "\x1b[2J\x07\xff\"\n\x7f.example";
	struct state_suspension row = saved(uid_account(ALICE), "\x1b]0;x\x07\r\xc2\x9b", 1);
	json_t *root, *account;
	char *text;

	(void)unused;
	suspended_uid(ALICE, row.kernel);
	count(ALICE, evil, (struct smtpl_count){0});
	role(RELAY, SMTPL_ROLE_RELAY);
	count(RELAY, evil, (struct smtpl_count){0});
	assert_int_equal(status_suspension(&status, &row), 0);
	status_problem(&status, "bad \x1b[0m");
	text = status_string();
	for (const char *c = text; *c; c++)
		assert_true(*c == '\n' || (*c >= ' ' && *c <= '~'));
	assert_non_null(strstr(text, "domain:\\x1b[2J\\x07\\xff\"\\x0a\\x7f.example"));
	free(text);

	status_end(&status);
	begin(NULL);
	suspended_uid(ALICE, row.kernel);
	assert_int_equal(status_suspension(&status, &row), 0);
	count(ALICE, evil, (struct smtpl_count){0});
	root = status_json();
	account = json_array_get(json_object_get(root, "accounts"), 0);
	assert_string_equal(json_string_value(json_object_get(account, "reason")),
			    "\\x1b]0;x\\x07\\x0d\\xc2\\x9b");
	assert_string_equal(
		json_string_value(json_array_get(json_object_get(account, "domains"), 0)),
		"\\x1b[2J\\x07\\xff\"\\x0a\\x7f.example");
	json_decref(root);
}

static void text_is_told(void **unused)
{
	char *text, *rest; /* behind the version */

	(void)unused;
	status.meta.heartbeat_ns = (BOOT_S - 300) * NS_PER_S;
	status.stats.ring_full = 12;
	role(RELAY, SMTPL_ROLE_RELAY);
	count(RELAY, "", (struct smtpl_count){.connections = 4, .opaque = 1});
	suspended_uid(ALICE,
		      (struct smtpl_suspension){NS_PER_S, (BOOT_S + 1740) * NS_PER_S, 7, 5, 58, 0});
	count(ALICE, "b.example",
	      (struct smtpl_count){.delivered = 50, .failed = 7, .unknown = 3, .refused = 2});
	count(ALICE, "an-extraordinarily-long-name.example", (struct smtpl_count){0});
	window(uid_account(ALICE), 1, 5, 3, 4);
	text = status_string();
	rest = strchr(text, ',');
	assert_non_null(rest);
	assert_string_equal(
		rest,
		", mode enforce: suspended for 30m when 50% or more of the mails in "
		"60m, and at least 5, are deferred or fail\n"
		"daemon: dead since 2026-11-21T14:00:00Z; counting goes on, suspensions hold and end by themselves, "
		"nobody is judged\n"
		"relay users: 4 sessions, counted for the owners of their sender domains\n"
		"TLS: off: every session under TLS is opaque\n"
		"\n"
		"ACCOUNT              DOMAINS                              DELIVERED  DEFERRED  FAILED  PERCENT  HEADROOM"
		"              TOTAL  REFUSED  SUSPENDED UNTIL\n"
		"uid:4000001          an-extraordinarily-long-name.e.. +1          5         3       4    58.3%         0"
		"  50/0/7, 3 unknown        2  2026-11-21T14:34:00Z: deferred and failed mails 7/5 (58%)\n"
		"uid:4000010 (relay)                                               0         0       0        -         -"
		"    0/0/0, 1 opaque        0  -\n"
		"TOTAL: attempts delivered/deferred/failed since counting began, and of which nothing is known; "
		"the columns before it: mails in the window\n"
		"\n"
		"ring_full                      12  events lost because there was no room; their counts are "
		"kept\n");
	free(text);
}

static void nothing_loaded_is_said(void **unused)
{
	char *text;

	(void)unused;
	text = status_string();
	assert_non_null(strstr(text, "smtplimit is not loaded on this host; start it with: "
				     "smtplimit run\n"));
	assert_null(strstr(text, "ACCOUNT"));
	free(text);
	expect_accounts("[]");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STATUS_TEST(whole_object),
		STATUS_TEST(relay_mail_is_its_domains),
		STATUS_TEST(exempt_is_marked),
		STATUS_TEST(windows_are_slid_to_now),
		STATUS_TEST(over_is_not_suspended),
		STATUS_TEST(saved_rows_tell_why),
		STATUS_TEST_UNLOADED(saved_rows_stand_for_maps),
		STATUS_TEST(reason_without_a_row),
		STATUS_TEST(nearest_is_first),
		STATUS_TEST(no_headroom_is_null),
		STATUS_TEST(window_is_what_counts),
		STATUS_TEST(hostile_bytes_are_escaped),
		STATUS_TEST(text_is_told),
		STATUS_TEST_UNLOADED(nothing_loaded_is_said),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
