/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * packet_trace.h - the expected result of a session: the parser compiled here is fed byte by byte,
 * without skipping anything, and its events, counts and oddities are written in the same form as
 * packet_world.h writes those of the kernel.
 */
#ifndef SELFTESTS_PACKET_TRACE_H
#define SELFTESTS_PACKET_TRACE_H

#include "../../headers/event.h"
#include "../../headers/maps.h"
#include "../../headers/smtp.h"
#include "../../headers/stats.h"
#include "dialogue.h"
#include "packet_call.h"

#define TRACE_DOMAINS 64

/* An entry of smtpl_counts, without the uid. */
struct trace_row {
	char domain[SMTPL_DOMAIN_SIZE];
	struct smtpl_count count;
};

struct trace_rows {
	struct trace_row row[TRACE_DOMAINS];
	size_t n;
};

struct trace {
	struct smtp_session ss;
	struct text events;
	struct smtpl_stats stats;
	struct trace_rows rows;
	__u32 error; /* of the socket at its end */
};

/* --- one line an event ---------------------------------------------------------------------- */

static inline void trace_path(struct text *to, const struct smtpl_event_path *e)
{
	text_printf(to, "%s %u/%u %016llx <", e->head.type == SMTPL_EVENT_MAIL ? "MAIL" : "RCPT",
		    e->txn, e->rcpt, (unsigned long long)e->hash);
	trace_bytes(to, e->addr, sizeof(e->addr));
	text_printf(to, ">\n");
}

static inline void trace_outcome(struct text *to, const struct smtpl_event_outcome *e)
{
	text_printf(to, "OUTCOME %u subject %u txn %u/%u x%u code %u %u.%u.%u error %u dest %u \"",
		    e->outcome, e->subject, e->txn, e->rcpt, e->count, e->code, e->enhanced[0],
		    e->enhanced[1], e->enhanced[2], e->error, e->dest[15]);
	trace_bytes(to, e->text, sizeof(e->text));
	text_printf(to, "\" of \"");
	trace_bytes(to, e->domain, sizeof(e->domain));
	text_printf(to, "\": %llu %llu %llu %llu\n", (unsigned long long)e->totals.delivered,
		    (unsigned long long)e->totals.deferred, (unsigned long long)e->totals.failed,
		    (unsigned long long)e->totals.unknown);
}

static inline int trace_row_order(const void *a, const void *b)
{
	return memcmp(a, b, SMTPL_DOMAIN_SIZE);
}

static inline void trace_rows_write(struct text *to, struct trace_rows *rows)
{
	qsort(rows->row, rows->n, sizeof(rows->row[0]), trace_row_order);
	for (size_t i = 0; i < rows->n; i++) {
		const struct smtpl_count *c = &rows->row[i].count;

		if (!(c->delivered | c->deferred | c->failed | c->unknown | c->opaque | c->refused))
			continue;
		text_printf(to, "COUNT \"");
		trace_bytes(to, rows->row[i].domain, SMTPL_DOMAIN_SIZE);
		text_printf(to, "\": %llu %llu %llu %llu, opaque %llu, refused %llu\n",
			    (unsigned long long)c->delivered, (unsigned long long)c->deferred,
			    (unsigned long long)c->failed, (unsigned long long)c->unknown,
			    (unsigned long long)c->opaque, (unsigned long long)c->refused);
	}
}

