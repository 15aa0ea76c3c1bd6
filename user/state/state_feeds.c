// SPDX-License-Identifier: GPL-2.0-only
/*
 * state_feeds.c - what mail servers reported, what their reports supersede, and their feeds in the
 * state database.
 */
#include <errno.h>
#include <string.h>
#include "state_db.h"
#include "state_feeds.h"

#define TRIM_EVERY 4096 /* puts */

/* Deletes rows beyond the bound, down to three quarters of it. */
static int trim_relay_counts(struct state *state)
{
	struct state_row row;
	int r;

	if (state->relay_count_puts++ % TRIM_EVERY)
		return 0;
	r = state_row(state, STATE_SQL_TRIM_RELAY_COUNTS, &row);
	if (r)
		return r;
	state_row_int(&row, STATE_RELAY_COUNTS_MAX);
	state_row_int(&row, STATE_RELAY_COUNTS_MAX / 4 * 3);
	return state_row_write(&row, false);
}

int state_add_relay_count(struct state *state, const struct account_id *account, const char *domain,
			  const struct relay_count *more)
{
	const uint64_t values[] = {more->delivered, more->deferred, more->failed,
				   more->unknown,   more->refused,  more->bypass};
	struct state_clock now;
	struct state_row row;
	int r = state_clock_now(state, &now);

	if (!r)
		r = trim_relay_counts(state);
	if (!r)
		r = state_row(state, STATE_SQL_ADD_RELAY_COUNTS, &row);
	if (r)
		return r;
	state_row_account(&row, account);
	state_row_text(&row, domain, SMTPL_DOMAIN_SIZE);
	state_row_int(&row, STATE_RELAY_COUNTS_PER_ACCOUNT);
	state_row_int(&row, now.wall_ns);
	for (size_t i = 0; i < sizeof(values) / sizeof(*values); i++)
		state_row_int(&row, values[i]);
	return state_row_write(&row, false);
}

int state_put_superseded(struct state *state, uint32_t uid, const char *domain,
			 const struct smtpl_totals *superseded)
{
	struct state_row row;
	int r = state_row(state, STATE_SQL_PUT_SUPERSEDED, &row);

	if (r)
		return r;
	state_row_int(&row, uid);
	state_row_text(&row, domain, SMTPL_DOMAIN_SIZE);
	state_row_int(&row, superseded->delivered);
	state_row_int(&row, superseded->deferred);
	state_row_int(&row, superseded->failed);
	state_row_int(&row, superseded->unknown);
	return state_row_write(&row, false);
}

int state_put_feed(struct state *state, const struct pipeline_feed *feed)
{
	struct state_clock now;
	struct state_row row;
	int r = state_clock_now(state, &now);

	if (!r)
		r = state_row(state, STATE_SQL_PUT_FEED, &row);
	if (r)
		return r;
	state_row_int(&row, feed->relay_uid);
	state_row_stamp(&row, &now);
	state_row_int(&row, feed->mta);
	state_row_int(&row, feed->running ? 1 : -(int64_t)feed->stop);
	state_row_int(&row, feed->told_ns);
	state_row_int(&row, feed->changed_ns);
#define PUT_STAT(name, text) state_row_int(&row, feed->stats.name);
	PIPELINE_FEED_STATS(PUT_STAT)
#undef PUT_STAT
	return state_row_write(&row, false);
}

int state_clear_relay_counts(struct state *state)
{
	int rc = sqlite3_exec(state->db, "DELETE FROM told; DELETE FROM aside", NULL, NULL, NULL);

	return rc == SQLITE_OK ? 0 : state_fail(state, rc, "forgetting what was told");
}

/* ---- reading ---- */

static bool get_counts(struct state_row *row, uint64_t *const values[], size_t count)
{
	for (size_t i = 0; i < count; i++) {
		int64_t value = state_get_int(row);

		if (value < 0)
			return false;
		*values[i] = value;
	}
	return true;
}

static bool get_relay_count(struct state_row *row, struct account_id *account,
			    char domain[SMTPL_DOMAIN_SIZE], struct relay_count *counts)
{
	uint64_t *const values[] = {&counts->delivered, &counts->deferred, &counts->failed,
				    &counts->unknown,	&counts->refused,  &counts->bypass};

	return state_get_account(row, account) && state_get_text(row, domain, SMTPL_DOMAIN_SIZE) &&
	       get_counts(row, values, sizeof(values) / sizeof(*values));
}

int state_each_relay_count(struct state *state,
			   int (*each)(void *arg, const struct account_id *account,
				       const char *domain, const struct relay_count *counts),
			   void *arg)
{
	char domain[SMTPL_DOMAIN_SIZE];
	struct account_id account;
	struct relay_count counts;
	struct state_row row;
	int r;

	if (!state_has_table(state, "told"))
		return 0;
	r = state_row(state, STATE_SQL_EACH_RELAY_COUNT, &row);
	if (r)
		return r;
	while ((r = state_row_next(&row)) > 0) {
		if (!get_relay_count(&row, &account, domain, &counts)) {
			state->skipped++;
			continue;
		}
		r = each(arg, &account, domain, &counts);
		if (r)
			break;
	}
	state_row_end(&row);
	return r;
}

