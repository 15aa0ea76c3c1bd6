/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * state_history.h - suspensions after their end, in the state database; and those that were only
 * observed, because mode = observe refuses nobody.
 *
 * state_put_suspension() adds a row, with the end that the suspension will have if nobody ends it
 * sooner. So a row is complete from the start, whatever dies in between. Only an end before that
 * time changes it: state_delete_suspension() (it was released), or the next suspension of the
 * account (it was replaced). Times are Unix time, by the clock of their moment. A database of an
 * earlier version has no history.
 */
#ifndef SMTPL_STATE_HISTORY_H
#define SMTPL_STATE_HISTORY_H

#include "state.h"

/* Past any of these bounds the oldest rows go. The share of one account keeps it from pushing out
 * all others. */
#define STATE_HISTORY_S		  (90 * 24 * 3600ll)
#define STATE_HISTORY_PER_ACCOUNT 256
#define STATE_HISTORY_MAX	  65536

/* How a suspension ended. The numbers are in the database. */
enum state_history_end {
	STATE_HISTORY_RUNNING = 0, /* it has not; never in the database */
	STATE_HISTORY_OVER = 1,	   /* its time was over */
	STATE_HISTORY_RELEASED = 2,
	STATE_HISTORY_REPLACED = 3, /* by the next suspension of the account */
	STATE_HISTORY_ENDS,
};

struct state_history {
	struct account_id account;
	char domain[SMTPL_DOMAIN_SIZE]; /* the account's own, or "" */
	int64_t since_wall_s;
	int64_t until_wall_s; /* as it was at the beginning */
	int64_t ended_wall_s; /* 0: running */
	enum state_history_end end;
	uint32_t bad;
	uint32_t min;
	uint32_t percent;
	uint32_t by_hand;
	uint32_t observed; /* it would have been a suspension */
	char reason[256];
};

/* "running", "over", "released", "replaced" */
const char *state_history_end_name(enum state_history_end end);

/* Calls back for those of the account (NULL: of all) that began at since_wall_s or later, the
 * newest first; none is older than STATE_HISTORY_S. As the state_each calls of state.h. */
int state_each_history(struct state *state, const struct account_id *account, int64_t since_wall_s,
		       int (*each)(void *arg, const struct state_history *row), void *arg);

#endif
