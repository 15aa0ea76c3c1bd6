/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * maillog.c - keeps what the log has of each message, by queue id, and reports on its recipients.
 */
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "who/account.h"
#include "maillog.h"
#include "maillog_event.h"
#include "maillog_table.h"

/* Lines that were under way when "removed" was written. */
#define LATE_NS (60 * NS_PER_S)

struct maillog {
	struct maillog_ops ops;
	void *arg;
	struct maillog_table *table;
	struct maillog_stats stats;
	bool gap;	      /* messages may be on their way whose beginning was not seen */
	int64_t gap_until_ns; /* 0: from the first line on */
};

/* One line being taken. */
struct step {
	struct maillog *p;
	const struct maillog_event *e;
	int64_t wall_ns;
	bool report;
};

struct maillog *maillog_new(const struct maillog_ops *ops, void *arg, size_t messages_max)
{
	struct maillog *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->ops = *ops;
	p->arg = arg;
	p->gap = true;
	p->table = maillog_table_new(messages_max, ops->seed);
	if (!p->table) {
		free(p);
		return NULL;
	}
	return p;
}

void maillog_free(struct maillog *p)
{
	if (!p)
		return;
	maillog_table_free(p->table);
	free(p);
}

void maillog_begin(struct maillog *p, bool whole)
{
	p->gap = !whole;
	p->gap_until_ns = 0;
}

struct maillog_stats maillog_stats(const struct maillog *p)
{
	struct maillog_stats stats = p->stats;

	stats.messages = maillog_table_count(p->table);
	stats.evicted = maillog_table_evicted(p->table);
	return stats;
}

static void copy(char *to, size_t size, struct maillog_span from)
{
	size_t length = strnlen(from.at ? from.at : "", from.size);

	if (length >= size)
		length = size - 1;
	if (length > 0)
		memcpy(to, from.at, length);
	memset(to + length, 0, size - length);
}

/* Replace *to by a copy, bounded. An empty one is kept as such: the null sender. */
static void keep(struct maillog *p, char **to, struct maillog_span from, size_t size)
{
	char *made = strndup(from.at ? from.at : "", from.size < size ? from.size : size - 1);

	if (!made) {
		p->stats.nomem++;
		return;
	}
	free(*to);
	*to = made;
}

static void keep_string(struct maillog *p, char **to, const char *from, size_t size)
{
	if (from)
		keep(p, to, (struct maillog_span){from, strlen(from)}, size);
}

static struct maillog_message *known(const struct step *s, struct maillog_span id)
{
	return maillog_table_find(s->p->table, s->e->instance, id);
}

/* Who submitted `from` has submitted `m`. */
static void inherit(struct maillog *p, struct maillog_message *m,
		    const struct maillog_message *from)
{
	m->known = from->known;
	m->uid = from->uid;
	m->caller = from->caller;
	m->client_port = from->client_port;
	memcpy(m->client, from->client, sizeof(m->client));
	m->begun = from->begun;
	keep_string(p, &m->auth, from->auth, SMTPL_ADDR_SIZE);
	keep_string(p, &m->forwarder, from->forwarder, SMTPL_DOMAIN_SIZE);
}

static void submitted(const struct step *s)
{
	struct maillog_message *m = maillog_table_begin(s->p->table, s->e->instance, s->e->id);
	struct maillog_message *before = NULL;

	if (!m)
		return;
	m->begun = true;
	m->known = SUBMISSION_HAS_UID;
	m->uid = s->e->uid;
	if (s->e->other.size > 0)
		before = known(s, s->e->other);
	if (before && before != m) {
		inherit(s->p, m, before);
		maillog_table_remove(s->p->table, before, s->wall_ns);
	}
}

static void client(const struct step *s)
{
	static const uint8_t none[16];
	struct maillog_message *m = maillog_table_begin(s->p->table, s->e->instance, s->e->id);

	if (!m)
		return;
	m->begun = true;
	if (s->e->auth.size > 0)
		keep(s->p, &m->auth, s->e->auth, SMTPL_ADDR_SIZE);
	if (memcmp(s->e->client, none, sizeof(none)) == 0)
		return;
	m->known = SUBMISSION_HAS_CLIENT;
	m->client_port = s->e->port;
	memcpy(m->client, s->e->client, sizeof(m->client));
	/* Now: the port will be another's soon. */
	if (m->client_port && !m->auth &&
	    s->p->ops.caller(s->p->arg, m->client, m->client_port, s->wall_ns, &m->caller))
		m->known |= SUBMISSION_HAS_CALLER;
}

