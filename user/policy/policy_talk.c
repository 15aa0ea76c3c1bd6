/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * policy_talk.c - finds requests in a stream of bytes, and writes their answers.
 */
#include "policy_talk.h"

#include <errno.h>
#include <string.h>
#include "policy_line.h"
#include "refuse/refusal_text.h"

const char *const policy_socket_names[] = {
	[POLICY_EXIM] = "exim",
	[POLICY_DELEGATION] = "policy",
	[POLICY_SOCKETMAP] = "socketmap",
	[POLICY_FEED] = "feed",
};

_Static_assert(sizeof(policy_socket_names) / sizeof(*policy_socket_names) == POLICY_SOCKETS,
	       "a name for each socket");
_Static_assert(POLICY_TALK_OUT_BYTES >= POLICY_LINE_ANSWER_SIZE &&
		       POLICY_TALK_OUT_BYTES >= POLICY_DELEGATION_ANSWER_SIZE &&
		       POLICY_TALK_OUT_BYTES >= POLICY_SOCKETMAP_ANSWER_SIZE,
	       "room for any answer");

/* The buffers are at the end of the struct and need not be cleared. */
void policy_talk_begin(struct policy_talk *t, enum policy_socket socket)
{
	memset(t, 0, offsetof(struct policy_talk, in));
	t->socket = socket;
}

char *policy_talk_room(struct policy_talk *t, size_t *size)
{
	if (t->in_used == t->in_length) {
		t->in_used = t->in_length = 0;
	} else if (t->in_length == POLICY_TALK_IN_BYTES) {
		t->in_length -= t->in_used;
		memmove(t->in, t->in + t->in_used, t->in_length);
		t->in_used = 0;
	}
	*size = POLICY_TALK_IN_BYTES - t->in_length;
	return t->in + t->in_length;
}

void policy_talk_got(struct policy_talk *t, size_t bytes)
{
	t->in_length += bytes;
	t->eof |= bytes == 0;
}

static char *unread(struct policy_talk *t)
{
	return t->in + t->in_used;
}

static size_t unread_bytes(const struct policy_talk *t)
{
	return t->in_length - t->in_used;
}

/* Finds the one line of a connection. *length is without its end, which may be missing at the end
 * of the stream. ASK: the line is complete; else MORE, CLOSE, or MALFORMED (too long). */
static enum policy_step whole_line(struct policy_talk *t, size_t max, size_t *length)
{
	char *end = memchr(unread(t), '\n', unread_bytes(t));
	size_t bytes = end ? (size_t)(end - unread(t)) : unread_bytes(t);

	if (bytes > max)
		return POLICY_MALFORMED;
	if (!end && !t->eof)
		return POLICY_MORE;
	if (!end && bytes == 0)
		return POLICY_CLOSE;
	*length = bytes > 0 && unread(t)[bytes - 1] == '\r' ? bytes - 1 : bytes;
	return POLICY_ASK;
}

static enum policy_step next_line(struct policy_talk *t)
{
	char why[POLICY_LINE_ANSWER_SIZE / 2];
	enum policy_step step;
	size_t length;

	step = whole_line(t, POLICY_LINE_MAX, &length);
	if (step == POLICY_MORE || step == POLICY_CLOSE)
		return step;
	t->last = true;
	if (step == POLICY_MALFORMED)
		t->out_length = policy_line_error("want a line of at most 4096 bytes", t->out);
	else if (policy_line_parse(unread(t), length, &t->submission, why, sizeof(why)))
		t->out_length = policy_line_error(why, t->out);
	t->in_used = t->in_length;
	t->malformed = t->out_length > 0;
	return t->malformed ? POLICY_REPLY : POLICY_ASK;
}

static enum policy_step next_event(struct policy_talk *t)
{
	size_t length;
	enum policy_step step = whole_line(t, EXIM_EVENT_LINE_MAX, &length);

	return step == POLICY_ASK ? POLICY_REPORT : step;
}

/* Skips a part of a policy line that is too long to be kept, or the end of one. */
static enum policy_step skip_line(struct policy_talk *t, const char *end)
{
	size_t bytes = end ? (size_t)(end + 1 - unread(t)) : unread_bytes(t);

	t->skipping = !end;
	t->in_used += bytes;
	return policy_delegation_skip(&t->policy, bytes);
}

static enum policy_step next_policy_line(struct policy_talk *t)
{
	char *line = unread(t);
	char *end = memchr(line, '\n', unread_bytes(t));
	size_t bytes = end ? (size_t)(end - line) : unread_bytes(t);

	if (t->skipping || bytes > POLICY_LINE_MAX)
		return skip_line(t, end);
	if (!end)
		return POLICY_MORE;
	t->in_used += bytes + 1;
	return policy_delegation_line(&t->policy, line, bytes);
}

