/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * policy_place.c - who has a place at the policy server, and who loses it.
 */
#include "policy_place.h"

#include <errno.h>
#include <stdlib.h>

int policy_places_init(struct policy_places *p, unsigned int max, unsigned int per_uid,
		       const struct config_uids *peers)
{
	struct policy_talk *talks = calloc(max, sizeof(*talks));
	unsigned int i;

	*p = (struct policy_places){.max = max, .per_uid = per_uid};
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

struct policy_peer *policy_places_peer(struct policy_places *p, uint32_t uid)
{
	size_t i;

	for (i = 0; i < p->peers_count; i++)
		if (p->peers[i].uid == uid)
			return &p->peers[i];
	return NULL;
}

/* Of all, or of one peer: who only keeps the line open, else whoever it is. */
static struct policy_place *stillest(const struct policy_places *p, const struct policy_peer *peer)
{
	struct policy_place *any = NULL;
	struct policy_place *place;

	TAILQ_FOREACH(place, &p->open, link)
	{
		if (peer && place->peer != peer)
			continue;
		if (place->state == POLICY_READING)
			return place;
		if (!any)
			any = place;
	}
	return any;
}

struct policy_place *policy_places_victim(const struct policy_places *p,
					  const struct policy_peer *peer)
{
	if (peer->open >= p->per_uid)
		return stillest(p, peer);
	return TAILQ_EMPTY(&p->free) ? stillest(p, NULL) : NULL;
}

struct policy_place *policy_places_take(struct policy_places *p, struct policy_peer *peer, int fd,
					enum policy_socket socket)
{
	struct policy_place *place = TAILQ_FIRST(&p->free);

	TAILQ_REMOVE(&p->free, place, link);
	TAILQ_INSERT_TAIL(&p->open, place, link);
	peer->open++;
	place->state = POLICY_READING;
	place->fd = fd;
	place->events = 0;
	place->watched = false;
	place->midway = false;
	place->peer = peer;
	place->slot = NULL;
	policy_talk_begin(place->talk, socket);
	return place;
}

void policy_places_turn(struct policy_places *p, struct policy_place *place,
			enum policy_state state)
{
	if (place->state == POLICY_WAITING)
		TAILQ_REMOVE(&p->waiting, place, queue);
	if (state == POLICY_WAITING)
		TAILQ_INSERT_TAIL(&p->waiting, place, queue);
	place->state = state;
	TAILQ_REMOVE(&p->open, place, link);
	TAILQ_INSERT_TAIL(&p->open, place, link);
}

void policy_places_drop(struct policy_places *p, struct policy_place *place)
{
	policy_places_turn(p, place, POLICY_FREE);
	TAILQ_REMOVE(&p->open, place, link);
	TAILQ_INSERT_HEAD(&p->free, place, link);
	place->peer->open--;
}
