// SPDX-License-Identifier: GPL-2.0-only
/*
 * remotes.c - rows of remotes, each with the meetings of the accounts that write there.
 *
 * A table in sets of eight needs no list in order of use: whoever makes room looks at eight rows.
 */
#include <assert.h>
#include <stdlib.h>
#include "base/hash.h"
#include "remotes.h"

#define WAYS	      8
#define SETS	      (REMOTES_ROWS / WAYS)
#define ANYWHERE_SETS (REMOTES_ANYWHERE_MEETINGS / WAYS)

#define DELIVERIES_MAX 255 /* of 8 bits */

/* Seconds are of uint32_t, from 1; 0 is never. */
struct meeting {
	uint64_t account : 56; /* mixed with the seed */
	uint64_t deliveries : 8;
	uint32_t tried_s;     /* 0: the place is free */
	uint32_t trouble_s;   /* the latest, if there was no delivery since */
	uint32_t set_aside_s; /* the same */
	uint32_t hour_s;      /* the first of the deliveries */
};

struct row {
	struct meeting *meetings;
	uint32_t remote; /* 0: the row is free */
	uint32_t tried_s;
	uint16_t used;
	uint16_t room; /* 0 or a power of two */
};

struct remotes {
	uint64_t seed;
	uint64_t lost;
	size_t meetings; /* allocated */
	struct row *rows;
	int64_t resolved_s;		    /* when a name was found last; 0: nothing is known */
	uint32_t unresolved[REMOTES_NAMES]; /* the first that were not, since */
	uint32_t unresolved_count;
	struct row anywhere; /* in sets, all of them in use; some are free */
};

static_assert(sizeof(struct meeting) == REMOTES_MEETING_BYTES);
static_assert(sizeof(struct row) == REMOTES_ROW_BYTES);
static_assert(sizeof(struct remotes) == REMOTES_SELF_BYTES);

struct remotes *remotes_new(uint64_t seed)
{
	struct remotes *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	r->seed = seed;
	r->rows = calloc(REMOTES_ROWS, sizeof(*r->rows));
	r->anywhere = (struct row){
		.meetings = calloc(REMOTES_ANYWHERE_MEETINGS, sizeof(struct meeting)),
		.remote = REMOTES_ANYWHERE,
		.used = REMOTES_ANYWHERE_MEETINGS,
		.room = REMOTES_ANYWHERE_MEETINGS,
	};
	r->meetings = REMOTES_ANYWHERE_MEETINGS;
	if (r->rows && r->anywhere.meetings)
		return r;
	remotes_free(r);
	return NULL;
}

void remotes_free(struct remotes *r)
{
	if (!r)
		return;
	for (size_t i = 0; r->rows && i < REMOTES_ROWS; i++)
		free(r->rows[i].meetings);
	free(r->rows);
	free(r->anywhere.meetings);
	free(r);
}

static uint32_t second(int64_t now_s)
{
	return now_s < 1 ? 1 : now_s > UINT32_MAX ? UINT32_MAX : now_s;
}

/* What is later than that lies within the span, and 0, never, does not. There is no upper bound,
 * since the clocks of two feeds differ. */
static uint32_t before(uint32_t now, uint32_t span_s)
{
	return now > span_s ? now - span_s : 0;
}

/* ---- a row ---- */

static struct row *set_of(const struct remotes *r, uint32_t remote)
{
	return &r->rows[hash_pair(r->seed, remote) % SETS * WAYS];
}

static struct row *row_find(const struct remotes *r, uint32_t remote)
{
	struct row *set = set_of(r, remote);

	if (remote == REMOTES_ANYWHERE)
		return (struct row *)&r->anywhere;
	for (size_t i = 0; remote && i < WAYS; i++)
		if (set[i].remote == remote)
			return &set[i];
	return NULL;
}

/* Accounts known to write there; counting ends at `enough`. */
static uint32_t row_accounts(const struct row *row, uint32_t now, uint32_t enough)
{
	uint32_t accounts = 0, known = before(now, REMOTES_KNOWN_S);

	for (size_t i = 0; i < row->used && accounts < enough; i++)
		accounts += row->meetings[i].tried_s > known;
	return accounts;
}

