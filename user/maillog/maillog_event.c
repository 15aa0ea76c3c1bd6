/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * maillog_event.c - the lines that show where a message came from and when it is gone, by the
 * daemon that logs them: pickup(8), smtpd(8), cleanup(8), qmgr(8), bounce(8), master(8).
 *
 * Addresses are taken from the side where nothing but Postfix's own words lie between them and the
 * end of the line.
 */
#include <string.h>
#include "core/delivery_report.h"
#include "maillog_event.h"

/* msg_syslog.c cuts the text there. */
#define CUT_SIZE 2000

/* "<...>" as the whole span: what lies between. */
static bool in_angles(struct maillog_span s, struct maillog_span *inside)
{
	if (s.size < 2 || s.at[0] != '<' || s.at[s.size - 1] != '>')
		return false;
	*inside = (struct maillog_span){s.at + 1, s.size - 2};
	return true;
}

/* Cut at `at`, keep what lies before; *behind gets what follows `word`. */
static void split(struct maillog_span *s, const char *at, const char *word,
		  struct maillog_span *behind)
{
	size_t skipped = at - s->at + strlen(word);

	*behind = (struct maillog_span){s->at + skipped, s->size - skipped};
	s->size = at - s->at;
}

/* "uid=1001 from=<alice@example.com>"; requeued by postsuper: ... " orig_id=9F5D65B" */
static void pickup(struct maillog_span s, struct maillog_event *e)
{
	struct maillog_span behind;
	const char *at;
	uint64_t uid;

	if (!maillog_skip(&s, "uid=") || !maillog_take_number(&s, UINT32_MAX, &uid) ||
	    !maillog_skip(&s, " from="))
		return;
	at = maillog_last(s, "> orig_id=");
	if (at && !maillog_ends(s, ">")) {
		split(&s, at + 1, " orig_id=", &behind);
		if (!maillog_take_id(&behind, &e->other) || behind.size > 0)
			return;
	}
	if (!in_angles(s, &e->sender))
		return;
	e->uid = uid;
	e->kind = MAILLOG_SUBMITTED;
}

/*
 * ", sasl_method=PLAIN, sasl_username=alice@example.com"; then ", sasl_sender=<...>", which the
 * client chooses, but as xtext (RFC 4954), which has no blank: so it is taken off from the right.
 * What an XFORWARD command gave, ", orig_client=" and ", orig_queue_id=", is not believed: where it is
 * allowed for loopback, as filters need it, every customer can use it.
 */
static void sasl(struct maillog_span s, struct maillog_event *e)
{
	struct maillog_span behind;
	const char *at;

	if (!maillog_skip(&s, ", sasl_method="))
		return;
	while (s.size > 0 && *s.at != ',') {
		s.at++;
		s.size--;
	}
	if (!maillog_skip(&s, ", sasl_username="))
		return;
	at = maillog_last(s, ", sasl_sender=");
	if (at) {
		e->auth = s;
		split(&e->auth, at, ", sasl_sender=", &behind);
		if (!memchr(behind.at, ' ', behind.size))
			return;
	}
	e->auth = s;
}

/* "client=mx.example.com[192.0.2.1]:46572, sasl_method=..." */
static void client(struct maillog_span s, enum maillog_kind kind, struct maillog_event *e)
{
	struct maillog_peer peer;

	if (!maillog_skip(&s, "client="))
		return;
	e->kind = kind;
	if (!maillog_take_peer(&s, &peer))
		return;
	memcpy(e->client, peer.addr, sizeof(e->client));
	e->port = peer.port;
	sasl(s, e);
}

/*
 * What trivial-rewrite(8) was told of the sender, at the recipient:
 *	reject: RCPT from h[192.0.2.1]: 550 5.7.1 <R>: Recipient address rejected: Domain ...;
 *		from=<S> to=<R> proto=ESMTP helo=<H>
 * A client that makes all of this up in R is refused all the same, if it is counted for another.
 */
