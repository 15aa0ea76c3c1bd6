// SPDX-License-Identifier: GPL-2.0-only
/*
 * state_faults.c - faults of this host in the state database.
 */
#include "base/clock.h"
#include "state_db.h"
#include "state_faults.h"

#define NAME_SIZE 16

int state_put_fault(struct state *state, const struct state_fault *fault)
{
	struct state_row row;
	int r = state_row(state, STATE_SQL_PUT_FAULT, &row);

	if (r)
		return r;
	state_row_text(&row, own_fault_name(fault->fault), NAME_SIZE);
	state_row_int(&row, fault->attempts);
	state_row_text(&row, fault->text, sizeof(fault->text));
	state_row_int(&row, fault->last_wall_s);
	state_row_int(&row, STATE_FAULTS_GAP_S);
	return state_row_write(&row, false);
}

static bool get_fault(struct state_row *row, struct state_fault *fault)
{
	char name[NAME_SIZE];

	if (!state_get_text(row, name, sizeof(name)))
		return false;
	fault->fault = own_fault_by_name(name);
	fault->attempts = state_get_int(row);
	if (!state_get_text(row, fault->text, sizeof(fault->text)))
		return false;
	fault->since_wall_s = state_get_int(row);
	fault->last_wall_s = state_get_int(row);
	return fault->fault && fault->attempts >= 0 && fault->since_wall_s >= 0 &&
	       fault->since_wall_s <= fault->last_wall_s;
}

static int each_row(struct state_row *row, int (*each)(void *arg, const struct state_fault *fault),
		    void *arg)
{
	struct state_fault fault;
	int r;

	while ((r = state_row_next(row)) > 0) {
		if (!get_fault(row, &fault)) {
			row->state->skipped++;
			continue;
		}
		r = each(arg, &fault);
		if (r)
			break;
	}
	return r;
}

int state_each_fault(struct state *state, int (*each)(void *arg, const struct state_fault *fault),
		     void *arg)
{
	struct state_clock now;
	struct state_row row;
	int r;

	if (!state_has_table(state, "faults"))
		return 0;
	r = state_clock_now(state, &now);
	if (!r)
		r = state_row(state, STATE_SQL_EACH_FAULT, &row);
	if (r)
		return r;
	state_row_int(&row, now.wall_ns / NS_PER_S - STATE_FAULTS_S);
	state_row_int(&row, now.wall_ns / NS_PER_S);
	r = each_row(&row, each, arg);
	state_row_end(&row);
	return r;
}
