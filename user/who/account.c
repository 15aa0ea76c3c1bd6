/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * account.c - from what a person types to an account and back, and the key form of a domain.
 */
#include "account.h"

#include <errno.h>
#include <inttypes.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>

#include "headers/smtp.h"
#include "base/log.h"

/* How much of what was typed an error quotes. */
#define QUOTE_SIZE 128

/* getpwnam(3) has no code of its own for "no such user": these are the ones that mean something
 * else, the rest is what one or the other source of names leaves in errno. */
static int passwd_error(int error)
{
	switch (error) {
	case EINTR:
	case EIO:
	case EMFILE:
	case ENFILE:
	case ENOMEM:
	case ERANGE:
	case ETIMEDOUT:
	case ECONNREFUSED:
		return -error;
	default:
		return -ENOENT;
	}
}

int account_uid(const char *name, uint32_t *uid)
{
	const struct passwd *entry;

	errno = 0;
	entry = getpwnam(name);
	if (!entry)
		return passwd_error(errno);
	*uid = entry->pw_uid;
	return 0;
}

int account_uid_number(const char *digits, uint32_t *uid)
{
	uint64_t n = 0;

	if (!*digits)
		return -EINVAL;
	for (const char *d = digits; *d; d++) {
		if (*d < '0' || *d > '9')
			return -EINVAL;
		n = n * 10 + (uint64_t)(*d - '0');
		if (n >= UINT32_MAX)
			return -EINVAL;
	}
	*uid = (uint32_t)n;
	return 0;
}

int account_domain_key(const char *text, char key[SMTPL_DOMAIN_SIZE])
{
	static const struct smtp_client none;
	struct smtp_client parser = none;
	size_t length = strlen(text);

	if (!length || !strcmp(text, "."))
		return -EINVAL;
	for (size_t i = 0; i < length; i++) {
		unsigned char byte = (unsigned char)text[i];

		if (byte <= ' ' || byte == 0x7f)
			return -EINVAL;
	}
	smtp_address_begin(&parser);
	for (size_t i = 0; i < length; i++)
		smtp_domain_add(&parser, smtp_lower((unsigned char)text[i]));
	smtp_path_close(&parser);
	memcpy(key, parser.domain, SMTPL_DOMAIN_SIZE);
	return 0;
}

bool account_equal(const struct account_id *a, const struct account_id *b)
{
	if (a->kind != b->kind)
		return false;
	return a->kind == ACCOUNT_UID ? a->uid == b->uid :
					!strncmp(a->domain, b->domain, sizeof(a->domain));
}

static int parse_user(const char *text, uint32_t *uid, char *why, size_t why_size)
{
	int error = account_uid(text, uid);
	char quoted[QUOTE_SIZE];
	uint32_t number;

	if (!error)
		return 0;
	log_escape(text, strlen(text), 1, quoted, sizeof(quoted));
	if (error != -ENOENT)
		snprintf(why, why_size, "\"%s\": cannot ask the passwd database: %s", quoted,
			 strerror(-error));
	else if (!account_uid_number(text, &number))
		snprintf(why, why_size, "\"%s\": no such user; for a uid write uid:%" PRIu32,
			 quoted, number);
	else if (strchr(text, '.') && !strchr(text, '@'))
		snprintf(why, why_size, "\"%s\": no such user; for a domain write domain:%s",
			 quoted, quoted);
	else
		snprintf(why, why_size,
			 "\"%s\": no such user; want a user name, uid:N or domain:NAME", quoted);
	return error;
}

int account_parse(const char *text, struct account_id *id, char *why, size_t why_size)
{
	struct account_id found = {.kind = ACCOUNT_UID};
	const char *wanted = NULL;
	char quoted[QUOTE_SIZE];
	int error = 0;

	if (!strncmp(text, "uid:", 4)) {
		if (account_uid_number(text + 4, &found.uid))
			wanted = "want uid:N, N a whole number from 0 to 4294967294";
	} else if (!strncmp(text, "domain:", 7)) {
		found.kind = ACCOUNT_DOMAIN;
		if (account_domain_key(text + 7, found.domain))
			wanted = "want domain:NAME without blanks, like domain:example.com";
	} else if (!*text || strchr(text, ':')) {
		wanted = "want a user name, uid:N or domain:NAME";
	} else {
		error = parse_user(text, &found.uid, why, why_size);
	}
	if (wanted) {
		log_escape(text, strlen(text), 1, quoted, sizeof(quoted));
		snprintf(why, why_size, "\"%s\": %s", quoted, wanted);
		error = -EINVAL;
	}
	if (!error)
		*id = found;
	return error;
}

/* Names come from any source that nsswitch.conf has, not only from a checked /etc/passwd. */
static int name_is_clean(const char *name)
{
	char printable[2 * ACCOUNT_NAME_SIZE];

	if (!*name || strlen(name) >= ACCOUNT_NAME_SIZE || strchr(name, ':'))
		return 0;
	for (const char *c = name; *c; c++)
		if (*c == ' ')
			return 0;
	log_escape(name, strlen(name), 1, printable, sizeof(printable));
	/* The one change allowed is the doubled backslash of DOMAIN\user. */
	for (const char *p = printable; *name; name++, p++) {
		if (*p != *name)
			return 0;
		if (*name == '\\' && *++p != '\\')
			return 0;
	}
	return 1;
}

void account_user_name(uint32_t uid, const char *user, char *name, size_t name_size)
{
	if (name_is_clean(user))
		snprintf(name, name_size, "%s", user);
	else
		snprintf(name, name_size, "uid:%" PRIu32, uid);
}

void account_name(const struct account_id *id, char *name, size_t name_size)
{
	char printable[ACCOUNT_NAME_SIZE];
	const struct passwd *entry;

	if (id->kind == ACCOUNT_DOMAIN) {
		log_escape(id->domain, sizeof(id->domain), 1, printable, sizeof(printable));
		snprintf(name, name_size, "domain:%s", printable);
		return;
	}
	entry = getpwuid(id->uid);
	account_user_name(id->uid, entry ? entry->pw_name : "", name, name_size);
}
