// SPDX-License-Identifier: GPL-2.0-only
/*
 * suspension_log.c - the lines and fields of the log that a suspension and its end give.
 */
#include <stdio.h>
#include "base/clock.h"
#include "base/clock_text.h"
#include "suspension_log.h"

/* An account that is a domain is its own. */
static const char *domain_of(const struct account_id *id, const char *own_domain)
{
	return id->kind == ACCOUNT_DOMAIN ? id->domain : own_domain;
}

void suspension_log_begin(const struct state_suspension *s, const char *login)
{
	const struct smtpl_suspension *k = &s->kernel;
	int64_t now_s = clock_wall_ns() / NS_PER_S;
	int64_t until_s = clock_wall_of(k->until_ns) / NS_PER_S;
	char name[ACCOUNT_NAME_SIZE], until[CLOCK_TEXT_SIZE], span[CLOCK_TEXT_SIZE];
	const struct log_facts facts = {.account = name,
					.domain = domain_of(&s->account, s->domain),
					.login = login,
					.has_figures = true,
					.bad = k->bad,
					.percent = k->percent,
					.until_wall_s = until_s};

	account_name(&s->account, name, sizeof(name));
	clock_text(until_s, now_s, until);
	clock_text_span((k->until_ns - k->since_ns) / NS_PER_S, span);
	if (s->observed)
		log_event(LOG_EVENT_WOULD_SUSPEND, &facts,
			  "would suspend %s until %s (%s): %s (mode = observe)", name, until, span,
			  s->reason);
	else
		log_event(LOG_EVENT_SUSPENDED, &facts, "%s is suspended until %s (%s): %s", name,
			  until, span, s->reason);
}

void suspension_log_end(enum log_event_kind kind, const struct account_id *id,
			const char *own_domain, const char *why)
{
	char name[ACCOUNT_NAME_SIZE];
	const struct log_facts facts = {.account = name, .domain = domain_of(id, own_domain)};

	account_name(id, name, sizeof(name));
	log_event(kind, &facts, "%s may send again: %s", name, why);
}
