/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * status_account_test.c - one account in status: by which rule it is judged and where that comes
 * from, how far it is from the line, and which accounts a view leaves out.
 */
#include "../config/config_fixture.h"
#include <pwd.h>
#include <time.h>

#include "status_fixture.h"

#define ALICE_UID 1000
#define BOB_UID	  1001
#define MAIL_UID  8

/* In place of the C library's function: this host's users are none of the test's business. */
struct passwd *fgetpwent(FILE *file)
{
	(void)file;
	return NULL;
}

static void begin_with(const char *text)
{
	status_end(&status);
	config = read_good(text);
	config.tls = SMTPL_TLS_OFF;
	status_begin(&status, &config, BOOT_S * NS_PER_S, WALL_S * NS_PER_S);
}

static void set_zone(const char *zone)
{
	setenv("TZ", zone, 1);
	tzset();
}

static int end_for_good(void **unused)
{
	end(unused);
	status = (struct status){0};
	return 0;
}

static int begin_default(void **unused)
{
	(void)unused;
	begin_with("[limit]\nsuspend = 30m\n");
	set_zone("UTC");
	return 0;
}

static void judged(void)
{
	status_meta(&status, &in_force);
	status.daemon_lock_pid = 77;
	status.meta.heartbeat_ns = BOOT_S * NS_PER_S;
}

static void pick(const char *text)
{
	char why[512] = "";

	if (status_pick(&status, text, why, sizeof(why)))
		fail_msg("%s: %s", text, why);
}

static void expect_unknown(const char *text, int error, const char *part)
{
	char why[512] = "";

	assert_int_equal(status_pick(&status, text, why, sizeof(why)), error);
	if (!strstr(why, part))
		fail_msg("is %s, want %s", why, part);
	assert_null(status.picked);
}

static void expect_text(const char *expected)
{
	char *text = status_string();

	if (strcmp(text, expected))
		fail_msg("is\n%swant\n%s", text, expected);
	free(text);
}

static void expect_part(const char *part, bool there)
{
	char *text = status_string();

	if (!strstr(text, part) == there)
		fail_msg("is\n%s%s\n%s", text, there ? "want" : "and should not have", part);
	free(text);
}

static const struct status_account *finished(uint32_t uid)
{
	const struct account_id id = uid_account(uid);

	assert_int_equal(status_finish(&status), 0);
	return status_known(&status, &id);
}

static void expect_rule(size_t account, const char *expected)
{
	json_t *root = status_json_whole();

	expect_json(
		json_object_get(json_array_get(json_object_get(root, "accounts"), account), "rule"),
		expected);
	json_decref(root);
}

static void rule_of_a_section(void **unused)
{
	(void)unused;
	begin_with("[account alice]\npercent = 70\nmode = observe\nnote = a \"plan\"\n"
		   "until = 2026-12-01\n[account bob]\nmin_failures = 30\n");
	window(uid_account(ALICE_UID), 10, 2, 1, 2);
	window(uid_account(BOB_UID), 10, 0, 0, 1);
	expect_rule(0,
		    "{\"percent\": 70, \"min_failures\": 5, \"suspend_s\": 3600, \"mode\":"
		    " \"observe\", \"from\": \"t.conf:1\", \"note\": \"a \\\"plan\\\"\", \"until\":"
		    " \"2026-12-02T00:00:00Z\"}");
	expect_rule(1, "{\"percent\": 50, \"min_failures\": 30, \"suspend_s\": 3600, \"mode\":"
		       " \"enforce\", \"from\": \"t.conf:6\", \"note\": null, \"until\": null}");
	assert_int_equal(status.accounts[1]->headroom, 29);
	assert_true(status_observes(status.accounts[0]));
	assert_false(status_observes(status.accounts[1]));
}

/* What the section does not set is what is in force, not what the file has for all. */
static void rest_is_in_force(void **unused)
{
	const struct status_account *a;

	(void)unused;
	begin_with("[limit]\nmin_failures = 9\nmode = observe\n[account alice]\npercent = 70\n");
	judged();
	window(uid_account(ALICE_UID), 10, 1, 0, 1);
	a = finished(ALICE_UID);
	assert_int_equal(a->rule.percent, 70);
	assert_int_equal(a->rule.min_failures, 5);
	assert_int_equal(a->rule.suspend_s, 1800);
	assert_int_equal(a->rule.mode, VERDICT_ENFORCE);
}