int state_each_sent(struct state *state, int64_t since_wall_ns,
		    int (*each)(void *arg, uint32_t uid, const char *domain), void *arg)
{
	char domain[SMTPL_DOMAIN_SIZE];
	struct state_row row;
	uint32_t uid;
	int r;

	if (!state_has_table(state, "told"))
		return 0;
	r = state_row(state, STATE_SQL_EACH_SENT, &row);
	if (r)
		return r;
	state_row_int(&row, since_wall_ns);
	state_row_int(&row, ACCOUNT_UID);
	state_row_int(&row, since_wall_ns);
	while ((r = state_row_next(&row)) > 0) {
		if (!state_get_u32(&row, &uid) || !state_get_text(&row, domain, sizeof(domain))) {
			state->skipped++;
			continue;
		}
		r = each(arg, uid, domain);
		if (r)
			break;
	}
	state_row_end(&row);
	return r;
}

static bool get_superseded(struct state_row *row, uint32_t *uid, char domain[SMTPL_DOMAIN_SIZE],
			   struct smtpl_totals *superseded)
{
	uint64_t delivered, deferred, failed, unknown;
	uint64_t *const values[] = {&delivered, &deferred, &failed, &unknown};

	if (!state_get_u32(row, uid) || !state_get_text(row, domain, SMTPL_DOMAIN_SIZE) ||
	    !get_counts(row, values, sizeof(values) / sizeof(*values)))
		return false;
	*superseded = (struct smtpl_totals){delivered, deferred, failed, unknown};
	return true;
}

int state_each_superseded(struct state *state,
			  int (*each)(void *arg, uint32_t uid, const char *domain,
				      const struct smtpl_totals *superseded),
			  void *arg)
{
	char domain[SMTPL_DOMAIN_SIZE];
	struct smtpl_totals superseded;
	struct state_row row;
	uint32_t uid;
	int r;

	if (!state_has_table(state, "aside"))
		return 0;
	r = state_row(state, STATE_SQL_EACH_SUPERSEDED, &row);
	if (r)
		return r;
	while ((r = state_row_next(&row)) > 0) {
		if (!get_superseded(&row, &uid, domain, &superseded)) {
			state->skipped++;
			continue;
		}
		r = each(arg, uid, domain, &superseded);
		if (r)
			break;
	}
	state_row_end(&row);
	return r;
}

/* Reads a time as boot time and as Unix time; 0 stays 0. */
static bool get_time(struct state_row *row, const struct state_clock *now, int64_t shift_ns,
		     uint64_t *boot_ns, int64_t *wall_s)
{
	int64_t ns = state_get_int(row);
	__u64 moved_ns;

	*boot_ns = 0;
	*wall_s = 0;
	if (!ns)
		return true;
	if (!state_move_time(ns, shift_ns, &moved_ns))
		return false;
	*boot_ns = moved_ns;
	*wall_s = state_seconds(ns + shift_ns + (now->wall_ns - now->boot_ns));
	return true;
}

static bool get_feed(struct state_row *row, const struct state_clock *now, struct state_feed *feed)
{
	struct pipeline_feed *k = &feed->known;
#define STAT_AT(name, text) &k->stats.name,
	uint64_t *const values[] = {PIPELINE_FEED_STATS(STAT_AT)};
#undef STAT_AT
	int64_t shift_ns, state;

	if (!state_get_u32(row, &k->relay_uid) || !state_get_shift(row, now, &shift_ns) ||
	    !state_get_u32(row, &k->mta))
		return false;
	state = state_get_int(row);
	k->running = state == 1;
	k->stop = state < 0 && state > -PIPELINE_FEED_STOPS ? -state : PIPELINE_FEED_UNTOLD;
	return get_time(row, now, shift_ns, &k->told_ns, &feed->reported_wall_s) &&
	       get_time(row, now, shift_ns, &k->changed_ns, &feed->changed_wall_s) &&
	       get_counts(row, values, sizeof(values) / sizeof(*values));
}

int state_each_feed(struct state *state, int (*each)(void *arg, const struct state_feed *feed),
		    void *arg)
{
	struct state_feed feed;
	struct state_clock now;
	struct state_row row;
	int r;

	if (!state_has_table(state, "feeds"))
		return 0;
	r = state_clock_now(state, &now);
	if (!r)
		r = state_row(state, STATE_SQL_EACH_FEED, &row);
	if (r)
		return r;
	while ((r = state_row_next(&row)) > 0) {
		if (!get_feed(&row, &now, &feed)) {
			state->skipped++;
			continue;
		}
		r = each(arg, &feed);
		if (r)
			break;
	}
	state_row_end(&row);
	return r;
}
