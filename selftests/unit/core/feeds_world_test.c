// SPDX-License-Identifier: GPL-2.0-only
/*
 * feeds_world_test.c - a mail server, its retries, and two ways over which they become known, in
 * random interleavings: attempts on the wire, read some time after they happened, and what the
 * server reports, read some time after that or, while nobody listens, later or never. Whatever
 * happens, the end of each message is counted once.
 */
#include "base/clock.h"
#include "pipeline_feeds.h"

#define PEOPLE	   12 /* each gets one message after the other */
#define MESSAGES   400
#define EVENTS_MAX 4096

enum event_kind {
	EVENT_NONE,
	EVENT_ROUND, /* of person `rcpt`: the server tries */
	EVENT_WIRE,
	EVENT_REPORTED,
	EVENT_READ, /* a report */
	EVENT_DOWN, /* nobody listens */
	EVENT_UP,
};

struct event {
	enum event_kind kind;
	uint64_t ns; /* when it is read */
	uint64_t time_ns;
	uint64_t rcpt;
	enum smtp_outcome outcome;
};

struct world {
	struct fixture *f;
	uint64_t seed;
	uint64_t now_ns;
	uint64_t tick_ns;
	bool log;    /* a log: what was reported while nobody listened is read afterwards */
	bool silent; /* nobody says that nobody listens */
	bool down;
	bool dropped; /* since it is down */
	int messages;
	struct person {
		char domain[32]; /* of who writes to them: an account for each */
		struct smtpl_count count;
		uint64_t read_ns; /* the ring is read in order */
		uint64_t delivered;
		uint64_t failed;
	} people[PEOPLE + 1];
	uint64_t reported_ns; /* reports are read in order */
	struct event events[EVENTS_MAX];
	size_t count;
	struct event kept[EVENTS_MAX]; /* reported while it was down */
	size_t kept_count;
};

static uint64_t chance(struct world *w, uint64_t below)
{
	w->seed ^= w->seed << 13;
	w->seed ^= w->seed >> 7;
	w->seed ^= w->seed << 17;
	return w->seed % below;
}

static void at(struct world *w, struct event e)
{
	assert_true(w->count < EVENTS_MAX);
	w->events[w->count++] = e;
}

static struct event next_event(struct world *w)
{
	size_t first = 0;
	struct event e;

	for (size_t i = 1; i < w->count; i++)
		if (w->events[i].ns < w->events[first].ns)
			first = i;
	e = w->events[first];
	w->events[first] = w->events[--w->count];
	return e;
}

static void on_wire(struct world *w, uint64_t rcpt, uint64_t time_ns, enum smtp_outcome outcome)
{
	uint64_t *read_ns = &w->people[rcpt].read_ns, ns = time_ns + chance(w, 200 * MS);

	if (ns <= *read_ns)
		ns = *read_ns + 1;
	*read_ns = ns;
	at(w, (struct event){EVENT_WIRE, ns, time_ns, rcpt, outcome});
}

/* Some hosts, one after the other; all but the last defer it, or the last as well. */
static void round_of(struct world *w, const struct event *e)
{
	enum smtp_outcome last = chance(w, 3) ? SMTP_DELIVERED + 2 * chance(w, 2) : SMTP_DEFERRED;
	bool tls = w->log && chance(w, 4) == 0;
	uint64_t time_ns = e->ns;

	for (uint64_t host = chance(w, 3); !tls; host--) {
		on_wire(w, e->rcpt, time_ns, host ? SMTP_DEFERRED : last);
		if (host == 0)
			break;
		time_ns += 1 + chance(w, 20) * chance(w, 3000 * MS);
	}
	/* After the whole delivery, sometimes. */
	time_ns += chance(w, 4) ? chance(w, 150 * MS) : chance(w, 45 * NS_PER_S);
	at(w, (struct event){EVENT_REPORTED, time_ns, time_ns, e->rcpt, last});
	if (last == SMTP_DEFERRED) {
		time_ns += 5 * NS_PER_S + chance(w, 400 * NS_PER_S);
	} else {
		w->people[e->rcpt].delivered += last == SMTP_DELIVERED;
		w->people[e->rcpt].failed += last == SMTP_FAILED;
		w->messages++;
		time_ns += chance(w, 2) ? chance(w, 3 * NS_PER_S) : chance(w, 100 * NS_PER_S);
	}
	if (last == SMTP_DEFERRED || w->messages < MESSAGES)
		at(w, (struct event){EVENT_ROUND, time_ns, 0, e->rcpt, 0});
}

static void report_now(struct world *w, const struct event *e)
{
	/* Of whole seconds. */
	struct payer payer = {.id = {.kind = ACCOUNT_DOMAIN}, .pays = true, .relay = true};
	struct outcome one = report_of_alice(e->rcpt, e->outcome, e->time_ns / NS_PER_S * NS_PER_S);

	strcpy(payer.id.domain, w->people[e->rcpt].domain);
	one.payer = &payer;
	one.domain = payer.id.domain;
	assert_int_equal(
		pipeline_report(w->f->p, w->log ? FEED_POSTFIX : FEED_EXIM, &one, w->now_ns), 0);
}

/* The server has reported; that is read some time later. */
static void reported(struct world *w, const struct event *e)
{
	uint64_t ns = e->time_ns + chance(w, 300 * MS);

	if (ns <= w->reported_ns)
		ns = w->reported_ns + 1;
	w->reported_ns = ns;
	at(w, (struct event){EVENT_READ, ns, e->time_ns, e->rcpt, e->outcome});
}

