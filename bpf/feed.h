/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * feed.h - feeds a stretch of payload to the parser, byte by byte but for what carries no command:
 * BDAT chunks are left out by their length, and of a message body in DATA only the first bytes and
 * the end of each segment are read (see feed_tail_suspicious). The end of data that stands in the
 * middle of a segment, with commands pipelined behind it, is found because the segment then ends
 * with a command line, or a part of one.
 */
#ifndef SMTPL_FEED_H
#define SMTPL_FEED_H

#include "emit.h"

#define FEED_ROUNDS 8        /* stretches left out in one segment; after that all bytes are read */
#define FEED_BODY_HEAD 4     /* the end of data that began in the segment before ends here */
#define FEED_BODY_SHORT 96   /* bodies up to this are read whole */
#define FEED_END_OF_DATA 5   /* CRLF . CRLF */

struct feed {
	struct __sk_buff *skb;
	struct smtpl_session *s;
};

static __always_inline void feed_start(struct session_cursor *c, __u32 off, __u32 len)
{
	__builtin_memset(c, 0, sizeof(*c));
	c->off = off;
	c->len = len;
}

/* n, at least 1, cut to the buffer, in a form that says so to the verifier: 6.1 learns nothing about a
 * 32-bit n from its comparison with 0. */
static __always_inline __u32 feed_read_size(__u32 n)
{
	if (n > SESSION_BUF)
		n = SESSION_BUF;
	n--;
	opaque_to_clang(n);
	return (n & (SESSION_BUF - 1)) + 1;
}

/* The next byte of the payload, through the buffer of this direction; -1: no more. */
static __always_inline int feed_next(const struct feed *f, struct session_way *way)
{
	struct session_cursor *c = &way->cursor;
	__u32 at = c->at;

	if (at >= c->fill) {
		__u32 n = c->len - c->pos;

		if (n < 1)
			return -1;
		n = feed_read_size(n);
		if (bpf_skb_load_bytes(f->skb, c->off + c->pos, way->buf, n))
			return -1;
		c->fill = n;
		at = 0;
	}
	c->at = at + 1;
	c->pos++;
	opaque_to_clang(at);
	return way->buf[at & (SESSION_BUF - 1)];
}

/* Go on at another position: what is buffered no longer fits. */
static __always_inline void feed_seek(struct session_cursor *c, __u32 pos)
{
	c->pos = pos;
	c->at = 0;
	c->fill = 0;
}

/* --- the client's direction ----------------------------------------------------------------- */

static __always_inline void feed_unknown_rcpt(struct smtpl_session *s)
{
	__u32 txn = s->smtp.c.txn;
	struct smtp_decision d = {
		.outcome = SMTP_UNKNOWN,
		.subject = SMTP_SUBJECT_RCPT,
		.null_sender = s->smtp.c.senders[txn & (SMTP_SENDERS - 1)].null_sender,
		.lost = 1,
		.txn = txn,
		.rcpt = s->smtp.c.senders[txn & (SMTP_SENDERS - 1)].rcpts,
		.count = 1,
	};

	emit_outcome(s, &d);
}

static __always_inline void feed_client_event(struct smtpl_session *s, __u32 event)
{
	switch (event) {
	case SMTP_CLIENT_MAIL:
		emit_path(s, 0);
		break;
	case SMTP_CLIENT_RCPT:
		emit_path(s, s->smtp.c.senders[s->smtp.c.txn & (SMTP_SENDERS - 1)].rcpts);
		break;
	case SMTP_CLIENT_RCPT_UNKNOWN:
		feed_unknown_rcpt(s);
		break;
	case SMTP_CLIENT_OPAQUE:
		emit_opaque(s);
		break;
	}
}

static long feed_client_byte(__u32 index, struct feed *f)
{
	struct smtpl_session *s = f->s;
	const struct session_cursor *c = &s->out.cursor;
	int byte = feed_next(f, &s->out);
	__u32 event;

	if (byte < 0)
		return 1;
	event = smtp_client_byte(&s->smtp, byte);
	if (event)
		feed_client_event(s, event);
	if (c->all)
		return 0;
	if (smtp_client_chunk(&s->smtp))
		return 1;
	return c->pos >= c->hold && smtp_client_in_body(&s->smtp);
}

/* Step back from the end of the buffer to where its last line begins. */
static long feed_tail_step(__u32 index, struct feed *f)
{
	struct session_way *way = &f->s->out;
	__u32 before = way->cursor.line - 1;

	opaque_to_clang(before);
	if (way->cursor.line == 0 || way->buf[before & (SESSION_BUF - 1)] == '\n')
		return 1;
	way->cursor.line--;
	return 0;
}

#define FEED_WORD(a, b, c, d) ((__u32)(a) << 24 | (__u32)(b) << 16 | (__u32)(c) << 8 | (__u32)(d))

/* Do the first `len` (0..4) bytes in `word`, upper case, highest first, begin a command? */
static __always_inline bool feed_begins_verb(__u32 word, __u32 len)
{
	__u32 mask = len >= 4 ? ~0u : ~(~0u >> (len * 8));

#define VERB(a, b, c, d) ((word & mask) == (FEED_WORD(a, b, c, d) & mask))
	return VERB('M', 'A', 'I', 'L') || VERB('R', 'C', 'P', 'T') || VERB('D', 'A', 'T', 'A') ||
	       VERB('Q', 'U', 'I', 'T') || VERB('R', 'S', 'E', 'T') || VERB('B', 'D', 'A', 'T') ||
	       VERB('N', 'O', 'O', 'P') || VERB('E', 'H', 'L', 'O') || VERB('H', 'E', 'L', 'O') ||
	       VERB('S', 'T', 'A', 'R') || VERB('A', 'U', 'T', 'H') || VERB('V', 'R', 'F', 'Y') ||
	       VERB('E', 'X', 'P', 'N') || VERB('H', 'E', 'L', 'P') || VERB('E', 'T', 'R', 'N');
#undef VERB
}

