/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * smtp_server.h - part of smtp.h: the server's direction. Reply lines become one reply (code,
 * enhanced code, text), the reply takes its command from the FIFO.
 */
#ifndef SMTPL_SMTP_SERVER_H
#define SMTPL_SMTP_SERVER_H

enum smtp_server_line {
	SMTP_REPLY_START = 0, /* before the first digit of the code */
	SMTP_REPLY_DIGIT2,
	SMTP_REPLY_DIGIT3,
	SMTP_REPLY_SEPARATOR,
	SMTP_REPLY_CLASS, /* of the enhanced code, which may be none */
	SMTP_REPLY_DOT,
	SMTP_REPLY_SUBJECT,
	SMTP_REPLY_DETAIL,
	SMTP_REPLY_TEXT,
	SMTP_REPLY_SKIP, /* no reply line */
};

SMTP_INLINE void smtp_text_put(struct smtp_server *s, __u32 byte)
{
	__u64 at = smtp_hide(s->text_len);

	if (at < SMTPL_TEXT_SIZE - 1) {
		s->text[at] = byte;
		s->text_len = at + 1;
	}
}

SMTP_INLINE void smtp_text_add(struct smtp_server *s, __u32 byte)
{
	if (byte == '\r' || s->text_len >= SMTPL_TEXT_SIZE - 1)
		return;
	if (s->gap)
		smtp_text_put(s, ' ');
	s->gap = 0;
	smtp_text_put(s, byte ? byte : '?');
}

_Static_assert(__builtin_offsetof(struct smtp_server, text_spill) ==
		       __builtin_offsetof(struct smtp_server, text) + SMTPL_TEXT_SIZE,
	       "spill behind text");

/* The line did begin with an enhanced code, so that is no text. It has at most 9 bytes, and a blank
 * may stand before it. */
SMTP_INLINE void smtp_enhanced_take(struct smtp_server *s)
{
	__u64 mark = smtp_hide(s->text_mark);

	s->enhanced[0] = s->number[0];
	s->enhanced[1] = s->number[1];
	s->enhanced[2] = s->number[2];
	if (mark < SMTPL_TEXT_SIZE)
		__builtin_memset((char *)s + __builtin_offsetof(struct smtp_server, text) + mark, 0,
				 sizeof(s->text_spill));
	s->text_len = mark;
	s->gap = mark > 0;
	s->line = SMTP_REPLY_TEXT;
}

SMTP_INLINE void smtp_code_byte(struct smtp_server *s, __u32 byte)
{
	if (s->line == SMTP_REPLY_START && (byte < '1' || byte > '5')) {
		s->line = SMTP_REPLY_SKIP;
		return;
	}
	if (!smtp_is_digit(byte)) {
		s->line = SMTP_REPLY_SKIP;
		return;
	}
	s->code_part = s->line == SMTP_REPLY_START ? byte - '0' : s->code_part * 10 + (byte - '0');
	s->line++;
}

SMTP_INLINE void smtp_separator_byte(struct smtp_server *s, __u32 byte)
{
	s->code = s->code_part;
	s->more = byte == '-';
	s->text_mark = s->text_len;
	s->gap = s->text_len > 0;
	s->line = SMTP_REPLY_TEXT;
	if (byte == '-' || smtp_is_blank(byte))
		s->line = SMTP_REPLY_CLASS;
	else
		smtp_text_add(s, byte);
}

/* Up to three digits and what ends them. 1: ended by this byte. */
SMTP_INLINE __u32 smtp_number_byte(struct smtp_server *s, __u16 *number, __u32 byte)
{
	if (!smtp_is_digit(byte))
		return 1;
	*number = *number * 10 + (byte - '0');
	if (++s->digits > 3)
		s->line = SMTP_REPLY_TEXT;
	return 0;
}

/* An unexpected byte makes it text, which is kept all the while. */
SMTP_INLINE void smtp_enhanced_byte(struct smtp_server *s, __u32 byte)
{
	if (s->line == SMTP_REPLY_CLASS) {
		s->number[0] = byte - '0';
		s->number[1] = 0;
		s->number[2] = 0;
		s->line = byte == '2' || byte == '4' || byte == '5' ? SMTP_REPLY_DOT :
								      SMTP_REPLY_TEXT;
	} else if (s->line == SMTP_REPLY_DOT) {
		s->line = byte == '.' ? SMTP_REPLY_SUBJECT : SMTP_REPLY_TEXT;
		s->digits = 0;
	} else if (s->line == SMTP_REPLY_SUBJECT) {
		if (smtp_number_byte(s, &s->number[1], byte)) {
			s->line = byte == '.' && s->digits ? SMTP_REPLY_DETAIL : SMTP_REPLY_TEXT;
			s->digits = 0;
		}
	} else if (smtp_number_byte(s, &s->number[2], byte)) {
		s->line = SMTP_REPLY_TEXT;
		if (s->digits && (smtp_is_blank(byte) || byte == '\r')) {
			smtp_enhanced_take(s);
			return;
		}
	}
	smtp_text_add(s, byte);
}

SMTP_INLINE void smtp_reply_begin(struct smtp_server *s)
{
	__builtin_memset(s->text, 0, sizeof(s->text));
	s->text_len = 0;
	s->enhanced[0] = 0;
	s->enhanced[1] = 0;
	s->enhanced[2] = 0;
	s->held_text = 0;
	s->begun = 1;
}

