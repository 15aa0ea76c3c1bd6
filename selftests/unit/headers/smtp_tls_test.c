/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * smtp_tls_test.c - a session inside TLS whose plaintext is seen from its n-th chunk on, for each
 * n: what is decided, what is unknown, and that nothing is misread.
 */
#include <setjmp.h>
#include <stdbool.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "headers/smtp.h"

struct tally {
	unsigned int delivered, deferred, failed, unknown, late;
};

struct world {
	struct smtp_session ss;
	struct smtp_tls tls;
	struct tally tally;
};

static void note_decision(struct world *w)
{
	const struct smtp_decision *d = &w->ss.s.decision;

	w->tally.delivered += d->outcome == SMTP_DELIVERED ? d->count : 0;
	w->tally.deferred += d->outcome == SMTP_DEFERRED ? d->count : 0;
	w->tally.failed += d->outcome == SMTP_FAILED ? d->count : 0;
	w->tally.unknown += d->outcome == SMTP_UNKNOWN ? d->count : 0;
}

static uint64_t word_of(const char *chunk)
{
	size_t len = strlen(chunk);
	uint64_t word = 0;

	for (size_t i = 0; i < 8; i++) {
		unsigned char byte = i < len ? chunk[i] : 0;

		word = word << 8 | (byte >= 'a' && byte <= 'z' ? byte - 32 : byte);
	}
	return word;
}

static void client_bytes(struct world *w, const char *bytes)
{
	for (; *bytes; bytes++)
		if (smtp_client_byte(&w->ss, (unsigned char)*bytes) == SMTP_CLIENT_RCPT_UNKNOWN)
			w->tally.unknown++;
}

static void server_bytes(struct world *w, const char *bytes)
{
	for (; *bytes; bytes++)
		if (smtp_server_byte(&w->ss, (unsigned char)*bytes) == SMTP_SERVER_REPLY)
			note_decision(w);
}

/* "C..." or "S..." */
static void chunk(struct world *w, const char *text)
{
	unsigned int event = text[0] == 'C' ? smtp_tls_wrote(&w->tls, &w->ss, word_of(text + 1)) :
					      smtp_tls_read(&w->tls, &w->ss, word_of(text + 1));

	w->tally.late += !!(event & SMTP_TLS_LATE);
	w->tally.unknown += !!(event & SMTP_TLS_UNKNOWN);
	if (text[0] == 'S')
		server_bytes(w, text + 1);
	else if (!(event & SMTP_TLS_SKIP))
		client_bytes(w, text + 1);
}

static void over(struct world *w)
{
	w->tally.unknown += !!smtp_tls_over(&w->tls);
	while (smtp_session_end(&w->ss, SMTP_END_CLIENT))
		note_decision(w);
}

/* Up to where TLS begins, on the wire. */
static void begin(struct world *w, bool starttls)
{
	memset(w, 0, sizeof(*w));
	if (starttls) {
		server_bytes(w, "220 hello\r\n");
		client_bytes(w, "EHLO me\r\n");
		server_bytes(w, "250-you\r\n250 STARTTLS\r\n");
		client_bytes(w, "STARTTLS\r\n");
		server_bytes(w, "220 go ahead\r\n");
	} else {
		client_bytes(w, "\x16\x03\x01");
		server_bytes(w, "\x16");
	}
	assert_int_equal(w->ss.s.opaque, 1);
	smtp_tls_begin(&w->ss);
}

struct part {
	const char *text;
	struct tally from_here; /* when this is the first chunk seen */
};

