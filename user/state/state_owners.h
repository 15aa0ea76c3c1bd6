/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * state_owners.h - the owners of domains in the state database.
 */
#ifndef SMTPL_STATE_OWNERS_H
#define SMTPL_STATE_OWNERS_H

#include "owners/owners.h"
#include "state.h"

/* Replace the saved rows by those of the table (NULL: none), in a transaction of its own; rows that
 * are the same are not written. 0 or -errno: then nothing changed. */
int state_put_owners(struct state *state, const struct owners *owners);

/* In no order. A non-zero return of `each` ends the call and is returned. */
int state_each_owner(struct state *state, int (*each)(void *arg, const char *domain, uint32_t uid),
		     void *arg);

/* Add the saved rows to a table. 0 or -errno: then a part of them is there. */
int state_get_owners(struct state *state, struct owners *owners);

#endif
