/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * submission.c - the order in which what is known of a message's submission names its payer.
 */
#include "submission.h"

#include <string.h>
#include <strings.h>

struct asked {
	const struct submission *o;
	const struct submission_ops *ops;
	void *arg;
};

/* A mail server's uid says nothing of whose mail it is. */
static bool take_uid(const struct asked *a, uint32_t uid, struct account_id *id)
{
	return payer_of_user(&a->ops->payer, a->arg, uid, id) != PAYER_NOBODY;
}

static bool take_domain(const struct asked *a, const char *domain, struct account_id *id)
{
	char key[SMTPL_DOMAIN_SIZE];

	return !account_domain_key(domain, key) &&
	       payer_of_domain(&a->ops->payer, a->arg, key, id) != PAYER_NOBODY;
}

/* Is the domain this host's own name, and no user's who would pay for its mail? */
static bool is_own_name(const struct asked *a, const char *domain)
{
	struct account_id id;
	char key[SMTPL_DOMAIN_SIZE];

	return a->ops->own_name && !account_domain_key(domain, key) &&
	       a->ops->own_name(a->arg, key) &&
	       payer_of_domain(&a->ops->payer, a->arg, key, &id) == PAYER_ACCOUNT &&
	       id.kind == ACCOUNT_DOMAIN;
}

static bool take_account(const struct asked *a, struct account_id *id)
{
	const struct account_id *account = &a->o->account;

	if (!(a->o->known & SUBMISSION_HAS_ACCOUNT))
		return false;
	switch (account->kind) {
	case ACCOUNT_UID:
		return take_uid(a, account->uid, id);
	case ACCOUNT_DOMAIN:
		return take_domain(a, account->domain, id);
	default:
		return false;
	}
}

/* Servers know users as user@domain; where @ is taken by something else also with % and +, which
 * stand in plain names too. */
const char *submission_identity_domain(const char *auth)
{
	const char *at = strrchr(auth, '@');
	const char *c;

	if (at)
		return at[1] ? at + 1 : NULL;
	for (c = auth + strlen(auth); c > auth; c--)
		if (c[-1] == '%' || c[-1] == '+')
			return strchr(c, '.') ? c : NULL;
	return NULL;
}

/* Some servers write this host's users as user@HOST: one account for all of them would let one
 * customer stop the others. */
static bool take_user_here(const struct asked *a, const char *domain, struct account_id *id)
{
	char user[SMTPL_ADDR_SIZE] = "";
	const char *auth = a->o->auth;
	uint32_t uid;

	if (!is_own_name(a, domain))
		return false;
	memcpy(user, auth, domain - 1 - auth);
	return a->ops->user(a->arg, user, &uid) && take_uid(a, uid, id);
}

static bool take_auth(const struct asked *a, struct account_id *id)
{
	const char *auth = a->o->auth;
	const char *domain;
	uint32_t uid;

	if (!auth[0])
		return false;
	domain = submission_identity_domain(auth);
	if (domain)
		return take_user_here(a, domain, id) || take_domain(a, domain, id);
	return a->ops->user(a->arg, auth, &uid) && take_uid(a, uid, id);
}

/* The uid behind a connection from this host. */
static bool find_client(const struct asked *a, uint32_t *uid)
{
	const struct submission *o = a->o;

	*uid = o->caller;
	if (o->known & SUBMISSION_HAS_CALLER)
		return true;
	return (o->known & SUBMISSION_HAS_CLIENT) && o->client_port &&
	       a->ops->local(a->arg, o->client) && a->ops->caller(a->arg, o, uid);
}

static bool take_client(const struct asked *a, struct account_id *id)
{
	uint32_t uid;

	return find_client(a, &uid) && take_uid(a, uid, id);
}

/* Who handed the message in, an exempt user included. */
static enum payer_why take_submitter(const struct asked *a, struct account_id *id)
{
	uint32_t known = a->o->known;

	if ((known & SUBMISSION_AGAIN) && take_uid(a, a->o->uid, id))
		return PAYER_WHY_CALLER;
	if (take_account(a, id))
		return PAYER_WHY_ASKED;
	if (take_auth(a, id))
		return PAYER_WHY_AUTH;
	if ((known & SUBMISSION_HAS_UID) && take_uid(a, a->o->uid, id))
		return PAYER_WHY_CALLER;
	if ((known & SUBMISSION_HAS_FIRST_UID) && take_uid(a, a->o->first_uid, id))
		return PAYER_WHY_CALLER;
	return take_client(a, id) ? PAYER_WHY_CLIENT : PAYER_WHY_NOTHING;
}

/* Do customers choose the sender of what this user hands in, though it is not theirs? */
static bool is_service(const struct asked *a, uint32_t uid)
{
	return payer_role(&a->ops->payer, a->arg, uid) == SMTPL_ROLE_SERVICE;
}

static bool is_trusted(const struct asked *a)
{
	return (a->o->known & SUBMISSION_HAS_CLIENT) && a->ops->trusted &&
	       a->ops->trusted(a->arg, a->o->client);
}

/* The caller of sendmail(1), in the first pass of mail that went through a filter. */
static bool find_caller(const struct asked *a, uint32_t *uid)
{
	bool again = a->o->known & SUBMISSION_AGAIN;

	*uid = again ? a->o->first_uid : a->o->uid;
	return a->o->known & (again ? SUBMISSION_HAS_FIRST_UID : SUBMISSION_HAS_UID);
}

