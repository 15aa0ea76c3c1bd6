// SPDX-License-Identifier: GPL-2.0-only
/*
 * agent_origin.c - who pays for a message of a relay user: the daemon's answers to what origin.h
 * asks. The door and the feeds take them from here, so that both charge the same account.
 */
#include <limits.h>
#include <string.h>
#include <unistd.h>
#include "agent.h"

/* How far a log's clock may lie behind the kernel's: syslog's traditional form has whole seconds. */
#define CALLER_LATER_NS 1500000000ull

static bool origin_user(void *arg, const char *name, uint32_t *uid)
{
	struct agent *a = arg;

	return users_find(&a->users, USERS_FILE, name, agent_now_ns(), uid);
}

static bool origin_own_name(void *arg, const char *domain)
{
	char host[HOST_NAME_MAX + 1] = "";

	(void)arg;
	return gethostname(host, sizeof(host) - 1) == 0 && origin_is_host(domain, host);
}

/* Without the server's end: whoever spoke last from the client's, to whichever server. */
static bool find_caller(const struct agent *a, const struct origin *o, struct smtpl_caller *caller)
{
	struct smtpl_caller_key key = {
		.netns_cookie = a->meta.netns_cookie,
		.client.port = o->client_port,
		.server.port = o->server_port,
	};

	memcpy(key.client.addr, o->client, sizeof(key.client.addr));
	if (o->server_port)
		memcpy(key.server.addr, o->server, sizeof(key.server.addr));
	return bpf_maps_get_caller(a->maps, &key, caller) == 0;
}

static bool origin_caller(void *arg, const struct origin *o, uint32_t *uid)
{
	struct smtpl_caller caller;

	if (!find_caller(arg, o, &caller))
		return false;
	*uid = caller.uid;
	return true;
}

/* The port may have been used again since: what is younger than the line is somebody else's. */
bool agent_caller_then(struct agent *a, const struct origin *o, int64_t wall_ns, uint32_t *uid)
{
	struct smtpl_caller caller;

	if (!find_caller(a, o, &caller) ||
	    caller.time_ns > agent_boot_ns(wall_ns) + CALLER_LATER_NS)
		return false;
	*uid = caller.uid;
	return true;
}

static struct origin_ops origin_ops(const struct agent *a)
{
	return (struct origin_ops){
		.role = agent_role,
		.owner = agent_owner,
		.user = origin_user,
		.own_name = origin_own_name,
		.local = agent_is_local,
		.caller = origin_caller,
		.count_forwards = a->config.count_forwards,
	};
}

enum origin_charge agent_origin(struct agent *a, const struct origin *o, struct account_id *id)
{
	const struct origin_ops ops = origin_ops(a);

	return origin_resolve(o, &ops, a, id);
}

bool agent_origin_is_inbound(struct agent *a, const struct origin *o)
{
	const struct origin_ops ops = origin_ops(a);

	return origin_is_inbound(o, &ops, a);
}
