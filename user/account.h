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

#include <stddef.h>
#include <stdint.h>
#include "../headers/limits.h"

enum account_kind {
	ACCOUNT_UID = 1,
	ACCOUNT_DOMAIN = 2,
};

struct account_id {
	enum account_kind kind;
	uint32_t uid;                   /* ACCOUNT_UID */
	char domain[SMTPL_DOMAIN_SIZE]; /* ACCOUNT_DOMAIN: key form, lower case, NUL padded */
};

/* Room for any account's name. */
#define ACCOUNT_NAME_SIZE (SMTPL_DOMAIN_SIZE + 16)

/* Read what a person typed. Returns 0; -ENOENT: no such user; -EINVAL: not a name, uid:N or
 * domain:NAME. *why then says what is wrong and what would be right (static or in `buf`). */
int account_parse(const char *text, struct account_id *id, char *why, size_t why_size);

/* Write the name of an account. Asks the passwd database, whose answer is not kept. */
void account_name(const struct account_id *id, char *name, size_t name_size);

/* Bring a domain into key form: lower case, no trailing dot, longer ones cut and hashed exactly as
 * the parser in headers/smtp.h does it. -EINVAL for an empty one or one with blanks or controls. */
int account_domain_key(const char *text, char key[SMTPL_DOMAIN_SIZE]);

#endif
