/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * responder_smtp.h - what the responder says: one SMTP server session in which nothing can be sent.
 * Pure: bytes in, replies out; no system call, no clock, no memory of its own. The client's stream
 * is read by the one parser of headers/smtp.h, so that a refusal names the same sender domain as
 * the account's counts.
 */
#ifndef SMTPL_RESPONDER_SMTP_H
#define SMTPL_RESPONDER_SMTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "headers/smtp_types.h"
#include "responder.h"

/* RFC 5321 4.5.3.1.5: a reply line has at most 512 octets, CRLF included. No reply here has more in
 * all; one octet more for a NUL. */
#define RESPONDER_REPLY_SIZE 513

/* Commands that make no sense, in one session. */
#define RESPONDER_ERRORS_MAX 20

struct responder_smtp {
	struct smtp_session session;
	struct responder_answer answer;
	char domain[SMTPL_ADDR_SIZE]; /* of the newest MAIL; "": none */
	char line[5];		      /* the first bytes of the command line, upper case */
	uint8_t line_length;	      /* of line[]; counts no further */
	uint8_t errors;
	bool closing; /* the last reply ends the session: send it and close */
	bool asking;  /* who is `domain`? The next call must be responder_smtp_answered() */
};

/* Each of these writes whole lines that end with CRLF, and a NUL, to `reply`; returns the
 * length. */

/* Begin a session with who was found behind the client; NULL or unknown: closes it. */
size_t responder_smtp_greet(struct responder_smtp *rs, const struct responder_answer *answer,
			    char reply[RESPONDER_REPLY_SIZE]);
/* Take one byte of the client's; mostly there is no reply yet (0). Nothing is taken when
 * closing. */
size_t responder_smtp_byte(struct responder_smtp *rs, uint8_t byte,
			   char reply[RESPONDER_REPLY_SIZE]);
/* What was found for the sender's domain: answers the MAIL command. NULL or unknown: closes. */
size_t responder_smtp_answered(struct responder_smtp *rs, const struct responder_answer *answer,
			       char reply[RESPONDER_REPLY_SIZE]);
/* End the session from this side, because a bound of the server was reached. */
size_t responder_smtp_stop(struct responder_smtp *rs, char reply[RESPONDER_REPLY_SIZE]);

#endif
