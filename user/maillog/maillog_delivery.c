/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * maillog_delivery.c - the line that each delivery daemon writes for each recipient (log_adhoc.c):
 *
 *	to=<R>, orig_to=<O>, relay=host[addr]:port, conn_use=2, delay=0.04, delays=0.01/0.03/0/0,
 *		dsn=5.1.1, status=bounced (host host[addr] said: 550 5.1.1 No (in reply to RCPT TO))
 *
 * It is read in every way that its grammar allows, and the worst for the sender counts: see
 * maillog_event.h.
 */
#include <string.h>
#include "core/delivery_report.h"
#include "maillog_event.h"

/* A line that is shorter is whole: no syslog(3) or syslogd(8) cuts it so early. */
#define UNCUT_SIZE 900

/* One way to read the line: Postfix's own words begin at ", relay=". */
struct reading {
	const char *begin; /* at the '>' before */
	bool none;	   /* relay=none */
	bool peer;	   /* relay=host[addr] */
	struct maillog_peer relay;
	int64_t age_s;
	uint16_t enhanced[3];
	struct maillog_span status;
	struct maillog_span text;
};

static bool is_word(char c)
{
	return (unsigned char)c > ' ' && c != ',';
}

static struct maillog_span take_word(struct maillog_span *s)
{
	struct maillog_span word = {s->at, 0};

	while (s->size > 0 && is_word(*s->at)) {
		s->at++;
		s->size--;
		word.size++;
	}
	return word;
}

/* "0.04" or "0.01/0.03/0/0" */
static bool skip_times(struct maillog_span *s)
{
	struct maillog_span word = take_word(s);
	size_t i;

	for (i = 0; i < word.size; i++)
		if (!strchr("0123456789./", word.at[i]))
			return false;
	return word.size > 0;
}

/* "7265", "0.04": since the message came to this host, in seconds, of which whole ones count. */
static bool take_delay(struct maillog_span *s, int64_t *age_s)
{
	struct maillog_span digits = *s;
	uint64_t seconds = 0;

	if (!skip_times(s))
		return false;
	*age_s = maillog_take_number(&digits, INT64_MAX, &seconds) ? (int64_t)seconds :
								     REPORT_AGE_UNKNOWN;
	return true;
}

static bool take_enhanced(struct maillog_span *s, uint16_t enhanced[3])
{
	uint64_t number;
	int i;

	for (i = 0; i < 3; i++) {
		if ((i > 0 && !maillog_skip(s, ".")) || !maillog_take_number(s, 999, &number))
			return false;
		enhanced[i] = number;
	}
	return true;
}

static bool take_relay(struct maillog_span *s, struct reading *r)
{
	struct maillog_span word = take_word(s);

	r->none = maillog_is(word, "none");
	r->peer = !r->none && maillog_take_peer(&word, &r->relay) && word.size == 0;
	return r->none || r->peer || word.size > 0;
}

/* ", NAME=VALUE" up to ", dsn=": Postfix 3.11 has ", tls=dane/requiretls" there, which is the policy
 * and not what was spoken, and later versions may have more. */
static void skip_unknown(struct maillog_span *s)
{
	struct maillog_span at = *s;
	struct maillog_span word;

	while (maillog_skip(&at, ", ") && !maillog_skip(&at, "dsn=")) {
		word = take_word(&at);
		if (!memchr(word.at, '=', word.size))
			return;
		*s = at;
	}
}

/* s: behind ", relay=" */
static bool take_reading(struct maillog_span s, struct reading *r)
{
	uint64_t uses;

	if (!take_relay(&s, r))
		return false;
	if (maillog_skip(&s, ", conn_use=") && !maillog_take_number(&s, UINT32_MAX, &uses))
		return false;
	if (!maillog_skip(&s, ", delay=") || !take_delay(&s, &r->age_s) ||
	    !maillog_skip(&s, ", delays=") || !skip_times(&s))
		return false;
	skip_unknown(&s);
	if (!maillog_skip(&s, ", dsn=") || !take_enhanced(&s, r->enhanced) ||
	    !maillog_skip(&s, ", status="))
		return false;
	r->status = take_word(&s);
	if (!maillog_skip(&s, " ("))
		return false;
	if (maillog_ends(s, ")"))
		s.size--;
	r->text = s;
	return true;
}

