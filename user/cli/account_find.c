// SPDX-License-Identifier: GPL-2.0-only
/*
 * account_find.c - the account that a person means by a name, a uid, a domain or an address.
 */
#include <errno.h>
#include <idn2.h>
#include <stdio.h>
#include <string.h>
#include "account_find.h"
#include "base/log.h"

/* How much of what was typed an error quotes. */
#define QUOTE_SIZE 128

/* Of an address or a bare domain; NULL: the text is neither. */
static const char *domain_of(const char *text)
{
	const char *at = strrchr(text, '@');

	if (!strncmp(text, "uid:", 4) || !strncmp(text, "domain:", 7))
		return NULL;
	if (at)
		return at[1] ? at + 1 : NULL;
	return strchr(text, '.') && !strchr(text, ':') ? text : NULL;
}

/* Panels' files and mail have müller.example as xn--mller-kva.example. False: it is the same. */
static bool domain_ascii(const char *domain, char ascii[SMTPL_DOMAIN_SIZE])
{
	char *found = NULL;
	bool made;

	made = idn2_to_ascii_8z(domain, &found, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL) == IDN2_OK &&
	       strcmp(found, domain) && !account_domain_key(found, ascii);
	idn2_free(found);
	return made;
}

/* A domain that another account pays for has none of its own. */
static int find_domain(const char *domain, const struct payer_ops *ops, void *arg,
		       struct account_id *id)
{
	struct account_id found = {.kind = ACCOUNT_DOMAIN};
	char ascii[SMTPL_DOMAIN_SIZE];

	if (account_domain_key(domain, found.domain))
		return -EINVAL;
	payer_of_domain(ops, arg, found.domain, &found);
	if (found.kind == ACCOUNT_DOMAIN && domain_ascii(found.domain, ascii)) {
		memcpy(found.domain, ascii, sizeof(ascii));
		payer_of_domain(ops, arg, ascii, &found);
	}
	*id = found;
	return found.kind == ACCOUNT_DOMAIN ? ACCOUNT_GUESSED : ACCOUNT_FOUND;
}

static void nobody_owns(const char *text, const struct account_id *id, char *why, size_t why_size)
{
	char quoted[QUOTE_SIZE], name[ACCOUNT_NAME_SIZE];

	account_name(id, name, sizeof(name));
	snprintf(why, why_size,
		 "\"%s\": no such user, and no owner of this domain is known; the domain itself is "
		 "written %s",
		 log_escape(text, strlen(text), 1, quoted, sizeof(quoted)), name);
}

int account_find(const char *text, const struct payer_ops *ops, void *arg, struct account_id *id,
		 char *why, size_t why_size)
{
	struct account_id found = {.kind = ACCOUNT_UID};
	int r = account_parse(text, &found, why, why_size);
	const char *domain = domain_of(text);

	if (!r && found.kind == ACCOUNT_DOMAIN)
		find_domain(text + strlen("domain:"), ops, arg, &found);
	if (!r)
		*id = found;
	if (!r || (r != -ENOENT && r != -EINVAL))
		return r;
	if (!account_uid_number(text, &id->uid)) {
		id->kind = ACCOUNT_UID;
		return ACCOUNT_FOUND;
	}
	if (!domain || find_domain(domain, ops, arg, &found) < 0)
		return r;
	*id = found;
	if (found.kind != ACCOUNT_DOMAIN)
		return ACCOUNT_FOUND;
	nobody_owns(text, id, why, why_size);
	return ACCOUNT_GUESSED;
}
