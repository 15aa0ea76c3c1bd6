// SPDX-License-Identifier: GPL-2.0-only
/*
 * owners.c - the table of domains and the users that own them.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "owners.h"
#include "owners_read.h"

struct owners *owners_new(void)
{
	struct owners *owners = calloc(1, sizeof(*owners));

	if (owners)
		name_table_init(&owners->domains);
	return owners;
}

void owners_free(struct owners *owners)
{
	if (!owners)
		return;
	name_table_free(&owners->domains);
	free(owners);
}

int owners_add(struct owners *owners, const char *domain, uint32_t uid)
{
	uint32_t first;

	if (owners->domains.count >= OWNERS_MAX)
		return name_table_find(&owners->domains, domain, &first) ? -EEXIST : -E2BIG;
	return name_table_add(&owners->domains, domain, uid);
}

void owners_note_source(struct owners *owners, const char *source)
{
	size_t used = strlen(owners->source);

	snprintf(owners->source + used, sizeof(owners->source) - used, "%s%s", used ? ", " : "",
		 source);
}

bool owners_find(const struct owners *owners, const char *domain, uint32_t *uid)
{
	return owners && name_table_find(&owners->domains, domain, uid);
}

size_t owners_count(const struct owners *owners)
{
	return owners ? owners->domains.count : 0;
}

size_t owners_unknown(const struct owners *owners)
{
	return owners ? owners->unknown : 0;
}

const char *owners_source(const struct owners *owners)
{
	return owners && owners->source[0] ? owners->source : "none";
}

int owners_each(const struct owners *owners,
		int (*each)(void *arg, const char *domain, uint32_t uid), void *arg)
{
	return owners ? name_table_each(&owners->domains, each, arg) : 0;
}

static int differs_in(void *arg, const char *domain, uint32_t uid)
{
	uint32_t other;

	return !owners_find(arg, domain, &other) || other != uid;
}

bool owners_same(const struct owners *a, const struct owners *b)
{
	return owners_count(a) == owners_count(b) &&
	       !owners_each(a, differs_in, (struct owners *)(uintptr_t)b);
}
