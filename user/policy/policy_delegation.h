/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * policy_delegation.h - Postfix policy delegation (SMTPD_POLICY_README): a request is lines of
 * name=value and an empty line; an answer is "action=..." and an empty line. Pure.
 */
#ifndef SMTPL_POLICY_DELEGATION_H
#define SMTPL_POLICY_DELEGATION_H

#include <stddef.h>
#include <stdint.h>
#include "policy_word.h"

/* All lines of one request. Postfix sends about 700 bytes and some certificate names. */
#define POLICY_DELEGATION_MAX	      (64u << 10)
#define POLICY_DELEGATION_ANSWER_SIZE 1024

struct policy_delegation {
	struct submission submission; /* the question, with POLICY_ASK */
	size_t bytes;
	bool is_policy; /* request=smtpd_access_policy was there */
	bool no_sender; /* a state of the session in which no sender has been named */
};

void policy_delegation_begin(struct policy_delegation *p);
/* Take a line without its end; it is changed. MORE, or at the empty line ASK or REPLY: after the
 * answer, begin again. */
enum policy_step policy_delegation_line(struct policy_delegation *p, char *line, size_t length);
/* Skip `bytes` of a line too long to be kept: none that matters is. MORE or MALFORMED. */
enum policy_step policy_delegation_skip(struct policy_delegation *p, size_t bytes);
/* `refusal` NULL: no objection. Returns the length. */
size_t policy_delegation_answer(const char *refusal, char answer[POLICY_DELEGATION_ANSWER_SIZE]);

#endif
