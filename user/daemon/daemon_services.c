// SPDX-License-Identifier: GPL-2.0-only
/*
 * daemon_services.c - the service users of this host (owners/services.h): looked for again when
 * something may have changed, found by what they carry before or when they would be suspended, and
 * said in the log.
 */
#include <errno.h>
#include <string.h>
#include <sys/random.h>
#include "base/clock.h"
#include "base/log.h"
#include "daemon.h"
#include "hook/postfix_pipes.h"
#include "state/state_feeds.h"

#define LOOK_NS (60 * NS_PER_S)

static void user_name(uint32_t uid, char name[ACCOUNT_NAME_SIZE])
{
	const struct account_id id = {.kind = ACCOUNT_UID, .uid = uid};

	account_name(&id, name, ACCOUNT_NAME_SIZE);
}

static void say_service(const struct service *service)
{
	char name[ACCOUNT_NAME_SIZE];

	user_name(service->uid, name);
	log_notice(
		"%s (uid %u) is a service user: %s. Its mail is charged to %s, and never refused as "
		"its own; if it is a customer, add it to direct_users",
		name, service->uid, service_why(service->why),
		service->role == SMTPL_ROLE_LISTS ? "the owners of its lists' domains" :
						    "submitters that are known, else to nobody");
}

static void add_pipe(void *arg, const char *user)
{
	struct daemon *d = arg;
	uint32_t uid;

	if (users_find(&d->users, SERVICES_PASSWD, user, clock_boot_ns(), &uid))
		services_add(&d->services.known, &d->config, d->owners.owners, uid,
			     SMTPL_SERVICE_PIPE);
}

static int add_carrier(void *arg, const uint32_t *uid, const struct smtpl_uid *value)
{
	struct daemon *d = arg;

	if (value->role == SMTPL_ROLE_SERVICE && value->why == SMTPL_SERVICE_CARRIES)
		services_add(&d->services.known, &d->config, d->owners.owners, *uid, value->why);
	return 0;
}

/* Those that were found once stay, as the kernel's map remembers them. */
static void add_carriers(struct daemon *d)
{
	uint64_t now = clock_boot_ns();
	const struct carried_row *row = NULL;

	bpf_maps_each_uid(d->maps, add_carrier, d);
	while ((row = carried_next(&d->services.carried, row, SERVICE_OWNERS, now)))
		services_add(&d->services.known, &d->config, d->owners.owners, row->uid,
			     SMTPL_SERVICE_CARRIES);
}

/* What it sent as its own is nobody's: its window begins empty, should it be an account again. */
static void announce(struct daemon *d, const struct services *before)
{
	for (size_t i = 0; i < d->services.known.count; i++) {
		const struct service *s = &d->services.known.service[i];
		const struct account_id id = {.kind = ACCOUNT_UID, .uid = s->uid};

		if (services_find(before, s->uid))
			continue;
		say_service(s);
		pipeline_release(d->pipeline, &id);
	}
}

int daemon_services_look(struct daemon *d)
{
	const struct hook_context context = {.config = &d->config, .root = ""};
	const struct services before = d->services.known;
	int err;

	d->services.look_ns = clock_boot_ns() + LOOK_NS;
	carried_tidy(&d->services.carried, clock_boot_ns());
	services_read(&d->services.known, &d->config, d->owners.owners, SERVICES_PASSWD,
		      SERVICES_LOGIN_DEFS);
	err = postfix_pipes_each(&context, add_pipe, d);
	if (err && err != d->services.pipes_error)
		log_warning("users that Postfix pipes mail through are not known: %s",
			    strerror(-err));
	d->services.pipes_error = err;
	add_carriers(d);
	if (services_same(&before, &d->services.known))
		return 0;
	announce(d, &before);
	return daemon_apply_roles(d);
}

void daemon_services_poll(struct daemon *d)
{
	if (clock_boot_ns() >= d->services.look_ns)
		daemon_services_look(d);
}

static int note_sent(void *arg, uint32_t uid, const char *domain)
{
	struct daemon *d = arg;

	carried_add(&d->services.carried, &daemon_payer_ops, d, uid, domain, clock_boot_ns());
	return 0;
}

/* What was sent before a restart counts: a service must be found before it is judged. */
int daemon_services_start(struct daemon *d)
{
	int64_t since_ns = clock_wall_ns() - (int64_t)CARRIED_KEEP_NS;

	if (getrandom(&d->services.carried.seed, sizeof(d->services.carried.seed), 0) < 0)
		return -errno;
	if (state_each_sent(d->state, since_ns, note_sent, d))
		log_warning("whose mail users carried is not known from before: %s",
			    state_error(d->state));
	return daemon_services_look(d);
}

void daemon_services_stop(struct daemon *d)
{
	carried_free(&d->services.carried);
}

/* A customer is named, once a day, and stays an account. */
static void say_carrier(const struct carried_row *row, unsigned int owners)
{
	char name[ACCOUNT_NAME_SIZE];

	user_name(row->uid, name);
	log_warning(
		"%s (uid %u) sends under the domains of %u others: if it is a service user, add it "
		"to relay_users",
		name, row->uid, owners);
}

void daemon_services_sent(struct daemon *d, const struct outcome *o)
{
	uint64_t now = clock_boot_ns();
	struct carried_row *row;
	struct service_uid u;
	unsigned int owners;

	if (!o->payer->pays || o->payer->id.kind != ACCOUNT_UID || !o->domain[0] ||
	    o->payer->why == PAYER_WHY_OWNER)
		return;
	row = carried_add(&d->services.carried, &daemon_payer_ops, d, o->payer->id.uid, o->domain,
			  now);
	if (!row || (row->said_ns && row->said_ns + CARRIED_KEEP_NS > now))
		return;
	owners = carried_owners(&d->services.carried, row->uid, now);
	if (owners < SERVICE_OWNERS)
		return;
	row->said_ns = now;
	u = services_uid(&d->services.known, &d->config, d->owners.owners, row->uid);
	if (service_may_carry(&u))
		d->services.look_ns = 0;
	else if (!u.direct)
		say_carrier(row, owners);
}

bool daemon_services_excuse(struct daemon *d, const struct account_id *id)
{
	struct services *known = &d->services.known;

	if (id->kind != ACCOUNT_UID ||
	    carried_owners(&d->services.carried, id->uid, clock_boot_ns()) <
		    SERVICE_OWNERS_VERDICT ||
	    !services_add(known, &d->config, d->owners.owners, id->uid, SMTPL_SERVICE_CARRIES))
		return false;
	say_service(services_find(known, id->uid));
	daemon_apply_roles(d);
	pipeline_release(d->pipeline, id);
	return true;
}
