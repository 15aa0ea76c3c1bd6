// SPDX-License-Identifier: GPL-2.0-only
/*
 * status_faults.c - faults of this host that kept mail back, in `smtplimit status`.
 */
#include <inttypes.h>
#include <string.h>
#include "base/clock.h"
#include "base/log.h"
#include "status.h"

int status_fault(struct status *s, const struct state_fault *fault)
{
	if (s->faults_count < OWN_FAULTS)
		s->faults[s->faults_count++] = *fault;
	return 0;
}

void status_faults_print(const struct status *s, FILE *out)
{
	char text[4 * SMTPL_TEXT_SIZE], since[STATUS_TIME_SIZE];
	int64_t now_s = s->wall_ns / NS_PER_S;

	for (size_t i = 0; i < s->faults_count; i++) {
		const struct state_fault *f = &s->faults[i];

		if (f->last_wall_s <= now_s - STATUS_REMOTES_S)
			continue;
		log_escape(f->text, strlen(f->text), 1, text, sizeof(text));
		fprintf(out,
			"own fault: %s: %" PRId64 " attempt%s since %s, charged to nobody: %s\n",
			own_fault_what(f->fault), f->attempts, f->attempts == 1 ? "" : "s",
			status_time(f->since_wall_s, since), text);
	}
}
