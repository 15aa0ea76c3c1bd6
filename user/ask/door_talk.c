/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * door_talk.c - requests out of a stream of bytes, and their answers.
 */
#include "door_talk.h"

#include <errno.h>
#include <string.h>
#include "door_line.h"

const char *const door_socket_names[] = {
	[DOOR_EXIM] = "exim",
	[DOOR_POLICY] = "policy",
	[DOOR_SOCKETMAP] = "socketmap",
	[DOOR_FEED] = "feed",
};

_Static_assert(sizeof(door_socket_names) / sizeof(*door_socket_names) == DOOR_SOCKETS,
	       "a name for each socket");
_Static_assert(DOOR_TALK_OUT_BYTES >= DOOR_LINE_ANSWER_SIZE &&
		       DOOR_TALK_OUT_BYTES >= DOOR_POLICY_ANSWER_SIZE &&
		       DOOR_TALK_OUT_BYTES >= DOOR_SOCKETMAP_ANSWER_SIZE,
	       "room for any answer");

/* Requests live behind this in the struct; their bytes need not be cleared. */
void door_talk_begin(struct door_talk *t, enum door_socket socket)
{
	memset(t, 0, offsetof(struct door_talk, in));
	t->socket = socket;
}

char *door_talk_room(struct door_talk *t, size_t *size)
{
	if (t->in_used == t->in_length) {
		t->in_used = t->in_length = 0;
	} else if (t->in_length == DOOR_TALK_IN_BYTES) {
		t->in_length -= t->in_used;
		memmove(t->in, t->in + t->in_used, t->in_length);
		t->in_used = 0;
	}
	*size = DOOR_TALK_IN_BYTES - t->in_length;
	return t->in + t->in_length;
}

void door_talk_got(struct door_talk *t, size_t bytes)
{
	t->in_length += bytes;
	t->eof |= bytes == 0;
}

static char *unread(struct door_talk *t)
{
	return t->in + t->in_used;
}

static size_t unread_bytes(const struct door_talk *t)
{
	return t->in_length - t->in_used;
}

/* The length of the one line of a connection, without its end, which may be missing at the end of
 * the stream. MORE, CLOSE, MALFORMED (too long), or ASK: it is whole. */
static enum door_step whole_line(struct door_talk *t, size_t max, size_t *length)
{
	char *end = memchr(unread(t), '\n', unread_bytes(t));
	size_t bytes = end ? (size_t)(end - unread(t)) : unread_bytes(t);

	if (bytes > max)
		return DOOR_MALFORMED;
	if (!end && !t->eof)
		return DOOR_MORE;
	if (!end && bytes == 0)
		return DOOR_CLOSE;
	*length = bytes > 0 && unread(t)[bytes - 1] == '\r' ? bytes - 1 : bytes;
	return DOOR_ASK;
}

static enum door_step next_line(struct door_talk *t)
{
	char why[DOOR_LINE_ANSWER_SIZE / 2];
	enum door_step step;
	size_t length;

	step = whole_line(t, DOOR_LINE_MAX, &length);
	if (step == DOOR_MORE || step == DOOR_CLOSE)
		return step;
	t->last = true;
	if (step == DOOR_MALFORMED)
		t->out_length = door_line_error("want a line of at most 4096 bytes", t->out);
	else if (door_line_parse(unread(t), length, &t->origin, why, sizeof(why)))
		t->out_length = door_line_error(why, t->out);
	t->in_used = t->in_length;
	return t->out_length ? DOOR_SAY : DOOR_ASK;
}

static enum door_step next_event(struct door_talk *t)
{
	size_t length;
	enum door_step step = whole_line(t, DOOR_FEED_LINE_MAX, &length);

	return step == DOOR_ASK ? DOOR_TELL : step;
}

/* Part of a policy line too long to be kept, or its end. */
static enum door_step skip_line(struct door_talk *t, const char *end)
{
	size_t bytes = end ? (size_t)(end + 1 - unread(t)) : unread_bytes(t);

	t->skipping = !end;
	t->in_used += bytes;
	return door_policy_skip(&t->policy, bytes);
}

static enum door_step next_policy_line(struct door_talk *t)
{
	char *line = unread(t);
	char *end = memchr(line, '\n', unread_bytes(t));
	size_t bytes = end ? (size_t)(end - line) : unread_bytes(t);

