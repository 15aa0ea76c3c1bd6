/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * door_place.h - places for the connections at the door: bounded for all, and for each uid, so that
 * a flood of one mail server leaves room for the others. When there is no room, who has been still
 * for the longest goes. No I/O.
 */
#ifndef SMTPL_DOOR_PLACE_H
#define SMTPL_DOOR_PLACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>
#include "config/config.h"
#include "door_link.h"
#include "door_talk.h"

enum door_state {
	DOOR_FREE = 0,
	DOOR_READING, /* waits for the peer to say something */
	DOOR_WAITING, /* wants to ask, but enough questions are out */
	DOOR_ASKING,
	DOOR_WRITING, /* waits for the peer to read */
};

struct door_peer {
	uint32_t uid;
	unsigned int open;
};

struct door_place {
	enum door_state state;
	int fd;
	uint32_t events;     /* that epoll watches */
	bool watched;        /* epoll knows the descriptor */
	bool midway;         /* READING: until_ms is that of a request that has begun */
	uint32_t generation; /* tells a connection from the ones that had the place before */
	int64_t until_ms;    /* what is awaited must come before */
	struct door_peer *peer;
	struct door_slot *slot; /* ASKING */
	struct door_talk *talk;
	TAILQ_ENTRY(door_place) link;  /* of the free ones, or of all others by sign of life */
	TAILQ_ENTRY(door_place) queue; /* WAITING */
};

TAILQ_HEAD(door_places_list, door_place);

struct door_places {
	unsigned int max;
	unsigned int per_uid;
	struct door_place *all;
	struct door_peer *peers;
	size_t peers_count;
	struct door_places_list free;
	struct door_places_list open; /* who has been still for the longest comes first */
	struct door_places_list waiting;
};

/* 0 or -ENOMEM. The memory is never given back. Root is always one of the peers. */
int door_places_init(struct door_places *p, unsigned int max, unsigned int per_uid,
		     const struct config_uids *peers);

/* NULL: may not talk. */
struct door_peer *door_places_peer(struct door_places *p, uint32_t uid);
/* Whom to drop before a connection of this peer; NULL: nobody. */
struct door_place *door_places_victim(const struct door_places *p, const struct door_peer *peer);
/* After the victim was dropped; begins its talk. */
struct door_place *door_places_take(struct door_places *p, struct door_peer *peer, int fd,
				    enum door_socket socket);
void door_places_drop(struct door_places *p, struct door_place *place);
/* Change the state; that is a sign of life. */
void door_places_turn(struct door_places *p, struct door_place *place, enum door_state state);

#endif
