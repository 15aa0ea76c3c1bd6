/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * notify_limit.h - one notice an hour of each kind for an account, or a remote. The 4,096 newest
 * are remembered. Pure.
 */
#ifndef SMTPL_NOTIFY_LIMIT_H
#define SMTPL_NOTIFY_LIMIT_H

#include <stdbool.h>
#include <stdint.h>
#include "notice.h"

#define NOTIFY_LIMIT_KEYS 4096
#define NOTIFY_LIMIT_MS	  (3600 * 1000ll)

struct notify_limit;

/* seed: random. NULL: no memory. */
struct notify_limit *notify_limit_new(uint64_t seed);
void notify_limit_free(struct notify_limit *l);
/* May this one be sent? *repeated: how many were not since the one before. */
bool notify_limit_pass(struct notify_limit *l, const struct notice *n, int64_t now_ms,
		       uint32_t *repeated);

#endif
