/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * suspension_log.h - what the log says of a suspension, for people, and as fields of the journal.
 */
#ifndef SMTPL_SUSPENSION_LOG_H
#define SMTPL_SUSPENSION_LOG_H

#include "base/log_event.h"
#include "state/state.h"

/* "alice is suspended until 14:05 (60 min): deferred and failed mails 7/5 (58%)"; of one that was
 * only observed "would suspend alice until ...". login: SMTP AUTH of the mail that crossed the
 * line; "": not known. */
void suspension_log_begin(const struct state_suspension *s, const char *login);

/* "alice may send again: WHY". own_domain: "" where it is not known. */
void suspension_log_end(enum log_event_kind kind, const struct account_id *id,
			const char *own_domain, const char *why);

#endif
