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

/* All counts are taken in: the maps begin with them. */
int state_accept_counts(struct state *state);

#endif