/* Every message passes cleanup(8). One that nobody handed in was made by Postfix. */
static void made(const struct step *s)
{
	struct maillog_message *m = known(s, s->e->id);

	if (m && !m->removed)
		return;
	m = maillog_table_begin(s->p->table, s->e->instance, s->e->id);
	if (!m || s->p->gap)
		return;
	m->begun = true;
	m->known = SUBMISSION_INTERNAL;
}

static void sender(const struct step *s)
{
	struct maillog_message *m = known(s, s->e->id);

	if (!m || m->removed)
		m = maillog_table_begin(s->p->table, s->e->instance, s->e->id);
	if (!m)
		return;
	maillog_table_touch(s->p->table, m);
	keep(s->p, &m->sender, s->e->sender, SMTPL_ADDR_SIZE);
}

/* A bounce is in the queue before the line about it is written. */
static void notice(const struct step *s)
{
	struct maillog_message *m = known(s, s->e->other);

	if (!m || (m->known & (SUBMISSION_HAS_UID | SUBMISSION_HAS_CLIENT)))
		return;
	m->begun = true;
	m->known |= SUBMISSION_INTERNAL;
}

static struct maillog_span domain_of(struct maillog_span address)
{
	const char *at = memrchr(address.at, '@', address.size);

	if (!at)
		return (struct maillog_span){address.at, 0};
	return (struct maillog_span){at + 1, address.at + address.size - at - 1};
}

/* Key form, or "". */
static void domain_key(struct maillog_span domain, char key[SMTPL_DOMAIN_SIZE])
{
	char text[SMTPL_ADDR_SIZE];

	copy(text, sizeof(text), domain);
	if (account_domain_key(text, key))
		key[0] = '\0';
}

/* local(8) has made a copy for another address: the submitter's, and passed on. */
static void forwarded(const struct step *s, const struct maillog_message *from)
{
	struct maillog_message *m = known(s, s->e->other);
	char forwarder[SMTPL_DOMAIN_SIZE];

	if (!m || (m->known & (SUBMISSION_HAS_UID | SUBMISSION_HAS_CLIENT)))
		return;
	if (from && from != m)
		inherit(s->p, m, from);
	m->begun = true;
	m->known |= SUBMISSION_INTERNAL | SUBMISSION_REDIRECTED;
	domain_key(domain_of(s->e->rcpt), forwarder);
	keep_string(s->p, &m->forwarder, forwarder, sizeof(forwarder));
}

/* The message that came back from a filter on loopback, maybe to another instance. */
static void filtered(const struct step *s, const struct maillog_message *from)
{
	struct maillog_table *t = s->p->table;
	struct maillog_message *m = known(s, s->e->other);
	const char *name;
	size_t i;

	for (i = 0; !m && (name = maillog_table_instance(t, i)); i++)
		m = maillog_table_find(t, (struct maillog_span){name, strlen(name)}, s->e->other);
	if (!m || !from || m == from)
		return;
	if (!(m->known & SUBMISSION_HAS_CLIENT) || m->auth || !maillog_is_loopback(m->client))
		return;
	inherit(s->p, m, from);
}

static void fill_submission(struct submission *o, const struct maillog_message *m)
{
	if (!m || !m->sender)
		o->known |= SUBMISSION_NO_SENDER;
	if (!m)
		return;
	o->known |= m->known;
	o->uid = m->uid;
	o->caller = m->caller;
	o->client_port = m->client_port;
	memcpy(o->client, m->client, sizeof(o->client));
	if (m->auth)
		memcpy(o->auth, m->auth, strlen(m->auth));
	if (m->sender)
		memcpy(o->sender, m->sender, strlen(m->sender));
	if (m->forwarder)
		memcpy(o->forwarder, m->forwarder, strlen(m->forwarder));
}

/* Only the domain was added to what somebody wrote: "bob", now bob@example.com. */
static bool is_completed(struct maillog_span orig, struct maillog_span rcpt)
{
	return orig.size < rcpt.size && rcpt.at[orig.size] == '@' &&
	       strncasecmp(orig.at, rcpt.at, orig.size) == 0;
}

static void fill_redirect(struct submission *o, const struct maillog_event *e)
{
	char forwarder[SMTPL_DOMAIN_SIZE];

	if (!e->orig.at || is_completed(e->orig, e->rcpt))
		return;
	o->known |= SUBMISSION_REDIRECTED;
	domain_key(domain_of(e->orig), forwarder);
	if (forwarder[0])
		memcpy(o->forwarder, forwarder, sizeof(forwarder));
}

