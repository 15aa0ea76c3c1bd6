// SPDX-License-Identifier: GPL-2.0-only
/*
 * order_sender.c - who has sent from a domain that nobody owns. A bounce may name a forged domain:
 * whoever asks for it means the account that sent it.
 */
#include <string.h>
#include "base/clock.h"
#include "kernel/enforce.h"
#include "order.h"
#include "state/state_feeds.h"

struct search {
	struct order *order;
	const char *domain;
	struct order_sender *sender;
	uint64_t now_ns;
};

/* 1: one that is suspended, which ends the search. */
static int note(struct search *s, const struct account_id *id, const char *domain)
{
	struct smtpl_suspension suspension;

	if (id->kind != ACCOUNT_UID || strncmp(domain, s->domain, SMTPL_DOMAIN_SIZE) || !id->uid ||
	    order_payer_ops.role(s->order, id->uid) != SMTPL_ROLE_DIRECT)
		return 0;
	s->sender->known = true;
	s->sender->account = *id;
	s->sender->suspended =
		s->order->maps && !enforce_lookup(s->order->maps, id, s->now_ns, &suspension);
	return s->sender->suspended;
}

static int note_report(void *arg, const struct account_id *account, const char *domain,
		       const struct relay_count *counts)
{
	(void)counts;
	return note(arg, account, domain);
}

static int note_count(void *arg, const struct smtpl_count_key *key, const struct smtpl_count *count)
{
	const struct account_id id = {.kind = ACCOUNT_UID, .uid = key->uid};

	(void)count;
	return note(arg, &id, key->domain);
}

struct order_sender order_find_sender(struct order *o)
{
	struct order_sender sender = {0};
	struct search search = {.order = o,
				.domain = o->what.account.domain,
				.sender = &sender,
				.now_ns = clock_boot_ns()};

	if (o->what.account.kind != ACCOUNT_DOMAIN)
		return sender;
	if (o->maps)
		bpf_maps_each_count(o->maps, note_count, &search);
	if (o->state && !sender.suspended)
		state_each_relay_count(o->state, note_report, &search);
	return sender;
}
