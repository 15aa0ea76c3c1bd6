/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * refusal_domain.h - whose domain a refusal names: the mail's if the account owns it, else the
 * account's own. A sender's domain that somebody only wrote is never named. Pure.
 */
#ifndef SMTPL_REFUSAL_DOMAIN_H
#define SMTPL_REFUSAL_DOMAIN_H

#include <stdbool.h>
#include "headers/limits.h"
#include "owners/owners.h"
#include "who/account.h"

/*
 * Which domain stands for the account: that of its newest mail if it owns that, else the shortest
 * name of those that it owns (and of these the first of the alphabet), else the newest mail's if
 * nobody is known to own that; "": none. newest: key form, or "".
 */
void refusal_own_domain(const struct owners *owners, const struct account_id *id,
			const char *newest, char domain[SMTPL_DOMAIN_SIZE]);

/* May the text name the mail's sender domain (key form)? If the account owns it, or if neither of
 * it nor of the account is known who owns what. own: as above. */
bool refusal_names_sender(const struct owners *owners, const struct account_id *id, const char *own,
			  const char *domain);

#endif