static enum policy_step next_policy(struct policy_talk *t)
{
	enum policy_step step;
	size_t before;

	do {
		before = t->in_used;
		step = next_policy_line(t);
	} while (step == POLICY_MORE && t->in_used > before);
	if (step == POLICY_MORE)
		return t->eof ? POLICY_CLOSE : POLICY_MORE;
	if (step == POLICY_MALFORMED)
		return step;
	t->submission = t->policy.submission;
	policy_delegation_begin(&t->policy);
	if (step == POLICY_REPLY)
		t->out_length = policy_delegation_answer(NULL, t->out);
	return step;
}

/* Skips the rest of a request that is too long to be kept; its answer is "not found". */
static enum policy_step skip_request(struct policy_talk *t)
{
	size_t bytes = unread_bytes(t) < t->skip ? unread_bytes(t) : t->skip;

	if (bytes == 0)
		return t->eof ? POLICY_CLOSE : POLICY_MORE;
	t->skip -= bytes;
	t->in_used += bytes;
	if (t->skip > 0)
		return t->eof ? POLICY_CLOSE : POLICY_MORE;
	t->skipping = false;
	if (t->in[t->in_used - 1] != ',')
		return POLICY_MALFORMED;
	t->out_length = policy_socketmap_answer(POLICY_MAP_ASK, NULL, t->out);
	return POLICY_REPLY;
}

static enum policy_step next_request(struct policy_talk *t)
{
	enum policy_step step;
	char *request;
	size_t length;
	int head;

	if (t->skipping)
		return skip_request(t);
	head = policy_socketmap_head(unread(t), unread_bytes(t), &length);
	if (head < 0)
		return POLICY_MALFORMED;
	if (head > 0 && length > POLICY_LINE_MAX) {
		t->skipping = true;
		t->skip = length + 1;
		t->in_used += (size_t)head;
		return skip_request(t);
	}
	if (head == 0 || unread_bytes(t) < (size_t)head + length + 1)
		return t->eof ? POLICY_CLOSE : POLICY_MORE;
	request = unread(t) + head;
	if (request[length] != ',')
		return POLICY_MALFORMED;
	t->in_used += (size_t)head + length + 1;
	step = policy_socketmap_request(request, length, &t->map, &t->submission);
	if (step == POLICY_REPLY)
		t->out_length = policy_socketmap_answer(t->map, NULL, t->out);
	return step;
}

enum policy_step policy_talk_next(struct policy_talk *t)
{
	switch (t->socket) {
	case POLICY_EXIM:
		return next_line(t);
	case POLICY_DELEGATION:
		return next_policy(t);
	case POLICY_SOCKETMAP:
		return next_request(t);
	case POLICY_FEED:
		return next_event(t);
	case POLICY_SOCKETS:
		break;
	}
	return POLICY_CLOSE;
}

/* The sender's domain as people write it, for the refusal. */
static const char *sender_domain(const char *sender, char domain[SMTPL_ADDR_SIZE])
{
	const char *at = strrchr(sender, '@');
	size_t i;

	if (!at)
		return NULL;
	for (i = 0; at[1 + i]; i++)
		domain[i] = at[1 + i] >= 'A' && at[1 + i] <= 'Z' ? at[1 + i] | 0x20 : at[1 + i];
	if (i > 0 && domain[i - 1] == '.')
		i--;
	domain[i] = '\0';
	return domain;
}

enum policy_step policy_talk_answer(struct policy_talk *t, const struct policy_answer *answer)
{
	bool charged = answer && answer->charge == PAYER_ACCOUNT;
	char text[POLICY_TALK_OUT_BYTES], domain[SMTPL_ADDR_SIZE];
	const char *refusal = NULL;

	if (!answer && t->socket != POLICY_SOCKETMAP)
		return POLICY_CLOSE;
	if (charged && answer->refusal.known) {
		refusal_text(&answer->refusal, sender_domain(t->submission.sender, domain), text,
			     sizeof(text));
		refusal = text;
	}
	if (t->socket == POLICY_EXIM)
		t->out_length =
			policy_line_answer(charged ? &answer->account : NULL, refusal, t->out);
	else if (t->socket == POLICY_DELEGATION)
		t->out_length = policy_delegation_answer(refusal, t->out);
	else
		t->out_length = policy_socketmap_answer(t->map, refusal, t->out);
	return POLICY_REPLY;
}

int policy_talk_record(struct policy_talk *t, uint32_t peer, struct delivery_report *record)
{
	size_t length;

	if (whole_line(t, EXIM_EVENT_LINE_MAX, &length) != POLICY_ASK)
		return -EINVAL;
	return exim_event_parse(unread(t), length, peer, record);
}

bool policy_talk_is_midway(const struct policy_talk *t)
{
	return unread_bytes(t) > 0 || t->skipping || t->policy.bytes > 0;
}
