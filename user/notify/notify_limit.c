// SPDX-License-Identifier: GPL-2.0-only
/*
 * notify_limit.c - which notices went out within the hour. Kinds and names are kept as a hash of 64
 * bits with a secret seed.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include "base/hash.h"
#include "base/table.h"
#include "notify_limit.h"

struct limited {
	struct table_node node;
	TAILQ_ENTRY(limited) order;
	int64_t sent_ms;
	uint32_t kept_back;
};

struct notify_limit {
	struct table table;
	TAILQ_HEAD(, limited) order; /* the one that was sent longest ago comes first */
	uint64_t seed;
};

struct notify_limit *notify_limit_new(uint64_t seed)
{
	struct notify_limit *l = calloc(1, sizeof(*l));

	if (l) {
		TAILQ_INIT(&l->order);
		l->seed = seed;
	}
	return l;
}

static void limited_remove(struct notify_limit *l, struct limited *x)
{
	table_remove(&l->table, &x->node);
	TAILQ_REMOVE(&l->order, x, order);
	free(x);
}

void notify_limit_free(struct notify_limit *l)
{
	if (!l)
		return;
	while (!TAILQ_EMPTY(&l->order))
		limited_remove(l, TAILQ_FIRST(&l->order));
	table_free(&l->table);
	free(l);
}

static uint64_t key(const struct notify_limit *l, const struct notice *n)
{
	const char *name = n->account[0] ? n->account : n->remote;

	return hash_bytes(hash_pair(l->seed, n->kind * 2 + n->simulated), name, strlen(name));
}

bool notify_limit_pass(struct notify_limit *l, const struct notice *n, int64_t now_ms,
		       uint32_t *repeated)
{
	uint64_t hash = key(l, n);
	struct limited *x = table_first(&l->table, hash);

	*repeated = 0;
	if (x && now_ms - x->sent_ms < NOTIFY_LIMIT_MS) {
		x->kept_back++;
		return false;
	}
	if (x) {
		*repeated = x->kept_back;
		TAILQ_REMOVE(&l->order, x, order);
	} else {
		if (l->table.count >= NOTIFY_LIMIT_KEYS)
			limited_remove(l, TAILQ_FIRST(&l->order));
		/* Without memory a notice is sent too often rather than never. */
		x = table_reserve(&l->table) ? NULL : calloc(1, sizeof(*x));
		if (!x)
			return true;
		table_add(&l->table, &x->node, hash);
	}
	x->sent_ms = now_ms;
	x->kept_back = 0;
	TAILQ_INSERT_TAIL(&l->order, x, order);
	return true;
}
