/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * delivery_report.h - what a mail server reports of its deliveries: one record for each recipient
 * and each time that its fate was decided. Made by the processes that read event lines and logs,
 * handed to the daemon over a socket pair. Strings end with a NUL and hold untrusted bytes.
 */
#ifndef SMTPL_DELIVERY_REPORT_H
#define SMTPL_DELIVERY_REPORT_H

#include <stdint.h>
#include "headers/limits.h"
#include "headers/smtp_types.h"
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
};

struct delivery_report {
	uint32_t kind;	    /* enum report_kind */
	uint32_t mta;	    /* enum feed_mta */
	uint32_t relay_uid; /* whom the kernel sees delivering for this server */
	uint32_t count;
	int64_t wall_ns; /* Unix time of the outcome; 0: now */
	struct submission submission;
	char rcpt[SMTPL_ADDR_SIZE];
	char id[64];	 /* the server's name for the message */
	uint8_t outcome; /* enum smtp_outcome */
	uint8_t pad;
	uint16_t code;	      /* of the reply; 0: none */
	uint16_t enhanced[3]; /* RFC 3463; class 0: none */
	uint8_t dest[16];     /* of the host that answered, v4-mapped; zeroes: there was none */
	char text[SMTPL_TEXT_SIZE]; /* of the reply, or why not */
};

#endif