static void read_report(struct world *w, const struct event *e)
{
	if (!w->down) {
		report_now(w, e);
		return;
	}
	w->dropped = true;
	if (w->log)
		w->kept[w->kept_count++] = *e;
}

static void go_down(struct world *w)
{
	w->down = true;
	w->dropped = false;
	if (!w->silent)
		pipeline_feed_end(w->f->p, RELAY, PIPELINE_FEED_UNREADABLE, w->now_ns);
	at(w, (struct event){EVENT_UP, w->now_ns + chance(w, 120 * NS_PER_S), 0, 0, 0});
}

static void come_up(struct world *w)
{
	/* Nobody can know what was not reported unless the silence was noticed. */
	if (w->silent && !w->log && w->dropped && feed_of(w->f).running) {
		at(w, (struct event){EVENT_UP, w->now_ns + NS_PER_S, 0, 0, 0});
		return;
	}
	w->down = false;
	if (w->log)
		pipeline_feed_begin(w->f->p, RELAY, FEED_POSTFIX, w->now_ns);
	for (size_t i = 0; i < w->kept_count; i++)
		report_now(w, &w->kept[i]);
	w->kept_count = 0;
	if (w->messages < MESSAGES)
		at(w, (struct event){EVENT_DOWN, w->now_ns + chance(w, 300 * NS_PER_S), 0, 0, 0});
}

static void read_wire(struct world *w, const struct event *e)
{
	struct person *p = &w->people[e->rcpt];

	w->f->domain = p->domain;
	w->f->count = p->count;
	wire_named(w->f, SENDER, e->rcpt, e->outcome, e->time_ns, w->now_ns);
	p->count = w->f->count;
}

static void carry_out(struct world *w, const struct event *e)
{
	switch (e->kind) {
	case EVENT_ROUND:
		round_of(w, e);
		break;
	case EVENT_WIRE:
		read_wire(w, e);
		break;
	case EVENT_REPORTED:
		reported(w, e);
		break;
	case EVENT_READ:
		read_report(w, e);
		break;
	case EVENT_DOWN:
		go_down(w);
		break;
	case EVENT_UP:
		come_up(w);
		break;
	case EVENT_NONE:
		break;
	}
}

static void run_until(struct world *w, uint64_t ns)
{
	while (w->tick_ns <= ns) {
		w->now_ns = w->tick_ns;
		pipeline_tick(w->f->p, w->now_ns);
		w->tick_ns += NS_PER_S;
	}
	w->now_ns = ns;
}

static void world_run(struct world *w)
{
	w->tick_ns = w->now_ns;
	if (w->log)
		pipeline_feed_begin(w->f->p, RELAY, FEED_POSTFIX, w->now_ns);
	for (uint64_t rcpt = 1; rcpt <= PEOPLE; rcpt++)
		at(w,
		   (struct event){EVENT_ROUND, w->now_ns + chance(w, 60 * NS_PER_S), 0, rcpt, 0});
	at(w, (struct event){EVENT_DOWN, w->now_ns + chance(w, 300 * NS_PER_S), 0, 0, 0});
	while (w->count > 0) {
		struct event e = next_event(w);

		run_until(w, e.ns);
		carry_out(w, &e);
	}
	run_until(w, w->now_ns + 700 * NS_PER_S);
}

static void person_check(struct world *w, struct person *p)
{
	w->f->domain = p->domain;
	assert_window(w->f, p->delivered, 0, p->failed);
}

/* In attempts, too, each end is there once: from a report or from the wire. */
static void world_check(struct world *w)
{
	struct smtpl_totals accounted = accounted_of(w->f), superseded = superseded_of(w->f);
	struct relay_count reported = reported_of_all(w->f);
	uint64_t delivered = 0, failed = 0;

	for (int i = 1; i <= PEOPLE; i++) {
		person_check(w, &w->people[i]);
		delivered += w->people[i].delivered;
		failed += w->people[i].failed;
	}
	assert_int_equal(accounted.delivered - superseded.delivered + reported.delivered,
			 delivered);
	assert_int_equal(accounted.failed - superseded.failed + reported.failed, failed);
}

static void world_of(void **state, uint64_t seed, bool log, bool silent)
{
	static struct world w; /* too large for the stack */
	struct pipeline_feed feed;

	assert_int_equal(feeds_setup(state), 0);
	memset(&w, 0, sizeof(w));
	w.f = *state;
	w.seed = seed * 0x9e3779b97f4a7c15ull;
	w.log = log;
	w.silent = silent;
	w.now_ns = w.f->now * NS_PER_S;
	for (int i = 1; i <= PEOPLE; i++)
		snprintf(w.people[i].domain, sizeof(w.people[i].domain), "d%d.example", i);
	world_run(&w);
	world_check(&w);
	feed = feed_of(w.f);
	assert_true(feed.stats.agreed > 50);
	assert_true(feed.stats.late > 0);
	fixture_teardown(state);
}

static void test_events_end(void **state)
{
	for (uint64_t seed = 1; seed <= 40; seed++)
		world_of(state, seed, false, false);
}

static void test_events_silent(void **state)
{
	for (uint64_t seed = 1; seed <= 40; seed++)
		world_of(state, seed, false, true);
}

static void test_log_end(void **state)
{
	for (uint64_t seed = 1; seed <= 40; seed++)
		world_of(state, seed, true, false);
}

static void test_log_silent(void **state)
{
	for (uint64_t seed = 1; seed <= 40; seed++)
		world_of(state, seed, true, true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_events_end),
		cmocka_unit_test(test_events_silent),
		cmocka_unit_test(test_log_end),
		cmocka_unit_test(test_log_silent),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("feeds_world", tests, NULL, NULL);
}
