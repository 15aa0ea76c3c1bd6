/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * responder_fuzz.c - any client and any account against the responder's protocol: every reply is
 * whole, bounded, printable lines, a session that closes stays silent, and the parser never loses
 * step with the replies.
 *
 * Input: a length and as many bytes of the account's figures and domain, then the client's stream.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "../../user/refuse/responder_smtp.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
	if (!holds)
		abort();
}

/* Lines of at most 512 octets, of printable ASCII, each with a code and CRLF. */
static void check_reply(const char *reply, size_t length)
{
	size_t line = 0;
	size_t i;

	check(length < RESPONDER_REPLY_SIZE && reply[length] == '\0');
	for (i = 0; i < length; i++) {
		if (reply[i] == '\r') {
			check(i >= line + 4 && i + 1 < length && reply[i + 1] == '\n');
			check(strchr("245", reply[line]) && strchr(" -", reply[line + 3]));
			line = i + 2;
			i++;
		} else {
			check(reply[i] >= ' ' && reply[i] <= '~');
		}
	}
	check(line == length);
}

static void make_printable(char *text, size_t size)
{
	for (size_t i = 0; i < size; i++)
		text[i] = '!' + (uint8_t)text[i] % ('~' - '!' + 1);
}

/* An account's own domain is printable and never empty, and so is what an administrator has added:
 * the daemon's word. */
static void read_answer(struct responder_answer *answer, const uint8_t *data, size_t size)
{
	memset(answer, 0, sizeof(*answer));
	memcpy(answer, data, size < sizeof(*answer) ? size : sizeof(*answer));
	answer->known = 1;
	make_printable(answer->domain, sizeof(answer->domain));
	make_printable(answer->reason, sizeof(answer->reason));
	make_printable(answer->contact, sizeof(answer->contact));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct responder_smtp rs;
	struct responder_answer answer;
	char reply[RESPONDER_REPLY_SIZE];
	size_t figures, length, i;
	bool was_closing;

	figures = size ? data[0] : 0;
	if (size < 1 + figures)
		return 0;
	read_answer(&answer, data + 1, figures);
	check_reply(reply, responder_smtp_greet(&rs, &answer, reply));
	for (i = 1 + figures; i < size; i++) {
		was_closing = rs.closing;
		memset(reply, 'x', sizeof(reply));
		length = responder_smtp_byte(&rs, data[i], reply);
		check_reply(reply, length);
		if (rs.asking)
			check_reply(reply, responder_smtp_answered(&rs, &answer, reply));
		check(!(was_closing && length));
		check(!rs.session.s.desync);
		check(rs.closing || rs.session.c.pushed == rs.session.s.popped);
		check(strlen(rs.domain) < sizeof(rs.domain));
	}
	return 0;
}
