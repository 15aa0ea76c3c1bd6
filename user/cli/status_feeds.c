// SPDX-License-Identifier: GPL-2.0-only
/*
 * status_feeds.c - mail through mail servers in `smtplimit status`: whose it is, and what the
 * servers told of it in place of the kernel's counts.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "status.h"

int status_owner(struct status *s, const char *domain, uint32_t uid)
{
	size_t room = s->owners_room ? 2 * s->owners_room : 64;
	struct status_owner *grown;

	if (s->owners_count == s->owners_room) {
		grown = reallocarray(s->owners, room, sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		s->owners = grown;
		s->owners_room = room;
	}
	s->owners[s->owners_count].domain = strdup(domain);
	if (!s->owners[s->owners_count].domain)
		return -ENOMEM;
	s->owners[s->owners_count++].uid = uid;
	s->owners_sorted = false;
	return 0;
}

static int owner_compare(const void *a, const void *b)
{
	return strcmp(((const struct status_owner *)a)->domain,
		      ((const struct status_owner *)b)->domain);
}

static const struct status_owner *owner_of(struct status *s, const char *domain)
{
	char name[SMTPL_DOMAIN_SIZE];
	struct status_owner wanted = {.domain = name};

	snprintf(name, sizeof(name), "%.*s", SMTPL_DOMAIN_SIZE - 1, domain);
	if (!s->owners_count)
		return NULL;
	if (!s->owners_sorted)
		qsort(s->owners, s->owners_count, sizeof(*s->owners), owner_compare);
	s->owners_sorted = true;
	return bsearch(&wanted, s->owners, s->owners_count, sizeof(*s->owners), owner_compare);
}

struct account_id status_domain_payer(struct status *s, const char *domain)
{
	const struct status_owner *owner = owner_of(s, domain);
	struct account_id id = {.kind = ACCOUNT_DOMAIN};

	if (owner && status_role(s, owner->uid) != SMTPL_ROLE_RELAY)
		return (struct account_id){.kind = ACCOUNT_UID, .uid = owner->uid};
	memcpy(id.domain, domain, strnlen(domain, sizeof(id.domain) - 1));
	return id;
}

struct account_id status_payer(struct status *s, uint32_t uid, const char *domain)
{
	if (status_role(s, uid) == SMTPL_ROLE_RELAY && domain[0])
		return status_domain_payer(s, domain);
	return (struct account_id){.kind = ACCOUNT_UID, .uid = uid};
}

int status_superseded(struct status *s, uint32_t uid, const char *domain,
		      const struct smtpl_totals *superseded)
{
	struct account_id id = status_payer(s, uid, domain);
	struct status_account *a = status_account(s, &id);

	if (!a)
		return -ENOMEM;
	a->superseded.delivered += superseded->delivered;
	a->superseded.deferred += superseded->deferred;
	a->superseded.failed += superseded->failed;
	a->superseded.unknown += superseded->unknown;
	return 0;
}

int status_relay_count(struct status *s, const struct account_id *id, const char *domain,
		       const struct relay_count *counts)
{
	struct status_account *a = status_account(s, id);

	if (!a)
		return -ENOMEM;
	relay_count_add(&a->told, counts);
	if (id->kind == ACCOUNT_DOMAIN || !domain[0])
		return 0;
	return status_add_domain(a, domain, SMTPL_DOMAIN_SIZE);
}

int status_feed(struct status *s, const struct state_feed *feed)
{
	struct state_feed *grown = reallocarray(s->feeds, s->feeds_count + 1, sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	s->feeds = grown;
	grown[s->feeds_count++] = *feed;
	return 0;
}

/* Counts are read a moment before what is superseded of them is: then more of it may be. */
static void replace(__u64 *count, uint64_t superseded, uint64_t told)
{
	*count = (*count > superseded ? *count - superseded : 0) + told;
}

void status_replace(struct status_account *a)
{
	replace(&a->total.delivered, a->superseded.delivered, a->told.delivered);
	replace(&a->total.deferred, a->superseded.deferred, a->told.deferred);
	replace(&a->total.failed, a->superseded.failed, a->told.failed);
	replace(&a->total.unknown, a->superseded.unknown, a->told.unknown);
	a->total.refused += a->told.refused;
}

void status_feeds_end(struct status *s)
{
	for (size_t i = 0; i < s->owners_count; i++)
		free(s->owners[i].domain);
	free(s->owners);
	free(s->feeds);
}

const char *status_feed_name(const struct state_feed *feed)
{
	switch (feed->known.mta) {
	case FEED_EXIM:
		return "exim";
	case FEED_POSTFIX:
		return "postfix";
	}
	return "unknown";
}
