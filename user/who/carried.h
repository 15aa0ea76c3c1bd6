/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * carried.h - of which owners' domains a user has sent within a day, beside its own: who has the
 * mail of several is a service, or lies. Pure: time is an argument.
 *
 * A user has a row from the first mail under a domain that is not its own. Rows of people are
 * bounded, so that customers with thousands of subordinate uids fill no memory; users of the system
 * are few, and always find room.
 */
#ifndef SMTPL_CARRIED_H
#define SMTPL_CARRIED_H

#include "base/table.h"
#include "payer.h"

#define CARRIED_OWNERS	8 /* of one user that are remembered: the last */
#define CARRIED_KEEP_NS (24ull * 3600 * 1000000000)
#define CARRIED_ROWS	16384
#define CARRIED_SYSTEM	1000 /* uids below always find room */

struct carried {
	struct table table;
	uint64_t seed; /* random: strangers choose the domains */
};

struct carried_row {
	struct table_node node;
	uint32_t uid;
	uint64_t owner[CARRIED_OWNERS];
	uint64_t seen_ns[CARRIED_OWNERS]; /* 0: none */
	uint64_t said_ns;		  /* for the caller: 0: never */
};

/* The user has sent mail from a domain (key form). The row; NULL: the domain is its own, or it
 * names nobody, or there is no room. */
struct carried_row *carried_add(struct carried *c, const struct payer_ops *ops, void *arg,
				uint32_t uid, const char *domain, uint64_t now_ns);

/* Of how many different owners, a domain without an owner being one. */
unsigned int carried_owners(const struct carried *c, uint32_t uid, uint64_t now_ns);

/* The next user after `previous` that carries so many; NULL begins, NULL is the end. */
const struct carried_row *carried_next(const struct carried *c, const struct carried_row *previous,
				       unsigned int owners, uint64_t now_ns);

/* Forget rows of more than a day ago. */
void carried_tidy(struct carried *c, uint64_t now_ns);
void carried_free(struct carried *c);

#endif
