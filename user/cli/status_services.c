// SPDX-License-Identifier: GPL-2.0-only
/*
 * status_services.c - service users in `smtplimit status`: who is one and why, which customers send
 * under others' domains, and how much mail was charged to nobody.
 */
#include <inttypes.h>
#include "status.h"
#include "who/service.h"

#define DOMAINS_LOOKED 256 /* of one account */
#define OWNERS_COUNTED 64

bool status_serves(const struct status_account *a)
{
	return a->role == SMTPL_ROLE_SERVICE || a->role == SMTPL_ROLE_LISTS;
}

/* Without any owner known nobody is known to send for others. */
static unsigned int count_owners(struct status *s, const struct status_account *a)
{
	struct account_id owners[OWNERS_COUNTED];
	unsigned int count = 0, k;

	for (size_t i = 0; i < a->domains_count && i < DOMAINS_LOOKED && count < OWNERS_COUNTED;
	     i++) {
		struct account_id id = status_domain_payer(s, a->domains[i]);

		for (k = 0; k < count && !account_equal(&owners[k], &id); k++)
			;
		if (k == count && !account_equal(&id, &a->id))
			owners[count++] = id;
	}
	return count;
}

void status_service_finish(struct status *s, struct status_account *a)
{
	const struct relay_count sent = {.delivered = a->total.delivered,
					 .deferred = a->total.deferred,
					 .failed = a->total.failed,
					 .unknown = a->total.unknown};

	if (a->id.kind != ACCOUNT_UID)
		return;
	if (a->role == SMTPL_ROLE_DIRECT && owners_count(s->owners))
		a->carries = count_owners(s, a);
	else if (a->role == SMTPL_ROLE_SERVICE)
		relay_count_add(&s->nobodys, &sent);
	else if (!status_judges(a) && a->role != SMTPL_ROLE_EXEMPT)
		relay_count_add(&s->nobodys, &a->reported);
}

static void print_nobodys(const struct status *s, FILE *out)
{
	const struct relay_count *n = &s->nobodys;

	if (n->delivered + n->deferred + n->failed + n->unknown)
		fprintf(out,
			"charged to nobody: %" PRIu64 " attempts delivered, %" PRIu64
			" deferred, %" PRIu64
			" failed, of other hosts without AUTH and of service users whose "
			"submitter is not known\n",
			n->delivered, n->deferred, n->failed);
}

void status_services_print(const struct status *s, FILE *out)
{
	char name[ACCOUNT_NAME_SIZE];

	for (size_t i = 0; i < s->roles_count; i++) {
		const struct account_id id = {.kind = ACCOUNT_UID, .uid = s->roles[i].uid};

		if (!s->roles[i].why)
			continue;
		account_name(&id, name, sizeof(name));
		fprintf(out, "service user: %s, since %s; is never suspended\n", name,
			service_why(s->roles[i].why));
	}
	for (size_t i = 0; i < s->accounts_count; i++)
		if (s->accounts[i]->carries >= SERVICE_OWNERS)
			fprintf(out,
				"%s sends under the domains of %u others: if it is a service user, "
				"add it to relay_users\n",
				s->accounts[i]->name, s->accounts[i]->carries);
	print_nobodys(s, out);
}