static inline void trace_stats(struct text *to, const struct smtpl_stats *stats)
{
#define TRACE_STAT(name, what)                                                                     \
	if (stats->name)                                                                           \
		text_printf(to, "STAT " #name " %llu\n", (unsigned long long)stats->name);
	SMTPL_STATS(TRACE_STAT)
#undef TRACE_STAT
}

/* --- counting ------------------------------------------------------------------------------- */

static inline struct smtpl_count *trace_count_of(struct trace *t, const char *domain)
{
	struct trace_rows *rows = &t->rows;

	for (size_t i = 0; i < rows->n; i++) {
		if (!memcmp(rows->row[i].domain, domain, SMTPL_DOMAIN_SIZE))
			return &rows->row[i].count;
	}
	if (rows->n == TRACE_DOMAINS)
		abort();
	memcpy(rows->row[rows->n].domain, domain, SMTPL_DOMAIN_SIZE);
	return &rows->row[rows->n++].count;
}

static inline void trace_count(struct smtpl_count *count, __u32 outcome, __u32 n)
{
	if (outcome == SMTP_DELIVERED)
		count->delivered += n;
	else if (outcome == SMTP_DEFERRED)
		count->deferred += n;
	else if (outcome == SMTP_FAILED)
		count->failed += n;
	else
		count->unknown += n;
}

static inline void trace_opaque(struct trace *t)
{
	static const char whole[SMTPL_DOMAIN_SIZE];

	trace_count_of(t, whole)->opaque++;
}

static inline void trace_decided(struct trace *t, const struct smtp_decision *d)
{
	struct smtpl_event_outcome e = {.txn = d->txn,
					.rcpt = d->rcpt,
					.count = d->count,
					.code = d->code,
					.outcome = d->outcome,
					.subject = d->subject};
	struct smtpl_count *count;

	if (!d->outcome)
		return;
	if (d->null_sender) {
		t->stats.null_sender += d->count;
		return;
	}
	if (d->txn)
		memcpy(e.domain, trace_sender(&t->ss, d->txn)->domain, sizeof(e.domain));
	count = trace_count_of(t, e.domain);
	trace_count(count, d->outcome, d->count);
	e.totals = (struct smtpl_totals){count->delivered, count->deferred, count->failed,
					 count->unknown};
	e.dest[15] = PACKET_CALL_DEST;
	if (d->lost) {
		e.error = t->error;
	} else {
		memcpy(e.enhanced, t->ss.s.enhanced, sizeof(e.enhanced));
		memcpy(e.text, t->ss.s.text, sizeof(e.text));
	}
	trace_outcome(&t->events, &e);
}

/* --- feeding -------------------------------------------------------------------------------- */

static inline void trace_said(struct trace *t, __u32 event)
{
	const struct smtp_client *c = &t->ss.c;
	const struct smtp_sender *sender = trace_sender(&t->ss, c->txn);
	struct smtpl_event_path e = {.txn = c->txn, .hash = c->hash};
	const struct smtp_decision unknown = {.outcome = SMTP_UNKNOWN,
					      .count = 1,
					      .lost = 1,
					      .subject = SMTP_SUBJECT_RCPT,
					      .txn = c->txn,
					      .null_sender = sender->null_sender,
					      .rcpt = sender->rcpts};

	if (event == SMTP_CLIENT_OPAQUE) {
		trace_opaque(t);
	} else if (event == SMTP_CLIENT_RCPT_UNKNOWN) {
		trace_decided(t, &unknown);
	} else if (event) {
		e.head.type = event == SMTP_CLIENT_MAIL ? SMTPL_EVENT_MAIL : SMTPL_EVENT_RCPT;
		e.rcpt = event == SMTP_CLIENT_RCPT ? sender->rcpts : 0;
		memcpy(e.addr, c->addr, sizeof(e.addr));
		trace_path(&t->events, &e);
	}
}

static inline void trace_client_bytes(struct trace *t, const char *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		trace_said(t, smtp_client_byte(&t->ss, (unsigned char)bytes[i]));
}

static inline void trace_server_bytes(struct trace *t, const char *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		__u32 event = smtp_server_byte(&t->ss, (unsigned char)bytes[i]);

		if (event == SMTP_SERVER_OPAQUE)
			trace_opaque(t);
		else if (event == SMTP_SERVER_MALFORMED)
			t->stats.reply_malformed++;
		else if (event)
			trace_decided(t, &t->ss.s.decision);
	}
}

/* A hole in the replies that was given up. */
static inline void trace_hole(struct trace *t)
{
	t->stats.hole_resyncs++;
	if (smtp_session_desync(&t->ss))
		trace_decided(t, &t->ss.s.decision);
}

static inline void trace_end(struct trace *t, __u32 how, __u32 error)
{
	t->error = error;
	while (smtp_session_end(&t->ss, how))
		trace_decided(t, &t->ss.s.decision);
	t->stats.callouts += t->ss.s.callouts;
	t->stats.too_many_rcpts += t->ss.s.too_many;
	t->stats.sessions_desync += t->ss.c.desync || t->ss.s.desync;
	text_printf(&t->events, "CLOSE\n");
}

/* Events, counts and oddities, to compare. */
static inline void trace_write(struct trace *t, struct text *to)
{
	text_add(to, text_string(&t->events), t->events.len);
	trace_rows_write(to, &t->rows);
	trace_stats(to, &t->stats);
}

#endif
