/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * judge.h - the pipeline's second half: outcomes into the window of who pays for them, verdicts,
 * and the beginning and end of suspensions. Pure, and used by pipeline.c alone.
 */
#ifndef SMTPL_JUDGE_H
#define SMTPL_JUDGE_H

#include "pipeline.h"
#include "relay_counts.h"
#include "remotes.h"

/* Remotes that alarms are about; two that share a place may have theirs given again. */
#define JUDGE_ALARMS 1024

struct judge_alarm {
	uint32_t remote;
	enum pipeline_alarm kind;
	int64_t looked_s; /* at its figures, once a second */
	int64_t given_s;
};

struct judge {
	struct pipeline_ops ops;
	void *arg;
	struct verdict_rule rule; /* of accounts without one of their own */
	struct accounts *accounts;
	struct relay_counts *relay_counts;
	struct remotes *remotes;
	struct tally_room *room;
	struct pipeline_stats stats;
	struct judge_alarm alarms[JUDGE_ALARMS];
};

/* 0 or -ENOMEM; freed by judge_free() in either case. */
int judge_init(struct judge *j, const struct pipeline_ops *ops, void *arg,
	       const struct verdict_rule *rule);
void judge_free(struct judge *j);

/* Who pays for what a uid sends from a domain. */
struct payer judge_payer(const struct judge *j, uint32_t uid, const char *domain);

/* The one place that every outcome passes: put it into the window where it counts, and tell whoever
 * watches. 0, or -ENOMEM with nothing done. */
int judge_take(struct judge *j, const struct outcome *o, uint64_t now_ns);

/* A mail server's report: judge_take(), the counts of the account, and its verdict. 0, or -ENOMEM
 * with nothing done. */
int judge_report(struct judge *j, const struct outcome *o, uint64_t now_ns);

/* Judge the account that pays: now, or at the next tick. */
void judge_charged(struct judge *j, const struct payer *payer, uint64_t now_ns);
void judge_charged_soon(struct judge *j, const struct payer *payer);

/* Judge what time has made due, forget what is empty. */
void judge_tick(struct judge *j, uint64_t now_ns);

/* Judge the account at the next tick. */
void judge_soon(struct judge *j, struct account *a);
/* Judge all of them by another rule. One that was observed and no longer is, begins anew. */
void judge_set_rule(struct judge *j, const struct verdict_rule *rule, uint64_t now_ns);

void judge_observe(struct judge *j, struct account *a, uint64_t since_ns, uint64_t until_ns);
void judge_suspend(struct judge *j, struct account *a, uint64_t since_ns, uint64_t until_ns);
/* The window begins empty at end_ns. */
void judge_release(struct judge *j, struct account *a, uint64_t end_ns);

#endif
