/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * state_feeds.h - mail servers' feeds in the state database: what they reported per account and
 * sender domain, which attempts of the kernel's counts those reports supersede, and the feeds
 * themselves. A database of an earlier version has none of it.
 */
#ifndef SMTPL_STATE_FEEDS_H
#define SMTPL_STATE_FEEDS_H

#include "core/pipeline.h"
#include "state.h"

/* Sender domains of one account; further ones are counted under "". */
#define STATE_RELAY_COUNTS_PER_ACCOUNT 256
/* Rows in all; past it those that changed longest ago are forgotten. */
#define STATE_RELAY_COUNTS_MAX 262144

/* In the column `running`: 1, or why not, negative. */
struct state_feed {
	struct pipeline_feed known; /* times in boot time of now, 0: before this boot */
	int64_t reported_wall_s;    /* Unix time; 0: never */
	int64_t changed_wall_s;
};

/* Adds `more` to the row of the account and sender domain. */
int state_add_relay_count(struct state *state, const struct account_id *account, const char *domain,
			  const struct relay_count *more);
int state_put_superseded(struct state *state, uint32_t uid, const char *domain,
			 const struct smtpl_totals *superseded);
int state_put_feed(struct state *state, const struct pipeline_feed *feed);
/* Deletes what belongs to counts of other maps. */
int state_clear_relay_counts(struct state *state);

/* As the state_each calls of state.h. */
int state_each_relay_count(struct state *state,
			   int (*each)(void *arg, const struct account_id *account,
				       const char *domain, const struct relay_count *counts),
			   void *arg);
/* The sender domains of each uid's mail that were counted or told of since then. */
int state_each_sent(struct state *state, int64_t since_wall_ns,
		    int (*each)(void *arg, uint32_t uid, const char *domain), void *arg);
int state_each_superseded(struct state *state,
			  int (*each)(void *arg, uint32_t uid, const char *domain,
				      const struct smtpl_totals *superseded),
			  void *arg);
int state_each_feed(struct state *state, int (*each)(void *arg, const struct state_feed *feed),
		    void *arg);

#endif
