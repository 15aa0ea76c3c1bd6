/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * maillog_table.c - a hash table over one array of messages, and two lists in the order of touch:
 * one of messages in the queue, one of removed messages.
 */
#include <stdlib.h>
#include <string.h>
#include "base/hash.h"
#include "headers/limits.h"
#include "maillog_table.h"

#define NAMES	  64
#define NAME_SIZE 32

TAILQ_HEAD(list, maillog_message); /* the oldest first */

struct maillog_table {
	uint64_t seed;
	size_t max;
	size_t used; /* places that ever were */
	uint64_t evicted;
	struct list free; /* of them, those given up */
	struct list queued;
	struct list removed;
	struct table table;
	struct maillog_message *messages;
	struct {
		char text[NAME_SIZE];
		bool instance;
	} names[NAMES];
};

struct maillog_table *maillog_table_new(size_t messages_max, uint64_t seed)
{
	struct maillog_table *t = calloc(1, sizeof(*t));
	size_t size = TABLE_SIZE_MIN;

	if (!t)
		return NULL;
	t->seed = seed;
	t->max = messages_max;
	TAILQ_INIT(&t->free);
	TAILQ_INIT(&t->queued);
	TAILQ_INIT(&t->removed);
	t->messages = calloc(messages_max, sizeof(*t->messages));
	while (size < messages_max)
		size *= 2;
	if (!t->messages || table_resize(&t->table, size)) {
		maillog_table_free(t);
		return NULL;
	}
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
	table_free(&t->table);
	free(t);
}

static struct list *list_of(struct maillog_table *t, const struct maillog_message *m)
{
	return m->removed ? &t->removed : &t->queued;
}

static void forget(struct maillog_table *t, struct maillog_message *m)
{
	table_remove(&t->table, &m->node);
	TAILQ_REMOVE(list_of(t, m), m, queue);
	clear(m);
	TAILQ_INSERT_HEAD(&t->free, m, queue);
}

/* A place for one more, at the cost of the oldest. */
static struct maillog_message *place_for_one(struct maillog_table *t)
{
	struct maillog_message *m;

	if (TAILQ_EMPTY(&t->free) && t->used < t->max)
		return &t->messages[t->used++];
	if (TAILQ_EMPTY(&t->free)) {
		t->evicted += TAILQ_EMPTY(&t->removed);
		forget(t, TAILQ_FIRST(TAILQ_EMPTY(&t->removed) ? &t->queued : &t->removed));
	}
	m = TAILQ_FIRST(&t->free);
	TAILQ_REMOVE(&t->free, m, queue);
	return m;
}

/* False: too long for one of Postfix's. */
static bool make_key(struct maillog_span name, struct maillog_span id, char key[MAILLOG_KEY_SIZE])
{
	if (name.size >= NAME_SIZE || name.size + 1 + id.size >= MAILLOG_KEY_SIZE)
		return false;
	memset(key, 0, MAILLOG_KEY_SIZE);
	memcpy(key, name.at, name.size);
	key[name.size] = '/';
	memcpy(key + name.size + 1, id.at, id.size);
	return true;
}

static struct maillog_message *find(struct maillog_table *t, const char *key, uint64_t hash)
{
	struct maillog_message *m = table_first(&t->table, hash);

	while (m && memcmp(m->key, key, MAILLOG_KEY_SIZE) != 0)
		m = table_next(&m->node);
	return m;
}

struct maillog_message *maillog_table_find(struct maillog_table *t, struct maillog_span name,
					   struct maillog_span id)
{
	char key[MAILLOG_KEY_SIZE];

	if (!make_key(name, id, key))
		return NULL;
	return find(t, key, hash_bytes(t->seed, key, sizeof(key)));
}

static struct maillog_span name_at(const struct maillog_table *t, size_t n)
{
	return (struct maillog_span){t->names[n].text, strlen(t->names[n].text)};
}

/* Its place, or the one where it would be put; NAMES: there is none left. */
static size_t find_name(const struct maillog_table *t, struct maillog_span name)
{
	size_t i;

	for (i = 0; i < NAMES && t->names[i].text[0]; i++)
		if (strlen(t->names[i].text) == name.size &&
		    memcmp(t->names[i].text, name.at, name.size) == 0)
			break;
	return i;
}

static void note_name(struct maillog_table *t, struct maillog_span name, bool instance)
{
	size_t i = find_name(t, name);

	if (i == NAMES || name.size >= NAME_SIZE)
		return;
	memcpy(t->names[i].text, name.at, name.size);
	t->names[i].instance |= instance;
}

void maillog_table_instance(struct maillog_table *t, struct maillog_span name)
{
	note_name(t, name, true);
}

/* The only one with this id under other names: instances' names or services', those in the queue
 * before those removed. */