/* Of a reply without an enhanced code, Postfix logs one that it has made of the code: x.0.0. */
static void fill_reply(struct delivery_report *r, const struct maillog_event *e)
{
	if (e->replied && delivery_report_reply(r, e->text.at, e->text.size))
		return;
	memcpy(r->enhanced, e->enhanced, sizeof(r->enhanced));
	delivery_report_text(r, e->text.at, e->text.size);
}

static void report(const struct step *s, const struct maillog_message *m, enum maillog_fate fate)
{
	static const uint8_t outcomes[] = {
		[MAILLOG_AT_HOME] = SMTP_DEFERRED,
		[MAILLOG_DELIVERED] = SMTP_DELIVERED,
		[MAILLOG_DEFERRED] = SMTP_DEFERRED,
		[MAILLOG_FAILED] = SMTP_FAILED,
	};
	const struct maillog_event *e = s->e;
	struct delivery_report r = {0};

	if (!s->report)
		return;
	r.kind = fate == MAILLOG_REFUSED ? REPORT_REFUSED :
		 fate == MAILLOG_AT_HOME ? REPORT_HOME :
					   REPORT_OUTCOME;
	r.mta = FEED_POSTFIX;
	r.relay_uid = s->p->ops.relay_uid;
	r.count = 1;
	r.wall_ns = s->wall_ns;
	r.age_s = e->age_s < 0 ? REPORT_AGE_UNKNOWN : delivery_report_age(e->age_s);
	fill_submission(&r.submission, m);
	fill_redirect(&r.submission, e);
	copy(r.rcpt, sizeof(r.rcpt), e->rcpt);
	copy(r.id, sizeof(r.id), e->id);
	r.outcome = outcomes[fate];
	r.fault = fate == MAILLOG_AT_HOME && !e->fault ? OWN_FAULT_SERVER : e->fault;
	r.port = (uint16_t)e->host_port;
	memcpy(r.dest, e->dest, sizeof(r.dest));
	delivery_report_host(&r, e->host.at, e->host.size);
	fill_reply(&r, e);
	s->p->stats.reports++;
	s->p->stats.unknown += !m || !m->begun;
	s->p->ops.record(s->p->arg, &r);
}

static void recipient(const struct step *s)
{
	struct maillog_message *m = known(s, s->e->id);

	if (m)
		maillog_table_touch(s->p->table, m);
	if (s->e->forwarded)
		forwarded(s, m);
	else if (s->e->filtered)
		filtered(s, m);
	else if (s->e->fate != MAILLOG_NO_OUTCOME)
		report(s, m, s->e->fate);
}

/* cleanup(8) bounces what pickup(8) brought, and logs each recipient by itself. */
static void rejected(const struct step *s)
{
	const struct maillog_message *m = known(s, s->e->id);

	if (!m || !(m->known & SUBMISSION_HAS_UID))
		report(s, m, MAILLOG_REFUSED);
}

static void take(const struct step *s)
{
	struct maillog_message *m;

	switch (s->e->kind) {
	case MAILLOG_NOTHING:
		return;
	case MAILLOG_BEGUN:
		return maillog_begin(s->p, true);
	case MAILLOG_SUBMITTED:
		return submitted(s);
	case MAILLOG_CLIENT:
		return client(s);
	case MAILLOG_MADE:
		return made(s);
	case MAILLOG_SENDER:
		return sender(s);
	case MAILLOG_RECIPIENT:
		return recipient(s);
	case MAILLOG_REJECTED:
		return rejected(s);
	case MAILLOG_NOTICE:
		return notice(s);
	case MAILLOG_REMOVED:
		m = known(s, s->e->id);
		if (m && !m->removed)
			maillog_table_remove(s->p->table, m, s->wall_ns);
		return;
	}
}

static void pass_gap(struct maillog *p, int64_t wall_ns)
{
	if (!p->gap_until_ns)
		p->gap_until_ns = wall_ns + MAILLOG_GAP_NS;
	else if (wall_ns > p->gap_until_ns)
		p->gap = false;
}

void maillog_take(struct maillog *p, int64_t wall_ns, struct maillog_span ident,
		  struct maillog_span text, bool report)
{
	struct maillog_event e;
	const struct step s = {.p = p, .e = &e, .wall_ns = wall_ns, .report = report};

	maillog_event(ident, text, &e);
	if (p->gap)
		pass_gap(p, wall_ns);
	maillog_table_forget(p->table, wall_ns - LATE_NS);
	p->stats.taken += e.kind != MAILLOG_NOTHING;
	take(&s);
}