/* a is delivered, b fails, c is deferred */
static const struct part dialogue[] = {
	{"S220 mx ESMTP\r\n", {1, 1, 1, 0, 0}},
	{"CEHLO me\r\n", {1, 1, 1, 0, 0}},
	{"S250-mx\r\n", {1, 1, 1, 0, 1}}, /* a line at a time */
	{"S250-SIZE\r\n", {1, 1, 1, 0, 1}},
	{"S250 PIPELINING\r\n", {1, 1, 1, 1, 1}}, /* this could be the answer to anything */
	{"CAUTH LOGIN\r\n", {1, 1, 1, 0, 1}},
	{"S334 VXNlcm5hbWU6\r\n", {1, 1, 1, 0, 1}},
	{"CbWUK\r\n", {1, 1, 1, 1, 1}}, /* nobody can tell what this line was */
	{"S235 2.7.0 welcome\r\n", {1, 1, 1, 0, 1}},
	{"CMAIL FROM:<me@one.test>\r\n", {1, 1, 1, 0, 1}},
	{"S250 ok\r\n", {0, 1, 0, 2, 1}},
	{"CRCPT TO:<a@two.test>\r\n", {0, 1, 0, 2, 1}},
	{"S250 ok\r\n", {0, 1, 0, 1, 1}},
	{"CRCPT TO:<b@two.test>\r\n", {0, 1, 0, 1, 1}},
	{"S550 5.1.1 no\r\n", {0, 1, 0, 1, 1}},
	{"CDATA\r\n", {0, 1, 0, 1, 1}},
	{"S354 go\r\n", {0, 1, 0, 1, 1}},
	{"CSubject: x\r\n\r\nRCPT of nothing\r\n", {0, 1, 0, 1, 1}},
	{"CMail is what this is\r\nRCPT TO:<none@two.test> it says\r\n", {0, 1, 0, 1, 1}},
	{"C.\r\n", {0, 1, 0, 1, 1}},
	{"S250 queued\r\n", {0, 1, 0, 1, 1}},
	{"CMAIL FROM:<me@one.test>\r\nRCPT TO:<c@two.test>\r\nDATA\r\n", {0, 1, 0, 0, 1}},
	{"S250 ok\r\n250 ok\r\n354 go\r\n", {0, 0, 0, 1, 1}},
	{"Ctext\r\n.\r\n", {0, 0, 0, 1, 1}},
	{"S450 later\r\n", {0, 0, 0, 1, 1}},
	{"CQUIT\r\n", {0, 0, 0, 1, 1}}, /* who knows what was before */
	{"S221 bye\r\n", {0, 0, 0, 1, 1}},
};

#define PARTS (sizeof(dialogue) / sizeof(dialogue[0]))

static void check_from(size_t first, bool starttls)
{
	const struct tally *want = &dialogue[first].from_here;
	struct world w;

	begin(&w, starttls);
	for (size_t i = first; i < PARTS; i++)
		chunk(&w, dialogue[i].text);
	over(&w);
	if (memcmp(&w.tally, want, sizeof(*want)))
		fail_msg(
			"from chunk %zu: %u delivered, %u deferred, %u failed, %u unknown, %u late; "
			"want %u, %u, %u, %u, %u",
			first, w.tally.delivered, w.tally.deferred, w.tally.failed, w.tally.unknown,
			w.tally.late, want->delivered, want->deferred, want->failed, want->unknown,
			want->late);
}

static void test_seen_from_each_chunk_on(void **state)
{
	(void)state;
	for (size_t first = 0; first < PARTS; first++) {
		check_from(first, false);
		if (first)
			check_from(first, true);
	}
}

/* Once the handshake was seen, the first chunk is the beginning, whatever it is. */
static void test_a_beginning_without_ehlo(void **state)
{
	struct world w;

	(void)state;
	begin(&w, true);
	w.tls.whole = 1;
	chunk(&w, "CMAIL FROM:<me@one.test>\r\nRCPT TO:<a@two.test>\r\n");
	chunk(&w, "S250 ok\r\n550 no\r\n");
	over(&w);
	assert_int_equal(w.tally.failed, 1);
	assert_int_equal(w.tally.late + w.tally.unknown + w.tally.delivered + w.tally.deferred, 0);
}

