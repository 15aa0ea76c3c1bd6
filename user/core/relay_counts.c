// SPDX-License-Identifier: GPL-2.0-only
/*
 * relay_counts.c - counts of mail through mail servers since the last saving.
 */
#include <stdlib.h>
#include <string.h>
#include "base/hash.h"
#include "base/table.h"
#include "relay_counts.h"

struct row {
	struct table_node node;
	struct account_id account;
	struct relay_count counts;
	char domain[];
};

struct relay_counts {
	uint64_t seed;
	uint64_t lost;
	struct table table;
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

static uint64_t row_hash(const struct relay_counts *t, const struct account_id *account,
			 const char *domain)
{
	uint64_t hash = hash_bytes(t->seed, domain, strlen(domain));

	if (account->kind == ACCOUNT_UID)
		return hash_pair(hash, account->uid);
	return hash_bytes(hash, account->domain, strnlen(account->domain, sizeof(account->domain)));
}

static struct row *row_get(struct relay_counts *t, const struct account_id *account,
			   const char *domain)
{
	uint64_t hash = row_hash(t, account, domain);
	struct row *row = table_first(&t->table, hash);
	size_t size = strlen(domain) + 1;

	while (row && (strcmp(row->domain, domain) != 0 || !account_equal(&row->account, account)))
		row = table_next(&row->node);
	if (row || t->table.count == RELAY_COUNTS_MAX || table_reserve(&t->table))
		return row;
	row = calloc(1, sizeof(*row) + size);
	if (!row)
		return NULL;
	table_add(&t->table, &row->node, hash);
	row->account = *account;
	memcpy(row->domain, domain, size);
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
	struct row *row = row_get(t, account, domain);

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
	const struct row *row = NULL;
	int err = 0;

	while (!err && (row = table_each(&t->table, row ? &row->node : NULL)))
		err = each(arg, &row->account, row->domain, &row->counts);
	return err;
}

void relay_counts_clear(struct relay_counts *t)
{
	struct row *row, *next;

	for (row = table_each(&t->table, NULL); row; row = next) {
		next = table_each(&t->table, &row->node);
		free(row);
	}
	table_free(&t->table);
}
