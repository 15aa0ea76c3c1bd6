// SPDX-License-Identifier: GPL-2.0-only
/*
 * refusal_domain.c - looks up whose domain a refusal names.
 */
#include "refusal_domain.h"

#include <stdio.h>
#include <string.h>

struct owned {
	uint32_t uid;
	char *best;
};

static int take_owned(void *arg, const char *domain, uint32_t uid)
{
	struct owned *o = arg;
	size_t length = strlen(domain), best = strlen(o->best);

	if (uid == o->uid &&
	    (!best || length < best || (length == best && strcmp(domain, o->best) < 0)))
		snprintf(o->best, SMTPL_DOMAIN_SIZE, "%s", domain);
	return 0;
}

void refusal_own_domain(const struct owners *owners, const struct account_id *id,
			const char *newest, char domain[SMTPL_DOMAIN_SIZE])
{
	struct owned owned = {.uid = id->uid, .best = domain};
	uint32_t owner;
	bool known = owners_find(owners, newest, &owner);

	domain[0] = '\0';
	if (id->kind == ACCOUNT_UID && !(known && owner == id->uid))
		owners_each(owners, take_owned, &owned);
	if (!domain[0] && (!known || (id->kind == ACCOUNT_UID && owner == id->uid)))
		snprintf(domain, SMTPL_DOMAIN_SIZE, "%s", newest);
}

bool refusal_names_sender(const struct owners *owners, const struct account_id *id, const char *own,
			  const char *domain)
{
	uint32_t owner;

	if (owners_find(owners, domain, &owner))
		return id->kind == ACCOUNT_UID && owner == id->uid;
	if (id->kind == ACCOUNT_DOMAIN)
		return strcmp(id->domain, domain) == 0;
	return !owners_find(owners, own, &owner) || owner != id->uid;
}
