/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * told.h - what is counted of mail that went through mail servers, per account and sender domain:
 * what the servers told, and what got past a suspension. Only what came since the last saving is
 * kept; the state database adds it up.
 */
#ifndef SMTPL_TOLD_H
#define SMTPL_TOLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "who/account.h"

/* In attempts. */
struct told_counts {
	uint64_t delivered;
	uint64_t deferred;
	uint64_t failed;
	uint64_t unknown;
	uint64_t refused; /* by smtplimit, at a mail server */
	uint64_t bypass;  /* tried by a mail server while the account was suspended */
};

/* Pairs of account and domain between two savings. */
#define TOLD_MAX 65536

struct told;

/* seed: random where strangers choose domains. */
struct told *told_new(uint64_t seed);
void told_free(struct told *t);

void told_counts_add(struct told_counts *to, const struct told_counts *more);

/* At the bound, or without memory, it is lost and counted. */
void told_add(struct told *t, const struct account_id *account, const char *domain,
	      const struct told_counts *more);
uint64_t told_lost(const struct told *t);

/* In no order. A non-zero return of `each` ends the call and is returned. */
int told_each(const struct told *t,
	      int (*each)(void *arg, const struct account_id *account, const char *domain,
			  const struct told_counts *counts),
	      void *arg);
/* It is saved. */
void told_clear(struct told *t);

#endif