/* The row that makes room for a new one, by the order of remotes.h; a free row is the one that was
 * used least lately. NULL: several accounts use each of the set. */
static struct row *row_to_displace(const struct remotes *r, uint32_t remote, uint32_t now)
{
	struct row *set = set_of(r, remote), *found = NULL;
	uint32_t fewest = 2;

	for (size_t i = 0; i < WAYS; i++) {
		uint32_t accounts = row_accounts(&set[i], now, 2);

		if (accounts < fewest ||
		    (found && accounts == fewest && set[i].tried_s < found->tried_s)) {
			found = &set[i];
			fewest = accounts;
		}
	}
	return found;
}

static int row_grow(struct remotes *r, struct row *row)
{
	uint16_t room = row->room ? 2 * row->room : 1;
	struct meeting *meetings = realloc(row->meetings, room * sizeof(*meetings));

	if (!meetings)
		return -1;
	r->meetings += room - row->room;
	row->meetings = meetings;
	row->room = room;
	return 0;
}

/* NULL: there is no room, or no memory for its first meeting. */
static struct row *row_make(struct remotes *r, uint32_t remote, uint32_t now)
{
	struct row *row = row_to_displace(r, remote, now);

	if (!row || (!row->room && row_grow(r, row)))
		return NULL;
	row->remote = remote;
	row->used = 0;
	return row;
}

/* ---- a meeting ---- */

/* The places in which the account's may be. */
struct places {
	struct meeting *first;
	size_t count;
};

static struct places places_of(const struct row *row, uint64_t account)
{
	if (row->remote == REMOTES_ANYWHERE)
		return (struct places){&row->meetings[account % ANYWHERE_SETS * WAYS], WAYS};
	return (struct places){row->meetings, row->used};
}

static uint64_t account_key(const struct remotes *r, uint64_t account)
{
	return hash_pair(r->seed, account) >> 8;
}

static struct meeting *meeting_find(struct places places, uint64_t account)
{
	for (size_t i = 0; i < places.count; i++)
		if (places.first[i].account == account && places.first[i].tried_s)
			return &places.first[i];
	return NULL;
}

/* A free place has tried never, so it is the first to go. */
static struct meeting *meeting_stalest(struct places places)
{
	struct meeting *stalest = places.first;

	for (size_t i = 1; i < places.count; i++)
		if (places.first[i].tried_s < stalest->tried_s)
			stalest = &places.first[i];
	return stalest;
}

/* NULL without memory. */
static struct meeting *meeting_make(struct remotes *r, struct row *row, uint64_t account)
{
	struct meeting *m;

	if (row->remote == REMOTES_ANYWHERE || row->used == REMOTES_MEETINGS)
		m = meeting_stalest(places_of(row, account));
	else if (row->used < row->room || row_grow(r, row) == 0)
		m = &row->meetings[row->used++];
	else
		return NULL;
	*m = (struct meeting){.account = account};
	return m;
}

static void meeting_deliver(struct meeting *m, uint32_t now)
{
	m->trouble_s = 0;
	m->set_aside_s = 0;
	if (m->hour_s <= before(now, REMOTES_RARE_HOUR_S)) {
		m->hour_s = now;
		m->deliveries = 0;
	}
	if (m->deliveries < DELIVERIES_MAX)
		m->deliveries++;
}

void remotes_meet(struct remotes *r, uint32_t remote, uint64_t account, enum remotes_met met,
		  int64_t now_s)
{
	uint64_t key = account_key(r, account);
	uint32_t now = second(now_s);
	struct row *row = row_find(r, remote);
	struct meeting *m = row ? meeting_find(places_of(row, key), key) : NULL;

	if (!remote)
		return;
	if (!row)
		row = row_make(r, remote, now);
	if (!m)
		m = row ? meeting_make(r, row, key) : NULL;
	if (!m) {
		r->lost++;
		return;
	}
	if (m->tried_s < now)
		m->tried_s = now;
	now = m->tried_s;
	if (row->tried_s < now)
		row->tried_s = now;
	if (met == REMOTES_DELIVERED)
		meeting_deliver(m, now);
	else if (met == REMOTES_TROUBLE)
		m->trouble_s = now;
	else if (met == REMOTES_SET_ASIDE)
		m->set_aside_s = now;
}

