/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * remotes_model.h - what core/remotes.c must answer, by going through a list of everything that was
 * met. Whose row or meeting had to make room is marked as gone.
 */
#ifndef SMTPL_TEST_REMOTES_MODEL_H
#define SMTPL_TEST_REMOTES_MODEL_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <string.h>
#include "base/hash.h"
#include "core/remotes.h"

#define MODEL_EVENTS 8192

struct model_event {
	uint32_t remote;
	uint64_t account;
	enum remotes_met met;
	int64_t time_s;
	bool gone;
};

struct model {
	uint64_t seed;
	uint64_t lost;
	size_t count;
	struct model_event events[MODEL_EVENTS];
};

/* The same as in the table: which remotes share a set. */
static uint64_t model_set(uint64_t seed, uint32_t remote)
{
	return hash_pair(seed, remote) % (REMOTES_ROWS / 8);
}

static bool model_is(const struct model_event *e, uint32_t remote, uint64_t account)
{
	return !e->gone && e->remote == remote && e->account == account;
}

/* The latest meeting of the account's with the remote, or before it. */
static const struct model_event *model_before(const struct model *m, size_t end, uint32_t remote,
					      uint64_t account)
{
	while (end-- > 0)
		if (model_is(&m->events[end], remote, account))
			return &m->events[end];
	return NULL;
}

/* The latest of each pair. */
static bool model_latest(const struct model *m, size_t i)
{
	const struct model_event *e = &m->events[i];

	return !e->gone && model_before(m, m->count, e->remote, e->account) == e;
}

static size_t model_accounts(const struct model *m, uint32_t remote, int64_t now_s, int64_t span_s)
{
	size_t accounts = 0;

	for (size_t i = 0; i < m->count; i++)
		accounts += m->events[i].remote == remote && now_s - m->events[i].time_s < span_s &&
			    model_latest(m, i);
	return accounts;
}

static bool model_has_row(const struct model *m, uint32_t remote)
{
	for (size_t i = 0; i < m->count; i++)
		if (!m->events[i].gone && m->events[i].remote == remote)
			return true;
	return false;
}

static void model_forget(struct model *m, uint32_t remote, const uint64_t *account)
{
	for (size_t i = 0; i < m->count; i++)
		if (m->events[i].remote == remote && (!account || m->events[i].account == *account))
			m->events[i].gone = true;
}

/* Room for a new row. False: there is none. */
static bool model_room_for_row(struct model *m, uint32_t remote, int64_t now_s)
{
	size_t rows = 0, fewest = 2;
	uint32_t displaced = 0;

	/* Rows in the order of their latest meeting: of equals, the first is the stalest. */
	for (size_t i = 0; i < m->count; i++) {
		uint32_t other = m->events[i].remote;
		size_t accounts, later = i + 1;

		if (m->events[i].gone || model_set(m->seed, other) != model_set(m->seed, remote))
			continue;
		while (later < m->count &&
		       (m->events[later].gone || m->events[later].remote != other))
			later++;
		if (later < m->count)
			continue;
		rows++;
		accounts = model_accounts(m, other, now_s, REMOTES_KNOWN_S);
		if (accounts < fewest) {
			fewest = accounts;
			displaced = other;
		}
	}
	if (rows < 8)
		return true;
	if (displaced)
		model_forget(m, displaced, NULL);
	return displaced;
}

/* Room for a new account in the row: the one that tried least lately goes. */
static void model_room_for_account(struct model *m, uint32_t remote)
{
	if (remote == REMOTES_ANYWHERE ||
	    model_accounts(m, remote, 0, INT64_MAX) < REMOTES_MEETINGS)
		return;
	for (size_t i = 0; i < m->count; i++) {
		if (m->events[i].remote == remote && model_latest(m, i)) {
			model_forget(m, remote, &m->events[i].account);
			return;
		}
	}
}

static void model_meet(struct model *m, uint32_t remote, uint64_t account, enum remotes_met met,
		       int64_t now_s)
{
	const struct model_event *before = model_before(m, m->count, remote, account);

	if (!model_has_row(m, remote) && !model_room_for_row(m, remote, now_s)) {
		m->lost++;
		return;
	}
	if (!before)
		model_room_for_account(m, remote);
	assert_true(m->count < MODEL_EVENTS);
	m->events[m->count++] = (struct model_event){
		.remote = remote,
		.account = account,
		.met = met,
		.time_s = before && before->time_s > now_s ? before->time_s : now_s,
	};
}

/* The account met that within 30 minutes, and had no delivery since. */
static bool model_meets(const struct model *m, size_t latest, enum remotes_met met, int64_t now_s)
{
	const struct model_event *l = &m->events[latest];

	for (size_t i = latest + 1; i-- > 0;) {
		const struct model_event *e = &m->events[i];

		if (!model_is(e, l->remote, l->account))
			continue;
		if (e->met == REMOTES_DELIVERED)
			return false;
		if (e->met == met)
			return now_s - e->time_s < 1800;
	}
	return false;
}

static struct remotes_figures model_figures(const struct model *m, uint32_t remote, int64_t now_s)
{
	struct remotes_figures f = {
		.tried = model_accounts(m, remote, now_s, 1800),
		.accounts = model_accounts(m, remote, now_s, 86400),
	};

	for (size_t i = 0; i < m->count; i++) {
		if (m->events[i].remote != remote || !model_latest(m, i))
			continue;
		f.bad += model_meets(m, i, REMOTES_TROUBLE, now_s);
		f.set_aside += model_meets(m, i, REMOTES_SET_ASIDE, now_s);
	}
	return f;
}

static bool model_rare(const struct model *m, uint32_t remote, int64_t now_s)
{
	return model_accounts(m, remote, now_s, 86400) < 8 &&
	       model_accounts(m, REMOTES_ANYWHERE, now_s, 86400) >= 64;
}

/* Of the account's hour there, which began with the first of them. */
static unsigned int model_deliveries(const struct model *m, uint32_t remote, uint64_t account,
				     int64_t now_s)
{
	int64_t hour_s = INT64_MIN / 2;
	unsigned int deliveries = 0;

	for (size_t i = 0; i < m->count; i++) {
		const struct model_event *e = &m->events[i];

		if (!model_is(e, remote, account) || e->met != REMOTES_DELIVERED)
			continue;
		if (e->time_s - hour_s >= 3600) {
			hour_s = e->time_s;
			deliveries = 0;
		}
		deliveries++;
	}
	return now_s - hour_s < 3600 ? deliveries : 0;
}

static bool model_delivery_counts(const struct model *m, uint32_t remote, uint64_t account,
				  int64_t now_s)
{
	return model_deliveries(m, remote, account, now_s) < 20 || !model_rare(m, remote, now_s);
}

static uint32_t model_uncounted(const struct model *m, uint32_t remote, uint64_t account,
				int64_t now_s)
{
	unsigned int deliveries = model_deliveries(m, remote, account, now_s);

	if (deliveries <= 20 || !model_rare(m, remote, now_s))
		return 0;
	return deliveries - 20 < 235 ? deliveries - 20 : 235;
}

#endif
