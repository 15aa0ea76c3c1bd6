/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * state_feeds.h - mail servers' feeds in the state database: what they told per account and sender
 * domain, which attempts of the kernel's counts that set aside, and the feeds themselves. A database
 * of an earlier version has nothing of it.
 */
#ifndef SMTPL_STATE_FEEDS_H
#define SMTPL_STATE_FEEDS_H

#include "core/pipeline.h"
#include "state.h"

/* Sender domains of one account; further ones are counted under "". */
#define STATE_TOLD_PER_ACCOUNT 256
/* Rows in all; past it those that changed longest ago are forgotten. */
#define STATE_TOLD_MAX 262144

struct state_feed {
	struct pipeline_feed known; /* times in boot time of now, 0: before this boot */
	int64_t told_wall_s;        /* Unix time; 0: never */
	int64_t changed_wall_s;
};

/* Adds to the row. */
int state_add_told(struct state *state, const struct account_id *account, const char *domain,
		   const struct told_counts *more);
int state_put_aside(struct state *state, uint32_t uid, const char *domain,
		    const struct smtpl_totals *aside);
int state_put_feed(struct state *state, const struct pipeline_feed *feed);
/* Of counts that the maps know nothing of. */
int state_clear_told(struct state *state);

/* As the state_each calls of state.h. */
int state_each_told(struct state *state,
		    int (*each)(void *arg, const struct account_id *account, const char *domain,
				const struct told_counts *counts),
		    void *arg);
int state_each_aside(struct state *state,
		     int (*each)(void *arg, uint32_t uid, const char *domain,
				 const struct smtpl_totals *aside),
		     void *arg);
int state_each_feed(struct state *state, int (*each)(void *arg, const struct state_feed *feed),
		    void *arg);

#endif
