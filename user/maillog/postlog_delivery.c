/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * postlog_delivery.c - the line that each delivery agent writes for each recipient (log_adhoc.c):
 *
 *	to=<R>, orig_to=<O>, relay=host[addr]:port, conn_use=2, delay=0.04, delays=0.01/0.03/0/0,
 *		dsn=5.1.1, status=bounced (host host[addr] said: 550 5.1.1 No (in reply to RCPT TO))
 *
 * All its readings are looked at, and the worst for the sender is taken: see postlog_event.h.
 */
#include <string.h>
#include "postlog_event.h"

/* One way to read the line: Postfix's own words begin at ", relay=". */
struct reading {
	const char *begin; /* at the '>' before */
	bool none;         /* relay=none */
	bool peer;         /* relay=host[addr] */
	uint8_t addr[16];
	uint16_t enhanced[3];
	struct postlog_span status;
	struct postlog_span text;
};

static bool is_word(char c)
{
	return (unsigned char)c > ' ' && c != ',';
}

static struct postlog_span take_word(struct postlog_span *s)
{
	struct postlog_span word = {s->at, 0};

	while (s->size > 0 && is_word(*s->at)) {
		s->at++;
		s->size--;
		word.size++;
	}
	return word;
}

/* "0.04" or "0.01/0.03/0/0" */
static bool skip_times(struct postlog_span *s)
{
	struct postlog_span word = take_word(s);
	size_t i;

	for (i = 0; i < word.size; i++)
		if (!strchr("0123456789./", word.at[i]))
			return false;
	return word.size > 0;
}

static bool take_enhanced(struct postlog_span *s, uint16_t enhanced[3])
{
	uint64_t number;
	int i;

	for (i = 0; i < 3; i++) {
		if ((i > 0 && !postlog_skip(s, ".")) || !postlog_take_number(s, 999, &number))
			return false;
		enhanced[i] = number;
	}
	return true;
}

static bool take_relay(struct postlog_span *s, struct reading *r)
{
	struct postlog_span word = take_word(s);
	uint32_t port;

	r->none = postlog_is(word, "none");
	r->peer = !r->none && postlog_take_peer(&word, r->addr, &port) && word.size == 0;
	return r->none || r->peer || word.size > 0;
}

/* s: behind ", relay=" */
static bool take_reading(struct postlog_span s, struct reading *r)
{
	uint64_t uses;

	if (!take_relay(&s, r))
		return false;
	if (postlog_skip(&s, ", conn_use=") && !postlog_take_number(&s, UINT32_MAX, &uses))
		return false;
	if (!postlog_skip(&s, ", delay=") || !skip_times(&s) || !postlog_skip(&s, ", delays=") ||
	    !skip_times(&s) || !postlog_skip(&s, ", dsn=") || !take_enhanced(&s, r->enhanced) ||
	    !postlog_skip(&s, ", status="))
		return false;
	r->status = take_word(&s);
	if (!postlog_skip(&s, " ("))
		return false;
	if (postlog_ends(s, ")"))
		s.size--;
	r->text = s;
	return true;
}

/* The next reading at or behind *at, which is moved past it. */
static bool next_reading(struct postlog_span s, const char **at, struct reading *r)
{
	static const char word[] = ">, relay=";
	const char *end = s.at + s.size;
	struct postlog_span behind;

	while ((*at = memmem(*at, end - *at, word, sizeof(word) - 1))) {
		memset(r, 0, sizeof(*r));
		r->begin = *at;
		*at += sizeof(word) - 1;
		behind = (struct postlog_span){*at, end - *at};
		if (take_reading(behind, r))
			return true;
	}
	return false;
}

/* "host mx[addr] said: 550 ..." and the other ways in which smtp(8) names whom it spoke to. What
 * follows the peer is left in *text. */
static bool take_named_peer(struct postlog_span *text, uint8_t addr[16])
{
	uint32_t port;

	postlog_skip(text, "delivery temporarily suspended: ");
	return (postlog_skip(text, "host ") || postlog_skip(text, "connect to ") ||
		postlog_skip(text, "lost connection with ") ||
		postlog_skip(text, "conversation with ")) &&
	       postlog_take_peer(text, addr, &port);
}

/* Not to another host: a filter on loopback, a socket below the queue directory. */
static bool is_at_home(const uint8_t addr[16])
{
	static const uint8_t none[16];

	return memcmp(addr, none, sizeof(none)) == 0 || postlog_is_loopback(addr);
}

bool postlog_is_refusal(struct postlog_span text)
{
	static const char words[] = " has exceeded the max defers and failures per hour (";

	postlog_skip(&text, "5.7.1 ");
	return postlog_skip(&text, "Domain ") && take_word(&text).size > 0 &&
	       postlog_skip(&text, words) && postlog_last(text, ")) allowed.");
}

/* Found wanting before any host was asked, or passed over because one was found so lately. What the
 * host itself lacks is nobody's failure. */
static enum postlog_fate without_relay(const struct reading *r, enum postlog_fate fate)
{
	struct postlog_span text = r->text;
	uint8_t addr[16];

	if (postlog_is_refusal(text))
		return POSTLOG_REFUSED;
	if (take_named_peer(&text, addr))
		return is_at_home(addr) ? POSTLOG_NO_OUTCOME : fate;
	if (postlog_skip(&text, "User unknown in ") || postlog_skip(&text, "mail transport unavailable") ||
	    postlog_skip(&text, "unknown mail transport error"))
		return POSTLOG_NO_OUTCOME;
	return fate;
}

static enum postlog_fate fate_of(struct postlog_span program, const struct reading *r)
{
	enum postlog_fate fate = POSTLOG_NO_OUTCOME;

