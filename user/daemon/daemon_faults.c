// SPDX-License-Identifier: GPL-2.0-only
/*
 * daemon_faults.c - faults of this host, which are charged to nobody: said in the log, and counted
 * for `status`, which finds them in the database.
 */
#include <stdio.h>
#include <string.h>
#include <time.h>
#include "base/log.h"
#include "daemon.h"

/* A fault is said once in this time while it lasts. */
#define AGAIN_S 3600

void daemon_fault(struct daemon *d, enum own_fault fault, const char *text, size_t text_size)
{
	struct state_fault *f = &d->faults.fault[fault];
	int64_t now_s = time(NULL);

	f->fault = fault;
	f->attempts++;
	f->last_wall_s = now_s;
	snprintf(f->text, sizeof(f->text), "%.*s", (int)text_size, text ? text : "");
	if (d->faults.said_s[fault] > now_s - AGAIN_S)
		return;
	d->faults.said_s[fault] = now_s;
	log_warning("own fault: %s, which is charged to nobody: %s", own_fault_what(fault),
		    f->text[0] ? f->text : "no more is known");
}

int daemon_faults_save(struct daemon *d)
{
	int err = 0;

	for (int i = OWN_FAULT_NONE + 1; i < OWN_FAULTS && !err; i++)
		if (d->faults.fault[i].attempts)
			err = state_put_fault(d->state, &d->faults.fault[i]);
	return err;
}

void daemon_faults_saved(struct daemon *d)
{
	for (int i = 0; i < OWN_FAULTS; i++)
		d->faults.fault[i].attempts = 0;
}
