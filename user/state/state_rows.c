// SPDX-License-Identifier: GPL-2.0-only
/*
 * state_rows.c - windows, counts and suspensions in the state database.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "state_db.h"

/* No time in a row is further from its boot than this, so that sums of two cannot overflow. */
#define TIME_MAX_NS (INT64_MAX / 4)

static int delete_row(struct state *state, enum state_statement which,
		      const struct account_id *account, bool durable)
{
	struct state_row row;
	int r = state_row(state, which, &row);

	if (r)
		return r;
	state_row_account(&row, account);
	return state_row_write(&row, durable);
}

int state_put_window(struct state *state, const struct account_id *account, const char *own_domain,
		     const struct window *window)
{
	struct state_clock now;
	struct state_row row;
	unsigned char *bytes;
	size_t size;
	int r;

	if (window_empty(window))
		return delete_row(state, STATE_SQL_DELETE_WINDOW, account, false);
	r = state_clock_now(state, &now);
	if (!r)
		r = state_window_pack(window, &bytes, &size);
	if (r)
		return r;
	r = state_row(state, STATE_SQL_PUT_WINDOW, &row);
	if (!r) {
		state_row_account(&row, account);
		state_row_text(&row, own_domain, SMTPL_DOMAIN_SIZE);
		state_row_stamp(&row, &now);
		state_row_blob(&row, bytes, size);
		r = state_row_write(&row, false);
	}
	free(bytes);
	return r;
}

int64_t state_seconds(int64_t ns)
{
	return ns / NS_PER_S - (ns % NS_PER_S < 0);
}

static int get_window(struct state_row *row, const struct state_clock *now,
		      struct account_id *account, char own_domain[SMTPL_DOMAIN_SIZE],
		      struct window *window)
{
	int64_t shift_ns;
	const void *bytes;

	if (!state_get_account(row, account) ||
	    !state_get_text(row, own_domain, SMTPL_DOMAIN_SIZE) ||
	    !state_get_shift(row, now, &shift_ns))
		return -EBADMSG;
	bytes = sqlite3_column_blob(row->statement, row->column);
	return state_window_unpack(bytes, sqlite3_column_bytes(row->statement, row->column),
				   state_seconds(shift_ns), window);
}

int state_each_window(struct state *state,
		      int (*each)(void *arg, const struct account_id *account,
				  const char *own_domain, struct window *window),
		      void *arg)
{
	char own_domain[SMTPL_DOMAIN_SIZE];
	struct account_id account;
	struct state_clock now;
	struct window window;
	struct state_row row;
	int r;

	r = state_clock_now(state, &now);
	if (!r)
		r = state_row(state, STATE_SQL_EACH_WINDOW, &row);
	if (r)
		return r;
	while ((r = state_row_next(&row)) > 0) {
		r = get_window(&row, &now, &account, own_domain, &window);
		if (r == -EBADMSG) {
			state->skipped++;
			continue;
		}
		if (!r)
			r = each(arg, &account, own_domain, &window);
		if (r)
			break;
	}
	state_row_end(&row);
	return r;
}

int state_put_count(struct state *state, const struct state_count *count)
{
	const struct smtpl_count *k = &count->kernel;
	const struct smtpl_totals *a = &count->accounted;
	const __u64 values[] = {k->connections, k->delivered, k->deferred, k->failed,  k->unknown,
				k->opaque,	k->refused,   k->last_ns,  k->domains, a->delivered,
				a->deferred,	a->failed,    a->unknown};
	struct state_clock now;
	struct state_row row;
	int r;

	r = state_clock_now(state, &now);
	if (!r)
		r = state_row(state, STATE_SQL_PUT_COUNT, &row);
	if (r)
		return r;
	state_row_int(&row, count->uid);
	state_row_text(&row, count->domain, sizeof(count->domain));
	state_row_stamp(&row, &now);
	for (size_t i = 0; i < sizeof(values) / sizeof(*values); i++)
		state_row_int(&row, values[i]);
	return state_row_write(&row, false);
}

static int delete_key(struct state *state, enum state_statement which, uint32_t uid,
		      const char *domain)
{
	struct state_row row;
	int r = state_row(state, which, &row);

	if (r)
		return r;
	state_row_int(&row, uid);
	state_row_text(&row, domain, SMTPL_DOMAIN_SIZE);
	return state_row_write(&row, false);
}

int state_delete_count(struct state *state, uint32_t uid, const char *domain)
{
	int r = delete_key(state, STATE_SQL_DELETE_COUNT, uid, domain);

	return r ? r : delete_key(state, STATE_SQL_DELETE_SUPERSEDED, uid, domain);
}

