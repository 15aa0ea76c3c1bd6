/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * refusal_text.h - the text of a refusal, for whoever says it: the responder, the policy server and
 * its client, and the file `suspended`. Pure. One line of printable ASCII, of at most 510 octets:
 *
 *	550 5.7.1 Domain example.com has exceeded the max defers and failures per hour (7/5 (58%))
 *	allowed. Message discarded. Sending is possible again at 2026-11-21T14:05:00Z (in 47
 *	minutes). CONTACT
 *
 *	550 5.7.1 Domain example.com is not allowed to send mail at present. REASON. Message
 *	discarded. Sending is possible again at 2026-11-21T14:05:00Z (in 47 minutes). CONTACT
 */
#ifndef SMTPL_REFUSAL_TEXT_H
#define SMTPL_REFUSAL_TEXT_H

#include <stddef.h>
#include <stdint.h>
#include "headers/limits.h"
#include "responder.h"

/* Before the time at which sending is possible again. */
#define REFUSAL_AGAIN_AT "again at "

/* sender_domain: of the mail, as people write it; named where the answer says so. Returns the
 * length. With now_wall_s 0 and no contact the text is true for as long as the suspension lasts,
 * and ends with its end: "... again at 2026-11-21T14:05:00Z." */
size_t refusal_text(const struct responder_answer *a, const char *sender_domain, char *text,
		    size_t text_size);

/* Completes such a text when it is read: how long that is from now, and the contact, if there is
 * room. */
void refusal_text_complete(char *text, size_t text_size, int64_t until_wall_s, int64_t now_wall_s,
			   const char *contact);

#endif
