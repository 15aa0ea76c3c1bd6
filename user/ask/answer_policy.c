/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * answer_policy.c - `smtplimit answer policy`: Postfix's spawn(8) runs it, one for each smtpd(8),
 * which asks one question after the other. On what is no question the connection ends, as
 * SMTPD_POLICY_README wants it: Postfix then goes by its default_action.
 */
#include "answer.h"

#include "answer_input.h"
#include "cmd.h"
#include "door_policy.h"

static enum door_step read_request(struct door_policy *p)
{
	static struct answer_line line;
	enum door_step step = DOOR_MORE;

	door_policy_begin(p);
	while (step == DOOR_MORE) {
		if (!answer_line_read(&line))
			return DOOR_CLOSE;
		step = line.cut ? door_policy_skip(p, line.bytes)
				: door_policy_line(p, line.text, line.length);
	}
	return step;
}

int answer_policy(struct answer *a)
{
	static struct door_policy request;
	char text[ANSWER_TEXT_SIZE], reply[DOOR_POLICY_ANSWER_SIZE];
	enum door_step step;

	while ((step = read_request(&request)) == DOOR_ASK || step == DOOR_SAY) {
		bool refused = step == DOOR_ASK && answer_ask(a, &request.origin, text);
		size_t length = door_policy_answer(refused ? text : NULL, reply);

		if (answer_write(reply, length))
			return CMD_FAILED;
	}
	return step == DOOR_CLOSE ? CMD_DONE : CMD_FAILED;
}
