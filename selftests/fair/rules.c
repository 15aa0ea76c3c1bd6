/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * rules.c - a rule of rules.h as a judge.
 */
#include "rules.h"

#include <stdio.h>
#include <stdlib.h>

#define HOUR_MS		3600000u
#define ENOUGH_FAILURES 25 /* for lead=N */
#define CHECK_EACH_MS	60000

static void *must_alloc(size_t count, size_t size)
{
	void *p = calloc(count + 1, size);

	if (!p) {
		fprintf(stderr, "fairsim: not enough memory\n");
		exit(1);
	}
	return p;
}

void *rules_grow(void *array, size_t used, size_t *room, size_t size)
{
	if (used < *room)
		return array;
	*room = *room ? 2 * *room : 8;
	array = realloc(array, *room * size);
	if (!array) {
		fprintf(stderr, "fairsim: not enough memory\n");
		exit(1);
	}
	return array;
}

static struct seen seen_new(size_t numbers)
{
	return (struct seen){must_alloc(numbers, sizeof(uint32_t)),
			     must_alloc(numbers, sizeof(uint32_t))};
}

static void seen_free(struct seen *s)
{
	free(s->count);
	free(s->epoch);
}

static struct options read_options(const char *o)
{
	return (struct options){
		.min = option(o, "min", 5),
		.percent = option(o, "percent", 50),
		.window_ms = 1000 * option(o, "window", 3600),
		.suspend_ms = 1000 * option(o, "suspend", 3600),
		.attempts = option(o, "attempts", 0),
		.hour = option(o, "hour", 0),
		.sent = option(o, "sent", 0),
		.local = option(o, "local", 0),
		.dedupe = option(o, "dedupe", 0),
		.each = option(o, "each", 0),
		.late_ms = 1000 * option(o, "late", 0),
		.breaker = option(o, "breaker", 0),
		.share = option(o, "share", 50),
		.back_ms = 1000 * option(o, "back", 1800),
		.single = option(o, "single", 0),
		.strange = option(o, "strange", 0),
		.cap = option(o, "cap", 0),
		.onercpt = option(o, "onercpt", 0),
		.hard = option(o, "hard", 0),
		.hardpct = option(o, "hardpct", 25),
		.still = option(o, "still", 0),
		.lead = option(o, "lead", 0),
		.tsa = option(o, "tsa", 0),
		.nonexist = option(o, "nonexist", 0),
		.rate = option(o, "rate", 0),
		.vol = option(o, "vol", 100),
		.ignore = option_classes(o, "ignore"),
		.wait = option_classes(o, "wait"),
		.trouble = option_classes(o, "trouble"),
		.soft = option_classes(o, "soft"),
	};
}

static void *rules_open(const struct sim *sim, const char *options)
{
	struct rules *j = must_alloc(1, sizeof(*j));

	j->sim = sim;
	j->o = read_options(options);
	j->senders = must_alloc(sim->accounts, sizeof(*j->senders));
	j->remotes = must_alloc(sim->remotes, sizeof(*j->remotes));
	j->bad_rcpt = seen_new(sim->rcpts);
	j->good_rcpt = seen_new(sim->rcpts);
	j->hard_rcpt = seen_new(sim->rcpts);
	j->good_remote = seen_new(sim->remotes);
	j->soft_remote = seen_new(sim->remotes);
	j->strange_remote = seen_new(sim->remotes);
	j->sent_ms = must_alloc(sim->mails, sizeof(*j->sent_ms));
	return j;
}

/* Forget what has left the window. */
static void slide(struct rules *j, struct sender *s)
{
	uint32_t begin = j->now_ms > j->o.window_ms ? j->now_ms - (uint32_t)j->o.window_ms : 0;
	size_t keep = 0;

	if (j->o.hour)
		begin = j->now_ms / HOUR_MS * HOUR_MS;
	s->failures = 0;
	for (size_t i = 0; i < s->used; i++) {
		const struct mail m = s->mails[i];

		if (m.last_ms > begin || (j->o.hour && m.last_ms == begin)) {
			s->failures += m.outcome != SMTP_DELIVERED;
			s->mails[keep++] = m;
		}
	}
	s->used = keep;
}

/* The pending mail that this is a retry of. */
static struct mail *find_pending(const struct rules *j, struct sender *s, const struct attempt *in)
{
	struct mail *found = NULL;

	if (j->o.attempts)
		return NULL;
	for (struct mail *m = s->mails; m < s->mails + s->used; m++)
		if (m->outcome == SMTP_DEFERRED && m->rcpt == in->rcpt &&
		    (j->o.sent ? m->number == in->mail : m->sender == in->sender))
			found = m;
	return found;
}

