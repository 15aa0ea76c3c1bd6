/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * rules_tally.c - what counts of an account's mails of the last hour.
 */
#include "rules.h"

/* ---- what is known of a remote, of all accounts ---- */

static struct meeting *meeting_of(struct remote *r, uint32_t account)
{
	for (size_t i = 0; i < r->used; i++)
		if (r->meetings[i].account == account)
			return &r->meetings[i];
	r->meetings = rules_grow(r->meetings, r->used, &r->room, sizeof(*r->meetings));
	r->meetings[r->used] = (struct meeting){.account = account};
	return &r->meetings[r->used++];
}

static void meet(struct remote *r, const struct attempt *a, bool bad)
{
	struct meeting *m = meeting_of(r, a->account);

	if (a->outcome == SMTP_DELIVERED)
		m->good_ms = a->time_ms;
	else if (bad)
		m->bad_ms = a->time_ms;
}

void rules_meet(struct rules *j, const struct attempt *a)
{
	enum reply_class class = sim_class(j->sim, a);

	meet(&j->remotes[a->remote], a, is_class(j->o.trouble, class));
	meet(&j->remotes[j->sim->remotes], a, class == REPLY_NO_ANSWER);
}

/* Is a remote in trouble by itself? Number sim->remotes is all of them. */
static bool in_trouble(const struct rules *j, uint32_t remote)
{
	struct remote *r = &j->remotes[remote];
	uint32_t begin = j->now_ms > j->o.back_ms ? j->now_ms - (uint32_t)j->o.back_ms : 0;
	long bad = 0, tried = 0;

	if (!j->o.breaker)
		return false;
	if (r->epoch == j->epoch)
		return r->trouble;
	for (size_t i = 0; i < r->used; i++) {
		const struct meeting *m = &r->meetings[i];

		tried += m->bad_ms > begin || m->good_ms > begin;
		bad += m->bad_ms > begin && m->bad_ms > m->good_ms;
	}
	r->epoch = j->epoch;
	r->trouble = bad >= j->o.breaker && 100 * bad >= j->o.share * tried;
	return r->trouble;
}

/* ---- one account ---- */

/* How many were there before in this tally. */
static long seen_before(struct seen *s, uint32_t number, uint32_t epoch)
{
	if (s->epoch[number] != epoch) {
		s->epoch[number] = epoch;
		s->count[number] = 0;
	}
	return s->count[number]++;
}

static bool is_charged(const struct rules *j, const struct mail *m, bool *later)
{
	if (m->outcome == SMTP_DELIVERED)
		return true;
	if (is_class(j->o.ignore, m->class))
		return false;
	if (m->outcome == SMTP_DEFERRED && is_class(j->o.wait, m->class) &&
	    j->now_ms - m->first_ms < j->o.late_ms) {
		*later = true;
		return false;
	}
	return !is_class(j->o.trouble, m->class) ||
	       !(in_trouble(j, m->remote) ||
		 (m->class == REPLY_NO_ANSWER && in_trouble(j, j->sim->remotes)));
}

static bool is_good(struct rules *j, const struct mail *m)
{
	if (j->o.onercpt && seen_before(&j->good_rcpt, m->rcpt, j->epoch) >= j->o.onercpt)
		return false;
	return !j->o.cap || m->warm || seen_before(&j->good_remote, m->remote, j->epoch) < j->o.cap;
}

static bool is_bad(struct rules *j, const struct mail *m)
{
	long before = seen_before(&j->bad_rcpt, m->rcpt, j->epoch);

	return !j->o.dedupe || !before || (j->o.each && before % j->o.each == 0);
}

/* Of the worst remote's failures only as many as keep it at `percent` of all. */
static long capped(long all, long worst, long percent)
{
	long most = percent < 100 ? (all - worst) * percent / (100 - percent) : worst;

	return worst > most ? all - worst + most : all;
}

static void count_worst(struct rules *j, const struct mail *m, long *soft, long *strange)
{
	long n;

	if (is_class(j->o.soft, m->class)) {
		n = seen_before(&j->soft_remote, m->remote, j->epoch) + 1;
		*soft = n > *soft ? n : *soft;
	}
	if (!m->warm) {
		n = seen_before(&j->strange_remote, m->remote, j->epoch) + 1;
		*strange = n > *strange ? n : *strange;
	}
}

struct tally rules_tally(struct rules *j, struct sender *s)
{
	struct tally t = {0};
	long all, soft = 0, strange = 0;

	j->epoch++;
	s->hot = false;
	for (const struct mail *m = s->mails; m < s->mails + s->used; m++) {
		t.all++;
		if (m->class == REPLY_RECIPIENT && !seen_before(&j->hard_rcpt, m->rcpt, j->epoch))
			t.nonexist++;
		if (!is_charged(j, m, &s->hot))
			continue;
		if (m->outcome == SMTP_DELIVERED && is_good(j, m)) {
			t.good++;
			s->hot = s->hot || !j->o.still;
		} else if (m->outcome != SMTP_DELIVERED && is_bad(j, m)) {
			t.bad++;
			count_worst(j, m, &soft, &strange);
		}
	}
	all = t.bad;
	if (j->o.single) {
		t.bad = capped(all, soft, j->o.single);
		if (strange < j->o.strange && capped(all, strange, j->o.single) < t.bad)
			t.bad = capped(all, strange, j->o.single);
	}
	return t;
}
