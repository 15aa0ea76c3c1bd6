/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * session.h - one outbound connection to a watched port, in the storage of its socket: who opened
 * it, where to, how far its two streams were read, and the parser's state.
 *
 * Who writes what: egress (under the socket's lock) the fields of `out` and smtp.c; whoever holds
 * `lock` (ingress, or the end of the session) those of `in` and smtp.s; connect the rest, once.
 *
 * A session that turned to TLS goes on in a copy of its own, in smtpl_tls by its cookie, because
 * the probes on TLS libraries see no socket. The one in the socket's storage then has the state of
 * the socket, the copy that of the parser. The copy's `out` is written by who writes to the TLS
 * object.
 *
 * Sessions outlive an upgrade unless their size changes: a change of layout that keeps the size
 * needs a new SMTPL_SCHEMA.
 */
#ifndef SMTPL_SESSION_H
#define SMTPL_SESSION_H

#include "kernel.h"
#include "maps.h"
#include "smtp.h"
#include "tls.h"

#define SESSION_BUF 512 /* bytes read from a packet at a time */

/* How far the packet at hand was read; of no meaning between packets. It is kept here, not on the
 * stack: the verifier follows a number there through every round of a loop (since 6.7). */
struct session_cursor {
	__u32 off;  /* of the payload in the packet */
	__u32 len;  /* of the payload */
	__u32 pos;  /* next byte to feed, from the start of the payload */
	__u32 hold; /* body bytes before this position are fed, not skipped */
	__u32 at;   /* next byte in buf */
	__u32 fill; /* bytes in buf */
	__u32 all;  /* skip nothing any more */
};

struct session_direction {
	__u32 seq;   /* TCP sequence number of the next byte */
	__u8 synced; /* seq is valid */
	__u8 drops;  /* ingress: segments behind a hole, dropped in a row */
	__u16 pad;
	struct session_cursor cursor;
	__u8 buf[SESSION_BUF] __attribute__((aligned(8)));
};

/* How far a session that turned to TLS is, on the wire. */
enum session_tls {
	SESSION_TLS_NO = 0,
	SESSION_TLS_BEGUN, /* the client is to begin */
	SESSION_TLS_BOTH,  /* the server has sent of it, too */
};

struct smtpl_session {
	struct smtpl_tls_session tls; /* in smtpl_tls alone */
	struct smtp_session smtp;
	struct session_direction out;
	struct session_direction in;
	__u64 cookie;
	__u64 netns_cookie;
	struct smtpl_count_key uid_key; /* (uid, ""), never changes */
	__u32 uid;
	__u32 pid;
	__u32 role;	 /* enum smtpl_role, as it was at connect */
	__u32 port;	 /* destination, host order */
	__u8 dest[16];	 /* destination that the client asked for, v4-mapped for IPv4 */
	__u32 iss;	 /* the SYN's sequence number */
	__u32 acked;	 /* by our own TCP to the server: it holds all before; written by egress */
	__u32 lock;	 /* 1: held */
	__u32 end;	 /* enum smtp_end, once the socket is closed; 0: open */
	__u32 error;	 /* of the socket at its end */
	__u8 ended;	 /* the end has been settled */
	__u8 redirected; /* goes to the responder */
	__u8 established;
	__u8 client_first; /* the client closed before the server did */
	__u8 server_first;
	/* reset: a relay's, whose newest message is of a suspended domain; written by egress */
	__u8 cut;
	__u8 tls_wire;	   /* enum session_tls; settled as a TLS session at the socket's end */
	__u8 tls_asked;	   /* for probes in another process than the one that connected */
	__u8 tls_full;	   /* there was no room to follow it */
	__u8 tls_calls[2]; /* in smtpl_tls: a call is under way, that reads or that writes */
	/* in smtpl_tls: a process that had it has forked, the child has the object as well */
	__u8 tls_shared;
	struct smtp_tls plain; /* in smtpl_tls alone */
	__u8 tls_probed;       /* in smtpl_tls: a process that had probes has read of it */
};

/* The receiving side and the end of a session exclude each other. Nobody waits: who does not get
 * the lock leaves the work to the holder (the end) or to the peer's retransmission (a segment). */
static __always_inline bool session_trylock(struct smtpl_session *s)
{
	return __sync_val_compare_and_swap(&s->lock, 0, 1) == 0;
}

static __always_inline void session_unlock(struct smtpl_session *s)
{
	__sync_lock_test_and_set(&s->lock, 0);
}

static __always_inline bool addr_is_v4(const __u8 addr[16])
{
	const __u32 *word = (const __u32 *)addr;

	return word[0] == 0 && word[1] == 0 && word[2] == bpf_htonl(0xffff);
}

#endif
