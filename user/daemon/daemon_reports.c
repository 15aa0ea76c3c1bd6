// SPDX-License-Identifier: GPL-2.0-only
/*
 * daemon_feed.c - what mail servers tell of their deliveries: whose mail it was, then into the
 * pipeline.
 */
#include <errno.h>
#include <string.h>
#include <time.h>
#include "base/clock.h"
#include "daemon.h"
#include "policy/exim_event.h"
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
static struct submission feed_submission(struct daemon *a, const struct delivery_report *r)
{
	int64_t submitted_ns = r->mta == FEED_EXIM ? exim_event_submitted_ns(r->id) : 0;
	struct submission o = r->submission;

	if (!submitted_ns || (o.known & SUBMISSION_HAS_CALLER) ||
	    !(o.known & SUBMISSION_HAS_CLIENT))
		return o;
	if (daemon_caller_then(a, &o, submitted_ns, &o.caller))
		o.known |= SUBMISSION_HAS_CALLER;
	o.client_port = 0;
	return o;
}

/* A log that is read on after a reboot tells of times that boot time does not have. */
static bool is_past(const struct daemon *a, int64_t wall_ns)
{
	return wall_ns && wall_ns / NS_PER_S + a->config.rule.window_s <= time(NULL);
}

static void feed_tell(struct daemon *a, const struct delivery_report *r)
{
	uint64_t now = clock_boot_ns();
	char domain[SMTPL_DOMAIN_SIZE];
	struct submission submission = feed_submission(a, r);
	struct pipeline_report told = {
		.relay_uid = r->relay_uid,
		.mta = r->mta,
		.outcome = r->outcome,
		.refused = r->kind == REPORT_REFUSED,
		.past = is_past(a, r->wall_ns),
		.domain = domain,
		.sender_hash = sessions_address_hash(r->submission.sender),
		.rcpt_hash = sessions_address_hash(r->rcpt),
		.time_ns = r->wall_ns ? clock_boot_of(r->wall_ns) : now,
	};

	address_domain(r->submission.sender, domain);
	told.charged = daemon_payer(a, &submission, &told.account) == PAYER_ACCOUNT;
	if (pipeline_report(a->pipeline, &told, now))
		a->losses.total.reports_lost++;
}

static void feed_lost(struct daemon *a, const struct delivery_report *r)
{
	static const char *const names[] = {[FEED_EXIM] = "Exim", [FEED_POSTFIX] = "Postfix"};
	const char *name = r->mta == FEED_EXIM || r->mta == FEED_POSTFIX ? names[r->mta] : "?";

	/* What Exim's events lost the policy server has counted; of a log nobody knows how much. */
	if (r->count) {
		a->losses.total.maillog_gaps += r->mta == FEED_POSTFIX;
		return;
	}
	log_warning("%s's log cannot be read: what the kernel sees is charged instead", name);
	pipeline_feed_end(a->pipeline, r->relay_uid, clock_boot_ns());
}

void daemon_on_record(void *arg, const struct delivery_report *r)
{
	struct daemon *a = arg;

	/* Whoever may tell is root or a mail server; it tells of mail servers alone. */
	if (daemon_role(a, r->relay_uid) != SMTPL_ROLE_RELAY)
		return;
	switch (r->kind) {
	case REPORT_OUTCOME:
	case REPORT_REFUSED:
		feed_tell(a, r);
		break;
	case REPORT_ALIVE:
		/* A log that is read on from where it was left tells all. */
		if (r->mta == FEED_POSTFIX)
			pipeline_feed_begin(a->pipeline, r->relay_uid, r->mta, clock_boot_ns());
		break;
	case REPORT_LOST:
		feed_lost(a, r);
		break;
	}
}
