/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * judge.h - the pipeline's second half: attempts into the window of who pays for them, verdicts,
 * and the beginning and end of suspensions. Pure, and used by pipeline.c alone.
 */
#ifndef SMTPL_JUDGE_H
#define SMTPL_JUDGE_H

#include "pipeline.h"
#include "relay_counts.h"

struct judge {
	struct pipeline_ops ops;
	void *arg;
	struct verdict_rule rule;
	enum verdict_mode mode;
	struct accounts *accounts;
	struct relay_counts *relay_counts;
	struct pipeline_stats stats;
};

/* Who pays for what a uid sends with a sender domain. */
struct payer {
	struct account_id id; /* pays */
	bool pays;	      /* false: nobody does */
	bool relay;	      /* it goes through a mail server */
};

/* Attempts that became one outcome, charged together. */
struct attempts {
	const char *domain; /* the sender's */
	enum smtp_outcome outcome;
	uint64_t count;
	const uint64_t *mails; /* identities of the first `known` of them */
	size_t known;
	uint64_t time_ns;
};

struct payer judge_payer(const struct judge *j, uint32_t uid, const char *domain);

/* Put attempts into the window where they count. Returns how many are done with, counted or not;
 * fewer than attempts->count: no memory for the rest. */
uint64_t judge_take(struct judge *j, const struct payer *payer, const struct attempts *attempts,
		    uint64_t now_ns);

/* A mail server's report of one mail: it goes into the window and the counts of the account that
 * pays, which is then judged. 0, or -ENOMEM with nothing done. */
int judge_report(struct judge *j, const struct pipeline_report *report, uint64_t mail,
		 uint64_t now_ns);

/* Judge the account that pays: now, or at the next tick. */
void judge_charged(struct judge *j, const struct payer *payer, uint64_t now_ns);
void judge_charged_soon(struct judge *j, const struct payer *payer);

/* Judge what time has made due, forget what is empty. */
void judge_tick(struct judge *j, uint64_t now_ns);

/* Judge the account at the next tick. */
void judge_soon(struct judge *j, struct account *a);

void judge_suspend(struct judge *j, struct account *a, uint64_t since_ns, uint64_t until_ns);
/* The window begins empty at end_ns. */
void judge_release(struct judge *j, struct account *a, uint64_t end_ns);

#endif