static void section_that_is_over(void **unused)
{
	(void)unused;
	begin_with("[account alice]\npercent = 70\nuntil = 2026-11-01\n");
	window(uid_account(ALICE_UID), 10, 0, 0, 1);
	expect_rule(0, "{\"percent\": 50, \"min_failures\": 5, \"suspend_s\": 3600, \"mode\":"
		       " \"enforce\", \"from\": null, \"note\": null, \"until\": null}");
}

static void headroom_of_each(void **unused)
{
	(void)unused;
	judged();
	role(MAIL_UID, SMTPL_ROLE_RELAY);
	role(GUEST, SMTPL_ROLE_EXEMPT);
	count(MAIL_UID, "", (struct smtpl_count){.connections = 1});
	count(GUEST, "", (struct smtpl_count){.connections = 1});
	count(0, "", (struct smtpl_count){.connections = 1});
	window(uid_account(ALICE_UID), 10, 0, 0, 4);
	window(uid_account(BOB_UID), 10, 0, 0, 2);
	suspended_uid(BOB_UID, (struct smtpl_suspension){BOOT_S * NS_PER_S, (BOOT_S + 9) * NS_PER_S,
							 7, 5, 58, 0});
	assert_int_equal(finished(ALICE_UID)->headroom, 1);
	assert_int_equal(finished(BOB_UID)->headroom, 0);
	assert_true(finished(MAIL_UID)->headroom == UINT64_MAX);
	assert_true(finished(GUEST)->headroom == UINT64_MAX);
	assert_true(finished(0)->headroom == UINT64_MAX);
	assert_int_equal(status.accounts[0]->id.uid, BOB_UID);
	assert_int_equal(status.accounts[1]->id.uid, ALICE_UID);
}

static void block_of_an_account(void **unused)
{
	(void)unused;
	begin_with(
		"[limit]\nsuspend = 30m\n[account alice]\npercent = 70\nnote = shop, ticket 4711\n"
		"until = 2026-12-01\n");
	judged();
	status_owner(&status, "shop.example", ALICE_UID);
	status_owner(&status, "blog.example", ALICE_UID);
	status_owner(&status, "other.example", BOB_UID);
	count(ALICE_UID, "blog.example",
	      (struct smtpl_count){.delivered = 50, .failed = 7, .unknown = 3, .refused = 2});
	window(uid_account(ALICE_UID), 1, 1, 1, 1);
	window(uid_account(BOB_UID), 1, 1, 1, 1);
	pick("info@shop.example");
	expect_text(
		"account:    alice (uid 1000)\n"
		"window:     1 mail delivered, 1 deferred, 1 failed in 60m: 66.7%\n"
		"headroom:   3 more failures until it is suspended\n"
		"total:      50 attempts delivered, 0 deferred, 7 failed, 3 unknown, 2 refused; "
		"0 opaque sessions\n"
		"owns:       blog.example, shop.example\n"
		"sent from:  blog.example\n"
		"rule:\n"
		"  mode = enforce                      # [limit]\n"
		"  percent = 70                        # t.conf:4\n"
		"  min_failures = 5                    # [limit]\n"
		"  suspend = 30m                       # [limit]\n"
		"  until = 2026-12-02 00:00:00 UTC     # t.conf:6\n"
		"  note = shop, ticket 4711            # t.conf:5\n");
}

static void block_of_a_suspended_one(void **unused)
{
	(void)unused;
	judged();
	set_zone("XYZ-2");
	suspended_uid(ALICE_UID,
		      (struct smtpl_suspension){(BOOT_S - 60) * NS_PER_S,
						(BOOT_S + 3900) * NS_PER_S, 7, 5, 58, 0});
	pick("alice");
	expect_part("suspended:  until 2026-11-21 17:10:00 XYZ, for 1 hour 5 minutes more\n"
		    "since:      2026-11-21 16:04:00 XYZ\n"
		    "reason:     deferred and failed mails 7/5 (58%)\n"
		    "window:     0 mails delivered, 0 deferred, 0 failed in 60m\n"
		    "total: ",
		    true);
	expect_part("headroom", false);
}

static void expect_rest(int64_t s, const char *words)
{
	begin_default(NULL);
	judged();
	suspended_uid(ALICE_UID, (struct smtpl_suspension){BOOT_S * NS_PER_S,
							   (BOOT_S + s) * NS_PER_S, 7, 5, 58, 0});
	pick("alice");
	expect_part(words, true);
}

