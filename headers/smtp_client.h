/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * smtp_client.h - part of smtp.h: the client's direction. Command lines, message bodies and BDAT
 * chunks; each command that will be answered goes into the FIFO. Nothing of a line is kept but the
 * path of MAIL and RCPT: what an AUTH exchange carries never stays.
 */
#ifndef SMTPL_SMTP_CLIENT_H
#define SMTPL_SMTP_CLIENT_H

enum smtp_client_mode {
	SMTP_MODE_COMMAND = 0,
	SMTP_MODE_BEHIND_DATA, /* the next byte tells whether it is body or a command */
	SMTP_MODE_BODY,
	SMTP_MODE_CHUNK,
};

enum smtp_client_line {
	SMTP_LINE_START = 0,
	SMTP_LINE_VERB,
	SMTP_LINE_REST,	 /* without meaning, up to LF */
	SMTP_LINE_COLON, /* FROM: and TO: */
	SMTP_LINE_PATH,
	SMTP_LINE_PARAMS, /* of MAIL */
	SMTP_LINE_SIZE,	  /* of BDAT */
	SMTP_LINE_LAST,	  /* behind it */
};

enum smtp_bdat_size {
	SMTP_SIZE_NONE = 0,
	SMTP_SIZE_DIGITS,
	SMTP_SIZE_WORD_OVER, /* the word behind the number has ended */
};

/* More would not be sent within the life of a connection; and it can't overflow. */
#define SMTP_CHUNK_MAX (1ull << 48)

/* RFC 8446 5.1: content types of a record */
#define SMTP_TLS_ALERT	   0x15
#define SMTP_TLS_HANDSHAKE 0x16

/* No word of interest: too long, or not a word. */
#define SMTP_WORD_NONE	       (~0ull)
#define SMTP_WORD4(a, b, c, d) ((__u64)(a) << 24 | (__u64)(b) << 16 | (__u64)(c) << 8 | (__u64)(d))

SMTP_INLINE void smtp_word_add(struct smtp_client *c, __u32 byte)
{
	if (byte == 0 || c->word >> 56)
		c->word = SMTP_WORD_NONE;
	else
		c->word = c->word << 8 | (byte - 'a' < 26 ? byte - 0x20 : byte);
}

SMTP_INLINE __u32 smtp_word_verb(__u64 word)
{
	switch (word) {
	case SMTP_WORD4('E', 'H', 'L', 'O'):
	case SMTP_WORD4('H', 'E', 'L', 'O'):
	case SMTP_WORD4('L', 'H', 'L', 'O'):
		return SMTP_EHLO;
	case SMTP_WORD4('M', 'A', 'I', 'L'):
		return SMTP_MAIL;
	case SMTP_WORD4('R', 'C', 'P', 'T'):
		return SMTP_RCPT;
	case SMTP_WORD4('D', 'A', 'T', 'A'):
		return SMTP_DATA;
	case SMTP_WORD4('B', 'D', 'A', 'T'):
		return SMTP_BDAT;
	case SMTP_WORD4('R', 'S', 'E', 'T'):
		return SMTP_RSET;
	case SMTP_WORD4('Q', 'U', 'I', 'T'):
		return SMTP_QUIT;
	case SMTP_WORD4('A', 'U', 'T', 'H'):
		return SMTP_AUTH;
	case SMTP_WORD4('S', 'T', 'A', 'R') << 32 | SMTP_WORD4('T', 'T', 'L', 'S'):
		return SMTP_STARTTLS;
	default:
		return SMTP_OTHER;
	}
}

/* The first word is complete: it says how the rest of the line is read. */
SMTP_INLINE void smtp_verb_end(struct smtp_client *c)
{
	c->verb = smtp_word_verb(c->word);
	c->line = SMTP_LINE_REST;
	/* An LMTP server replies once for each recipient: not followed. */
	if (c->word == SMTP_WORD4('L', 'H', 'L', 'O'))
		c->desync = 1;
	c->word = 0;
	if (c->verb == SMTP_MAIL || c->verb == SMTP_RCPT) {
		c->line = SMTP_LINE_COLON;
		smtp_path_begin(c);
	} else if (c->verb == SMTP_BDAT) {
		c->line = SMTP_LINE_SIZE;
		c->size = SMTP_SIZE_NONE;
		c->chunk = 0;
		c->last = 0;
	}
}

SMTP_INLINE void smtp_colon_byte(struct smtp_client *c, __u32 byte)
{
	__u64 wanted =
		c->verb == SMTP_MAIL ? SMTP_WORD4('F', 'R', 'O', 'M') : SMTP_WORD4(0, 0, 'T', 'O');

	if (smtp_is_blank(byte))
		return;
	if (byte != ':') {
		smtp_word_add(c, byte);
		return;
	}
	c->line = c->word == wanted ? SMTP_LINE_PATH : SMTP_LINE_REST;
	c->word = 0;
}

