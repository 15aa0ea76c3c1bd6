// SPDX-License-Identifier: GPL-2.0-only
/*
 * order_test.c - an order that the command carries out by itself, with nothing loaded: it is saved
 * for the next start, unless it was given too long ago.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <time.h>
#include <cmocka.h>
#include "lib/state_fixture.h"
#include "cli/order.h"

#define ALICE 4000001 /* without a passwd entry */

static struct order order_sample(bool suspend, time_t created_wall_s)
{
	struct order o = {
		.what = {.account = uid_account(ALICE),
			 .suspend = suspend,
			 .for_s = 600,
			 .created_wall_s = created_wall_s},
		.name = "uid:4000001",
	};

	snprintf(o.config.run, sizeof(o.config.run), "%s/run", directory);
	assert_int_equal(state_open(path, STATE_WRITE, &o.state), 0);
	return o;
}

static void expect(bool suspend, time_t created_wall_s, enum cmd_exit exit, bool suspended)
{
	static struct order o;
	struct state_suspension s;

	o = order_sample(suspend, created_wall_s);
	assert_int_equal(order_run(&o), exit);
	assert_int_equal(order_suspended(&o, &s), suspended);
	order_end(&o);
}

static void carried_out_without_a_daemon(void **unused)
{
	(void)unused;
	expect(true, time(NULL), CMD_DONE, true);
	expect(false, time(NULL), CMD_DONE, false);
}

static void not_when_it_is_old(void **unused)
{
	(void)unused;
	expect(true, time(NULL) - 2 * STATE_ORDER_FRESH_S, CMD_FAILED, false);
	expect(true, time(NULL), CMD_DONE, true);
	expect(false, time(NULL) - 2 * STATE_ORDER_FRESH_S, CMD_FAILED, true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STATE_TEST(carried_out_without_a_daemon),
		STATE_TEST(not_when_it_is_old),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