static struct maillog_message *find_elsewhere(struct maillog_table *t, struct maillog_span id,
					      bool instance, bool removed)
{
	struct maillog_message *m, *found = NULL;
	size_t i;

	for (i = 0; i < NAMES && t->names[i].text[0]; i++) {
		m = t->names[i].instance == instance ? maillog_table_find(t, name_at(t, i), id) :
						       NULL;
		if (!m || m->removed != removed)
			continue;
		if (found)
			return NULL;
		found = m;
	}
	return found;
}

static void rename_to(struct maillog_table *t, struct maillog_message *m, struct maillog_span name,
		      struct maillog_span id)
{
	char key[MAILLOG_KEY_SIZE];

	if (!make_key(name, id, key))
		return;
	table_remove(&t->table, &m->node);
	memcpy(m->key, key, MAILLOG_KEY_SIZE);
	table_add(&t->table, &m->node, hash_bytes(t->seed, key, sizeof(key)));
}

struct maillog_message *maillog_table_about(struct maillog_table *t, struct maillog_span name,
					    struct maillog_span id)
{
	struct maillog_message *m = maillog_table_find(t, name, id);
	struct maillog_message *other;
	size_t n = find_name(t, name);

	if (m && !m->removed)
		return m;
	if (n < NAMES && t->names[n].instance) {
		other = find_elsewhere(t, id, false, false);
		if (other && m)
			maillog_table_drop(t, m);
		if (other)
			rename_to(t, other, name, id);
		return other ? other : m;
	}
	if (!m)
		m = find_elsewhere(t, id, true, false);
	if (!m)
		m = find_elsewhere(t, id, true, true);
	return m ? m : find_elsewhere(t, id, false, false);
}

struct maillog_message *maillog_table_begin(struct maillog_table *t, struct maillog_span name,
					    struct maillog_span id)
{
	struct maillog_message *m;
	char key[MAILLOG_KEY_SIZE];
	uint64_t hash;

	if (!make_key(name, id, key))
		return NULL;
	hash = hash_bytes(t->seed, key, sizeof(key));
	m = find(t, key, hash);
	if (m)
		forget(t, m);
	m = place_for_one(t);
	memset(m, 0, sizeof(*m));
	memcpy(m->key, key, MAILLOG_KEY_SIZE);
	table_add(&t->table, &m->node, hash);
	TAILQ_INSERT_TAIL(&t->queued, m, queue);
	note_name(t, name, false);
	return m;
}

void maillog_table_touch(struct maillog_table *t, struct maillog_message *m)
{
	if (m->removed)
		return;
	TAILQ_REMOVE(&t->queued, m, queue);
	TAILQ_INSERT_TAIL(&t->queued, m, queue);
}

void maillog_table_remove(struct maillog_table *t, struct maillog_message *m, int64_t wall_ns)
{
	TAILQ_REMOVE(list_of(t, m), m, queue);
	m->removed = true;
	m->removed_ns = wall_ns;
	TAILQ_INSERT_TAIL(&t->removed, m, queue);
}

void maillog_table_forget(struct maillog_table *t, int64_t wall_ns)
{
	while (!TAILQ_EMPTY(&t->removed) && TAILQ_FIRST(&t->removed)->removed_ns < wall_ns)
		forget(t, TAILQ_FIRST(&t->removed));
}

void maillog_table_drop(struct maillog_table *t, struct maillog_message *m)
{
	forget(t, m);
}

const char *maillog_table_name(const struct maillog_table *t, size_t n)
{
	return n < NAMES && t->names[n].text[0] ? t->names[n].text : NULL;
}

bool maillog_message_keep(char **to, struct maillog_span from, size_t size)
{
	char *made = strndup(from.at ? from.at : "", from.size < size ? from.size : size - 1);

	if (!made)
		return false;
	free(*to);
	*to = made;
	return true;
}

static bool keep_string(char **to, const char *from, size_t size)
{
	return !from || maillog_message_keep(to, (struct maillog_span){from, strlen(from)}, size);
}

bool maillog_message_inherit(struct maillog_message *m, const struct maillog_message *from)
{
	bool whole;

	m->known = from->known;
	m->uid = from->uid;
	m->first_uid = from->first_uid;
	m->caller = from->caller;
	m->client_port = from->client_port;
	memcpy(m->client, from->client, sizeof(m->client));
	m->begun = from->begun;
	whole = keep_string(&m->auth, from->auth, SMTPL_ADDR_SIZE);
	return keep_string(&m->forwarder, from->forwarder, SMTPL_DOMAIN_SIZE) && whole;
}

size_t maillog_table_count(const struct maillog_table *t)
{
	return t->table.count;
}

uint64_t maillog_table_evicted(const struct maillog_table *t)
{
	return t->evicted;
}
