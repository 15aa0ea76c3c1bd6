/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * reply_words.h - the words of a reply, and whether a phrase of reply_class.h is in them. Pure.
 *
 * A word is letters, digits and bytes beyond ASCII, in lower case, without apostrophes. A name with
 * dots (a host, 5.7.1) is one word with its hyphens, so that "spamhaus" is not found in a domain
 * that somebody has called so. Addresses are no words, for the same reason: everything between
 * angle brackets, and everything around an @.
 */
#ifndef SMTPL_REPLY_WORDS_H
#define SMTPL_REPLY_WORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "reply_class.h"

#define REPLY_INITIALS 1024

struct reply_words {
	uint64_t initials[REPLY_INITIALS / 64]; /* of all words: most phrases need no closer look */
	bool hosts;				/* names of hosts are among them */
	size_t count;
	uint16_t begin[REPLY_TEXT_MAX / 2 + 1];
	char bytes[REPLY_TEXT_MAX + 1]; /* the words, each with a NUL behind it */
};

/* At most REPLY_TEXT_MAX bytes of the text are read, none behind `size` or a NUL. */
void reply_words_read(struct reply_words *words, const char *text, size_t size);
/* Those of a phrase, with its stars. */
void reply_words_read_phrase(struct reply_words *words, const char *text, size_t size);
const char *reply_words_get(const struct reply_words *words, size_t number);
bool reply_words_have(const struct reply_words *words, const char *phrase);

#endif
