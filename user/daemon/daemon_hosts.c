// SPDX-License-Identifier: GPL-2.0-only
/*
 * daemon_hosts.c - what the kernel side must know of this host: the roles of uids, and the host's
 * own addresses. Both are applied as a difference to what the maps hold.
 */
#include <errno.h>
#include <string.h>
#include "base/clock.h"
#include "config/config_value.h"
#include "daemon.h"
#include "kernel/enforce.h"
#include "kernel/host_addresses.h"
#include "base/log.h"

struct uid_list {
	/* relays, exempts, service users and root */
	uint32_t uid[2 * SMTPL_USERS_MAX + SERVICES_MAX + 1];
	size_t count;
};

static struct service role_wanted(const struct daemon *d, uint32_t uid)
{
	const struct service *service = services_find(&d->services.known, uid);
	struct service wanted = {.uid = uid, .role = SMTPL_ROLE_DIRECT};

	if (config_uids_has(&d->config.exempts, uid))
		wanted.role = SMTPL_ROLE_EXEMPT;
	else if (config_uids_has(&d->config.relays, uid) || uid == 0)
		wanted.role = SMTPL_ROLE_RELAY;
	else if (service)
		wanted = *service;
	return wanted;
}

struct stale {
	struct daemon *daemon;
	struct uid_list list;
};

static int collect_stale(void *arg, const uint32_t *uid, const struct smtpl_uid *value)
{
	struct stale *s = arg;

	if (value->role != SMTPL_ROLE_DIRECT && value->role != role_wanted(s->daemon, *uid).role &&
	    s->list.count < sizeof(s->list.uid) / sizeof(s->list.uid[0]))
		s->list.uid[s->list.count++] = *uid;
	return 0;
}

static int role_set(struct daemon *d, uint32_t uid)
{
	const struct account_id id = {.kind = ACCOUNT_UID, .uid = uid};
	const struct service wanted = role_wanted(d, uid);
	struct smtpl_uid value = {};
	int err = bpf_maps_get_uid(d->maps, uid, &value);

	if (err && err != -ENOENT)
		return err;
	value.role = wanted.role;
	value.why = wanted.why;
	if (value.role != SMTPL_ROLE_DIRECT && value.suspension.until_ns) {
		daemon_lift(d, &id, "a relay, service or exempt user now");
		memset(&value.suspension, 0, sizeof(value.suspension));
	}
	if (value.role == SMTPL_ROLE_DIRECT && !value.suspension.until_ns)
		return bpf_maps_set_uid(d->maps, uid, NULL);
	return bpf_maps_set_uid(d->maps, uid, &value);
}

static int roles_set(struct daemon *d, const uint32_t *uids, size_t count)
{
	int err = 0;

	for (size_t i = 0; i < count && !err; i++)
		err = role_set(d, uids[i]);
	return err;
}

bool daemon_exempts(void *arg, const char *domain)
{
	return config_domains_has(&((const struct daemon *)arg)->config.exempt_domains, domain);
}

/* Those that are exempt now may have been suspended before. */
static void release_exempt_domains(struct daemon *d)
{
	const struct config_domains *domains = &d->config.exempt_domains;
	struct account_id id = {.kind = ACCOUNT_DOMAIN};
	struct smtpl_suspension suspension;

	for (size_t i = 0; i < domains->count; i++) {
		memcpy(id.domain, domains->domain[i], sizeof(id.domain));
		if (!enforce_lookup(d->maps, &id, clock_boot_ns(), &suspension))
			daemon_lift(d, &id, "exempt now");
	}
}

int daemon_apply_roles(struct daemon *d)
{
	const uint32_t root = 0;
	struct stale stale = {.daemon = d};
	int err = bpf_maps_each_uid(d->maps, collect_stale, &stale);

	if (!err)
		err = roles_set(d, stale.list.uid, stale.list.count);
	if (!err)
		err = roles_set(d, d->config.relays.uid, d->config.relays.count);
	if (!err)
		err = roles_set(d, d->config.exempts.uid, d->config.exempts.count);
	for (size_t i = 0; i < d->services.known.count && !err; i++)
		err = role_set(d, d->services.known.service[i].uid);
	if (!err)
		err = roles_set(d, &root, 1);
	release_exempt_domains(d);
	if (err)
		log_error("cannot write the roles of users: %s", strerror(-err));
	return err;
}

enum smtpl_role daemon_role(void *arg, uint32_t uid)
{
	struct daemon *d = arg;
	struct smtpl_uid value;

	if (bpf_maps_get_uid(d->maps, uid, &value) == 0)
		return value.role;
	return uid == 0 ? SMTPL_ROLE_RELAY : SMTPL_ROLE_DIRECT;
}

static bool addresses_hold(const struct daemon_addresses *set, const struct smtpl_local_key *key)
{
	for (size_t i = 0; i < set->count; i++)
		if (memcmp(&set->key[i], key, sizeof(*key)) == 0)
			return true;
	return false;
}

static int address_add(void *arg, const struct smtpl_local_key *key)
{
	struct daemon *d = arg;
	struct daemon_addresses *set = &d->addresses;

	if (addresses_hold(set, key))
		return 0;
	if (set->count == sizeof(set->key) / sizeof(set->key[0]))
		return -E2BIG;
	set->key[set->count++] = *key;
	return bpf_maps_set_local(d->maps, key, true);
}

struct gone {
	const struct daemon_addresses *now;
	struct daemon_addresses list;
};

/* Deleting while walking would start the walk anew: note what is gone, delete it afterwards. */
static int address_gone(void *arg, const struct smtpl_local_key *key)
{
	struct gone *gone = arg;

	if (!addresses_hold(gone->now, key) &&
	    gone->list.count < sizeof(gone->list.key) / sizeof(gone->list.key[0]))
		gone->list.key[gone->list.count++] = *key;
	return 0;
}

bool daemon_is_local(void *arg, const uint8_t addr[16])
{
	static const uint8_t v4_mapped[12] = {[10] = 0xff, [11] = 0xff}, loopback6[16] = {[15] = 1};
	const struct daemon *d = arg;
	struct smtpl_local_key key;

	memcpy(key.addr, addr, sizeof(key.addr));
	if (memcmp(addr, v4_mapped, sizeof(v4_mapped)) == 0 && addr[12] == 127)
		return true;
	return memcmp(addr, loopback6, sizeof(loopback6)) == 0 ||
	       addresses_hold(&d->addresses, &key);
}

int daemon_apply_addresses(struct daemon *d)
{
	static struct gone gone; /* too large for the stack */
	int err;

	gone.now = &d->addresses;
	d->addresses.count = gone.list.count = 0;
	err = host_addresses_read(address_add, d);
	if (!err)
		err = bpf_maps_each_local(d->maps, address_gone, &gone);
	for (size_t i = 0; i < gone.list.count && !err; i++)
		err = bpf_maps_set_local(d->maps, &gone.list.key[i], false);
	if (err)
		log_error("cannot note the addresses of this host: %s", strerror(-err));
	return err;
}
