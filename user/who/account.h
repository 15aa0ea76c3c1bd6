/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * account.h - who is limited, and how it is written.
 *
 * A direct sender is its uid, all its sender domains together; mail of a relay user is charged to
 * its sender domain. Written `alice` (a name of the passwd database), `uid:1234` (no such entry),
 * `domain:example.com`.
 */
#ifndef SMTPL_ACCOUNT_H
#define SMTPL_ACCOUNT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "headers/limits.h"

enum account_kind {
	ACCOUNT_UID = 1,
	ACCOUNT_DOMAIN = 2,
};

struct account_id {
	enum account_kind kind;
	uint32_t uid;			/* ACCOUNT_UID */
	char domain[SMTPL_DOMAIN_SIZE]; /* ACCOUNT_DOMAIN: key form, lower case, NUL padded */
};

/* Room for any account's name: "domain:" and a key whose every byte needs an escape. */
#define ACCOUNT_NAME_SIZE (4 * SMTPL_DOMAIN_SIZE + 16)

bool account_equal(const struct account_id *a, const struct account_id *b);

/* Read what a person typed. Returns 0; -ENOENT: no such user; -EINVAL: not a name, uid:N or
 * domain:NAME; another -errno: the passwd database could not be asked. `why` then says in one line
 * what is wrong and what would be right. */
int account_parse(const char *text, struct account_id *id, char *why, size_t why_size);

/* Write the name of an account. Asks the passwd database, whose answer is not kept. The name is
 * safe to print anywhere, and account_parse() takes a user's back: one whose name has blanks,
 * control bytes, a colon or nothing in it is written uid:N. */
void account_name(const struct account_id *id, char *name, size_t name_size);

/* The same of a user whose passwd entry is known. */
void account_user_name(uint32_t uid, const char *user, char *name, size_t name_size);

/* The uid of a user name. Returns 0; -ENOENT: no such user; another -errno: the database failed. */
int account_uid(const char *name, uint32_t *uid);

/* A uid in decimal digits, the whole string. -EINVAL: not one; 4294967295 is (uid_t)-1, nobody. */
int account_uid_number(const char *digits, uint32_t *uid);

/* Bring a domain into key form: lower case, no trailing dot, longer ones cut and hashed exactly as
 * the parser in headers/smtp.h does it. -EINVAL for an empty one or one with blanks or controls. */
int account_domain_key(const char *text, char key[SMTPL_DOMAIN_SIZE]);

#endif
