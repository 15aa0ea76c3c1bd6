/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * policy_socketmap.h - the socketmap protocol of Postfix (socketmap_table(5)) and Sendmail:
 * netstrings "LENGTH:NAME KEY," ask, "LENGTH:OK DATA," or "9:NOTFOUND ," answer. Pure. The maps:
 *
 *	transport	a sender address, "@domain" too, for Postfix's
 *			sender_dependent_default_transport_maps: "error:5.7.1 TEXT"
 *	pickup/HOST	a header line, for header_checks of a cleanup(8) that serves pickup(8)
 *			alone: "REJECT 5.7.1 TEXT" for "Received: by HOST (Postfix, from userid N)".
 *			Another host's uids are not ours. "pickup" takes every host's
 *	users		a login name, for authorized_submit_users: the whole text
 *	ask		a question of policy_line.h: the whole text
 *
 * Whatever is not suspended, or is not understood, is not found: a key must never stop mail.
 */
#ifndef SMTPL_POLICY_SOCKETMAP_H
#define SMTPL_POLICY_SOCKETMAP_H

#include <stddef.h>
#include "policy_word.h"

/* Longest request. One that is longer than POLICY_LINE_MAX is skipped, and its answer is "not
 * found". Headers may have header_size_limit bytes, 102400. */
#define POLICY_SOCKETMAP_MAX	     (1u << 20)
#define POLICY_SOCKETMAP_ANSWER_SIZE 1024

enum policy_map {
	POLICY_MAP_NONE = 0,
	POLICY_MAP_TRANSPORT,
	POLICY_MAP_PICKUP,
	POLICY_MAP_USERS,
	POLICY_MAP_ASK,
};

/* Read the head "LENGTH:" of a netstring. Returns the size of the head and sets *length; 0: more
 * bytes are needed; -EPROTO: it is none, or the netstring is longer than POLICY_SOCKETMAP_MAX. */
int policy_socketmap_head(const char *bytes, size_t size, size_t *length);

/* Read the content of a netstring, which is changed, request[length] too. ASK with the submission;
 * REPLY: not found, or with POLICY_MAP_NONE no such map; MALFORMED. */
enum policy_step policy_socketmap_request(char *request, size_t length, enum policy_map *map,
					  struct submission *o);

/* `refusal` NULL: not found. POLICY_MAP_NONE: there is no such map. Returns the length. */
size_t policy_socketmap_answer(enum policy_map map, const char *refusal,
			       char answer[POLICY_SOCKETMAP_ANSWER_SIZE]);

#endif
