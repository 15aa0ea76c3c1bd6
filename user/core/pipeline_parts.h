/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * pipeline_parts.h - what a pipeline is made of. Shared by pipeline.c and pipeline_save.c alone.
 */
#ifndef SMTPL_PIPELINE_PARTS_H
#define SMTPL_PIPELINE_PARTS_H

#include "feeds.h"
#include "judge.h"
#include "ledger.h"
#include "sessions.h"

struct pipeline {
	struct judge judge;
	struct sessions *sessions;
	struct ledger *ledger;
	struct feeds *feeds;
	const struct reply_rows *replies;
	uint64_t identity_seed;
	uint64_t now_ns; /* the latest time seen */
	bool snapshot;	 /* begun and not ended */
};

/* Time never goes back in a pipeline, whatever order its callers read their clocks in. */
static inline uint64_t time_seen(struct pipeline *p, uint64_t now_ns)
{
	if (now_ns > p->now_ns)
		p->now_ns = now_ns;
	return p->now_ns;
}

#endif
