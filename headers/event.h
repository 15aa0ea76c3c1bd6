/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * event.h - what the BPF programs report through the ring buffer smtpl_events. Detail only: every
 * attempt is counted in smtpl_counts whether or not its event finds room. The room for an event is
 * reserved before its count is added, so an attempt that a reader of the map sees is either in the
 * ring already or lost.
 *
 * A message is reported in this order: MAIL, RCPT for each recipient, then OUTCOME events. One
 * OUTCOME may decide many recipients (the reply to the final dot): its `count` says how many,
 * `subject` which ones.
 */
#ifndef SMTPL_EVENT_H
#define SMTPL_EVENT_H

#include <linux/types.h>
#include "limits.h"
#include "smtp_types.h"

enum smtpl_event_type {
	SMTPL_EVENT_OPEN = 1,
	SMTPL_EVENT_MAIL = 2,
	SMTPL_EVENT_RCPT = 3,
	SMTPL_EVENT_OUTCOME = 4,
	SMTPL_EVENT_CLOSE = 5,
	SMTPL_EVENT_CUT = 6,
};

struct smtpl_event {
	__u32 type; /* enum smtpl_event_type */
	__u32 uid;
	__u64 cookie;  /* of the session's socket */
	__u64 time_ns; /* boot time */
};

struct smtpl_event_open {
	struct smtpl_event head;
	__u64 netns_cookie;
	__u32 pid;
	__u32 port;    /* destination, host order */
	__u8 addr[16]; /* destination, v4-mapped for IPv4, network order */
	char comm[16];
};

/* MAIL and RCPT */
struct smtpl_event_path {
	struct smtpl_event head;
	__u32 txn;		    /* transaction of the session, from 1 */
	__u32 rcpt;		    /* RCPT: number in the transaction, from 1; MAIL: 0 */
	__u64 hash;		    /* of the whole address, domain in lower case; never 0 */
	char addr[SMTPL_ADDR_SIZE]; /* untrusted bytes, NUL padded */
};

/* Running totals of one key of smtpl_counts, in attempts. */
struct smtpl_totals {
	__u64 delivered;
	__u64 deferred;
	__u64 failed;
	__u64 unknown;
};

struct smtpl_event_outcome {
	struct smtpl_event head;
	struct smtpl_totals totals; /* of (uid, domain); the one of `outcome` is exact: its value
				     * right after these `count` attempts were added */
	__u32 txn;		    /* 0: the session itself, before any MAIL */
	__u32 rcpt;   /* SMTP_SUBJECT_RCPT: its number; SMTP_SUBJECT_PRDR: which of the accepted */
	__u32 count;  /* attempts decided here, at least 1 */
	__u16 code;   /* 200..599; 0: no reply, the connection failed or was lost */
	__u8 outcome; /* enum smtp_outcome */
	__u8 subject; /* enum smtp_subject */
	__u16 enhanced[3]; /* RFC 3463 class, subject, detail; class 0: none */
	__u16 pad;
	__u32 error;   /* errno of the socket where the connection failed or was lost, else 0 */
	__u8 dest[16]; /* destination as in OPEN */
	char domain[SMTPL_DOMAIN_SIZE];
	char text[SMTPL_TEXT_SIZE]; /* of the reply: untrusted bytes, NUL padded */
};

struct smtpl_event_close {
	struct smtpl_event head;
};

/* A mail server's session began a message of a suspended domain and was reset ([refuse] relay =
 * reset): its packets are dropped, and the daemon destroys its socket. It comes in place of the
 * MAIL event, once a session. */
struct smtpl_event_cut {
	struct smtpl_event head;
	char domain[SMTPL_DOMAIN_SIZE];
};

#endif