/* The next reading at or behind *at, which is moved past it. */
static bool next_reading(struct maillog_span s, const char **at, struct reading *r)
{
	static const char word[] = ">, relay=";
	const char *end = s.at + s.size;
	struct maillog_span behind;

	while ((*at = memmem(*at, end - *at, word, sizeof(word) - 1))) {
		memset(r, 0, sizeof(*r));
		r->begin = *at;
		*at += sizeof(word) - 1;
		behind = (struct maillog_span){*at, end - *at};
		if (take_reading(behind, r))
			return true;
	}
	return false;
}

/* "host mx[addr] said: 550 ..." and the other ways in which smtp(8) names whom it spoke to. What
 * follows the peer is left in *text. */
static bool take_named_peer(struct maillog_span *text, struct maillog_peer *peer)
{
	maillog_skip(text, "delivery temporarily suspended: ");
	return (maillog_skip(text, "host ") || maillog_skip(text, "connect to ") ||
		maillog_skip(text, "lost connection with ") ||
		maillog_skip(text, "conversation with ")) &&
	       maillog_take_peer(text, peer);
}

/* Not to another host: a filter on loopback, a socket below the queue directory. */
static bool is_at_home(const uint8_t addr[16])
{
	static const uint8_t none[16];

	return memcmp(addr, none, sizeof(none)) == 0 || maillog_is_loopback(addr);
}

bool maillog_is_refusal(struct maillog_span text)
{
	maillog_skip(&text, "5.7.1 ");
	if (!maillog_skip(&text, "Domain ") || take_word(&text).size == 0)
		return false;
	return maillog_skip(&text, " is not allowed to send mail at present.") ||
	       (maillog_skip(&text, " has exceeded the max defers and failures per hour (") &&
		maillog_last(text, ")) allowed."));
}

/* What Postfix says itself, without a host's reply. */
static enum own_fault fault_of(const struct reading *r)
{
	struct maillog_span text = r->text;

	if (maillog_is(r->status, "sent"))
		return OWN_FAULT_NONE;
	maillog_skip(&text, "delivery temporarily suspended: ");
	return own_fault_of_words(text.at, text.size);
}

/* A server of this host, or a filter, that did not answer: what it answered is its business. */
static enum maillog_fate at_home(struct maillog_span text, enum maillog_fate fate)
{
	maillog_skip(&text, "delivery temporarily suspended: ");
	return fate == MAILLOG_DEFERRED && (maillog_skip(&text, "connect to ") ||
					    maillog_skip(&text, "lost connection with ") ||
					    maillog_skip(&text, "conversation with ")) ?
		       MAILLOG_AT_HOME :
		       MAILLOG_NO_OUTCOME;
}

/* Postfix decided without asking a host: the domain cannot be delivered to, or its hosts failed a
 * short time ago. What this host itself lacks is no failure of the sender. */
static enum maillog_fate without_relay(const struct reading *r, enum maillog_fate fate)
{
	struct maillog_span text = r->text;
	struct maillog_peer peer;

	if (maillog_is_refusal(text))
		return MAILLOG_REFUSED;
	if (take_named_peer(&text, &peer))
		return is_at_home(peer.addr) ? at_home(r->text, fate) : fate;
	/* Whose mail the transport would have taken, is not told. */
	if (maillog_is(text, "mail transport unavailable") ||
	    maillog_is(text, "unknown mail transport error"))
		return MAILLOG_AT_HOME;
	return maillog_skip(&text, "User unknown in ") ? MAILLOG_NO_OUTCOME : fate;
}

/* Of a line about a delivery to another host, or one that was to be. */
static bool is_away(struct maillog_span program)
{
	return maillog_is(program, "smtp") || maillog_is(program, "error");
}

