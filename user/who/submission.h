/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * submission.h - who pays for a message that a mail server sends: what the server knows of its
 * submission, and what follows from it. Pure: whom to ask is given. Used where mail is turned away
 * at the policy server and where outcomes are fed, so that both name the same account.
 *
 * In this order, the first that is known:
 *	account	what the policy server answered, kept by the mail server with the message
 *	auth	the identity of SMTP AUTH: a user of this host, or user@domain: the domain's owner
 *	uid	the caller of sendmail(1)
 *	client	a connection from this host: the uid that opened it
 *	sender	the envelope sender's domain: its owner, or the domain itself
 * A mail server's own uid, and root's, say nothing: the next one is asked. A message that a filter
 * has handed in again by sendmail(1) has what is known of its first pass; but its own uid is asked
 * before all that, as it tells a customer who makes his message look like another one.
 *
 * The sender, which everybody can forge, is not asked of what another host brought in without AUTH,
 * unless that host is trusted, nor of what a service user handed in, unless that is a list manager,
 * which writes its lists' own domain there.
 *
 * Mail that is only passed on (a forward) is nobody's, or the forwarder's where forwards count; but
 * what somebody sends to a list of his own is his. What a uid or a domain comes to is payer.h's.
 */
#ifndef SMTPL_SUBMISSION_H
#define SMTPL_SUBMISSION_H

#include <stdbool.h>
#include <stdint.h>
#include "payer.h"

enum submission_known {
	SUBMISSION_HAS_ACCOUNT = 1 << 0,
	SUBMISSION_HAS_UID = 1 << 1,
	SUBMISSION_HAS_CLIENT = 1 << 2,
	SUBMISSION_HAS_CALLER = 1 << 3, /* the uid behind the client, found already: `caller` */
	SUBMISSION_REDIRECTED = 1 << 4, /* the recipient came out of a forward of `forwarder` */
	SUBMISSION_INTERNAL = 1 << 5,	/* made by the server itself: a bounce, a forwarded copy */
	SUBMISSION_NO_SENDER = 1 << 6,	/* no sender was named: "" is not the null sender */
	SUBMISSION_AGAIN = 1 << 7, /* second pass: all but `uid`, the filter's, is of the first */
	SUBMISSION_HAS_FIRST_UID = 1 << 8, /* of the first pass, in place of HAS_UID */
};

/* Fixed size: handed over by processes that parse what untrusted peers say. Strings end with a NUL
 * and hold untrusted bytes. */
struct submission {
	uint32_t known; /* of enum submission_known */
	uint32_t uid;
	uint32_t first_uid;
	uint32_t caller;
	uint32_t client_port; /* host order; 0: not known */
	uint8_t client[16];   /* v4-mapped for IPv4, network order */
	uint8_t server[16];   /* the other end of that connection, likewise */
	uint32_t server_port; /* 0: that end is not known */
	/* At the door: how many recipients a refusal turns away; 0: it is told in another way. */
	uint32_t rcpts;
	struct account_id account;
	char auth[SMTPL_ADDR_SIZE];	   /* "": none */
	char sender[SMTPL_ADDR_SIZE];	   /* "": the null sender; without brackets */
	char forwarder[SMTPL_DOMAIN_SIZE]; /* domain of the recipient before it was redirected */
};

/* For one that another process has handed over: each string gets its end. */
void submission_end_strings(struct submission *o);

struct submission_ops {
	struct payer_ops payer;
	/* The uid of a user of this host; false: there is none. */
	bool (*user)(void *arg, const char *name, uint32_t *uid);
	/* Is the domain (key form) this host's own name? NULL: no domain is. */
	bool (*own_name)(void *arg, const char *domain);
	/* Is it loopback or an address of this host? */
	bool (*local)(void *arg, const uint8_t addr[16]);
	/* Is it another host of ours, whose senders may be believed? NULL: none is. */
	bool (*trusted)(void *arg, const uint8_t addr[16]);
	/* Who on this host opened the connection from `client` to `server`; false: not known. */
	bool (*caller)(void *arg, const struct submission *o, uint32_t *uid);
	bool count_forwards; /* null senders and forwards pay, too */
};

/* *id and *why are set with PAYER_ACCOUNT alone. */
enum payer_kind submission_payer(const struct submission *o, const struct submission_ops *ops,
				 void *arg, struct account_id *id, enum payer_why *why);

/* Does the message come from outside, unauthenticated, and not from a trusted host? Then nobody is
 * refused, and nobody pays. */
bool submission_is_inbound(const struct submission *o, const struct submission_ops *ops, void *arg);

/* Where the domain begins in an identity of SMTP AUTH; NULL: it is a user of this host. */
const char *submission_identity_domain(const char *auth);

/* Is a domain (key form) the name of this host, which may be set with its domain or without, or its
 * localhost? */
bool submission_is_host(const char *domain, const char *host);

#endif
