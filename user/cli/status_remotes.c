// SPDX-License-Identifier: GPL-2.0-only
/*
 * status_remotes.c - what many accounts met at one remote, in `smtplimit status`.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "base/log.h"
#include "status.h"

int status_remote(struct status *s, const struct state_remote *remote)
{
	struct state_remote *grown = reallocarray(s->remotes, s->remotes_count + 1, sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	s->remotes = grown;
	grown[s->remotes_count++] = *remote;
	return 0;
}

void status_remotes_end(struct status *s)
{
	free(s->remotes);
}

static void print_remote(const struct state_remote *r, FILE *out)
{
	char name[4 * REMOTE_NAME_SIZE], text[4 * STATE_REMOTE_TEXT_SIZE], since[STATUS_TIME_SIZE];

	log_escape(r->remote, strlen(r->remote), 1, name, sizeof(name));
	log_escape(r->text, strlen(r->text), 1, text, sizeof(text));
	if (r->kind == PIPELINE_ALARM_NO_ANSWER)
		fprintf(out, "no remote ");
	else
		fprintf(out, "remote %s: ", name[0] ? name : "without a name");
	fprintf(out, "%s %" PRIu32 " of %" PRIu32 " accounts, since %s: %s (not charged to them)\n",
		state_remote_does(r->kind), r->accounts, r->tried,
		status_time(r->since_wall_s, since), text[0] ? text : "there was no reply");
}

void status_remotes_print(const struct status *s, FILE *out)
{
	int64_t now_s = s->wall_ns / NS_PER_S;

	for (size_t i = 0; i < s->remotes_count; i++)
		if (s->remotes[i].last_wall_s > now_s - STATUS_REMOTES_S)
			print_remote(&s->remotes[i], out);
}
