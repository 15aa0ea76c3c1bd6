// SPDX-License-Identifier: GPL-2.0-only
/*
 * status_feeds_test.c - mail through mail servers in status: whose it is, what was told in place of
 * what is superseded, the feeds, and what got past a suspension.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include "status_fixture.h"

#define WITH_HEADROOM(headroom)                                                                    \
	"\"window\": {\"delivered\": 0, \"deferred\": 0, \"failed\": 0, \"percent\": null},"       \
	" \"headroom\": " headroom ", \"suspended\": false, \"since\": null, \"until\": null,"     \
	" \"reason\": null, \"told\": false"
#define NOT_SUSPENDED	WITH_HEADROOM("5")
#define NEVER_SUSPENDED WITH_HEADROOM("null")

static void owner(const char *domain, uint32_t uid)
{
	assert_int_equal(status_owner(&status, domain, uid), 0);
}

static void told(struct account_id id, const char *domain, struct relay_count counts)
{
	assert_int_equal(status_relay_count(&status, &id, domain, &counts), 0);
}

static void aside(uint32_t uid, const char *domain, struct smtpl_totals totals)
{
	assert_int_equal(status_superseded(&status, uid, domain, &totals), 0);
}

/* What alice sends directly and through two servers is one account; a relay's own domain stays the
 * domain, an exempt owner's is the owner's. */
static void relay_mail_is_its_owners(void **unused)
{
	(void)unused;
	owner("own.example", RELAY);
	owner("a.example", ALICE);
	owner("b.example", ALICE);
	owner("guest.example", GUEST);
	role(RELAY, SMTPL_ROLE_RELAY);
	role(OTHER, SMTPL_ROLE_RELAY);
	role(GUEST, SMTPL_ROLE_EXEMPT);
	count(ALICE, "", (struct smtpl_count){.connections = 2});
	count(ALICE, "a.example", (struct smtpl_count){.delivered = 1});
	count(RELAY, "a.example", (struct smtpl_count){.delivered = 2, .failed = 1});
	count(OTHER, "b.example", (struct smtpl_count){.deferred = 5});
	count(RELAY, "own.example", (struct smtpl_count){.failed = 6});
	count(RELAY, "guest.example", (struct smtpl_count){.unknown = 7});
	expect_accounts(
		"[{\"account\": \"domain:own.example\", \"uid\": null, \"role\": null,"
		" \"domains\": [\"own.example\"], \"bypass\": 0, \"total\": {\"connections\": 0,"
		" \"delivered\": 0, \"deferred\": 0, \"failed\": 6, \"unknown\": 0, \"opaque\": 0,"
		" \"refused\": 0}, " NOT_SUSPENDED "}, {\"account\": \"uid:4000001\","
		" \"uid\": 4000001, \"role\": \"direct\", \"domains\": [\"a.example\", \"b.example\"],"
		" \"bypass\": 0, \"total\": {\"connections\": 2, \"delivered\": 3, \"deferred\": 5,"
		" \"failed\": 1, \"unknown\": 0, \"opaque\": 0, \"refused\": 0}, " NOT_SUSPENDED
		"}, {\"account\": \"uid:4000020\", \"uid\": 4000020, \"role\": \"exempt\","
		" \"domains\": [\"guest.example\"], \"bypass\": 0, \"total\": {\"connections\": 0,"
		" \"delivered\": 0, \"deferred\": 0, \"failed\": 0, \"unknown\": 7, \"opaque\": 0,"
		" \"refused\": 0}, " NEVER_SUSPENDED "}]");
}

/* More may be superseded than was counted when the counts were read. */
static void told_stands_for_the_wire(void **unused)
{
	(void)unused;
	owner("a.example", ALICE);
	role(RELAY, SMTPL_ROLE_RELAY);
	aside(RELAY, "a.example", (struct smtpl_totals){10, 4, 4, 4});
	count(RELAY, "a.example",
	      (struct smtpl_count){.delivered = 12, .deferred = 3, .failed = 4});
	told(uid_account(ALICE), "a.example",
	     (struct relay_count){.delivered = 9, .deferred = 1, .unknown = 1, .refused = 5});
	told(uid_account(ALICE), "forged.example", (struct relay_count){.failed = 2, .bypass = 3});
	expect_accounts(
		"[{\"account\": \"uid:4000001\", \"uid\": 4000001, \"role\": \"direct\","
		" \"domains\": [\"a.example\", \"forged.example\"], \"bypass\": 3,"
		" \"total\": {\"connections\": 0, \"delivered\": 11, \"deferred\": 1,"
		" \"failed\": 2, \"unknown\": 1, \"opaque\": 0, \"refused\": 5}, " NOT_SUSPENDED
		"}]");
}

static const struct state_feed feed = {
	.known = {.relay_uid = RELAY,
		  .mta = FEED_EXIM,
		  .running = true,
		  .stats = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13}},
	.reported_wall_s = WALL_S - 3,
	.changed_wall_s = WALL_S - 60,
};

