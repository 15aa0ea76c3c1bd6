/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * delivery_report.h - what a mail server reports of its deliveries: one record for each recipient
 * and each time that its fate was decided. Made by the processes that read event lines and logs,
 * handed to the daemon over a socket pair. Strings end with a NUL and hold untrusted bytes.
 */
#ifndef SMTPL_DELIVERY_REPORT_H
#define SMTPL_DELIVERY_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "headers/limits.h"
#include "headers/smtp_types.h"
#include "own_fault.h"
#include "who/submission.h"

enum feed_mta {
	FEED_EXIM = 1,
	FEED_POSTFIX = 2,
};

enum report_kind {
	REPORT_OUTCOME = 1,
	REPORT_REFUSED = 2, /* smtplimit's own refusal at the server: never an outcome */
	REPORT_ALIVE = 3, /* the source is read, up to now; nothing else is set but mta and time */
	REPORT_LOST = 4,  /* the log is gone, or `count` times something of it was lost */
	REPORT_BLIND = 5, /* the log is not understood any more, as the line that is `text` */
	REPORT_HOME = 6, /* what a server of this host had of its mail: a fault, never an outcome */
};

/* A message's age at its outcome, counted from when the server took it in: what is older is
 * reported as old as this. */
#define REPORT_AGE_MAX_S   (60 * 24 * 3600)
#define REPORT_AGE_UNKNOWN (-1)

/* RFC 1035: a host's name has at most 253 bytes. */
#define REPORT_HOST_SIZE 256
#define REPORT_TLS_SIZE	 32

struct delivery_report {
	uint32_t kind;	    /* enum report_kind */
	uint32_t mta;	    /* enum feed_mta */
	uint32_t relay_uid; /* whom the kernel sees delivering for this server */
	uint32_t count;
	int64_t wall_ns; /* Unix time of the outcome; 0: now */
	int64_t age_s;	 /* of the message: 0 to REPORT_AGE_MAX_S, or REPORT_AGE_UNKNOWN */
	struct submission submission;
	char rcpt[SMTPL_ADDR_SIZE];
	char id[64];	      /* the server's name for the message */
	uint8_t outcome;      /* enum smtp_outcome */
	uint8_t fault;	      /* enum own_fault: of this host, by the words of its own server */
	uint16_t code;	      /* of the reply; 0: none came */
	uint16_t enhanced[3]; /* RFC 3463; class 0: none */
	uint16_t port; /* of the host that answered, or that could not be reached; 0: not known */
	uint8_t dest[16]; /* its address, v4-mapped; zeroes: not known, or no host was asked */
	char host[REPORT_HOST_SIZE]; /* its name; "": likewise, or it has none */
	char tls[REPORT_TLS_SIZE];   /* "TLSv1.3"; "": none, or not known */
	char text[SMTPL_TEXT_SIZE];  /* of the reply, in the receiver's own words, or why not */
};

/* Seconds as a report's age: within the bounds; what is before the message's time is 0. */
int64_t delivery_report_age(int64_t seconds);

/* Note the name of the host, in lower case and without a dot at its end; what is no host name, or
 * is an address, is left out. */
void delivery_report_host(struct delivery_report *report, const char *name, size_t size);

/*
 * Take code, enhanced code and text from a reply: "550 5.1.1 no", "550-5.1.1 no\n550 5.1.1 way",
 * whose lines may also be joined by blanks. The codes of all lines are left out of the text.
 * False: it does not begin with a code, and nothing is done.
 */
bool delivery_report_reply(struct delivery_report *report, const char *text, size_t size);
/* Take a text that is no reply. */
void delivery_report_text(struct delivery_report *report, const char *text, size_t size);
/* "550 ", "250-", "421" at the end. */
bool delivery_report_is_code(const char *text, size_t size);

/* For a record that another process has handed over: each string gets its end, and an age that is
 * none is not known. */
void delivery_report_bound(struct delivery_report *report);

#endif
