/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * door_policy.h - Postfix policy delegation (SMTPD_POLICY_README): a request is lines of name=value
 * and an empty line; an answer is "action=..." and an empty line. Pure.
 */
#ifndef SMTPL_DOOR_POLICY_H
#define SMTPL_DOOR_POLICY_H

#include <stddef.h>
#include <stdint.h>
#include "door_word.h"

/* All lines of one request. Postfix sends about 700 bytes and some certificate names. */
#define DOOR_POLICY_MAX (64u << 10)
#define DOOR_POLICY_ANSWER_SIZE 1024

struct door_policy {
	struct origin origin; /* what was asked, with DOOR_ASK */
	size_t bytes;
	bool is_policy;       /* request=smtpd_access_policy was there */
	bool no_sender;       /* a state of the session in which no sender has been named */
};

void door_policy_begin(struct door_policy *p);
/* Take a line, without its end and changed. MORE, and at the empty line ASK or SAY: begin again
 * after the answer. */
enum door_step door_policy_line(struct door_policy *p, char *line, size_t length);
/* A line that was too long to be kept, `bytes` of it: none that matters is. MORE or MALFORMED. */
enum door_step door_policy_skip(struct door_policy *p, size_t bytes);
/* `refusal` NULL: no objection. Returns the length. */
size_t door_policy_answer(const char *refusal, char answer[DOOR_POLICY_ANSWER_SIZE]);

#endif
