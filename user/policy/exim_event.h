/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * exim_event.h - turns the lines that Exim's event_action writes into delivery reports. Pure.
 *
 *	exim event=msg:delivery id=1abc-... relay=EXIM_UID uid=N proto=local account=ACCOUNT
 *	     auth64= addr= port= to= toport= sender64= rcpt64= orig64= errno= text64= host=
 *	     hostport= hostname64= tls= transport= router= time=UNIX_TIME
 *
 * The words may come in any order, and unknown ones are ignored, as are missing ones: an older hook
 * has no hostname64 and tls. What they mean:
 *
 *	event	msg:delivery; msg:fail:delivery, msg:fail:internal; msg:rcpt:defer, msg:defer;
 *		refused (by smtplimit, at this server); all others are no outcome of a recipient:
 *		those of one host (msg:host:defer, msg:rcpt:host:defer) decide nothing yet
 *	uid	counts with a local proto alone: else it is the server's own
 *	orig64	the recipient before it was redirected
 *	id	begins with the time when Exim received the message; with time it gives the age
 *	host	that answered, or could not be asked: an IP address; ip= is the same. hostport and
 *		hostname64 are its port and its name. A failure has the name alone
 *	tls	"TLS1.3", of a connection under TLS; not with failures
 *	text64	of the reply, or why not; a code in it is noted, the event says the outcome
 */
#ifndef SMTPL_EXIM_EVENT_H
#define SMTPL_EXIM_EVENT_H

#include <stddef.h>
#include <stdint.h>
#include "core/delivery_report.h"

/* Longest line without its end: a reply may have many lines. */
#define EXIM_EVENT_LINE_MAX 16383

/* Read a line without its end; it is changed, line[length] too. `peer`: the sender of the line,
 * which is the relay where no other is named. 0; -ENOENT: it is no outcome; -EINVAL: malformed. */
int exim_event_parse(char *line, size_t length, uint32_t peer, struct delivery_report *record);

/* When Exim received the message of this id, which begins with that Unix time; 0: it is no such
 * id. */
int64_t exim_event_submitted_ns(const char *id);

/* Take code, enhanced code and text from a reply as Exim words it: "550 5.1.1 no", "SMTP error from
 * remote mail server after RCPT TO:<a@b>: 550-5.1.1 no\n550 5.1.1 way". */
void exim_event_reply(struct delivery_report *record, const char *text);

#endif
