/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * postlog_event.c - the messages that say where a message came from and when it is gone. Who knows
 * what of them: pickup(8), smtpd(8), cleanup(8), qmgr(8), bounce(8), master(8).
 *
 * Addresses are taken from the side where nothing but Postfix's own words lie between them and the
 * end of the line.
 */
#include <string.h>
#include "postlog_event.h"

/* msg_syslog.c cuts the text there. */
#define CUT_SIZE 2000

/* "<...>" as the whole span: what lies between. */
static bool in_angles(struct postlog_span s, struct postlog_span *inside)
{
	if (s.size < 2 || s.at[0] != '<' || s.at[s.size - 1] != '>')
		return false;
	*inside = (struct postlog_span){s.at + 1, s.size - 2};
	return true;
}

/* Cut at `at`, keep what lies before; *behind gets what follows `word`. */
static void split(struct postlog_span *s, const char *at, const char *word,
		  struct postlog_span *behind)
{
	size_t skipped = at - s->at + strlen(word);

	*behind = (struct postlog_span){s->at + skipped, s->size - skipped};
	s->size = at - s->at;
}

/* "uid=1001 from=<alice@example.com>"; requeued by postsuper: ... " orig_id=9F5D65B" */
static void pickup(struct postlog_span s, struct postlog_event *e)
{
	struct postlog_span behind;
	const char *at;
	uint64_t uid;

	if (!postlog_skip(&s, "uid=") || !postlog_take_number(&s, UINT32_MAX, &uid) ||
	    !postlog_skip(&s, " from="))
		return;
	at = postlog_last(s, "> orig_id=");
	if (at && !postlog_ends(s, ">")) {
		split(&s, at + 1, " orig_id=", &behind);
		if (!postlog_take_id(&behind, &e->other) || behind.size > 0)
			return;
	}
	if (!in_angles(s, &e->sender))
		return;
	e->uid = uid;
	e->kind = POSTLOG_SUBMITTED;
}

/*
 * ", sasl_method=PLAIN, sasl_username=alice@example.com"; then ", sasl_sender=<...>", which the client
 * chooses, but as xtext (RFC 4954), which has no blank: so it is taken off from the right. What an
 * XFORWARD told, ", orig_client=" and ", orig_queue_id=", is not believed: where it is allowed for
 * loopback, as filters need it, every customer can use it.
 */
static void sasl(struct postlog_span s, struct postlog_event *e)
{
	struct postlog_span behind;
	const char *at;

	if (!postlog_skip(&s, ", sasl_method="))
		return;
	while (s.size > 0 && *s.at != ',') {
		s.at++;
		s.size--;
	}
	if (!postlog_skip(&s, ", sasl_username="))
		return;
	at = postlog_last(s, ", sasl_sender=");
	if (at) {
		e->auth = s;
		split(&e->auth, at, ", sasl_sender=", &behind);
		if (!memchr(behind.at, ' ', behind.size))
			return;
	}
	e->auth = s;
}

/* "client=mx.example.com[192.0.2.1]:46572, sasl_method=..." */
static void client(struct postlog_span s, struct postlog_event *e)
{
	if (!postlog_skip(&s, "client="))
		return;
	e->kind = POSTLOG_CLIENT;
	if (postlog_take_peer(&s, e->client, &e->port))
		sasl(s, e);
}

/* "reject: header Subject: ... from local; from=<a@b> to=<c@d>: 5.7.1 Domain ...": the header and the
 * addresses are a customer's, the end is ours. */
static void cleanup(struct postlog_span program, struct postlog_span s, struct postlog_event *e)
{
	struct postlog_span behind;
	const char *at;

	if (postlog_skip(&s, "message-id=")) {
		e->kind = POSTLOG_MADE;
		return;
	}
	if (!postlog_skip(&s, "reject: ")) {
		postlog_delivery(program, s, false, e);
		return;
	}
	at = postlog_last(s, ": 5.7.1 Domain ");
	if (!at)
		return;
	split(&s, at, ": 5.7.1 ", &behind);
	if (!postlog_is_refusal(behind) || postlog_last(behind, "; from=<"))
		return;
	e->kind = POSTLOG_REJECTED;
	e->text = behind;
}

/* "from=<S>, size=241, nrcpt=3 (queue active)" or "from=<S>, status=expired, returned to sender" */
static bool sender(struct postlog_span s, struct postlog_event *e)
{
	const char *at = NULL;

	if (!postlog_skip(&s, "from="))
		return false;
	if (postlog_ends(s, " (queue active)"))
		at = postlog_last(s, ">, size=");
	else if (postlog_ends(s, ", returned to sender"))
		at = postlog_last(s, ">, status=");
	if (!at)
		return true;
	s.size = at + 1 - s.at;
	if (in_angles(s, &e->sender))
		e->kind = POSTLOG_SENDER;
	return true;
}

/* "sender non-delivery notification: AAABC74" and its like */
static void bounce(struct postlog_span s, struct postlog_event *e)
{
	struct postlog_span behind;
	const char *at = postlog_last(s, " notification: ");

	if (!at)
		return;
	split(&s, at, " notification: ", &behind);
	if (postlog_take_id(&behind, &e->other) && behind.size == 0)
		e->kind = POSTLOG_NOTICE;
}

/* "postfix-out/submission/smtpd": instance "postfix-out", program "smtpd" */
static bool take_ident(struct postlog_span ident, struct postlog_span *instance,
		       struct postlog_span *program)
{
	const char *first = memchr(ident.at, '/', ident.size);
	const char *last;

	if (!first || ident.size < 7 || memcmp(ident.at, "postfix", 7) != 0)
		return false;
	last = memrchr(ident.at, '/', ident.size);
	*instance = (struct postlog_span){ident.at, first - ident.at};
	*program = (struct postlog_span){last + 1, ident.at + ident.size - last - 1};
	return true;
}

void postlog_event(struct postlog_span ident, struct postlog_span text, struct postlog_event *e)
{
	bool cut = text.size >= CUT_SIZE || !postlog_ends(text, ")");
	struct postlog_span program;

	memset(e, 0, sizeof(*e));
	if (!take_ident(ident, &e->instance, &program))
		return;
	if (postlog_is(program, "master") && postlog_skip(&text, "daemon started ")) {
		e->kind = POSTLOG_BEGUN;
		return;
	}
	if (!postlog_take_id(&text, &e->id) || !postlog_skip(&text, ": "))
		return;
	if (postlog_is(program, "pickup"))
		pickup(text, e);
	else if (postlog_is(program, "smtpd") || postlog_is(program, "qmqpd"))
		client(text, e);
	else if (postlog_is(program, "cleanup"))
		cleanup(program, text, e);
	else if (postlog_is(program, "bounce"))
		bounce(text, e);
	else if (postlog_is(program, "qmgr") && postlog_is(text, "removed"))
		e->kind = POSTLOG_REMOVED;
	else if (!postlog_is(program, "qmgr") || !sender(text, e))
		postlog_delivery(program, text, cut, e);
}
