/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * verdict.h - the rule: when is an account suspended. Pure.
 */
#ifndef SMTPL_VERDICT_H
#define SMTPL_VERDICT_H

#include <stdbool.h>
#include <stdint.h>
#include "window.h"

/* What a verdict is for. */
enum verdict_mode {
	VERDICT_ENFORCE = 0,
	VERDICT_OBSERVE = 1, /* logged and shown in the status, nobody is refused */
};

struct verdict_rule {
	int64_t window_s;      /* 1..86400 */
	int64_t suspend_s;     /* 1..2592000 */
	uint32_t percent;      /* 1..100 */
	uint32_t min_failures; /* 1..1000000 */
};

struct verdict {
	bool suspend;
	uint64_t bad;	  /* deferred + failed */
	uint32_t percent; /* cut to a whole number; 0 without a mail */
};

/* suspend: 100 * bad >= rule->percent * (bad + delivered), and bad >= rule->min_failures. */
struct verdict verdict_decide(const struct window_counts *counts, const struct verdict_rule *rule);

/* Percent in tenths, rounded half up, or -1 without a mail. */
int verdict_permille(const struct window_counts *counts);

#endif
