/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * account_find.h - the account that a person means, for all commands that take an ACCOUNT.
 *
 * An account is written as a user, uid:N or domain:NAME. A customer who calls reads out an address
 * or a domain, and a log has a uid: these find the account that pays for such mail. A user's own
 * name comes first, also where it looks like a domain or an address.
 */
#ifndef SMTPL_ACCOUNT_FIND_H
#define SMTPL_ACCOUNT_FIND_H

#include "who/payer.h"

enum account_found {
	ACCOUNT_FOUND = 0,
	/* *id is the domain that was named, of which no owner is known: it may be a mistyped
	 * name, so that a caller who knows nothing of the domain says `why`. */
	ACCOUNT_GUESSED = 1,
};

/* One of enum account_found; or as account_parse(): a negative errno, `why` has one line. ops and
 * arg: who owns a domain, and the roles of uids. */
int account_find(const char *text, const struct payer_ops *ops, void *arg, struct account_id *id,
		 char *why, size_t why_size);

#endif
