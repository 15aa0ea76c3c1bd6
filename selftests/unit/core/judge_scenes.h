/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * judge_scenes.h - a hosting server with many accounts, judged by the product's default rule: mails
 * that are tried again and again, with replies as receivers give them. Each scene is played twice,
 * by reports of a mail server that know the message's age, and on the wire, where nobody does.
 */
#ifndef SMTPL_TEST_JUDGE_SCENES_H
#define SMTPL_TEST_JUDGE_SCENES_H

#include "pipeline_events.h"
#include "window_fixture.h"
#include "config/config.h"
#include "core/delivery_report.h"
#include "core/sessions.h"

#define HOST_ACCOUNTS 100
#define HOST_EXEMPT   99 /* an exempt user */
#define HOST_UID(n)   (10000u + (n))
#define MINUTES	      60
#define DAY	      86400

enum host_source {
	HOST_REPORTS,
	HOST_WIRE,
};

struct host_account {
	struct verdict_rule rule;
	bool has_rule;
	struct smtpl_count count; /* as the kernel counts it */
	int suspended;		  /* calls */
	int64_t until;		  /* second at which the latest suspension ends */
	int near;		  /* calls */
	struct verdict verdict;	  /* of the last of them */
	uint32_t txn;
};

struct host {
	struct pipeline *p;
	struct verdict_rule rule;
	enum host_source source;
	int64_t now;
	uint32_t rcpt; /* of the latest new recipient */
	bool refuses;  /* what is reported now is smtplimit's own refusal */
	struct host_account accounts[HOST_ACCOUNTS];
	int alarms[PIPELINE_ALARM_LISTED + 1];
	uint32_t alarm_bad, alarm_tried; /* of the latest alarm */
	int bypassed;			 /* calls */
	uint64_t heard;			 /* calls of the outcome's listener, */
	uint64_t counted[COUNTED_KINDS]; /* and as what */
	enum outcome_counted last;
	enum reply_class class;
};

/* What a receiver says. */
struct said {
	enum smtp_outcome outcome;
	enum reply_class class;
	uint16_t code;
	uint16_t enhanced[3];
	const char *text;
	enum own_fault fault; /* by a report */
};

static const struct said thanks = {SMTP_DELIVERED, REPLY_NONE,	 250,
				   {2, 0, 0},	   "Ok, queued", OWN_FAULT_NONE};
static const struct said mailbox_full = {SMTP_DEFERRED,		REPLY_FULL,    452, {4, 2, 2},
					 "The mailbox is full", OWN_FAULT_NONE};
static const struct said no_answer = {SMTP_DEFERRED, REPLY_NO_ANSWER, 0, {0}, "", OWN_FAULT_NONE};
static const struct said no_name = {SMTP_DEFERRED,
				    REPLY_NO_ANSWER,
				    0,
				    {4, 4, 3},
				    "Host or domain name not found. Name service error for "
				    "name=x.example type=MX: Host not found, try again",
				    OWN_FAULT_RESOLVER};
static const struct said login_expired = {
	SMTP_DEFERRED, REPLY_OWN, 0, {4, 7, 8}, "SASL authentication failed; no", OWN_FAULT_LOGIN};
static const struct said greylisted = {SMTP_DEFERRED, REPLY_GREYLIST,	       451,
				       {4, 7, 1},     "Greylisting in action", OWN_FAULT_NONE};
static const struct said slow_down = {SMTP_DEFERRED,	     REPLY_RATE,    421, {4, 7, 0},
				      "Rate limit exceeded", OWN_FAULT_NONE};
static const struct said no_such_user = {SMTP_FAILED, REPLY_RECIPIENT,	   550,
					 {5, 1, 1},   "No such user here", OWN_FAULT_NONE};
static const struct said block_list = {
	SMTP_FAILED,   REPLY_LISTED, 550, {5, 7, 1}, "Your network is on our block list",
	OWN_FAULT_NONE};
static const struct said is_spam = {
	SMTP_FAILED, REPLY_CONTENT, 550, {5, 7, 1}, "This message looks like spam", OWN_FAULT_NONE};

/* A mail, from when it was first tried. */
struct letter {
	int account;
	int remote; /* from 1 */
	uint32_t rcpt;
	int64_t sent;
};

/* ---- what the pipeline asks and says ---- */

static inline enum smtpl_role host_role(void *arg, uint32_t uid)
{
	return uid == HOST_UID(HOST_EXEMPT) ? SMTPL_ROLE_EXEMPT : fixture_role(arg, uid);
}

static inline struct host_account *host_account_of(struct host *h, const struct account *a)
{
	assert_in_range(a->uid, HOST_UID(0), HOST_UID(HOST_ACCOUNTS - 1));
	return &h->accounts[a->uid - HOST_UID(0)];
}

static inline void host_suspend(void *arg, struct account *a, const struct verdict *v,
				uint64_t now_ns)
{
	struct host_account *own = host_account_of(arg, a);

	assert_true(a->until_ns > now_ns);
	own->suspended++;
	own->until = a->until_ns / NS_PER_S;
	own->verdict = *v;
}