/* Could the end of data stand before the last line of this segment? Then its last line is a command
 * or the beginning of one. A last line longer than the buffer is taken for body. */
static __always_inline bool feed_tail_suspicious(struct feed *f)
{
	struct session_way *way = &f->s->out;
	struct session_cursor *c = &way->cursor;
	__u32 n = c->len - c->pos, word = 0, len;

	if (n < 1)
		return true;
	n = feed_read_size(n);
	if (bpf_skb_load_bytes(f->skb, c->off + c->len - n, way->buf, n))
		return true;
	c->line = n - 1; /* a line feed at the very end is of the last line, not before it */
	bpf_loop(SESSION_BUF, feed_tail_step, f, 0);
	if (c->line == 0)
		return false;
	len = n - c->line;
	for (int i = 0; i < 4; i++) {
		__u32 at = c->line + i;
		__u8 byte;

		opaque_to_clang(at);
		byte = way->buf[at & (SESSION_BUF - 1)];
		if (byte >= 'a' && byte <= 'z')
			byte -= 'a' - 'A';
		word = word << 8 | byte;
	}
	/* A blank line behind the end of data would be a command too. */
	if (word >> 24 == '\r' || word >> 24 == '\n')
		return true;
	return feed_begins_verb(word, len < 4 ? len : 4);
}

static __always_inline bool feed_ends_data(const struct feed *f)
{
	const struct session_cursor *c = &f->s->out.cursor;
	char end[FEED_END_OF_DATA];

	if (bpf_skb_load_bytes(f->skb, c->off + c->len - sizeof(end), end, sizeof(end)))
		return false;
	return end[0] == '\r' && end[1] == '\n' && end[2] == '.' && end[3] == '\r' && end[4] == '\n';
}

/* In a body: leave out what carries nothing, or hold on to what must be read. */
static __always_inline void feed_body(struct feed *f)
{
	struct session_cursor *c = &f->s->out.cursor;
	__u32 rest = c->len - c->pos;

	if (c->hold == 0) {
		c->hold = c->pos + FEED_BODY_HEAD;
		return;
	}
	if (rest <= FEED_BODY_SHORT) {
		c->hold = c->len;
		return;
	}
	if (feed_ends_data(f)) {
		smtp_client_skip_body(&f->s->smtp);
		feed_seek(c, c->len - FEED_END_OF_DATA);
	} else if (!feed_tail_suspicious(f)) {
		smtp_client_skip_body(&f->s->smtp);
		feed_seek(c, c->len - FEED_BODY_HEAD);
	} else {
		feed_seek(c, c->pos);
	}
	c->hold = c->len;
}

static __always_inline void feed_leave_out(struct feed *f)
{
	struct session_cursor *c = &f->s->out.cursor;
	__u64 chunk = smtp_client_chunk(&f->s->smtp);
	__u32 rest = c->len - c->pos;

	if (chunk) {
		__u32 n = chunk < rest ? chunk : rest;

		smtp_client_skip_chunk(&f->s->smtp, n);
		feed_seek(c, c->pos + n);
	} else if (smtp_client_in_body(&f->s->smtp)) {
		feed_body(f);
	} else {
		c->hold = 0;
	}
}

static long feed_client_round(__u32 index, struct feed *f)
{
	struct session_cursor *c = &f->s->out.cursor;

	if (c->pos >= c->len || f->s->smtp.s.opaque || f->s->smtp.c.opaque)
		return 1;
	if (index < FEED_ROUNDS)
		feed_leave_out(f);
	else
		c->all = 1;
	bpf_loop(c->len - c->pos, feed_client_byte, f, 0);
	return 0;
}

static __always_inline void feed_client(struct __sk_buff *skb, struct smtpl_session *s, __u32 off,
					__u32 len)
{
	struct feed f = {.skb = skb, .s = s};

	feed_start(&s->out.cursor, off, len);
	bpf_loop(FEED_ROUNDS + 1, feed_client_round, &f, 0);
}

/* --- the server's direction ----------------------------------------------------------------- */

static __always_inline void feed_server_event(struct smtpl_session *s, __u32 event)
{
	if (event == SMTP_SERVER_OPAQUE)
		emit_opaque(s);
	else if (event == SMTP_SERVER_MALFORMED)
		stats_add(reply_malformed, 1);
	else if (s->smtp.s.decision.outcome)
		emit_outcome(s, &s->smtp.s.decision);
}

static long feed_server_byte(__u32 index, struct feed *f)
{
	struct smtpl_session *s = f->s;
	int byte = feed_next(f, &s->in);
	__u32 event;

	if (byte < 0)
		return 1;
	event = smtp_server_byte(&s->smtp, byte);
	if (event)
		feed_server_event(s, event);
	return s->smtp.s.opaque || s->smtp.s.desync;
}

static __always_inline void feed_server(struct __sk_buff *skb, struct smtpl_session *s, __u32 off,
					__u32 len)
{
	struct feed f = {.skb = skb, .s = s};

	if (s->smtp.s.opaque || s->smtp.s.desync)
		return;
	feed_start(&s->in.cursor, off, len);
	bpf_loop(len, feed_server_byte, &f, 0);
}

/* A stretch of replies is gone for good. */
static __always_inline void feed_desync(struct smtpl_session *s)
{
	if (smtp_session_desync(&s->smtp) && s->smtp.s.decision.outcome)
		emit_outcome(s, &s->smtp.s.decision);
}

#endif
