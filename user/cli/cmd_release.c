// SPDX-License-Identifier: GPL-2.0-only
/*
 * cmd_release.c - `smtplimit release`: end an account's suspension; its window begins empty. One
 * that is not suspended is left as it is: what was asked for holds already.
 */
#include "base/log.h"
#include "order.h"

int cmd_release(struct cli *cli, int argc, char **argv)
{
	struct state_suspension suspension;
	static struct order order;
	bool suspended;
	int r;

	if (argc != 2 || argv[1][0] == '-') {
		log_error("release takes one account: want smtplimit release ACCOUNT");
		return CMD_USAGE;
	}
	r = order_begin(&order, cli, argv[0], argv[1]);
	if (r == CMD_DONE) {
		suspended = order_suspended(&order, &suspension);
		if (suspended)
			r = order_run(&order);
		if (r == CMD_DONE)
			order_print(&order, suspended);
	}
	order_end(&order);
	return r;
}
