/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * policy_place.h - places for the connections at the policy server: bounded for all, and for each
 * uid, so that a flood of one mail server leaves room for the others. When there is no room, the
 * connection that has been still for the longest is closed. No I/O.
 */
#ifndef SMTPL_POLICY_PLACE_H
#define SMTPL_POLICY_PLACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>
#include "config/config.h"
#include "policy_link.h"
#include "policy_talk.h"

enum policy_state {
	POLICY_FREE = 0,
	POLICY_READING, /* waits for the peer to send */
	POLICY_WAITING, /* wants to ask, but enough questions are out */
	POLICY_ASKING,
	POLICY_WRITING, /* waits for the peer to read */
};

struct policy_peer {
	uint32_t uid;
	unsigned int open;
};

struct policy_place {
	enum policy_state state;
	int fd;
	uint32_t events;  /* that epoll watches */
	bool watched;	  /* epoll knows the descriptor */
	bool midway;	  /* READING: until_ms is that of a request that has begun */
	int64_t until_ms; /* what is awaited must come before */
	struct policy_peer *peer;
	struct policy_slot *slot; /* ASKING */
	struct policy_talk *talk;
	TAILQ_ENTRY(policy_place) link;	 /* of the free ones, or of all others by sign of life */
	TAILQ_ENTRY(policy_place) queue; /* WAITING */
};

TAILQ_HEAD(policy_places_list, policy_place);

struct policy_places {
	unsigned int max;
	unsigned int per_uid;
	struct policy_place *all;
	struct policy_peer *peers;
	size_t peers_count;
	struct policy_places_list free;
	struct policy_places_list open; /* who has been still for the longest comes first */
	struct policy_places_list waiting;
};

/* 0 or -ENOMEM. The memory is never given back. Root is always one of the peers. */
int policy_places_init(struct policy_places *p, unsigned int max, unsigned int per_uid,
		       const struct config_uids *peers);

/* NULL: may not talk. */
struct policy_peer *policy_places_peer(struct policy_places *p, uint32_t uid);
/* Whom to drop before a connection of this peer; NULL: nobody. */
struct policy_place *policy_places_victim(const struct policy_places *p,
					  const struct policy_peer *peer);
/* After the victim was dropped; begins its talk. */
struct policy_place *policy_places_take(struct policy_places *p, struct policy_peer *peer, int fd,
					enum policy_socket socket);
void policy_places_drop(struct policy_places *p, struct policy_place *place);
/* Change the state; that is a sign of life. */
void policy_places_turn(struct policy_places *p, struct policy_place *place,
			enum policy_state state);

#endif
