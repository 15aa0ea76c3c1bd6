/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * smtp_tls.h - part of smtp.h: how the parser goes on inside TLS, and how it gets into step with a
 * session whose plaintext is seen from the middle on only. Fed by chunks, as the program handed
 * them to its TLS library: a client's chunk begins where a line begins, unless it is of a message
 * body.
 *
 *	the probes came       first chunk             then
 *	before any plaintext  any (handshake was seen)  in step
 *	before EHLO           client: EHLO              in step
 *	later                 client: MAIL, RSET        in step from there on, unknown before
 *	later                 anything else             late: RCPT lines are unknown attempts, until
 *	                                                a chunk with MAIL, RSET or EHLO follows a
 *	                                                reply that asks for nothing
 *	but missed a stretch                            likewise, from there on
 */
#ifndef SMTPL_SMTP_TLS_H
#define SMTPL_SMTP_TLS_H

enum smtp_tls_phase {
	SMTP_TLS_NEW = 0, /* no plaintext was seen */
	SMTP_TLS_IN_STEP,
	SMTP_TLS_BEHIND, /* late, and not yet at a boundary */
};

/* What a chunk means besides its content: or-ed. */
enum smtp_tls_event {
	SMTP_TLS_LATE = 1,    /* the session turns out to be late; once a session */
	SMTP_TLS_UNKNOWN = 2, /* one attempt of it was not seen */
	SMTP_TLS_SKIP = 4,    /* not to be fed: it is not known what it is */
};

struct smtp_tls {
	__u8 phase; /* enum smtp_tls_phase */
	__u8 whole; /* the handshake was seen */
	__u8 late;
	__u8 missed;	/* behind: something was under way that nobody counted */
	__u8 counted;	/* behind: attempts were counted as unknown */
	__u8 ready;	/* behind: the reply read last asks for nothing */
	__u8 challenge; /* behind: it asks for a line of AUTH */
	__u8 more;	/* behind: it has several lines */
	__u8 lmtp;	/* it has several replies to a message: never in step again once behind */
};

/* The parser as it is before EHLO (greeted) or before the greeting, with nothing pending. Numbers
 * of transactions go on. */
SMTP_INLINE void smtp_tls_reset(struct smtp_session *ss, __u32 greeted)
{
	struct smtp_client *c = &ss->c;
	struct smtp_server *s = &ss->s;

	c->paired = c->txn;
	c->mode = SMTP_MODE_COMMAND;
	c->line = SMTP_LINE_START;
	c->cr = 0;
	c->match = 0;
	c->early_body = 0;
	c->desync = 0;
	c->opaque = 0;
	c->hello = 0;
	c->quit = 0;
	c->word = 0;
	c->chunk = 0;
	s->txn = c->txn;
	s->popped = c->pushed;
	s->datas = c->datas;
	s->early_data = 0;
	s->answered = 0;
	s->accepted = 0;
	s->prdr_next = 0;
	s->reply_bytes = 0;
	s->held_code = 0;
	s->greeted = greeted;
	s->open = 0;
	s->data_go = 0;
	s->quit_done = 0;
	s->opaque = 0;
	s->desync = 0;
	s->auth_more = 0;
	s->line = 0;
	s->begun = 0;
	s->more = 0;
}

/* The session has turned to TLS, and its plaintext is what comes next. Behind STARTTLS the server
 * says nothing before EHLO; where TLS came first it greets. */
SMTP_API __u32 smtp_tls_begin(struct smtp_session *ss)
{
	if (ss)
		smtp_tls_reset(ss, !ss->c.hello);
	return 0;
}

SMTP_INLINE void smtp_tls_fall_behind(struct smtp_tls *t, struct smtp_session *ss)
{
	t->phase = SMTP_TLS_BEHIND;
	t->missed = 0;
	t->ready = 0;
	t->challenge = 0;
	t->more = 0;
	ss->c.desync = 1;
	ss->s.desync = 1;
}

SMTP_INLINE __u32 smtp_tls_come_late(struct smtp_tls *t, struct smtp_session *ss)
{
	t->late = 1;
	smtp_tls_fall_behind(t, ss);
	return SMTP_TLS_LATE;
}

/* `word`: the first eight bytes of a chunk in upper case, the first one highest; zero where it is
 * shorter. */
SMTP_INLINE __u32 smtp_tls_is_hello(__u64 word)
{
	__u64 five = word >> 24;

	return five == (SMTP_WORD4('E', 'H', 'L', 'O') << 8 | ' ') ||
	       five == (SMTP_WORD4('H', 'E', 'L', 'O') << 8 | ' ');
}

SMTP_INLINE __u32 smtp_tls_is_boundary(__u64 word)
{
	return smtp_tls_is_hello(word) ||
	       word == (SMTP_WORD4('M', 'A', 'I', 'L') << 32 | SMTP_WORD4(' ', 'F', 'R', 'O')) ||
	       word >> 16 == (SMTP_WORD4('R', 'S', 'E', 'T') << 16 | '\r' << 8 | '\n');
}

/* A stretch of the plaintext may be missing: what is under way becomes unknown. 1: s.decision holds
 * what was undecided. */
