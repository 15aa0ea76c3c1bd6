/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * policy_client_socketmap.c - `smtplimit answer socketmap`: answers netstrings with netstrings,
 * until the end or one that is malformed.
 */
#include "policy_client.h"

#include <stdio.h>
#include "cmd.h"
#include "policy_socketmap.h"

/* The digits of POLICY_SOCKETMAP_MAX and a colon. */
#define HEAD_SIZE 16

/* False: the input ends, or it is no netstring. */
static bool read_head(size_t *length)
{
	char head[HEAD_SIZE];
	size_t size = 0;
	int used = 0;

	while (!used && size < sizeof(head)) {
		int c = getc_unlocked(stdin);

		if (c == EOF)
			return false;
		head[size++] = (char)c;
		used = policy_socketmap_head(head, size, length);
	}
	return used > 0;
}

/* A request that is too long for any meaning is read, but only its map is kept. */
static bool read_request(char request[POLICY_LINE_MAX + 1], size_t *length)
{
	size_t i;
	int c;

	if (!read_head(length))
		return false;
	for (i = 0; i < *length; i++) {
		c = getc_unlocked(stdin);
		if (c == EOF)
			return false;
		if (i < POLICY_LINE_MAX)
			request[i] = (char)c;
	}
	return getc_unlocked(stdin) == ',';
}

int policy_client_socketmap(struct policy_client *a)
{
	static char request[POLICY_LINE_MAX + 1];
	char text[POLICY_CLIENT_TEXT_SIZE], reply[POLICY_SOCKETMAP_ANSWER_SIZE];
	struct submission submission;
	enum policy_map map;
	size_t length;

	while (read_request(request, &length)) {
		bool cut = length > POLICY_LINE_MAX;
		enum policy_step step = policy_socketmap_request(
			request, cut ? POLICY_LINE_MAX : length, &map, &submission);
		bool refused;

		if (step != POLICY_ASK && step != POLICY_REPLY)
			return CMD_FAILED;
		refused = step == POLICY_ASK && !cut && policy_client_ask(a, &submission, text);
		length = policy_socketmap_answer(map, refused ? text : NULL, reply);
		if (policy_client_write(reply, length))
			return CMD_FAILED;
	}
	return feof(stdin) ? CMD_DONE : CMD_FAILED;
}
