/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * door_socketmap.c - what the keys of the maps ask for, and what is found.
 */
#include "door_socketmap.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "door_line.h"

int door_socketmap_head(const char *bytes, size_t size, size_t *length)
{
	size_t n = 0;
	size_t i;

	for (i = 0; i < size && bytes[i] >= '0' && bytes[i] <= '9'; i++) {
		n = n * 10 + (size_t)(bytes[i] - '0');
		if (n > DOOR_SOCKETMAP_MAX || (i == 1 && bytes[0] == '0'))
			return -EPROTO;
	}
	if (i == size)
		return 0;
	if (i == 0 || bytes[i] != ':')
		return -EPROTO;
	*length = n;
	return (int)i + 1;
}

static const char received_by[] = "Received: by ";

/* Did this host write the header? */
static bool is_received_by(const char *key, const char *host)
{
	size_t length = strlen(host);

	if (strncasecmp(key, received_by, strlen(received_by)))
		return false;
	key += strlen(received_by);
	return !strncasecmp(key, host, length) && key[length] == ' ';
}

static bool ask_transport(char *key, struct origin *o)
{
	if (!strchr(key, '@'))
		return false;
	door_word_sender(o->sender, key);
	return true;
}

/* The header that cleanup(8) is given by pickup(8) before those of the message. A lookup may have
 * turned it into lower case. */
static bool ask_pickup(char *key, struct origin *o)
{
	static const char from[] = "(Postfix, from userid ";
	char *host = key + strlen(received_by);
	char *uid, *end;

	if (strncasecmp(key, received_by, strlen(received_by)))
		return false;
	uid = strchr(host, ' ');
	if (!uid || uid == host || strncasecmp(uid + 1, from, strlen(from)))
		return false;
	uid += 1 + strlen(from);
	end = strchr(uid, ')');
	if (!end || (end[1] && !strchr(" \t\r\n", end[1])))
		return false;
	*end = '\0';
	if (account_uid_number(uid, &o->uid))
		return false;
	o->known = ORIGIN_HAS_UID | ORIGIN_NO_SENDER;
	return true;
}

static bool ask_users(char *key, struct origin *o)
{
	door_word_address(o->auth, key);
	o->known = ORIGIN_NO_SENDER;
	return key[0] != '\0';
}

static bool ask_line(char *key, struct origin *o)
{
	char why[256];

	return door_line_parse(key, strlen(key), o, why, sizeof(why)) == 0;
}

static const struct {
	const char *name;
	bool (*ask)(char *key, struct origin *o); /* false: can only be not found */
	const char *found; /* goes before the text */
	bool with_code;
} maps[] = {
	[DOOR_MAP_TRANSPORT] = {"transport", ask_transport, "error:5.7.1 ", false},
	[DOOR_MAP_PICKUP] = {"pickup", ask_pickup, "REJECT 5.7.1 ", false},
	[DOOR_MAP_USERS] = {"users", ask_users, "", true},
	[DOOR_MAP_ASK] = {"ask", ask_line, "", true},
};

enum door_step door_socketmap_request(char *request, size_t length, enum door_map *map,
				      struct origin *o)
{
	char *blank = memchr(request, ' ', length);
	char *host;
	size_t i;

	*map = DOOR_MAP_NONE;
	if (!blank || memchr(request, '\0', (size_t)(blank - request)))
		return DOOR_MALFORMED;
	request[length] = '\0';
	*blank = '\0';
	host = strchr(request, '/');
	if (host)
		*host++ = '\0';
	for (i = DOOR_MAP_NONE + 1; i < sizeof(maps) / sizeof(*maps); i++) {
		if (strcmp(maps[i].name, request) || (host && i != DOOR_MAP_PICKUP))
			continue;
		*map = (enum door_map)i;
		memset(o, 0, sizeof(*o));
		if (strlen(blank + 1) != length - (size_t)(blank + 1 - request))
			return DOOR_SAY;
		if (host && !is_received_by(blank + 1, host))
			return DOOR_SAY;
		return maps[i].ask(blank + 1, o) ? DOOR_ASK : DOOR_SAY;
	}
	return DOOR_SAY;
}

static size_t netstring(const char *prefix, const char *text,
			char answer[DOOR_SOCKETMAP_ANSWER_SIZE])
{
	int room = DOOR_SOCKETMAP_ANSWER_SIZE / 2;
	int length = (int)(strlen(prefix) + strnlen(text, (size_t)room));

	return (size_t)snprintf(answer, DOOR_SOCKETMAP_ANSWER_SIZE, "%d:%s%.*s,", length, prefix,
				room, text);
}

size_t door_socketmap_answer(enum door_map map, const char *refusal,
			     char answer[DOOR_SOCKETMAP_ANSWER_SIZE])
{
	static const char code[] = "550 5.7.1 ";
	char prefix[32];

	if (map == DOOR_MAP_NONE)
		return netstring("PERM ", "no such map: want transport, pickup, users or ask",
				 answer);
	if (!refusal)
		return netstring("NOTFOUND ", "", answer);
	if (!maps[map].with_code && strncmp(refusal, code, strlen(code)) == 0)
		refusal += strlen(code);
	snprintf(prefix, sizeof(prefix), "OK %s", maps[map].found);
	return netstring(prefix, refusal, answer);
}
