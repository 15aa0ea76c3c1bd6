/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * payer.h - who pays for mail, by the uid that sends it and its sender domain. Pure: what a uid is
 * and who owns a domain are questions that the caller answers. Whoever charges, refuses, lists or
 * shows mail asks here, so that all of them name the same account.
 *
 * A direct sender pays for all its mail, an exempt user for none. A relay's uid, and root's, say
 * nothing of whose mail it is: then the sender domain's owner pays, nobody where the owner is
 * exempt, and the domain itself where it has no owner or belongs to root or a relay. Owners may
 * have been read before their user became a relay, so this is asked with each mail. The uid of a
 * service user (a content filter, a tunnel) says nothing either, and the sender domain, which its
 * clients choose, no more; but a list manager writes that itself.
 */
#ifndef SMTPL_PAYER_H
#define SMTPL_PAYER_H

#include <stdbool.h>
#include <stdint.h>
#include "headers/maps.h"
#include "account.h"

enum payer_kind {
	PAYER_ACCOUNT = 0, /* *id pays */
	PAYER_NULL_SENDER, /* the null sender: nobody */
	PAYER_FORWARD,	   /* nobody */
	PAYER_EXEMPT,	   /* an exempt user: nobody */
	PAYER_NOBODY,	   /* no domain, nothing known */
};

/* Why it is this account that pays. */
enum payer_why {
	PAYER_WHY_NOTHING = 0, /* nobody is known */
	PAYER_WHY_SENDS,       /* its own process has the connection */
	PAYER_WHY_ASKED,       /* the policy server named it at submission */
	PAYER_WHY_AUTH,	       /* SMTP AUTH */
	PAYER_WHY_CALLER,      /* it called sendmail(1) */
	PAYER_WHY_CLIENT,      /* its process submitted over a local connection */
	PAYER_WHY_FORWARDER,   /* it forwards what others send */
	PAYER_WHY_OWNER,       /* it owns the sender's domain */
	PAYER_WHY_DOMAIN,      /* it is the sender's domain, of which no owner is known */
	PAYER_WHYS,
};

/* "sends", "asked", "auth", ... */
const char *payer_why_name(enum payer_why why);

struct payer_ops {
	/* Not asked of root, who is a relay whatever the configuration says: no rule may ever
	 * refuse it. */
	enum smtpl_role (*role)(void *arg, uint32_t uid);
	/* The uid that owns a domain (key form); false: nobody known. NULL: no domain has an owner.
	 */
	bool (*owner)(void *arg, const char *domain, uint32_t *uid);
	/* Is a domain without an owner (key form) exempt? NULL: none is. */
	bool (*exempt)(void *arg, const char *domain);
};

/* What a user is; root is a relay. */
enum smtpl_role payer_role(const struct payer_ops *ops, void *arg, uint32_t uid);

/* Who pays for what a user sends. PAYER_ACCOUNT; PAYER_EXEMPT, *id being the user all the same; or
 * PAYER_NOBODY, *id untouched: a relay, a service user or root. */
enum payer_kind payer_of_user(const struct payer_ops *ops, void *arg, uint32_t uid,
			      struct account_id *id);

/* Who pays for mail of a sender domain (key form, at most SMTPL_DOMAIN_SIZE bytes) whose sender is
 * not known. PAYER_ACCOUNT; PAYER_EXEMPT, *id being the owner, or the domain, all the same; or
 * PAYER_NOBODY, *id untouched: the domain is "". */
enum payer_kind payer_of_domain(const struct payer_ops *ops, void *arg, const char *domain,
				struct account_id *id);

/* Why the account that payer_of_domain() gave pays. */
enum payer_why payer_why_of_sender(const struct account_id *id);

/* Mail that a uid sends from a domain. */
struct payer {
	struct account_id id; /* pays; where nobody does, whose mail it is: at worst the relay's */
	bool pays;
	bool relay; /* it goes through a mail server, or a service user */
	enum payer_why why;
};

struct payer payer_of_mail(const struct payer_ops *ops, void *arg, uint32_t uid,
			   const char *domain);

#endif
