/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * reply_class.h - what a reply that is not a success is about: the recipient, the message, this
 * server, or nothing that it says. Pure. The rows of reply_table.c decide, and an administrator's
 * own before them (reply_rows.h); the first row that matches gives the class.
 *
 * Codes say little: 5.7.1 means a listing, content, policy or an unknown user alike. So rows with a
 * phrase come before those with a code alone.
 */
#ifndef SMTPL_REPLY_CLASS_H
#define SMTPL_REPLY_CLASS_H

#include <stddef.h>
#include <stdint.h>
#include "headers/smtp_types.h"

enum reply_class {
	REPLY_NONE = 0,	       /* a delivery: there is nothing to explain */
	REPLY_RECIPIENT,       /* the address or its domain does not exist, or takes no mail */
	REPLY_CONTENT,	       /* this message is refused: spam, virus, size, form */
	REPLY_LISTED,	       /* this server's address is on a list or has a bad name */
	REPLY_UNAUTHENTICATED, /* SPF, DKIM, DMARC, or the sender address does not exist */
	REPLY_RATE,	       /* too much, too fast, too many complaints */
	REPLY_FULL,	       /* the mailbox is full */
	REPLY_GREYLIST,	       /* a first attempt is put off, whoever makes it */
	REPLY_NO_ANSWER,       /* there was no reply: not reached, no DNS answer, lost */
	REPLY_OWN,	   /* this host's fault: its name, its TLS, its disk, its configuration */
	REPLY_UNEXPLAINED, /* it does not say */
	REPLY_CLASSES,
};

/* "recipient", ..., "no_answer". */
const char *reply_class_name(enum reply_class class);
/* The class of that name; REPLY_NONE: there is none. */
enum reply_class reply_class_by_name(const char *name, size_t size);

/*
 * A row, in the words of the mail system's replies:
 *	code		"550", "5xx", "4xx", "none" (no reply came), "*": any. "4xx" and "5xx" ask for
 *			a deferral and a failure, with a reply or without.
 *	enhanced	RFC 3463, each part a number or "*": "5.7.1", "*.2.2", "*": any or none
 *	phrase		whole words, lower case, without apostrophes. A "*" at the end of a word
 *			lets it go on; a "*" that stands alone is any number of words, also
 *			none; "*.example.org" is a name below that domain. Hyphens and
 *			underscores part words as blanks do, but not within a host name. "":
 *			any text.
 */
struct reply_row {
	enum reply_class class;
	const char *code;
	const char *enhanced;
	const char *phrase;
};

struct reply_rows; /* reply_rows.h */

/* Longest text that is looked at, and a phrase of a row. */
#define REPLY_TEXT_MAX	 512
#define REPLY_PHRASE_MAX 128

struct reply {
	enum smtp_outcome outcome;
	uint16_t code;	      /* 0: none came */
	uint16_t enhanced[3]; /* class 0: none, or it is in the text */
	const char *text;     /* untrusted bytes, up to a NUL or to `size` of them */
	size_t size;
};

/* `own`: an administrator's rows, which come first; NULL: none. Addresses in the text are passed
 * over, since their words are chosen by whoever sent the mail. */
enum reply_class reply_class(const struct reply *reply, const struct reply_rows *own);
/* The row that decides; NULL: none did. */
const struct reply_row *reply_row_find(const struct reply *reply, const struct reply_rows *own);

extern const struct reply_row reply_table[];
extern const size_t reply_table_count;

#endif
