/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * policy_line.h - the protocol of the socket `exim`, which is the general one: the client sends a
 * line of words, the server answers with a line and closes. Pure.
 *
 *	uid=N			the caller of sendmail(1)
 *	addr=IP port=N		the SMTP client's end of the connection
 *	to=IP toport=N		the server's own end; both or none
 *	auth=X, auth64=BASE64	the identity of SMTP AUTH
 *	sender=X, sender64=..	envelope sender; empty or missing: the null sender
 *	nosender=1		no sender was named so far; not the null sender
 *	account=ACCOUNT		what an earlier answer named
 *
 *	ok -			nobody pays
 *	ok uid:1001		who pays, and may send; or domain:example.com
 *	refused uid:1001 550 5.7.1 Domain example.com has exceeded ...
 *	error "ui=1": want ...
 *
 * An empty value means that it is not known. Unknown words are ignored.
 */
#ifndef SMTPL_POLICY_LINE_H
#define SMTPL_POLICY_LINE_H

#include <stddef.h>
#include "who/submission.h"

/* Room for any answer with its LF and a NUL. */
#define POLICY_LINE_ANSWER_SIZE 1024

/* Read a question without its line end; the line is changed. 0; -EINVAL with a printable `why`. */
int policy_line_parse(char *line, size_t length, struct submission *o, char *why, size_t why_size);
/* Write the question about a submission, with its LF. Returns its length; 0: no room. */
size_t policy_line_ask(const struct submission *o, char *line, size_t size);

/* Each writes an answer with its LF and a NUL and returns its length. `id` NULL: nobody pays;
 * `refusal` NULL: it may be sent. */
size_t policy_line_answer(const struct account_id *id, const char *refusal,
			  char line[POLICY_LINE_ANSWER_SIZE]);
size_t policy_line_error(const char *why, char line[POLICY_LINE_ANSWER_SIZE]);

/* Read an answer. Returns the refusal, "550 5.7.1 ...", in `line`, whose end is removed; NULL: it
 * may be sent, or it is no answer. */
const char *policy_line_refusal(char *line);

#endif
