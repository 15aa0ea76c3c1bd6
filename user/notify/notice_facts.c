// SPDX-License-Identifier: GPL-2.0-only
/*
 * notice_facts.c - a bounded table of accounts, each with its last failures.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include "base/hash.h"
#include "base/table.h"
#include "notice_facts.h"

#define GROUP_GAP_S 3600

struct failure {
	int64_t time_s; /* 0: a free place */
	struct notice_recipient recipient;
};

struct group {
	int64_t time_s; /* of the last one */
	struct notice_group group;
};

struct facts {
	struct table_node node;
	TAILQ_ENTRY(facts) order;
	struct account_id id;
	struct failure failure[NOTICE_RECIPIENTS_MAX];
	struct group group[NOTICE_GROUPS_MAX];
};

struct notice_facts {
	struct table table;
	TAILQ_HEAD(, facts) order; /* the one that failed longest ago comes first */
	uint64_t seed;
};

_Static_assert(sizeof(struct facts) <= 6144, "the header says how large it is");

struct notice_facts *notice_facts_new(uint64_t seed)
{
	struct notice_facts *f = calloc(1, sizeof(*f));

	if (f) {
		TAILQ_INIT(&f->order);
		f->seed = seed;
	}
	return f;
}

static void facts_remove(struct notice_facts *f, struct facts *x)
{
	table_remove(&f->table, &x->node);
	TAILQ_REMOVE(&f->order, x, order);
	free(x);
}

void notice_facts_free(struct notice_facts *f)
{
	if (!f)
		return;
	while (!TAILQ_EMPTY(&f->order))
		facts_remove(f, TAILQ_FIRST(&f->order));
	table_free(&f->table);
	free(f);
}

static uint64_t id_hash(const struct notice_facts *f, const struct account_id *id)
{
	if (id->kind == ACCOUNT_UID)
		return hash_pair(f->seed, id->uid);
	return hash_bytes(f->seed, id->domain, strnlen(id->domain, sizeof(id->domain)));
}

static struct facts *facts_find(const struct notice_facts *f, const struct account_id *id)
{
	for (struct facts *x = table_first(&f->table, id_hash(f, id)); x; x = table_next(&x->node))
		if (account_equal(&x->id, id))
			return x;
	return NULL;
}

static struct facts *facts_make(struct notice_facts *f, const struct account_id *id)
{
	struct facts *x;

	if (f->table.count >= NOTICE_FACTS_ACCOUNTS)
		facts_remove(f, TAILQ_FIRST(&f->order));
	if (table_reserve(&f->table))
		return NULL;
	x = calloc(1, sizeof(*x));
	if (!x)
		return NULL;
	x->id = *id;
	table_add(&f->table, &x->node, id_hash(f, id));
	TAILQ_INSERT_TAIL(&f->order, x, order);
	return x;
}

static void copy(char *to, size_t size, const char *from)
{
	size_t length = from ? strnlen(from, size - 1) : 0;

	memcpy(to, from ? from : "", length);
	memset(to + length, 0, size - length);
}

/* The recipient's own place, so that one address does not push out nine others; else the oldest. */
static struct failure *failure_place(struct facts *x, const char *recipient)
{
	struct failure *oldest = &x->failure[0];

	for (size_t i = 0; i < NOTICE_RECIPIENTS_MAX; i++) {
		struct failure *one = &x->failure[i];

		if (one->time_s &&
		    !strncmp(one->recipient.address, recipient, sizeof(one->recipient.address) - 1))
			return one;
		if (one->time_s < oldest->time_s)
			oldest = one;
	}
	return oldest;
}

static void add_recipient(struct facts *x, const struct notice_failure *failure)
{
	struct failure *place = failure_place(x, failure->recipient);
	struct notice_recipient *r = &place->recipient;

	place->time_s = failure->time_s;
	r->code = failure->code;
	copy(r->enhanced, sizeof(r->enhanced), failure->enhanced);
	copy(r->address, sizeof(r->address), failure->recipient);
	copy(r->text, sizeof(r->text), failure->text);
}

static bool group_is(const struct group *g, const char *class, const char *remote)
{
	return g->group.count && !strcmp(g->group.class, class) &&
	       !strncmp(g->group.remote, remote, sizeof(g->group.remote) - 1);
}

/* Its own place; else a free one, else that of the smallest. */
static struct group *group_place(struct facts *x, const char *class, const char *remote)
{
	struct group *smallest = &x->group[0];

	for (size_t i = 0; i < NOTICE_GROUPS_MAX; i++) {
		if (group_is(&x->group[i], class, remote))
			return &x->group[i];
		if (x->group[i].group.count < smallest->group.count)
			smallest = &x->group[i];
	}
	return smallest;
}

static void add_group(struct facts *x, const struct notice_failure *failure)
{
	const char *class = reply_class_name(failure->class);
	const char *remote = failure->remote ? failure->remote : "";
	struct group *g = group_place(x, class, remote);

	if (!group_is(g, class, remote) || failure->time_s - g->time_s > GROUP_GAP_S)
		g->group.count = 0;
	g->time_s = failure->time_s;
	g->group.count++;
	copy(g->group.class, sizeof(g->group.class), class);
	copy(g->group.remote, sizeof(g->group.remote), remote);
	copy(g->group.example, sizeof(g->group.example), failure->text);
}

void notice_facts_add(struct notice_facts *f, const struct account_id *id,
		      const struct notice_failure *failure)
{
	struct facts *x = facts_find(f, id);

	if (!x)
		x = facts_make(f, id);
	if (!x)
		return;
	TAILQ_REMOVE(&f->order, x, order);
	TAILQ_INSERT_TAIL(&f->order, x, order);
	if (failure->recipient)
		add_recipient(x, failure);
	add_group(x, failure);
}

static int compare_failures(const void *a, const void *b)
{
	const struct failure *x = a, *y = b;

	return (x->time_s < y->time_s) - (x->time_s > y->time_s);
}

static int compare_groups(const void *a, const void *b)
{
	const struct group *x = a, *y = b;

	return (x->group.count < y->group.count) - (x->group.count > y->group.count);
}

void notice_facts_fill(const struct notice_facts *f, const struct account_id *id, struct notice *n)
{
	const struct facts *found = facts_find(f, id);
	int64_t from_s = n->window_s ? n->time_s - n->window_s : 1;
	struct facts x;

	n->groups = n->recipients = 0;
	if (!found)
		return;
	x = *found;
	qsort(x.failure, NOTICE_RECIPIENTS_MAX, sizeof(x.failure[0]), compare_failures);
	qsort(x.group, NOTICE_GROUPS_MAX, sizeof(x.group[0]), compare_groups);
	for (size_t i = 0; i < NOTICE_RECIPIENTS_MAX; i++)
		if (x.failure[i].time_s && x.failure[i].time_s >= from_s)
			n->recipient[n->recipients++] = x.failure[i].recipient;
	for (size_t i = 0; i < NOTICE_GROUPS_MAX; i++)
		if (x.group[i].group.count && x.group[i].time_s >= from_s)
			n->group[n->groups++] = x.group[i].group;
}

void notice_facts_forget(struct notice_facts *f, const struct account_id *id)
{
	struct facts *x = facts_find(f, id);

	if (x)
		facts_remove(f, x);
}

size_t notice_facts_accounts(const struct notice_facts *f)
{
	return f->table.count;
}
