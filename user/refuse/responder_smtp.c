/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * responder_smtp.c - the replies of the responder. Whatever would send, or would lead to it (MAIL,
 * RCPT, DATA, BDAT, STARTTLS, AUTH), gets the refusal.
 */
#include <stdio.h>
#include <string.h>
#include "headers/smtp.h"
#include "refusal_text.h"
#include "responder_smtp.h"

/*
 * STARTTLS and CRAM-MD5 are offered although both are refused: a client that insists on either
 * never asks a server that has neither, and reports "not supported" (or tries again for days)
 * instead of the refusal. CRAM-MD5 alone, for there the server speaks before any secret is sent.
 */
static const char ehlo_reply[] = "250-smtplimit\r\n"
				 "250-PIPELINING\r\n"
				 "250-8BITMIME\r\n"
				 "250-SMTPUTF8\r\n"
				 "250-STARTTLS\r\n"
				 "250-AUTH CRAM-MD5\r\n"
				 "250 ENHANCEDSTATUSCODES\r\n";

/*
 * Remember whose mail it is. The key form of a long domain is cut and hashed, which means nothing
 * to a reader: such a one is taken from the address, if that was kept whole.
 */
static void note_sender(struct responder_smtp *rs)
{
	const struct smtp_client *c = &rs->session.c;
	const char *domain = c->senders[c->txn % SMTP_SENDERS].domain;
	const char *at = memrchr(c->addr, '@', sizeof(c->addr));
	size_t length = strnlen(domain, SMTPL_DOMAIN_SIZE);
	size_t i;

	if (length == SMTPL_DOMAIN_SIZE - 1 && at && c->addr_len < sizeof(c->addr) - 1) {
		domain = at + 1;
		length = c->addr + c->addr_len - domain;
		if (length > 0 && domain[length - 1] == '.')
			length--;
	}
	for (i = 0; i < length; i++)
		rs->domain[i] = domain[i] >= 'A' && domain[i] <= 'Z' ? domain[i] | 0x20 : domain[i];
	rs->domain[length] = '\0';
}

static size_t say(const char *text, char reply[RESPONDER_REPLY_SIZE])
{
	size_t length = strlen(text);

	memcpy(reply, text, length + 1);
	return length;
}

static size_t refuse(const struct responder_smtp *rs, char reply[RESPONDER_REPLY_SIZE])
{
	size_t length;

	length = refusal_text(&rs->answer, rs->domain, reply, RESPONDER_REPLY_SIZE - 2);
	memcpy(reply + length, "\r\n", 3);
	return length + 2;
}

static size_t close_with(struct responder_smtp *rs, const char *text,
			 char reply[RESPONDER_REPLY_SIZE])
{
	rs->closing = true;
	return say(text, reply);
}

static bool is_command(const struct responder_smtp *rs, const char verb[4])
{
	return memcmp(rs->line, verb, 4) == 0 && rs->line[4] <= ' ';
}

/* A command that is of no meaning to the parser. */
static size_t answer_other(struct responder_smtp *rs, char reply[RESPONDER_REPLY_SIZE])
{
	if (is_command(rs, "NOOP"))
		return say("250 2.0.0 OK\r\n", reply);
	if (is_command(rs, "VRFY"))
		return say("252 2.5.0 Cannot verify, but nothing is sent here\r\n", reply);
	if (++rs->errors > RESPONDER_ERRORS_MAX)
		return close_with(rs, "421 4.7.0 Too many errors\r\n", reply);
	return say("500 5.5.2 Command not recognized\r\n", reply);
}

static size_t answer_command(struct responder_smtp *rs, enum smtp_verb verb,
			     char reply[RESPONDER_REPLY_SIZE])
{
	switch (verb) {
	case SMTP_EHLO:
		return say(is_command(rs, "HELO") ? "250 smtplimit\r\n" : ehlo_reply, reply);
	case SMTP_RSET:
		return say("250 2.0.0 OK\r\n", reply);
	case SMTP_QUIT:
		return close_with(rs, "221 2.0.0 Bye\r\n", reply);
	case SMTP_OTHER:
		return answer_other(rs, reply);
	default:
		return refuse(rs, reply);
	}
}

/* The parser has to see the replies too: whether a body follows DATA is the server's word. */
static size_t parse_reply(struct responder_smtp *rs, const char *reply, size_t length)
{
	size_t i;

	for (i = 0; i < length; i++)
		smtp_server_byte(&rs->session, (uint8_t)reply[i]);
	return length;
}

static void note_line(struct responder_smtp *rs, uint8_t byte)
{
	if (byte == '\n') {
		memset(rs->line, 0, sizeof(rs->line));
		rs->line_length = 0;
	} else if (rs->line_length < sizeof(rs->line)) {
		rs->line[rs->line_length++] = byte >= 'a' && byte <= 'z' ? byte & ~0x20 : byte;
	}
}

/* False: nobody that is suspended was found. */
static bool take_answer(struct responder_smtp *rs, const struct responder_answer *answer)
{
	if (!answer || !answer->known)
		return false;
	rs->answer = *answer;
	rs->answer.domain[sizeof(rs->answer.domain) - 1] = '\0';
	rs->answer.reason[sizeof(rs->answer.reason) - 1] = '\0';
	rs->answer.contact[sizeof(rs->answer.contact) - 1] = '\0';
	return true;
}

size_t responder_smtp_greet(struct responder_smtp *rs, const struct responder_answer *answer,
			    char reply[RESPONDER_REPLY_SIZE])
{
	memset(rs, 0, sizeof(*rs));
	if (!take_answer(rs, answer))
		return responder_smtp_stop(rs, reply);
	return parse_reply(rs, reply, say("220 smtplimit ESMTP\r\n", reply));
}

size_t responder_smtp_byte(struct responder_smtp *rs, uint8_t byte,
			   char reply[RESPONDER_REPLY_SIZE])
{
	struct smtp_client *c = &rs->session.c;
	uint32_t pushed = c->pushed;
	uint32_t event;
	size_t length = 0;

	reply[0] = '\0';
	if (rs->closing || rs->asking)
		return 0;
	event = smtp_client_byte(&rs->session, byte);
	if (event == SMTP_CLIENT_OPAQUE || c->desync || rs->session.s.desync)
		return responder_smtp_stop(rs, reply);
	if (event == SMTP_CLIENT_MAIL)
		note_sender(rs);
	rs->asking = event == SMTP_CLIENT_MAIL && c->pushed != pushed && rs->domain[0] &&
		     strcmp(rs->domain, rs->answer.domain);
	if (c->pushed != pushed && !rs->asking)
		length = answer_command(rs, c->fifo[pushed % SMTP_FIFO_DEPTH], reply);
	note_line(rs, byte);
	return parse_reply(rs, reply, length);
}

size_t responder_smtp_answered(struct responder_smtp *rs, const struct responder_answer *answer,
			       char reply[RESPONDER_REPLY_SIZE])
{
	rs->asking = false;
	if (!take_answer(rs, answer))
		return responder_smtp_stop(rs, reply);
	return parse_reply(rs, reply, refuse(rs, reply));
}

size_t responder_smtp_stop(struct responder_smtp *rs, char reply[RESPONDER_REPLY_SIZE])
{
	return close_with(rs, "421 4.3.2 Service not available, try again later\r\n", reply);
}
