/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * policy_child.h - the child of the policy server: one epoll loop over listeners, connections and
 * parent. What a peer can cost is bounded by the numbers here; nothing in the loop waits for
 * anybody.
 */
#ifndef SMTPL_POLICY_CHILD_H
#define SMTPL_POLICY_CHILD_H

#include <stddef.h>
#include <sys/types.h>
#include "config/config.h"
#include "policy_talk.h"

struct policy_bounds {
	unsigned int clients; /* at once; a further one takes the place of the stillest */
	unsigned int per_uid; /* of them, of one uid */
	int ask_ms;	      /* for the parent's answer; then the mail passes */
	int request_ms;	      /* for a request that has begun, or the only one of a connection */
	int idle_ms;	      /* between requests, where there may be several */
	int write_ms;	      /* for the peer to read an answer */
	size_t records;	      /* kept for a parent that does not take them */
};

struct policy_sockets {
	int listen[POLICY_SOCKETS];
};

/*
 * Go into the sandbox, report that to the parent (child.h), and serve until the parent is gone.
 * Sockets are non-blocking. Returns the process's exit status.
 */
int policy_child(const struct policy_sockets *sockets, const struct policy_bounds *bounds,
		 const struct config_uids *peers, int parent_fd, pid_t parent);

#endif
