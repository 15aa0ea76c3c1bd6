/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * answer_socketmap.c - `smtplimit answer socketmap`: netstrings ask, netstrings answer, until one
 * is none.
 */
#include "answer.h"

#include <stdio.h>
#include "cmd.h"
#include "door_socketmap.h"

/* The digits of DOOR_SOCKETMAP_MAX and a colon. */
#define HEAD_SIZE 16

/* False: the end, or no netstring. */
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
		used = door_socketmap_head(head, size, length);
	}
	return used > 0;
}

/* What is too long to mean anything is read and forgotten, but for its map. */
static bool read_request(char request[DOOR_LINE_MAX + 1], size_t *length)
{
	size_t i;
	int c;

	if (!read_head(length))
		return false;
	for (i = 0; i < *length; i++) {
		c = getc_unlocked(stdin);
		if (c == EOF)
			return false;
		if (i < DOOR_LINE_MAX)
			request[i] = (char)c;
	}
	return getc_unlocked(stdin) == ',';
}

int answer_socketmap(struct answer *a)
{
	static char request[DOOR_LINE_MAX + 1];
	char text[ANSWER_TEXT_SIZE], reply[DOOR_SOCKETMAP_ANSWER_SIZE];
	struct origin origin;
	enum door_map map;
	size_t length;

	while (read_request(request, &length)) {
		bool cut = length > DOOR_LINE_MAX;
		enum door_step step = door_socketmap_request(
			request, cut ? DOOR_LINE_MAX : length, &map, &origin);
		bool refused;

		if (step != DOOR_ASK && step != DOOR_SAY)
			return CMD_FAILED;
		refused = step == DOOR_ASK && !cut && answer_ask(a, &origin, text);
		length = door_socketmap_answer(map, refused ? text : NULL, reply);
		if (answer_write(reply, length))
			return CMD_FAILED;
	}
	return feof(stdin) ? CMD_DONE : CMD_FAILED;
}
