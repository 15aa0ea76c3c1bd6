/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * owners.h - which user owns a domain: read from the files of a hosting panel, a plain file, or the
 * output of a command. A table is complete when others get it, and never changes.
 */
#ifndef SMTPL_OWNERS_H
#define SMTPL_OWNERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "config/config.h"

struct owners;

/* Read the sources that `config` names (auto: those that exist). 0; a negative errno with one line
 * in `error`, "FILE:LINE: what, in quotes, and what is right", *owners then untouched. A missing
 * file is an empty table with auto, an error when it was named. Users that the passwd database does
 * not know are skipped and counted. `output`: of the command, with source = command. */
int owners_read(const struct config *config, const char *output, size_t output_size,
		struct owners **owners, char *error, size_t error_size);
void owners_free(struct owners *owners);

/* Make an empty table, to which saved rows are added before anybody else sees it. NULL without
 * memory. 0; -EEXIST: the domain has an owner, who stays; -E2BIG, -ENOMEM. */
struct owners *owners_new(void);
int owners_add(struct owners *owners, const char *domain, uint32_t uid);

/* domain: key form (account_domain_key). A subdomain that is not listed belongs to nobody. NULL
 * owners: an empty table. */
bool owners_find(const struct owners *owners, const char *domain, uint32_t *uid);
size_t owners_count(const struct owners *owners);
/* Whether both have the same domains with the same owners. */
bool owners_same(const struct owners *a, const struct owners *b);
/* How many rows have a user that does not exist. */
size_t owners_unknown(const struct owners *owners);
/* What it was read from: "cpanel /etc/userdomains", "none"; "a, b" of several. */
const char *owners_source(const struct owners *owners);

/* Calls back in no order. A non-zero return of `each` ends the call and is returned. */
int owners_each(const struct owners *owners,
		int (*each)(void *arg, const char *domain, uint32_t uid), void *arg);

#endif