static inline void host_near(void *arg, struct account *a, const struct verdict *v, uint64_t now_ns)
{
	struct host_account *own = host_account_of(arg, a);

	(void)now_ns;
	own->near++;
	own->verdict = *v;
}

static inline const struct verdict_rule *host_rule(void *arg, const struct account *a)
{
	const struct host_account *own = host_account_of(arg, a);

	return own->has_rule ? &own->rule : NULL;
}

static inline void host_alarm(void *arg, enum pipeline_alarm kind, const struct outcome *o,
			      uint32_t bad, uint32_t tried)
{
	struct host *h = arg;

	assert_non_null(o->detail->remote);
	h->alarms[kind]++;
	h->alarm_bad = bad;
	h->alarm_tried = tried;
}

static inline void host_bypass(void *arg, const struct outcome *o)
{
	struct host *h = arg;

	(void)o;
	h->bypassed++;
}

static inline void host_outcome(void *arg, const struct outcome *o, enum outcome_counted counted,
				uint64_t now_ns)
{
	struct host *h = arg;

	(void)now_ns;
	h->heard++;
	h->counted[counted] += o->count;
	h->last = counted;
	h->class = o->class;
}

static const struct pipeline_ops host_ops = {
	.payer = {.role = host_role, .owner = fixture_owner},
	.suspend = host_suspend,
	.rule = host_rule,
	.near = host_near,
	.alarm = host_alarm,
	.bypass = host_bypass,
	.outcome = host_outcome,
	.seed = 42,
};

/* ---- the host ---- */

static inline int host_setup(void **state)
{
	struct host *h = calloc(1, sizeof(*h));
	struct config config;

	if (!h)
		return -1;
	config_defaults(&config);
	h->rule = config.rule;
	config_free(&config);
	h->source = *(const enum host_source *)*state;
	h->now = 100 * DAY;
	h->p = pipeline_new(&host_ops, h, &h->rule);
	*state = h;
	return h->p ? 0 : -1;
}

static inline int host_teardown(void **state)
{
	struct host *h = *state;

	pipeline_free(h->p);
	free(h);
	return 0;
}

static enum host_source host_reports = HOST_REPORTS, host_wire = HOST_WIRE;