static void turned(struct maillog_span s, struct maillog_event *e)
{
	static const char rejected[] = ">: Recipient address rejected: ", from[] = "; from=<";
	struct maillog_span text, sender;
	struct maillog_peer peer;
	const char *at;

	if (!maillog_skip(&s, "reject: RCPT from ") || !maillog_take_peer(&s, &peer) ||
	    !maillog_skip(&s, ": 550 5.7.1 <"))
		return;
	at = memmem(s.at, s.size, rejected, sizeof(rejected) - 1);
	if (!at)
		return;
	e->rcpt = s;
	split(&e->rcpt, at, rejected, &text);
	at = memmem(text.at, text.size, from, sizeof(from) - 1);
	if (!at)
		return;
	split(&text, at, from, &sender);
	at = memmem(sender.at, sender.size, "> to=<", 6);
	if (!at || !maillog_is_refusal(text))
		return;
	e->sender = (struct maillog_span){sender.at, (size_t)(at - sender.at)};
	e->text = text;
	e->kind = MAILLOG_TURNED;
}

/*
 * With smtpd_proxy_filter smtpd(8) makes no queue file. It logs "NOQUEUE: client=...", and at the end
 *	proxy-accept: END-OF-MESSAGE: 250 2.0.0 Ok: queued as 9F5D65B; from=<S> to=<R> proto=ESMTP
 *		helo=<H> sasl_username=<alice>
 * Whatever a client chooses stands behind the filter's reply. The user at the end, which Postfix
 * before 3.7 does not log, is not read: a name could be part of what stands before it.
 */
static void proxied(struct maillog_span s, struct maillog_event *e)
{
	static const char queued[] = " queued as ";
	struct maillog_span id;
	const char *at;

	if (maillog_skip(&s, "NOQUEUE: ") && s.size > 0) {
		turned(s, e);
		if (e->kind == MAILLOG_NOTHING)
			client(s, MAILLOG_SESSION, e);
	}
	if (!maillog_skip(&s, "proxy-accept: END-OF-MESSAGE"))
		return;
	at = memmem(s.at, s.size, "; from=<", 8);
	if (!at)
		return;
	s.size = (size_t)(at - s.at);
	at = maillog_last(s, queued);
	if (!at)
		return;
	split(&s, at, queued, &id);
	if (maillog_take_id(&id, &e->other) && id.size == 0)
		e->kind = MAILLOG_PROXIED;
}

/* "<20261122022728.9F5D65B@host.test>" was made by cleanup(8) itself, for this message. */
static bool is_made(struct maillog_span message_id, struct maillog_span queue_id)
{
	struct maillog_span id;
	uint64_t time;

	return maillog_skip(&message_id, "<") &&
	       maillog_take_number(&message_id, INT64_MAX, &time) &&
	       maillog_skip(&message_id, ".") && maillog_take_id(&message_id, &id) &&
	       id.size == queue_id.size && memcmp(id.at, queue_id.at, id.size) == 0 &&
	       maillog_skip(&message_id, "@");
}

/* "reject: header Subject: ... from local; from=<a@b> to=<c@d>: 5.7.1 Domain ...": the header and
 * the addresses are a customer's, the end is ours. */
static void cleanup(const struct maillog_agent *agent, struct maillog_span s,
		    struct maillog_event *e)
{
	struct maillog_span behind;
	const char *at;

	if (maillog_skip(&s, "message-id=")) {
		e->kind = MAILLOG_MADE;
		if (s.size > 0 && !maillog_is(s, "<>") && !is_made(s, e->id))
			e->message_id = s;
		return;
	}
	if (!maillog_skip(&s, "reject: ")) {
		maillog_delivery(agent, s, e);
		return;
	}
	at = maillog_last(s, ": 5.7.1 Domain ");
	if (!at)
		return;
	split(&s, at, ": 5.7.1 ", &behind);
	if (!maillog_is_refusal(behind) || maillog_last(behind, "; from=<"))
		return;
	e->kind = MAILLOG_REJECTED;
	e->text = behind;
}

