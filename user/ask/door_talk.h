/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * door_talk.h - one conversation at the door, whatever its protocol: bytes in, steps out. Pure. How
 * the bytes are cut into pieces changes nothing.
 *
 *	room, got	put what came from the peer in
 *	next		what follows from it: MORE, TELL, CLOSE or MALFORMED; ASK: call answer;
 *			SAY: send `out`, set out_length to 0, and next again unless `last`
 */
#ifndef SMTPL_DOOR_TALK_H
#define SMTPL_DOOR_TALK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "door.h"
#include "door_feed.h"
#include "door_policy.h"
#include "door_socketmap.h"
#include "door_word.h"

#define DOOR_TALK_IN_BYTES (DOOR_FEED_LINE_MAX + 1)
#define DOOR_TALK_OUT_BYTES 1024

enum door_socket {
	DOOR_EXIM = 0,
	DOOR_POLICY,
	DOOR_SOCKETMAP,
	DOOR_FEED,
	DOOR_SOCKETS,
};

/* The file of each below the run directory. */
extern const char *const door_socket_names[DOOR_SOCKETS];

struct door_talk {
	enum door_socket socket;
	enum door_map map;
	bool eof;      /* the peer has sent all that it will */
	bool last;     /* the connection ends when `out` is sent */
	bool skipping; /* in a line or request of which nothing is kept */
	size_t skip;   /* bytes of that request still to come, its comma too */
	size_t in_used;
	size_t in_length;
	size_t out_length;
	struct door_policy policy;
	struct origin origin; /* with DOOR_ASK: the question */
	char in[DOOR_TALK_IN_BYTES + 1];
	char out[DOOR_TALK_OUT_BYTES];
};

void door_talk_begin(struct door_talk *t, enum door_socket socket);
/* Where to put bytes, never less than one as long as next says MORE. */
char *door_talk_room(struct door_talk *t, size_t *size);
/* So many bytes were put there; 0: no more will come. */
void door_talk_got(struct door_talk *t, size_t bytes);
enum door_step door_talk_next(struct door_talk *t);
/* After ASK: SAY or CLOSE. NULL: nobody has answered. */
enum door_step door_talk_answer(struct door_talk *t, const struct door_answer *answer);
/* After TELL: as door_feed_parse(). */
int door_talk_record(struct door_talk *t, uint32_t peer, struct feed_record *record);
/* Is a part of a request there? */
bool door_talk_is_midway(const struct door_talk *t);

#endif
