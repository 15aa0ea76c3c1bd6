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
#include "ledger.h"

struct recent_entry {
	uint64_t mail;	  /* identity, or 0: is not found by it */
	uint64_t time_ns; /* of the outcome; told: all of the mail up to then is meant */
	uint64_t came_ns;
	uint64_t count; /* attempts */
	uint64_t
		/* for the window: the identity, or that of a host (sessions.c), or 0 */
		window_mail;
	struct ledger_key *key; /* what the attempts are of */
	struct recent_entry *chain;
	struct recent_entry *newer;
	struct recent_entry *older;
	uint8_t outcome;      /* enum smtp_outcome */
	uint8_t seen;	      /* the latest outcome of it on the wire, or NONE */
	bool already_charged; /* told after the wire had been charged */
};

/* All zero but the seed is empty. */
struct recent {
	uint64_t seed; /* random: strangers choose addresses */
	struct recent_entry **buckets;
	size_t buckets_count; /* power of two; 0: nothing was ever in it */
	size_t count;
	struct recent_entry *oldest;
	struct recent_entry *newest;
};

/* A copy of *entry becomes the newest; all but its links are taken. NULL without memory. */
struct recent_entry *recent_add(struct recent *r, const struct recent_entry *entry);
void recent_remove(struct recent *r, struct recent_entry *entry);
/* The entries of a mail, those that came last first: NULL begins, NULL is the end. */
struct recent_entry *recent_next(const struct recent *r, uint64_t mail,
				 const struct recent_entry *previous);
void recent_clear(struct recent *r);

#endif
