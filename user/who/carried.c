/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * carried.c - the table of users and the owners whose mail they carry.
 */
#include "carried.h"

#include <string.h>
#include "base/hash.h"

static struct carried_row *row_find(const struct carried *c, uint32_t uid)
{
	struct carried_row *row = table_first(&c->table, hash_pair(c->seed, uid));

	while (row && row->uid != uid)
		row = table_next(&row->node);
	return row;
}

static struct carried_row *row_get(struct carried *c, uint32_t uid)
{
	struct carried_row *row = row_find(c, uid);

	if (row || (c->table.count >= CARRIED_ROWS && uid >= CARRIED_SYSTEM) ||
	    table_reserve(&c->table))
		return row;
	row = calloc(1, sizeof(*row));
	if (!row)
		return NULL;
	row->uid = uid;
	table_add(&c->table, &row->node, hash_pair(c->seed, uid));
	return row;
}

static uint64_t identity(const struct carried *c, const struct account_id *id)
{
	if (id->kind == ACCOUNT_UID)
		return hash_pair(c->seed, id->uid);
	return hash_bytes(c->seed, id->domain, strnlen(id->domain, sizeof(id->domain)));
}

static bool is_recent(uint64_t seen_ns, uint64_t now_ns)
{
	return seen_ns && seen_ns + CARRIED_KEEP_NS > now_ns;
}

struct carried_row *carried_add(struct carried *c, const struct payer_ops *ops, void *arg,
				uint32_t uid, const char *domain, uint64_t now_ns)
{
	struct carried_row *row;
	struct account_id id;
	uint64_t owner;
	int place = 0;

	if (payer_of_domain(ops, arg, domain, &id) == PAYER_NOBODY ||
	    (id.kind == ACCOUNT_UID && id.uid == uid))
		return NULL;
	row = row_get(c, uid);
	if (!row)
		return NULL;
	owner = identity(c, &id);
	for (int i = 0; i < CARRIED_OWNERS; i++) {
		if (row->seen_ns[i] && row->owner[i] == owner) {
			place = i;
			break;
		}
		if (row->seen_ns[i] < row->seen_ns[place])
			place = i;
	}
	row->owner[place] = owner;
	row->seen_ns[place] = now_ns;
	return row;
}

static unsigned int count_owners(const struct carried_row *row, uint64_t now_ns)
{
	unsigned int count = 0;

	for (int i = 0; i < CARRIED_OWNERS; i++)
		count += is_recent(row->seen_ns[i], now_ns);
	return count;
}

unsigned int carried_owners(const struct carried *c, uint32_t uid, uint64_t now_ns)
{
	const struct carried_row *row = row_find(c, uid);

	return row ? count_owners(row, now_ns) : 0;
}

const struct carried_row *carried_next(const struct carried *c, const struct carried_row *previous,
				       unsigned int owners, uint64_t now_ns)
{
	const struct carried_row *row = previous;

	do
		row = table_each(&c->table, row ? &row->node : NULL);
	while (row && count_owners(row, now_ns) < owners);
	return row;
}

static void drop_rows(struct carried *c, uint64_t now_ns, bool all)
{
	struct carried_row *row = table_each(&c->table, NULL), *next;

	for (; row; row = next) {
		next = table_each(&c->table, &row->node);
		if (!all && count_owners(row, now_ns))
			continue;
		table_remove(&c->table, &row->node);
		free(row);
	}
}

void carried_tidy(struct carried *c, uint64_t now_ns)
{
	drop_rows(c, now_ns, false);
}

void carried_free(struct carried *c)
{
	drop_rows(c, 0, true);
	table_free(&c->table);
}
