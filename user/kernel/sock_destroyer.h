/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * sock_destroyer.h - the child process that ends the open sessions of a suspended account, in every
 * network namespace of the host. Sockets can only be walked from inside their namespace, so it
 * keeps the privilege to enter them, which the daemon gives up; all that it ever gets is numbers.
 * And a walk over the sockets of a large host takes longer than the daemon can wait.
 */
#ifndef SMTPL_SOCK_DESTROYER_H
#define SMTPL_SOCK_DESTROYER_H

#include <stdint.h>
#include <sys/types.h>
#include "bpf.h"

struct sock_destroyer {
	pid_t pid; /* 0: no child, also in a struct that is all zero */
	int fd;	   /* the parent's end, non-blocking */
};

/* Start the child. It shares the loaded programs. 0 or -errno. */
int sock_destroyer_start(struct sock_destroyer *c, struct bpf *bpf);

/* Have the sessions of a uid ended, soon. The uid's suspension must be in the map already. 0 or
 * -errno: then the packets of the sessions are dropped all the same. */
int sock_destroyer_end_uid(const struct sock_destroyer *c, uint32_t uid);

/* Have a mail server's session ended that was cut (smtpl_event_cut). The same. */
int sock_destroyer_end_session(const struct sock_destroyer *c, uint32_t uid, uint64_t cookie);

/* It may carry out what it was ordered before, for a few seconds. */
void sock_destroyer_stop(struct sock_destroyer *c);

#endif
