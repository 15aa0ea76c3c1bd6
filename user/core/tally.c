// SPDX-License-Identifier: GPL-2.0-only
/*
 * tally.c - what counts of the mails in a window: whose fault a failure is, and that one address,
 * or one remote, is not taken for many. verdict.h has the settings. Pure.
 */
#include <stdlib.h>
#include "base/hash.h"
#include "remotes.h"
#include "verdict.h"

#define CELLS 8192 /* twice WINDOW_MAILS_MAX, so chains stay short */

_Static_assert(CELLS >= 2 * WINDOW_MAILS_MAX, "there is always a free cell");

#define BIT(class) (1u << (class))

/* Failures that say nothing of the address, but of how the remote feels. */
#define SOFT (BIT(REPLY_RATE) | BIT(REPLY_FULL) | BIT(REPLY_NO_ANSWER))
#define TROUBLE                                                                                    \
	(BIT(REPLY_RATE) | BIT(REPLY_GREYLIST) | BIT(REPLY_NO_ANSWER) | BIT(REPLY_UNEXPLAINED))
#define GRACE (BIT(REPLY_GREYLIST) | BIT(REPLY_NO_ANSWER) | BIT(REPLY_UNEXPLAINED))

struct cell {
	uint64_t key;
	uint32_t epoch; /* of the count */
	uint32_t count;
};

/* Is the way to all remotes in trouble? Asked once a count at most: many accounts are looked at. */
struct anywhere {
	bool asked;
	bool trouble;
};

/* How many were seen of each key, in the count `epoch`. */
struct tally_room {
	uint32_t epoch;
	struct anywhere anywhere;
	struct cell recipients[CELLS];
	struct cell soft[CELLS]; /* remotes */
	struct cell rare[CELLS];
	struct cell own[CELLS]; /* with deliveries that do not count */
};

struct tally_room *tally_room_new(void)
{
	return calloc(1, sizeof(struct tally_room));
}

/* How many were there before. */
static uint32_t seen_before(const struct tally_room *room, struct cell *cells, uint64_t key)
{
	size_t i = hash_word(key) % CELLS;

	while (cells[i].epoch == room->epoch && cells[i].key != key)
		i = (i + 1) % CELLS;
	if (cells[i].epoch != room->epoch)
		cells[i] = (struct cell){.key = key, .epoch = room->epoch};
	return cells[i].count++;
}

bool verdict_sets_aside(const struct verdict_rule *rule, enum reply_class class)
{
	return (rule->set_aside | BIT(REPLY_OWN)) & BIT(class);
}

bool verdict_is_trouble(enum reply_class class)
{
	return TROUBLE & BIT(class);
}

static bool is_in_trouble(const struct verdict_rule *rule, const struct remotes *remotes,
			  uint32_t remote, int64_t now_s)
{
	return remotes_trouble(remotes, remote, now_s, rule->trouble_accounts, rule->trouble_share);
}

static bool excuses(const struct verdict_rule *rule, enum reply_class class,
		    const struct remotes *remotes, uint32_t remote, struct anywhere *anywhere,
		    int64_t now_s)
{
	if (!verdict_is_trouble(class))
		return false;
	if (is_in_trouble(rule, remotes, remote, now_s))
		return true;
	if (class != REPLY_NO_ANSWER)
		return false;
	if (!anywhere->asked)
		anywhere->trouble = is_in_trouble(rule, remotes, REMOTES_ANYWHERE, now_s) ||
				    remotes_no_names(remotes, now_s);
	anywhere->asked = true;
	return anywhere->trouble;
}

bool verdict_excuses(const struct verdict_rule *rule, enum reply_class class,
		     const struct remotes *remotes, uint32_t remote, int64_t now_s)
{
	struct anywhere anywhere = {0};

	return excuses(rule, class, remotes, remote, &anywhere, now_s);
}

static bool is_excused(struct window_mail *m, const struct verdict_rule *rule,
		       const struct remotes *remotes, struct tally_room *room, int64_t now_s)
{
	if (!(m->flags & WINDOW_MAIL_EXCUSED) && remotes &&
	    excuses(rule, m->class, remotes, m->remote, &room->anywhere, now_s))
		m->flags |= WINDOW_MAIL_EXCUSED;
	return m->flags & WINDOW_MAIL_EXCUSED;
}

