// SPDX-License-Identifier: GPL-2.0-only
/*
 * status_view.c - which accounts `smtplimit status` prints, and whether they are judged now.
 */
#include <errno.h>
#include <pwd.h>
#include <search.h>
#include "account_find.h"
#include "base/clock.h"
#include "status.h"

bool status_is_judged(const struct status *s)
{
	int64_t beat_s = status_wall_s(s, s->meta.heartbeat_ns);

	return s->loaded && s->daemon_lock_pid > 0 && s->meta.heartbeat_ns &&
	       s->wall_ns / NS_PER_S - beat_s <= STATUS_LATE_S;
}

bool status_shows(const struct status *s, const struct status_account *a)
{
	const struct tally *w = &a->window;

	if (s->picked)
		return a == s->picked;
	switch (s->view) {
	case STATUS_SUSPENDED:
		return a->suspended;
	case STATUS_ACTIVE:
		return a->suspended || w->delivered || w->deferred || w->failed || a->uncounted.all;
	default:
		return true;
	}
}

/* Is there such an account though nothing was counted for it? */
static bool exists(const struct status *s, const struct account_id *id)
{
	return config_account_find(s->config, id) || (id->kind == ACCOUNT_UID && getpwuid(id->uid));
}

int status_pick(struct status *s, const char *text, char *why, size_t why_size)
{
	struct account_id id = {0};
	char name[ACCOUNT_NAME_SIZE];
	int r = account_find(text, &status_payer_ops, s, &id, why, why_size);

	if (r < 0)
		return r;
	if (!status_known(s, &id) && !exists(s, &id)) {
		account_name(&id, name, sizeof(name));
		if (r == ACCOUNT_FOUND)
			snprintf(why, why_size,
				 "%s: nothing was counted for it, and no user or section of the "
				 "configuration has this name",
				 name);
		return -ENOENT;
	}
	s->picked = status_account(s, &id);
	return s->picked ? 0 : -ENOMEM;
}
