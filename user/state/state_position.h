/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * state_position.h - up to where the log of a mail server was read, in the state database.
 */
#ifndef SMTPL_STATE_POSITION_H
#define SMTPL_STATE_POSITION_H

#include <stddef.h>
#include "state.h"

/* source: "postfix". Put it within the transaction of the reports that were read. 0 or -errno. */
int state_put_position(struct state *state, const char *source, const char *position);
/* -ENOENT: none was saved. */
int state_get_position(struct state *state, const char *source, char *position, size_t size);

#endif
