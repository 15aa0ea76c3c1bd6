// SPDX-License-Identifier: GPL-2.0-only
/*
 * verdict.c - the rule: when is an account suspended. Pure.
 *
 * Nothing here overflows: a window has at most 86400 slots of 32-bit counts, so its sums stay below
 * 2^50 and 10000 times one of them below 2^64.
 */
#include "verdict.h"

static uint64_t larger(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/* The least number of failures that is over the line beside so many deliveries; never 0. */
static uint64_t line(uint64_t delivered, const struct verdict_rule *rule)
{
	uint64_t rest = 100 - rule->percent, least = larger(rule->min_failures, 1), lead;

	if (delivered && !rest)
		return UINT64_MAX;
	if (delivered)
		least = larger(least, (rule->percent * delivered + rest - 1) / rest);
	lead = rule->lead ? delivered + rule->lead : 0;
	return larger(least, lead < VERDICT_LEAD_FAILURES ? lead : VERDICT_LEAD_FAILURES);
}

/* Further mails to other unknown recipients until the second line; UINT64_MAX: no number suffices.
 */
static uint64_t until_second(const struct tally *t, const struct verdict_rule *rule)
{
	uint64_t share = rule->hard_percent * (t->delivered + t->deferred + t->failed);
	uint64_t rest = 100 - rule->hard_percent, more = 0;

	if (!rule->hard_recipients || (share > 100 * t->unknown && !rest))
		return UINT64_MAX;
	if (share > 100 * t->unknown)
		more = (share - 100 * t->unknown + rest - 1) / rest;
	return t->unknown < rule->hard_recipients ?
		       larger(more, rule->hard_recipients - t->unknown) :
		       more;
}

struct verdict verdict_decide(const struct tally *t, const struct verdict_rule *rule)
{
	uint64_t total = t->bad + t->delivered, least = line(t->delivered, rule);
	uint64_t first = t->bad >= least ? 0 : least == UINT64_MAX ? UINT64_MAX : least - t->bad;
	uint64_t second = until_second(t, rule);
	struct verdict v = {.bad = t->bad, .headroom = first < second ? first : second};

	if (total > 0)
		v.percent = 100 * t->bad / total;
	v.suspend = v.headroom == 0;
	v.near = rule->warn && rule->warn < 100 && t->bad > 0 &&
		 100 * t->bad >= (uint64_t)rule->warn * rule->min_failures &&
		 10000 * t->bad >= (uint64_t)rule->warn * rule->percent * total;
	return v;
}

/* What is not charged, and failures of one address, make fewer failures than there are mails, never
 * more; deliveries are exact. */
bool verdict_is_open(const struct window_counts *c, const struct verdict_rule *rule)
{
	uint64_t bad = c->deferred + c->failed, warn = rule->warn ? rule->warn : 100;

	if (rule->hard_recipients && bad >= rule->hard_recipients)
		return true;
	return 100 * bad >= warn * rule->min_failures &&
	       10000 * bad >= warn * rule->percent * (bad + c->delivered);
}

int verdict_permille(uint64_t bad, uint64_t delivered)
{
	uint64_t total = bad + delivered;

	if (total == 0)
		return -1;
	return (2000 * bad + total) / (2 * total);
}
