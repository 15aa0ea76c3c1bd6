/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * maillog_scan.c - the small pieces of Postfix's messages: words, numbers, queue ids, peers.
 */
#include <string.h>
#include <arpa/inet.h>
#include "maillog_event.h"

/* util: "0123456789BCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz", base 52 without vowels */
#define LONG_ID_MIN  10
#define LONG_ID_MAX  32
#define SHORT_ID_MIN 6
#define SHORT_ID_MAX 24

static void advance(struct maillog_span *s, size_t size)
{
	s->at += size;
	s->size -= size;
}

bool maillog_skip(struct maillog_span *s, const char *word)
{
	size_t size = strlen(word);

	if (s->size < size || memcmp(s->at, word, size) != 0)
		return false;
	advance(s, size);
	return true;
}

bool maillog_is(struct maillog_span s, const char *word)
{
	return maillog_skip(&s, word) && s.size == 0;
}

bool maillog_ends(struct maillog_span s, const char *word)
{
	size_t size = strlen(word);

	return s.size >= size && memcmp(s.at + s.size - size, word, size) == 0;
}

const char *maillog_last(struct maillog_span s, const char *word)
{
	size_t size = strlen(word);
	size_t i;

	for (i = s.size; i >= size; i--)
		if (memcmp(s.at + i - size, word, size) == 0)
			return s.at + i - size;
	return NULL;
}

bool maillog_take_number(struct maillog_span *s, uint64_t max, uint64_t *number)
{
	struct maillog_span at = *s;
	uint64_t value = 0;

	while (at.size > 0 && *at.at >= '0' && *at.at <= '9') {
		value = value * 10 + (*at.at - '0');
		if (value > max)
			return false;
		advance(&at, 1);
	}
	if (at.at == s->at)
		return false;
	*number = value;
	*s = at;
	return true;
}

static bool is_hex(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'F');
}

static bool is_consonant(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'B' && c <= 'Z' && !strchr("EIOU", c)) ||
	       (c >= 'b' && c <= 'z' && !strchr("eiou", c));
}

static size_t run(struct maillog_span s, bool (*of)(char))
{
	size_t size = 0;

	while (size < s.size && of(s.at[size]))
		size++;
	return size;
}

/* Long ids have no vowels and short ones are hexadecimal: no word such as "warning" is one. */
bool maillog_take_id(struct maillog_span *s, struct maillog_span *id)
{
	size_t hex = run(*s, is_hex);
	size_t size = run(*s, is_consonant);

	if (hex >= size) {
		if (hex < SHORT_ID_MIN || hex > SHORT_ID_MAX)
			return false;
		size = hex;
	} else if (size < LONG_ID_MIN || size > LONG_ID_MAX) {
		return false;
	}
	*id = (struct maillog_span){s->at, size};
	advance(s, size);
	return true;
}

static void parse_addr(struct maillog_span text, uint8_t addr[16])
{
	uint8_t mapped[16] = {[10] = 0xff, [11] = 0xff};
	char copy[INET6_ADDRSTRLEN];

	memset(addr, 0, 16);
	maillog_skip(&text, "IPv6:");
	if (text.size >= sizeof(copy))
		return;
	memcpy(copy, text.at, text.size);
	copy[text.size] = '\0';
	if (inet_pton(AF_INET, copy, mapped + 12) == 1)
		memcpy(addr, mapped, 16);
	else if (inet_pton(AF_INET6, copy, mapped) == 1)
		memcpy(addr, mapped, 16);
}

/* Of a host's name, and between the brackets: an address or a path. */
static bool is_host(char c)
{
	return (unsigned char)c > ' ' && !strchr("[](),<>\"\\", c);
}

bool maillog_take_peer(struct maillog_span *s, struct maillog_peer *peer)
{
	struct maillog_peer taken = {.host = {s->at, run(*s, is_host)}};
	struct maillog_span at = *s;
	struct maillog_span after, inside;
	uint64_t number = 0;

	advance(&at, taken.host.size);
	if (!maillog_skip(&at, "["))
		return false;
	inside = (struct maillog_span){at.at, run(at, is_host)};
	advance(&at, inside.size);
	if (!maillog_skip(&at, "]"))
		return false;
	parse_addr(inside, taken.addr);
	after = at;
	if (maillog_skip(&after, ":") && maillog_take_number(&after, 65535, &number))
		at = after;
	taken.port = (uint32_t)number;
	*peer = taken;
	*s = at;
	return true;
}

bool maillog_is_loopback(const uint8_t addr[16])
{
	static const uint8_t mapped[13] = {[10] = 0xff, [11] = 0xff, [12] = 127};

	return memcmp(addr, mapped, sizeof(mapped)) == 0 ||
	       memcmp(addr, &in6addr_loopback, 16) == 0;
}
