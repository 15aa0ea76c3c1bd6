/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * postlog_event.h - what one message of Postfix says, by its exact grammar. Pure.
 *
 * Three parties write into such a line: Postfix itself, customers (addresses) and remote hosts (the
 * text of replies). Postfix 3.5 and later quotes local parts in addresses, older ones do not, and a
 * quoted *domain* is logged without its quotes by all. So an address may hold what looks like the
 * rest of the line:
 *
 *	to=<b@x>, relay=mx[192.0.2.1]:25, delay=0, delays=0/0/0/0, dsn=2.0.0, status=sent (250 ok).test>,
 *		relay=none, delay=0, delays=0/0/0/0, dsn=5.1.3, status=bounced (bad address syntax)
 *
 * and so may the text of a host that repeats it. Where a line can be read in several ways, the one
 * that is worst for the message's sender is taken. One of them is the truth, so an address cannot
 * make an outcome look better; a remote host that wants it worse can refuse the mail as well.
 */
#ifndef SMTPL_POSTLOG_EVENT_H
#define SMTPL_POSTLOG_EVENT_H

#include <stdbool.h>
#include <stdint.h>
#include "postlog_line.h"

enum postlog_kind {
	POSTLOG_NOTHING = 0,
	POSTLOG_BEGUN,      /* the master process starts: from here on all is seen */
	POSTLOG_SUBMITTED,  /* by sendmail(1): uid, sender; requeued: other */
	POSTLOG_CLIENT,     /* by SMTP: client, port, auth */
	POSTLOG_MADE,       /* cleanup has it: after one of the above, or made by Postfix itself */
	POSTLOG_SENDER,     /* sender, each time that it becomes active */
	POSTLOG_RECIPIENT,  /* what became of it for one recipient */
	POSTLOG_REJECTED,   /* smtplimit's own refusal, for all its recipients */
	POSTLOG_NOTICE,     /* `other` is a bounce made for it */
	POSTLOG_REMOVED,
};

/* What is known of one recipient, from the best to the worst for the sender. */
enum postlog_fate {
	POSTLOG_NO_OUTCOME = 0, /* local delivery, probe, filter */
	POSTLOG_REFUSED,        /* smtplimit's own */
	POSTLOG_DELIVERED,
	POSTLOG_DEFERRED,
	POSTLOG_FAILED,
};

struct postlog_event {
	enum postlog_kind kind;
	struct postlog_span instance; /* "postfix", "postfix-out" */
	struct postlog_span id;       /* of the queue file */
	uint32_t uid;                 /* SUBMITTED */
	uint8_t client[16];           /* CLIENT: v4-mapped; zeroes: not known */
	uint32_t port;                /* 0: not known */
	struct postlog_span auth;
	struct postlog_span sender;   /* SENDER, SUBMITTED */
	struct postlog_span other;    /* another message's id: what it came from, or became */
	/* RECIPIENT */
	enum postlog_fate fate;
	bool forwarded;               /* by local(8), as `other` */
	bool filtered;                /* taken by a server on loopback, which sent `other` */
	struct postlog_span rcpt;
	struct postlog_span orig;     /* the recipient before it was redirected; at NULL: the same */
	uint8_t dest[16];
	uint16_t code;
	uint16_t enhanced[3];
	struct postlog_span text;
};

/* The text that tells smtplimit's refusals from others', wherever a mail server repeats it. */
bool postlog_is_refusal(struct postlog_span text);

/* Take one message apart. event->kind NOTHING: of no meaning here. Spans point into the arguments. */
void postlog_event(struct postlog_span ident, struct postlog_span text,
		   struct postlog_event *event);

/* postlog_delivery.c: "to=<...>, relay=..., status=... (...)", all that follows the id. */
void postlog_delivery(struct postlog_span program, struct postlog_span text, bool cut,
		      struct postlog_event *event);

/* Scanning: each takes from the front of a span what it names, or leaves it as it is. */
bool postlog_skip(struct postlog_span *s, const char *word);
bool postlog_take_id(struct postlog_span *s, struct postlog_span *id);
/* "host[addr]", "host[addr]:port"; *addr zeroes when it is none, as in "host[private/x]". */
bool postlog_take_peer(struct postlog_span *s, uint8_t addr[16], uint32_t *port);
bool postlog_take_number(struct postlog_span *s, uint64_t max, uint64_t *number);
bool postlog_is(struct postlog_span s, const char *word);
bool postlog_ends(struct postlog_span s, const char *word);
/* The last occurrence of `word`, or NULL. */
const char *postlog_last(struct postlog_span s, const char *word);
bool postlog_is_loopback(const uint8_t addr[16]);

#endif
