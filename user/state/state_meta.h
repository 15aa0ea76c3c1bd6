/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * state_meta.h - which maps the state database belongs to: the generation in smtpl_meta.
 */
#ifndef SMTPL_STATE_META_H
#define SMTPL_STATE_META_H

#include <stdint.h>
#include "state.h"

/* 0 in *generation: none was put yet. Return 0 or -errno. */
int state_get_generation(struct state *state, uint64_t *generation);
int state_put_generation(struct state *state, uint64_t generation);

/* The random number behind identities that are saved and that strangers must not foresee; made by
 * the first call. 0 or -errno. */
int state_get_seed(struct state *state, uint64_t *seed);

/* How long a call waits for another process that holds the database; then it is -EBUSY. */
void state_set_busy_ms(struct state *state, int ms);

/* Closing keeps the write-ahead log and its index: on a full disk there would be no room to make
 * them again, and nothing could be read. */
void state_keep_files(struct state *state);

/* Does the error mean that nothing can be written, but all can be read? */
bool state_is_full(int err);

/* Marks all counts as accounted, for maps that begin with them. */
int state_accept_counts(struct state *state);

#endif
