/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * policy_client_delegation.c - `smtplimit answer policy`: Postfix's spawn(8) runs it, one for each
 * smtpd(8), which asks one question after the other. At a malformed request the connection ends, as
 * SMTPD_POLICY_README wants it: Postfix then applies its default_action.
 */
#include "policy_client.h"

#include "policy_client_input.h"
#include "cmd.h"
#include "policy_delegation.h"

static enum policy_step read_request(struct policy_delegation *p)
{
	static struct policy_client_line line;
	enum policy_step step = POLICY_MORE;

	policy_delegation_begin(p);
	while (step == POLICY_MORE) {
		if (!policy_client_line_read(&line))
			return POLICY_CLOSE;
		step = line.cut ? policy_delegation_skip(p, line.bytes) :
				  policy_delegation_line(p, line.text, line.length);
	}
	return step;
}

int policy_client_policy(struct policy_client *a)
{
	static struct policy_delegation request;
	char text[POLICY_CLIENT_TEXT_SIZE], reply[POLICY_DELEGATION_ANSWER_SIZE];
	enum policy_step step;

	while ((step = read_request(&request)) == POLICY_ASK || step == POLICY_REPLY) {
		bool refused =
			step == POLICY_ASK && policy_client_ask(a, &request.submission, text);
		size_t length = policy_delegation_answer(refused ? text : NULL, reply);

		if (policy_client_write(reply, length))
			return CMD_FAILED;
	}
	return step == POLICY_CLOSE ? CMD_DONE : CMD_FAILED;
}