	if (postlog_is(r->status, "sent"))
		fate = POSTLOG_DELIVERED;
	else if (postlog_is(r->status, "deferred") || postlog_is(r->status, "SOFTBOUNCE"))
		fate = POSTLOG_DEFERRED;
	else if (postlog_is(r->status, "bounced"))
		fate = POSTLOG_FAILED;
	if (fate == POSTLOG_NO_OUTCOME)
		return fate;
	if (postlog_is(program, "cleanup"))
		return postlog_is_refusal(r->text) ? POSTLOG_REFUSED : POSTLOG_NO_OUTCOME;
	if (!postlog_is(program, "smtp") && !postlog_is(program, "error") &&
	    !postlog_is(program, "qmgr"))
		return POSTLOG_NO_OUTCOME;
	if (r->none)
		return without_relay(r, fate);
	return r->peer && !is_at_home(r->addr) ? fate : POSTLOG_NO_OUTCOME;
}

/* The reply's code stands at a place of its own, whatever the rest of the text says. */
static void take_code(const struct reading *r, struct postlog_event *e)
{
	struct postlog_span text = r->text;
	uint8_t addr[16];
	uint64_t code;

	e->text = r->text;
	if (take_named_peer(&text, addr)) {
		if (!postlog_skip(&text, " said: ") &&
		    !postlog_skip(&text, " refused to talk to me: "))
			return;
	} else if (!r->peer) {
		return;
	}
	if (text.size < 3 || !postlog_take_number(&text, 599, &code) || code < 200)
		return;
	e->code = code;
	e->text = (struct postlog_span){text.at - 3, text.size + 3};
}

/* An address as they are, not one that was made to be misread. */
static bool is_plain(struct postlog_span address)
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
 * "R" or "R>, orig_to=<O". An address whose syntax is bad may say so of itself; no other that
 * pretends to have been redirected consists of two plain ones.
 */
static void take_recipient(struct postlog_span s, const struct reading *r, struct postlog_event *e)
{
	static const char word[] = ">, orig_to=<";
	const char *at = memmem(s.at, s.size, word, sizeof(word) - 1);
	struct postlog_span rcpt, orig;

	e->rcpt = s;
	if (!at)
		return;
	rcpt = (struct postlog_span){s.at, at - s.at};
	orig.at = at + sizeof(word) - 1;
	orig.size = s.at + s.size - orig.at;
	if (!is_plain(rcpt) || !is_plain(orig) || postlog_is(r->text, "bad address syntax"))
		return;
	e->rcpt = rcpt;
	e->orig = orig;
}

/* What another message of ours it has become. Only local(8)'s own words, and those of a server on
 * loopback, are believed. */
static void take_successor(struct postlog_span program, const struct reading *r,
			   struct postlog_event *e)
{
	static const char queued[] = "queued as ";
	struct postlog_span text = r->text;
	const char *at;

	if (!postlog_is(r->status, "sent"))
		return;
	if (postlog_is(program, "local") && postlog_skip(&text, "forwarded as ")) {
		e->forwarded = postlog_take_id(&text, &e->other) && text.size == 0;
		return;
	}
	at = postlog_last(text, queued);
	if (!r->peer || !postlog_is_loopback(r->addr) || !at)
		return;
	if (!postlog_is(program, "smtp") && !postlog_is(program, "lmtp"))
		return;
	text.size -= at + sizeof(queued) - 1 - text.at;
	text.at = at + sizeof(queued) - 1;
	e->filtered = postlog_take_id(&text, &e->other) && text.size == 0;
}

/* Behind a quoted local part, where there is one. Postfix before 3.5 quotes nothing: then it means
 * nothing, so it chooses between readings that say the same, and no more. */
static const char *behind_quotes(struct postlog_span s)
{
	size_t i;

	if (s.size == 0 || s.at[0] != '"')
		return s.at;
	for (i = 1; i < s.size && s.at[i] != '"'; i++)
		i += s.at[i] == '\\';
	return s.at + (i < s.size ? i : 0);
}

/* The end of the line is missing. An address that nobody would take for its length may have pushed
 * it out: what an agent for other hosts could not say of it was not good. */
static void not_good(struct postlog_span program, struct postlog_event *e)
{
	if (!postlog_is(program, "smtp") && !postlog_is(program, "error"))
		return;
	e->fate = POSTLOG_DEFERRED;
	memset(e->enhanced, 0, sizeof(e->enhanced));
}

void postlog_delivery(struct postlog_span program, struct postlog_span s, bool cut,
		      struct postlog_event *e)
{
	struct reading r, worst;
	const char *at, *quoted;
	enum postlog_fate fate;
	int readings = 0;

	if (!postlog_skip(&s, "to=<"))
		return;
	quoted = behind_quotes(s);
	at = s.at;
	while (next_reading(s, &at, &r)) {
		fate = fate_of(program, &r);
		if (readings++ == 0 || fate > e->fate ||
		    (fate == e->fate && worst.begin < quoted && r.begin > quoted)) {
			e->fate = fate;
			worst = r;
		}
	}
	e->kind = POSTLOG_RECIPIENT;
	if (readings == 0) {
		e->rcpt = s;
	} else {
		memcpy(e->enhanced, worst.enhanced, sizeof(e->enhanced));
		memcpy(e->dest, worst.addr, sizeof(e->dest));
		take_code(&worst, e);
		take_recipient((struct postlog_span){s.at, worst.begin - s.at}, &worst, e);
		if (readings == 1)
			take_successor(program, &worst, e);
	}
	if (cut && (readings == 0 || e->fate == POSTLOG_DELIVERED))
		not_good(program, e);
}
