/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * responder.h - the small SMTP server on loopback to which a suspended account's connects are
 * redirected, in a child process without privileges, under seccomp: it greets, takes EHLO, and
 * answers MAIL and anything else that would send with the 550 of the account.
 *
 * The child knows nothing of accounts. For each client it asks its parent, over a socket pair with
 * fixed-size records, who stands behind the client's address, and gets the figures of the text.
 */
#ifndef SMTPL_RESPONDER_H
#define SMTPL_RESPONDER_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include "headers/limits.h"

/* Child -> parent: who is this client? Address v4-mapped for IPv4, network order; port host order.
 * domain: of the sender that it has named, or "". */
struct responder_question {
	uint32_t id;
	uint32_t port;
	uint8_t addr[16];
	char domain[SMTPL_ADDR_SIZE];
};

/* Parent -> child. */
struct responder_answer {
	uint32_t id;
	uint32_t known; /* 0: not suspended (any more) or not found: the child says 421, closes */
	uint32_t bad;
	uint32_t min;
	uint32_t percent;
	uint32_t by_hand;      /* not by the rule: there are no figures */
	uint32_t names_sender; /* the text may name the domain of the question */
	uint32_t pad;
	int64_t until_wall_s;		/* end of the suspension, Unix time */
	int64_t now_wall_s;		/* 0: the text does not say how long that is */
	char domain[SMTPL_DOMAIN_SIZE]; /* the account's own, printable, NUL padded; never "" */
	char reason[SMTPL_TOLD_SIZE];	/* why, for the sender; "": he is not told */
	char contact[SMTPL_TOLD_SIZE];	/* whom to ask, or "" */
};

/* What the daemon has to keep to start a responder later, besides SANDBOX_CHILD_CAPS. */
#define RESPONDER_CAPS CAP_NET_BIND_SERVICE

struct responder {
	pid_t pid;
	int fd;		/* the parent's end, non-blocking; readable: call responder_serve() */
	uint16_t port;	/* of 127.0.0.1, below 1024: nobody unprivileged can take it over */
	uint16_t port6; /* of ::1; 0: none, there is no IPv6 */
};

typedef void (*responder_lookup)(void *arg, const struct responder_question *question,
				 struct responder_answer *answer);

/* Bind and start the child, and wait until it is locked in. 0 or -errno; nothing is left on
 * failure, and *r is untouched. The child inherits memory: start it before there are mappings
 * that others can see. It must be started by the thread whose end is the daemon's end. */
int responder_start(struct responder *r);
/* Answer what the child has asked, a bounded number: call again while fd is readable. lookup finds
 * *answer zeroed and need not set its id. -EPIPE: the child is gone; stop, then start. */
int responder_serve(struct responder *r, responder_lookup lookup, void *arg);
/* End the child and wait for it. A second call, or one on a zeroed struct, does nothing. */
void responder_stop(struct responder *r);

#endif
