// SPDX-License-Identifier: GPL-2.0-only
/*
 * ledger.c - how much of what the kernel counted has been taken in: a hash table, whose keys the
 * kernel's map bounds.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/hash.h"
#include "ledger.h"

struct ledger {
	uint64_t seed;
	struct table table;
	struct ledger_key *dirty;
	struct ledger_key *open;
};

struct ledger *ledger_new(uint64_t seed)
{
	struct ledger *l = calloc(1, sizeof(*l));

	if (!l)
		return NULL;
	l->seed = seed;
	if (table_resize(&l->table, TABLE_SIZE_MIN)) {
		free(l);
		return NULL;
	}
	return l;
}

void ledger_free(struct ledger *l)
{
	struct ledger_key *key, *next;

	if (!l)
		return;
	for (key = table_each(&l->table, NULL); key; key = next) {
		next = table_each(&l->table, &key->node);
		free(key);
	}
	table_free(&l->table);
	free(l);
}

size_t ledger_count(const struct ledger *l)
{
	return l->table.count;
}

static uint64_t key_hash(const struct ledger *l, uint32_t uid, const char *domain, size_t length)
{
	return hash_pair(hash_bytes(l->seed, domain, length), uid);
}

static struct ledger_key *find_hashed(const struct ledger *l, uint64_t hash, uint32_t uid,
				      const char *domain, size_t length)
{
	struct ledger_key *key = table_first(&l->table, hash);

	while (key && (key->uid != uid || strncmp(key->domain, domain, length + 1)))
		key = table_next(&key->node);
	return key;
}

struct ledger_key *ledger_find(const struct ledger *l, uint32_t uid, const char *domain)
{
	size_t length = strnlen(domain, SMTPL_DOMAIN_SIZE - 1);

	return find_hashed(l, key_hash(l, uid, domain, length), uid, domain, length);
}

int ledger_get(struct ledger *l, uint32_t uid, const char *domain, struct ledger_key **key)
{
	size_t length = strnlen(domain, SMTPL_DOMAIN_SIZE - 1);
	uint64_t hash = key_hash(l, uid, domain, length);
	struct ledger_key *k = find_hashed(l, hash, uid, domain, length);

	if (!k) {
		k = calloc(1, sizeof(*k) + length + 1);
		if (!k)
			return -ENOMEM;
		table_reserve(&l->table);
		table_add(&l->table, &k->node, hash);
		memcpy(k->domain, domain, length);
		k->uid = uid;
	}
	*key = k;
	return 0;
}

/* More may wait than was taken in: of a key that fell back to zero. */
static uint64_t entry_accounted(const struct ledger_key *key, enum smtp_outcome outcome)
{
	const struct ledger_entry *entry = &key->entries[outcome - 1];
	uint64_t taken = entry->before + entry->after;

	return entry->waiting < taken ? taken - entry->waiting : 0;
}

struct smtpl_totals ledger_accounted(const struct ledger_key *key)
{
	return (struct smtpl_totals){
		.delivered = entry_accounted(key, SMTP_DELIVERED),
		.deferred = entry_accounted(key, SMTP_DEFERRED),
		.failed = entry_accounted(key, SMTP_FAILED),
		.unknown = entry_accounted(key, SMTP_UNKNOWN),
	};
}

struct smtpl_totals ledger_superseded(const struct ledger_key *key)
{
	return (struct smtpl_totals){
		.delivered = key->entries[SMTP_DELIVERED - 1].superseded,
		.deferred = key->entries[SMTP_DEFERRED - 1].superseded,
		.failed = key->entries[SMTP_FAILED - 1].superseded,
		.unknown = key->entries[SMTP_UNKNOWN - 1].superseded,
	};
}

void ledger_restore(struct ledger_key *key, const struct smtpl_totals *accounted)
{
	memset(key->entries, 0, sizeof(key->entries));
	ledger_entry(key, SMTP_DELIVERED)->before = accounted->delivered;
	ledger_entry(key, SMTP_DEFERRED)->before = accounted->deferred;
	ledger_entry(key, SMTP_FAILED)->before = accounted->failed;
	ledger_entry(key, SMTP_UNKNOWN)->before = accounted->unknown;
}

void ledger_restore_superseded(struct ledger_key *key, const struct smtpl_totals *superseded)
{
	key->superseded = true;
	ledger_entry(key, SMTP_DELIVERED)->superseded = superseded->delivered;
	ledger_entry(key, SMTP_DEFERRED)->superseded = superseded->deferred;
	ledger_entry(key, SMTP_FAILED)->superseded = superseded->failed;
	ledger_entry(key, SMTP_UNKNOWN)->superseded = superseded->unknown;
}

static void key_mark_dirty(struct ledger *l, struct ledger_key *key)
{
	if (key->dirty)
		return;
	key->dirty = true;
	key->dirty_next = l->dirty;
	l->dirty = key;
}

