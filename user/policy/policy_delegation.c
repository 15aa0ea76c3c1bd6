/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * policy_delegation.c - reads from a policy request whose mail it is.
 */
#include "policy_delegation.h"

#include <stdio.h>
#include <string.h>

void policy_delegation_begin(struct policy_delegation *p)
{
	memset(p, 0, sizeof(*p));
}

/* Is this a state of smtpd(8) before MAIL FROM, or one in which nothing is sent? */
static bool state_has_no_mail(const char *state)
{
	static const char *const states[] = {"CONNECT", "EHLO", "HELO", "ETRN", "VRFY"};
	size_t i;

	for (i = 0; i < sizeof(states) / sizeof(*states); i++)
		if (strcmp(state, states[i]) == 0)
			return true;
	return false;
}

/* Postfix writes "unknown" where it does not know: what is no address or number is ignored. */
static void take_end(struct submission *o, const char *name, const char *value)
{
	uint64_t port;

	if (strcmp(name, "client_address") == 0) {
		if (policy_word_ip(o->client, value))
			o->known |= SUBMISSION_HAS_CLIENT;
	} else if (strcmp(name, "server_address") == 0) {
		policy_word_ip(o->server, value);
	} else if (policy_word_number(value, 65535, &port) == 0) {
		if (strcmp(name, "client_port") == 0)
			o->client_port = (uint32_t)port;
		else if (strcmp(name, "server_port") == 0)
			o->server_port = (uint32_t)port;
	}
}

/* Of smtpd(8)'s states, DATA and END-OF-MESSAGE are those that know how many recipients there are;
 * before, one is refused, or the message with one at least. */
static void take_state(struct policy_delegation *p, const char *state)
{
	p->no_sender = state_has_no_mail(state);
	if (!p->submission.rcpts)
		p->submission.rcpts = 1;
}

static void take_recipients(struct submission *o, const char *count)
{
	uint64_t number;

	if (policy_word_number(count, SMTPL_RCPTS_PER_MESSAGE, &number) == 0 && number > 0)
		o->rcpts = (uint32_t)number;
}

static enum policy_step take(struct policy_delegation *p, const char *name, const char *value)
{
	if (strcmp(name, "request") == 0) {
		p->is_policy = strcmp(value, "smtpd_access_policy") == 0;
		return p->is_policy ? POLICY_MORE : POLICY_MALFORMED;
	}
	if (strcmp(name, "protocol_state") == 0)
		take_state(p, value);
	else if (strcmp(name, "recipient_count") == 0)
		take_recipients(&p->submission, value);
	else if (strcmp(name, "sasl_username") == 0)
		policy_word_address(p->submission.auth, value);
	else if (strcmp(name, "sender") == 0)
		policy_word_sender(p->submission.sender, value);
	else
		take_end(&p->submission, name, value);
	return POLICY_MORE;
}

enum policy_step policy_delegation_skip(struct policy_delegation *p, size_t bytes)
{
	p->bytes += bytes;
	return p->bytes > POLICY_DELEGATION_MAX ? POLICY_MALFORMED : POLICY_MORE;
}

enum policy_step policy_delegation_line(struct policy_delegation *p, char *line, size_t length)
{
	char *equals;

	if (policy_delegation_skip(p, length + 1) == POLICY_MALFORMED || memchr(line, '\0', length))
		return POLICY_MALFORMED;
	line[length] = '\0';
	if (length == 0) {
		if (!p->is_policy)
			return POLICY_MALFORMED;
		return p->no_sender ? POLICY_REPLY : POLICY_ASK;
	}
	equals = strchr(line, '=');
	if (!equals)
		return POLICY_MALFORMED;
	*equals = '\0';
	return take(p, line, equals + 1);
}

size_t policy_delegation_answer(const char *refusal, char answer[POLICY_DELEGATION_ANSWER_SIZE])
{
	int n = snprintf(answer, POLICY_DELEGATION_ANSWER_SIZE, "action=%.*s\n\n",
			 POLICY_DELEGATION_ANSWER_SIZE / 2, refusal ? refusal : "DUNNO");

	return (size_t)n;
}
