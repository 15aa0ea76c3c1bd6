/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * stream.h - feeds bytes to the parser, one by one, and skips what carries no command. BDAT chunks
 * are skipped by their length. A message body in DATA is searched, eight bytes at a time, for lines
 * that begin with a dot: the parser sees their bytes alone, as one may be the end of data, with
 * commands behind it.
 */
#ifndef SMTPL_STREAM_H
#define SMTPL_STREAM_H

#include "gate.h"

#define STREAM_ROUNDS	  256 /* stretches skipped in one segment; after that all bytes are read */
#define STREAM_BODY_SHORT 64  /* the rest of a segment up to this is not searched but read */
#define STREAM_WORD	  8   /* bytes searched at a time */
#define STREAM_LINE_END	  2   /* CRLF */
#define STREAM_STRIDE	  4   /* bytes a call: with safe RET a return costs as much as a byte */

/*
 * Whoever includes this says where the bytes are: packet.h has them in a packet, plaintext.h in the
 * memory of a process. A program of the one kind may not even contain the other's helper.
 *
 *	struct stream_source
 *	long stream_load(const struct stream_source *from, __u32 off, void *buf, __u32 n);
 *		0: done
 *	void stream_opaque(struct smtpl_session *s);
 *		nothing more can be read of the session
 */
struct stream {
	struct stream_source from;
	struct smtpl_session *s;
};

static __always_inline void stream_start(struct session_cursor *c, __u32 off, __u32 len)
{
	__builtin_memset(c, 0, sizeof(*c));
	c->off = off;
	c->len = len;
}

/* Bounds n, which is at least 1, by the buffer, in a form that the verifier understands: 6.1 learns
 * nothing about a 32-bit n from its comparison with 0. */
static __always_inline __u32 stream_read_size(__u32 n)
{
	if (n > SESSION_BUF)
		n = SESSION_BUF;
	n--;
	opaque_to_clang(n);
	return (n & (SESSION_BUF - 1)) + 1;
}

/* The next byte of the payload, through the buffer of this direction; -1: no more. */
static __always_inline int stream_next(const struct stream *f, struct session_direction *dir)
{
	struct session_cursor *c = &dir->cursor;
	__u32 at = c->at;

	if (at >= c->fill) {
		__u32 n = c->len - c->pos;

		if (n < 1)
			return -1;
		n = stream_read_size(n);
		if (stream_load(&f->from, c->off + c->pos, dir->buf, n))
			return -1;
		c->fill = n;
		at = 0;
	}
	c->at = at + 1;
	c->pos++;
	opaque_to_clang(at);
	return dir->buf[at & (SESSION_BUF - 1)];
}

/* Go on at another position: what is buffered no longer fits. */
static __always_inline void stream_seek(struct session_cursor *c, __u32 pos)
{
	c->pos = pos;
	c->at = 0;
	c->fill = 0;
}

/* --- the client's direction ----------------------------------------------------------------- */

static __always_inline void stream_unknown_rcpt(struct smtpl_session *s)
{
	__u32 txn = s->smtp.c.txn;
	const struct smtp_sender *sender = smtp_sender_of(&s->smtp, txn);
	struct smtp_decision d = {
		.outcome = SMTP_UNKNOWN,
		.subject = SMTP_SUBJECT_RCPT,
		.null_sender = sender->null_sender,
		.lost = 1,
		.txn = txn,
		.rcpt = sender->rcpts,
		.count = 1,
	};

	emit_outcome(s, &d);
}

static __always_inline void stream_client_event(struct smtpl_session *s, __u32 event)
{
	switch (event) {
	case SMTP_CLIENT_MAIL:
		if (!gate_resets(s))
			emit_path(s, 0);
		break;
	case SMTP_CLIENT_RCPT:
		emit_path(s, smtp_sender_of(&s->smtp, s->smtp.c.txn)->rcpts);
		break;
	case SMTP_CLIENT_RCPT_UNKNOWN:
		stream_unknown_rcpt(s);
		break;
	case SMTP_CLIENT_OPAQUE:
		stream_opaque(s);
		break;
	}
}

/* May bytes be skipped? In a body, where the end of data can't have begun before the next byte. A
 * server that refused DATA reads the body as commands: nothing is skipped then. */
static __always_inline bool stream_may_search(const struct smtpl_session *s)
{
	return smtp_client_in_body(&s->smtp) && !s->smtp.c.match && !smtp_body_refused(&s->smtp);
}

static __always_inline long stream_client_byte(struct stream *f)
{
	struct smtpl_session *s = f->s;
	const struct session_cursor *c = &s->out.cursor;
	int byte = stream_next(f, &s->out);
	__u32 event;

	if (byte < 0)
		return 1;
	event = smtp_client_byte(&s->smtp, byte);
	if (event) {
		stream_client_event(s, event);
		if (s->cut)
			return 1;
	}
	if (c->all)
		return 0;
	if (smtp_client_chunk(&s->smtp))
		return 1;
	return c->pos >= c->hold && stream_may_search(s);
}

static long stream_client_bytes(__u32 index, struct stream *f)
{
	return stream_client_byte(f) || stream_client_byte(f) || stream_client_byte(f) ||
	       stream_client_byte(f);
}

/* The highest bit is set of each byte of `word` that is `byte`, and perhaps of bytes above such a
 * one. */
