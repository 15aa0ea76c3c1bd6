/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * sendmail_key.c - reads a submission from macros of Sendmail, joined by commas.
 */
#include "sendmail_key.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "policy_word.h"

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* RFC 3461: "+2B" is a plus. A "+" that begins no such code stays as it is. */
static void decode_xtext(char *text)
{
	char *out = text;

	for (; *text; text++) {
		int high = *text == '+' ? hex_digit(text[1]) : -1;
		int low = high >= 0 ? hex_digit(text[2]) : -1;

		if (low >= 0 && (high || low)) {
			*out++ = (char)(high << 4 | low);
			text += 2;
		} else {
			*out++ = *text;
		}
	}
	*out = '\0';
}

/* Sendmail writes IPv6 addresses as in mail headers. "0" is the address of a message that came by
 * no connection. */
static void take_client(struct submission *o, const char *address, const char *port)
{
	uint64_t number;

	if (strncmp(address, "IPv6:", 5) == 0)
		address += 5;
	if (!policy_word_ip(o->client, address))
		return;
	o->known |= SUBMISSION_HAS_CLIENT;
	if (policy_word_number(port, 65535, &number) == 0)
		o->client_port = (uint32_t)number;
}

int sendmail_key_parse(const char *key, struct submission *o)
{
	char line[POLICY_LINE_MAX];
	char *port, *auth, *sender;

	if ((size_t)snprintf(line, sizeof(line), "%s", key) >= sizeof(line))
		return -EINVAL;
	port = strchr(line, ',');
	auth = port ? strchr(port + 1, ',') : NULL;
	sender = auth ? strstr(auth + 1, ",<") : NULL; /* an identity has no '<': it is xtext */
	if (!sender || sender[strlen(sender) - 1] != '>')
		return -EINVAL;
	*port++ = *auth++ = *sender++ = '\0';
	memset(o, 0, sizeof(*o));
	o->rcpts = 1; /* MAIL: its recipients are not known yet */
	take_client(o, line, port);
	decode_xtext(auth);
	policy_word_address(o->auth, auth);
	sender[strlen(sender) - 1] = '\0'; /* our own brackets: there may be others inside */
	policy_word_sender(o->sender, sender + 1);
	return 0;
}
