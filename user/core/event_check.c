// SPDX-License-Identifier: GPL-2.0-only
/*
 * event_check.c - is a ring record one that the pipeline can work with?
 */
#include <string.h>
#include "event_check.h"

static bool path_valid(const struct smtpl_event_path *e)
{
	return e->txn > 0 && e->hash != 0 && (e->head.type == SMTPL_EVENT_RCPT) == (e->rcpt > 0);
}

uint64_t event_total(const struct smtpl_event_outcome *e)
{
	switch (e->outcome) {
	case SMTP_DELIVERED:
		return e->totals.delivered;
	case SMTP_DEFERRED:
		return e->totals.deferred;
	case SMTP_FAILED:
		return e->totals.failed;
	case SMTP_UNKNOWN:
		return e->totals.unknown;
	}
	return 0;
}

static bool subject_valid(const struct smtpl_event_outcome *e)
{
	switch (e->subject) {
	case SMTP_SUBJECT_SESSION:
	case SMTP_SUBJECT_MAIL:
	case SMTP_SUBJECT_REST:
		return true;
	case SMTP_SUBJECT_RCPT:
	case SMTP_SUBJECT_PRDR:
		return e->rcpt > 0 && e->count == 1;
	}
	return false;
}

static bool outcome_valid(const struct smtpl_event_outcome *e)
{
	/* The total holds this event's own attempts; no outcome at all has the total 0. */
	return e->count > 0 && event_total(e) >= e->count && subject_valid(e) &&
	       (e->code == 0 || (e->code >= 200 && e->code <= 599)) &&
	       memchr(e->domain, 0, sizeof(e->domain)) != NULL;
}

static bool cut_valid(const struct smtpl_event_cut *e)
{
	return e->head.cookie && e->domain[0] && memchr(e->domain, 0, sizeof(e->domain));
}

bool event_valid(const void *data, size_t size, uint64_t now_ns)
{
	const struct smtpl_event *head = data;

	if (size < sizeof(*head) || head->time_ns > now_ns + EVENT_AHEAD_MAX_NS)
		return false;
	switch (head->type) {
	case SMTPL_EVENT_OPEN:
		return size >= sizeof(struct smtpl_event_open);
	case SMTPL_EVENT_MAIL:
	case SMTPL_EVENT_RCPT:
		return size >= sizeof(struct smtpl_event_path) && path_valid(data);
	case SMTPL_EVENT_OUTCOME:
		return size >= sizeof(struct smtpl_event_outcome) && outcome_valid(data);
	case SMTPL_EVENT_CLOSE:
		return size >= sizeof(struct smtpl_event_close);
	case SMTPL_EVENT_CUT:
		return size >= sizeof(struct smtpl_event_cut) && cut_valid(data);
	}
	return false;
}