/* ---- what is asked ---- */

struct remotes_figures remotes_figures(const struct remotes *r, uint32_t remote, int64_t now_s)
{
	const struct row *row = row_find(r, remote);
	struct remotes_figures f = {0};
	uint32_t back = before(second(now_s), REMOTES_BACK_S);
	uint32_t known = before(second(now_s), REMOTES_KNOWN_S);

	for (size_t i = 0; row && i < row->used; i++) {
		const struct meeting *m = &row->meetings[i];

		f.bad += m->trouble_s > back;
		f.set_aside += m->set_aside_s > back;
		f.tried += m->tried_s > back;
		f.accounts += m->tried_s > known;
	}
	return f;
}

bool remotes_trouble(const struct remotes *r, uint32_t remote, int64_t now_s, uint32_t accounts,
		     uint32_t share)
{
	struct remotes_figures f;

	if (!accounts)
		return false;
	f = remotes_figures(r, remote, now_s);
	return f.bad >= accounts && 100ull * f.bad >= (uint64_t)share * f.tried;
}

bool remotes_rare(const struct remotes *r, uint32_t remote, int64_t now_s)
{
	const struct row *row = row_find(r, remote);
	uint32_t now = second(now_s);

	return (!row || row_accounts(row, now, REMOTES_RARE_ACCOUNTS) < REMOTES_RARE_ACCOUNTS) &&
	       row_accounts(&r->anywhere, now, REMOTES_HOST_ACCOUNTS) >= REMOTES_HOST_ACCOUNTS;
}

/* Of the account's hour there, which goes on. */
static uint32_t deliveries_of(const struct remotes *r, uint32_t remote, uint64_t account,
			      int64_t now_s)
{
	uint64_t key = account_key(r, account);
	const struct row *row = row_find(r, remote);
	const struct meeting *m = row ? meeting_find(places_of(row, key), key) : NULL;

	return m && m->hour_s > before(second(now_s), REMOTES_RARE_HOUR_S) ? m->deliveries : 0;
}

bool remotes_delivery_counts(const struct remotes *r, uint32_t remote, uint64_t account,
			     int64_t now_s)
{
	return deliveries_of(r, remote, account, now_s) < REMOTES_RARE_DELIVERIES ||
	       !remotes_rare(r, remote, now_s);
}

uint32_t remotes_uncounted(const struct remotes *r, uint32_t remote, uint64_t account,
			   int64_t now_s)
{
	uint32_t deliveries = deliveries_of(r, remote, account, now_s);

	return deliveries > REMOTES_RARE_DELIVERIES && remotes_rare(r, remote, now_s) ?
		       deliveries - REMOTES_RARE_DELIVERIES :
		       0;
}

void remotes_unresolved(struct remotes *r, uint32_t remote, int64_t now_s)
{
	uint32_t i = 0;

	if (!r->resolved_s)
		r->resolved_s = now_s;
	while (i < r->unresolved_count && r->unresolved[i] != remote)
		i++;
	if (i == r->unresolved_count && i < REMOTES_NAMES)
		r->unresolved[r->unresolved_count++] = remote;
}

void remotes_resolved(struct remotes *r, int64_t now_s)
{
	r->resolved_s = now_s;
	r->unresolved_count = 0;
}

bool remotes_no_names(const struct remotes *r, int64_t now_s)
{
	return r->unresolved_count == REMOTES_NAMES && now_s >= r->resolved_s + REMOTES_NAMES_S;
}

uint64_t remotes_lost(const struct remotes *r)
{
	return r->lost;
}

size_t remotes_bytes(const struct remotes *r)
{
	return sizeof(*r) + REMOTES_ROWS * sizeof(*r->rows) + r->meetings * sizeof(struct meeting);
}
