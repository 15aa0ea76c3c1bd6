/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * history.h - how `smtplimit history` prints suspensions: a line each for people, an object each
 * for scripts. Pure: the clock is an argument, the time zone the process's.
 */
#ifndef SMTPL_HISTORY_H
#define SMTPL_HISTORY_H

#include <stddef.h>
#include <jansson.h>
#include "state/state_history.h"

/* "Tue 1 Dec 14:05 for 60 min, released after 12 min: 7/5 (58%)". Cut to fit. Returns text. */
#define HISTORY_LINE_SIZE 1280
char *history_line(const struct state_history *h, int64_t now_s, char text[HISTORY_LINE_SIZE]);

/* As smtplimit-json(5) has it; NULL: out of memory. */
json_t *history_json(const struct state_history *h);

/* From when on, in Unix time: "36h", "7d" or "2w" before now; "2026-12-01", and with " 14:05" or
 * "T14:05:00" behind it, in local time, or with a Z at the end in UTC. -EINVAL: not one of them. */
int history_since(const char *text, int64_t now_s, int64_t *since_s);

#endif