/* What follows '>' without a blank is no parameter. */
SMTP_INLINE void smtp_path_end(struct smtp_client *c, __u32 byte)
{
	c->line = c->verb == SMTP_MAIL ? SMTP_LINE_PARAMS : SMTP_LINE_REST;
	c->word = smtp_is_blank(byte) ? 0 : SMTP_WORD_NONE;
}

SMTP_INLINE void smtp_params_word(struct smtp_client *c)
{
	if (c->word == SMTP_WORD4('P', 'R', 'D', 'R'))
		c->prdr = 1;
	c->word = 0;
}

SMTP_INLINE void smtp_size_byte(struct smtp_client *c, __u32 byte)
{
	if (smtp_is_digit(byte) && c->chunk < SMTP_CHUNK_MAX / 10) {
		c->chunk = c->chunk * 10 + (byte - '0');
		c->size = SMTP_SIZE_DIGITS;
	} else if (smtp_is_blank(byte)) {
		if (c->size == SMTP_SIZE_DIGITS)
			c->line = SMTP_LINE_LAST;
	} else {
		c->verb = SMTP_OTHER;
		c->line = SMTP_LINE_REST;
	}
}

/* LAST counts only as all of the rest: Exim takes anything else for a chunk that is not the
 * last. */
SMTP_INLINE void smtp_last_byte(struct smtp_client *c, __u32 byte)
{
	if (smtp_is_blank(byte)) {
		if (c->word)
			c->size = SMTP_SIZE_WORD_OVER;
	} else if (c->size == SMTP_SIZE_WORD_OVER) {
		c->word = SMTP_WORD_NONE;
	} else {
		smtp_word_add(c, byte);
	}
}

/* One byte of a command line, its CRLF excepted. */
SMTP_INLINE void smtp_client_text(struct smtp_client *c, __u32 byte)
{
	switch (c->line) {
	case SMTP_LINE_START:
	case SMTP_LINE_VERB:
		c->line = SMTP_LINE_VERB;
		if (smtp_is_blank(byte) || byte == ':' || byte == '\r')
			smtp_verb_end(c);
		else
			smtp_word_add(c, byte);
		if (c->word == SMTP_WORD_NONE)
			smtp_verb_end(c);
		break;
	case SMTP_LINE_COLON:
		smtp_colon_byte(c, byte);
		break;
	case SMTP_LINE_PATH:
		if (smtp_path_byte(c, byte))
			smtp_path_end(c, byte);
		break;
	case SMTP_LINE_PARAMS:
		if (smtp_is_blank(byte))
			smtp_params_word(c);
		else
			smtp_word_add(c, byte);
		break;
	case SMTP_LINE_SIZE:
		smtp_size_byte(c, byte);
		break;
	case SMTP_LINE_LAST:
		smtp_last_byte(c, byte);
		break;
	}
}

/* The CR before the byte at hand ended no line. Rare: not worth a copy of smtp_client_text. */
SMTP_API __u32 smtp_client_stray_cr(struct smtp_session *ss)
{
	if (ss)
		smtp_client_text(&ss->c, '\r');
	return 0;
}

SMTP_INLINE __u32 smtp_unpaired(const struct smtp_session *ss)
{
	return ss->c.desync | ss->s.desync;
}

SMTP_INLINE __u32 smtp_unanswered(const struct smtp_session *ss)
{
	return *(const volatile __u32 *)&ss->c.pushed - *(const volatile __u32 *)&ss->s.popped;
}

SMTP_INLINE void smtp_push(struct smtp_session *ss, __u32 verb)
{
	ss->c.fifo[smtp_hide(ss->c.pushed) & (SMTP_FIFO_DEPTH - 1)] = verb;
	smtp_publish(&ss->c.pushed);
}

/* The line's LF is here. Returns the verb and leaves the state of a new line. */
SMTP_INLINE __u32 smtp_line_verb(struct smtp_client *c)
{
	__u32 verb;

	if (c->line == SMTP_LINE_VERB)
		smtp_verb_end(c);
	if (c->line == SMTP_LINE_START)
		c->verb = SMTP_OTHER;
	if (c->line == SMTP_LINE_PARAMS)
		smtp_params_word(c);
	if (c->line == SMTP_LINE_LAST)
		c->last = c->word == SMTP_WORD4('L', 'A', 'S', 'T');
	verb = c->verb;
	if (verb == SMTP_BDAT && c->size == SMTP_SIZE_NONE)
		verb = SMTP_OTHER;
	if (verb == SMTP_BDAT && c->last)
		verb = SMTP_BDAT_LAST;
	if (verb == SMTP_MAIL || verb == SMTP_RCPT)
		smtp_path_close(c);
	c->line = SMTP_LINE_START;
	c->cr = 0;
	c->word = 0;
	return verb;
}

