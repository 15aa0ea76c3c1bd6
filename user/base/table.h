/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * table.h - the hash table of the tree. A struct table_node is the first member of what is kept, so
 * a pointer that comes out is a pointer to the whole:
 *	for (struct thing *x = table_first(&t, hash); x; x = table_next(&x->node))
 *		if (strcmp(x->name, name) == 0)
 *			return x;
 * The owner of a table hashes its keys, with a seed where strangers choose them (hash.h), and
 * compares them: what comes out has the same 64-bit hash. Where that is a hash_pair() of a number,
 * it is the same number. Entries of one hash come out in the order of their coming, the last first.
 *
 * The owner allocates and frees the entries. Only table_reserve() and table_resize() allocate: new
 * buckets, to which they move every entry at once. All zero is an empty table.
 */
#ifndef SMTPL_TABLE_H
#define SMTPL_TABLE_H

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#define TABLE_SIZE_MIN 64

struct table_node {
	struct table_node *chain;
	uint64_t hash;
};

struct table {
	struct table_node **buckets;
	size_t size; /* of them; 0 or a power of two */
	size_t count;
};

static inline struct table_node **table_bucket(const struct table *t, uint64_t hash)
{
	return &t->buckets[hash & (t->size - 1)];
}

/* The entries of a hash; NULL: no more. */
static inline void *table_next(const struct table_node *previous)
{
	struct table_node *n = previous->chain;

	while (n && n->hash != previous->hash)
		n = n->chain;
	return n;
}

static inline void *table_first(const struct table *t, uint64_t hash)
{
	struct table_node *n = t->count ? *table_bucket(t, hash) : NULL;

	while (n && n->hash != hash)
		n = n->chain;
	return n;
}

/* Every entry, in no order: NULL begins, NULL is the end. */
static inline void *table_each(const struct table *t, const struct table_node *previous)
{
	size_t i = previous ? (previous->hash & (t->size - 1)) + 1 : 0;

	if (previous && previous->chain)
		return previous->chain;
	while (i < t->size && !t->buckets[i])
		i++;
	return i < t->size ? t->buckets[i] : NULL;
}

static inline void table_push(const struct table *t, struct table_node *n)
{
	struct table_node **bucket = table_bucket(t, n->hash);

	n->chain = *bucket;
	*bucket = n;
}

/* Turned round on its way, so that entries of one hash keep their order. */
static inline void table_move(const struct table *to, struct table_node *chain)
{
	struct table_node *turned = NULL, *next;

	for (; chain; chain = next) {
		next = chain->chain;
		chain->chain = turned;
		turned = chain;
	}
	for (; turned; turned = next) {
		next = turned->chain;
		table_push(to, turned);
	}
}

/* size: a power of two. 0, or -ENOMEM: the table stays as it is. Who calls this alone, and never
 * table_reserve(), has a table that keeps its size. */
static inline int table_resize(struct table *t, size_t size)
{
	struct table to = {calloc(size, sizeof(*t->buckets)), size, t->count};

	if (!to.buckets)
		return -ENOMEM;
	for (size_t i = 0; i < t->size; i++)
		table_move(&to, t->buckets[i]);
	free(t->buckets);
	*t = to;
	return 0;
}

/* Room for one more entry: twice as many buckets when it is full. 0, or -ENOMEM: there is no bucket
 * at all; once there are some it succeeds, and without memory the chains get longer. */
static inline int table_reserve(struct table *t)
{
	if (t->size == 0)
		return table_resize(t, TABLE_SIZE_MIN);
	if (t->count >= t->size)
		table_resize(t, 2 * t->size);
	return 0;
}

static inline void table_add(struct table *t, struct table_node *n, uint64_t hash)
{
	n->hash = hash;
	table_push(t, n);
	t->count++;
}

static inline void table_remove(struct table *t, const struct table_node *n)
{
	struct table_node **at = table_bucket(t, n->hash);

	while (*at != n)
		at = &(*at)->chain;
	*at = n->chain;
	t->count--;
}

/* Free the buckets, not the entries: the owner may have freed those. Empty afterwards. */
static inline void table_free(struct table *t)
{
	free(t->buckets);
	*t = (struct table){0};
}

#endif
