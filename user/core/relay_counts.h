/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * relay_counts.h - what is counted of mail that went through mail servers, per account and sender
 * domain: what the servers reported, and what got past a suspension. Only what came since the last
 * saving is kept; the state database adds it up.
 */
#ifndef SMTPL_RELAY_COUNTS_H
#define SMTPL_RELAY_COUNTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "who/account.h"

/* In attempts. */
struct relay_count {
	uint64_t delivered;
	uint64_t deferred;
	uint64_t failed;
	uint64_t unknown;
	uint64_t refused; /* by smtplimit, at a mail server */
	uint64_t bypass;  /* tried by a mail server while the account was suspended */
};

/* Pairs of account and domain between two savings. */
#define RELAY_COUNTS_MAX 65536

struct relay_counts;

/* seed: random where strangers choose domains. */
struct relay_counts *relay_counts_new(uint64_t seed);
void relay_counts_free(struct relay_counts *t);

void relay_count_add(struct relay_count *to, const struct relay_count *more);

/* At the bound, or without memory, it is lost and counted. */
void relay_counts_add(struct relay_counts *t, const struct account_id *account, const char *domain,
		      const struct relay_count *more);
uint64_t relay_counts_lost(const struct relay_counts *t);

/* In no order. A non-zero return of `each` ends the call and is returned. */
int relay_counts_each(const struct relay_counts *t,
		      int (*each)(void *arg, const struct account_id *account, const char *domain,
				  const struct relay_count *counts),
		      void *arg);
/* It is saved. */
void relay_counts_clear(struct relay_counts *t);

#endif
