/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * limits.h - every bound that the BPF programs and the daemon share. Each number keeps one session,
 * one account or one remote host from costing more than stated here.
 */
#ifndef SMTPL_LIMITS_H
#define SMTPL_LIMITS_H

/* A domain key: 127 bytes and a NUL. RFC 1035 allows 253; a longer one is cut after
 * SMTPL_DOMAIN_KEEP bytes and closed with '~' and 16 hex digits of its 64-bit hash. */
#define SMTPL_DOMAIN_SIZE 128
#define SMTPL_DOMAIN_KEEP 110

/* An address as reported to the daemon, with a NUL. RFC 5321 4.5.3.1.3: a path has at most 256
 * octets with its brackets. A longer one is cut; its hash is still that of the whole. */
#define SMTPL_ADDR_SIZE 256

/* Text of a reply as reported to the daemon, with a NUL; the rest is not kept. */
#define SMTPL_TEXT_SIZE 160

/* What an administrator adds to a refusal, a reason or a contact, with a NUL: the text has to stay
 * one line of SMTP. */
#define SMTPL_TOLD_SIZE 129

/* A reply longer than this (all lines) makes the session desync: RFC 5321 has no limit, a hostile
 * server no end. */
#define SMTP_REPLY_MAX_BYTES 65536

/* Commands sent and not yet answered, in one session. Power of two. */
#define SMTP_FIFO_DEPTH 1024

/* Senders remembered in one session: of the current transaction, of those whose MAIL is not
 * answered (two of 4), and one slot kept free for a session that turns desync. Power of two. */
#define SMTP_SENDERS 4

/* Recipients of one message that the daemon remembers by name until the message is decided. */
#define SMTPL_RCPTS_PER_MESSAGE 4096

#define SMTPL_COUNTS_MAX 131072

/* Domains that one uid may have in smtpl_counts; further ones count under "". Any customer can make
 * a mail server use domains without end, so that is bounded as well: others keep their room. */
#define SMTPL_DOMAINS_PER_UID	256
#define SMTPL_DOMAINS_PER_RELAY (SMTPL_COUNTS_MAX / 4)

#define SMTPL_UIDS_MAX	    65536
#define SMTPL_DOMAINS_MAX   65536
#define SMTPL_LOCALS_MAX    4096
#define SMTPL_REDIRECTS_MAX 16384
/* Each connection has two. One that was pushed out is back with its connection's next data. */
#define SMTPL_CALLERS_MAX 32768

/* A direct sender's share of the ring: an event each 50 us, 200 ms of them at once. */
#define SMTPL_EVENT_COST_NS  50000ull
#define SMTPL_EVENT_BURST_NS 200000000ull

#define SMTPL_RING_BYTES_DEFAULT (4u << 20)

/* Ingress segments behind a hole that are dropped in a row, before the direction gives up. */
#define SMTPL_HOLE_DROPS_MAX 128

/* A responder that has not renewed its heartbeat for this long is taken for dead. */
#define SMTPL_HEARTBEAT_MAX_NS (5ull * 1000000000ull)

/* The longest relay_users or exempt_users list, and the most watched ports. */
#define SMTPL_USERS_MAX 1024
#define SMTPL_PORTS_MAX 64

#endif
