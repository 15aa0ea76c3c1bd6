/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * ledger.h - how much of what the kernel counted has been taken in, per (uid, domain) and outcome:
 * what makes a lost event whole again, exactly once.
 *
 * The kernel's counts are running totals, and an event has the total right after its own
 * attempts. So a reading S of the total splits all events in two, whenever they arrive: those with
 * a total up to S are in the reading, the others are not. Once every event that the reading covers
 * has arrived or is known to be lost, S - (taken in so far of that part) attempts are missing.
 * Example: S = 10, 6 attempts were taken in before; then events arrive with totals 8 (of 1) and 11
 * (of 1). 7 of the first 10 are in, so 3 are missing; the eleventh waits for the next reading.
 *
 * Of what was taken in, a part may be superseded: the report of a mail server is charged in its
 * place; and a part may wait for its report. What waits is not saved as taken in: whoever starts
 * from the saved state finds it missing.
 */
#ifndef SMTPL_LEDGER_H
#define SMTPL_LEDGER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/table.h"
#include "headers/event.h"

/* Of one outcome, in attempts. */
struct ledger_entry {
	uint64_t reading;    /* the kernel's total at the last reading */
	uint64_t before;     /* taken in up to the reading */
	uint64_t after;	     /* taken in beyond it */
	uint64_t waiting;    /* of both: for a report */
	uint64_t superseded; /* of both: by a report */
};

struct ledger_key {
	struct table_node node;				/* ledger.c */
	struct ledger_entry entries[SMTP_OUTCOMES - 1]; /* ledger_entry() */
	uint64_t last_ns;				/* of the kernel's count */
	uint64_t latest_ns; /* nothing of the reading is younger; 0: not known */
	struct ledger_key *dirty_next;
	struct ledger_key *open_next;
	uint32_t uid;
	bool dirty;
	bool superseded; /* something was superseded, once */
	bool open;	 /* attempts of the reading are still to come, or missing */
	char domain[];
};

struct ledger;

struct ledger *ledger_new(uint64_t seed);
void ledger_free(struct ledger *l);
size_t ledger_count(const struct ledger *l);

/* The key, made where there is none. 0 or -ENOMEM. */
int ledger_get(struct ledger *l, uint32_t uid, const char *domain, struct ledger_key **key);
/* The key, or NULL. */
struct ledger_key *ledger_find(const struct ledger *l, uint32_t uid, const char *domain);
/* Nothing of the key waits: to be saved, to come, to be healed. */
bool ledger_settled(const struct ledger_key *key);
/* The kernel's map has forgotten the key: forget it as well. 0, -ENOENT, or -EBUSY: not settled. */
int ledger_forget(struct ledger *l, uint32_t uid, const char *domain);

static inline struct ledger_entry *ledger_entry(struct ledger_key *key, enum smtp_outcome outcome)
{
	return &key->entries[outcome - 1];
}

/* What has been taken in and does not wait, and the same set from a saved state. */
struct smtpl_totals ledger_accounted(const struct ledger_key *key);
void ledger_restore(struct ledger_key *key, const struct smtpl_totals *accounted);
/* What of it is superseded; set from a saved state after the former. */
struct smtpl_totals ledger_superseded(const struct ledger_key *key);
void ledger_restore_superseded(struct ledger_key *key, const struct smtpl_totals *superseded);

/* Attempts that are taken in, now or just before, begin to wait; end to; are superseded. */
void ledger_wait(struct ledger *l, struct ledger_key *key, enum smtp_outcome outcome,
		 uint64_t count);
void ledger_wait_over(struct ledger *l, struct ledger_key *key, enum smtp_outcome outcome,
		      uint64_t count);
void ledger_supersede(struct ledger *l, struct ledger_key *key, enum smtp_outcome outcome,
		      uint64_t count);

/* How many of the `count` attempts of an event with this total are not taken in yet: all of them,
 * or none when the event comes after the reading that has it was healed without it. */
uint64_t ledger_wanted(const struct ledger_key *key, enum smtp_outcome outcome, uint64_t total,
		       uint64_t count);
/* Take in `count` attempts of an event with this total. */
void ledger_take(struct ledger *l, struct ledger_key *key, enum smtp_outcome outcome,
		 uint64_t total, uint64_t count);

/* A reading of the kernel's totals. Opens the key when attempts are missing so far. Returns false
 * when a total was smaller than what had been taken in, which is then forgotten: accounted becomes
 * the reading. */
bool ledger_read(struct ledger *l, struct ledger_key *key, const struct smtpl_totals *totals,
		 uint64_t last_ns);
/* The keys opened and not closed since: the first one; follow open_next. */
struct ledger_key *ledger_open(const struct ledger *l);
/* Attempts of the reading that never came. */
uint64_t ledger_missing(const struct ledger_key *key, enum smtp_outcome outcome);
/* They were taken in without their event. */
void ledger_heal(struct ledger *l, struct ledger_key *key, enum smtp_outcome outcome,
		 uint64_t count);
/* Close every open key of which nothing is missing. */
void ledger_close(struct ledger *l);

/* Keys changed since they were saved: the first; follow dirty_next. Then forget the list. */
struct ledger_key *ledger_dirty(const struct ledger *l);
void ledger_saved(struct ledger *l);

#endif
