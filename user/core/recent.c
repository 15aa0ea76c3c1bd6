// SPDX-License-Identifier: GPL-2.0-only
/*
 * recent.c - a queue of mails with a chained hash table over it, which grows.
 */
#include <stdlib.h>
#include "base/hash.h"
#include "recent.h"

#define BUCKETS_MIN 64

static struct recent_entry **bucket_of(const struct recent *r, uint64_t mail)
{
	return &r->buckets[hash_pair(r->seed, mail) & (r->buckets_count - 1)];
}

static void chain_in(struct recent *r, struct recent_entry *e)
{
	struct recent_entry **bucket = bucket_of(r, e->mail);

	if (!e->mail)
		return;
	e->chain = *bucket;
	*bucket = e;
}

static void chain_out(struct recent *r, struct recent_entry *e)
{
	struct recent_entry **at = bucket_of(r, e->mail);

	if (!e->mail)
		return;
	while (*at != e)
		at = &(*at)->chain;
	*at = e->chain;
}

/* In the order of the queue, so that each chain begins with what came last. Without memory the
 * chains grow instead; the first table must be there. */
static int recent_grow(struct recent *r)
{
	size_t count = r->buckets_count ? 2 * r->buckets_count : BUCKETS_MIN;
	struct recent_entry **buckets = calloc(count, sizeof(*buckets));

	if (!buckets)
		return r->buckets ? 0 : -1;
	free(r->buckets);
	r->buckets = buckets;
	r->buckets_count = count;
	for (struct recent_entry *e = r->oldest; e; e = e->newer)
		chain_in(r, e);
	return 0;
}

struct recent_entry *recent_add(struct recent *r, const struct recent_entry *entry)
{
	struct recent_entry *e;

	if (r->count >= r->buckets_count && recent_grow(r))
		return NULL;
	e = malloc(sizeof(*e));
	if (!e)
		return NULL;
	*e = *entry;
	e->newer = NULL;
	e->older = r->newest;
	*(r->newest ? &r->newest->newer : &r->oldest) = e;
	r->newest = e;
	chain_in(r, e);
	r->count++;
	return e;
}

void recent_remove(struct recent *r, struct recent_entry *e)
{
	chain_out(r, e);
	*(e->newer ? &e->newer->older : &r->newest) = e->older;
	*(e->older ? &e->older->newer : &r->oldest) = e->newer;
	r->count--;
	free(e);
}

struct recent_entry *recent_next(const struct recent *r, uint64_t mail,
				 const struct recent_entry *previous)
{
	struct recent_entry *e = previous ? previous->chain : NULL;

	if (!previous && r->buckets_count && mail)
		e = *bucket_of(r, mail);
	while (e && e->mail != mail)
		e = e->chain;
	return e;
}

void recent_clear(struct recent *r)
{
	while (r->oldest)
		recent_remove(r, r->oldest);
	free(r->buckets);
	*r = (struct recent){.seed = r->seed};
}
