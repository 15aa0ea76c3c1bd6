/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * recent.h - mails of the last minutes: a queue in the order of their coming, in which each mail is
 * found by its identity as well. A mail may be in it several times. What an entry means is up to
 * its owner (feeds.c).
 */
#ifndef SMTPL_RECENT_H
#define SMTPL_RECENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>
#include "base/table.h"
#include "ledger.h"

struct recent_entry {
	struct table_node node; /* recent.c */
	TAILQ_ENTRY(recent_entry) queue;
	uint64_t mail;	  /* identity, or 0: is not found by it */
	uint64_t time_ns; /* of the outcome; a report is of all outcomes up to then */
	uint64_t came_ns;
	uint64_t count; /* attempts */
	/* for the window: of mail and recipient, or those of a host (sessions.c), or 0 */
	uint64_t window_mail;
	uint64_t window_rcpt;
	uint64_t sender; /* as in struct outcome */
	uint32_t remote;
	struct ledger_key *key; /* what the attempts are of */
	uint8_t outcome;	/* enum smtp_outcome */
	uint8_t class;		/* enum reply_class */
	uint8_t seen;		/* the latest outcome of it on the wire, or NONE */
	bool already_charged;	/* a report: it came after the wire had been charged */
};

TAILQ_HEAD(recent_queue, recent_entry);

struct recent {
	uint64_t seed;
	struct table table; /* of those that are found by their mail */
	struct recent_queue queue;
	size_t count;
};

/* seed: random, because strangers choose addresses. */
void recent_init(struct recent *r, uint64_t seed);
/* A copy of *entry becomes the newest; all but its links are taken. NULL without memory. */
struct recent_entry *recent_add(struct recent *r, const struct recent_entry *entry);
void recent_remove(struct recent *r, struct recent_entry *entry);
/* The entries of a mail, those that came last first: NULL begins, NULL is the end. */
struct recent_entry *recent_next(const struct recent *r, uint64_t mail,
				 const struct recent_entry *previous);
void recent_clear(struct recent *r);

static inline struct recent_entry *recent_oldest(const struct recent *r)
{
	return TAILQ_FIRST(&r->queue);
}

#endif
