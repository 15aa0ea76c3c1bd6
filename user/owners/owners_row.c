// SPDX-License-Identifier: GPL-2.0-only
/*
 * owners_row.c - one domain and its user: the line "domain: user" that most sources have, which
 * domains and users are valid, and which account the user is.
 */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "who/account.h"
#include "config/config_value.h"
#include "base/log.h"
#include "owners_read.h"

#define NOBODY 65534

#define USER_BYTES 255
/* RFC 1035 2.3.4 */
#define DOMAIN_BYTES 254

/* These stand in place of a uid in the table of users; no user has either. */
#define UID_UNKNOWN UINT32_MAX
#define UID_SKIPPED (UINT32_MAX - 1)

static const char want_domain[] = "is no domain: want a name like example.com";
static const char want_row[] = "want DOMAIN: USER, one domain a line";

/* Is it a domain of a mail address, UTF-8 included (RFC 6531)? No label is empty, but one dot may
 * end it. */
static bool is_domain(const char *domain, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		unsigned char byte = (unsigned char)domain[i];

		if (!isalnum(byte) && byte < 0x80 && !strchr("-._", byte))
			return false;
		if (byte == '.' && (i == 0 || domain[i - 1] == '.'))
			return false;
	}
	return size > 0 && size <= DOMAIN_BYTES;
}

static bool is_user(const char *user, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		unsigned char byte = (unsigned char)user[i];

		if (byte <= ' ' || byte == 0x7f || byte == ':')
			return false;
	}
	return size > 0 && size <= USER_BYTES;
}

/* These users own domains of the host itself, or of a customer nobody knows. */
static bool is_skipped(const struct owners_reading *r, const char *name, uint32_t uid)
{
	return uid == 0 || uid == NOBODY || uid >= UID_SKIPPED || !strcmp(name, "nobody") ||
	       config_uids_has(&r->config->relays, uid);
}

/* The passwd database may be on the network, so it is asked only once for each user. */
static int ask_for_user(struct owners_reading *r, const char *name, uint32_t *uid)
{
	char why[128];
	int err;

	err = account_uid(name, uid);
	if (err && err != -ENOENT) {
		snprintf(why, sizeof(why), "the passwd database cannot be asked: %s",
			 strerror(-err));
		owners_fail_quoted(r, name, strlen(name), why);
		return err;
	}
	if (err)
		*uid = UID_UNKNOWN;
	err = name_table_add(&r->users, name, *uid);
	if (err)
		owners_fail(r, "out of memory");
	return err;
}

static int find_user(struct owners_reading *r, const char *user, size_t user_size, uint32_t *uid)
{
	char name[USER_BYTES + 1];
	int err;

	snprintf(name, sizeof(name), "%.*s", (int)user_size, user);
	if (!name_table_find(&r->users, name, uid)) {
		err = ask_for_user(r, name, uid);
		if (err)
			return err;
	}
	if (*uid != UID_UNKNOWN && is_skipped(r, name, *uid))
		*uid = UID_SKIPPED;
	return 0;
}

static int add(struct owners_reading *r, const char *domain, size_t domain_size, uint32_t uid)
{
	char text[DOMAIN_BYTES + 1], key[SMTPL_DOMAIN_SIZE];
	int err;

	snprintf(text, sizeof(text), "%.*s", (int)domain_size, domain);
	if (account_domain_key(text, key))
		return owners_fail_quoted(r, domain, domain_size, want_domain);
	err = owners_add(r->owners, key, uid);
	if (err == -E2BIG)
		owners_fail(r, "want at most %d domains", OWNERS_MAX);
	else if (err && err != -EEXIST)
		owners_fail(r, "out of memory");
	return err == -EEXIST ? 0 : err;
}

/* Returns 1 for a wildcard, which no mail has as its domain. */
static int check_domain(struct owners_reading *r, const char *domain, size_t domain_size)
{
	if (domain_size && domain[0] == '*' &&
	    (domain_size == 1 || (domain[1] == '.' && is_domain(domain + 2, domain_size - 2))))
		return 1;
	if (!is_domain(domain, domain_size))
		return owners_fail_quoted(r, domain, domain_size, want_domain);
	return 0;
}

int owners_row(struct owners_reading *r, const char *domain, size_t domain_size, const char *user,
	       size_t user_size)
{
	int err = check_domain(r, domain, domain_size);
	uint32_t uid;

	if (err)
		return err < 0 ? err : 0;
	if (!is_user(user, user_size))
		return owners_fail_quoted(r, user, user_size,
					  "is no user: want a name without blanks and colons");
	err = find_user(r, user, user_size, &uid);
	if (err || uid == UID_SKIPPED)
		return err;
	if (uid == UID_UNKNOWN) {
		r->owners->unknown++;
		return 0;
	}
	return add(r, domain, domain_size, uid);
}

int owners_row_uid(struct owners_reading *r, const char *domain, size_t domain_size, uint32_t uid)
{
	int err = check_domain(r, domain, domain_size);

	if (err || is_skipped(r, "", uid))
		return err < 0 ? err : 0;
	return add(r, domain, domain_size, uid);
}

static size_t skip_blanks(const char *bytes, size_t from, size_t size)
{
	while (from < size && (bytes[from] == ' ' || bytes[from] == '\t'))
		from++;
	return from;
}

/* Reads "DOMAIN: uid:N", split where blanks follow the first colon. 1: it is no such line. */
static int uid_line(struct owners_reading *r, const char *line, size_t length)
{
	const char *colon = memchr(line, ':', length);
	size_t domain_size = colon ? (size_t)(colon - line) : length;
	size_t at = skip_blanks(line, domain_size + 1, length);
	char digits[16];
	uint32_t uid;

	if (!colon || at == domain_size + 1 || length - at < 4 || memcmp(line + at, "uid:", 4) != 0)
		return 1;
	at += 4;
	if (length - at < sizeof(digits)) {
		snprintf(digits, sizeof(digits), "%.*s", (int)(length - at), line + at);
		if (!account_uid_number(digits, &uid))
			return owners_row_uid(r, line, domain_size, uid);
	}
	return owners_fail_quoted(r, line + at - 4, length - at + 4,
				  "want uid:N, N a whole number from 0 to 4294967294");
}

int owners_row_line(struct owners_reading *r, const char *line, size_t length)
{
	const char *colon = memrchr(line, ':', length);
	size_t domain_size, user;
	int result = uid_line(r, line, length);

	if (result <= 0)
		return result;
	if (!colon)
		return owners_fail_quoted(r, line, length, want_row);
	domain_size = (size_t)(colon - line);
	user = skip_blanks(line, domain_size + 1, length);
	while (domain_size && (line[domain_size - 1] == ' ' || line[domain_size - 1] == '\t'))
		domain_size--;
	if (!domain_size || user == length)
		return owners_fail_quoted(r, line, length, want_row);
	return owners_row(r, line, domain_size, line + user, length - user);
}
