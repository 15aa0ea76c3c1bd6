// SPDX-License-Identifier: GPL-2.0-only
/*
 * daemon_orders.c - orders of the command line, taken from the socket `order` and carried out while
 * the command waits. None of it needs the disk: what cannot be saved is said, and tried on.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include "base/clock.h"
#include "base/log.h"
#include "config/config_account.h"
#include "daemon.h"
#include "refuse/suspension.h"

static int order_suspend(struct daemon *d, const struct suspension_order *order)
{
	const struct verdict_rule *rule =
		config_account_rule(&d->config, &order->account, time(NULL));
	struct state_suspension s = suspension_by_hand(order, rule, clock_boot_ns());
	struct account *account = accounts_find(pipeline_accounts(d->pipeline), &order->account);
	int err;

	if (account)
		suspension_figures(&s, &account->window, rule, clock_boot_ns() / NS_PER_S);
	daemon_name_account(d, &order->account, s.domain);
	err = daemon_suspend(d, &s);
	if (err)
		return err;
	pipeline_suspend(d->pipeline, &order->account, s.kernel.until_ns);
	/* It may have become known only now. */
	daemon_name_account(d, &order->account, s.domain);
	daemon_notice_suspended(d, &s, DAEMON_SUSPENDED_BY_HAND);
	return 0;
}

/* The file `suspended` follows with the next tick. */
static struct order_answer carry_out(struct daemon *d, const struct suspension_order *order)
{
	struct order_answer answer = {0};
	struct suspension_result r;
	int err;

	if (order->suspend) {
		answer.done = order_suspend(d, order);
	} else {
		r = daemon_lift(d, &order->account, "released by hand");
		answer.done = r.maps;
		answer.saved = r.saved;
	}
	err = daemon_save(d);
	answer.saved = answer.saved ? answer.saved : err;
	if (answer.saved)
		snprintf(answer.why, sizeof(answer.why), "%s", state_error(d->state));
	return answer;
}

static void take_orders(struct daemon *d, struct daemon_source *source)
{
	struct suspension_order order;
	struct order_answer answer;
	int fd;

	fd = order_socket_take(source->fd, &order);
	if (fd == -ECANCELED)
		log_warning("an order that nobody waits for any more is not carried out");
	if (fd < 0)
		return;
	answer = carry_out(d, &order);
	order_socket_answer(fd, &answer);
}

int daemon_orders_start(struct daemon *d)
{
	int fd = order_socket_listen(d->config.run);

	if (fd >= 0) {
		d->loop.orders = (struct daemon_source){.fd = fd, .serve = take_orders};
		return daemon_watch(d, &d->loop.orders);
	}
	log_error("suspend and release cannot reach the daemon: \"%s/" ORDER_SOCKET "\": %s",
		  d->config.run, strerror(-fd));
	return fd;
}
