// SPDX-License-Identifier: GPL-2.0-only
/*
 * daemon_told.c - the reasons that `suspend --tell` gives to the senders. The maps hold that there
 * is one, the database its text; here it is kept for mail servers, which wait for the answer.
 */
#include <stdio.h>
#include <stdlib.h>
#include "daemon.h"

/* One for each suspension by hand with --tell, of which people make few. */
struct daemon_told {
	struct account_id account;
	char reason[SMTPL_TOLD_SIZE];
	struct daemon_told *next;
};

static struct daemon_told **find(struct daemon *d, const struct account_id *id)
{
	struct daemon_told **at = &d->told;

	while (*at && !account_equal(&(*at)->account, id))
		at = &(*at)->next;
	return at;
}

void daemon_told_forget(struct daemon *d, const struct account_id *id)
{
	struct daemon_told **at = find(d, id);
	struct daemon_told *gone = *at;

	if (!gone)
		return;
	*at = gone->next;
	free(gone);
}

/* Without memory the text goes without its reason. */
void daemon_told_note(struct daemon *d, const struct state_suspension *s)
{
	struct daemon_told *t;

	daemon_told_forget(d, &s->account);
	t = s->kernel.by_hand & SMTPL_BY_HAND_TOLD ? malloc(sizeof(*t)) : NULL;
	if (!t)
		return;
	*t = (struct daemon_told){.account = s->account, .next = d->told};
	snprintf(t->reason, sizeof(t->reason), "%.*s", SMTPL_TOLD_SIZE - 1, s->reason);
	d->told = t;
}

void daemon_told(const struct daemon *d, const struct account_id *id, char reason[SMTPL_TOLD_SIZE])
{
	const struct daemon_told *t = d->told;

	while (t && !account_equal(&t->account, id))
		t = t->next;
	snprintf(reason, SMTPL_TOLD_SIZE, "%s", t ? t->reason : "");
}
