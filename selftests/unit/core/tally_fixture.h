/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * tally_fixture.h - shared by the tests of what counts: a window with failures of given recipients,
 * classes and remotes, and remotes that other accounts write to. Include cmocka.h first.
 */
#ifndef SMTPL_TALLY_FIXTURE_H
#define SMTPL_TALLY_FIXTURE_H

#include <stdlib.h>
#include "core/remotes.h"
#include "core/verdict.h"
#include "window_fixture.h"

#define NOW 5000

/* The settings as they are by default. */
static const struct verdict_rule defaults = {
	.window_s = HOUR,
	.suspend_s = HOUR,
	.percent = 50,
	.min_failures = 5,
	.set_aside = 1u << REPLY_LISTED | 1u << REPLY_UNAUTHENTICATED,
	.one_remote = 50,
	.trouble_accounts = 4,
	.trouble_share = 50,
	.hard_percent = 25,
	.warn = 80,
};

struct scene {
	struct verdict_rule rule;
	struct window w;
	struct remotes *remotes;
	struct tally_room *room;
	uint64_t mail; /* the last one's */
};

static inline int scene_begin(void **state)
{
	struct scene *s = calloc(1, sizeof(*s));

	if (!s)
		return -1;
	s->rule = defaults;
	s->remotes = remotes_new(42);
	s->room = tally_room_new();
	*state = s;
	return s->remotes && s->room ? 0 : -1;
}

static inline int scene_end(void **state)
{
	struct scene *s = *state;

	window_clear(&s->w);
	remotes_free(s->remotes);
	free(s->room);
	free(s);
	return 0;
}

/* A mail of its own to each of `count` recipients from `rcpt` on, now. */
static inline void fails(struct scene *s, uint64_t rcpt, int count, enum reply_class class,
			 uint32_t remote)
{
	for (int i = 0; i < count; i++) {
		struct outcome o = outcome_at(NOW, ++s->mail, SMTP_FAILED);

		o.rcpt = rcpt + i;
		o.class = class;
		o.remote = remote;
		take(&s->w, &o);
	}
}

static inline void defers(struct scene *s, int64_t second, uint64_t rcpt, enum reply_class class,
			  uint32_t remote)
{
	struct outcome o = outcome_at(second, ++s->mail, SMTP_DEFERRED);

	o.rcpt = rcpt;
	o.class = class;
	o.remote = remote;
	take(&s->w, &o);
}

/* So many other accounts meet this at a remote. */
static inline void others_meet(struct scene *s, uint32_t remote, int accounts, enum remotes_met met)
{
	for (int i = 1; i <= accounts; i++)
		remotes_meet(s->remotes, remote, 1000 + i, met, NOW);
}

static inline struct tally tally_at(struct scene *s, int64_t now)
{
	window_slide(&s->w, now, HOUR);
	return tally_window(&s->w, &s->rule, s->remotes, 1, s->room, now);
}

static inline uint64_t bad(struct scene *s)
{
	return tally_at(s, NOW).bad;
}

#endif
