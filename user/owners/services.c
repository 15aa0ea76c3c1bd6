/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * services.c - finds the service users of this host.
 */
#include "services.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include "config/config_value.h"
#include "who/account.h"
#include "who/users.h"

#define UID_MIN_DEFAULT 1000
#define LINE_SIZE	1024

static int is_owner(void *arg, const char *domain, uint32_t uid)
{
	const uint32_t *wanted = arg;

	(void)domain;
	return uid == *wanted;
}

struct service_uid services_uid(const struct services *services, const struct config *config,
				const struct owners *owners, uint32_t uid)
{
	return (struct service_uid){
		.uid = uid,
		.uid_min = services->uid_min,
		.owns = owners && owners_each(owners, is_owner, &uid),
		.direct = config_uids_has(&config->directs, uid) ||
			  config_uids_has(&config->relays, uid) ||
			  config_uids_has(&config->exempts, uid),
	};
}

/* "UID_MIN   1000", with blanks around it. */
static uint32_t read_uid_min(const char *login_defs)
{
	static const char key[] = "UID_MIN";
	uint32_t found = UID_MIN_DEFAULT, uid;
	FILE *f = fopen(login_defs, "re");
	char line[LINE_SIZE];

	while (f && fgets(line, sizeof(line), f)) {
		char *word = line + strspn(line, " \t"), *value;

		if (strncmp(word, key, sizeof(key) - 1) || !isblank(word[sizeof(key) - 1]))
			continue;
		value = word + sizeof(key) - 1;
		value += strspn(value, " \t");
		value[strcspn(value, " \t\r\n")] = '\0';
		if (!account_uid_number(value, &uid))
			found = uid;
	}
	if (f)
		fclose(f);
	return found;
}

static bool add(struct services *services, const struct service *service)
{
	if (services->count == SERVICES_MAX || services_find(services, service->uid))
		return false;
	services->service[services->count++] = *service;
	return true;
}

void services_read(struct services *services, const struct config *config,
		   const struct owners *owners, const char *passwd, const char *login_defs)
{
	struct name_table users = {0};

	services->count = 0;
	services->uid_min = read_uid_min(login_defs);
	users_read(&users, passwd);
	for (const struct service_name *n = service_names; n->user; n++) {
		struct service s = {.role = n->role, .why = SMTPL_SERVICE_NAME};
		struct service_uid u;

		if (!name_table_find(&users, n->user, &s.uid))
			continue;
		u = services_uid(services, config, owners, s.uid);
		if (service_may_be(&u))
			add(services, &s);
	}
	name_table_free(&users);
}

bool services_add(struct services *services, const struct config *config,
		  const struct owners *owners, uint32_t uid, enum smtpl_service_why why)
{
	const struct service s = {.uid = uid, .role = SMTPL_ROLE_SERVICE, .why = why};
	const struct service_uid u = services_uid(services, config, owners, uid);

	if (why == SMTPL_SERVICE_CARRIES ? !service_may_carry(&u) : !service_may_be(&u))
		return false;
	return add(services, &s);
}

const struct service *services_find(const struct services *services, uint32_t uid)
{
	for (size_t i = 0; i < services->count; i++)
		if (services->service[i].uid == uid)
			return &services->service[i];
	return NULL;
}

bool services_same(const struct services *a, const struct services *b)
{
	return a->count == b->count &&
	       !memcmp(a->service, b->service, a->count * sizeof(a->service[0]));
}
