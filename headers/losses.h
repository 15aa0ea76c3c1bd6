/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * losses.h - names of every loss and oddity that the daemon and its children count; those of the
 * BPF programs are in stats.h. The list is written once here: the map's value, status, its JSON and
 * the documentation use it. The totals are those since the maps were made, over every restart of
 * the daemon. A map of another size, from another version, is made anew and begins at zero.
 */
#ifndef SMTPL_LOSSES_H
#define SMTPL_LOSSES_H

#include <linux/types.h>

/* X(field, what one unit of it means). Mail went unasked, or outcomes are gone: status has these as
 * problems, and the daemon logs them. */
#define SMTPL_LOSSES_SERIOUS(X)                                                                    \
	X(policy_late,                                                                             \
	  "questions of mail servers that were not answered in time: the mail passed")             \
	X(reports_lost, "delivery reports of mail servers lost on their way to the daemon")        \
	X(maillog_gaps, "times that lines of Postfix's log were lost")                             \
	X(maillog_nomem, "times that the reader of Postfix's log had no memory")                   \
	X(saves_failed, "times that the state database could not be written: what is not saved "   \
			"is lost with a reboot")                                                   \
	X(nomem, "times that the daemon had no memory")                                            \
	X(notices_failed, "notices of events that could not be sent, after five tries")            \
	X(notices_dropped, "notices of events lost for want of room, or with their process")

#define SMTPL_LOSSES(X)                                                                            \
	SMTPL_LOSSES_SERIOUS(X)                                                                    \
	X(policy_malformed, "questions and event lines of mail servers that made no sense")        \
	X(policy_crowded, "connections of mail servers closed because there were too many")        \
	X(policy_strangers, "connections of other users to mail servers' sockets, closed unread")  \
	X(maillog_unread, "lines of Postfix's log about mail to other hosts, not understood")      \
	X(maillog_unknown, "reports out of Postfix's log of messages whose beginning it lacks")    \
	X(maillog_evicted, "messages in Postfix's queue forgotten for want of room")               \
	X(events_malformed,                                                                        \
	  "events that were not as they must be, ignored; their counts are kept")                  \
	X(events_healed, "attempts whose events were lost, counted without their recipients")      \
	X(events_late, "attempts whose events came when they had been counted already")            \
	X(counts_fell, "times that counts in smtpl_counts fell below what was known of them")      \
	X(sessions_evicted, "sessions forgotten at a bound: their mails lose their names")         \
	X(relay_counts_lost, "counts of mail servers' mail lost at a bound or without memory")     \
	X(meetings_lost,                                                                           \
	  "outcomes at remotes that there was no room for: a remote's trouble may go unseen")

/* smtpl_losses: one entry. Written by the daemon, about once a second, when it has changed. */
struct smtpl_losses {
#define SMTPL_LOSS_FIELD(name, text) __u64 name;
	SMTPL_LOSSES(SMTPL_LOSS_FIELD)
#undef SMTPL_LOSS_FIELD
	/* policy_late_ns and so on: boot time at which it was last seen to grow; 0: never. */
#define SMTPL_LOSS_TIME(name, text) __u64 name##_ns;
	SMTPL_LOSSES_SERIOUS(SMTPL_LOSS_TIME)
#undef SMTPL_LOSS_TIME
};

#endif
