// SPDX-License-Identifier: GPL-2.0-only
/*
 * prober_budget.c - see prober_budget.h.
 */
#include <string.h>
#include "prober_budget.h"
#include "base/clock.h"

/* Scans of one sender's processes take a fifth of the time at most, and two seconds at once. */
#define WORK_SHARE    5
#define WORK_BURST_NS (2 * NS_PER_S)

#define LOAD_PROBES 16

/* Each perf uprobe costs the kernel's worker 110 ms to take out, and a library has about ten. */
static const struct prober_limit attach_multi = {.per_s = 50, .burst = 500};
static const struct prober_limit attach_perf = {.per_s = 1, .burst = 50};
static const struct prober_limit attach_uid = {.per_s = 10, .burst = 60};

static uint64_t later(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

bool prober_bucket_take(struct prober_bucket *bucket, const struct prober_limit *limit,
			uint32_t count, uint64_t now_ns)
{
	uint64_t each_ns = NS_PER_S / limit->per_s;
	uint64_t full_ns = later(bucket->full_ns, now_ns) + count * each_ns;

	if (full_ns - now_ns > limit->burst * each_ns)
		return false;
	bucket->full_ns = full_ns;
	return true;
}

void prober_budget_init(struct prober_budget *budget, enum smtpl_tls_way way)
{
	memset(budget, 0, sizeof(*budget));
	budget->attach = way == SMTPL_TLS_WAY_PERF ? attach_perf : attach_multi;
	budget->processes_max = way == SMTPL_TLS_WAY_PERF ? 64 : 1024;
}

/* The uid's place, or that of the uid not seen for the longest time. */
static struct prober_uid *place_of(struct prober_budget *budget, uint32_t uid, uint64_t now_ns)
{
	struct prober_uid *place = &budget->uids[0];

	for (size_t i = 0; i < PROBER_BUDGET_UIDS; i++) {
		struct prober_uid *u = &budget->uids[i];

		if (u->used_ns && u->uid == uid) {
			u->used_ns = now_ns;
			return u;
		}
		if (u->used_ns < place->used_ns)
			place = u;
	}
	*place = (struct prober_uid){.uid = uid, .used_ns = now_ns};
	return place;
}

bool prober_budget_attach(struct prober_budget *budget, uint32_t uid, bool free, uint32_t probes,
			  uint64_t now_ns)
{
	uint32_t loads = (probes + LOAD_PROBES - 1) / LOAD_PROBES;
	struct prober_bucket *own = free ? NULL : &place_of(budget, uid, now_ns)->attach;
	struct prober_bucket all = budget->all;

	if (!prober_bucket_take(&budget->all, &budget->attach, loads, now_ns))
		return false;
	if (!own || prober_bucket_take(own, &attach_uid, loads, now_ns))
		return true;
	budget->all = all;
	return false;
}

bool prober_budget_share(uint32_t own, uint32_t all, uint32_t max)
{
	return all < max && own < max - all;
}

bool prober_budget_work(struct prober_budget *budget, uint32_t uid, uint64_t now_ns)
{
	return place_of(budget, uid, now_ns)->work.full_ns <= now_ns + WORK_BURST_NS * WORK_SHARE;
}

void prober_budget_worked(struct prober_budget *budget, uint32_t uid, uint64_t took_ns,
			  uint64_t now_ns)
{
	struct prober_bucket *work = &place_of(budget, uid, now_ns)->work;

	work->full_ns = later(work->full_ns, now_ns) + took_ns * WORK_SHARE;
}
