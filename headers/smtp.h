/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * smtp.h - the one SMTP parser: what the client sent, what the server answered, and what follows
 * for each recipient. Compiled into the BPF programs, the daemon's tests and the fuzzer.
 *
 * A session is fed byte by byte, each direction in its own order (RFC 5321, RFC 2920 PIPELINING,
 * RFC 3030 CHUNKING, RFC 3207 STARTTLS, RFC 4954 AUTH, RFC 6531 SMTPUTF8, PRDR). No loop, no libc,
 * no helper, no pointer kept: the loops over input are in bpf/stream.h. All zero is the initial
 * state.
 *
 * The two directions may be fed at the same time on two CPUs: c is written by the client side
 * (smtp_client_*), s by the server side (smtp_server_*, smtp_session_*); each may read the other's.
 * What one side reads of the other is written before the counter that announces it.
 */
#ifndef SMTPL_SMTP_H
#define SMTPL_SMTP_H

#include "smtp_types.h"

enum smtp_client_event {
	SMTP_CLIENT_NONE = 0,
	/* Transaction c.txn begins; c.addr, c.hash and senders[c.txn % SMTP_SENDERS] tell the
	 * sender. */
	SMTP_CLIENT_MAIL,
	/* c.addr, c.hash: recipient number senders[c.txn % SMTP_SENDERS].rcpts of c.txn. */
	SMTP_CLIENT_RCPT,
	/* The same in a desync session: one unknown attempt of that sender, the caller counts
	 * it. */
	SMTP_CLIENT_RCPT_UNKNOWN,
	/* A TLS record where a command belongs: nothing more is read. */
	SMTP_CLIENT_OPAQUE,
};

enum smtp_server_event {
	SMTP_SERVER_NONE = 0,
	/* A reply is complete; s.decision says what it decided. */
	SMTP_SERVER_REPLY,
	/* STARTTLS was accepted: nothing more is read. */
	SMTP_SERVER_OPAQUE,
	/* A reply answers no command or is too long, or the client's side gave up: s.decision holds
	 * what was undecided, as unknown. Nothing more is read from the server. */
	SMTP_SERVER_DESYNC,
	/* A line without a code ended. It is skipped. */
	SMTP_SERVER_MALFORMED,
};

enum smtp_end {
	SMTP_END_CLIENT = 1, /* the client closed first, without an error */
	SMTP_END_LOST,
};

/* BPF: global functions, so that the verifier looks at each once and by itself; it hands them
 * pointers that may be NULL. */
#ifdef __bpf__
#define SMTP_API __attribute__((noinline))
#else
#define SMTP_API static inline
#endif
#define SMTP_INLINE static inline __attribute__((always_inline))

/* A value of which the compiler knows nothing: else it drops the bound checks that it can prove and
 * the verifier cannot. */
SMTP_INLINE __u64 smtp_hide(__u64 value)
{
#ifdef __bpf__
	asm volatile("" : "+r"(value));
#endif
	return value;
}

/* Adds 1 and orders all before it before all behind it: BPF's atomics do so only with their
 * result. */
SMTP_INLINE void smtp_publish(__u32 *counter)
{
	__u32 before = __sync_fetch_and_add(counter, 1);

	asm volatile("" : : "r"((__u64)before) : "memory");
}

SMTP_INLINE struct smtp_sender *smtp_sender_of(struct smtp_session *ss, __u32 txn)
{
	return &ss->c.senders[smtp_hide(txn) & (SMTP_SENDERS - 1)];
}

SMTP_INLINE __u32 smtp_is_blank(__u32 byte)
{
	return byte == ' ' || byte == '\t';
}

SMTP_INLINE __u32 smtp_is_digit(__u32 byte)
{
	return byte - '0' < 10;
}

_Static_assert((SMTP_SENDERS & (SMTP_SENDERS - 1)) == 0 && SMTP_SENDERS >= 4, "power of two");
_Static_assert((SMTP_FIFO_DEPTH & (SMTP_FIFO_DEPTH - 1)) == 0, "power of two");

#include "smtp_path.h"	 /* smtp_path_byte: addresses and domain keys */
#include "smtp_client.h" /* smtp_client_byte: enum smtp_client_event */
#include "smtp_reply.h"	 /* what a complete reply decides */
#include "smtp_end.h"	 /* smtp_session_end, smtp_session_desync */
#include "smtp_server.h" /* smtp_server_byte: enum smtp_server_event */
#include "smtp_tls.h"	 /* smtp_tls_wrote, smtp_tls_read: the plaintext of TLS */

#endif
