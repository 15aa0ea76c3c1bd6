// SPDX-License-Identifier: GPL-2.0-only
/*
 * asked.c - senders by their hash, each in the queue of the account that it was asked about for.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include "asked.h"
#include "base/hash.h"
#include "base/table.h"

struct sender {
	struct table_node node;
	TAILQ_ENTRY(sender) of_account; /* the oldest first */
	TAILQ_ENTRY(sender) of_all;
	struct payer_account *account;
	uint64_t asked_ns;
	uint64_t mixed_ns; /* when it was asked about for another account; 0: never */
};

TAILQ_HEAD(sender_queue, sender);

struct payer_account {
	struct table_node node;
	struct account_id id; /* kind 0: nobody */
	struct sender_queue senders;
	size_t count;
};

struct asked {
	uint64_t seed;
	struct table senders, accounts;
	struct sender_queue queue;
	uint64_t lost_ns; /* when one was forgotten before its time, or found no room; 0: never */
};

struct asked *asked_new(uint64_t seed)
{
	struct asked *a = calloc(1, sizeof(*a));

	if (a) {
		a->seed = seed;
		TAILQ_INIT(&a->queue);
	}
	return a;
}

static struct sender *sender_find(const struct asked *a, uint64_t sender)
{
	return table_first(&a->senders, hash_pair(a->seed, sender));
}

static uint64_t account_hash(const struct asked *a, const struct account_id *id)
{
	if (id->kind == ACCOUNT_DOMAIN)
		return hash_bytes(a->seed, id->domain, strlen(id->domain));
	return hash_pair(a->seed, ((uint64_t)id->kind << 32) + id->uid);
}

static bool is_same(const struct account_id *a, const struct account_id *b)
{
	return a->kind == b->kind && (!a->kind || account_equal(a, b));
}

static struct payer_account *account_get(struct asked *a, const struct account_id *id)
{
	uint64_t hash = account_hash(a, id);
	struct payer_account *account = table_first(&a->accounts, hash);

	while (account && !is_same(&account->id, id))
		account = table_next(&account->node);
	if (account)
		return account;
	if (table_reserve(&a->accounts))
		return NULL;
	account = calloc(1, sizeof(*account));
	if (!account)
		return NULL;
	account->id = *id;
	TAILQ_INIT(&account->senders);
	table_add(&a->accounts, &account->node, hash);
	return account;
}

/* The sender leaves its account, which goes with its last one. */
static void leave(struct asked *a, struct sender *s)
{
	struct payer_account *account = s->account;

	TAILQ_REMOVE(&account->senders, s, of_account);
	if (--account->count)
		return;
	table_remove(&a->accounts, &account->node);
	free(account);
}

static void forget(struct asked *a, struct sender *s)
{
	leave(a, s);
	TAILQ_REMOVE(&a->queue, s, of_all);
	table_remove(&a->senders, &s->node);
	free(s);
}

void asked_free(struct asked *a)
{
	struct sender *s;

	if (!a)
		return;
	while ((s = TAILQ_FIRST(&a->queue)))
		forget(a, s);
	table_free(&a->senders);
	table_free(&a->accounts);
	free(a);
}

static struct sender *sender_new(struct asked *a, uint64_t sender)
{
	struct sender *s;

	if (a->senders.count == ASKED_SENDERS_MAX || table_reserve(&a->senders))
		return NULL;
	s = calloc(1, sizeof(*s));
	if (!s)
		return NULL;
	table_add(&a->senders, &s->node, hash_pair(a->seed, sender));
	TAILQ_INSERT_TAIL(&a->queue, s, of_all);
	return s;
}

/* The newest of the account. */
static void join(struct sender *s, struct payer_account *account)
{
	s->account = account;
	TAILQ_INSERT_TAIL(&account->senders, s, of_account);
	account->count++;
}

void asked_note(struct asked *a, uint64_t sender, const struct account_id *id, uint64_t now_ns)
{
	static const struct account_id nobody;
	struct payer_account *account;
	struct sender *s = sender_find(a, sender);

	if (!id)
		id = &nobody;
	if (s && is_same(&s->account->id, id)) {
		TAILQ_REMOVE(&s->account->senders, s, of_account);
		TAILQ_INSERT_TAIL(&s->account->senders, s, of_account);
	} else {
		account = account_get(a, id);
		if (!account) {
			a->lost_ns = now_ns;
			return;
		}
		if (account->count == ASKED_PER_ACCOUNT_MAX) {
			forget(a, TAILQ_FIRST(&account->senders));
			a->lost_ns = now_ns;
		}
		if (s) {
			s->mixed_ns = now_ns;
			leave(a, s);
		} else {
			s = sender_new(a, sender);
		}
		if (s) {
			join(s, account);
		} else if (!account->count) {
			table_remove(&a->accounts, &account->node);
			free(account);
		}
	}
	if (!s) {
		a->lost_ns = now_ns;
		return;
	}
	s->asked_ns = now_ns;
	TAILQ_REMOVE(&a->queue, s, of_all);
	TAILQ_INSERT_TAIL(&a->queue, s, of_all);
}

enum asked_answer asked_find(const struct asked *a, uint64_t sender, struct account_id *id,
			     uint64_t now_ns)
{
	const struct sender *s = sender_find(a, sender);

	if (!s || s->asked_ns + ASKED_KEEP_NS <= now_ns)
		return a->lost_ns && a->lost_ns + ASKED_KEEP_NS > now_ns ? ASKED_NOBODY :
									   ASKED_UNKNOWN;
	if (!s->account->id.kind || (s->mixed_ns && s->mixed_ns + ASKED_KEEP_NS > now_ns))
		return ASKED_NOBODY;
	*id = s->account->id;
	return ASKED_ACCOUNT;
}

void asked_expire(struct asked *a, uint64_t now_ns)
{
	struct sender *s;

	while ((s = TAILQ_FIRST(&a->queue)) && s->asked_ns + ASKED_KEEP_NS <= now_ns)
		forget(a, s);
}

size_t asked_count(const struct asked *a)
{
	return a->senders.count;
}