/*
 * One slot of senders[] is kept free of transactions whose replies are awaited. In a desync session
 * all further senders go there, each txn a whole round further, so that none is overwritten that
 * the server's side still has to settle.
 */
SMTP_INLINE __u32 smtp_next_txn(const struct smtp_session *ss)
{
	const struct smtp_client *c = &ss->c;

	return c->txn == c->paired || !smtp_unpaired(ss) ? c->txn + 1 : c->txn + SMTP_SENDERS;
}

SMTP_INLINE void smtp_mail(struct smtp_session *ss)
{
	struct smtp_client *c = &ss->c;
	__u32 txn = smtp_next_txn(ss);
	struct smtp_sender *sender = smtp_sender_of(ss, txn);

	__builtin_memcpy(sender->domain, c->domain, sizeof(sender->domain));
	sender->rcpts = 0;
	sender->null_sender = c->null_path;
	sender->prdr = c->prdr;
	sender->data_sent = 0;
	sender->end_sent = 0;
	sender->dropped = 0;
	c->txn = txn;
}

SMTP_INLINE __u32 smtp_rcpt(struct smtp_session *ss)
{
	if (smtp_unpaired(ss))
		return SMTP_CLIENT_RCPT_UNKNOWN;
	if (!ss->c.txn)
		return SMTP_CLIENT_NONE;
	smtp_sender_of(ss, ss->c.txn)->rcpts++;
	return SMTP_CLIENT_RCPT;
}

SMTP_INLINE void smtp_chunk_over(struct smtp_session *ss)
{
	ss->c.mode = SMTP_MODE_COMMAND;
	if (ss->c.last)
		smtp_sender_of(ss, ss->c.txn)->end_sent = 1;
}

/* Where the FIFO is full or no sender's slot is left, replies can't be paired from here on. */
SMTP_INLINE void smtp_check_room(struct smtp_session *ss, __u32 verb)
{
	if (smtp_unanswered(ss) >= SMTP_FIFO_DEPTH)
		ss->c.desync = 1;
	if (verb == SMTP_MAIL && ss->c.txn - ss->s.txn >= SMTP_SENDERS - 2)
		ss->c.desync = 1;
}

/* What a complete line does besides going into the FIFO. */
SMTP_INLINE __u32 smtp_line_event(struct smtp_session *ss, __u32 verb)
{
	struct smtp_client *c = &ss->c;
	struct smtp_sender *sender = smtp_sender_of(ss, c->txn);

	switch (verb) {
	case SMTP_MAIL:
		smtp_mail(ss);
		return SMTP_CLIENT_MAIL;
	case SMTP_RCPT:
		return smtp_rcpt(ss);
	case SMTP_DATA:
		sender->data_sent = 1;
		c->datas++;
		c->early_body = 0;
		c->mode = SMTP_MODE_BEHIND_DATA;
		break;
	case SMTP_BDAT:
	case SMTP_BDAT_LAST:
		sender->data_sent = 1;
		c->mode = SMTP_MODE_CHUNK;
		if (!c->chunk)
			smtp_chunk_over(ss);
		break;
	case SMTP_QUIT:
		c->quit = 1;
		sender->dropped = !sender->data_sent;
		break;
	case SMTP_RSET:
		sender->dropped = !sender->data_sent;
		break;
	}
	return SMTP_CLIENT_NONE;
}

/* A command line is complete. */
SMTP_API __u32 smtp_client_line(struct smtp_session *ss)
{
	__u32 verb, event;

	if (!ss)
		return 0;
	verb = smtp_line_verb(&ss->c);
	if (!smtp_unpaired(ss))
		smtp_check_room(ss, verb);
	event = smtp_line_event(ss, verb);
	if (smtp_unpaired(ss)) {
		if (ss->c.mode == SMTP_MODE_BEHIND_DATA)
			ss->c.mode = SMTP_MODE_BODY;
		ss->c.match = 2;
		return event;
	}
	ss->c.paired = ss->c.txn;
	smtp_push(ss, verb);
	return event;
}

/* The first byte of a line. A TLS record is taken for one only where TLS can begin: else a client
 * could hide its commands behind that byte. */
SMTP_INLINE __u32 smtp_line_begin(struct smtp_session *ss, __u32 byte)
{
	struct smtp_client *c = &ss->c;

	if (byte == SMTP_TLS_HANDSHAKE && smtp_unpaired(ss)) {
		c->opaque = 1;
		return SMTP_CLIENT_OPAQUE;
	}
	if (byte == SMTP_TLS_HANDSHAKE && !c->pushed && !ss->s.greeted)
		c->hello = 1;
	if (ss->s.auth_more && !smtp_unpaired(ss) && !smtp_unanswered(ss)) {
		c->verb = SMTP_AUTH_MORE;
		c->line = SMTP_LINE_REST;
	}
	return SMTP_CLIENT_NONE;
}