bool state_move_time(int64_t ns, int64_t shift_ns, __u64 *moved_ns)
{
	*moved_ns = 0;
	if (ns < -TIME_MAX_NS || ns > TIME_MAX_NS || shift_ns < -TIME_MAX_NS ||
	    shift_ns > TIME_MAX_NS)
		return false;
	if (ns + shift_ns > 0)
		*moved_ns = ns + shift_ns;
	return true;
}

static bool get_count(struct state_row *row, const struct state_clock *now,
		      struct state_count *count)
{
	struct smtpl_count *k = &count->kernel;
	struct smtpl_totals *a = &count->accounted;
	__u64 *const values[] = {&k->connections, &k->delivered, &k->deferred, &k->failed,
				 &k->unknown,	  &k->opaque,	 &k->refused,  &k->last_ns,
				 &k->domains,	  &a->delivered, &a->deferred, &a->failed,
				 &a->unknown};
	int64_t shift_ns;

	*count = (struct state_count){0}; /* what is not saved */
	if (!state_get_u32(row, &count->uid) ||
	    !state_get_text(row, count->domain, sizeof(count->domain)) ||
	    !state_get_shift(row, now, &shift_ns))
		return false;
	for (size_t i = 0; i < sizeof(values) / sizeof(*values); i++) {
		int64_t value = state_get_int(row);

		if (value < 0)
			return false;
		*values[i] = value;
	}
	return state_move_time(k->last_ns, shift_ns, &k->last_ns);
}

int state_each_count(struct state *state, int (*each)(void *arg, const struct state_count *count),
		     void *arg)
{
	struct state_count count;
	struct state_clock now;
	struct state_row row;
	int r;

	r = state_clock_now(state, &now);
	if (!r)
		r = state_row(state, STATE_SQL_EACH_COUNT, &row);
	if (r)
		return r;
	while ((r = state_row_next(&row)) > 0) {
		if (!get_count(&row, &now, &count)) {
			state->skipped++;
			continue;
		}
		r = each(arg, &count);
		if (r)
			break;
	}
	state_row_end(&row);
	return r;
}

int state_put_suspension(struct state *state, const struct state_suspension *suspension)
{
	const struct smtpl_suspension *k = &suspension->kernel;
	struct state_clock now;
	struct state_row row;
	int r;

	r = state_history_begin(state, suspension);
	if (suspension->observed)
		return r;
	if (!r)
		r = state_clock_now(state, &now);
	if (!r)
		r = state_row(state, STATE_SQL_PUT_SUSPENSION, &row);
	if (r)
		return r;
	state_row_account(&row, &suspension->account);
	state_row_stamp(&row, &now);
	state_row_int(&row, k->since_ns);
	state_row_int(&row, k->until_ns);
	state_row_int(&row, k->bad);
	state_row_int(&row, k->min);
	state_row_int(&row, k->percent);
	state_row_int(&row, k->by_hand);
	state_row_text(&row, suspension->domain, sizeof(suspension->domain));
	state_row_text(&row, suspension->reason, sizeof(suspension->reason));
	return state_row_write(&row, true);
}

int state_delete_suspension(struct state *state, const struct account_id *account)
{
	int r = state_history_end(state, account);

	return r ? r : delete_row(state, STATE_SQL_DELETE_SUSPENSION, account, true);
}

static bool get_suspension(struct state_row *row, const struct state_clock *now,
			   struct state_suspension *s)
{
	struct smtpl_suspension *k = &s->kernel;
	int64_t shift_ns, since_ns, until_ns;

	if (!state_get_account(row, &s->account) || !state_get_shift(row, now, &shift_ns))
		return false;
	since_ns = state_get_int(row);
	until_ns = state_get_int(row);
	if (!state_move_time(since_ns, shift_ns, &k->since_ns) ||
	    !state_move_time(until_ns, shift_ns, &k->until_ns))
		return false;
	s->since_wall_s = state_seconds(since_ns + shift_ns + (now->wall_ns - now->boot_ns));
	return state_get_u32(row, &k->bad) && state_get_u32(row, &k->min) &&
	       state_get_u32(row, &k->percent) && state_get_u32(row, &k->by_hand) &&
	       state_get_text(row, s->domain, sizeof(s->domain)) &&
	       state_get_text(row, s->reason, sizeof(s->reason));
}

int state_each_suspension(struct state *state,
			  int (*each)(void *arg, const struct state_suspension *suspension),
			  void *arg)
{
	struct state_suspension suspension = {0};
	struct state_clock now;
	struct state_row row;
	int r;

	r = state_clock_now(state, &now);
	if (!r)
		r = state_row(state, STATE_SQL_EACH_SUSPENSION, &row);
	if (r)
		return r;
	while ((r = state_row_next(&row)) > 0) {
		if (!get_suspension(&row, &now, &suspension)) {
			state->skipped++;
			continue;
		}
		r = each(arg, &suspension);
		if (r)
			break;
	}
	state_row_end(&row);
	return r;
}
