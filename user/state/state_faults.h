/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * state_faults.h - the faults of this host (core/own_fault.h) of the last 24 hours in the state
 * database, a row for each kind: how many deliveries they kept back, which were charged to nobody.
 * Times are Unix time, by the clock of their moment.
 */
#ifndef SMTPL_STATE_FAULTS_H
#define SMTPL_STATE_FAULTS_H

#include "core/own_fault.h"
#include "state.h"

#define STATE_FAULTS_S (24 * 3600)

/* A fault that comes later than this after the last begins anew. */
#define STATE_FAULTS_GAP_S (2 * 3600)

struct state_fault {
	enum own_fault fault;
	int64_t attempts;	    /* since then; the put adds to the row's */
	char text[SMTPL_TEXT_SIZE]; /* the last: untrusted bytes */
	int64_t since_wall_s;	    /* the put ignores it and keeps the row's */
	int64_t last_wall_s;
};

int state_put_fault(struct state *state, const struct state_fault *fault);
/* The newest first. As the state_each calls of state.h. A database of an earlier version has
 * none. */
int state_each_fault(struct state *state, int (*each)(void *arg, const struct state_fault *fault),
		     void *arg);

#endif
