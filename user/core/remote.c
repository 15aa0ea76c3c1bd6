// SPDX-License-Identifier: GPL-2.0-only
/*
 * remote.c - who answered: a registered domain by libpsl, or a network.
 */
#include <arpa/inet.h>
#include <libpsl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include "base/hash.h"
#include "remote.h"
#include "remotes.h"

#define LABEL_MAX 63

static bool digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool host_byte(char c)
{
	return digit(c) || (c >= 'a' && c <= 'z') || c == '-' || c == '_';
}

/* RFC 1123 2.1, and underscores, which are in use. The last label of a name is not all digits, so
 * an address is none. */
static bool host_plausible(const char *host, size_t size)
{
	size_t label = 0;
	bool digits = true;

	for (size_t i = 0; i < size; i++) {
		if (host[i] != '.') {
			if (!host_byte(host[i]) || ++label > LABEL_MAX)
				return false;
			digits = digits && digit(host[i]);
			continue;
		}
		if (label == 0)
			return false;
		label = 0;
		digits = true;
	}
	return label > 0 && !digits;
}

static bool name_registered(const char *host, char name[REMOTE_NAME_SIZE])
{
	size_t size = host ? strnlen(host, REMOTE_NAME_SIZE) : 0;
	char lower[REMOTE_NAME_SIZE];
	const char *registered;

	if (size > 0 && host[size - 1] == '.')
		size--;
	if (size >= REMOTE_NAME_SIZE - 2)
		return false;
	for (size_t i = 0; i < size; i++)
		lower[i] = host[i] >= 'A' && host[i] <= 'Z' ? host[i] - 'A' + 'a' : host[i];
	lower[size] = '\0';
	if (!host_plausible(lower, size))
		return false;
	registered = psl_registrable_domain(psl_builtin(), lower);
	if (registered)
		memcpy(name, registered, strlen(registered) + 1);
	return registered;
}

static bool name_network(const uint8_t addr[16], char name[REMOTE_NAME_SIZE])
{
	static const uint8_t none[16], mapped[12] = {[10] = 0xff, 0xff};
	uint8_t network[16] = {0};
	char text[INET6_ADDRSTRLEN];

	if (!addr || memcmp(addr, none, sizeof(none)) == 0)
		return false;
	if (memcmp(addr, mapped, sizeof(mapped)) == 0) {
		snprintf(name, REMOTE_NAME_SIZE, "%u.%u.%u.0/24", addr[12], addr[13], addr[14]);
		return true;
	}
	memcpy(network, addr, 48 / 8);
	inet_ntop(AF_INET6, network, text, sizeof(text));
	snprintf(name, REMOTE_NAME_SIZE, "%s/48", text);
	return true;
}

static bool name_of_recipient(const char *rcpt, char name[REMOTE_NAME_SIZE])
{
	const char *at = rcpt ? strrchr(rcpt, '@') : NULL;

	return at && name_registered(at + 1, name);
}

/* The values below REMOTES_ANYWHERE + 1 mean something else. */
static uint32_t name_identity(uint64_t seed, const char *name)
{
	uint32_t identity = hash_bytes(seed, name, strlen(name)) >> 32;

	return identity > REMOTES_ANYWHERE ? identity : identity + REMOTES_ANYWHERE + 1;
}

uint32_t remote_identity(uint64_t seed, const char *host, const uint8_t addr[16], const char *rcpt,
			 char name[REMOTE_NAME_SIZE])
{
	name[0] = '\0';
	if (!name_registered(host, name) && !name_network(addr, name) &&
	    !name_of_recipient(rcpt, name))
		return 0;
	return name_identity(seed, name);
}
