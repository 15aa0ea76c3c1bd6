// SPDX-License-Identifier: GPL-2.0-only
/*
 * enforce.c - the only writer of suspensions: turns a decision into an entry of the pinned maps.
 */
#include <errno.h>
#include <string.h>
#include "enforce.h"

static int enforce_uid(struct bpf_maps *maps, uint32_t uid,
		       const struct smtpl_suspension *suspension)
{
	struct smtpl_uid value = {};
	int err;

	if (uid == 0)
		return -EPERM;
	err = bpf_maps_get_uid(maps, uid, &value);
	if (err && err != -ENOENT)
		return err;
	if (value.role != SMTPL_ROLE_DIRECT)
		return -EPERM;
	value.suspension = *suspension;
	return bpf_maps_set_uid(maps, uid, &value);
}

int enforce_suspend(struct bpf_maps *maps, const struct account_id *account,
		    const struct smtpl_suspension *suspension)
{
	if (account->kind == ACCOUNT_DOMAIN)
		return bpf_maps_set_domain(maps, account->domain, suspension);
	return enforce_uid(maps, account->uid, suspension);
}

int enforce_release(struct bpf_maps *maps, const struct account_id *account)
{
	struct smtpl_uid value;
	int err;

	if (account->kind == ACCOUNT_DOMAIN)
		return bpf_maps_set_domain(maps, account->domain, NULL);
	err = bpf_maps_get_uid(maps, account->uid, &value);
	if (err)
		return err == -ENOENT ? 0 : err;
	memset(&value.suspension, 0, sizeof(value.suspension));
	if (value.role == SMTPL_ROLE_DIRECT)
		return bpf_maps_set_uid(maps, account->uid, NULL);
	return bpf_maps_set_uid(maps, account->uid, &value);
}

struct domains_change {
	struct bpf_maps *maps;
	uint32_t uid;
	const struct smtpl_suspension *suspension;
};

static int change_domain(void *arg, const char *domain, uint32_t uid)
{
	const struct domains_change *c = arg;

	return uid == c->uid ? bpf_maps_set_domain(c->maps, domain, c->suspension) : 0;
}

int enforce_domains(struct bpf_maps *maps, const struct owners *owners, uint32_t uid,
		    const struct smtpl_suspension *suspension)
{
	struct domains_change c = {.maps = maps, .uid = uid, .suspension = suspension};

	return owners ? owners_each(owners, change_domain, &c) : 0;
}

int enforce_lookup(struct bpf_maps *maps, const struct account_id *account, uint64_t now_ns,
		   struct smtpl_suspension *suspension)
{
	struct smtpl_uid value;
	int err;

	if (account->kind == ACCOUNT_DOMAIN) {
		err = bpf_maps_get_domain(maps, account->domain, suspension);
	} else {
		err = bpf_maps_get_uid(maps, account->uid, &value);
		if (!err)
			*suspension = value.suspension;
	}
	if (err)
		return err;
	return suspension->until_ns > now_ns ? 0 : -ENOENT;
}
