// SPDX-License-Identifier: GPL-2.0-only
/*
 * relay_counts.c - counts of mail through mail servers since the last saving: a chained hash table.
 */
#include <stdlib.h>
#include <string.h>
#include "base/hash.h"
#include "relay_counts.h"

#define BUCKETS 4096 /* power of two */

struct told_row {
	struct told_row *chain;
	struct account_id account;
	struct relay_count counts;
	uint32_t hash;
	char domain[];
};

struct relay_counts {
	uint64_t seed;
	uint64_t lost;
	size_t count;
	struct told_row *buckets[BUCKETS];
};

struct relay_counts *relay_counts_new(uint64_t seed)
{
	struct relay_counts *t = calloc(1, sizeof(*t));

	if (t)
		t->seed = seed;
	return t;
}

void relay_counts_free(struct relay_counts *t)
{
	if (!t)
		return;
	relay_counts_clear(t);
	free(t);
}

static uint32_t row_hash(const struct relay_counts *t, const struct account_id *account,
			 const char *domain)
{
	uint64_t hash = hash_bytes(t->seed, domain, strlen(domain));

	if (account->kind == ACCOUNT_UID)
		return hash_pair(hash, account->uid);
	return hash_bytes(hash, account->domain, strnlen(account->domain, sizeof(account->domain)));
}

static struct told_row *row_get(struct relay_counts *t, const struct account_id *account,
				const char *domain)
{
	uint32_t hash = row_hash(t, account, domain);
	struct told_row **bucket = &t->buckets[hash & (BUCKETS - 1)];
	size_t size = strlen(domain) + 1;
	struct told_row *row = *bucket;

	while (row && (row->hash != hash || strcmp(row->domain, domain) != 0 ||
		       !account_equal(&row->account, account)))
		row = row->chain;
	if (row || t->count == RELAY_COUNTS_MAX)
		return row;
	row = calloc(1, sizeof(*row) + size);
	if (!row)
		return NULL;
	row->account = *account;
	row->hash = hash;
	memcpy(row->domain, domain, size);
	row->chain = *bucket;
	*bucket = row;
	t->count++;
	return row;
}

void relay_count_add(struct relay_count *to, const struct relay_count *more)
{
	to->delivered += more->delivered;
	to->deferred += more->deferred;
	to->failed += more->failed;
	to->unknown += more->unknown;
	to->refused += more->refused;
	to->bypass += more->bypass;
}

void relay_counts_add(struct relay_counts *t, const struct account_id *account, const char *domain,
		      const struct relay_count *more)
{
	struct told_row *row = row_get(t, account, domain);

	if (row)
		relay_count_add(&row->counts, more);
	else
		t->lost++;
}

uint64_t relay_counts_lost(const struct relay_counts *t)
{
	return t->lost;
}

int relay_counts_each(const struct relay_counts *t,
		      int (*each)(void *arg, const struct account_id *account, const char *domain,
				  const struct relay_count *counts),
		      void *arg)
{
	for (size_t i = 0; t->count && i < BUCKETS; i++) {
		for (const struct told_row *row = t->buckets[i]; row; row = row->chain) {
			int err = each(arg, &row->account, row->domain, &row->counts);

			if (err)
				return err;
		}
	}
	return 0;
}

void relay_counts_clear(struct relay_counts *t)
{
	for (size_t i = 0; t->count && i < BUCKETS; i++) {
		while (t->buckets[i]) {
			struct told_row *row = t->buckets[i];

			t->buckets[i] = row->chain;
			free(row);
			t->count--;
		}
	}
}