static bool is_charged(struct window_mail *m, const struct verdict_rule *rule,
		       const struct remotes *remotes, struct tally_room *room, int64_t now_s,
		       int64_t *next_s)
{
	if (verdict_sets_aside(rule, m->class) || is_excused(m, rule, remotes, room, now_s))
		return false;
	if (m->outcome != SMTP_DEFERRED || !(GRACE & BIT(m->class)) ||
	    now_s >= m->second + rule->defer_grace_s)
		return true;
	if (m->second + rule->defer_grace_s < *next_s)
		*next_s = m->second + rule->defer_grace_s;
	return false;
}

/* The most failures at one remote, of some kind. */
struct worst {
	uint64_t soft;
	uint64_t rare;
};

static void count_worst(struct worst *worst, const struct window_mail *m,
			const struct verdict_rule *rule, const struct remotes *remotes,
			struct tally_room *room, int64_t now_s)
{
	uint64_t n;

	if (!m->remote)
		return;
	if (SOFT & BIT(m->class)) {
		n = seen_before(room, room->soft, m->remote) + 1u;
		worst->soft = n > worst->soft ? n : worst->soft;
	}
	if (rule->rare_remote && remotes && remotes_rare(remotes, m->remote, now_s)) {
		n = seen_before(room, room->rare, m->remote) + 1u;
		worst->rare = n > worst->rare ? n : worst->rare;
	}
}

/* Of the worst remote's failures only as many as keep it at `percent` of all. */
static uint64_t capped(uint64_t all, uint64_t worst, uint32_t percent)
{
	uint64_t most;

	if (percent >= 100)
		return all;
	most = (all - worst) * percent / (100 - percent);
	return worst > most ? all - worst + most : all;
}

static uint64_t bad_of(uint64_t all, const struct worst *worst, const struct verdict_rule *rule)
{
	uint64_t bad = capped(all, worst->soft, rule->one_remote), rare;

	if (worst->rare >= rule->rare_remote)
		return bad;
	rare = capped(all, worst->rare, rule->one_remote);
	return rare < bad ? rare : bad;
}

/* Deliveries at a remote that do not count dilute the failures there all the same: whoever has few
 * of these there is not charged for them. */
static bool is_diluted(const struct window_mail *m, const struct verdict_rule *rule,
		       const struct remotes *remotes, uint64_t account, struct tally_room *room,
		       int64_t now_s)
{
	uint64_t uncounted = remotes ? remotes_uncounted(remotes, m->remote, account, now_s) : 0;
	uint64_t n;

	if (!uncounted)
		return false;
	n = seen_before(room, room->own, m->remote) + 1u;
	return 100 * n < rule->percent * (n + uncounted);
}

struct tally tally_window(const struct window *w, const struct verdict_rule *rule,
			  const struct remotes *remotes, uint64_t account, struct tally_room *room,
			  int64_t now_s)
{
	struct window_counts rest = window_counts(w);
	struct tally t = {.delivered = rest.delivered, .next_s = INT64_MAX};
	struct worst worst = {0};
	uint32_t before;

	if (++room->epoch == 0)
		*room = (struct tally_room){.epoch = 1};
	room->anywhere = (struct anywhere){0};
	for (struct window_mail *m = window_mail_inside(w, NULL); m; m = window_mail_inside(w, m)) {
		--*(m->outcome == SMTP_DEFERRED ? &rest.deferred : &rest.failed);
		if (!is_charged(m, rule, remotes, room, now_s, &t.next_s))
			continue;
		before = seen_before(room, room->recipients, m->rcpt ? m->rcpt : m->mail);
		t.unknown += m->class == REPLY_RECIPIENT && before == 0;
		if (before % TALLY_RECIPIENT_MAILS ||
		    is_diluted(m, rule, remotes, account, room, now_s))
			continue;
		++*(m->outcome == SMTP_DEFERRED ? &t.deferred : &t.failed);
		count_worst(&worst, m, rule, remotes, room, now_s);
	}
	/* Those without an identity are recipients of their own, of no known class. */
	t.deferred += rest.deferred;
	t.failed += rest.failed;
	t.bad = bad_of(t.deferred + t.failed, &worst, rule);
	return t;
}
