/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * service.h - users of services that carry mail of many owners: content filters, list managers,
 * what redirects mail out of mailboxes, tunnels. Pure.
 *
 * Such a user is known by its name, by Postfix's master.cf, or by what it carries. The latter is
 * for users of the system alone: a customer would only have to send a few mails under neighbours'
 * domains to be charged for nothing any more.
 */
#ifndef SMTPL_SERVICE_H
#define SMTPL_SERVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "headers/maps.h"

/* Different owners whose domains a user of the system has sent under within a day: so many make it
 * a service user, and at the moment of its suspension so many. */
#define SERVICE_OWNERS	       3
#define SERVICE_OWNERS_VERDICT 2

struct service_name {
	const char *user;
	const char *what; /* "a content filter", ... */
	enum smtpl_role role;
};

/* Known ones; `user` NULL is the end. */
extern const struct service_name service_names[];

/* What makes it a customer's uid, or not. */
struct service_uid {
	uint32_t uid;
	uint32_t uid_min; /* of /etc/login.defs: where the uids of people begin */
	bool owns;	  /* a domain */
	bool direct;	  /* the administrator says that it is no service */
};

/* By its name, or by master.cf: unless it is a customer's. */
bool service_may_be(const struct service_uid *u);
/* By what it carries: never a customer, nor a member of a subordinate range. */
bool service_may_carry(const struct service_uid *u);

/* "the name of a content filter", "...": a clause behind "is a service user: ". */
const char *service_why(enum smtpl_service_why why);

#endif