/* One byte of a reply line before its text. */
SMTP_INLINE void smtp_server_head(struct smtp_server *s, __u32 byte)
{
	if (!s->begun)
		smtp_reply_begin(s);
	if (s->line < SMTP_REPLY_SEPARATOR)
		smtp_code_byte(s, byte);
	else if (s->line == SMTP_REPLY_SEPARATOR)
		smtp_separator_byte(s, byte);
	else
		smtp_enhanced_byte(s, byte);
}

SMTP_INLINE __u32 smtp_fifo_head(struct smtp_session *ss)
{
	if (!smtp_unanswered(ss))
		return 0;
	smtp_publish(&ss->s.fence); /* the entry is read after its announcement */
	return ss->c.fifo[smtp_hide(ss->s.popped) & (SMTP_FIFO_DEPTH - 1)];
}

/* Which command this reply answers; 0: none. */
SMTP_INLINE __u32 smtp_reply_verb(struct smtp_session *ss)
{
	__u32 verb;

	if (!ss->s.greeted) {
		ss->s.greeted = 1;
		return SMTP_GREETING;
	}
	verb = smtp_fifo_head(ss);
	/* The body was answered early, which the client's side had not seen at its end. */
	if (verb == SMTP_DOT && ss->s.early_data == ss->s.datas) {
		smtp_publish(&ss->s.popped);
		verb = smtp_fifo_head(ss);
	}
	return verb;
}

SMTP_INLINE __u32 smtp_is_transaction(__u32 verb)
{
	return verb >= SMTP_MAIL && verb <= SMTP_BDAT_LAST;
}

/* A reply is complete. Returns enum smtp_reply_verdict. */
SMTP_API __u32 smtp_server_reply(struct smtp_session *ss)
{
	__u32 verb, verdict;

	if (!ss)
		return 0;
	ss->s.begun = 0;
	ss->s.reply_bytes = 0;
	smtp_decision_clear(ss);
	if (ss->s.quit_done)
		return SMTP_REPLY_FINE;
	verb = smtp_reply_verb(ss);
	smtp_reply_auth(ss, verb);
	if (!verb)
		verdict = smtp_reply_unasked(ss);
	else if (smtp_is_transaction(verb))
		verdict = smtp_reply_transaction(ss, verb);
	else
		verdict = smtp_reply_session(ss, verb);
	if (verb && verb != SMTP_GREETING && !ss->s.prdr_next)
		smtp_publish(&ss->s.popped);
	return verdict;
}

SMTP_INLINE __u32 smtp_reply_event(struct smtp_session *ss)
{
	if (smtp_server_reply(ss) == SMTP_REPLY_OUT_OF_STEP) {
		smtp_give_up(ss);
		return SMTP_SERVER_DESYNC;
	}
	return ss->s.opaque ? SMTP_SERVER_OPAQUE : SMTP_SERVER_REPLY;
}

/* A reply line is complete. */
SMTP_API __u32 smtp_server_line(struct smtp_session *ss)
{
	struct smtp_server *s;
	__u32 line;

	if (!ss)
		return 0;
	s = &ss->s;
	line = s->line;
	if (line == SMTP_REPLY_DETAIL && s->digits)
		smtp_enhanced_take(s);
	s->line = SMTP_REPLY_START;
	if (line < SMTP_REPLY_SEPARATOR || line == SMTP_REPLY_SKIP)
		return SMTP_SERVER_MALFORMED;
	if (line == SMTP_REPLY_SEPARATOR) {
		s->code = s->code_part;
		s->more = 0;
	}
	if (s->more)
		return SMTP_SERVER_NONE;
	return smtp_reply_event(ss);
}

/* The client began with a TLS record. A server that does not speak TLS has read it as commands,
 * which were not parsed here. */
SMTP_INLINE __u32 smtp_server_hello(struct smtp_session *ss, __u32 byte)
{
	if (byte == SMTP_TLS_HANDSHAKE || byte == SMTP_TLS_ALERT) {
		ss->s.opaque = 1;
		return SMTP_SERVER_OPAQUE;
	}
	smtp_decision_clear(ss);
	smtp_give_up(ss);
	return SMTP_SERVER_DESYNC;
}

/* One byte from the server. Returns enum smtp_server_event. */
SMTP_INLINE __u32 smtp_server_byte(struct smtp_session *ss, __u32 byte)
{
	struct smtp_server *s;

	if (!ss)
		return 0;
	s = &ss->s;
	byte &= 0xff;
	if (s->opaque | s->desync | ss->c.opaque)
		return SMTP_SERVER_NONE;
	if (ss->c.hello && !s->greeted)
		return smtp_server_hello(ss, byte);
	if (ss->c.desync || s->reply_bytes >= SMTP_REPLY_MAX_BYTES) {
		smtp_decision_clear(ss);
		smtp_give_up(ss);
		return SMTP_SERVER_DESYNC;
	}
	s->reply_bytes++;
	if (byte == '\n')
		return smtp_server_line(ss);
	if (s->line == SMTP_REPLY_TEXT)
		smtp_text_add(s, byte);
	else if (s->line != SMTP_REPLY_SKIP)
		smtp_server_head(s, byte);
	return SMTP_SERVER_NONE;
}

#endif
