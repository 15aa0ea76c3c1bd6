/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * stats.h - names of every loss and oddity that the BPF programs count, one per-CPU counter each.
 * The list is written once here: the map's value, status, its JSON and the documentation use it.
 */
#ifndef SMTPL_STATS_H
#define SMTPL_STATS_H

#include <linux/types.h>

/* X(field, what one unit of it means) */
#define SMTPL_STATS(X)                                                                             \
	X(sessions, "sessions opened to a watched port")                                           \
	X(sessions_desync, "sessions whose commands and replies no longer matched")                \
	X(sessions_local, "sessions to this host itself, left alone")                              \
	X(callers_lost,                                                                            \
	  "connections to this host's own mail server whose caller is not known for sure")         \
	X(session_nomem, "sessions not followed for want of kernel memory")                        \
	X(null_sender, "attempts with the null sender, never counted against anybody")             \
	X(callouts, "recipients accepted and dropped before DATA (address checks)")                \
	X(too_many_rcpts, "recipients put off by the server's own limit per message (x.5.3)")      \
	X(ring_full, "events lost because there was no room; their counts are kept")               \
	X(events_over, "of these, events of a sender beyond its share of the ring")                \
	X(counts_full, "attempts counted nowhere because smtpl_counts was full")                   \
	X(domains_over, "attempts counted under \"\" because the sender used too many domains")    \
	X(hole_drops, "reply packets dropped because one before them was missing")                 \
	X(hole_resyncs, "times that a missing stretch of the stream was given up")                 \
	X(ingress_races, "reply packets dropped because another CPU held the session")             \
	X(mptcp_joins, "joining MPTCP subflows to a watched port, refused")                        \
	X(urgent_packets, "packets with TCP urgent data, of no use but to hide, dropped")          \
	X(reply_malformed, "reply lines without a code")                                           \
	X(refused_connects, "connects refused with an error")                                      \
	X(redirected_connects, "connects redirected to the responder")                             \
	X(refused_packets, "packets of suspended senders dropped on open sockets")                 \
	X(refused_attempts, "attempts that a suspension cut off in an open session")               \
	X(sessions_cut, "sessions of mail servers reset for the sake of a suspended domain")       \
	X(tls_sessions, "TLS sessions whose plaintext was read")                                   \
	X(tls_late, "of these, sessions whose beginning was not seen: probes came late")           \
	X(tls_unbound,                                                                             \
	  "TLS sessions of processes with probes, but read through nothing that has one")          \
	X(tls_opaque, "TLS sessions of processes without probes")                                  \
	X(tls_unasked,                                                                             \
	  "TLS sessions, or processes with a session, for which no probes could be asked")         \
	X(tls_full, "TLS sessions not followed for want of room")                                  \
	X(tls_blind,                                                                               \
	  "times that a stretch of a TLS session was missed: what was under way is unknown")

struct smtpl_stats {
#define SMTPL_STAT_FIELD(name, text) __u64 name;
	SMTPL_STATS(SMTPL_STAT_FIELD)
#undef SMTPL_STAT_FIELD
};

#endif