static void put(struct rules *j, struct sender *s, const struct attempt *in)
{
	uint32_t sent_ms;
	struct mail *m;

	if (!j->sent_ms[in->mail])
		j->sent_ms[in->mail] = in->time_ms + 1;
	sent_ms = j->sent_ms[in->mail] - 1;
	if (j->o.sent && sent_ms + j->o.window_ms <= in->time_ms)
		return;
	m = find_pending(j, s, in);
	if (!m) {
		s->mails = rules_grow(s->mails, s->used, &s->room, sizeof(*m));
		m = &s->mails[s->used++];
		m->first_ms = j->o.sent ? sent_ms : in->time_ms;
		m->number = in->mail;
	}
	m->last_ms = j->o.sent ? m->first_ms : in->time_ms;
	m->rcpt = in->rcpt;
	m->remote = in->remote;
	m->sender = in->sender;
	m->outcome = in->outcome;
	m->warm = in->flags & WARM;
	m->class = (uint8_t)sim_class(j->sim, in);
}

static bool is_crossed(const struct options *o, const struct tally *t)
{
	if (o->nonexist)
		return t->nonexist >= o->nonexist;
	if (o->rate)
		return t->all >= o->vol && 100 * t->nonexist >= o->rate * t->all;
	if (o->hard && t->nonexist >= o->hard && 100 * t->nonexist >= o->hardpct * t->all)
		return true;
	return t->bad >= o->min && 100 * t->bad >= o->percent * (t->bad + t->good) &&
	       (t->bad >= ENOUGH_FAILURES || t->bad >= t->good + o->lead);
}

/* Failures like those that KumoMTA's community rules match, at one remote. */
static struct tally tally_tsa(const struct sender *s, uint32_t remote)
{
	struct tally t = {0};

	for (const struct mail *m = s->mails; m < s->mails + s->used; m++)
		t.bad +=
			m->remote == remote && (m->class == REPLY_CONTENT ||
						m->class == REPLY_LISTED || m->class == REPLY_RATE);
	return t;
}

/* A suspension that is over leaves an empty window. */
static void end_suspension(const struct rules *j, struct sender *s)
{
	if (s->until_ms && j->now_ms >= s->until_ms) {
		s->until_ms = 0;
		s->used = 0;
	}
}

/* remote: where it failed just now. */
static void verdict(struct rules *j, uint32_t account, uint32_t remote)
{
	struct sender *s = &j->senders[account];
	struct tally t;

	end_suspension(j, s);
	if (s->until_ms)
		return;
	slide(j, s);
	s->hot = false;
	if (s->failures < j->o.min && !j->o.nonexist && !j->o.rate && !j->o.tsa)
		return;
	t = j->o.tsa ? tally_tsa(s, remote) : rules_tally(j, s);
	if (j->o.tsa ? t.bad < j->o.tsa : !is_crossed(&j->o, &t))
		return;
	sim_suspend(
		account, j->now_ms,
		&(struct verdict_out){(uint64_t)t.bad,
				      t.bad ? (unsigned int)(100 * t.bad / (t.bad + t.good)) : 0});
	s->until_ms = j->now_ms + (uint32_t)j->o.suspend_ms;
	if (j->o.hour)
		s->until_ms = (j->now_ms / HOUR_MS + 1) * HOUR_MS;
	s->hot = false;
}

static void rules_attempt(void *judge, const struct attempt *in)
{
	struct rules *j = judge;

	if ((in->flags & LOCAL) && !j->o.local)
		return;
	j->now_ms = in->time_ms;
	if (j->o.breaker)
		rules_meet(j, in);
	end_suspension(j, &j->senders[in->account]);
	put(j, &j->senders[in->account], in);
	if (in->outcome != SMTP_DELIVERED)
		verdict(j, in->account, in->remote);
}

/* Each minute: deliveries have left the window, or a deferral has grown old enough. */
static void rules_tick(void *judge, uint32_t time_ms)
{
	struct rules *j = judge;

	j->now_ms = time_ms;
	if (j->o.tsa || time_ms % CHECK_EACH_MS)
		return;
	for (uint32_t i = 0; i < j->sim->accounts; i++)
		if (j->senders[i].hot)
			verdict(j, i, 0);
}

static bool rules_suspended(void *judge, const struct attempt *a)
{
	const struct rules *j = judge;

	return a->time_ms < j->senders[a->account].until_ms;
}

static void rules_close(void *judge)
{
	struct rules *j = judge;

	for (uint32_t i = 0; i < j->sim->accounts; i++)
		free(j->senders[i].mails);
	for (uint32_t i = 0; i <= j->sim->remotes; i++)
		free(j->remotes[i].meetings);
	seen_free(&j->bad_rcpt);
	seen_free(&j->good_rcpt);
	seen_free(&j->hard_rcpt);
	seen_free(&j->good_remote);
	seen_free(&j->soft_remote);
	seen_free(&j->strange_remote);
	free(j->senders);
	free(j->remotes);
	free(j->sent_ms);
	free(j);
}

const struct judge_ops rules_ops = {rules_open, rules_attempt, rules_tick, rules_suspended,
				    rules_close};