	if (t->skipping || bytes > DOOR_LINE_MAX)
		return skip_line(t, end);
	if (!end)
		return DOOR_MORE;
	t->in_used += bytes + 1;
	return door_policy_line(&t->policy, line, bytes);
}

static enum door_step next_policy(struct door_talk *t)
{
	enum door_step step;
	size_t before;

	do {
		before = t->in_used;
		step = next_policy_line(t);
	} while (step == DOOR_MORE && t->in_used > before);
	if (step == DOOR_MORE)
		return t->eof ? DOOR_CLOSE : DOOR_MORE;
	if (step == DOOR_MALFORMED)
		return step;
	t->origin = t->policy.origin;
	door_policy_begin(&t->policy);
	if (step == DOOR_SAY)
		t->out_length = door_policy_answer(NULL, t->out);
	return step;
}

/* The rest of a request of which nothing is kept; nothing is found for it. */
static enum door_step skip_request(struct door_talk *t)
{
	size_t bytes = unread_bytes(t) < t->skip ? unread_bytes(t) : t->skip;

	if (bytes == 0)
		return t->eof ? DOOR_CLOSE : DOOR_MORE;
	t->skip -= bytes;
	t->in_used += bytes;
	if (t->skip > 0)
		return t->eof ? DOOR_CLOSE : DOOR_MORE;
	t->skipping = false;
	if (t->in[t->in_used - 1] != ',')
		return DOOR_MALFORMED;
	t->out_length = door_socketmap_answer(DOOR_MAP_ASK, NULL, t->out);
	return DOOR_SAY;
}

static enum door_step next_request(struct door_talk *t)
{
	enum door_step step;
	char *request;
	size_t length;
	int head;

	if (t->skipping)
		return skip_request(t);
	head = door_socketmap_head(unread(t), unread_bytes(t), &length);
	if (head < 0)
		return DOOR_MALFORMED;
	if (head > 0 && length > DOOR_LINE_MAX) {
		t->skipping = true;
		t->skip = length + 1;
		t->in_used += (size_t)head;
		return skip_request(t);
	}
	if (head == 0 || unread_bytes(t) < (size_t)head + length + 1)
		return t->eof ? DOOR_CLOSE : DOOR_MORE;
	request = unread(t) + head;
	if (request[length] != ',')
		return DOOR_MALFORMED;
	t->in_used += (size_t)head + length + 1;
	step = door_socketmap_request(request, length, &t->map, &t->origin);
	if (step == DOOR_SAY)
		t->out_length = door_socketmap_answer(t->map, NULL, t->out);
	return step;
}

enum door_step door_talk_next(struct door_talk *t)
{
	switch (t->socket) {
	case DOOR_EXIM:
		return next_line(t);
	case DOOR_POLICY:
		return next_policy(t);
	case DOOR_SOCKETMAP:
		return next_request(t);
	case DOOR_FEED:
		return next_event(t);
	case DOOR_SOCKETS:
		break;
	}
	return DOOR_CLOSE;
}

/* The domain that the refusal names: of the sender, as people write it. */
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

enum door_step door_talk_answer(struct door_talk *t, const struct door_answer *answer)
{
	bool charged = answer && answer->charge == ORIGIN_ACCOUNT;
	char text[DOOR_TALK_OUT_BYTES], domain[SMTPL_ADDR_SIZE];
	const char *refusal = NULL;

	if (!answer && t->socket != DOOR_SOCKETMAP)
		return DOOR_CLOSE;
	if (charged && answer->refusal.known) {
		responder_text(&answer->refusal, sender_domain(t->origin.sender, domain), text,
			       sizeof(text));
		refusal = text;
	}
	if (t->socket == DOOR_EXIM)
		t->out_length =
			door_line_answer(charged ? &answer->account : NULL, refusal, t->out);
	else if (t->socket == DOOR_POLICY)
		t->out_length = door_policy_answer(refusal, t->out);
	else
		t->out_length = door_socketmap_answer(t->map, refusal, t->out);
	return DOOR_SAY;
}

int door_talk_record(struct door_talk *t, uint32_t peer, struct feed_record *record)
{
	size_t length;

	if (whole_line(t, DOOR_FEED_LINE_MAX, &length) != DOOR_ASK)
		return -EINVAL;
	return door_feed_parse(unread(t), length, peer, record);
}

bool door_talk_is_midway(const struct door_talk *t)
{
	return unread_bytes(t) > 0 || t->skipping || t->policy.bytes > 0;
}
