/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * policy_word.h - what the policy server's protocols share: the steps of a conversation, lines of
 * key=value words, and values from them into the fields of an submission. Pure. Nothing here is
 * trusted.
 */
#ifndef SMTPL_POLICY_WORD_H
#define SMTPL_POLICY_WORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "who/submission.h"

/* What the bytes so far ask for. */
enum policy_step {
	POLICY_MORE = 0,  /* further bytes */
	POLICY_ASK,	  /* a verdict about the submission */
	POLICY_SAY,	  /* an answer that needs no verdict */
	POLICY_TELL,	  /* a line of a feed is complete */
	POLICY_CLOSE,	  /* nothing more is to be said */
	POLICY_MALFORMED, /* nor is there a protocol in which to say anything: close */
};

/* Longest line of a request without its end, in any protocol; a feed's line has room for more. */
#define POLICY_LINE_MAX 4096

/* Cut the next word, "key=value", out of *line, which it moves on and changes. *value is NULL where
 * there is no '='. False: none is left. */
bool policy_word_next(char **line, char **key, char **value);

/* The whole string a decimal number of at most `max`. 0 or -EINVAL. */
int policy_word_number(const char *digits, uint64_t max, uint64_t *number);

/* Decode base64 (RFC 4648, padded, no line ends) in place, to a string. 0; -EINVAL, also for a NUL
 * inside; *text is then unspecified. */
int policy_word_base64(char *text);

/* Copy an address. Of one that is too long the local part is cut: the domain says who pays. */
void policy_word_address(char address[SMTPL_ADDR_SIZE], const char *text);
/* The same for an envelope sender, which may come in its brackets. */
void policy_word_sender(char sender[SMTPL_ADDR_SIZE], const char *text);

/* An IP address, v4-mapped for IPv4; false: not one. */
bool policy_word_ip(uint8_t addr[16], const char *text);

/* Take one word of an submission (policy_line.h lists them); with an empty value, nothing. `value`
 * may be changed. 0; -ENOENT: no such word; -EINVAL: its value makes no sense. */
int policy_word_submission(struct submission *o, const char *key, char *value);

#endif
