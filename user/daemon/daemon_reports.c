// SPDX-License-Identifier: GPL-2.0-only
/*
 * daemon_reports.c - what mail servers report of their deliveries: whose mail it was is found out,
 * then the pipeline takes it.
 */
#include <errno.h>
#include <string.h>
#include <time.h>
#include "base/clock.h"
#include "daemon.h"
#include "policy/exim_event.h"
#include "base/log.h"
#include "core/sessions.h"
#include "maillog/maillog_event.h"

/* Key form of an address' domain; "" without one. */
static void address_domain(const char *address, char key[SMTPL_DOMAIN_SIZE])
{
	const char *at = strrchr(address, '@');

	memset(key, 0, SMTPL_DOMAIN_SIZE);
	if (at && account_domain_key(at + 1, key))
		memset(key, 0, SMTPL_DOMAIN_SIZE);
}

/* Who has the client's port by now may be another than who submitted the message, hours ago. */
static struct submission report_submission(struct daemon *d, const struct delivery_report *r)
{
	int64_t submitted_ns = r->mta == FEED_EXIM ? exim_event_submitted_ns(r->id) : 0;
	struct submission o = r->submission;

	if (!submitted_ns || (o.known & SUBMISSION_HAS_CALLER) ||
	    !(o.known & SUBMISSION_HAS_CLIENT))
		return o;
	if (daemon_caller_then(d, &o, submitted_ns, &o.caller))
		o.known |= SUBMISSION_HAS_CALLER;
	o.client_port = 0;
	return o;
}

/* How long before the outcome, as far as the daemon's clock knows that, the mail was first tried. A
 * log that is read on after a reboot has lines of times before the boot clock began: these are
 * older than any window. */
static int64_t report_age(const struct daemon *d, const struct delivery_report *r)
{
	int64_t ago_s = r->wall_ns ? time(NULL) - r->wall_ns / NS_PER_S : 0;

	if (ago_s < d->config.rule.window_s)
		return r->age_s;
	return delivery_report_age(r->age_s > ago_s ? r->age_s : ago_s);
}

static const char *or_null(const char *text)
{
	return text[0] ? text : NULL;
}

static struct outcome_detail report_detail(const struct delivery_report *r)
{
	return (struct outcome_detail){
		.sender = r->submission.sender,
		.recipient = r->rcpt,
		.host = or_null(r->host),
		.addr = r->dest,
		.tls = or_null(r->tls),
		.text = r->text,
		.text_size = sizeof(r->text),
		.login = or_null(r->submission.auth),
		.queue_id = or_null(r->id),
		.port = r->port,
		.code = r->code,
		.enhanced = {r->enhanced[0], r->enhanced[1], r->enhanced[2]},
	};
}

/* Whom it is counted for where nobody pays: the service user that handed it in, or the server. */
static struct account_id nobodys(struct daemon *d, const struct submission *o, uint32_t relay_uid)
{
	struct account_id id = {.kind = ACCOUNT_UID, .uid = relay_uid};

	if ((o->known & SUBMISSION_HAS_UID) && daemon_role(d, o->uid) >= SMTPL_ROLE_SERVICE)
		id.uid = o->uid;
	else if ((o->known & SUBMISSION_HAS_CALLER) &&
		 daemon_role(d, o->caller) >= SMTPL_ROLE_SERVICE)
		id.uid = o->caller;
	return id;
}

/* Given to a server on loopback, for a domain that a user of this host owns: a mail store, no
 * tunnel to another host. */
static bool is_kept_here(struct daemon *d, const struct delivery_report *r)
{
	char domain[SMTPL_DOMAIN_SIZE];
	uint32_t uid;

	address_domain(r->rcpt, domain);
	return r->mta == FEED_POSTFIX && maillog_is_loopback(r->dest) &&
	       daemon_owner(d, domain, &uid);
}

