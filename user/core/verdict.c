// SPDX-License-Identifier: GPL-2.0-only
/*
 * verdict.c - the rule: when is an account suspended. Pure.
 *
 * Nothing here overflows: a window has at most 86400 slots of 32-bit counts, so its sums stay below
 * 2^50 and 2000 times one of them below 2^61.
 */
#include "verdict.h"

struct verdict verdict_decide(const struct window_counts *counts, const struct verdict_rule *rule)
{
	struct verdict verdict = {.bad = counts->deferred + counts->failed};
	uint64_t total = verdict.bad + counts->delivered;

	if (total == 0)
		return verdict;
	verdict.percent = 100 * verdict.bad / total;
	/* The rule's percent is whole, so comparing with the cut one is exact. */
	verdict.suspend = verdict.bad >= rule->min_failures && verdict.percent >= rule->percent;
	return verdict;
}

int verdict_permille(const struct window_counts *counts)
{
	uint64_t bad = counts->deferred + counts->failed;
	uint64_t total = bad + counts->delivered;

	if (total == 0)
		return -1;
	return (2000 * bad + total) / (2 * total);
}
