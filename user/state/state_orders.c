// SPDX-License-Identifier: GPL-2.0-only
/*
 * state_orders.c - the orders that the command line leaves for the daemon, in the state database.
 */
#include <errno.h>
#include "state_db.h"

int state_put_order(struct state *state, const struct state_order *order, int64_t *id)
{
	struct state_row row;
	int r = state_row(state, STATE_SQL_PUT_ORDER, &row);

	if (r)
		return r;
	state_row_account(&row, &order->account);
	state_row_int(&row, order->suspend | order->tell << 1);
	state_row_int(&row, order->for_s);
	state_row_text(&row, order->reason, sizeof(order->reason));
	state_row_int(&row, order->created_wall_s);
	r = state_row_write(&row, true);
	if (!r)
		*id = sqlite3_last_insert_rowid(state->db);
	return r;
}

static bool get_order(struct state_row *row, struct state_order *order)
{
	int64_t suspend, for_s;
	bool account, reason;

	order->id = state_get_int(row);
	account = state_get_account(row, &order->account);
	suspend = state_get_int(row);
	for_s = state_get_int(row);
	order->suspend = suspend & 1;
	order->tell = suspend & 2;
	order->for_s = for_s;
	reason = state_get_text(row, order->reason, sizeof(order->reason));
	order->created_wall_s = state_get_int(row);
	return account && suspend >= 0 && suspend <= 3 && for_s >= 0 && reason;
}

/* Each order is looked up by itself, so that no statement is open while the callback writes. */
int state_each_order(struct state *state, int (*each)(void *arg, const struct state_order *order),
		     void *arg)
{
	struct state_order order = {0};
	struct state_row row;
	bool valid = false;
	int r;

	for (;;) {
		r = state_row(state, STATE_SQL_NEXT_ORDER, &row);
		if (r)
			return r;
		state_row_int(&row, order.id);
		r = state_row_next(&row);
		if (r > 0)
			valid = get_order(&row, &order);
		state_row_end(&row);
		if (r <= 0)
			return r;
		if (!valid) {
			state->skipped++;
			continue;
		}
		r = each(arg, &order);
		if (r)
			return r;
	}
}

int state_delete_order(struct state *state, int64_t id)
{
	struct state_row row;
	int r = state_row(state, STATE_SQL_DELETE_ORDER, &row);

	if (r)
		return r;
	state_row_int(&row, id);
	r = state_row_write(&row, true);
	if (!r && !sqlite3_changes(state->db))
		return state_errorf(state, -ENOENT, "order %lld is gone already", (long long)id);
	return r;
}

int state_order_pending(struct state *state, int64_t id)
{
	struct state_row row;
	int r = state_row(state, STATE_SQL_ORDER_PENDING, &row);

	if (r)
		return r;
	state_row_int(&row, id);
	r = state_row_next(&row);
	state_row_end(&row);
	return r;
}

bool state_order_stale(const struct state_order *order, int64_t now_wall_s)
{
	int64_t age_s;

	return __builtin_sub_overflow(now_wall_s, order->created_wall_s, &age_s) ||
	       age_s > STATE_ORDER_FRESH_S || age_s < -STATE_ORDER_FRESH_S;
}
