/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * maillog_table.c - buckets of chains over one array; two lists in the order of touch, of messages
 * in the queue and of removed ones.
 */
#include <stdlib.h>
#include <string.h>
#include "base/hash.h"
#include "maillog_table.h"

#define NONE	      UINT32_MAX
#define INSTANCES     16
#define INSTANCE_SIZE 32

struct list {
	uint32_t oldest;
	uint32_t newest;
};

struct maillog_table {
	uint64_t seed;
	size_t max;
	size_t used; /* places that ever were */
	size_t count;
	uint64_t evicted;
	uint32_t free; /* chain of given-up places */
	struct list queued;
	struct list removed;
	size_t buckets; /* power of two */
	uint32_t *bucket;
	struct maillog_message *messages;
	char instances[INSTANCES][INSTANCE_SIZE];
};

struct maillog_table *maillog_table_new(size_t messages_max, uint64_t seed)
{
	struct maillog_table *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->seed = seed;
	t->max = messages_max;
	for (t->buckets = 64; t->buckets < messages_max; t->buckets *= 2)
		;
	t->bucket = malloc(t->buckets * sizeof(*t->bucket));
	t->messages = calloc(messages_max, sizeof(*t->messages));
	if (!t->bucket || !t->messages) {
		maillog_table_free(t);
		return NULL;
	}
	memset(t->bucket, 0xff, t->buckets * sizeof(*t->bucket));
	t->free = NONE;
	t->queued = t->removed = (struct list){NONE, NONE};
	return t;
}

static void clear(struct maillog_message *m)
{
	free(m->auth);
	free(m->sender);
	free(m->forwarder);
	m->auth = m->sender = m->forwarder = NULL;
}

void maillog_table_free(struct maillog_table *t)
{
	size_t i;

	if (!t)
		return;
	for (i = 0; i < t->used; i++)
		clear(&t->messages[i]);
	free(t->messages);
	free(t->bucket);
	free(t);
}

static struct list *list_of(struct maillog_table *t, const struct maillog_message *m)
{
	return m->removed ? &t->removed : &t->queued;
}

static void list_take(struct maillog_table *t, struct maillog_message *m)
{
	struct list *list = list_of(t, m);

	*(m->older == NONE ? &list->oldest : &t->messages[m->older].newer) = m->newer;
	*(m->newer == NONE ? &list->newest : &t->messages[m->newer].older) = m->older;
}

static void list_add(struct maillog_table *t, struct maillog_message *m)
{
	struct list *list = list_of(t, m);
	uint32_t place = m - t->messages;

	m->older = list->newest;
	m->newer = NONE;
	*(list->newest == NONE ? &list->oldest : &t->messages[list->newest].newer) = place;
	list->newest = place;
}

static uint32_t *bucket_of(struct maillog_table *t, uint64_t hash)
{
	return &t->bucket[hash & (t->buckets - 1)];
}

static void forget(struct maillog_table *t, struct maillog_message *m)
{
	uint32_t place = m - t->messages;
	uint32_t *link = bucket_of(t, m->hash);

	while (*link != place)
		link = &t->messages[*link].next;
	*link = m->next;
	list_take(t, m);
	clear(m);
	m->next = t->free;
	t->free = place;
	t->count--;
}

/* A place for one more, at the cost of the oldest. */
static struct maillog_message *place_for_one(struct maillog_table *t)
{
	struct maillog_message *m;

	if (t->free == NONE && t->used < t->max)
		return &t->messages[t->used++];
	if (t->free == NONE) {
		if (t->removed.oldest != NONE) {
			forget(t, &t->messages[t->removed.oldest]);
		} else {
			forget(t, &t->messages[t->queued.oldest]);
			t->evicted++;
		}
	}
	m = &t->messages[t->free];
	t->free = m->next;
	return m;
}

/* False: too long for one of Postfix's. */
static bool make_key(struct maillog_span instance, struct maillog_span id,
		     char key[MAILLOG_KEY_SIZE])
{
	if (instance.size >= INSTANCE_SIZE || instance.size + 1 + id.size >= MAILLOG_KEY_SIZE)
		return false;
	memset(key, 0, MAILLOG_KEY_SIZE);
	memcpy(key, instance.at, instance.size);
	key[instance.size] = '/';
	memcpy(key + instance.size + 1, id.at, id.size);
	return true;
}

static struct maillog_message *find(struct maillog_table *t, const char *key, uint64_t hash)
{
	uint32_t place = *bucket_of(t, hash);

	for (; place != NONE; place = t->messages[place].next)
		if (t->messages[place].hash == hash &&
		    memcmp(t->messages[place].key, key, MAILLOG_KEY_SIZE) == 0)
			return &t->messages[place];
	return NULL;
}

struct maillog_message *maillog_table_find(struct maillog_table *t, struct maillog_span instance,
					   struct maillog_span id)
{
	char key[MAILLOG_KEY_SIZE];

	if (!make_key(instance, id, key))
		return NULL;
	return find(t, key, hash_bytes(t->seed, key, sizeof(key)));
}

static void note_instance(struct maillog_table *t, struct maillog_span instance)
{
	size_t i;

	for (i = 0; i < INSTANCES && t->instances[i][0]; i++)
		if (strlen(t->instances[i]) == instance.size &&
		    memcmp(t->instances[i], instance.at, instance.size) == 0)
			return;
	if (i < INSTANCES)
		memcpy(t->instances[i], instance.at, instance.size);
}

static void insert(struct maillog_table *t, struct maillog_message *m, const char *key,
		   uint64_t hash)
{
	uint32_t *bucket = bucket_of(t, hash);

	memset(m, 0, sizeof(*m));
	m->hash = hash;
	memcpy(m->key, key, MAILLOG_KEY_SIZE);
	m->next = *bucket;
	*bucket = m - t->messages;
	list_add(t, m);
	t->count++;
}

struct maillog_message *maillog_table_begin(struct maillog_table *t, struct maillog_span instance,
					    struct maillog_span id)
{
	struct maillog_message *m;
	char key[MAILLOG_KEY_SIZE];
	uint64_t hash;

	if (!make_key(instance, id, key))
		return NULL;
	hash = hash_bytes(t->seed, key, sizeof(key));
	m = find(t, key, hash);
	if (m)
		forget(t, m);
	m = place_for_one(t);
	insert(t, m, key, hash);
	note_instance(t, instance);
	return m;
}

void maillog_table_touch(struct maillog_table *t, struct maillog_message *m)
{
	if (m->removed)
		return;
	list_take(t, m);
	list_add(t, m);
}

void maillog_table_remove(struct maillog_table *t, struct maillog_message *m, int64_t wall_ns)
{
	list_take(t, m);
	m->removed = true;
	m->removed_ns = wall_ns;
	list_add(t, m);
}

void maillog_table_forget(struct maillog_table *t, int64_t wall_ns)
{
	while (t->removed.oldest != NONE && t->messages[t->removed.oldest].removed_ns < wall_ns)
		forget(t, &t->messages[t->removed.oldest]);
}

const char *maillog_table_instance(const struct maillog_table *t, size_t n)
{
	return n < INSTANCES && t->instances[n][0] ? t->instances[n] : NULL;
}

size_t maillog_table_count(const struct maillog_table *t)
{
	return t->count;
}

uint64_t maillog_table_evicted(const struct maillog_table *t)
{
	return t->evicted;
}
