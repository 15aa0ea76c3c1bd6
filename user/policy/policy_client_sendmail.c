/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * policy_client_sendmail.c - `smtplimit answer sendmail KEY`: a look-up in Sendmail's `program`
 * map, of a key of sendmail_key.h. The text is printed in quotes, without which Sendmail would take
 * what stands in parentheses for a comment; nothing: may be sent.
 */
#include "policy_client.h"

#include <stdio.h>
#include "cmd.h"
#include "sendmail_key.h"

int policy_client_sendmail(struct policy_client *a, const char *key)
{
	char text[POLICY_CLIENT_TEXT_SIZE], line[POLICY_CLIENT_TEXT_SIZE + 8];
	struct submission submission;

	if (sendmail_key_parse(key, &submission) || !policy_client_ask(a, &submission, text))
		return CMD_DONE;
	for (char *c = text; *c; c++)
		if (*c == '"' || *c == '\\')
			*c = '?';
	return policy_client_write(line, (size_t)snprintf(line, sizeof(line), "\"%s\"\n", text)) ?
		       CMD_FAILED :
		       CMD_DONE;
}
