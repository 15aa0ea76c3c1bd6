// SPDX-License-Identifier: GPL-2.0-only
/*
 * accounts.c - the table of accounts: a hash table, a list of what is to be saved, and a
 * wheel of seconds for what is to be checked. An account is in the bucket of its second modulo the
 * wheel's size; the wheel needs no memory that could be missing when a check is due.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "accounts.h"
#include "base/clock.h"
#include "base/hash.h"

#define WHEEL 4096 /* seconds; power of two. Checks further away are passed by every round */

struct accounts {
	uint64_t seed;
	struct table table;
	size_t collect_at; /* the bucket that accounts_collect() takes next */
	struct account *dirty;
	int64_t wheel_s;	    /* the second whose bucket is being worked through */
	struct account *wheel_next; /* the next account of that bucket */
	LIST_HEAD(wheel_bucket, account) wheel[WHEEL];
};

struct accounts *accounts_new(uint64_t seed)
{
	struct accounts *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->seed = seed;
	if (table_resize(&t->table, TABLE_SIZE_MIN)) {
		free(t);
		return NULL;
	}
	return t;
}

static void account_free(struct account *a)
{
	window_clear(&a->window);
	free(a->own_domain);
	free(a);
}

void accounts_free(struct accounts *t)
{
	struct account *a, *next;

	if (!t)
		return;
	for (a = table_each(&t->table, NULL); a; a = next) {
		next = table_each(&t->table, &a->node);
		account_free(a);
	}
	table_free(&t->table);
	free(t);
}

static size_t id_domain_length(const struct account_id *id)
{
	return id->kind == ACCOUNT_DOMAIN ? strnlen(id->domain, sizeof(id->domain) - 1) : 0;
}

static uint64_t id_hash(const struct accounts *t, const struct account_id *id)
{
	if (id->kind == ACCOUNT_UID)
		return hash_pair(t->seed, id->uid);
	return hash_bytes(t->seed, id->domain, id_domain_length(id));
}

static struct account *find_hashed(const struct accounts *t, const struct account_id *id,
				   uint64_t hash)
{
	const char *domain = id->kind == ACCOUNT_DOMAIN ? id->domain : "";
	uint32_t uid = id->kind == ACCOUNT_UID ? id->uid : 0;
	struct account *a = table_first(&t->table, hash);

	while (a && (a->uid != uid || strcmp(a->domain, domain) != 0))
		a = table_next(&a->node);
	return a;
}

struct account *accounts_find(const struct accounts *t, const struct account_id *id)
{
	return find_hashed(t, id, id_hash(t, id));
}

int accounts_get(struct accounts *t, const struct account_id *id, struct account **account)
{
	uint64_t hash = id_hash(t, id);
	struct account *a = find_hashed(t, id, hash);
	size_t length = id_domain_length(id);

	if (!a) {
		a = calloc(1, sizeof(*a) + length + 1);
		if (!a)
			return -ENOMEM;
		table_reserve(&t->table);
		table_add(&t->table, &a->node, hash);
		memcpy(a->domain, id->domain, length);
		a->uid = id->kind == ACCOUNT_UID ? id->uid : 0;
	}
	*account = a;
	return 0;
}

size_t accounts_count(const struct accounts *t)
{
	return t->table.count;
}

struct account *accounts_next(const struct accounts *t, const struct account *previous)
{
	return table_each(&t->table, previous ? &previous->node : NULL);
}

struct account_id accounts_id(const struct account *a)
{
	struct account_id id = {.kind = a->domain[0] ? ACCOUNT_DOMAIN : ACCOUNT_UID, .uid = a->uid};

	memcpy(id.domain, a->domain, strlen(a->domain));
	return id;
}

const char *accounts_own_domain(const struct account *a)
{
	if (a->domain[0])
		return a->domain;
	return a->own_domain ? a->own_domain : "";
}

void accounts_set_own_domain(struct account *a, const char *domain)
{
	char *copy;

	if (a->domain[0] || !*domain || strcmp(domain, accounts_own_domain(a)) == 0)
		return;
	copy = strdup(domain);
	if (!copy)
		return;
	free(a->own_domain);
	a->own_domain = copy;
}

/* ---- saving ---- */