#define SCENE(f)                                                                                   \
	{#f "_by_reports", f, host_setup, host_teardown, &host_reports},                           \
	{                                                                                          \
#f "_on_the_wire", f, host_setup, host_teardown, &host_wire                        \
	}

static inline void advance(struct host *h, int64_t count)
{
	while (count-- > 0) {
		h->now++;
		pipeline_tick(h->p, h->now * NS_PER_S);
	}
}

static inline void change_rule(struct host *h)
{
	pipeline_set_rule(h->p, &h->rule, h->now * NS_PER_S);
}

static inline struct account_id account_id_of(int account)
{
	return (struct account_id){.kind = ACCOUNT_UID, .uid = HOST_UID(account)};
}

static inline struct account *account_at(struct host *h, int account)
{
	const struct account_id id = account_id_of(account);

	return accounts_find(pipeline_accounts(h->p), &id);
}

/* A daemon that ends and starts again: windows and counts are saved and restored. */
static inline void restart(struct host *h)
{
	struct pipeline *old = h->p, *p = pipeline_new(&host_ops, h, &h->rule);
	struct account *a = NULL;

	assert_non_null(p);
	while ((a = accounts_next(pipeline_accounts(old), a))) {
		const struct account_id id = accounts_id(a);
		struct window w = copied(&a->window);

		assert_int_equal(pipeline_restore_window(p, &id, "", a->mode, &w), 0);
		if (a->state == ACCOUNT_SUSPENDED)
			assert_int_equal(pipeline_suspend(p, &id, a->until_ns), 0);
	}
	for (int i = 0; h->source == HOST_WIRE && i < HOST_ACCOUNTS; i++) {
		const struct smtpl_totals totals = event_totals(&h->accounts[i].count);

		assert_int_equal(pipeline_restore_key(p, HOST_UID(i), "a.example", &totals), 0);
	}
	pipeline_free(old);
	h->p = p;
}

/* ---- mails ---- */

static inline void remote_address(int remote, uint8_t addr[16])
{
	memcpy(addr, (uint8_t[16]){[10] = 0xff, 0xff, 10, remote >> 8, remote & 255, 25}, 16);
}

static inline void report_letter(struct host *h, const struct letter *l, const struct said *said)
{
	const struct payer payer = {
		.id = account_id_of(l->account), .pays = l->account != HOST_EXEMPT, .relay = true};
	char host[64], rcpt[64];
	uint8_t addr[16];
	const struct outcome_detail detail = {
		.recipient = rcpt,
		.host = said->code ? host : NULL,
		.addr = said->code ? addr : NULL,
		.text = said->text,
		.text_size = strlen(said->text),
		.code = said->code,
		.enhanced = {said->enhanced[0], said->enhanced[1], said->enhanced[2]}};
	const struct outcome o = {.outcome = said->outcome,
				  .source = h->refuses ? OUTCOME_REFUSAL : OUTCOME_REPORT,
				  .uid = RELAY,
				  .payer = &payer,
				  .domain = "a.example",
				  .mail = sessions_mail_identity(1, l->rcpt),
				  .rcpt = sessions_rcpt_identity(l->rcpt),
				  .time_ns = h->now * NS_PER_S,
				  .age_s = h->now - l->sent,
				  .fault = said->fault,
				  .detail = &detail};

	snprintf(host, sizeof(host), "mx.r%d.example", l->remote);
	snprintf(rcpt, sizeof(rcpt), "u%u@r%d.example", l->rcpt, l->remote);
	remote_address(l->remote, addr);
	assert_int_equal(pipeline_report(h->p, FEED_EXIM, &o, h->now * NS_PER_S), 0);
}

static inline void event_letter(struct host *h, const void *event, size_t size)
{
	assert_int_equal(pipeline_event(h->p, event, size, h->now * NS_PER_S), 0);
}

/* A connection of its own. */
static inline void wire_letter(struct host *h, const struct letter *l, const struct said *said)
{
	struct host_account *a = &h->accounts[l->account];
	struct smtpl_event head = {SMTPL_EVENT_MAIL, HOST_UID(l->account), 1 + l->account,
				   h->now * NS_PER_S};
	struct smtpl_event_path path = {.head = head, .txn = ++a->txn, .hash = 1};
	struct smtpl_event_outcome e = {
		.head = head,
		.txn = a->txn,
		.count = 1,
		.code = said->code,
		.outcome = said->outcome,
		.subject = SMTP_SUBJECT_REST,
		.enhanced = {said->enhanced[0], said->enhanced[1], said->enhanced[2]},
		.domain = "a.example"};

	event_letter(h, &path, sizeof(path));
	path.head.type = SMTPL_EVENT_RCPT;
	path.rcpt = 1;
	path.hash = l->rcpt;
	event_letter(h, &path, sizeof(path));
	*count_field(&a->count, said->outcome) += 1;
	e.head.type = SMTPL_EVENT_OUTCOME;
	e.totals = event_totals(&a->count);
	snprintf(e.text, sizeof(e.text), "%s", said->text);
	remote_address(l->remote, e.dest);
	event_letter(h, &e, sizeof(e));
	head.type = SMTPL_EVENT_CLOSE;
	event_letter(h, &head, sizeof(head));
}

/* One attempt at a mail. */
static inline void try_letter(struct host *h, const struct letter *l, const struct said *said)
{
	uint64_t heard = h->heard;

	if (h->source == HOST_REPORTS)
		report_letter(h, l, said);
	else
		wire_letter(h, l, said);
	assert_int_equal(h->heard, heard + 1);
	assert_int_equal(h->class, said->class);
}

/* A mail to a known recipient, and its first attempt. */
static inline struct letter write_to(struct host *h, int account, uint32_t rcpt, int remote,
				     const struct said *said)
{
	const struct letter l = {account, remote, rcpt, h->now};

	try_letter(h, &l, said);
	return l;
}

/* To a new one. */
static inline struct letter write_new(struct host *h, int account, int remote,
				      const struct said *said)
{
	return write_to(h, account, ++h->rcpt, remote, said);
}

/* `count` mails to as many new recipients, each at a remote of its own. */
static inline void write_many(struct host *h, int account, int count, const struct said *said)
{
	for (int i = 0; i < count; i++)
		write_new(h, account, 1000 + i, said);
}

static inline void assert_free(struct host *h, int account)
{
	assert_int_equal(h->accounts[account].suspended, 0);
}

static inline void assert_suspended(struct host *h, int account, uint64_t bad, uint32_t percent)
{
	assert_int_equal(h->accounts[account].suspended, 1);
	assert_int_equal(h->accounts[account].verdict.bad, bad);
	assert_int_equal(h->accounts[account].verdict.percent, percent);
}

static inline void assert_mails(struct host *h, int account, uint64_t delivered, uint64_t deferred,
				uint64_t failed)
{
	const struct account *a = account_at(h, account);
	struct window_counts c = {0};

	if (a)
		c = window_counts(&a->window);
	assert_int_equal(c.delivered, delivered);
	assert_int_equal(c.deferred, deferred);
	assert_int_equal(c.failed, failed);
}

static inline void assert_all_free(struct host *h)
{
	for (int i = 0; i < HOST_ACCOUNTS; i++)
		assert_free(h, i);
}

static inline int suspended_accounts(const struct host *h)
{
	int count = 0;

	for (int i = 0; i < HOST_ACCOUNTS; i++)
		count += h->accounts[i].suspended > 0;
	return count;
}

/* One of the account's own, so far as the general one. */
static inline struct verdict_rule *rule_of(struct host *h, int account)
{
	h->accounts[account].has_rule = true;
	h->accounts[account].rule = h->rule;
	return &h->accounts[account].rule;
}

#endif
