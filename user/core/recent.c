// SPDX-License-Identifier: GPL-2.0-only
/*
 * recent.c - a queue of mails with a hash table over it.
 */
#include <stdlib.h>
#include "base/hash.h"
#include "recent.h"

void recent_init(struct recent *r, uint64_t seed)
{
	*r = (struct recent){.seed = seed};
	TAILQ_INIT(&r->queue);
}

struct recent_entry *recent_add(struct recent *r, const struct recent_entry *entry)
{
	struct recent_entry *e;

	if (entry->mail && table_reserve(&r->table))
		return NULL;
	e = malloc(sizeof(*e));
	if (!e)
		return NULL;
	*e = *entry;
	TAILQ_INSERT_TAIL(&r->queue, e, queue);
	if (e->mail)
		table_add(&r->table, &e->node, hash_pair(r->seed, e->mail));
	r->count++;
	return e;
}

void recent_remove(struct recent *r, struct recent_entry *e)
{
	if (e->mail)
		table_remove(&r->table, &e->node);
	TAILQ_REMOVE(&r->queue, e, queue);
	r->count--;
	free(e);
}

/* Different mails never have one hash: hash_pair(). */
struct recent_entry *recent_next(const struct recent *r, uint64_t mail,
				 const struct recent_entry *previous)
{
	if (!mail)
		return NULL;
	return previous ? table_next(&previous->node) :
			  table_first(&r->table, hash_pair(r->seed, mail));
}

void recent_clear(struct recent *r)
{
	while (r->count > 0)
		recent_remove(r, recent_oldest(r));
	table_free(&r->table);
}
