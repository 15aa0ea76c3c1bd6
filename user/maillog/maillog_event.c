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
static void client(struct maillog_span s, struct maillog_event *e)
{
	struct maillog_peer peer;

	if (!maillog_skip(&s, "client="))
		return;
	e->kind = MAILLOG_CLIENT;
	if (!maillog_take_peer(&s, &peer))
		return;
	memcpy(e->client, peer.addr, sizeof(e->client));
	e->port = peer.port;
	sasl(s, e);
}

/* "reject: header Subject: ... from local; from=<a@b> to=<c@d>: 5.7.1 Domain ...": the header and
 * the addresses are a customer's, the end is ours. */
static void cleanup(struct maillog_span program, struct maillog_span s, struct maillog_event *e)
{
	struct maillog_span behind;
	const char *at;

	if (maillog_skip(&s, "message-id=")) {
		e->kind = MAILLOG_MADE;
		return;
	}
	if (!maillog_skip(&s, "reject: ")) {
		maillog_delivery(program, s, false, e);
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

/* "sender non-delivery notification: AAABC74" and its like */
static void bounce(struct maillog_span s, struct maillog_event *e)
{
	struct maillog_span behind;
	const char *at = maillog_last(s, " notification: ");

	if (!at)
		return;
	split(&s, at, " notification: ", &behind);
	if (maillog_take_id(&behind, &e->other) && behind.size == 0)
		e->kind = MAILLOG_NOTICE;
}

/* "postfix-out/submission/smtpd": instance "postfix-out", program "smtpd" */
static bool take_ident(struct maillog_span ident, struct maillog_span *instance,
		       struct maillog_span *program)
{
	const char *first = memchr(ident.at, '/', ident.size);
	const char *last;

	if (!first || ident.size < 7 || memcmp(ident.at, "postfix", 7) != 0)
		return false;
	last = memrchr(ident.at, '/', ident.size);
	*instance = (struct maillog_span){ident.at, first - ident.at};
	*program = (struct maillog_span){last + 1, ident.at + ident.size - last - 1};
	return true;
}

void maillog_event(struct maillog_span ident, struct maillog_span text, struct maillog_event *e)
{
	bool cut = text.size >= CUT_SIZE || !maillog_ends(text, ")");
	struct maillog_span program;

	memset(e, 0, sizeof(*e));
	e->age_s = REPORT_AGE_UNKNOWN;
	if (!take_ident(ident, &e->instance, &program))
		return;
	if (maillog_is(program, "master") && maillog_skip(&text, "daemon started ")) {
		e->kind = MAILLOG_BEGUN;
		return;
	}
	if (!maillog_take_id(&text, &e->id) || !maillog_skip(&text, ": "))
		return;
	if (maillog_is(program, "pickup"))
		pickup(text, e);
	else if (maillog_is(program, "smtpd") || maillog_is(program, "qmqpd"))
		client(text, e);
	else if (maillog_is(program, "cleanup"))
		cleanup(program, text, e);
	else if (maillog_is(program, "bounce"))
		bounce(text, e);
	else if (maillog_is(program, "qmgr") && maillog_is(text, "removed"))
		e->kind = MAILLOG_REMOVED;
	else if (!maillog_is(program, "qmgr") || !sender(text, e))
		maillog_delivery(program, text, cut, e);
}