static void test_greeting_is_awaited_after_a_handshake(void **state)
{
	struct world w;

	(void)state;
	begin(&w, false);
	w.tls.whole = 1;
	chunk(&w, "S554 not you\r\n");
	chunk(&w, "CQUIT\r\n");
	over(&w);
	assert_int_equal(w.tally.failed, 1);
	assert_int_equal(w.tally.late + w.tally.unknown, 0);
}

/* Without the handshake a refusal may be an answer to anything. */
static void test_a_refusal_first_is_late(void **state)
{
	struct world w;

	(void)state;
	begin(&w, false);
	chunk(&w, "S554 not you\r\n");
	over(&w);
	assert_int_equal(w.tally.failed, 0);
	assert_int_equal(w.tally.late, 1);
	assert_int_equal(w.tally.unknown, 1);
}

/* A line of AUTH is never kept, even where commands and replies do not match. */
static void test_challenge_is_left(void **state)
{
	struct world w;

	(void)state;
	begin(&w, true);
	chunk(&w, "S334 UGFzc3dvcmQ6\r\n");
	assert_int_equal(smtp_tls_wrote(&w.tls, &w.ss, word_of("c2VjcmV0\r\n")), SMTP_TLS_SKIP);
}

/* An LMTP server replies once for each recipient after the dot: not followed, as without TLS. */
static void test_lmtp_is_never_in_step(void **state)
{
	struct world w;

	(void)state;
	begin(&w, true);
	chunk(&w, "CLHLO me\r\n");
	chunk(&w, "S250 you\r\n");
	chunk(&w, "CMAIL FROM:<me@one.test>\r\n");
	chunk(&w, "S250 ok\r\n");
	chunk(&w, "CRCPT TO:<a@two.test>\r\n");
	chunk(&w, "S250 ok\r\n");
	chunk(&w, "CRCPT TO:<b@two.test>\r\n");
	chunk(&w, "S250 ok\r\n");
	chunk(&w, "CDATA\r\n");
	chunk(&w, "S354 go\r\n");
	chunk(&w, "C.\r\n");
	chunk(&w, "S250 a has it\r\n550 b is not here\r\n");
	over(&w);
	assert_int_equal(w.tally.delivered + w.tally.failed + w.tally.deferred, 0);
	assert_int_equal(w.tally.unknown, 2);
}

/* Refusals and transactions before STARTTLS keep their numbers. */
static void test_transactions_go_on(void **state)
{
	struct world w;

	(void)state;
	memset(&w, 0, sizeof(w));
	server_bytes(&w, "220 hello\r\n");
	client_bytes(&w, "EHLO me\r\nMAIL FROM:<a@one.test>\r\n");
	server_bytes(&w, "250 you\r\n530 5.7.0 STARTTLS first\r\n");
	client_bytes(&w, "STARTTLS\r\n");
	server_bytes(&w, "220 go ahead\r\n");
	assert_int_equal(w.tally.failed, 1);
	smtp_tls_begin(&w.ss);
	chunk(&w, "CEHLO me\r\n");
	chunk(&w, "S250 you\r\n");
	chunk(&w, "CMAIL FROM:<a@two.test>\r\nRCPT TO:<b@two.test>\r\nDATA\r\n");
	assert_int_equal(w.ss.c.txn, 2);
	chunk(&w, "S250 ok\r\n250 ok\r\n354 go\r\n");
	chunk(&w, "C.\r\n");
	chunk(&w, "S250 queued\r\n");
	assert_int_equal(w.ss.s.decision.txn, 2);
	over(&w);
	assert_int_equal(w.tally.delivered, 1);
	assert_int_equal(w.tally.failed, 1);
	assert_int_equal(w.tally.unknown + w.tally.deferred + w.tally.late, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_seen_from_each_chunk_on),
		cmocka_unit_test(test_a_beginning_without_ehlo),
		cmocka_unit_test(test_greeting_is_awaited_after_a_handshake),
		cmocka_unit_test(test_a_refusal_first_is_late),
		cmocka_unit_test(test_challenge_is_left),
		cmocka_unit_test(test_lmtp_is_never_in_step),
		cmocka_unit_test(test_transactions_go_on),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