uint64_t ledger_missing(const struct ledger_key *key, enum smtp_outcome outcome)
{
	const struct ledger_entry *entry = &key->entries[outcome - 1];

	return entry->before < entry->reading ? entry->reading - entry->before : 0;
}

uint64_t ledger_wanted(const struct ledger_key *key, enum smtp_outcome outcome, uint64_t total,
		       uint64_t count)
{
	uint64_t missing = ledger_missing(key, outcome);

	if (total > key->entries[outcome - 1].reading)
		return count;
	return count < missing ? count : missing;
}

void ledger_take(struct ledger *l, struct ledger_key *key, enum smtp_outcome outcome,
		 uint64_t total, uint64_t count)
{
	struct ledger_entry *entry = ledger_entry(key, outcome);

	*(total <= entry->reading ? &entry->before : &entry->after) += count;
	key_mark_dirty(l, key);
}

void ledger_wait(struct ledger *l, struct ledger_key *key, enum smtp_outcome outcome,
		 uint64_t count)
{
	ledger_entry(key, outcome)->waiting += count;
	key_mark_dirty(l, key);
}

void ledger_wait_over(struct ledger *l, struct ledger_key *key, enum smtp_outcome outcome,
		      uint64_t count)
{
	ledger_entry(key, outcome)->waiting -= count;
	key_mark_dirty(l, key);
}

void ledger_supersede(struct ledger *l, struct ledger_key *key, enum smtp_outcome outcome,
		      uint64_t count)
{
	key->superseded = true;
	ledger_entry(key, outcome)->superseded += count;
	key_mark_dirty(l, key);
}

/* Events handled so far had been counted when the total was read, so all of them are before it. */
static bool entry_read(struct ledger_entry *entry, uint64_t total)
{
	bool grown;

	entry->before += entry->after;
	entry->after = 0;
	entry->reading = total;
	grown = entry->before <= total;
	if (!grown)
		entry->before = total;
	if (entry->superseded > entry->before)
		entry->superseded = entry->before;
	return grown;
}

static bool key_complete(const struct ledger_key *key)
{
	for (enum smtp_outcome o = SMTP_DELIVERED; o < SMTP_OUTCOMES; o++)
		if (ledger_missing(key, o) > 0)
			return false;
	return true;
}

static bool key_waits(const struct ledger_key *key)
{
	for (enum smtp_outcome o = SMTP_DELIVERED; o < SMTP_OUTCOMES; o++)
		if (key->entries[o - 1].waiting > 0)
			return true;
	return false;
}

bool ledger_settled(const struct ledger_key *key)
{
	return !key->dirty && !key->open && key_complete(key) && !key_waits(key);
}

int ledger_forget(struct ledger *l, uint32_t uid, const char *domain)
{
	struct ledger_key *key = ledger_find(l, uid, domain);

	if (!key)
		return -ENOENT;
	if (!ledger_settled(key))
		return -EBUSY;
	table_remove(&l->table, &key->node);
	free(key);
	return 0;
}

bool ledger_read(struct ledger *l, struct ledger_key *key, const struct smtpl_totals *totals,
		 uint64_t last_ns)
{
	bool grown = entry_read(ledger_entry(key, SMTP_DELIVERED), totals->delivered);

	grown &= entry_read(ledger_entry(key, SMTP_DEFERRED), totals->deferred);
	grown &= entry_read(ledger_entry(key, SMTP_FAILED), totals->failed);
	grown &= entry_read(ledger_entry(key, SMTP_UNKNOWN), totals->unknown);
	if (!grown || key->last_ns != last_ns)
		key_mark_dirty(l, key);
	/* The kernel counts first and sets the time after: the same time as in the last reading may
	 * belong to a count that was read in between. */
	key->latest_ns = last_ns != key->last_ns ? last_ns : 0;
	key->last_ns = last_ns;
	if (!key->open && !key_complete(key)) {
		key->open = true;
		key->open_next = l->open;
		l->open = key;
	}
	return grown;
}

struct ledger_key *ledger_open(const struct ledger *l)
{
	return l->open;
}

void ledger_heal(struct ledger *l, struct ledger_key *key, enum smtp_outcome outcome,
		 uint64_t count)
{
	ledger_entry(key, outcome)->before += count;
	key_mark_dirty(l, key);
}

void ledger_close(struct ledger *l)
{
	struct ledger_key **at = &l->open;

	while (*at) {
		struct ledger_key *key = *at;

		if (!key_complete(key)) {
			at = &key->open_next;
			continue;
		}
		*at = key->open_next;
		key->open_next = NULL;
		key->open = false;
	}
}

struct ledger_key *ledger_dirty(const struct ledger *l)
{
	return l->dirty;
}

void ledger_saved(struct ledger *l)
{
	while (l->dirty) {
		struct ledger_key *key = l->dirty;

		l->dirty = key->dirty_next;
		key->dirty_next = NULL;
		key->dirty = false;
	}
}
