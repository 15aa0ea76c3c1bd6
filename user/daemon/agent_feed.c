// SPDX-License-Identifier: GPL-2.0-only
/*
 * agent_feed.c - what mail servers tell of their deliveries: whose mail it was, then into the
 * pipeline.
 */
#include <errno.h>
#include <string.h>
#include <time.h>
#include "agent.h"
#include "ask/door_feed.h"
#include "base/log.h"
#include "core/sessions.h"

/* Key form of an address' domain; "" without one. */
static void address_domain(const char *address, char key[SMTPL_DOMAIN_SIZE])
{
	const char *at = strrchr(address, '@');

	memset(key, 0, SMTPL_DOMAIN_SIZE);
	if (at && account_domain_key(at + 1, key))
		memset(key, 0, SMTPL_DOMAIN_SIZE);
}

/* Who has the client's port by now may be another than who submitted the message, hours ago. */
static struct origin feed_origin(struct agent *a, const struct feed_record *r)
{
	int64_t submitted_ns = r->mta == FEED_EXIM ? door_feed_submitted_ns(r->id) : 0;
	struct origin o = r->origin;

	if (!submitted_ns || (o.known & ORIGIN_HAS_CALLER) || !(o.known & ORIGIN_HAS_CLIENT))
		return o;
	if (agent_caller_then(a, &o, submitted_ns, &o.caller))
		o.known |= ORIGIN_HAS_CALLER;
	o.client_port = 0;
	return o;
}

/* A log that is read on after a reboot tells of times that boot time does not have. */
static bool is_past(const struct agent *a, int64_t wall_ns)
{
	return wall_ns && wall_ns / 1000000000 + a->config.rule.window_s <= time(NULL);
}

static void feed_tell(struct agent *a, const struct feed_record *r)
{
	uint64_t now = agent_now_ns();
	char domain[SMTPL_DOMAIN_SIZE];
	struct origin origin = feed_origin(a, r);
	struct pipeline_told told = {
		.relay_uid = r->relay_uid,
		.mta = r->mta,
		.outcome = r->outcome,
		.refused = r->kind == FEED_REFUSED,
		.past = is_past(a, r->wall_ns),
		.domain = domain,
		.sender_hash = sessions_address_hash(r->origin.sender),
		.rcpt_hash = sessions_address_hash(r->rcpt),
		.time_ns = r->wall_ns ? agent_boot_ns(r->wall_ns) : now,
	};

	address_domain(r->origin.sender, domain);
	told.charged = agent_origin(a, &origin, &told.account) == ORIGIN_ACCOUNT;
	if (pipeline_tell(a->pipeline, &told, now))
		log_warning("an outcome that a mail server told is lost: no memory");
}

static void feed_lost(struct agent *a, const struct feed_record *r)
{
	static const char *const names[] = {[FEED_EXIM] = "Exim", [FEED_POSTFIX] = "Postfix"};
	const char *name = r->mta == FEED_EXIM || r->mta == FEED_POSTFIX ? names[r->mta] : "?";

	if (r->count) {
		log_warning("%u outcomes that %s told, or more, are lost", r->count, name);
		return;
	}
	log_warning("%s's log cannot be read: what the kernel sees is charged instead", name);
	pipeline_feed_end(a->pipeline, r->relay_uid, agent_now_ns());
}

void agent_on_record(void *arg, const struct feed_record *r)
{
	struct agent *a = arg;

	/* Whoever may tell is root or a mail server; it tells of mail servers alone. */
	if (agent_role(a, r->relay_uid) != SMTPL_ROLE_RELAY)
		return;
	switch (r->kind) {
	case FEED_OUTCOME:
	case FEED_REFUSED:
		feed_tell(a, r);
		break;
	case FEED_ALIVE:
		/* A log that is read on from where it was left tells all. */
		if (r->mta == FEED_POSTFIX)
			pipeline_feed_begin(a->pipeline, r->relay_uid, r->mta, agent_now_ns());
		break;
	case FEED_LOST:
		feed_lost(a, r);
		break;
	}
}
