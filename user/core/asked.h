/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * asked.h - what the policy server was asked in the last minutes: which account pays for mail of a
 * sender. A mail server asks for every message, also for one that it does not report: then this
 * says whose an outcome on the wire is. Pure: time is an argument.
 *
 * An outcome on the wire names the sender alone. Where a sender was asked about for two accounts,
 * one of which may forge it, it is nobody's until the sender has been one account's again for
 * ASKED_KEEP_NS.
 */
#ifndef SMTPL_ASKED_H
#define SMTPL_ASKED_H

#include <stddef.h>
#include <stdint.h>
#include "base/clock.h"
#include "who/account.h"

/* A server may have asked 5 minutes before, and an outcome waits for 10 for its report. */
#define ASKED_KEEP_NS	      (16 * 60 * NS_PER_S)
#define ASKED_SENDERS_MAX     65536
#define ASKED_PER_ACCOUNT_MAX 1024 /* then its own oldest one is forgotten */

struct asked;

enum asked_answer {
	ASKED_UNKNOWN = 0, /* it was not */
	ASKED_NOBODY,
	ASKED_ACCOUNT,
};

/* NULL without memory. */
struct asked *asked_new(uint64_t seed);
void asked_free(struct asked *a);

/* The server was told that this account pays, NULL: that nobody does. Without memory, or at the
 * bound, it is not remembered; then what is not known is nobody's for ASKED_KEEP_NS, since it may
 * be what was forgotten, and the sender's domain another's. */
void asked_note(struct asked *a, uint64_t sender, const struct account_id *id, uint64_t now_ns);
/* *id is set with ASKED_ACCOUNT. */
enum asked_answer asked_find(const struct asked *a, uint64_t sender, struct account_id *id,
			     uint64_t now_ns);
/* Forget what is older. */
void asked_expire(struct asked *a, uint64_t now_ns);
size_t asked_count(const struct asked *a);

#endif
