// SPDX-License-Identifier: GPL-2.0-only
/*
 * notice_digest.c - adding to a digest.
 */
#include <stdio.h>
#include "notice_digest.h"

void notice_digest_add(struct notice_digest *d, const struct notice *n)
{
	struct notice_digest_entry *e;

	if (d->count++ == 0)
		d->first_s = n->time_s;
	d->last_s = n->time_s;
	d->kinds[n->kind]++;
	d->simulated += n->simulated != 0;
	if (d->entries == NOTICE_DIGEST_MAX)
		return;
	e = &d->entry[d->entries++];
	e->kind = n->kind;
	e->simulated = n->simulated;
	e->percent = n->percent;
	e->until_s = n->until_s;
	snprintf(e->account, sizeof(e->account), "%s", n->account);
	snprintf(e->domain, sizeof(e->domain), "%s", n->domain);
	if (!n->account[0])
		snprintf(e->text, sizeof(e->text), "%.*s", (int)sizeof(e->text) - 1,
			 n->text[0] ? n->text : n->remote);
}