static void rest_in_words(void **unused)
{
	(void)unused;
	expect_rest(1, ", for 1 second more\n");
	expect_rest(59, ", for 59 seconds more\n");
	expect_rest(60, ", for 1 minute more\n");
	expect_rest(3599, ", for 59 minutes more\n");
	expect_rest(3600, ", for 1 hour more\n");
	expect_rest(86400 - 1, ", for 23 hours 59 minutes more\n");
	expect_rest(90000, ", for 1 day 1 hour more\n");
	expect_rest(30 * 86400, ", for 30 days more\n");
}

static void expect_headroom(uint32_t delivered, uint32_t failed, const char *words)
{
	judged();
	window(uid_account(ALICE_UID), 1, delivered, 0, failed);
	pick("alice");
	expect_part(words, true);
}

static void headroom_in_words(void **unused)
{
	(void)unused;
	expect_headroom(0, 4, "headroom:   1 more failure until it is suspended\n");
	expect_headroom(0, 5, "headroom:   none: it is over the line, and is suspended when");
	begin_with("[account alice]\npercent = 100\n");
	expect_headroom(1, 9, "headroom:   no failure suspends it beside these deliveries\n");
	begin_with("[account alice]\nmode = observe\n");
	expect_headroom(0, 3, "headroom:   2 more failures until it would be suspended\n");
	expect_headroom(0, 5, "headroom:   none: it is over the line, and only observed\n");
	begin_default(NULL);
	judged();
	role(MAIL_UID, SMTPL_ROLE_RELAY);
	pick("mail");
	expect_part("headroom:   never suspended: it is root or a relay user", true);
}

static void add_failure(struct window *w, uint64_t mail, enum reply_class class, uint8_t flags)
{
	const struct window_mail m = {.mail = mail,
				      .rcpt = 7 + mail / 2,
				      .second = BOOT_S - 1,
				      .outcome = SMTP_FAILED,
				      .class = class,
				      .flags = flags};

	assert_int_equal(window_restore_mail(w, &m), 0);
}

static void what_is_not_counted(void **unused)
{
	const struct window_slot slot = {BOOT_S - 1, 0, 0, 6};
	const struct account_id alice = uid_account(ALICE_UID);
	struct window w = {0};

	(void)unused;
	judged();
	assert_int_equal(window_restore_slot(&w, &slot), 0);
	add_failure(&w, 2, REPLY_LISTED, 0);
	add_failure(&w, 4, REPLY_OWN, 0);
	add_failure(&w, 6, REPLY_RATE, WINDOW_MAIL_EXCUSED);
	add_failure(&w, 8, REPLY_RECIPIENT, 0);
	add_failure(&w, 9, REPLY_RECIPIENT, 0); /* the same address */
	assert_int_equal(status_window(&status, &alice, &w), 0);
	window_clear(&w);
	pick("alice");
	expect_part(
		"window:     0 mails delivered, 0 deferred, 2 failed in 60m: 100.0%\n"
		"            not counted of the deferred and failed: 1 of class listed, 1 of class "
		"own, 1 at remotes in trouble, 1 to an address that counts already, too many "
		"at one remote, or younger than defer_grace\n"
		"headroom:   3 more failures",
		true);
}

static void nobody_judges(void **unused)
{
	(void)unused;
	pick("alice");
	expect_part("smtplimit is not loaded on this host; start it with: smtplimit run\naccount: ",
		    true);
	judged();
	expect_part("not loaded", false);
	expect_part("daemon:", false);
	status.meta.heartbeat_ns = (BOOT_S - 60) * NS_PER_S;
	expect_part("daemon: pid 77 is stuck, ", true);
	status.daemon_lock_pid = 0;
	expect_part("daemon: dead since ", true);
	status_problem(&status, "evil \x1b[0m");
	expect_part("problem: evil \\x1b[0m\naccount: ", true);
}

static void one_in_json(void **unused)
{
	json_t *root, *accounts;

	(void)unused;
	judged();
	window(uid_account(ALICE_UID), 1, 1, 1, 1);
	window(uid_account(BOB_UID), 1, 1, 1, 1);
	pick("bob");
	root = status_json_whole();
	accounts = json_object_get(root, "accounts");
	assert_int_equal(json_array_size(accounts), 1);
	assert_int_equal(json_integer_value(json_object_get(json_array_get(accounts, 0), "uid")),
			 BOB_UID);
	assert_non_null(json_object_get(root, "losses"));
	json_decref(root);
}

