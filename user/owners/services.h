/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * services.h - the service users of this host (who/service.h): those whose name says it, those that
 * Postfix's master.cf names, and those that were found by what they carry.
 */
#ifndef SMTPL_SERVICES_H
#define SMTPL_SERVICES_H

#include "owners.h"
#include "who/service.h"

#define SERVICES_MAX 128

#define SERVICES_PASSWD	    "/etc/passwd"
#define SERVICES_LOGIN_DEFS "/etc/login.defs"

struct service {
	uint32_t uid;
	enum smtpl_role role;
	enum smtpl_service_why why;
};

struct services {
	struct service service[SERVICES_MAX];
	size_t count;
	uint32_t uid_min; /* where the uids of people begin */
};

/* What may be one: users of the configuration's lists stay what they are there. */
struct service_uid services_uid(const struct services *services, const struct config *config,
				const struct owners *owners, uint32_t uid);

/* Begin anew with the users of known names. A file that cannot be read names nobody. */
void services_read(struct services *services, const struct config *config,
		   const struct owners *owners, const char *passwd, const char *login_defs);

/* Add a user of /etc/passwd that Postfix hands mail to, or one by what it carries. False: it is one
 * already, it cannot be one, or there is no room. */
bool services_add(struct services *services, const struct config *config,
		  const struct owners *owners, uint32_t uid, enum smtpl_service_why why);

/* The same users, for the same reasons, in the same order. */
bool services_same(const struct services *a, const struct services *b);

/* NULL: the user is none. */
const struct service *services_find(const struct services *services, uint32_t uid);

#endif