/* What a trusted host brought in may have come through a filter. */
static bool is_forgeable(const struct asked *a)
{
	uint32_t uid;

	if (is_trusted(a))
		return false;
	return submission_is_inbound(a->o, a->ops, a->arg) ||
	       (find_caller(a, &uid) && is_service(a, uid)) ||
	       (find_client(a, &uid) && is_service(a, uid));
}

static enum payer_why take_sender(const struct asked *a, struct account_id *id)
{
	const char *at = strrchr(a->o->sender, '@');

	if (is_forgeable(a))
		return PAYER_WHY_NOTHING;
	return at && take_domain(a, at + 1, id) ? payer_why_of_sender(id) : PAYER_WHY_NOTHING;
}

/* user@HOST and a mere name are users of this host, who write their .forward as they like: it could
 * be the submitter's own, and free of charge. */
static bool is_this_host(const struct asked *a)
{
	return !a->o->forwarder[0] || is_own_name(a, a->o->forwarder);
}

/*
 * Passed on by the server. What somebody sends to a list of his own is his mail all the same; else
 * it is at most the forwarder's, never that of who happened to write to him.
 */
static enum payer_why take_forwarder(const struct asked *a, enum payer_why submitter,
				     struct account_id *id)
{
	bool redirected = submitter && (a->o->known & SUBMISSION_REDIRECTED);
	struct account_id forwarder;
	bool known = take_domain(a, a->o->forwarder, &forwarder);

	if (redirected && (is_this_host(a) || (known && account_equal(id, &forwarder))))
		return submitter;
	if (!a->ops->count_forwards)
		return PAYER_WHY_NOTHING;
	if (!known)
		return submitter ? submitter : take_sender(a, id);
	*id = forwarder;
	return PAYER_WHY_FORWARDER;
}

/* By the server. A second pass has inherited that of the first, whose Message-ID a customer's own
 * uid may have taken: that one sends a mail of its own. */
static bool is_passed_on(const struct asked *a)
{
	struct account_id id;

	if (!(a->o->known & SUBMISSION_INTERNAL))
		return a->o->known & SUBMISSION_REDIRECTED;
	return !(a->o->known & SUBMISSION_AGAIN) || !take_uid(a, a->o->uid, &id);
}

static bool is_null(const struct submission *o)
{
	return !o->sender[0] && !(o->known & SUBMISSION_NO_SENDER);
}

enum payer_kind submission_payer(const struct submission *o, const struct submission_ops *ops,
				 void *arg, struct account_id *id, enum payer_why *why)
{
	const struct asked a = {o, ops, arg};
	struct account_id payer;
	enum payer_why known;

	if (is_null(o) && !ops->count_forwards)
		return PAYER_NULL_SENDER;
	known = take_submitter(&a, &payer);
	if (is_passed_on(&a)) {
		known = take_forwarder(&a, known, &payer);
		if (!known && !ops->count_forwards)
			return PAYER_FORWARD;
	} else if (!known) {
		known = take_sender(&a, &payer);
	}
	if (!known)
		return is_null(o) ? PAYER_NULL_SENDER : PAYER_NOBODY;
	if (payer.kind == ACCOUNT_UID &&
	    payer_of_user(&ops->payer, arg, payer.uid, &payer) == PAYER_EXEMPT)
		return PAYER_EXEMPT;
	*id = payer;
	*why = known;
	return PAYER_ACCOUNT;
}

bool submission_is_inbound(const struct submission *o, const struct submission_ops *ops, void *arg)
{
	const struct asked a = {o, ops, arg};
	struct account_id id;

	if (!(o->known & SUBMISSION_HAS_CLIENT) || o->auth[0])
		return false;
	if (o->known & (SUBMISSION_HAS_ACCOUNT | SUBMISSION_HAS_CALLER))
		return false;
	/* A server names its own uid with what it took in over the network. */
	if ((o->known & SUBMISSION_HAS_UID) && take_uid(&a, o->uid, &id))
		return false;
	return !ops->local(arg, o->client) && !is_trusted(&a);
}

/* localhost, alone or with the domain of the host: Debian's Postfix takes mail for both. */
static bool is_localhost(const char *domain, const char *host)
{
	static const char name[] = "localhost";
	const char *dot = strchr(host, '.');

	if (strncasecmp(domain, name, sizeof(name) - 1))
		return false;
	domain += sizeof(name) - 1;
	return !*domain || (dot && !strcasecmp(domain, dot)) ||
	       (*domain == '.' && !strcasecmp(domain + 1, host));
}

bool submission_is_host(const char *domain, const char *host)
{
	size_t domain_length = strlen(domain), host_length = strlen(host);
	size_t length = domain_length < host_length ? domain_length : host_length;
	const char *longer = domain_length > host_length ? domain : host;
	const char *shorter = domain_length > host_length ? host : domain;

	if (is_localhost(domain, host))
		return true;
	if (length == 0 || strncasecmp(domain, host, length))
		return false;
	/* A whole name is not the first part of another: whoever has that one could name our users.
	 * */
	return !longer[length] || (longer[length] == '.' && !strchr(shorter, '.'));
}

void submission_end_strings(struct submission *o)
{
	o->account.domain[sizeof(o->account.domain) - 1] = '\0';
	o->auth[sizeof(o->auth) - 1] = '\0';
	o->sender[sizeof(o->sender) - 1] = '\0';
	o->forwarder[sizeof(o->forwarder) - 1] = '\0';
}
