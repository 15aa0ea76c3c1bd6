/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * opensmtpd.h - the filter protocol of OpenSMTPD (smtpd-filters(7), versions 0.5 to 0.7): the
 * server reports events of its sessions, and asks before it goes on. Pure.
 *
 *	config|ready
 *	report|0.7|TIME|smtp-in|link-connect|SESSION|RDNS|FCRDNS|SOURCE|DESTINATION
 *	report|0.7|TIME|smtp-in|link-auth|SESSION|RESULT|USER	(before 0.7: USER|RESULT)
 *	report|0.7|TIME|smtp-in|link-disconnect|SESSION
 *	filter|0.7|TIME|smtp-in|mail-from|SESSION|TOKEN|SENDER
 *
 *	filter-result|SESSION|TOKEN|proceed
 *	filter-result|SESSION|TOKEN|reject|550 5.7.1 ...
 *
 * A question without an answer holds up its session, and a filter that ends takes the whole server
 * with it: so every question is answered, and a line that is not understood is ignored.
 */
#ifndef SMTPL_OPENSMTPD_H
#define SMTPL_OPENSMTPD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "who/submission.h"

/* Sessions remembered at a time. A session beyond that may send, but the server accepts fewer. */
#define OPENSMTPD_SESSIONS_MAX 16384
#define OPENSMTPD_SOCKET_SIZE  108
#define OPENSMTPD_REPLY_SIZE   1024

struct opensmtpd;

struct opensmtpd_session {
	uint64_t id;
	struct submission submission;
	/* sendmail(1) came through this unix socket of the server; "": a network connection. */
	char socket[OPENSMTPD_SOCKET_SIZE];
	/* of sendmail's connection to it; 0: not known. The caller of this module sets it. */
	uint32_t inode;
	struct opensmtpd_session *next;
};

enum opensmtpd_step {
	OPENSMTPD_NOTHING = 0,
	OPENSMTPD_REGISTER, /* write opensmtpd_register() */
	OPENSMTPD_PROCEED,  /* answer without a refusal */
	OPENSMTPD_ASK,	    /* a verdict about the submission of the session, then answer */
};

struct opensmtpd_question {
	uint64_t id;
	uint64_t token;
	struct opensmtpd_session *session; /* with OPENSMTPD_ASK */
};

/* NULL: no memory. */
struct opensmtpd *opensmtpd_new(void);
void opensmtpd_free(struct opensmtpd *filter);

/* Take a line without its end; it is changed. */
enum opensmtpd_step opensmtpd_line(struct opensmtpd *filter, char *line,
				   struct opensmtpd_question *question);

/* The lines that register for the reports and questions that are wanted. */
const char *opensmtpd_register(void);
/* `refusal` NULL: proceed. Returns the length. */
size_t opensmtpd_reply(const struct opensmtpd_question *question, const char *refusal,
		       char reply[OPENSMTPD_REPLY_SIZE]);

size_t opensmtpd_sessions(const struct opensmtpd *filter);
/* Is this connection that of a session? */
bool opensmtpd_has_inode(const struct opensmtpd *filter, uint32_t inode);

#endif