/* False: not one of Postfix's words. */
static bool take_status(struct maillog_span status, enum maillog_fate *fate)
{
	*fate = MAILLOG_NO_OUTCOME; /* of a probe */
	if (maillog_is(status, "sent"))
		*fate = MAILLOG_DELIVERED;
	else if (maillog_is(status, "deferred") || maillog_is(status, "SOFTBOUNCE"))
		*fate = MAILLOG_DEFERRED;
	else if (maillog_is(status, "bounced"))
		*fate = MAILLOG_FAILED;
	else
		return maillog_is(status, "deliverable") || maillog_is(status, "undeliverable");
	return true;
}

/* Of a server on loopback that is the way to another host: what that host said. If none answered,
 * it is the tunnel that fails. */
static bool is_answer(const struct reading *r)
{
	struct maillog_span text = r->text;
	struct maillog_peer peer;

	return maillog_is(r->status, "sent") ||
	       (take_named_peer(&text, &peer) && maillog_skip(&text, " said: "));
}

static enum maillog_fate fate_of(const struct maillog_agent *agent, const struct reading *r)
{
	struct maillog_span program = agent->program;
	enum maillog_fate fate;

	take_status(r->status, &fate);
	if (fate == MAILLOG_NO_OUTCOME)
		return fate;
	if (maillog_is(program, "cleanup"))
		return maillog_is_refusal(r->text) ? MAILLOG_REFUSED : MAILLOG_NO_OUTCOME;
	if (maillog_is(program, "lmtp"))
		return at_home(r->text, fate);
	if (!is_away(program) && !maillog_is(program, "qmgr"))
		return MAILLOG_NO_OUTCOME;
	if (r->none)
		return without_relay(r, fate);
	if (!r->peer)
		return MAILLOG_NO_OUTCOME;
	if (is_at_home(r->relay.addr) &&
	    !(maillog_ways_leaves(agent->ways, r->relay.addr, r->relay.port) && is_answer(r)))
		return at_home(r->text, fate);
	return fate;
}

/* "550 no (in reply to RCPT TO command)": the end is Postfix's. */
static void cut_command(struct maillog_span *text)
{
	const char *at = maillog_last(*text, " (in reply to ");

	if (at && maillog_ends(*text, " command)"))
		text->size = (size_t)(at - text->at);
}

/* Whom Postfix spoke to, or could not reach: what the text names where there is no relay. */
static void take_host(const struct maillog_peer *peer, struct maillog_event *e)
{
	e->host = peer->host;
	e->host_port = peer->port;
	memcpy(e->dest, peer->addr, sizeof(e->dest));
}

/* A reply stands behind the name of its host, or is the whole text of a delivery. Its code stands
 * at a place of its own, whatever the rest of the text is. */
static void take_text(const struct reading *r, struct maillog_event *e)
{
	static const char no_code[] = "a reply without a code";
	struct maillog_span text = r->text;
	struct maillog_peer peer;
	bool said = false;

	e->text = r->text;
	if (r->peer)
		take_host(&r->relay, e);
	if (take_named_peer(&text, &peer)) {
		if (!r->peer)
			take_host(&peer, e);
		if (!maillog_skip(&text, " said: ") &&
		    !maillog_skip(&text, " refused to talk to me: "))
			return;
		said = true;
	} else if (!r->peer) {
		return;
	}
	e->replied = delivery_report_is_code(text.at, text.size);
	/* Words without a code must not be taken for Postfix's own. */
	if (!e->replied && said)
		e->text = (struct maillog_span){no_code, sizeof(no_code) - 1};
	if (!e->replied)
		return;
	cut_command(&text);
	e->text = text;
}

/* All that an address could forge in its favour: an old age, a class that is nobody's failure. */
static void take_details(const struct reading *r, struct maillog_event *e)
{
	e->age_s = r->age_s;
	memcpy(e->enhanced, r->enhanced, sizeof(e->enhanced));
	e->fault = fault_of(r);
	take_text(r, e);
}

/* An address as they are, not one that was made to be misread. */
static bool is_plain(struct maillog_span address)
{
	size_t ats = 0;
	size_t i;

	for (i = 0; i < address.size; i++) {
		ats += address.at[i] == '@';
		if ((unsigned char)address.at[i] <= ' ' || strchr("<>,()\"\\", address.at[i]))
			return false;
	}
	return address.size > 0 && ats <= 1;
}

