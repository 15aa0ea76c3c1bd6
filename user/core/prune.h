/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * prune.h - which keys of smtpl_counts are forgotten when there is no room for new ones. Pure: no
 * libbpf, no clock; the map is read twice, the second time only under pressure:
 *	prune_begin(p);
 *	for each entry		prune_note(p, key, count);
 *	if (prune_pressed(p, role, arg) && prune_start(p, before_ns) == 0)
 *		for each entry again that is a prune_candidate() and not awaited: prune_keep()
 *		prune_choose(p);
 *		for each of p->keys that is prune_wanted(): remove it, prune_removed()
 *	prune_end(p);
 * Afterwards p->uids has how many domains are left of each uid.
 *
 * Example: uid 1001 has 200 domains in the map, and its share is SMTPL_DOMAINS_PER_UID, 256. That
 * is more than half of the share, so it goes down to a third: of its keys that last changed before
 * before_ns and are not awaited, the 116 oldest are removed, and 84 stay. Another uid with 100
 * domains loses none, unless the map as a whole is pressed: of 100,000 entries, with room for
 * 131,072, the oldest of all uids are removed until 65,536 are left, PRUNE_MAX at a time.
 */
#ifndef SMTPL_PRUNE_H
#define SMTPL_PRUNE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "headers/maps.h"

#define PRUNE_MAX 4096 /* keys removed at once */

struct prune_uid {
	uint32_t uid;
	uint32_t bound;	   /* of its domains, when they are more than half of that; else 0 */
	uint64_t domains;  /* as its "" entry counts them */
	uint64_t found;	   /* entries that there are */
	uint64_t unwanted; /* to be removed */
	bool removed;
};

struct prune_key {
	struct smtpl_count_key key;
	struct smtpl_count count;
};

struct prune {
	size_t entries;	 /* of the whole map */
	size_t unwanted; /* of them, when the map is nearly full */
	uint64_t before_ns;
	struct prune_uid *uids; /* that have domains; sorted by prune_pressed() */
	size_t uid_count;
	size_t uid_room;
	struct prune_key *keys; /* the oldest first, once they are chosen */
	size_t key_count;
};

void prune_begin(struct prune *p);
/* Without memory a uid waits for the next reading. */
void prune_note(struct prune *p, const struct smtpl_count_key *key,
		const struct smtpl_count *count);

/* More than half of a uid's share is used up, or more than three quarters of the map. */
bool prune_pressed(struct prune *p, enum smtpl_role (*role)(void *arg, uint32_t uid), void *arg);

/* Only keys that last changed before before_ns may go. 0 or -ENOMEM. */
int prune_start(struct prune *p, uint64_t before_ns);
/* True: keep it, if nothing waits for it. Counts the domains as well, so ask for every entry. */
bool prune_candidate(struct prune *p, const struct smtpl_count_key *key,
		     const struct smtpl_count *count);
void prune_keep(struct prune *p, const struct smtpl_count_key *key,
		const struct smtpl_count *count);

/* Down to a third of a uid's share, or half of the map, the oldest first. */
void prune_choose(struct prune *p);
bool prune_wanted(struct prune *p, uint32_t uid);
void prune_removed(struct prune *p, uint32_t uid);

/* Frees what prune_start() made; the uids stay until the next prune_begin(). */
void prune_end(struct prune *p);
void prune_free(struct prune *p);

#endif
