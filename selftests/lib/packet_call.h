/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * packet_call.h - the argument of the program `call`, by which lib/packet_world.h controls
 * prog/packet.bpf.c.
 */
#ifndef SELFTESTS_PACKET_CALL_H
#define SELFTESTS_PACKET_CALL_H

#include <linux/types.h>

enum packet_call_what {
	PACKET_CALL_OPEN = 1, /* what connect does: the session is `uid`'s */
	PACKET_CALL_CLOSE,    /* what the program on inet_sock_set_state does: `how`, `error` */
	PACKET_CALL_LOCK,     /* another CPU takes the session, ... */
	PACKET_CALL_RELEASE,  /* ... and gives it back */
	PACKET_CALL_RESET,    /* [refuse] relay = reset, or with `how` 0 hook */
};

struct packet_call {
	__u32 what;
	__u32 uid;
	__u32 role;
	__u32 how;
	__u32 error;
};

#define PACKET_CALL_COOKIE 77 /* of the session's socket */
#define PACKET_CALL_DEST   5  /* last byte of its destination, the others are zero */

#endif
