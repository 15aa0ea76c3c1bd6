/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * policy_fuzz.c - any bytes at each socket of the policy server: however the stream is cut, the
 * same is asked, told and answered; every answer is of its protocol; strings end; and a stream that
 * has ended comes to an end.
 *
 * Input: a byte that names the socket, '0' to '3', and one that seeds the answers and the cuts,
 * then the stream.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "policy/policy_line.h"
#include "policy/policy_talk.h"
#include "base/hash.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct run {
	struct policy_talk *talk;
	const uint8_t *stream;
	size_t left;
	uint32_t cut; /* 0: as much as there is room for */
	uint32_t seed;
	uint64_t told; /* a hash of all that came out */
};

static void check(bool holds)
{
	if (!holds)
		abort();
}

static void note(struct run *r, const void *bytes, size_t size)
{
	r->told = hash_bytes(r->told, bytes, size);
}

static bool ends(const char *text, size_t size)
{
	return memchr(text, '\0', size) != NULL;
}

static void check_submission(const struct submission *o)
{
	char domain[SMTPL_DOMAIN_SIZE];

	check(ends(o->auth, sizeof(o->auth)) && ends(o->sender, sizeof(o->sender)));
	check(ends(o->forwarder, sizeof(o->forwarder)));
	check(o->client_port <= 65535);
	if (!(o->known & SUBMISSION_HAS_ACCOUNT))
		return;
	check(o->account.kind == ACCOUNT_UID || o->account.kind == ACCOUNT_DOMAIN);
	if (o->account.kind == ACCOUNT_DOMAIN)
		check(account_domain_key(o->account.domain, domain) == 0);
}

/* What the question says is what the same question says when it is passed on. */
static void check_passed_on(const struct submission *o)
{
	char line[POLICY_LINE_MAX + 1], why[256];
	struct submission again;
	size_t length = policy_line_ask(o, line, sizeof(line));

	check(length > 0);
	check(policy_line_parse(line, length - 1, &again, why, sizeof(why)) == 0);
	check(again.known == o->known && strcmp(again.auth, o->auth) == 0);
	check(strcmp(again.sender, o->sender) == 0 || o->sender[0] == '<');
}

static void check_answer(const struct policy_talk *t)
{
	const char *out = t->out;
	size_t length = t->out_length;
	int digits, payload;
	size_t i;

	check(length > 0 && length < sizeof(t->out));
	for (i = 0; i < length; i++)
		check(out[i] == '\n' || (uint8_t)out[i] >= ' ');
	switch (t->socket) {
	case POLICY_EXIM:
		check(memchr(out, '\n', length) == out + length - 1 && t->last);
		check(!strncmp(out, "ok ", 3) || !strncmp(out, "refused ", 8) ||
		      !strncmp(out, "error ", 6));
		break;
	case POLICY_DELEGATION:
		check(!strncmp(out, "action=", 7) && memchr(out, '\n', length) == out + length - 2);
		check(out[length - 1] == '\n');
		break;
	default:
		check(t->socket == POLICY_SOCKETMAP);
		check(sscanf(out, "%d:%n", &payload, &digits) == 1);
		check((size_t)(digits + payload + 1) == length && out[length - 1] == ',');
	}
}

static void check_record(const struct delivery_report *r)
{
	check_submission(&r->submission);
	check(r->mta == FEED_EXIM && (r->kind == REPORT_OUTCOME || r->kind == REPORT_REFUSED));
	check(r->outcome < SMTP_OUTCOMES && r->code < 600 && r->wall_ns >= 0);
	check(ends(r->rcpt, sizeof(r->rcpt)) && ends(r->id, sizeof(r->id)));
	check(ends(r->text, sizeof(r->text)) && !strpbrk(r->text, "\r\n"));
	check(r->age_s >= REPORT_AGE_UNKNOWN && r->age_s <= REPORT_AGE_MAX_S);
	check(ends(r->host, sizeof(r->host)) && ends(r->tls, sizeof(r->tls)));
}

static enum policy_step answer(struct run *r)
{
	struct policy_answer a = {
		.charge = r->seed % 5,
		.account = {.kind = ACCOUNT_UID, .uid = r->seed},
		.refusal = {.known = r->seed % 2,
			    .bad = 7,
			    .min = 5,
			    .percent = 58,
			    .until_wall_s = 1795269900,
			    .domain = "own.example"},
	};

	check_submission(&r->talk->submission);
	check_passed_on(&r->talk->submission);
	note(r, &r->talk->submission, sizeof(r->talk->submission));
	r->seed = r->seed * 1103515245 + 12345;
	return policy_talk_answer(r->talk, r->seed >> 16 & 7 ? &a : NULL);
}

static void give(struct run *r)
{
	size_t size;
	char *room = policy_talk_room(r->talk, &size);

	check(size > 0 && !r->talk->eof);
	if (size > r->left)
		size = r->left;
	if (r->cut && size > 1) {
		r->cut = r->cut * 1103515245 + 12345;
		size = 1 + (r->cut >> 16) % (size < 40 ? size : 40);
	}
	memcpy(room, r->stream, size);
	r->stream += size;
	r->left -= size;
	policy_talk_got(r->talk, size);
}

static void tell(struct run *r)
{
	struct delivery_report record;
	int err;

	memset(&record, 0, sizeof(record));
	err = policy_talk_record(r->talk, 101, &record);
	check(err == 0 || err == -EINVAL || err == -ENOENT);
	if (err == 0)
		check_record(&record);
	note(r, &err, sizeof(err));
	note(r, &record, sizeof(record));
}

static uint64_t talk(const uint8_t *stream, size_t size, enum policy_socket socket, uint32_t seed,
		     uint32_t cut)
{
	static struct policy_talk t;
	struct run r = {&t, stream, size, cut, seed, 0};
	enum policy_step step;

	memset(&t, 0xee, sizeof(t));
	policy_talk_begin(&t, socket);
	for (;;) {
		step = policy_talk_next(&t);
		if (step == POLICY_MORE) {
			give(&r);
			continue;
		}
		if (step == POLICY_ASK)
			step = answer(&r);
		note(&r, &step, sizeof(step));
		if (step == POLICY_REPORT)
			tell(&r);
		if (step != POLICY_REPLY)
			return r.told;
		check_answer(&t);
		note(&r, t.out, t.out_length);
		t.out_length = 0;
		if (t.last)
			return r.told;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	enum policy_socket socket;
	uint64_t whole;

	if (size < 2)
		return 0;
	socket = (enum policy_socket)(data[0] % POLICY_SOCKETS);
	whole = talk(data + 2, size - 2, socket, data[1], 0);
	check(talk(data + 2, size - 2, socket, data[1], 1 + data[1]) == whole);
	return 0;
}
