/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * outcome.h - what became of a mail: the one record in which it reaches the window, wherever it
 * comes from (the ring buffer, the healing of lost events, a mail server's report), and in which
 * whoever watches the judge gets it afterwards.
 */
#ifndef SMTPL_OUTCOME_H
#define SMTPL_OUTCOME_H

#include <stdbool.h>
#include <stdint.h>
#include "headers/smtp_types.h"
#include "who/payer.h"
#include "own_fault.h"
#include "reply_class.h"

enum outcome_source {
	OUTCOME_WIRE = 0,
	OUTCOME_REPORT,	 /* a mail server's */
	OUTCOME_REFUSAL, /* a mail server's, too: smtplimit itself turned the mail away */
	OUTCOME_HEALED,	 /* the event was lost: the count alone is known */
	OUTCOME_SOURCES,
};

/* What became of it in the count. */
enum outcome_counted {
	COUNTED_MAIL = 0,
	COUNTED_RETRY,		/* of a pending mail, which it changes where that stands */
	COUNTED_SAME_RECIPIENT, /* a further failure of one address */
	COUNTED_SET_ASIDE,	/* neither mail nor failure: its class, or the remote's trouble */
	COUNTED_SUSPENDED,	/* its account is suspended */
	COUNTED_NOBODY,		/* nobody pays */
	COUNTED_OLD,		/* the mail was first tried before the window */
	COUNTED_KINDS,
};

/* How old a message is, where nobody says: the window goes by the first deferral that it knows. */
#define OUTCOME_AGE_UNKNOWN (-1)

/* Mail servers give times and ages in whole seconds, each rounded: a date that is made of them may
 * be so much too early or too late. */
#define OUTCOME_AGE_ERROR_S 2

/* For people. Untrusted bytes; a NULL or 0 is not known. All of it lasts as long as the call that
 * it is given to. */
struct outcome_detail {
	const char *sender;
	const char *recipient;
	const char *host;     /* that answered, by name */
	const uint8_t *addr;  /* of 16 bytes, v4-mapped */
	const char *tls;      /* a word on the session's TLS */
	const char *text;     /* of the reply, `text_size` bytes or up to a NUL */
	const char *login;    /* SMTP AUTH */
	const char *queue_id; /* the mail server's */
	const char *remote;   /* its name, see remote.h */
	size_t text_size;
	uint32_t pid;
	uint16_t port;
	uint16_t code;
	uint16_t enhanced[3];
};

struct outcome {
	enum smtp_outcome outcome;
	enum outcome_source source;
	enum reply_class class;
	enum own_fault fault; /* by a report */
	uint32_t uid;	      /* that the kernel saw sending */
	const struct payer *payer;
	const char *domain; /* the sender's, key form; "": none */
	bool null_sender;
	uint64_t count;	  /* attempts; 1 where `mail` is known */
	uint64_t mail;	  /* identity of (sender, recipient); 0: each one is a mail of its own */
	uint64_t rcpt;	  /* identity of the recipient; `mail` where there is none */
	uint64_t sender;  /* hash of the sender's address; 0: not known */
	uint32_t remote;  /* identity of who answered (remote.h); 0: not known */
	bool excused;	  /* the judge's own: its class, or the remote's trouble, is not charged */
	uint64_t time_ns; /* boot time */
	int64_t age_s;	  /* of the message, at time_ns; or OUTCOME_AGE_UNKNOWN */
	/* Every try of the message was reported: one that is not pending is tried for the first
	 * time, however long it waited for that. */
	bool tries_known;
	const struct outcome_detail *detail; /* NULL: nothing is known */
};

#endif
