/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * door_link.h - the child's end of the socket pair to the daemon: questions, few at a time so that
 * no answer is lost; records, kept for a while when the daemon does not take them; and what was
 * counted. Nothing waits; what can be sent together is.
 */
#ifndef SMTPL_DOOR_LINK_H
#define SMTPL_DOOR_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "door.h"

/* So few that neither side's socket buffer can fill up with them. */
#define DOOR_LINK_QUESTIONS 32
/* Relays whose lost records are counted apart. */
#define DOOR_LINK_RELAYS 16

struct door_slot {
	uint32_t id;
	bool taken;
	bool sent;
	void *client;                /* NULL: does not care any more */
	const struct origin *origin; /* must stay until the answer */
	int64_t until_ms;            /* then the place is another's */
};

struct door_link {
	int fd;
	bool blocked; /* the daemon's buffer is full: flush when fd is writable */
	uint32_t questions;
	unsigned int taken;
	struct door_slot slots[DOOR_LINK_QUESTIONS];
	struct feed_record *records; /* a ring */
	size_t records_max;
	size_t records_first;
	size_t records_count;
	struct {
		uint32_t relay_uid;
		uint32_t count;
	} lost[DOOR_LINK_RELAYS];
	size_t lost_count;
	struct door_stats stats;
	struct door_stats told;
	int64_t told_ms;
};

/* 0 or -ENOMEM. The memory is never given back. */
int door_link_init(struct door_link *l, int fd, size_t records_max);

/* Put a question in line. NULL: as many as may be are out. */
struct door_slot *door_link_ask(struct door_link *l, void *client, const struct origin *origin,
				int64_t until_ms);
/* Nobody cares for the answer any more. */
void door_link_forget(struct door_link *l, struct door_slot *slot);
/* Give places up whose answer is overdue. The time of the next, or INT64_MAX. */
int64_t door_link_expire(struct door_link *l, int64_t now_ms);

/* Put a record in line; where there is no room, count it as lost. */
void door_link_record(struct door_link *l, const struct feed_record *record);

/* Send what there is. */
void door_link_flush(struct door_link *l, int64_t now_ms);
/* When to flush for what was counted; INT64_MAX: nothing new, or it is blocked. */
int64_t door_link_tell_ms(const struct door_link *l);

/* Take the answers that have come. False: the daemon is gone. */
bool door_link_answers(struct door_link *l,
		       void (*answer)(void *arg, void *client, const struct door_answer *answer),
		       void *arg);

#endif
