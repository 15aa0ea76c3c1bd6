/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * state_position.h - how far the log of a mail server was told, in the state database.
 */
#ifndef SMTPL_STATE_POSITION_H
#define SMTPL_STATE_POSITION_H

#include <stddef.h>
#include "state.h"

/* source: "postfix". Within the transaction of what was told. 0 or -errno. */
int state_put_position(struct state *state, const char *source, const char *position);
/* -ENOENT: none was saved. */
int state_get_position(struct state *state, const char *source, char *position, size_t size);

#endif
