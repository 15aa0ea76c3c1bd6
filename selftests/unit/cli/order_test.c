// SPDX-License-Identifier: GPL-2.0-only
/*
 * order_test.c - an order that the command carries out by itself, with nothing loaded: it is saved
 * for the next start, unless its account can never be refused.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <time.h>
#include <cmocka.h>
#include "lib/state_fixture.h"
#include "cli/order.h"
#include "state/state_owners.h"

/* Without a passwd entry. */
#define ALICE  4000001
#define RELAY  4000010
#define EXEMPT 4000020

static struct order order_sample(bool suspend)
{
	struct order o = {
		.what = {.account = uid_account(ALICE), .suspend = suspend, .for_s = 600},
		.name = "uid:4000001",
	};

	snprintf(o.config.run, sizeof(o.config.run), "%s/run", directory);
	snprintf(o.config.state, sizeof(o.config.state), "%s/state", directory);
	assert_int_equal(order_open_state(&o, STATE_WRITE), 0);
	return o;
}

static void expect(bool suspend, enum cmd_exit exit, bool suspended)
{
	static struct order o;
	struct state_suspension s;

	o = order_sample(suspend);
	assert_int_equal(order_run(&o), exit);
	assert_int_equal(order_suspended(&o, &s), suspended);
	order_end(&o);
}

static void carried_out_without_a_daemon(void **unused)
{
	(void)unused;
	expect(true, CMD_DONE, true);
	expect(false, CMD_DONE, false);
}

static int look_at_window(void *arg, const struct account_id *account, const char *own_domain,
			  struct window *window)
{
	(void)arg;
	assert_true(
		account_equal(account, &(struct account_id){.kind = ACCOUNT_UID, .uid = ALICE}));
	assert_string_equal(own_domain, "a.example");
	assert_int_equal(window_counts(window).deferred + window_counts(window).failed, 0);
	assert_non_null(window_mail(window, NULL));
	assert_int_equal(window_mail(window, NULL)->outcome, SMTP_DEFERRED);
	assert_null(window_mail(window, window_mail(window, NULL)));
	window_clear(window);
	return 1;
}

/* What the queue still has is not taken for new mail at the next start. */
static void release_keeps_pending_mails(void **unused)
{
	int64_t now_s = clock_boot_ns() / NS_PER_S;
	static struct order o;
	struct window w = {0};

	(void)unused;
	expect(true, CMD_DONE, true);
	o = order_sample(false);
	add(&w, now_s, 1, SMTP_DEFERRED);
	add(&w, now_s, 2, SMTP_FAILED);
	assert_int_equal(state_put_window(o.state, &o.what.account, "a.example", &w), 0);
	window_clear(&w);
	assert_int_equal(order_run(&o), CMD_DONE);
	assert_int_equal(state_each_window(o.state, look_at_window, NULL), 1);
	order_end(&o);
}

/* The owners of the last time that they were saved; who is a relay or exempt is of now. */
static void save_owners(void)
{
	struct owners *owners = owners_new();
	struct state *state = NULL;

	assert_int_equal(state_open(path, STATE_WRITE, &state), 0);
	assert_int_equal(owners_add(owners, "a.example", ALICE), 0);
	assert_int_equal(owners_add(owners, "relay.example", RELAY), 0);
	assert_int_equal(owners_add(owners, "exempt.example", EXEMPT), 0);
	assert_int_equal(state_put_owners(state, owners), 0);
	owners_free(owners);
	state_close(state);
}

static void expect_suspend(struct account_id account, enum cmd_exit exit, const char *why)
{
	static struct order o;
	struct state_suspension s;

	o = order_sample(true);
	o.what.account = account;
	o.config.relays = (struct config_uids){.uid = {RELAY}, .count = 1};
	o.config.exempts = (struct config_uids){.uid = {EXEMPT}, .count = 1};
	assert_int_equal(order_run(&o), exit);
	assert_string_equal(o.why, why);
	assert_int_equal(order_suspended(&o, &s), exit == CMD_DONE);
	order_end(&o);
}

/* A domain is suspended by its own name where it pays for itself. */
static void domains_of_others(void **unused)
{
	(void)unused;
	save_owners();
	expect_suspend(domain_account("o.example"), CMD_DONE, "");
	expect_suspend(domain_account("a.example"), CMD_FAILED,
		       "it belongs to uid:4000001: suspend that account");
	expect_suspend(domain_account("exempt.example"), CMD_FAILED,
		       "it belongs to uid:4000020: suspend that account");
	/* Its owner has become a relay since, who can't be suspended in its place. */
	expect_suspend(domain_account("relay.example"), CMD_DONE, "");
	expect_suspend(uid_account(RELAY), CMD_FAILED, "");
	expect_suspend(uid_account(EXEMPT), CMD_FAILED, "");
	expect_suspend(uid_account(0), CMD_FAILED, "");
	expect_suspend(uid_account(ALICE), CMD_DONE, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STATE_TEST(carried_out_without_a_daemon),
		STATE_TEST(release_keeps_pending_mails),
		STATE_TEST(domains_of_others),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
