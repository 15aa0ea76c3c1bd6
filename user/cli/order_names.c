// SPDX-License-Identifier: GPL-2.0-only
/*
 * order_names.c - the names that an account goes by at mail servers, for an order that is carried
 * out without the daemon: the domains that it owns, as they were saved, and the file `suspended`.
 */
#include <errno.h>
#include <stdio.h>
#include "base/clock.h"
#include "kernel/enforce.h"
#include "base/log.h"
#include "order.h"
#include "state/state_owners.h"
#include "refuse/suspended.h"
#include "refuse/suspended_list.h"

const struct owners *order_owners(struct order *o)
{
	if (o->owners || !o->state)
		return o->owners;
	o->owners = owners_new();
	if (!o->owners || state_get_owners(o->state, o->owners) == 0)
		return o->owners;
	owners_free(o->owners);
	o->owners = NULL;
	return NULL;
}

struct own_domain {
	const struct account_id *id;
	char domain[SMTPL_DOMAIN_SIZE];
};

static int find_domain(void *arg, const struct state_suspension *s)
{
	struct own_domain *own = arg;

	if (!account_equal(&s->account, own->id))
		return 0;
	snprintf(own->domain, sizeof(own->domain), "%s", s->domain);
	return 1;
}

static bool refusal(void *arg, const struct account_id *id, struct responder_answer *answer)
{
	struct own_domain own = {.id = id};
	struct smtpl_suspension suspension;
	struct state_clock now;
	struct order *o = arg;

	state_clock_read(&now);
	if (enforce_lookup(o->maps, id, now.boot_ns, &suspension))
		return false;
	if (o->state)
		state_each_suspension(o->state, find_domain, &own);
	suspended_figures(id, &suspension, own.domain,
			  (now.wall_ns + (int64_t)suspension.until_ns - now.boot_ns) / NS_PER_S,
			  answer);
	return true;
}

int order_names(struct order *o, const struct smtpl_suspension *suspension)
{
	struct suspended_list list = {.run = o->config.run,
				      .maps = o->maps,
				      .role = order_role,
				      .refusal = refusal,
				      .arg = o};
	const struct owners *owners;
	struct state_clock now;
	int err = 0;

	if (!o->maps)
		return 0;
	owners = order_owners(o);
	state_clock_read(&now);
	list.owners = owners;
	list.now_ns = now.boot_ns;
	if (o->what.account.kind == ACCOUNT_UID &&
	    (!suspension || o->config.relay == CONFIG_RELAY_RESET))
		err = enforce_domains(o->maps, owners, o->what.account.uid, suspension);
	if (!err)
		err = suspended_list_write(&list);
	return err;
}
