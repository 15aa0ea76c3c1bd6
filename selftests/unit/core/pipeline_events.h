/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * pipeline_events.h - a pipeline under test, and the records that a kernel would send it: totals of
 * one key, one call an event.
 */
#ifndef SMTPL_TEST_PIPELINE_EVENTS_H
#define SMTPL_TEST_PIPELINE_EVENTS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "core/pipeline.h"

#define ALICE  1001
#define BOB    1002
#define RELAY  100
#define EXEMPT 200
#define TUNNEL 300

struct fixture {
	struct pipeline *p;
	struct smtpl_count count; /* of (uid, domain) below */
	uint32_t uid;
	const char *domain;
	uint64_t cookie;
	uint32_t txn;
	int64_t now;		   /* second */
	int suspended;		   /* calls */
	struct account_id account; /* of the last call */
	struct verdict verdict;
	bool release_at_once;
};

static inline enum smtpl_role fixture_role(void *arg, uint32_t uid)
{
	(void)arg;
	return uid == RELAY  ? SMTPL_ROLE_RELAY :
	       uid == TUNNEL ? SMTPL_ROLE_SERVICE :
	       uid == EXEMPT ? SMTPL_ROLE_EXEMPT :
			       SMTPL_ROLE_DIRECT;
}

static inline void fixture_suspend(void *arg, struct account *a, const struct verdict *v,
				   uint64_t now_ns)
{
	struct fixture *f = arg;

	assert_true(a->until_ns > now_ns);
	f->suspended++;
	f->account = accounts_id(a);
	f->verdict = *v;
	if (f->release_at_once)
		pipeline_release(f->p, &f->account);
}

/* Who owns owned.example, relayed.example and exempt.example. */
static inline bool fixture_owner(void *arg, const char *domain, uint32_t *uid)
{
	(void)arg;
	*uid = strcmp(domain, "owned.example") == 0   ? ALICE :
	       strcmp(domain, "relayed.example") == 0 ? RELAY :
							EXEMPT;
	return *uid != EXEMPT || strcmp(domain, "exempt.example") == 0;
}

static const struct pipeline_ops fixture_ops = {
	.payer = {.role = fixture_role, .owner = fixture_owner},
	.suspend = fixture_suspend,
	.seed = 42,
};
static const struct verdict_rule fixture_rule = {
	.window_s = 3600, .suspend_s = 3600, .percent = 50, .min_failures = 5, .one_remote = 100};

static inline int fixture_setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	if (!f)
		return -1;
	*f = (struct fixture){.uid = ALICE, .domain = "a.example", .cookie = 1, .now = 100000};
	f->p = pipeline_new(&fixture_ops, f, &fixture_rule);
	*state = f;
	return f->p ? 0 : -1;
}

static inline int fixture_teardown(void **state)
{
	struct fixture *f = *state;

	pipeline_free(f->p);
	free(f);
	return 0;
}

static inline __u64 *count_field(struct smtpl_count *count, enum smtp_outcome outcome)
{
	switch (outcome) {
	case SMTP_DELIVERED:
		return &count->delivered;
	case SMTP_DEFERRED:
		return &count->deferred;
	case SMTP_FAILED:
		return &count->failed;
	default:
		return &count->unknown;
	}
}

static inline struct smtpl_event event_head(const struct fixture *f, enum smtpl_event_type type)
{
	return (struct smtpl_event){type, f->uid, f->cookie, f->now * NS_PER_S};
}

static inline struct smtpl_totals event_totals(const struct smtpl_count *c)
{
	return (struct smtpl_totals){c->delivered, c->deferred, c->failed, c->unknown};
}

/* Count as the kernel does, and make the event. */
static inline struct smtpl_event_outcome event_outcome(struct fixture *f, enum smtp_outcome outcome,
						       enum smtp_subject subject, uint32_t rcpt,
						       uint32_t count)
{
	struct smtpl_event_outcome e = {.head = event_head(f, SMTPL_EVENT_OUTCOME),
					.txn = f->txn,
					.rcpt = rcpt,
					.count = count,
					.outcome = outcome,
					.subject = subject};

	*count_field(&f->count, outcome) += count;
	f->count.last_ns = f->now * NS_PER_S;
	e.totals = event_totals(&f->count);
	snprintf(e.domain, sizeof(e.domain), "%s", f->domain);
	return e;
}

static inline void send(struct fixture *f, const void *event, size_t size)
{
	assert_int_equal(pipeline_event(f->p, event, size, f->now * NS_PER_S), 0);
}

static inline void outcome(struct fixture *f, enum smtp_outcome o, enum smtp_subject subject,
			   uint32_t rcpt, uint32_t count)
{
	struct smtpl_event_outcome e = event_outcome(f, o, subject, rcpt, count);

	send(f, &e, sizeof(e));
}

static inline void set_rule(struct fixture *f, const struct verdict_rule *rule)
{
	pipeline_set_rule(f->p, rule, f->now * NS_PER_S);
}

static inline void tick(struct fixture *f)
{
	pipeline_tick(f->p, f->now * NS_PER_S);
}

/* Attempts that nobody knows by name. */
static inline void anonymous(struct fixture *f, enum smtp_outcome o, uint32_t count)
{
	uint64_t cookie = f->cookie;

	f->cookie = UINT64_MAX;
	outcome(f, o, SMTP_SUBJECT_REST, 0, count);
	f->cookie = cookie;
}

static inline void path(struct fixture *f, enum smtpl_event_type type, uint32_t rcpt, uint64_t hash)
{
	struct smtpl_event_path e = {
		.head = event_head(f, type), .txn = f->txn, .rcpt = rcpt, .hash = hash};

	send(f, &e, sizeof(e));
}

/* The next transaction of the session, with `count` recipients hash, hash + 1, ... */
static inline void mail(struct fixture *f, uint64_t sender, uint64_t hash, uint32_t count)
{
	f->txn++;
	path(f, SMTPL_EVENT_MAIL, 0, sender);
	for (uint32_t i = 0; i < count; i++)
		path(f, SMTPL_EVENT_RCPT, i + 1, hash + i);
}

/* A whole message to one recipient. */
static inline void message(struct fixture *f, uint64_t hash, enum smtp_outcome o)
{
	mail(f, 77, hash, 1);
	outcome(f, o, SMTP_SUBJECT_REST, 0, 1);
}

static inline struct account *account_of(struct fixture *f)
{
	struct account_id id = {.kind = ACCOUNT_UID, .uid = f->uid};

	if (f->uid == RELAY) {
		id = (struct account_id){.kind = ACCOUNT_DOMAIN};
		snprintf(id.domain, sizeof(id.domain), "%s", f->domain);
	}
	return accounts_find(pipeline_accounts(f->p), &id);
}

static inline void assert_window(struct fixture *f, uint64_t delivered, uint64_t deferred,
				 uint64_t failed)
{
	const struct account *a = account_of(f);
	struct window_counts c = {0};

	if (a)
		c = window_counts(&a->window);
	assert_int_equal(c.delivered, delivered);
	assert_int_equal(c.deferred, deferred);
	assert_int_equal(c.failed, failed);
}

/* Read the map with this one key, nothing being in the ring. */
static inline void snapshot(struct fixture *f)
{
	pipeline_snapshot_begin(f->p);
	assert_int_equal(pipeline_snapshot_key(f->p, f->uid, f->domain, &f->count), 0);
	pipeline_snapshot_end(f->p, f->now * NS_PER_S);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, fixture_setup, fixture_teardown)

#endif