/*
 * "R" or "R>, orig_to=<O". One address may hold the whole of that, and claim so to be redirected: but
 * then its syntax is bad, and it is not made of two plain addresses.
 */
static void take_recipient(struct maillog_span s, const struct reading *r, struct maillog_event *e)
{
	static const char word[] = ">, orig_to=<";
	const char *at = memmem(s.at, s.size, word, sizeof(word) - 1);
	struct maillog_span rcpt, orig;

	e->rcpt = s;
	if (!at)
		return;
	rcpt = (struct maillog_span){s.at, at - s.at};
	orig.at = at + sizeof(word) - 1;
	orig.size = s.at + s.size - orig.at;
	if (!is_plain(rcpt) || !is_plain(orig) || maillog_is(r->text, "bad address syntax"))
		return;
	e->rcpt = rcpt;
	e->orig = orig;
}

/* What another message of ours it has become. Only local(8)'s own words, and those of a server on
 * loopback, are believed. */
static void take_successor(struct maillog_span program, const struct reading *r,
			   struct maillog_event *e)
{
	static const char queued[] = "queued as ";
	struct maillog_span text = r->text;
	const char *at;

	if (!maillog_is(r->status, "sent"))
		return;
	e->piped = maillog_is(program, "pipe");
	if (maillog_is(program, "local") && maillog_skip(&text, "forwarded as ")) {
		e->forwarded = maillog_take_id(&text, &e->other) && text.size == 0;
		return;
	}
	at = maillog_last(text, queued);
	if (!r->peer || !maillog_is_loopback(r->relay.addr))
		return;
	if (maillog_is(program, "smtp")) {
		e->looped = true;
		take_host(&r->relay, e);
	}
	if (!maillog_is(program, "smtp") && !maillog_is(program, "lmtp"))
		return;
	if (!at)
		return;
	text.size -= at + sizeof(queued) - 1 - text.at;
	text.at = at + sizeof(queued) - 1;
	e->filtered = maillog_take_id(&text, &e->other) && text.size == 0;
}

/* Behind a quoted local part, where there is one. Postfix before 3.5 quotes nothing: then a quote
 * means nothing, and this only chooses between readings of the same outcome. */
static const char *behind_quotes(struct maillog_span s)
{
	size_t i;

	if (s.size == 0 || s.at[0] != '"')
		return s.at;
	for (i = 1; i < s.size && s.at[i] != '"'; i++)
		i += s.at[i] == '\\';
	return s.at + (i < s.size ? i : 0);
}

/* The end of the line is missing. An address that nobody would take for its length may have pushed
 * it out: a delivery to another host of which the line does not show the outcome counts as bad. */
static void not_good(struct maillog_event *e)
{
	if (e->away)
		e->fate = MAILLOG_DEFERRED;
}

void maillog_delivery(const struct maillog_agent *agent, struct maillog_span s,
		      struct maillog_event *e)
{
	struct reading r, worst;
	const char *at, *quoted;
	enum maillog_fate fate;
	size_t size = s.size;
	int readings = 0;

	if (!maillog_skip(&s, "to=<"))
		return;
	e->away = is_away(agent->program);
	quoted = behind_quotes(s);
	at = s.at;
	e->unread = size < UNCUT_SIZE;
	while (next_reading(s, &at, &r)) {
		e->unread &= !take_status(r.status, &fate);
		fate = fate_of(agent, &r);
		if (readings++ == 0 || fate > e->fate ||
		    (fate == e->fate && worst.begin < quoted && r.begin > quoted)) {
			e->fate = fate;
			worst = r;
		}
	}
	e->kind = MAILLOG_RECIPIENT;
	if (readings == 0) {
		e->rcpt = s;
	} else {
		take_recipient((struct maillog_span){s.at, worst.begin - s.at}, &worst, e);
		if (readings == 1 && !agent->cut)
			take_details(&worst, e);
		if (readings == 1)
			take_successor(agent->program, &worst, e);
	}
	if (agent->cut && !e->unread && (readings == 0 || e->fate == MAILLOG_DELIVERED))
		not_good(e);
}
