/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * maillog.h - outcomes out of Postfix's log: messages of its daemons in, in the order in which they
 * were written, delivery reports out, by a table of the messages in the queue. Pure: no clock, no
 * files; a callback knows who is behind a connection.
 *
 * It reports each recipient of smtp(8) on another host, and each that never got to one (no MX,
 * unroutable, connection refused, suspended destination). It does not report local deliveries of
 * all kinds, content filters on loopback, address probes, and the expiry of a message, whose last
 * deferral stands. A message behind a content filter, or requeued, has the submission of the one
 * before. What another host answered through a tunnel that begins on loopback is reported.
 */
#ifndef SMTPL_MAILLOG_H
#define SMTPL_MAILLOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/clock.h"
#include "core/delivery_report.h"
#include "maillog_line.h"

/* Messages remembered; beyond it those that were touched longest ago are forgotten. */
#define MAILLOG_MESSAGES_MAX 262144

struct maillog;

struct maillog_ops {
	/* Who opened the connection that has this end, at that time; false: not known. */
	bool (*caller)(void *arg, const uint8_t addr[16], uint32_t port, int64_t wall_ns,
		       uint32_t *uid);
	void (*record)(void *arg, const struct delivery_report *record);
	uint32_t relay_uid; /* whom the kernel sees delivering */
	uint64_t seed;	    /* random: strangers choose parts of the keys */
};

/* Copies *ops. NULL without memory. */
struct maillog *maillog_new(const struct maillog_ops *ops, void *arg, size_t messages_max);
void maillog_free(struct maillog *p);

/*
 * One line. report: false for what was reported before, or is history: the line then only fills the
 * table, so that the message is known from then on.
 */
void maillog_take(struct maillog *p, const struct maillog_line *line, bool report);

/* A line that is not understood, one of so many of late that nothing is reported (maillog_sight.h).
 * NULL: lines are understood. */
const char *maillog_blind(const struct maillog *p);

/*
 * The messages that come now follow a gap, or are the first: what was begun before was not seen.
 * For MAILLOG_GAP_NS a message whose beginning is missing is not taken for one that Postfix made
 * itself. `whole`: there was nothing before.
 */
#define MAILLOG_GAP_NS (600 * NS_PER_S)
void maillog_begin(struct maillog *p, bool whole);

/* X(field, what it counts); status shows the losses of them: headers/losses.h. */
#define MAILLOG_STATS(X)                                                                           \
	X(taken, "messages of Postfix's")                                                          \
	X(reports, "delivery reports")                                                             \
	X(unread, "lines about mail to other hosts that were not understood")                      \
	X(unknown, "records of messages whose beginning was not seen")                             \
	X(evicted, "messages forgotten while in the queue, for want of room")                      \
	X(nomem, "times that memory was missing")                                                  \
	X(messages, "messages known now")

struct maillog_stats {
#define MAILLOG_STAT_FIELD(name, text) uint64_t name;
	MAILLOG_STATS(MAILLOG_STAT_FIELD)
#undef MAILLOG_STAT_FIELD
};

struct maillog_stats maillog_stats(const struct maillog *p);

#endif
