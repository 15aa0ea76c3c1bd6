/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * door_place.c - who has a place at the door, and who loses it.
 */
#include "door_place.h"

#include <errno.h>
#include <stdlib.h>

int door_places_init(struct door_places *p, unsigned int max, unsigned int per_uid,
		     const struct config_uids *peers)
{
	struct door_talk *talks = calloc(max, sizeof(*talks));
	unsigned int i;

	*p = (struct door_places){.max = max, .per_uid = per_uid};
	p->all = calloc(max, sizeof(*p->all));
	p->peers = calloc(peers->count + 1, sizeof(*p->peers));
	if (!talks || !p->all || !p->peers)
		return -ENOMEM;
	TAILQ_INIT(&p->free);
	TAILQ_INIT(&p->open);
	TAILQ_INIT(&p->waiting);
	for (i = 0; i < max; i++) {
		p->all[i].talk = &talks[i];
		TAILQ_INSERT_TAIL(&p->free, &p->all[i], link);
	}
	p->peers_count = 1; /* root */
	for (i = 0; i < peers->count; i++)
		if (peers->uid[i] != 0)
			p->peers[p->peers_count++].uid = peers->uid[i];
	return 0;
}

struct door_peer *door_places_peer(struct door_places *p, uint32_t uid)
{
	size_t i;

	for (i = 0; i < p->peers_count; i++)
		if (p->peers[i].uid == uid)
			return &p->peers[i];
	return NULL;
}

/* Of all, or of one peer: who only keeps the line open, else whoever it is. */
static struct door_place *stillest(const struct door_places *p, const struct door_peer *peer)
{
	struct door_place *any = NULL;
	struct door_place *place;

	TAILQ_FOREACH(place, &p->open, link) {
		if (peer && place->peer != peer)
			continue;
		if (place->state == DOOR_READING)
			return place;
		if (!any)
			any = place;
	}
	return any;
}

struct door_place *door_places_victim(const struct door_places *p, const struct door_peer *peer)
{
	if (peer->open >= p->per_uid)
		return stillest(p, peer);
	return TAILQ_EMPTY(&p->free) ? stillest(p, NULL) : NULL;
}

struct door_place *door_places_take(struct door_places *p, struct door_peer *peer, int fd,
				    enum door_socket socket)
{
	struct door_place *place = TAILQ_FIRST(&p->free);

	TAILQ_REMOVE(&p->free, place, link);
	TAILQ_INSERT_TAIL(&p->open, place, link);
	peer->open++;
	place->state = DOOR_READING;
	place->fd = fd;
	place->events = 0;
	place->watched = false;
	place->midway = false;
	place->generation++;
	place->peer = peer;
	place->slot = NULL;
	door_talk_begin(place->talk, socket);
	return place;
}

void door_places_turn(struct door_places *p, struct door_place *place, enum door_state state)
{
	if (place->state == DOOR_WAITING)
		TAILQ_REMOVE(&p->waiting, place, queue);
	if (state == DOOR_WAITING)
		TAILQ_INSERT_TAIL(&p->waiting, place, queue);
	place->state = state;
	TAILQ_REMOVE(&p->open, place, link);
	TAILQ_INSERT_TAIL(&p->open, place, link);
}

void door_places_drop(struct door_places *p, struct door_place *place)
{
	door_places_turn(p, place, DOOR_FREE);
	TAILQ_REMOVE(&p->open, place, link);
	TAILQ_INSERT_HEAD(&p->free, place, link);
	place->peer->open--;
}
