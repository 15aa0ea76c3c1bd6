/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * notice_digest.h - what many notices come down to: how many of each kind, and the first of them.
 */
#ifndef SMTPL_NOTICE_DIGEST_H
#define SMTPL_NOTICE_DIGEST_H

#include "notice.h"

#define NOTICE_DIGEST_MAX 100

struct notice_digest_entry {
	uint32_t kind;
	bool simulated;
	uint32_t percent;
	int64_t until_s;
	char account[ACCOUNT_NAME_SIZE];
	char domain[SMTPL_DOMAIN_SIZE];
	char text[96]; /* of a notice without an account: its remote or text */
};

struct notice_digest {
	int64_t first_s; /* times of the first and the last notice */
	int64_t last_s;
	uint32_t count;
	uint32_t kinds[NOTICE_KINDS];
	uint32_t simulated;
	uint32_t entries;
	struct notice_digest_entry entry[NOTICE_DIGEST_MAX];
};

void notice_digest_add(struct notice_digest *d, const struct notice *n);

#endif
