/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * policy_word.h - what the policy server's protocols share: the steps of a conversation, lines of
 * key=value words, and their values in the fields of a submission. Pure. No byte that is read here
 * is trusted.
 */
#ifndef SMTPL_POLICY_WORD_H
#define SMTPL_POLICY_WORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "who/submission.h"

/* What is to be done about the bytes so far. */
enum policy_step {
	POLICY_MORE = 0,  /* wait for further bytes */
	POLICY_ASK,	  /* get a verdict about the submission */
	POLICY_REPLY,	  /* send an answer that needs no verdict */
	POLICY_REPORT,	  /* take a complete line of a feed */
	POLICY_CLOSE,	  /* close: nothing more is to be sent */
	POLICY_MALFORMED, /* close: an answer is not possible either */
};

/* Longest line of a request without its end, in any protocol; a line of a feed may be longer. */
#define POLICY_LINE_MAX 4096

/* Take the next word, "key=value", from *line, which is moved behind it and changed. *value is NULL
 * where there is no '='. False: there is no word left. */
bool policy_word_next(char **line, char **key, char **value);

/* Read a string that is as a whole a decimal number of at most `max`. 0 or -EINVAL. */
int policy_word_number(const char *digits, uint64_t max, uint64_t *number);

/* Decode base64 (RFC 4648, padded, no line ends) in place, to a string. 0; -EINVAL, also for a NUL
 * inside; *text is then unspecified. */
int policy_word_base64(char *text);

/* Copy an address. One that is too long loses bytes of its local part: the domain says who pays. */
void policy_word_address(char address[SMTPL_ADDR_SIZE], const char *text);
/* The same for an envelope sender, which may be in angle brackets. */
void policy_word_sender(char sender[SMTPL_ADDR_SIZE], const char *text);

/* Read an IP address, v4-mapped for IPv4; false: it is none. */
bool policy_word_ip(uint8_t addr[16], const char *text);

/* Take one word of a submission (policy_line.h lists them); one with an empty value is ignored.
 * `value` may be changed. 0; -ENOENT: no such word; -EINVAL: its value is not valid. */
int policy_word_submission(struct submission *o, const char *key, char *value);

#endif
