/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * prober_budget.h - limits the probing. The kernel needs more time to take probes out than to put
 * them in, and does it in the background; so what is put in is limited, for all and for each
 * sender, so that one customer does not use up the budget of all.
 *
 * A bucket is the one number of the generic cell rate algorithm: when it will be full again.
 */
#ifndef SMTPL_PROBER_BUDGET_H
#define SMTPL_PROBER_BUDGET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "headers/tls.h"

#define PROBER_BUDGET_UIDS 1024

struct prober_limit {
	uint32_t per_s;
	uint32_t burst;
};

struct prober_bucket {
	uint64_t full_ns;
};

struct prober_uid {
	uint32_t uid;
	uint64_t used_ns; /* 0: a free place */
	struct prober_bucket attach;
	struct prober_bucket work;
};

struct prober_budget {
	struct prober_limit attach; /* loads of probes */
	uint32_t processes_max;	    /* with probes at a time */
	struct prober_bucket all;
	struct prober_uid uids[PROBER_BUDGET_UIDS];
};

/* Take `count` from the bucket, if it has them. */
bool prober_bucket_take(struct prober_bucket *bucket, const struct prober_limit *limit,
			uint32_t count, uint64_t now_ns);

void prober_budget_init(struct prober_budget *budget, enum smtpl_tls_way way);

/* May a process get so many more probes? free: a mail server's, which needs no share of its own.
 * Takes them: up to 16, more than a TLS library has, are one load. */
bool prober_budget_attach(struct prober_budget *budget, uint32_t uid, bool free, uint32_t probes,
			  uint64_t now_ns);

/* Of `max` places that all have, `all` are taken, `own` of these by one sender: may it take
 * another? It never has more than are free. */
bool prober_budget_share(uint32_t own, uint32_t all, uint32_t max);

/* May its processes be scanned, after all the work that they made? `worked` adds to it
 * afterwards. */
bool prober_budget_work(struct prober_budget *budget, uint32_t uid, uint64_t now_ns);
void prober_budget_worked(struct prober_budget *budget, uint32_t uid, uint64_t took_ns,
			  uint64_t now_ns);

#endif
