// SPDX-License-Identifier: GPL-2.0-only
/*
 * state_remotes.c - the alarms about remotes in the state database. One row for each remote and
 * kind of alarm.
 */
#include "base/clock.h"
#include "state_db.h"
#include "state_remotes.h"

const char *state_remote_does(enum pipeline_alarm kind)
{
	switch (kind) {
	case PIPELINE_ALARM_NO_ANSWER:
		return "answers"; /* of "no remote" */
	case PIPELINE_ALARM_LISTED:
		return "refuses this server for";
	default:
		return "defers or refuses the mail of";
	}
}

/* Rows of the future are of before the clock was set back. */
static int trim(struct state *state, int64_t now_s)
{
	struct state_row row;
	int r = state_row(state, STATE_SQL_TRIM_REMOTES, &row);

	if (r)
		return r;
	state_row_int(&row, now_s - STATE_REMOTES_S);
	state_row_int(&row, now_s);
	state_row_int(&row, STATE_REMOTES_MAX);
	return state_row_write(&row, false);
}

int state_put_remote(struct state *state, const struct state_remote *remote)
{
	struct state_row row;
	int r = state_row(state, STATE_SQL_PUT_REMOTE, &row);

	if (r)
		return r;
	state_row_int(&row, remote->kind);
	state_row_text(&row, remote->remote, sizeof(remote->remote));
	state_row_int(&row, remote->accounts);
	state_row_int(&row, remote->tried);
	state_row_text(&row, remote->text, sizeof(remote->text));
	state_row_int(&row, remote->last_wall_s);
	state_row_int(&row, STATE_REMOTES_GAP_S);
	r = state_row_write(&row, false);
	return r ? r : trim(state, remote->last_wall_s);
}

static bool get_remote(struct state_row *row, struct state_remote *remote)
{
	int64_t kind = state_get_int(row);

	if (!state_get_text(row, remote->remote, sizeof(remote->remote)) ||
	    !state_get_u32(row, &remote->accounts) || !state_get_u32(row, &remote->tried) ||
	    !state_get_text(row, remote->text, sizeof(remote->text)))
		return false;
	remote->since_wall_s = state_get_int(row);
	remote->last_wall_s = state_get_int(row);
	remote->kind = kind;
	return kind >= PIPELINE_ALARM_TROUBLE && kind <= PIPELINE_ALARM_LISTED &&
	       remote->since_wall_s >= 0 && remote->since_wall_s <= remote->last_wall_s;
}

static int each_row(struct state_row *row,
		    int (*each)(void *arg, const struct state_remote *remote), void *arg)
{
	struct state_remote remote;
	int r;

	while ((r = state_row_next(row)) > 0) {
		if (!get_remote(row, &remote)) {
			row->state->skipped++;
			continue;
		}
		r = each(arg, &remote);
		if (r)
			break;
	}
	return r;
}

int state_each_remote(struct state *state,
		      int (*each)(void *arg, const struct state_remote *remote), void *arg)
{
	struct state_clock now;
	struct state_row row;
	int64_t now_s;
	int r;

	if (!state_has_table(state, "remotes"))
		return 0;
	r = state_clock_now(state, &now);
	if (!r)
		r = state_row(state, STATE_SQL_EACH_REMOTE, &row);
	if (r)
		return r;
	now_s = now.wall_ns / NS_PER_S;
	state_row_int(&row, now_s - STATE_REMOTES_S);
	state_row_int(&row, now_s);
	r = each_row(&row, each, arg);
	state_row_end(&row);
	return r;
}
