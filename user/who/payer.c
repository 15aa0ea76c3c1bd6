// SPDX-License-Identifier: GPL-2.0-only
/*
 * payer.c - who pays for mail, by the uid that sends it and its sender domain.
 */
#include <string.h>
#include "payer.h"

const char *payer_why_name(enum payer_why why)
{
	static const char *const names[] = {
		[PAYER_WHY_NOTHING] = "nothing",     [PAYER_WHY_SENDS] = "sends",
		[PAYER_WHY_ASKED] = "asked",	     [PAYER_WHY_AUTH] = "auth",
		[PAYER_WHY_CALLER] = "caller",	     [PAYER_WHY_CLIENT] = "client",
		[PAYER_WHY_FORWARDER] = "forwarder", [PAYER_WHY_OWNER] = "owner",
		[PAYER_WHY_DOMAIN] = "domain",
	};

	_Static_assert(sizeof(names) / sizeof(*names) == PAYER_WHYS, "each has a name");
	return names[why];
}

enum smtpl_role payer_role(const struct payer_ops *ops, void *arg, uint32_t uid)
{
	return uid == 0 ? SMTPL_ROLE_RELAY : ops->role(arg, uid);
}

enum payer_kind payer_of_user(const struct payer_ops *ops, void *arg, uint32_t uid,
			      struct account_id *id)
{
	enum smtpl_role role = payer_role(ops, arg, uid);

	if (role != SMTPL_ROLE_DIRECT && role != SMTPL_ROLE_EXEMPT)
		return PAYER_NOBODY;
	*id = (struct account_id){.kind = ACCOUNT_UID, .uid = uid};
	return role == SMTPL_ROLE_EXEMPT ? PAYER_EXEMPT : PAYER_ACCOUNT;
}

enum payer_kind payer_of_domain(const struct payer_ops *ops, void *arg, const char *domain,
				struct account_id *id)
{
	struct account_id itself = {.kind = ACCOUNT_DOMAIN};
	enum payer_kind kind = PAYER_NOBODY;
	uint32_t owner;

	memcpy(itself.domain, domain, strnlen(domain, sizeof(itself.domain) - 1));
	if (!itself.domain[0])
		return PAYER_NOBODY;
	if (ops->owner && ops->owner(arg, itself.domain, &owner))
		kind = payer_of_user(ops, arg, owner, id);
	if (kind != PAYER_NOBODY)
		return kind;
	*id = itself;
	return ops->exempt && ops->exempt(arg, itself.domain) ? PAYER_EXEMPT : PAYER_ACCOUNT;
}

enum payer_why payer_why_of_sender(const struct account_id *id)
{
	return id->kind == ACCOUNT_UID ? PAYER_WHY_OWNER : PAYER_WHY_DOMAIN;
}

struct payer payer_of_mail(const struct payer_ops *ops, void *arg, uint32_t uid, const char *domain)
{
	struct payer payer = {.id = {.kind = ACCOUNT_UID, .uid = uid}};
	enum payer_kind kind = payer_of_user(ops, arg, uid, &payer.id);

	payer.relay = kind == PAYER_NOBODY;
	if (payer.relay && payer_role(ops, arg, uid) != SMTPL_ROLE_SERVICE)
		kind = payer_of_domain(ops, arg, domain, &payer.id);
	payer.pays = kind == PAYER_ACCOUNT;
	payer.why = kind == PAYER_NOBODY ? PAYER_WHY_NOTHING :
		    payer.relay		 ? payer_why_of_sender(&payer.id) :
					   PAYER_WHY_SENDS;
	return payer;
}