static __always_inline __u64 stream_bytes_equal(__u64 word, __u8 byte)
{
	const __u64 ones = 0x0101010101010101ull;

	word ^= ones * byte;
	return (word - ones) & ~word & ones << 7;
}

/* The first word of the buffer with a dot behind a line feed, which may stand at the end of the
 * word before. The first byte in memory is the lowest of a word: little endian. */
static __always_inline __u32 stream_dotted_word(const __u8 *buf)
{
	const __u64 *word = (const __u64 *)buf;
	__u32 at;

	for (at = 0; at < SESSION_BUF / STREAM_WORD; at++) {
		__u64 dots = stream_bytes_equal(word[at], '.');

		if (!dots)
			continue;
		if (dots & stream_bytes_equal(word[at], '\n') << 8)
			break;
		if (at && dots & stream_bytes_equal(word[at - 1], '\n') >> 56)
			break;
	}
	return at;
}

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "stream_dotted_word");

/* Searches one buffer of body. Returns 1 with the cursor before the bytes that must be read, and
 * `hold` behind them. */
static long stream_search_block(__u32 index, struct stream *f)
{
	struct session_direction *dir = &f->s->out;
	struct session_cursor *c = &dir->cursor;
	__u32 rest = c->len - c->pos, n = stream_read_size(rest), at;

	c->hold = c->len;
	if (stream_load(&f->from, c->off + c->pos, dir->buf, n))
		return 1;
	at = stream_dotted_word(dir->buf) * STREAM_WORD;
	if (at < n) {
		if (at)
			c->pos += at - STREAM_LINE_END;
		c->hold = c->pos + STREAM_LINE_END + STREAM_WORD;
		return 1;
	}
	/* The CRLF before a dot may be the last bytes of this block, or of the segment. */
	c->pos += n - STREAM_LINE_END;
	return n == rest;
}

/* In a body: skips what carries no end of data, or sets `hold` behind what must be read. */
static __always_inline void stream_body(struct stream *f)
{
	struct session_cursor *c = &f->s->out.cursor;
	__u32 rest = c->len - c->pos;

	if (rest <= STREAM_BODY_SHORT) {
		c->hold = c->len;
		return;
	}
	bpf_loop(rest / (SESSION_BUF - STREAM_LINE_END) + 1, stream_search_block, f, 0);
	smtp_client_skip_body(&f->s->smtp);
	stream_seek(c, c->pos);
}

static __always_inline void stream_skip(struct stream *f)
{
	struct session_cursor *c = &f->s->out.cursor;
	__u64 chunk = smtp_client_chunk(&f->s->smtp);
	__u32 rest = c->len - c->pos;

	if (chunk) {
		__u32 n = chunk < rest ? chunk : rest;

		smtp_client_skip_chunk(&f->s->smtp, n);
		stream_seek(c, c->pos + n);
	} else if (stream_may_search(f->s)) {
		stream_body(f);
	}
}

static long stream_client_round(__u32 index, struct stream *f)
{
	struct session_cursor *c = &f->s->out.cursor;

	if (c->pos >= c->len || f->s->smtp.s.opaque || f->s->smtp.c.opaque || f->s->cut)
		return 1;
	if (index < STREAM_ROUNDS)
		stream_skip(f);
	else
		c->all = 1;
	bpf_loop((c->len - c->pos) / STREAM_STRIDE + 1, stream_client_bytes, f, 0);
	return 0;
}

static __always_inline void stream_client(const struct stream_source *from, struct smtpl_session *s,
					  __u32 off, __u32 len)
{
	struct stream f = {.from = *from, .s = s};

	stream_start(&s->out.cursor, off, len);
	bpf_loop(STREAM_ROUNDS + 1, stream_client_round, &f, 0);
}

/* --- the server's direction ----------------------------------------------------------------- */

static __always_inline void stream_server_event(struct smtpl_session *s, __u32 event)
{
	if (event == SMTP_SERVER_OPAQUE)
		stream_opaque(s);
	else if (event == SMTP_SERVER_MALFORMED)
		stats_add(reply_malformed, 1);
	else if (s->smtp.s.decision.outcome)
		emit_outcome(s, &s->smtp.s.decision);
}

static __always_inline long stream_server_byte(struct stream *f)
{
	struct smtpl_session *s = f->s;
	int byte = stream_next(f, &s->in);
	__u32 event;

	if (byte < 0)
		return 1;
	event = smtp_server_byte(&s->smtp, byte);
	if (event)
		stream_server_event(s, event);
	return s->smtp.s.opaque || s->smtp.s.desync;
}

static long stream_server_bytes(__u32 index, struct stream *f)
{
	return stream_server_byte(f) || stream_server_byte(f) || stream_server_byte(f) ||
	       stream_server_byte(f);
}

static __always_inline void stream_server(const struct stream_source *from, struct smtpl_session *s,
					  __u32 off, __u32 len)
{
	struct stream f = {.from = *from, .s = s};

	if (s->smtp.s.opaque || s->smtp.s.desync)
		return;
	stream_start(&s->in.cursor, off, len);
	bpf_loop(len / STREAM_STRIDE + 1, stream_server_bytes, &f, 0);
}

/* A stretch of replies is gone for good. */
static __always_inline void stream_desync(struct smtpl_session *s)
{
	if (smtp_session_desync(&s->smtp) && s->smtp.s.decision.outcome)
		emit_outcome(s, &s->smtp.s.decision);
}

#endif
