/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * product.c - the product's own decision code: pipeline, window and verdict of libsmtplimit.a, fed
 * as the daemon feeds them. `report`: a mail server with the hook reports each attempt. `wire`:
 * each account is a direct sender whose sessions the kernel saw. `relay`: the kernel saw the
 * sessions of a mail server that reports nothing (no hook).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "core/delivery_report.h"
#include "core/pipeline.h"
#include "core/sessions.h"
#include "sim.h"

#define BOOT_NS	       (1000000 * (uint64_t)NS_PER_S) /* the day begins at this boot time */
#define RELAY_UID      101
#define UID(account)   (10000 + (account))
#define ADDRESS_SIZE   160
#define DOMAIN_SIZE    64
#define NO_REPLY_ERRNO 110 /* ETIMEDOUT */

struct product {
	const struct sim *sim;
	struct pipeline *p;
	struct smtpl_totals *totals; /* what the kernel counted, see totals_of() */
	uint32_t *first_ms;	     /* of each message, plus 1 */
	uint64_t now_ns;
	uint64_t cookie; /* of the newest session */
	bool wire;
	bool relay; /* and wire */
};

static uint64_t boot_ns(uint32_t time_ms)
{
	return BOOT_NS + time_ms * 1000000ull;
}

static enum smtpl_role role(void *arg, uint32_t uid)
{
	(void)arg;
	return uid == RELAY_UID ? SMTPL_ROLE_RELAY : SMTPL_ROLE_DIRECT;
}

static void suspend(void *arg, struct account *a, const struct verdict *v, uint64_t now_ns)
{
	struct verdict_out out = {v->bad, v->percent};

	(void)arg;
	sim_suspend(a->uid - UID(0), (uint32_t)((now_ns - BOOT_NS) / 1000000), &out);
}

/* customer-N.example belongs to account N. */
static bool owner(void *arg, const char *domain, uint32_t *uid)
{
	unsigned int account;

	(void)arg;
	if (sscanf(domain, "customer-%u.", &account) != 1)
		return false;
	*uid = UID(account);
	return true;
}

static void *product_open(const struct sim *sim, const char *options)
{
	static const struct pipeline_ops ops = {
		.payer = {.role = role, .owner = owner}, .suspend = suspend, .seed = 42};
	const struct verdict_rule rule = {
		.window_s = option(options, "window", 3600),
		.suspend_s = option(options, "suspend", 3600),
		.percent = (uint32_t)option(options, "percent", 50),
		.min_failures = (uint32_t)option(options, "min", 5),
		.set_aside = 1u << REPLY_LISTED | 1u << REPLY_UNAUTHENTICATED,
		.one_remote = (uint32_t)option(options, "one_remote", 50),
		.trouble_accounts = (uint32_t)option(options, "trouble_accounts", 4),
		.trouble_share = (uint32_t)option(options, "trouble_share", 50),
		.defer_grace_s = option(options, "defer_grace", 0),
		.hard_recipients = (uint32_t)option(options, "hard_recipients", 0),
		.hard_percent = (uint32_t)option(options, "hard_percent", 25),
		.rare_remote = (uint32_t)option(options, "rare_remote", 0),
		.lead = (uint32_t)option(options, "lead", 0),
		.warn = 80,
	};
	struct product *j = calloc(1, sizeof(*j));

	if (!j)
		return NULL;
	j->sim = sim;
	j->relay = !strncmp(options, "relay", 5);
	j->wire = j->relay || !strncmp(options, "wire", 4);
	j->totals = calloc(2 * (size_t)sim->accounts, sizeof(*j->totals));
	j->first_ms = calloc(sim->mails, sizeof(*j->first_ms));
	j->p = pipeline_new(&ops, j, &rule);
	if (!j->totals || !j->first_ms || !j->p)
		return NULL;
	if (!j->wire)
		pipeline_feed_begin(j->p, RELAY_UID, FEED_EXIM, boot_ns(0));
	return j;
}

static void addresses(const struct attempt *a, char from[ADDRESS_SIZE], char to[ADDRESS_SIZE],
		      char domain[DOMAIN_SIZE])
{
	snprintf(domain, DOMAIN_SIZE, "customer-%u.example", a->named);
	snprintf(from, ADDRESS_SIZE, "s%u@%s", a->sender, domain);
	snprintf(to, ADDRESS_SIZE, "r%u@d%u.example", a->rcpt, a->domain);
}

static void must(int error)
{
	if (!error)
		return;
	fprintf(stderr, "fairsim: the pipeline does not take it: %s\n", strerror(-error));
	exit(1);
}

/* Since the message's first attempt. */
static int64_t age_of(const struct product *j, const struct attempt *a)
{
	uint32_t *first_ms = &j->first_ms[a->mail];

	if (!*first_ms)
		*first_ms = a->time_ms + 1;
	return (a->time_ms + 1 - *first_ms) / 1000;
}

