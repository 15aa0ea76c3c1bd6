// SPDX-License-Identifier: GPL-2.0-only
/*
 * status_rule_test.c - status shows the rule that is in force, and says when the file has another.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include "base/clock.h"
#include "status_fixture.h"

static void expect_text(const char *expected)
{
	char *text = status_string();

	if (!strstr(text, expected))
		fail_msg("is   %s\nwant %s", text, expected);
	free(text);
}

/* The file was changed and not read yet: what is shown is what the daemon judges by. */
static void rule_in_force_is_shown(void **unused)
{
	struct smtpl_meta meta = {.schema = SMTPL_SCHEMA,
				  .observe = 1,
				  .percent = 60,
				  .min_failures = 9,
				  .window_s = 120,
				  .suspend_s = 7200};
	json_t *root;

	(void)unused;
	status_meta(&status, &meta);
	root = status_json();
	json_object_del(root, "losses");
	json_object_del(root, "stats");
	json_object_del(root, "version");
	json_object_del(root, "tls");
	expect_json(
		root,
		"{\"mode\": \"observe\", \"window_s\": 120, \"percent\": 60,"
		" \"min_failures\": 9, \"suspend_s\": 7200, \"loaded\": true, \"problems\": [], \"faults\": [], \"feeds\": [],"
		" \"remotes\": [],"
		" \"accounts\": [],"
		" \"daemon\": {\"running\": false, \"pid\": null, \"started\": null,"
		" \"heartbeat\": null}}");
	json_decref(root);
	expect_text(
		"mode observe: suspended for 2h when 60% or more of the mails in 2m, and at least "
		"9, are deferred or fail\n"
		"the file says otherwise: the next start takes it up\n"
		"daemon: stopped; ");
	status.daemon_lock_pid = 77;
	expect_text(
		"are deferred or fail\nthe file says otherwise: reload\ndaemon: running, pid 77, ");
}

static void window_in_force_slides(void **unused)
{
	struct smtpl_meta meta = in_force;

	(void)unused;
	meta.window_s = 120;
	status_meta(&status, &meta);
	window(uid_account(ALICE), 120, 0, 0, 1);
	window(uid_account(BOB), 119, 0, 0, 1);
	assert_int_equal(status.accounts_count, 1);
	assert_int_equal(status.accounts[0]->id.uid, BOB);
}

static void expect_file_differs(struct config file, bool differs)
{
	struct status s;

	status_begin(&s, &file, BOOT_S * NS_PER_S, WALL_S * NS_PER_S);
	status_meta(&s, &in_force);
	assert_int_equal(s.file_differs, differs);
	assert_int_equal(s.rule.percent, 50);
	assert_int_equal(s.mode, VERDICT_ENFORCE);
	status_end(&s);
}

static void every_difference_is_seen(void **unused)
{
	struct config same = config, c[5];

	(void)unused;
	for (int i = 0; i < 5; i++)
		c[i] = same;
	c[0].rule.mode = VERDICT_OBSERVE;
	c[1].rule.window_s++;
	c[2].rule.suspend_s++;
	c[3].rule.percent++;
	c[4].rule.min_failures++;
	expect_file_differs(same, false);
	for (int i = 0; i < 5; i++)
		expect_file_differs(c[i], true);
	/* Nobody knows what a file says that cannot be read. */
	c[4].paths_only = true;
	expect_file_differs(c[4], false);
}

/* A start that never got to attaching has made maps, and nothing else. */
static void not_attached_is_not_loaded(void **unused)
{
	struct smtpl_meta meta = {.pid = 7, .percent = 60, .heartbeat_ns = NS_PER_S};
	json_t *root;

	(void)unused;
	status_meta(&status, &meta);
	assert_false(status.file_differs);
	root = status_json();
	assert_true(json_is_false(json_object_get(root, "loaded")));
	assert_int_equal(json_integer_value(json_object_get(root, "percent")), 50);
	json_decref(root);
	expect_text("smtplimit is not loaded on this host");
	status.daemon_lock_pid = 77;
	expect_text("daemon: starting, pid 77\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STATUS_TEST(rule_in_force_is_shown),
		STATUS_TEST(window_in_force_slides),
		STATUS_TEST(every_difference_is_seen),
		STATUS_TEST_UNLOADED(not_attached_is_not_loaded),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
