/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * responder_server.h - the child of the responder: one epoll loop over listeners, clients and
 * parent. What a client can cost is bounded by the numbers here; nothing in the loop waits for
 * anybody.
 */
#ifndef SMTPL_RESPONDER_SERVER_H
#define SMTPL_RESPONDER_SERVER_H

#include <stddef.h>
#include <sys/types.h>

struct responder_bounds {
	unsigned int clients; /* at once; a further one takes the place of who is idle longest */
	int ask_ms;	      /* for the parent's answer, then 421 */
	int idle_ms;	      /* without a byte of the client's, then 421 */
	int life_ms;	      /* of a connection, then 421 */
	int leave_ms;	      /* for the client to close after the last reply */
	size_t input_bytes;   /* read of one client, then 421 */
	size_t drain_bytes;   /* thrown away after the last reply, lest a reset takes it */
};

struct responder_sockets {
	int parent; /* SOCK_SEQPACKET, see responder.h */
	int listen4;
	int listen6; /* -1: none */
};

/*
 * Go into the sandbox, report that to the parent (child.h), and serve until the parent is gone.
 * Sockets are non-blocking. Returns the process's exit status.
 */
int responder_server(const struct responder_sockets *sockets, const struct responder_bounds *bounds,
		     pid_t parent);

#endif
