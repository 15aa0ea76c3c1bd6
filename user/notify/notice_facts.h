/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * notice_facts.h - the latest failures of each account, for the notice about it: its last ten
 * recipients that failed, and how often each kind of reply came from each remote. Pure: time is an
 * argument. At most 2,048 accounts are kept, of 6 KiB each, which is 12 MiB; the one that failed
 * longest ago goes first.
 */
#ifndef SMTPL_NOTICE_FACTS_H
#define SMTPL_NOTICE_FACTS_H

#include <stddef.h>
#include <stdint.h>
#include "core/reply_class.h"
#include "notice.h"

#define NOTICE_FACTS_ACCOUNTS 2048

struct notice_facts;

/* seed: random, since strangers choose the domains of accounts. NULL: no memory. */
struct notice_facts *notice_facts_new(uint64_t seed);
void notice_facts_free(struct notice_facts *f);

struct notice_failure {
	const char *recipient; /* strings are untrusted; longer ones are cut */
	const char *remote;
	const char *enhanced;
	const char *text;
	enum reply_class class;
	uint16_t code; /* 0: no reply came */
	int64_t time_s;
};

/* A further failure of a recipient takes the place of the one before. Without memory it is
 * forgotten. */
void notice_facts_add(struct notice_facts *f, const struct account_id *id,
		      const struct notice_failure *failure);
/* Fill in groups and recipients of the last window_s (0: of any time) before the notice's time,
 * the largest group first. The count of a group begins anew after an hour without one of it. */
void notice_facts_fill(const struct notice_facts *f, const struct account_id *id, struct notice *n);
/* The account begins anew. */
void notice_facts_forget(struct notice_facts *f, const struct account_id *id);
size_t notice_facts_accounts(const struct notice_facts *f);

#endif