/* A user without mail is an account all the same; a name that says nothing is not. */
static void known_and_unknown(void **unused)
{
	(void)unused;
	begin_with("[account domain:plan.example]\npercent = 70\n");
	judged();
	role(MAIL_UID, SMTPL_ROLE_RELAY);
	count(MAIL_UID, "free.example", (struct smtpl_count){.delivered = 1});
	expect_unknown("nobody-there", -ENOENT, "\"nobody-there\": no such user");
	expect_unknown("uid:4000001", -ENOENT, "uid:4000001: nothing was counted for it");
	expect_unknown("domain:gone.example", -ENOENT, "domain:gone.example: nothing was counted");
	expect_unknown("x@gone.example", -ENOENT, "no owner of this domain is known");
	expect_unknown("\x1b[2J@\x07.example", -ENOENT, "\\x1b[2J@\\x07.example");
	assert_int_equal(status.accounts_count, 1);
	pick("x@free.example");
	expect_part("account:    domain:free.example\n", true);
	pick("plan.example");
	expect_part("  percent = 70                        # t.conf:2\n", true);
	pick("alice");
	expect_part("account:    alice (uid 1000)\n", true);
}

static void hostile_bytes_in_a_block(void **unused)
{
	static const char evil[] = "\x1b[2J\x07\xff\"\n\x7f.example";
	char *text;

	(void)unused;
	judged();
	status_owner(&status, evil, ALICE_UID);
	count(ALICE_UID, evil, (struct smtpl_count){0});
	pick("alice");
	text = status_string();
	for (const char *c = text; *c; c++)
		assert_true(*c == '\n' || (*c >= ' ' && *c <= '~'));
	assert_non_null(strstr(text, "owns:       \\x1b[2J\\x07\\xff\"\\x0a\\x7f.example\n"));
	free(text);
}

static void many_domains_are_cut(void **unused)
{
	char domain[32];

	(void)unused;
	judged();
	for (int i = 24; i >= 0; i -= 2) {
		snprintf(domain, sizeof(domain), "d%02d.example", i % 25);
		status_owner(&status, domain, ALICE_UID);
	}
	pick("alice");
	expect_part("owns:       d00.example, d02.example, d04.example, d06.example, d08.example, "
		    "d10.example, d12.example, d14.example, d16.example, d18.example and 3 more\n",
		    true);
}

static void three_accounts(void)
{
	begin_default(NULL);
	judged();
	window(uid_account(ALICE_UID), 1, 3, 1, 0);
	count(4000003, "", (struct smtpl_count){.connections = 1});
	count(4000004, "", (struct smtpl_count){.connections = 1});
	suspended_uid(BOB_UID, (struct smtpl_suspension){BOOT_S * NS_PER_S, (BOOT_S + 9) * NS_PER_S,
							 7, 5, 58, 0});
}

static void views(void **unused)
{
	(void)unused;
	three_accounts();
	expect_part("uid:4000003", true);
	expect_part("left out", false);
	status.view = STATUS_ACTIVE;
	expect_part("uid:4000003", false);
	expect_part("\nalice ", true);
	expect_part("\nbob ", true);
	expect_part("\nleft out: 2 accounts without mail in the window (smtplimit status --all)\n",
		    true);
	status.view = STATUS_SUSPENDED;
	expect_part("\nalice ", false);
	expect_part("\nbob ", true);
	expect_part("\nleft out: 3 accounts not suspended (smtplimit status --all)\n", true);
}

static void nothing_in_the_view(void **unused)
{
	(void)unused;
	judged();
	status.view = STATUS_SUSPENDED;
	expect_part("no account has sent yet\n", true);
	count(4000003, "", (struct smtpl_count){.connections = 1});
	expect_part("ACCOUNT", false);
	expect_part("\nleft out: 1 account not suspended (smtplimit status --all)\n", true);
}

static void observed_in_the_table(void **unused)
{
	(void)unused;
	begin_with("[account alice, bob]\nmode = observe\n");
	judged();
	window(uid_account(ALICE_UID), 1, 3, 1, 0);
	window(uid_account(BOB_UID), 1, 3, 9, 0);
	expect_part("  observed\n", true);
	expect_part("  observed: over the line\n", true);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, begin_default, end_for_good)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(rule_of_a_section),
		TEST(rest_is_in_force),
		TEST(section_that_is_over),
		TEST(headroom_of_each),
		TEST(block_of_an_account),
		TEST(block_of_a_suspended_one),
		TEST(rest_in_words),
		TEST(headroom_in_words),
		TEST(what_is_not_counted),
		TEST(nobody_judges),
		TEST(one_in_json),
		TEST(known_and_unknown),
		TEST(hostile_bytes_in_a_block),
		TEST(many_domains_are_cut),
		TEST(views),
		TEST(nothing_in_the_view),
		TEST(observed_in_the_table),
	};

	return run_config_tests(tests, sizeof(tests) / sizeof(tests[0]));
}
