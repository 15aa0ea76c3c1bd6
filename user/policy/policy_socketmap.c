/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * policy_socketmap.c - reads the keys of the maps, and writes what is found.
 */
#include "policy_socketmap.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "policy_line.h"

int policy_socketmap_head(const char *bytes, size_t size, size_t *length)
{
	size_t n = 0;
	size_t i;

	for (i = 0; i < size && bytes[i] >= '0' && bytes[i] <= '9'; i++) {
		n = n * 10 + (size_t)(bytes[i] - '0');
		if (n > POLICY_SOCKETMAP_MAX || (i == 1 && bytes[0] == '0'))
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

static bool ask_transport(char *key, struct submission *o)
{
	if (!strchr(key, '@'))
		return false;
	policy_word_sender(o->sender, key);
	return true;
}

/* The header that pickup(8) gives cleanup(8) before those of the message. A lookup may have turned
 * it into lower case. */
static bool ask_pickup(char *key, struct submission *o)
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
	o->known = SUBMISSION_HAS_UID | SUBMISSION_NO_SENDER;
	return true;
}

static bool ask_users(char *key, struct submission *o)
{
	policy_word_address(o->auth, key);
	o->rcpts = 1;
	o->known = SUBMISSION_NO_SENDER;
	return key[0] != '\0';
}

static bool ask_line(char *key, struct submission *o)
{
	char why[256];

	return policy_line_parse(key, strlen(key), o, why, sizeof(why)) == 0;
}

static const struct {
	const char *name;
	bool (*ask)(char *key, struct submission *o); /* false: the key is not found in any case */
	const char *found;			      /* before the text */
	bool with_code;
} maps[] = {
	[POLICY_MAP_TRANSPORT] = {"transport", ask_transport, "error:5.7.1 ", false},
	[POLICY_MAP_PICKUP] = {"pickup", ask_pickup, "REJECT 5.7.1 ", false},
	[POLICY_MAP_USERS] = {"users", ask_users, "", true},
	[POLICY_MAP_ASK] = {"ask", ask_line, "", true},
};

enum policy_step policy_socketmap_request(char *request, size_t length, enum policy_map *map,
					  struct submission *o)
{
	char *blank = memchr(request, ' ', length);
	char *host;
	size_t i;

	*map = POLICY_MAP_NONE;
	if (!blank || memchr(request, '\0', (size_t)(blank - request)))
		return POLICY_MALFORMED;
	request[length] = '\0';
	*blank = '\0';
	host = strchr(request, '/');
	if (host)
		*host++ = '\0';
	for (i = POLICY_MAP_NONE + 1; i < sizeof(maps) / sizeof(*maps); i++) {
		if (strcmp(maps[i].name, request) || (host && i != POLICY_MAP_PICKUP))
			continue;
		*map = (enum policy_map)i;
		memset(o, 0, sizeof(*o));
		if (strlen(blank + 1) != length - (size_t)(blank + 1 - request))
			return POLICY_REPLY;
		if (host && !is_received_by(blank + 1, host))
			return POLICY_REPLY;
		return maps[i].ask(blank + 1, o) ? POLICY_ASK : POLICY_REPLY;
	}
	return POLICY_REPLY;
}

static size_t netstring(const char *prefix, const char *text,
			char answer[POLICY_SOCKETMAP_ANSWER_SIZE])
{
	int room = POLICY_SOCKETMAP_ANSWER_SIZE / 2;
	int length = (int)(strlen(prefix) + strnlen(text, (size_t)room));

	return (size_t)snprintf(answer, POLICY_SOCKETMAP_ANSWER_SIZE, "%d:%s%.*s,", length, prefix,
				room, text);
}

size_t policy_socketmap_answer(enum policy_map map, const char *refusal,
			       char answer[POLICY_SOCKETMAP_ANSWER_SIZE])
{
	static const char code[] = "550 5.7.1 ";
	char prefix[32];

	if (map == POLICY_MAP_NONE)
		return netstring("PERM ", "no such map: want transport, pickup, users or ask",
				 answer);
	if (!refusal)
		return netstring("NOTFOUND ", "", answer);
	if (!maps[map].with_code && strncmp(refusal, code, strlen(code)) == 0)
		refusal += strlen(code);
	snprintf(prefix, sizeof(prefix), "OK %s", maps[map].found);
	return netstring(prefix, refusal, answer);
}
