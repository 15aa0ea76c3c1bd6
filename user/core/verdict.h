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
	enum verdict_mode mode;
	uint32_t set_aside;  /* a bit 1 << enum reply_class: neither mail nor failure */
	uint32_t one_remote; /* soft failures at one remote: at most this percentage of the
				    * failures, 0..100; 100: off */
	uint32_t
		trouble_accounts; /* the breaker: accounts that fail at a remote, 2..1000; 0: off */
	uint32_t trouble_share;	  /* and their percentage of those that tried it, 1..100 */
	int64_t defer_grace_s;	  /* 0..3600 */
	uint32_t hard_recipients; /* different unknown recipients, 20..1000000; 0: off */
	uint32_t hard_percent;	  /* and their percentage of the mails, 1..100 */
	uint32_t warn; /* percentage of the way to the line, 1..99; 0 or 100: no notice */
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
