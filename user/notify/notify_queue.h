/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * notify_queue.h - what is to be sent, by which way and when. Pure: time is an argument, in
 * monotonic milliseconds.
 *
 * - Of each kind one notice an hour for an account (or a remote); the next one says how many were
 *   kept back.
 * - A notice waits for 5 s. When it is the 11th within a minute, it and those that wait become a
 *   digest, which goes out 10 s after the last of them, 2 minutes after the first at the latest.
 *   Customers' own notices never become part of one: they wait for nothing, and five a second are
 *   sent.
 * - What fails is tried again after 1, 5, 15 and 60 minutes, and then counted as failed.
 * - At most 2,048 notices are kept (15 MiB), of one account at most 8 of them: whoever causes many
 *   loses his own alone. 64 places are for notices without an account.
 */
#ifndef SMTPL_NOTIFY_QUEUE_H
#define SMTPL_NOTIFY_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "notice.h"
#include "notice_digest.h"

#define NOTIFY_LETTERS_MAX 2048
#define NOTIFY_SHARE_MAX   8
#define NOTIFY_TRIES_MAX   5

enum notify_way {
	NOTIFY_COMMAND = 0,
	NOTIFY_ADMIN,
	NOTIFY_CUSTOMER,
	NOTIFY_WEBHOOK,
	NOTIFY_LOOKUP, /* of a customer's address, which the administrator's command knows */
	NOTIFY_WAYS,
};

#define NOTIFY_BIT(way) (1u << (way))

/* "command", "mail to the administrator", ... */
const char *notify_way_name(enum notify_way way);

/* Since the start, but for `waiting`. */
struct notify_stats {
	uint64_t sent;
	uint64_t failed;  /* given up */
	uint64_t dropped; /* for want of room */
	uint64_t waiting;
};

/* One notice or digest by one way. Either is set. */
struct notify_task {
	const struct notice *notice;
	const struct notice_digest *digest;
	enum notify_way way;
	unsigned int tries;
	char address[256]; /* NOTIFY_CUSTOMER: of whom */
};

struct notify_queue;

/* seed: random. NULL: no memory. */
struct notify_queue *notify_queue_new(uint64_t seed);
void notify_queue_free(struct notify_queue *q);

/* NOTIFY_BIT() of each way in use, from now on. What waits for another one is dropped. */
void notify_queue_set_ways(struct notify_queue *q, unsigned int ways);
void notify_queue_add(struct notify_queue *q, const struct notice *n, int64_t now_ms);
/* Let go what waits for others of its kind. */
void notify_queue_flush(struct notify_queue *q, int64_t now_ms);

/* A task of this way whose time has come, or NULL; the caller gives it back with done(). */
struct notify_task *notify_queue_take(struct notify_queue *q, enum notify_way way, int64_t now_ms);
enum notify_end {
	NOTIFY_SENT = 0,
	NOTIFY_FAILED, /* it is tried again, unless it was tried often enough */
	NOTIFY_NO_WAY, /* it is not tried again */
	NOTIFY_NOBODY, /* there is nobody to send it to: not counted */
};

/* It ended like this. In how many ms it is tried again; 0: never. */
int64_t notify_queue_done(struct notify_queue *q, struct notify_task *task, enum notify_end end,
			  int64_t now_ms);

/* A NOTIFY_LOOKUP has found this address: it goes on as NOTIFY_CUSTOMER. */
void notify_queue_found(struct notify_queue *q, struct notify_task *task, const char *address,
			int64_t now_ms);

/* When to call notify_queue_take() next for one of `ways`, or INT64_MAX. */
int64_t notify_queue_due(struct notify_queue *q, unsigned int ways, int64_t now_ms);
struct notify_stats notify_queue_stats(const struct notify_queue *q);

#endif
