// SPDX-License-Identifier: GPL-2.0-only
/*
 * state_history.c - the history of suspensions in the state database. Its rows are written within
 * the transactions that write the suspensions, and are on the disk with them.
 */
#include "base/clock.h"
#include "state_db.h"
#include "state_history.h"

#define TRIM_EVERY 64 /* rows that are added; the bounds of age and number may wait so long */

const char *state_history_end_name(enum state_history_end end)
{
	static const char *const names[] = {
		[STATE_HISTORY_RUNNING] = "running",
		[STATE_HISTORY_OVER] = "over",
		[STATE_HISTORY_RELEASED] = "released",
		[STATE_HISTORY_REPLACED] = "replaced",
	};

	_Static_assert(sizeof(names) / sizeof(*names) == STATE_HISTORY_ENDS, "an end without name");
	return names[end];
}

static int64_t wall_s(int64_t boot_ns, const struct state_clock *now)
{
	return state_seconds(boot_ns - now->boot_ns + now->wall_ns);
}

/* The suspension before, if it is not over, ends where this one begins. */
static int replace(struct state *state, const struct state_suspension *s, int64_t since_s)
{
	struct state_row row;
	int r = state_row(state, STATE_SQL_REPLACE_HISTORY, &row);

	if (r)
		return r;
	state_row_account(&row, &s->account);
	state_row_int(&row, s->observed);
	state_row_int(&row, since_s);
	state_row_int(&row, STATE_HISTORY_REPLACED);
	return state_row_write(&row, false);
}

static int add(struct state *state, const struct state_suspension *s, int64_t since_s,
	       int64_t until_s)
{
	struct state_row row;
	int r = state_row(state, STATE_SQL_ADD_HISTORY, &row);

	if (r)
		return r;
	state_row_account(&row, &s->account);
	state_row_text(&row, s->domain, sizeof(s->domain));
	state_row_int(&row, since_s);
	state_row_int(&row, until_s);
	state_row_int(&row, until_s); /* the end that it will have */
	state_row_int(&row, STATE_HISTORY_OVER);
	state_row_int(&row, s->kernel.bad);
	state_row_int(&row, s->kernel.min);
	state_row_int(&row, s->kernel.percent);
	state_row_int(&row, s->kernel.by_hand);
	state_row_int(&row, s->observed);
	state_row_text(&row, s->reason, sizeof(s->reason));
	return state_row_write(&row, s->observed);
}

static int trim_account(struct state *state, const struct account_id *account)
{
	struct state_row row;
	int r = state_row(state, STATE_SQL_TRIM_HISTORY_ACCOUNT, &row);

	if (r)
		return r;
	state_row_account(&row, account);
	state_row_int(&row, STATE_HISTORY_PER_ACCOUNT);
	return state_row_write(&row, false);
}

static int trim(struct state *state, const struct state_clock *now)
{
	struct state_row row;
	int r;

	if (state->history_puts++ % TRIM_EVERY)
		return 0;
	r = state_row(state, STATE_SQL_TRIM_HISTORY, &row);
	if (r)
		return r;
	state_row_int(&row, wall_s(now->boot_ns, now) - STATE_HISTORY_S);
	state_row_int(&row, STATE_HISTORY_MAX);
	return state_row_write(&row, false);
}

int state_history_begin(struct state *state, const struct state_suspension *s)
{
	int64_t since_s, until_s;
	struct state_clock now;
	int r;

	if (!s->kernel.since_ns) /* it keeps the start, and so the row, that it has */
		return 0;
	r = state_clock_now(state, &now);
	if (r)
		return r;
	since_s = wall_s(s->kernel.since_ns, &now);
	until_s = wall_s(s->kernel.until_ns, &now);
	r = replace(state, s, since_s);
	if (!r)
		r = add(state, s, since_s, until_s);
	if (!r)
		r = trim_account(state, &s->account);
	return r ? r : trim(state, &now);
}

int state_history_end(struct state *state, const struct account_id *account)
{
	struct state_clock now;
	struct state_row row;
	int r = state_clock_now(state, &now);

	if (!r)
		r = state_row(state, STATE_SQL_END_HISTORY, &row);
	if (r)
		return r;
	state_row_account(&row, account);
	state_row_int(&row, wall_s(now.boot_ns, &now));
	state_row_text(&row, now.boot_id, sizeof(now.boot_id));
	state_row_int(&row, now.boot_ns);
	state_row_int(&row, STATE_HISTORY_OVER);
	state_row_int(&row, STATE_HISTORY_RELEASED);
	return state_row_write(&row, false);
}

static bool is_time(int64_t s)
{
	return s >= 0 && s <= INT64_MAX / NS_PER_S;
}

static bool get_history(struct state_row *row, int64_t now_s, struct state_history *h)
{
	uint32_t end;

	if (!state_get_account(row, &h->account) ||
	    !state_get_text(row, h->domain, sizeof(h->domain)))
		return false;
	h->since_wall_s = state_get_int(row);
	h->until_wall_s = state_get_int(row);
	h->ended_wall_s = state_get_int(row);
	if (!state_get_u32(row, &end) || !state_get_u32(row, &h->bad) ||
	    !state_get_u32(row, &h->min) || !state_get_u32(row, &h->percent) ||
	    !state_get_u32(row, &h->by_hand) || !state_get_u32(row, &h->observed) ||
	    !state_get_text(row, h->reason, sizeof(h->reason)))
		return false;
	if (!is_time(h->since_wall_s) || !is_time(h->until_wall_s) || !is_time(h->ended_wall_s))
		return false;
	h->end = end;
	if (h->ended_wall_s > now_s) {
		h->end = STATE_HISTORY_RUNNING;
		h->ended_wall_s = 0;
	}
	return end > STATE_HISTORY_RUNNING && end < STATE_HISTORY_ENDS;
}

static int each_row(struct state_row *row, int64_t now_s,
		    int (*each)(void *arg, const struct state_history *row), void *arg)
{
	struct state_history history;
	int r;

	while ((r = state_row_next(row)) > 0) {
		if (!get_history(row, now_s, &history)) {
			row->state->skipped++;
			continue;
		}
		r = each(arg, &history);
		if (r)
			break;
	}
	return r;
}

int state_each_history(struct state *state, const struct account_id *account, int64_t since_wall_s,
		       int (*each)(void *arg, const struct state_history *row), void *arg)
{
	static const struct account_id all = {0};
	struct state_clock now;
	struct state_row row;
	int64_t now_s;
	int r;

	if (!state_has_table(state, "history"))
		return 0;
	r = state_clock_now(state, &now);
	if (!r)
		r = state_row(state, STATE_SQL_EACH_HISTORY, &row);
	if (r)
		return r;
	now_s = wall_s(now.boot_ns, &now);
	state_row_account(&row, account ? account : &all);
	state_row_int(&row, since_wall_s);
	state_row_int(&row, now_s - STATE_HISTORY_S);
	r = each_row(&row, now_s, each, arg);
	state_row_end(&row);
	return r;
}