void accounts_mark_dirty(struct accounts *t, struct account *a)
{
	if (a->dirty)
		return;
	a->dirty = true;
	a->dirty_next = t->dirty;
	t->dirty = a;
}

struct account *accounts_dirty(const struct accounts *t)
{
	return t->dirty;
}

void accounts_saved(struct accounts *t)
{
	while (t->dirty) {
		struct account *a = t->dirty;

		t->dirty = a->dirty_next;
		a->dirty_next = NULL;
		a->dirty = false;
		a->stored = !window_empty(&a->window);
	}
}

/* ---- the check list ---- */

static struct wheel_bucket *wheel_bucket(struct accounts *t, int64_t second)
{
	return &t->wheel[second & (WHEEL - 1)];
}

void accounts_check_never(struct accounts *t, struct account *a)
{
	if (a->check_s == 0)
		return;
	if (t->wheel_next == a)
		t->wheel_next = LIST_NEXT(a, check);
	LIST_REMOVE(a, check);
	a->check_s = 0;
}

void accounts_check_at(struct accounts *t, struct account *a, int64_t second)
{
	if (second <= t->wheel_s)
		second = t->wheel_s + 1;
	if (a->check_s == second)
		return;
	accounts_check_never(t, a);
	a->check_s = second;
	LIST_INSERT_HEAD(wheel_bucket(t, second), a, check);
}

static void wheel_turn(struct accounts *t, int64_t second)
{
	t->wheel_s = second;
	t->wheel_next = LIST_FIRST(wheel_bucket(t, second));
}

struct account *accounts_due(struct accounts *t, int64_t now_s, unsigned int *budget)
{
	/* After a gap longer than the wheel each bucket is due, and once is enough. */
	if (now_s - t->wheel_s > WHEEL)
		wheel_turn(t, now_s - WHEEL + 1);
	while (*budget > 0) {
		struct account *a = t->wheel_next;

		if (!a && t->wheel_s >= now_s)
			return NULL;
		--*budget;
		if (!a) {
			wheel_turn(t, t->wheel_s + 1);
			continue;
		}
		t->wheel_next = LIST_NEXT(a, check);
		if (a->check_s > now_s)
			continue;
		accounts_check_never(t, a);
		return a;
	}
	return NULL;
}

/* ---- removal ---- */

/* Pending mails alone keep an account for days. Strangers choose domains, so of very many accounts
 * those go all the same: a later retry counts as a mail of its own. */
static bool is_empty(const struct accounts *t, const struct account *a)
{
	const struct window_counts counts = window_counts(&a->window);

	return window_empty(&a->window) ||
	       (t->table.count > ACCOUNTS_PENDING_MAX && !counts.delivered && !counts.deferred &&
		!counts.failed);
}

static bool account_forgettable(struct accounts *t, struct account *a, int64_t now_s,
				int64_t length_s)
{
	window_slide(&a->window, now_s, length_s);
	if (a->state != ACCOUNT_FREE || !is_empty(t, a))
		return false;
	window_clear(&a->window);
	if (a->stored) /* an empty window deletes its row */
		accounts_mark_dirty(t, a);
	/* An event that comes late, of before a suspension's end, must still find that end. */
	return !a->dirty && (int64_t)(a->begins_ns / NS_PER_S) <= now_s - length_s;
}

static void bucket_collect(struct accounts *t, struct table_node *n, int64_t now_s,
			   int64_t length_s)
{
	struct table_node *next;

	for (; n; n = next) {
		struct account *a = (struct account *)n;

		next = n->chain;
		if (!account_forgettable(t, a, now_s, length_s))
			continue;
		table_remove(&t->table, n);
		accounts_check_never(t, a);
		account_free(a);
	}
}

size_t accounts_collect(struct accounts *t, int64_t now_s, int64_t length_s, size_t budget)
{
	size_t before = t->table.count, count;

	for (; budget > 0; budget--)
		bucket_collect(t, *table_bucket(&t->table, t->collect_at++), now_s, length_s);
	count = t->table.count;
	if (t->table.size > TABLE_SIZE_MIN && count < t->table.size / 8)
		table_resize(&t->table, t->table.size / 2);
	return before - count;
}

size_t accounts_collect_budget(const struct accounts *t)
{
	return t->table.size / 256 + 1;
}
