// SPDX-License-Identifier: GPL-2.0-only
/*
 * daemon_submission.c - who pays for a message of a relay user: the daemon's answers to what
 * submission.h asks. The policy server and the feeds take them from here, so that both charge the
 * same account.
 */
#include <limits.h>
#include <string.h>
#include <unistd.h>
#include "base/clock.h"
#include "config/config_value.h"
#include "daemon.h"

/* How far a log's clock may lie behind the kernel's: syslog's traditional form has whole seconds.
 * */
#define CALLER_LATER_NS 1500000000ull

const struct payer_ops daemon_payer_ops = {
	.role = daemon_role,
	.owner = daemon_owner,
	.exempt = daemon_exempts,
};

static bool submission_user(void *arg, const char *name, uint32_t *uid)
{
	struct daemon *d = arg;

	return users_find(&d->users, USERS_FILE, name, clock_boot_ns(), uid);
}

bool daemon_own_name(void *arg, const char *domain)
{
	char host[HOST_NAME_MAX + 1] = "";

	(void)arg;
	return gethostname(host, sizeof(host) - 1) == 0 && submission_is_host(domain, host);
}

static bool submission_trusted(void *arg, const uint8_t addr[16])
{
	const struct daemon *d = arg;

	return config_networks_has(&d->config.trusted, addr);
}

/* Without the server's end: whoever spoke last from the client's, to whichever server. */
static bool find_caller(const struct daemon *d, const struct submission *o,
			struct smtpl_caller *caller)
{
	struct smtpl_caller_key key = {
		.netns_cookie = d->meta.netns_cookie,
		.client.port = o->client_port,
		.server.port = o->server_port,
	};

	memcpy(key.client.addr, o->client, sizeof(key.client.addr));
	if (o->server_port)
		memcpy(key.server.addr, o->server, sizeof(key.server.addr));
	return bpf_maps_get_caller(d->maps, &key, caller) == 0;
}

static bool submission_caller(void *arg, const struct submission *o, uint32_t *uid)
{
	struct smtpl_caller caller;

	if (!find_caller(arg, o, &caller))
		return false;
	*uid = caller.uid;
	return true;
}

/* The port may have been used again since: what is younger than the line is somebody else's. */
bool daemon_caller_then(struct daemon *d, const struct submission *o, int64_t wall_ns,
			uint32_t *uid)
{
	struct smtpl_caller caller;

	if (!find_caller(d, o, &caller) ||
	    caller.time_ns > clock_boot_of(wall_ns) + CALLER_LATER_NS)
		return false;
	*uid = caller.uid;
	return true;
}

static struct submission_ops submission_ops(const struct daemon *d)
{
	return (struct submission_ops){
		.payer = daemon_payer_ops,
		.user = submission_user,
		.own_name = daemon_own_name,
		.local = daemon_is_local,
		.trusted = submission_trusted,
		.caller = submission_caller,
		.count_forwards = d->config.count_forwards,
	};
}

enum payer_kind daemon_payer(struct daemon *d, const struct submission *o, struct account_id *id,
			     enum payer_why *why)
{
	const struct submission_ops ops = submission_ops(d);

	return submission_payer(o, &ops, d, id, why);
}

bool daemon_is_inbound(struct daemon *d, const struct submission *o)
{
	const struct submission_ops ops = submission_ops(d);

	return submission_is_inbound(o, &ops, d);
}