static void give_report(struct product *j, const struct attempt *a)
{
	char from[ADDRESS_SIZE], to[ADDRESS_SIZE], domain[DOMAIN_SIZE], host[DOMAIN_SIZE];
	const struct payer payer = {
		.id = {.kind = ACCOUNT_UID, .uid = UID(a->account)}, .pays = true, .relay = true};
	const struct text t = sim_text(j->sim, a);
	const struct outcome_detail detail = {
		.sender = from,
		.recipient = to,
		.host = host,
		.text = t.text,
		.text_size = sizeof(t.text),
		.code = t.code,
		.enhanced = {t.enhanced[0], t.enhanced[1], t.enhanced[2]}};
	struct outcome report = {
		.outcome = (enum smtp_outcome)a->outcome,
		.source = OUTCOME_REPORT,
		.uid = RELAY_UID,
		.payer = &payer,
		.domain = domain,
		.time_ns = boot_ns(a->time_ms),
		.age_s = age_of(j, a),
		.detail = &detail,
	};

	addresses(a, from, to, domain);
	snprintf(host, sizeof(host), "mx.organisation-%u.example", a->remote);
	report.mail =
		sessions_mail_identity(sessions_address_hash(from), sessions_address_hash(to));
	report.rcpt = sessions_rcpt_identity(sessions_address_hash(to));
	must(pipeline_report(j->p, FEED_EXIM, &report, j->now_ns));
}

static void give_path(struct product *j, const struct smtpl_event *head, uint32_t type,
		      uint32_t rcpt, const char *address)
{
	struct smtpl_event_path e = {.head = *head, .txn = 1, .rcpt = rcpt};

	e.head.type = type;
	e.hash = sessions_address_hash(address);
	snprintf(e.addr, sizeof(e.addr), "%s", address);
	must(pipeline_event(j->p, &e, sizeof(e), j->now_ns));
}

/* Of (uid, domain): an account's own domain, and behind those the one that it forges. */
static struct smtpl_totals *totals_of(struct product *j, const struct attempt *a)
{
	bool forged = !j->relay && a->named != a->account;

	return &j->totals[forged ? j->sim->accounts + a->account : a->named];
}

static void give_outcome(struct product *j, const struct smtpl_event *head, const struct attempt *a,
			 const char *domain)
{
	struct smtpl_totals *totals = totals_of(j, a);
	const struct text t = sim_text(j->sim, a);
	struct smtpl_event_outcome o = {.head = *head, .txn = 1, .rcpt = 1, .count = 1};

	totals->delivered += a->outcome == SMTP_DELIVERED;
	totals->deferred += a->outcome == SMTP_DEFERRED;
	totals->failed += a->outcome == SMTP_FAILED;
	o.head.type = SMTPL_EVENT_OUTCOME;
	o.totals = *totals;
	o.code = t.code;
	memcpy(o.enhanced, t.enhanced, sizeof(o.enhanced));
	o.outcome = a->outcome;
	o.subject = a->outcome == SMTP_DELIVERED ? SMTP_SUBJECT_REST : SMTP_SUBJECT_RCPT;
	o.error = t.code ? 0 : NO_REPLY_ERRNO;
	o.dest[10] = o.dest[11] = 0xff;
	o.dest[12] = 10;
	o.dest[13] = (uint8_t)(a->remote >> 16);
	o.dest[14] = (uint8_t)(a->remote >> 8);
	o.dest[15] = (uint8_t)a->remote;
	snprintf(o.domain, sizeof(o.domain), "%s", domain);
	snprintf(o.text, sizeof(o.text), "%s", t.text);
	must(pipeline_event(j->p, &o, sizeof(o), j->now_ns));
}

/* A session of one message to one recipient. */
static void give_session(struct product *j, const struct attempt *a)
{
	uint32_t uid = j->relay ? RELAY_UID : UID(a->account);
	struct smtpl_event head = {SMTPL_EVENT_MAIL, uid, ++j->cookie, boot_ns(a->time_ms)};
	char from[ADDRESS_SIZE], to[ADDRESS_SIZE], domain[DOMAIN_SIZE];

	addresses(a, from, to, domain);
	give_path(j, &head, SMTPL_EVENT_MAIL, 0, from);
	give_path(j, &head, SMTPL_EVENT_RCPT, 1, to);
	give_outcome(j, &head, a, domain);
	head.type = SMTPL_EVENT_CLOSE;
	must(pipeline_event(j->p, &head, sizeof(head), j->now_ns));
}

static void product_attempt(void *judge, const struct attempt *a)
{
	struct product *j = judge;

	if ((a->flags & LOCAL) || (j->wire && (a->flags & OFF_WIRE)))
		return;
	j->now_ns = boot_ns(a->time_ms);
	if (j->wire)
		give_session(j, a);
	else
		give_report(j, a);
}

static void product_tick(void *judge, uint32_t time_ms)
{
	struct product *j = judge;

	j->now_ns = boot_ns(time_ms);
	pipeline_tick(j->p, j->now_ns);
	pipeline_saved(j->p);
}

static bool product_suspended(void *judge, const struct attempt *a)
{
	struct product *j = judge;
	const struct account_id id = {.kind = ACCOUNT_UID, .uid = UID(a->account)};
	const struct account *account = accounts_find(pipeline_accounts(j->p), &id);

	return account && account->state == ACCOUNT_SUSPENDED &&
	       boot_ns(a->time_ms) < account->until_ns;
}

static void product_close(void *judge)
{
	struct product *j = judge;

	pipeline_free(j->p);
	free(j->totals);
	free(j->first_ms);
	free(j);
}

const struct judge_ops product_ops = {product_open, product_attempt, product_tick,
				      product_suspended, product_close};
