// SPDX-License-Identifier: GPL-2.0-only
/*
 * prune.c - which keys of smtpl_counts are forgotten when there is no room for new ones.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "prune.h"

#define ROOM (2 * PRUNE_MAX) /* when it is full, the younger half goes */

#define MAP_FULL   (SMTPL_COUNTS_MAX / 4 * 3)
#define MAP_TARGET (SMTPL_COUNTS_MAX / 2)

void prune_begin(struct prune *p)
{
	p->entries = 0;
	p->uid_count = 0;
}

static int uids_grow(struct prune *p)
{
	size_t room = p->uid_room ? 2 * p->uid_room : 64;
	void *grown = reallocarray(p->uids, room, sizeof(*p->uids));

	if (!grown)
		return -ENOMEM;
	p->uids = grown;
	p->uid_room = room;
	return 0;
}

void prune_note(struct prune *p, const struct smtpl_count_key *key, const struct smtpl_count *count)
{
	p->entries++;
	if (key->domain[0] || !count->domains)
		return;
	if (p->uid_count == p->uid_room && uids_grow(p))
		return;
	p->uids[p->uid_count++] = (struct prune_uid){.uid = key->uid, .domains = count->domains};
}

static int compare_uids(const void *a, const void *b)
{
	const struct prune_uid *x = a, *y = b;

	return (x->uid > y->uid) - (x->uid < y->uid);
}

static struct prune_uid *uid_find(struct prune *p, uint32_t uid)
{
	const struct prune_uid key = {.uid = uid};

	return p->uid_count ? bsearch(&key, p->uids, p->uid_count, sizeof(key), compare_uids) :
			      NULL;
}

/* An entry that moved during the reading may have been read twice. */
static void uids_sort(struct prune *p)
{
	size_t kept = 0;

	if (p->uid_count)
		qsort(p->uids, p->uid_count, sizeof(*p->uids), compare_uids);
	for (size_t i = 0; i < p->uid_count; i++)
		if (!kept || p->uids[i].uid != p->uids[kept - 1].uid)
			p->uids[kept++] = p->uids[i];
	p->uid_count = kept;
}

bool prune_pressed(struct prune *p, enum smtpl_role (*role)(void *arg, uint32_t uid), void *arg)
{
	bool pressed = p->entries > MAP_FULL;

	uids_sort(p);
	p->unwanted = pressed ? p->entries - MAP_TARGET : 0;
	for (size_t i = 0; i < p->uid_count; i++) {
		struct prune_uid *u = &p->uids[i];
		uint32_t bound = SMTPL_DOMAINS_PER_UID;

		/* Asking for the role is a system call; most uids have few domains. */
		if (u->domains > bound / 2 && role(arg, u->uid) == SMTPL_ROLE_RELAY)
			bound = SMTPL_DOMAINS_PER_RELAY;
		u->bound = u->domains > bound / 2 ? bound : 0;
		pressed |= u->bound > 0;
	}
	return pressed;
}

int prune_start(struct prune *p, uint64_t before_ns)
{
	p->before_ns = before_ns;
	p->key_count = 0;
	p->keys = calloc(ROOM, sizeof(*p->keys));
	return p->keys ? 0 : -ENOMEM;
}

bool prune_candidate(struct prune *p, const struct smtpl_count_key *key,
		     const struct smtpl_count *count)
{
	struct prune_uid *u = key->domain[0] ? uid_find(p, key->uid) : NULL;

	if (!u)
		return false;
	u->found++;
	return (u->bound || p->unwanted) && count->last_ns < p->before_ns;
}

static int compare_ages(const void *a, const void *b)
{
	const struct prune_key *x = a, *y = b;

	return (x->count.last_ns > y->count.last_ns) - (x->count.last_ns < y->count.last_ns);
}

static void keys_sort(struct prune *p)
{
	qsort(p->keys, p->key_count, sizeof(*p->keys), compare_ages);
	if (p->key_count > PRUNE_MAX)
		p->key_count = PRUNE_MAX;
}

void prune_keep(struct prune *p, const struct smtpl_count_key *key, const struct smtpl_count *count)
{
	if (p->key_count == ROOM) {
		keys_sort(p);
		/* None that is younger can be among the oldest any more. */
		p->before_ns = p->keys[p->key_count - 1].count.last_ns;
	}
	p->keys[p->key_count++] = (struct prune_key){.key = *key, .count = *count};
}

void prune_choose(struct prune *p)
{
	keys_sort(p);
	for (size_t i = 0; i < p->uid_count; i++) {
		struct prune_uid *u = &p->uids[i];

		u->unwanted = u->found > u->bound / 2 && u->bound ? u->found - u->bound / 3 + 1 : 0;
	}
}

bool prune_wanted(struct prune *p, uint32_t uid)
{
	const struct prune_uid *u = uid_find(p, uid);

	return p->unwanted || (u && u->unwanted);
}

void prune_removed(struct prune *p, uint32_t uid)
{
	struct prune_uid *u = uid_find(p, uid);

	if (p->unwanted)
		p->unwanted--;
	if (!u)
		return;
	u->found--;
	u->removed = true;
	if (u->unwanted)
		u->unwanted--;
}

void prune_end(struct prune *p)
{
	free(p->keys);
	p->keys = NULL;
	p->key_count = 0;
}

void prune_free(struct prune *p)
{
	prune_end(p);
	free(p->uids);
	*p = (struct prune){0};
}
