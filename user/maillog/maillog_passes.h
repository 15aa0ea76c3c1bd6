/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * maillog_passes.h - messages that pipe(8) gave to a command, which may be a filter that hands them
 * in again by sendmail(1):
 *
 *	content_filter: spamc -e /usr/sbin/sendmail -i -f ${sender} ${recipient}
 *
 * The message that comes back has the filter's uid and another queue id. It is the second pass of
 * one that had the same Message-ID (or also none), sender and recipient, and that pipe(8) was done
 * with at most MAILLOG_PASS_NS before. Each recipient of a first pass comes back once: so who sends
 * two messages that are alike, or one like a neighbour's, pays for his share of what comes back.
 * Of several the latest is taken: one whose mail the filter has kept is not charged with another's.
 *
 * What comes back may be delivered before pipe(8) says that it is done. Then the first pass is the
 * only message in the queue with this Message-ID and sender.
 *
 * Bounded, with a share for each who submitted messages.
 */
#ifndef SMTPL_MAILLOG_PASSES_H
#define SMTPL_MAILLOG_PASSES_H

#include "base/clock.h"
#include "maillog_line.h"
#include "maillog_table.h"

#define MAILLOG_PASS_NS (60 * NS_PER_S)

struct maillog_passes;

struct maillog_passes *maillog_passes_new(size_t max, uint64_t seed);
void maillog_passes_free(struct maillog_passes *p);

/* pipe(8) was done with this recipient of the message. False: memory is missing. */
bool maillog_passes_note(struct maillog_passes *p, const struct maillog_message *m,
			 struct maillog_span rcpt, int64_t wall_ns);
/* The message is in the queue, with all that is known of its submission. False: as above. */
bool maillog_passes_queued(struct maillog_passes *p, const struct maillog_message *m,
			   int64_t wall_ns);
/* It leaves the queue. */
void maillog_passes_removed(struct maillog_passes *p, const struct maillog_message *m);
/* m was handed in by sendmail(1), and has this recipient. If it is a second pass, it has the
 * submission of the first one from then on, beside its own uid, and no other message has. False:
 * memory is missing. */
bool maillog_passes_join(struct maillog_passes *p, struct maillog_message *m,
			 struct maillog_span rcpt);

#endif
