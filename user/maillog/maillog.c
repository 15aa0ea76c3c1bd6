/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * maillog.c - keeps what the log has of each message, by queue id, and reports on its recipients.
 */
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "base/hash.h"
#include "maillog.h"
#include "maillog_event.h"
#include "maillog_passes.h"
#include "maillog_record.h"
#include "maillog_sight.h"
#include "maillog_table.h"
#include "maillog_ways.h"

/* Of the messages remembered: so many processes of smtpd(8), and recipients that are with a filter,
 * which is 4,096 and 65,536 of MAILLOG_MESSAGES_MAX. */
#define SESSIONS_PART 64
#define PASSES_PART   4

/* Lines that were under way when "removed" was written. */
#define LATE_NS (60 * NS_PER_S)

struct maillog {
	struct maillog_ops ops;
	void *arg;
	struct maillog_table *table;
	struct maillog_table *sessions; /* of smtpd(8), by its process' id */
	struct maillog_passes *passes;
	struct maillog_ways ways;
	struct maillog_sight sight;
	struct maillog_stats stats;
	bool gap;	      /* messages may be on their way whose beginning was not seen */
	int64_t gap_until_ns; /* 0: from the first line on */
};

/* One line being taken. */
struct step {
	struct maillog *p;
	const struct maillog_event *e;
	struct maillog_span pid;
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
	p->sessions = maillog_table_new(messages_max / SESSIONS_PART + 16, ops->seed);
	p->passes = maillog_passes_new(messages_max / PASSES_PART, ops->seed);
	if (p->table && p->sessions && p->passes)
		return p;
	maillog_free(p);
	return NULL;
}