/* One byte where commands are. */
SMTP_INLINE __u32 smtp_client_command(struct smtp_session *ss, __u32 byte)
{
	struct smtp_client *c = &ss->c;

	if (c->line == SMTP_LINE_START && !c->cr && smtp_line_begin(ss, byte))
		return SMTP_CLIENT_OPAQUE;
	if (byte == '\n')
		return smtp_client_line(ss);
	if (c->cr)
		smtp_client_stray_cr(ss);
	c->cr = byte == '\r';
	if (!c->cr)
		smtp_client_text(c, byte);
	return SMTP_CLIENT_NONE;
}

/* CRLF.CRLF is complete. */
SMTP_INLINE void smtp_body_over(struct smtp_session *ss)
{
	ss->c.mode = SMTP_MODE_COMMAND;
	smtp_sender_of(ss, ss->c.txn)->end_sent = 1;
	if (!smtp_unpaired(ss) && smtp_unanswered(ss) >= SMTP_FIFO_DEPTH)
		ss->c.desync = 1;
	/* The server may have answered this body before its end: then it stays silent now. */
	if (!smtp_unpaired(ss) && ss->s.early_data != ss->c.datas)
		smtp_push(ss, SMTP_DOT);
}

/* The body came behind DATA without waiting, but the server refused: it reads commands. */
SMTP_INLINE __u32 smtp_body_refused(const struct smtp_session *ss)
{
	return ss->c.early_body && ss->s.datas == ss->c.datas && !ss->s.data_go;
}

SMTP_INLINE void smtp_client_body(struct smtp_session *ss, __u32 byte)
{
	__u32 match = ss->c.match;

	if (!match && byte != '\r' && byte != '\n')
		return;
	if (byte == '\r') {
		ss->c.match = match == 3 ? 4 : 1;
	} else if (byte == '\n') {
		ss->c.match = match == 1 ? 2 : 0;
		if (match == 4)
			smtp_body_over(ss);
		else if (smtp_body_refused(ss))
			ss->c.mode = SMTP_MODE_COMMAND;
	} else {
		ss->c.match = byte == '.' && match == 2 ? 3 : 0;
	}
}

SMTP_INLINE void smtp_behind_data(struct smtp_session *ss)
{
	struct smtp_client *c = &ss->c;

	c->mode = SMTP_MODE_BODY;
	c->match = 2; /* the line of DATA ended in the first CRLF */
	if (*(const volatile __u32 *)&ss->s.datas != c->datas)
		c->early_body = 1;
	else if (!ss->s.data_go)
		c->mode = SMTP_MODE_COMMAND;
}

/* One byte from the client. Returns enum smtp_client_event. */
SMTP_INLINE __u32 smtp_client_byte(struct smtp_session *ss, __u32 byte)
{
	struct smtp_client *c;

	if (!ss)
		return 0;
	c = &ss->c;
	byte &= 0xff;
	if (c->opaque | ss->s.opaque)
		return SMTP_CLIENT_NONE;
	if (c->hello && !ss->s.desync)
		return SMTP_CLIENT_NONE;
	c->hello = 0;
	if (c->mode == SMTP_MODE_BEHIND_DATA)
		smtp_behind_data(ss);
	if (c->mode == SMTP_MODE_BODY) {
		smtp_client_body(ss, byte);
		return SMTP_CLIENT_NONE;
	}
	if (c->mode == SMTP_MODE_CHUNK) {
		if (!--c->chunk)
			smtp_chunk_over(ss);
		return SMTP_CLIENT_NONE;
	}
	if (c->line == SMTP_LINE_REST && byte != '\n')
		return SMTP_CLIENT_NONE;
	return smtp_client_command(ss, byte);
}

/* The bytes to come are message data: the caller may skip any but those that can end it. */
SMTP_INLINE __u32 smtp_client_in_body(const struct smtp_session *ss)
{
	return ss->c.mode == SMTP_MODE_BODY;
}

/* The caller has skipped at least 4 bytes of a body: what stood before them is forgotten. */
SMTP_INLINE void smtp_client_skip_body(struct smtp_session *ss)
{
	ss->c.match = 0;
}

/* BDAT bytes that are still to come and hold no command. */
SMTP_INLINE __u64 smtp_client_chunk(const struct smtp_session *ss)
{
	return ss->c.mode == SMTP_MODE_CHUNK ? ss->c.chunk : 0;
}

/* The caller has skipped `bytes` of them, at most smtp_client_chunk(). */
SMTP_INLINE void smtp_client_skip_chunk(struct smtp_session *ss, __u64 bytes)
{
	ss->c.chunk -= bytes;
	if (!ss->c.chunk && bytes)
		smtp_chunk_over(ss);
}

#endif