SMTP_API __u32 smtp_tls_gap(struct smtp_tls *t, struct smtp_session *ss)
{
	if (!t || !ss || t->phase != SMTP_TLS_IN_STEP)
		return 0;
	t->counted = smtp_session_desync(ss) != SMTP_SERVER_NONE;
	smtp_tls_fall_behind(t, ss);
	return t->counted;
}

/* Reads a reply of which it is not known what it answers. */
SMTP_INLINE void smtp_tls_read_behind(struct smtp_tls *t, __u64 word)
{
	__u32 first = word >> 56, second = word >> 48 & 0xff, fourth = word >> 32 & 0xff;
	__u32 greeting = word >> 40 == SMTP_WORD4(0, '2', '2', '0');

	t->ready = first == '2' || first == '4' || first == '5';
	t->challenge = word >> 40 == SMTP_WORD4(0, '3', '3', '4');
	/* x3z answers AUTH (RFC 5321 4.2.1, RFC 4954 6), and a reply of several lines EHLO. */
	if (t->ready && !greeting && second != '3' && fourth != '-' && !t->more)
		t->missed = 1;
	t->more = fourth == '-';
}

/* A reply came that answers no known command: the command was missed. To be called when the reply
 * was fed. 1: the session was in step, and is no more. */
SMTP_API __u32 smtp_tls_out_of_step(struct smtp_tls *t, struct smtp_session *ss, __u64 word)
{
	__u32 counted;

	if (!t || !ss || t->phase != SMTP_TLS_IN_STEP)
		return 0;
	counted = ss->s.decision.outcome != SMTP_OUTCOME_NONE;
	smtp_tls_fall_behind(t, ss);
	smtp_tls_read_behind(t, word);
	t->counted = counted;
	t->missed = 1;
	return 1;
}

/* The client's one chunk so far was EHLO, and the session was not known yet. */
SMTP_API __u32 smtp_tls_said_hello(struct smtp_tls *t, struct smtp_session *ss)
{
	if (!t || !ss || t->phase != SMTP_TLS_NEW)
		return 0;
	t->phase = SMTP_TLS_IN_STEP;
	ss->s.greeted = 1;
	smtp_push(ss, SMTP_EHLO);
	return 0;
}

/* One unknown attempt, for what was under way and not counted. */
SMTP_INLINE __u32 smtp_tls_settle(struct smtp_tls *t)
{
	__u32 unknown = t->phase == SMTP_TLS_BEHIND && t->missed && !t->counted;

	t->missed = 0;
	t->counted = 0;
	return unknown ? SMTP_TLS_UNKNOWN : 0;
}

/* A client's chunk where the replies are not in step with the commands. `first`: of the session. */
SMTP_INLINE __u32 smtp_tls_wrote_behind(struct smtp_tls *t, struct smtp_session *ss, __u64 word,
					__u32 first)
{
	__u32 event, ready = t->ready || first, challenge = t->challenge;

	t->ready = 0;
	t->challenge = 0;
	if (ready && !t->lmtp && smtp_tls_is_boundary(word)) {
		event = smtp_tls_settle(t);
		t->phase = SMTP_TLS_IN_STEP;
		smtp_tls_reset(ss, 1);
		return event;
	}
	if (word == (SMTP_WORD4('R', 'C', 'P', 'T') << 32 | SMTP_WORD4(' ', 'T', 'O', ':'))) {
		t->counted = 1;
		return 0;
	}
	if (!challenge && word >> 32 != SMTP_WORD4('A', 'U', 'T', 'H'))
		t->missed = 1;
	return SMTP_TLS_SKIP;
}

/* The client has written a chunk. To be called before it is fed. Returns enum smtp_tls_event,
 * or-ed. */
SMTP_API __u32 smtp_tls_wrote(struct smtp_tls *t, struct smtp_session *ss, __u64 word)
{
	__u32 event = 0, first;

	if (!t || !ss)
		return 0;
	if (word >> 24 == (SMTP_WORD4('L', 'H', 'L', 'O') << 8 | ' '))
		t->lmtp = 1;
	first = t->phase == SMTP_TLS_NEW;
	if (first && (t->whole || smtp_tls_is_hello(word))) {
		t->phase = SMTP_TLS_IN_STEP;
		if (!t->whole)
			ss->s.greeted = 1;
		return 0;
	}
	if (first)
		event = smtp_tls_come_late(t, ss);
	if (t->phase == SMTP_TLS_BEHIND)
		event |= smtp_tls_wrote_behind(t, ss, word, first);
	return event;
}

/* The server's chunk, likewise. */
SMTP_API __u32 smtp_tls_read(struct smtp_tls *t, struct smtp_session *ss, __u64 word)
{
	__u32 event = 0;

	if (!t || !ss)
		return 0;
	if (t->phase == SMTP_TLS_NEW) {
		if (t->whole || (!ss->s.greeted && word >> 40 == SMTP_WORD4(0, '2', '2', '0')))
			t->phase = SMTP_TLS_IN_STEP;
		else
			event = smtp_tls_come_late(t, ss);
	}
	if (t->phase == SMTP_TLS_BEHIND)
		smtp_tls_read_behind(t, word);
	return event;
}

/* The session is over. Returns SMTP_TLS_UNKNOWN or 0. */
SMTP_API __u32 smtp_tls_over(struct smtp_tls *t)
{
	return t ? smtp_tls_settle(t) : 0;
}

#endif