void maillog_free(struct maillog *p)
{
	if (!p)
		return;
	maillog_table_free(p->table);
	maillog_table_free(p->sessions);
	maillog_passes_free(p->passes);
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

static struct maillog_message *known(const struct step *s, struct maillog_span id)
{
	return maillog_table_about(s->p->table, s->e->name, id);
}

static struct maillog_message *begin(const struct step *s)
{
	struct maillog_message *m = maillog_table_begin(s->p->table, s->e->name, s->e->id);

	if (m)
		m->begun_ns = s->wall_ns;
	return m;
}

static void inherit(const struct step *s, struct maillog_message *m,
		    const struct maillog_message *from)
{
	s->p->stats.nomem += !maillog_message_inherit(m, from);
}

static void keep(const struct step *s, char **to, struct maillog_span from, size_t size)
{
	s->p->stats.nomem += !maillog_message_keep(to, from, size);
}

static void submitted(const struct step *s)
{
	struct maillog_message *m = begin(s);
	struct maillog_message *before = NULL;

	if (!m)
		return;
	m->begun = true;
	m->known = SUBMISSION_HAS_UID;
	m->uid = s->e->uid;
	if (s->e->other.size > 0)
		before = known(s, s->e->other);
	if (before && before != m) {
		inherit(s, m, before);
		maillog_table_remove(s->p->table, before, s->wall_ns);
	}
}

static void came_from_client(const struct step *s, struct maillog_message *m)
{
	static const uint8_t none[16];

	m->begun = true;
	if (s->e->auth.size > 0)
		keep(s, &m->auth, s->e->auth, SMTPL_ADDR_SIZE);
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

static void client(const struct step *s)
{
	struct maillog_message *m = begin(s);

	if (m)
		came_from_client(s, m);
}

/* A process of smtpd(8) has one client at a time. */
static void session(const struct step *s)
{
	struct maillog_message *m = maillog_table_begin(s->p->sessions, s->e->name, s->pid);

	if (m)
		came_from_client(s, m);
}

/* Every message passes cleanup(8). One that nobody handed in was made by Postfix. */
static void made(const struct step *s)
{
	struct maillog_message *m = known(s, s->e->id);
	struct maillog_span message_id = s->e->message_id;

	if (!m || m->removed) {
		m = begin(s);
		if (!m)
			return;
		m->begun = !s->p->gap;
		m->known = s->p->gap ? 0 : SUBMISSION_INTERNAL;
	}
	if (message_id.at)
		m->message_id = hash_bytes(s->p->ops.seed, message_id.at, message_id.size);
}

static void sender(const struct step *s)
{
	struct maillog_message *m = known(s, s->e->id);

	if (!m || m->removed)
		m = begin(s);
	if (!m)
		return;
	maillog_table_touch(s->p->table, m);
	keep(s, &m->sender, s->e->sender, SMTPL_ADDR_SIZE);
	s->p->stats.nomem += !maillog_passes_queued(s->p->passes, m, s->wall_ns);
}

/* A bounce is in the queue before the line about it is written; but since Postfix 3.11 that may
 * come before the first line of the bounce itself. */
static void notice(const struct step *s)
{
	struct maillog_message *m = known(s, s->e->other);

	if (!m)
		m = maillog_table_begin(s->p->table, s->e->name, s->e->other);
	if (!m || (m->known & (SUBMISSION_HAS_UID | SUBMISSION_HAS_CLIENT)))
		return;
	m->begun = true;
	m->known |= SUBMISSION_INTERNAL;
}

/* local(8) has made a copy for another address: the submitter's, and passed on. */
static void forwarded(const struct step *s, const struct maillog_message *from)
{
	struct maillog_message *m = known(s, s->e->other);
	char forwarder[SMTPL_DOMAIN_SIZE];

	if (!m || (m->known & (SUBMISSION_HAS_UID | SUBMISSION_HAS_CLIENT)))
		return;
	if (from && from != m)
		inherit(s, m, from);
	m->begun = true;
	m->known |= SUBMISSION_INTERNAL | SUBMISSION_REDIRECTED;
	maillog_record_domain(s->e->rcpt, forwarder);
	keep(s, &m->forwarder, (struct maillog_span){forwarder, strlen(forwarder)},
	     sizeof(forwarder));
}

/* `other` of any instance. */
static struct maillog_message *other(const struct step *s)
{
	struct maillog_table *t = s->p->table;
	struct maillog_message *m = known(s, s->e->other);
	const char *name;
	size_t i;

	for (i = 0; !m && (name = maillog_table_name(t, i)); i++)
		m = maillog_table_find(t, (struct maillog_span){name, strlen(name)}, s->e->other);
	return m;
}

/* The message that came back from a filter on loopback, maybe to another instance. */
static void filtered(const struct step *s, const struct maillog_message *from)
{
	struct maillog_message *m = other(s);

	if (!m || !from || m == from)
		return;
	if (!(m->known & SUBMISSION_HAS_CLIENT) || m->auth || !maillog_is_loopback(m->client))
		return;
	inherit(s, m, from);
}

static void report(const struct step *s, const struct maillog_message *m, enum maillog_fate fate)
{
	struct delivery_report r = {0};

	if (!s->report || s->p->sight.blind)
		return;
	maillog_record_fill(&r, m, s->e, fate);
	r.relay_uid = s->p->ops.relay_uid;
	r.wall_ns = s->wall_ns;
	s->p->stats.reports++;
	s->p->stats.unknown += !m || !m->begun;
	s->p->ops.record(s->p->arg, &r);
}

/* What leads from a message to the one that it has become. */
static void follow(const struct step *s, struct maillog_message *m)
{
	struct maillog_passes *passes = s->p->passes;
	bool whole = true;

	if (m->known & SUBMISSION_HAS_UID) {
		whole = maillog_passes_join(passes, m, s->e->rcpt);
		if (s->e->orig.at)
			whole &= maillog_passes_join(passes, m, s->e->orig);
	}
	if (s->e->piped)
		whole &= maillog_passes_note(passes, m, s->e->rcpt, s->wall_ns);
	s->p->stats.nomem += !whole;
}

static void recipient(const struct step *s)
{
	struct maillog_message *m = known(s, s->e->id);

	if (m) {
		maillog_table_touch(s->p->table, m);
		follow(s, m);
	}
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

/* The answer was about its sender's domain, whoever the client was. */
static void turned(const struct step *s)
{
	const struct maillog_message m = {.begun = true,
					  .sender = strndup(s->e->sender.at, s->e->sender.size)};

	if (strnlen(m.sender ? m.sender : "", SMTPL_ADDR_SIZE) < SMTPL_ADDR_SIZE)
		report(s, &m, MAILLOG_REFUSED);
	free(m.sender);
}

static void removed(const struct step *s, struct maillog_message *m)
{
	maillog_passes_removed(s->p->passes, m);
	maillog_table_remove(s->p->table, m, s->wall_ns);
}

static void take(const struct step *s)
{
	struct maillog_message *m;

	switch (s->e->kind) {
	case MAILLOG_NOTHING:
		return;
	case MAILLOG_SESSION:
		return session(s);
	case MAILLOG_PROXIED:
		return filtered(s, maillog_table_find(s->p->sessions, s->e->name, s->pid));
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
	case MAILLOG_TURNED:
		return turned(s);
	case MAILLOG_NOTICE:
		return notice(s);
	case MAILLOG_REMOVED:
		m = known(s, s->e->id);
		if (m && !m->removed)
			removed(s, m);
		return;
	}
}

static void note_sight(struct maillog *p, const struct maillog_event *e, struct maillog_span text)
{
	p->stats.unread += e->unread;
	maillog_sight_note(&p->sight, e->unread, text);
}

static void pass_gap(struct maillog *p, int64_t wall_ns)
{
	if (!p->gap_until_ns)
		p->gap_until_ns = wall_ns + MAILLOG_GAP_NS;
	else if (wall_ns > p->gap_until_ns)
		p->gap = false;
}

/* True: what is known of the servers on loopback has changed. */
static bool learn_way(const struct step *s)
{
	bool left = maillog_ways_leaves(&s->p->ways, s->e->dest, s->e->host_port);
	bool returns = s->e->filtered && other(s);

	if (!s->e->looped)
		return false;
	maillog_ways_note(&s->p->ways, s->e->dest, s->e->host_port, returns);
	return left != maillog_ways_leaves(&s->p->ways, s->e->dest, s->e->host_port);
}

void maillog_take(struct maillog *p, const struct maillog_line *line, bool report)
{
	struct maillog_event e;
	const struct step s = {
		.p = p,
		.e = &e,
		.pid = line->pid,
		.wall_ns = line->wall_ns,
		.report = report,
	};

	maillog_event(line, &p->ways, &e);
	if (learn_way(&s))
		maillog_event(line, &p->ways, &e);
	if (p->gap)
		pass_gap(p, line->wall_ns);
	maillog_table_forget(p->table, line->wall_ns - LATE_NS);
	p->stats.taken += e.kind != MAILLOG_NOTHING;
	if (e.manager)
		maillog_table_instance(p->table, e.name);
	if (e.kind == MAILLOG_RECIPIENT && e.away)
		note_sight(p, &e, line->text);
	take(&s);
}

const char *maillog_blind(const struct maillog *p)
{
	return p->sight.blind ? p->sight.example : NULL;
}