static void take_outcome(struct daemon *d, const struct delivery_report *r)
{
	uint64_t sender = sessions_address_hash(r->submission.sender);
	uint64_t rcpt = sessions_address_hash(r->rcpt), now = clock_boot_ns();
	struct submission submission = report_submission(d, r);
	struct outcome_detail detail = report_detail(r);
	char domain[SMTPL_DOMAIN_SIZE];
	struct payer payer = {.relay = true};
	enum payer_kind kind;
	struct outcome report = {
		.outcome = r->outcome,
		.source = r->kind == REPORT_REFUSED ? OUTCOME_REFUSAL : OUTCOME_REPORT,
		.uid = r->relay_uid,
		.payer = &payer,
		.domain = domain,
		.null_sender = !r->submission.sender[0],
		.mail = sessions_mail_identity(sender, rcpt),
		.rcpt = sessions_rcpt_identity(rcpt),
		.time_ns = r->wall_ns ? clock_boot_of(r->wall_ns) : now,
		.age_s = report_age(d, r),
		.fault = r->fault,
		.detail = &detail,
	};

	if (is_kept_here(d, r))
		return;
	address_domain(r->submission.sender, domain);
	kind = daemon_payer(d, &submission, &payer.id, &payer.why);
	payer.pays = kind == PAYER_ACCOUNT;
	if (kind == PAYER_NOBODY)
		payer.id = nobodys(d, &submission, r->relay_uid);
	if (pipeline_report(d->pipeline, r->mta, &report, now))
		d->losses.total.reports_lost++;
}

/* Mail to this host is nobody's outcome, whichever of its addresses takes it. The reader of
 * Postfix's log has looked at loopback already: a tunnel to another host may begin there. */
static bool is_at_home(struct daemon *d, const struct delivery_report *r)
{
	static const uint8_t none[16];

	if (r->kind == REPORT_HOME || d->config.local || !memcmp(r->dest, none, sizeof(none)))
		return r->kind == REPORT_HOME;
	return daemon_is_local(d, r->dest) &&
	       (r->mta == FEED_EXIM || !maillog_is_loopback(r->dest));
}

/* What a server here answered is its business; that it did not answer is a fault. */
static void take_at_home(struct daemon *d, const struct delivery_report *r)
{
	if (r->outcome == SMTP_DEFERRED && !r->code)
		daemon_fault(d, r->fault == OWN_FAULT_SETUP ? OWN_FAULT_SETUP : OWN_FAULT_SERVER,
			     r->text, sizeof(r->text));
}

/* Of Postfix's log: nobody knows how much. */
static void take_loss(struct daemon *d, const struct delivery_report *r)
{
	if (r->count) {
		d->losses.total.maillog_gaps++;
		return;
	}
	log_warning("Postfix's log cannot be read: what the kernel sees is charged instead");
	pipeline_feed_end(d->pipeline, r->relay_uid, PIPELINE_FEED_UNREADABLE, clock_boot_ns());
}

static void take_blindness(struct daemon *d, const struct delivery_report *r)
{
	char line[4 * SMTPL_TEXT_SIZE];

	log_escape(r->text, strlen(r->text), 1, line, sizeof(line));
	log_warning(
		"Postfix's log is read but not understood, as this line is not: what the kernel "
		"sees is charged instead: %s",
		line);
	pipeline_feed_end(d->pipeline, r->relay_uid, PIPELINE_FEED_BLIND, clock_boot_ns());
	d->maillog.blind = true;
}

static void take_sign_of_life(struct daemon *d, const struct delivery_report *r)
{
	if (d->maillog.blind)
		log_notice("Postfix's log is understood again");
	d->maillog.blind = false;
	pipeline_feed_begin(d->pipeline, r->relay_uid, r->mta, clock_boot_ns());
}

void daemon_on_record(void *arg, const struct delivery_report *r)
{
	struct daemon *d = arg;

	/* Reporters are root and mail servers, and they report of mail servers alone. */
	if (daemon_role(d, r->relay_uid) != SMTPL_ROLE_RELAY)
		return;
	switch (r->kind) {
	case REPORT_OUTCOME:
	case REPORT_HOME:
		if (is_at_home(d, r))
			take_at_home(d, r);
		else
			take_outcome(d, r);
		break;
	case REPORT_REFUSED:
		take_outcome(d, r);
		break;
	case REPORT_ALIVE:
		/* A log that is read on from where reading stopped leaves nothing out. */
		if (r->mta == FEED_POSTFIX)
			take_sign_of_life(d, r);
		break;
	case REPORT_LOST:
		take_loss(d, r);
		break;
	case REPORT_BLIND:
		take_blindness(d, r);
		break;
	}
}