/* "from=<S>, size=241, nrcpt=3 (queue active)" or "from=<S>, status=expired, returned to sender" */
static bool sender(struct maillog_span s, struct maillog_event *e)
{
	const char *at = NULL;

	if (!maillog_skip(&s, "from="))
		return false;
	if (maillog_ends(s, " (queue active)"))
		at = maillog_last(s, ">, size=");
	else if (maillog_ends(s, ", returned to sender"))
		at = maillog_last(s, ">, status=");
	if (!at)
		return true;
	s.size = at + 1 - s.at;
	if (in_angles(s, &e->sender))
		e->kind = MAILLOG_SENDER;
	return true;
}

/* "sender non-delivery notification: AAABC74". Postfix 3.11 also has "sender notification failed to
 * ADDRESS: REASON", where a stranger may write the same. */
static void bounce(struct maillog_span s, struct maillog_event *e)
{
	if (!maillog_skip(&s, "sender ") && !maillog_skip(&s, "postmaster "))
		return;
	if (!maillog_skip(&s, "non-delivery ") && !maillog_skip(&s, "delay ") &&
	    !maillog_skip(&s, "delivery status "))
		return;
	if (maillog_skip(&s, "notification: ") && maillog_take_id(&s, &e->other) && s.size == 0)
		e->kind = MAILLOG_NOTICE;
}

static bool is_daemon(struct maillog_span program)
{
	static const char *const names[] = {
		"bounce", "cleanup", "discard", "error", "lmtp", "local", "master",  "oqmgr",
		"pickup", "pipe",    "qmgr",	"qmqpd", "smtp", "smtpd", "virtual",
	};
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (maillog_is(program, names[i]))
			return true;
	return false;
}

/* "postfix-out/submission/smtpd": name "postfix-out", program "smtpd" */
static bool take_ident(struct maillog_span ident, struct maillog_span *name,
		       struct maillog_span *program)
{
	const char *first = memchr(ident.at, '/', ident.size);
	const char *last;

	if (!first)
		return false;
	last = memrchr(ident.at, '/', ident.size);
	*name = (struct maillog_span){ident.at, first - ident.at};
	*program = (struct maillog_span){last + 1, ident.at + ident.size - last - 1};
	return name->size > 0 && is_daemon(*program);
}

bool maillog_is_postfix(struct maillog_span ident)
{
	struct maillog_span name, program;

	return take_ident(ident, &name, &program);
}

/* Behind "9F5D65B: ". */
static void of_message(const struct maillog_agent *agent, struct maillog_span text,
		       struct maillog_event *e)
{
	struct maillog_span program = agent->program;

	if (maillog_is(program, "pickup"))
		pickup(text, e);
	else if (maillog_is(program, "smtpd") && text.size > 7 && !memcmp(text.at, "reject:", 7))
		turned(text, e);
	else if (maillog_is(program, "smtpd") || maillog_is(program, "qmqpd"))
		client(text, MAILLOG_CLIENT, e);
	else if (maillog_is(program, "cleanup"))
		cleanup(agent, text, e);
	else if (maillog_is(program, "bounce"))
		bounce(text, e);
	else if (maillog_is(program, "qmgr") && maillog_is(text, "removed"))
		e->kind = MAILLOG_REMOVED;
	else if (!maillog_is(program, "qmgr") || !sender(text, e))
		maillog_delivery(agent, text, e);
}

void maillog_event(const struct maillog_line *line, const struct maillog_ways *ways,
		   struct maillog_event *e)
{
	struct maillog_span program, text = line->text;
	struct maillog_agent agent = {.ways = ways};

	memset(e, 0, sizeof(*e));
	e->age_s = REPORT_AGE_UNKNOWN;
	if (!take_ident(line->ident, &e->name, &program))
		return;
	if (maillog_is(program, "oqmgr"))
		program = (struct maillog_span){program.at + 1, program.size - 1};
	e->manager = maillog_is(program, "qmgr") || maillog_is(program, "master");
	if (maillog_is(program, "master") && maillog_skip(&text, "daemon started ")) {
		e->kind = MAILLOG_BEGUN;
		return;
	}
	if (!maillog_take_id(&text, &e->id) || !maillog_skip(&text, ": ")) {
		if (maillog_is(program, "smtpd"))
			proxied(text, e);
		return;
	}
	agent.program = program;
	agent.cut = line->text.size >= CUT_SIZE || !maillog_ends(text, ")");
	of_message(&agent, text, e);
}
