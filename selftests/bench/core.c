// SPDX-License-Identifier: GPL-2.0-only
/*
 * core.c - what the daemon's core costs, without kernel and clock: outcomes a second through
 * pipeline, window and verdict (CPU time), and heap bytes of an idle account. Prints `name value
 * unit` lines.
 *
 * Links with libsmtplimit.a like a unit test. The known number of outcomes must have been taken in,
 * or it fails: a benchmark that loses work would be fast.
 */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include "base/clock.h"
#include "core/pipeline.h"

#define ACCOUNTS 10000
#define OUTCOMES 3000000
#define IDLE	 200000

static enum smtpl_role role(void *arg, uint32_t uid)
{
	(void)arg;
	return uid == 0 ? SMTPL_ROLE_RELAY : SMTPL_ROLE_DIRECT;
}

static void suspend(void *arg, struct account *a, const struct verdict *v, uint64_t now_ns)
{
	unsigned long *suspended = arg;

	(void)a;
	(void)v;
	(void)now_ns;
	++*suspended;
}

static struct pipeline *pipeline_make(unsigned long *suspended)
{
	static const struct pipeline_ops ops = {.payer.role = role, .suspend = suspend, .seed = 42};
	static const struct verdict_rule rule = {
		.window_s = 3600,
		.suspend_s = 3600,
		.percent = 50,
		.min_failures = 5,
		.set_aside = 1u << REPLY_LISTED | 1u << REPLY_UNAUTHENTICATED,
		.one_remote = 50,
		.trouble_accounts = 4,
		.trouble_share = 50,
		.hard_percent = 25,
		.warn = 80,
	};
	struct pipeline *p = pipeline_new(&ops, suspended, &rule);

	if (!p)
		exit(1);
	return p;
}

/* Of this process alone: one thread that never waits, on a machine that others use too. */
static double cpu_seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

static void expect(struct pipeline *p, uint64_t attempts)
{
	struct pipeline_stats s = pipeline_stats(p);

	if (s.attempts == attempts && s.malformed == 0 && s.nomem == 0)
		return;
	fprintf(stderr, "core: took in %llu of %llu attempts\n", (unsigned long long)s.attempts,
		(unsigned long long)attempts);
	exit(1);
}

static void give(struct pipeline *p, const void *event, size_t size, uint64_t now_ns)
{
	if (pipeline_event(p, event, size, now_ns))
		exit(1);
}

struct traffic {
	struct smtpl_totals *totals; /* of each uid */
	struct smtpl_event_path mail;
	struct smtpl_event_path rcpt;
	struct smtpl_event_outcome outcome;
};

/* One message of one recipient: a third is deferred, and half of that delivered by the next. */
static void message(struct pipeline *p, struct traffic *t, uint32_t i, bool named)
{
	uint64_t now_ns = 100000 * NS_PER_S + (uint64_t)i * 1000000; /* 1000 a second */
	uint32_t uid = 1 + i % ACCOUNTS;
	struct smtpl_event head = {SMTPL_EVENT_OUTCOME, uid, uid, now_ns};
	uint32_t nth = i / ACCOUNTS; /* message of this account */
	bool deferred = nth % 3 == 0;
	struct smtpl_totals *totals = &t->totals[uid - 1];

	if (named) {
		t->mail.head = t->rcpt.head = head;
		t->mail.head.type = SMTPL_EVENT_MAIL;
		t->rcpt.head.type = SMTPL_EVENT_RCPT;
		t->mail.txn = t->rcpt.txn = t->outcome.txn = 1 + nth;
		t->rcpt.hash = 1 + (nth % 6 == 1 ? nth - 1 : nth);
		give(p, &t->mail, sizeof(t->mail), now_ns);
		give(p, &t->rcpt, sizeof(t->rcpt), now_ns);
	}
	*(deferred ? &totals->deferred : &totals->delivered) += 1;
	t->outcome.head = head;
	t->outcome.totals = *totals;
	t->outcome.outcome = deferred ? SMTP_DEFERRED : SMTP_DELIVERED;
	give(p, &t->outcome, sizeof(t->outcome), now_ns);
	if (i % 1000 == 0)
		pipeline_tick(p, now_ns);
}

static void bench_outcomes(const char *name, bool named)
{
	struct traffic t = {.totals = calloc(ACCOUNTS, sizeof(*t.totals))};
	unsigned long suspended = 0;
	struct pipeline *p = pipeline_make(&suspended);
	double begin;

	if (!t.totals)
		exit(1);
	t.mail.hash = 77;
	t.rcpt.rcpt = 1;
	t.outcome.count = 1;
	t.outcome.subject = SMTP_SUBJECT_REST;
	snprintf(t.outcome.domain, sizeof(t.outcome.domain), "customer.example");
	begin = cpu_seconds();
	for (uint32_t i = 0; i < OUTCOMES; i++)
		message(p, &t, i, named);
	printf("%s %.0f outcomes/s\n", name, OUTCOMES / (cpu_seconds() - begin));
	expect(p, OUTCOMES);
	if (suspended > 0)
		exit(1);
	free(t.totals);
	pipeline_free(p);
}

static size_t heap_bytes(void)
{
	struct mallinfo2 m = mallinfo2();

	return m.uordblks + m.hblkhd;
}

/* Accounts that once had an outcome and have none in the window: table share, names, all of it. */
static void bench_idle(enum account_kind kind, const char *name)
{
	size_t before = heap_bytes();
	struct accounts *t = accounts_new(42);

	if (!t)
		exit(1);
	for (uint32_t i = 0; i < IDLE; i++) {
		struct account_id id = {.kind = kind, .uid = kind == ACCOUNT_UID ? i : 0};
		struct account *a;

		if (kind == ACCOUNT_DOMAIN)
			snprintf(id.domain, sizeof(id.domain), "customer-%u.example", i);
		if (accounts_get(t, &id, &a))
			exit(1);
		accounts_set_own_domain(a, "customer.example");
	}
	printf("%s %.0f bytes\n", name, (double)(heap_bytes() - before) / IDLE);
	accounts_free(t);
}

int main(void)
{
	bench_outcomes("core_outcomes", false);
	bench_outcomes("core_messages", true); /* MAIL, RCPT and outcome each */
	bench_idle(ACCOUNT_UID, "core_idle_uid_account");
	bench_idle(ACCOUNT_DOMAIN, "core_idle_domain_account");
	return 0;
}