static void feeds_in_json(void **unused)
{
	struct state_feed never = {
		.known = {.relay_uid = OTHER, .mta = FEED_POSTFIX, .stop = PIPELINE_FEED_BLIND}};
	json_t *root;

	(void)unused;
	status.daemon_lock_pid = 77;
	assert_int_equal(status_feed(&status, &feed), 0);
	assert_int_equal(status_feed(&status, &never), 0);
	root = status_json();
	expect_json(json_object_get(root, "feeds"),
		    "[{\"mta\": \"exim\", \"user\": \"uid:4000010\", \"uid\": 4000010,"
		    " \"running\": true, \"stopped\": null, \"since\": \"2026-11-21T14:04:00Z\","
		    " \"last\": \"2026-11-21T14:04:57Z\","
		    " \"told\": {\"delivered\": 1, \"deferred\": 2, \"failed\": 3},"
		    " \"wire\": {\"delivered\": 4, \"deferred\": 5, \"failed\": 6}, \"agreed\": 7,"
		    " \"differed\": 8, \"retried\": 9, \"told_only\": 10, \"wire_only\": 11,"
		    " \"late\": 12, \"forgotten\": 13},"
		    " {\"mta\": \"postfix\", \"user\": \"uid:4000011\", \"uid\": 4000011,"
		    " \"running\": false, \"stopped\": \"blind\", \"since\": null, \"last\": null,"
		    " \"told\": {\"delivered\": 0, \"deferred\": 0, \"failed\": 0},"
		    " \"wire\": {\"delivered\": 0, \"deferred\": 0, \"failed\": 0}, \"agreed\": 0,"
		    " \"differed\": 0, \"retried\": 0, \"told_only\": 0, \"wire_only\": 0,"
		    " \"late\": 0, \"forgotten\": 0}]");
	json_decref(root);
}

static void says(const char *expected)
{
	char *text = status_string();

	if (!strstr(text, expected))
		fail_msg("no \"%s\" in\n%s", expected, text);
	free(text);
}

static void running_feed_in_text(void **unused)
{
	(void)unused;
	status.daemon_lock_pid = 77;
	assert_int_equal(status_feed(&status, &feed), 0);
	says("\nfeed exim (uid:4000010): running, last told 3 s ago; 6 mails told, 15 also seen on the "
	     "wire, 8 differ, 10 not seen, 11 seen and not told, 12 late\n");
}

static void stopped_feed_in_text(void **unused)
{
	struct state_feed stopped = feed;

	(void)unused;
	status.daemon_lock_pid = 77;
	stopped.known.running = false;
	assert_int_equal(status_feed(&status, &stopped), 0);
	says("\nfeed exim (uid:4000010): STOPPED since 2026-11-21T14:04:00Z: the wire is counted; 6 ");
}

static void why_in_text(void **unused)
{
	static const struct {
		enum pipeline_feed_stop stop;
		const char *text;
	} rows[] = {
		{PIPELINE_FEED_SILENT, "mail left and Exim said nothing of it: see its hook"},
		{PIPELINE_FEED_UNREADABLE, "the log cannot be read"},
		{PIPELINE_FEED_BLIND,
		 "the log is read, but its lines about mail to other hosts are "
		 "not understood"},
		{PIPELINE_FEED_GONE, "the process that takes the reports has ended"},
	};
	struct state_feed stopped = feed;
	char line[256];

	stopped.known.running = false;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		end(unused);
		begin(unused);
		status.daemon_lock_pid = 77;
		stopped.known.stop = rows[i].stop;
		assert_int_equal(status_feed(&status, &stopped), 0);
		assert_int_equal(status_finish(&status), 0);
		snprintf(line, sizeof(line), ": the wire is counted, since %s; 6 ", rows[i].text);
		says(line);
		snprintf(line, sizeof(line),
			 "\nproblem: exim's reports are not used, the wire is "
			 "counted: %s\n",
			 rows[i].text);
		says(line);
	}
}

/* The row says that it runs, as the daemon left it. */
static void dead_daemon_listens_to_nobody(void **unused)
{
	json_t *root;

	(void)unused;
	assert_int_equal(status_feed(&status, &feed), 0);
	says("\nfeed exim (uid:4000010): nobody listens, no daemon runs; 6 ");
	end(NULL);
	begin(NULL);
	assert_int_equal(status_feed(&status, &feed), 0);
	root = status_json();
	assert_false(json_is_true(
		json_object_get(json_array_get(json_object_get(root, "feeds"), 0), "running")));
	json_decref(root);
}

static void bypass_in_text(void **unused)
{
	(void)unused;
	told(uid_account(ALICE), "a.example", (struct relay_count){.bypass = 3});
	told(uid_account(BOB), "b.example", (struct relay_count){.delivered = 3});
	says("\nuid:4000001: 3 mails left through mail servers while it was suspended: is the hook in "
	     "place? see smtplimit hook\n");
	assert_int_equal(status.accounts_count, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STATUS_TEST(relay_mail_is_its_owners),
		STATUS_TEST(told_stands_for_the_wire),
		STATUS_TEST(feeds_in_json),
		STATUS_TEST(running_feed_in_text),
		STATUS_TEST(stopped_feed_in_text),
		STATUS_TEST(why_in_text),
		STATUS_TEST(dead_daemon_listens_to_nobody),
		STATUS_TEST(bypass_in_text),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("status_feeds", tests, NULL, NULL);
}
