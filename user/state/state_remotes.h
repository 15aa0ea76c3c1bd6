/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * state_remotes.h - the alarms of the last 24 hours about remotes, in the state database: what many
 * accounts met there, so that it was charged to none. Times are Unix time, by the clock of their
 * moment.
 */
#ifndef SMTPL_STATE_REMOTES_H
#define SMTPL_STATE_REMOTES_H

#include "core/pipeline.h"
#include "core/remote.h"
#include "state.h"

/* Past either bound the oldest rows go. */
#define STATE_REMOTES_S	  (24 * 3600)
#define STATE_REMOTES_MAX 256

/* An alarm is given once an hour while its cause lasts: one that comes later than this begins anew.
 */
#define STATE_REMOTES_GAP_S (2 * 3600)

#define STATE_REMOTE_TEXT_SIZE (SMTPL_TEXT_SIZE + 24)

struct state_remote {
	enum pipeline_alarm kind;
	char remote[REMOTE_NAME_SIZE];	   /* untrusted bytes; "": it is about no single one */
	uint32_t accounts;		   /* that met it */
	uint32_t tried;			   /* of so many that tried the remote lately */
	char text[STATE_REMOTE_TEXT_SIZE]; /* the last reply with its codes: untrusted bytes */
	int64_t since_wall_s; /* the first alarm; the put ignores it and keeps the row's */
	int64_t last_wall_s;
};

/* What stands between the remote's name and "14 of 20 accounts": "refuses this server for". */
const char *state_remote_does(enum pipeline_alarm kind);

int state_put_remote(struct state *state, const struct state_remote *remote);
/* Those of the last 24 hours, the newest first. As the state_each calls of state.h. A database of
 * an earlier version has none. */
int state_each_remote(struct state *state,
		      int (*each)(void *arg, const struct state_remote *remote), void *arg);

#endif
