// SPDX-License-Identifier: GPL-2.0-only
/*
 * payer.c - who pays for mail, by the uid that sends it and its sender domain.
 */
#include <string.h>
#include "payer.h"

enum payer_kind payer_of_user(const struct payer_ops *ops, void *arg, uint32_t uid,
			      struct account_id *id)
{
	enum smtpl_role role = uid == 0 ? SMTPL_ROLE_RELAY : ops->role(arg, uid);

	if (role == SMTPL_ROLE_RELAY)
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
	return PAYER_ACCOUNT;
}

struct payer payer_of_mail(const struct payer_ops *ops, void *arg, uint32_t uid, const char *domain)
{
	struct payer payer = {.id = {.kind = ACCOUNT_UID, .uid = uid}};
	enum payer_kind kind = payer_of_user(ops, arg, uid, &payer.id);

	payer.relay = kind == PAYER_NOBODY;
	if (payer.relay)
		kind = payer_of_domain(ops, arg, domain, &payer.id);
	payer.pays = kind == PAYER_ACCOUNT;
	return payer;
}
