/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * policy_talk.h - one conversation at the policy server, whatever its protocol: bytes in, steps
 * out. Pure. The result does not depend on how the bytes are segmented.
 *
 *	room, got	put what came from the peer in
 *	next		what follows from it: MORE, REPORT, CLOSE or MALFORMED; ASK: call answer;
 *			REPLY: send `out`, set out_length to 0, and next again unless `last`
 */
#ifndef SMTPL_POLICY_TALK_H
#define SMTPL_POLICY_TALK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "policy_server.h"
#include "exim_event.h"
#include "policy_delegation.h"
#include "policy_socketmap.h"
#include "policy_word.h"

#define POLICY_TALK_IN_BYTES  (EXIM_EVENT_LINE_MAX + 1)
#define POLICY_TALK_OUT_BYTES 1024

enum policy_socket {
	POLICY_EXIM = 0,
	POLICY_DELEGATION,
	POLICY_SOCKETMAP,
	POLICY_FEED,
	POLICY_SOCKETS,
};

/* The file of each below the run directory. */
extern const char *const policy_socket_names[POLICY_SOCKETS];

struct policy_talk {
	enum policy_socket socket;
	enum policy_map map;
	bool eof;	/* the peer will send nothing more */
	bool last;	/* the connection ends when `out` is sent */
	bool malformed; /* `out` says what was wrong with the question */
	bool skipping;	/* in a line or request that is too long to be kept */
	size_t skip;	/* bytes of that request still to come, including its comma */
	size_t in_used;
	size_t in_length;
	size_t out_length;
	struct policy_delegation policy;
	struct submission submission; /* with POLICY_ASK: the question */
	char in[POLICY_TALK_IN_BYTES + 1];
	char out[POLICY_TALK_OUT_BYTES];
};

void policy_talk_begin(struct policy_talk *t, enum policy_socket socket);
/* Where to put bytes: there is room for at least one as long as next returns MORE. */
char *policy_talk_room(struct policy_talk *t, size_t *size);
/* This many bytes were put there; 0: no more will come. */
void policy_talk_got(struct policy_talk *t, size_t bytes);
enum policy_step policy_talk_next(struct policy_talk *t);
/* After ASK: REPLY or CLOSE. `answer` NULL: there is none. */
enum policy_step policy_talk_answer(struct policy_talk *t, const struct policy_answer *answer);
/* After REPORT: as exim_event_parse(). */
int policy_talk_record(struct policy_talk *t, uint32_t peer, struct delivery_report *record);
/* Has a part of a request been read? */
bool policy_talk_is_midway(const struct policy_talk *t);

#endif
