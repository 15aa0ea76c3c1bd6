/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * door_policy.c - what of a policy request tells whose mail it is.
 */
#include "door_policy.h"

#include <stdio.h>
#include <string.h>

void door_policy_begin(struct door_policy *p)
{
	memset(p, 0, sizeof(*p));
}

/* States of smtpd(8) before MAIL FROM, and those that send nothing. */
static bool state_has_no_mail(const char *state)
{
	static const char *const states[] = {"CONNECT", "EHLO", "HELO", "ETRN", "VRFY"};
	size_t i;

	for (i = 0; i < sizeof(states) / sizeof(*states); i++)
		if (strcmp(state, states[i]) == 0)
			return true;
	return false;
}

/* "unknown" stands where Postfix does not know, so what is no address or number is not one. */
static void take_end(struct origin *o, const char *name, const char *value)
{
	uint64_t port;

	if (strcmp(name, "client_address") == 0) {
		if (door_word_ip(o->client, value))
			o->known |= ORIGIN_HAS_CLIENT;
	} else if (strcmp(name, "server_address") == 0) {
		door_word_ip(o->server, value);
	} else if (door_word_number(value, 65535, &port) == 0) {
		if (strcmp(name, "client_port") == 0)
			o->client_port = (uint32_t)port;
		else if (strcmp(name, "server_port") == 0)
			o->server_port = (uint32_t)port;
	}
}

static enum door_step take(struct door_policy *p, const char *name, const char *value)
{
	if (strcmp(name, "request") == 0) {
		p->is_policy = strcmp(value, "smtpd_access_policy") == 0;
		return p->is_policy ? DOOR_MORE : DOOR_MALFORMED;
	}
	if (strcmp(name, "protocol_state") == 0)
		p->no_sender = state_has_no_mail(value);
	else if (strcmp(name, "sasl_username") == 0)
		door_word_address(p->origin.auth, value);
	else if (strcmp(name, "sender") == 0)
		door_word_sender(p->origin.sender, value);
	else
		take_end(&p->origin, name, value);
	return DOOR_MORE;
}

enum door_step door_policy_skip(struct door_policy *p, size_t bytes)
{
	p->bytes += bytes;
	return p->bytes > DOOR_POLICY_MAX ? DOOR_MALFORMED : DOOR_MORE;
}

enum door_step door_policy_line(struct door_policy *p, char *line, size_t length)
{
	char *equals;

	if (door_policy_skip(p, length + 1) == DOOR_MALFORMED || memchr(line, '\0', length))
		return DOOR_MALFORMED;
	line[length] = '\0';
	if (length == 0) {
		if (!p->is_policy)
			return DOOR_MALFORMED;
		return p->no_sender ? DOOR_SAY : DOOR_ASK;
	}
	equals = strchr(line, '=');
	if (!equals)
		return DOOR_MALFORMED;
	*equals = '\0';
	return take(p, line, equals + 1);
}

size_t door_policy_answer(const char *refusal, char answer[DOOR_POLICY_ANSWER_SIZE])
{
	int n = snprintf(answer, DOOR_POLICY_ANSWER_SIZE, "action=%.*s\n\n",
			 DOOR_POLICY_ANSWER_SIZE / 2, refusal ? refusal : "DUNNO");

	return (size_t)n;
}
