/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * maillog_event.h - what one message of Postfix means, by its exact grammar. Pure.
 *
 * Three parties write into such a line: Postfix itself, customers (addresses) and remote hosts (the
 * text of replies). Postfix 3.5 and later quotes local parts in addresses, older ones do not, and a
 * quoted *domain* is logged without its quotes by all. So an address may hold what looks like the
 * rest of the line:
 *
 *	to=<b@x>, relay=mx[192.0.2.1]:25, delay=0, delays=0/0/0/0, dsn=2.0.0,
 *		status=sent (250 ok).test>, relay=none, delay=0, delays=0/0/0/0, dsn=5.1.3,
 *		status=bounced (bad address syntax)
 *
 * and so may the text of a host that repeats it. Where a line can be read in several ways, the one
 * that is worst for the message's sender is taken. One of them is the truth, so an address cannot
 * make an outcome look better; a remote host that wants it worse can refuse the mail as well. Age,
 * host, code and text of such a line, and of one that was cut, are not known: they decide whether
 * an outcome counts.
 */
#ifndef SMTPL_MAILLOG_EVENT_H
#define SMTPL_MAILLOG_EVENT_H

#include <stdbool.h>
#include <stdint.h>
#include "core/own_fault.h"
#include "maillog_line.h"
#include "maillog_ways.h"

enum maillog_kind {
	MAILLOG_NOTHING = 0,
	MAILLOG_BEGUN,	   /* the master process starts: from here on all is seen */
	MAILLOG_SUBMITTED, /* by sendmail(1): uid, sender; requeued: other */
	MAILLOG_CLIENT,	   /* by SMTP: client, port, auth */
	MAILLOG_SESSION,   /* by SMTP, to be passed on to a filter: client, port, auth */
	MAILLOG_PROXIED,   /* the filter has taken that, and handed it in again as `other` */
	MAILLOG_MADE,	   /* cleanup has it: after one of the above, or made by Postfix itself */
	MAILLOG_SENDER,	   /* sender, each time that it becomes active */
	MAILLOG_RECIPIENT, /* what became of it for one recipient */
	MAILLOG_REJECTED,  /* smtplimit's own refusal, for all its recipients */
	MAILLOG_TURNED,	   /* the same of smtpd(8), for one recipient: sender, rcpt */
	MAILLOG_NOTICE,	   /* `other` is a bounce made for it */
	MAILLOG_REMOVED,
};

/* What is known of one recipient, from the best to the worst for the sender. */
enum maillog_fate {
	MAILLOG_NO_OUTCOME = 0, /* local delivery, probe, filter */
	MAILLOG_AT_HOME,	/* a fault of this host in it */
	MAILLOG_REFUSED,	/* smtplimit's own */
	MAILLOG_DELIVERED,
	MAILLOG_DEFERRED,
	MAILLOG_FAILED,
};

struct maillog_event {
	enum maillog_kind kind;
	/* What the instance of Postfix calls itself, "postfix", or one of its services does,
	 * "postfix-submission". */
	struct maillog_span name;
	bool manager;		/* it is the instance: its queue manager or its master says so */
	struct maillog_span id; /* of the queue file; SESSION, PROXIED: none */
	struct maillog_span message_id; /* MADE; at NULL: the message came without one */
	uint32_t uid;			/* SUBMITTED */
	uint8_t client[16];		/* CLIENT: v4-mapped; zeroes: not known */
	uint32_t port;			/* 0: not known */
	struct maillog_span auth;
	struct maillog_span sender; /* SENDER, SUBMITTED */
	struct maillog_span other;  /* another message's id: what it came from, or became */
	/* RECIPIENT */
	enum maillog_fate fate;
	bool away;	/* told of a delivery to another host, or of one that was to be */
	bool unread;	/* not as it should be: nothing is known of the outcome */
	bool forwarded; /* by local(8), as `other` */
	bool filtered;	/* taken by a server on loopback, which sent `other` */
	bool piped;	/* taken by the command of a pipe(8) service */
	bool looped;	/* taken by a server on loopback: `dest`, `host_port` */
	struct maillog_span rcpt;
	struct maillog_span orig; /* the recipient before it was redirected; at NULL: the same */
	int64_t age_s;		  /* REPORT_AGE_UNKNOWN: not known */
	struct maillog_span host; /* that answered, or did not: its name; empty: none */
	uint8_t dest[16];
	uint32_t host_port;
	enum own_fault fault; /* of this host, by Postfix's own words */
	uint16_t enhanced[3]; /* Postfix's own, or that of the reply */
	bool replied;	      /* the text is a reply, from its code on */
	struct maillog_span text;
};

/* The text by which smtplimit's refusals are known, wherever a mail server repeats it. */
bool maillog_is_refusal(struct maillog_span text);

/* Is it the identifier of one of Postfix's daemons, "NAME/smtp" or "NAME/SERVICE/smtp", whatever the
 * name is? */
bool maillog_is_postfix(struct maillog_span ident);

/* Take one message apart. event->kind NOTHING: of no meaning here. Spans point into the arguments.
 * */
void maillog_event(const struct maillog_line *line, const struct maillog_ways *ways,
		   struct maillog_event *event);

/* maillog_delivery.c: "to=<...>, relay=..., status=... (...)", all that follows the id. */
struct maillog_agent {
	struct maillog_span program;
	const struct maillog_ways *ways;
	bool cut; /* the end of its line may be missing */
};
void maillog_delivery(const struct maillog_agent *agent, struct maillog_span text,
		      struct maillog_event *event);

/* Scanning: each takes from the front of a span what it names, or leaves it as it is. */
bool maillog_skip(struct maillog_span *s, const char *word);
bool maillog_take_id(struct maillog_span *s, struct maillog_span *id);
struct maillog_peer {
	struct maillog_span host;
	uint8_t addr[16]; /* zeroes: none, as in "host[private/x]" */
	uint32_t port;	  /* 0: not known */
};

/* "host[addr]", "host[addr]:port" */
bool maillog_take_peer(struct maillog_span *s, struct maillog_peer *peer);
bool maillog_take_number(struct maillog_span *s, uint64_t max, uint64_t *number);
bool maillog_is(struct maillog_span s, const char *word);
bool maillog_ends(struct maillog_span s, const char *word);
/* The last occurrence of `word`, or NULL. */
const char *maillog_last(struct maillog_span s, const char *word);
bool maillog_is_loopback(const uint8_t addr[16]);

#endif
