/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * policy_client_suspended.c - finds out who pays for a message when there is no daemon to ask, as
 * far as that is possible, in the order of submission.h; and whether the file `suspended` has them.
 * Names are looked for as they are, without the passwd database, which may be slow: the file has a
 * line for a user's number as well as for the name.
 */
#include "policy_client.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "who/account.h"
#include "kernel/sock_diag.h"

static bool find(const struct config *config, const char *name, char text[POLICY_CLIENT_TEXT_SIZE])
{
	return *name && suspended_find(config->run, name, time(NULL), config->contact, text,
				       POLICY_CLIENT_TEXT_SIZE) == 0;
}

static bool find_uid(const struct config *config, uint32_t uid, char text[POLICY_CLIENT_TEXT_SIZE])
{
	char name[16];

	snprintf(name, sizeof(name), "%" PRIu32, uid);
	return find(config, name, text);
}

static bool find_domain(const struct config *config, const char *address,
			char text[POLICY_CLIENT_TEXT_SIZE])
{
	const char *at = strrchr(address, '@');
	char key[SMTPL_DOMAIN_SIZE];

	return at && account_domain_key(at + 1, key) == 0 && find(config, key, text);
}

static bool is_here(const char *key)
{
	char host[HOST_NAME_MAX + 1] = "";

	return gethostname(host, sizeof(host) - 1) == 0 && submission_is_host(key, host);
}

/* An identity is a user or user@domain; where the domain is this host's name it is a user, too. */
static bool find_identity(const struct config *config, const char *auth,
			  char text[POLICY_CLIENT_TEXT_SIZE])
{
	const char *domain = submission_identity_domain(auth);
	char key[SMTPL_DOMAIN_SIZE], user[SMTPL_ADDR_SIZE];

	if (find(config, auth, text))
		return true;
	if (!domain || account_domain_key(domain, key))
		return false;
	if (find(config, key, text))
		return true;
	snprintf(user, sizeof(user), "%.*s", (int)(domain - 1 - auth), auth);
	return is_here(key) && find(config, user, text);
}

/* The uid of a mail server, or root, does not say who pays. */
static bool is_relay(const struct config *config, uint32_t uid)
{
	size_t i = 0;

	while (i < config->relays.count && config->relays.uid[i] != uid)
		i++;
	return uid == 0 || i < config->relays.count;
}

/* A client whose socket is not found here is another host, and nobody pays for its mail. */
static bool find_client(const struct config *config, const struct submission *o,
			char text[POLICY_CLIENT_TEXT_SIZE])
{
	uint32_t uid = o->caller;

	if (!(o->known & SUBMISSION_HAS_CALLER) &&
	    sock_diag_tcp_uid(o->client, o->client_port, &uid))
		return false;
	if (is_relay(config, uid))
		return find_domain(config, o->sender, text);
	return find_uid(config, uid, text);
}

bool policy_client_suspended(const struct config *config, const struct submission *o,
			     char text[POLICY_CLIENT_TEXT_SIZE])
{
	if (!o->sender[0] && !(o->known & SUBMISSION_NO_SENDER))
		return false; /* a bounce */
	if (o->known & SUBMISSION_HAS_ACCOUNT)
		return o->account.kind == ACCOUNT_UID ? find_uid(config, o->account.uid, text) :
							find(config, o->account.domain, text);
	if (o->auth[0])
		return find_identity(config, o->auth, text);
	if (o->known & SUBMISSION_HAS_UID && !is_relay(config, o->uid))
		return find_uid(config, o->uid, text);
	if (o->known & SUBMISSION_HAS_CLIENT)
		return find_client(config, o, text);
	return find_domain(config, o->sender, text);
}
