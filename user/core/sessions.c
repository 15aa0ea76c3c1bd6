// SPDX-License-Identifier: GPL-2.0-only
/*
 * sessions.c - what is known of open SMTP sessions: a hash table by socket cookie, and for each
 * uid, as for all, a list in the order of the last event, whose end is what is forgotten first.
 */
#include <stdbool.h>
#include <stdlib.h>
#include "headers/smtp.h"
#include "base/hash.h"
#include "sessions.h"

#define BUCKETS	       16384 /* power of two; a quarter of SESSIONS_MAX */
#define OWNER_BUCKETS  4096
#define RCPTS_ROOM_MIN 4
#define RCPT_HASH_BITS 62

enum rcpt_state {
	RCPT_OPEN = 0,
	RCPT_REFUSED, /* by the reply to RCPT: PRDR does not count it */
	RCPT_DECIDED,
};

struct rcpt {
	uint64_t hash : RCPT_HASH_BITS; /* 0: its event was lost */
	uint64_t state : 2;		/* enum rcpt_state */
};

_Static_assert(sizeof(struct rcpt) == 8, "SESSIONS_RCPTS_* are stated for 8 bytes");

struct transaction {
	struct rcpt *rcpts; /* number N is rcpts[N - 1] */
	uint64_t sender;
	uint32_t number; /* 0: none */
	uint16_t rcpts_used;
	uint16_t rcpts_room;
};

_Static_assert(SMTPL_RCPTS_PER_MESSAGE <= UINT16_MAX, "rcpts_used is 16 bits wide");

enum list {
	LIST_ALL,
	LIST_OWNER,
	LISTS,
};

struct links {
	struct session *newer;
	struct session *older;
};

struct session {
	struct session *chain;
	struct owner *owner;
	struct links links[LISTS];
	uint64_t cookie;
	uint64_t last_ns;
	struct transaction transactions[SMTP_SENDERS]; /* by number modulo */
};

/* A list of sessions by their last event, and what they hold. */
struct holding {
	struct session *newest;
	struct session *oldest;
	size_t sessions;
	size_t rcpts; /* room, not use */
};

struct owner {
	struct owner *chain;
	struct holding holding;
	uint32_t uid;
};

struct sessions {
	uint64_t seed;
	uint64_t evicted;
	struct holding all;
	struct session *buckets[BUCKETS];
	struct owner *owners[OWNER_BUCKETS];
	uint64_t mails[SMTPL_RCPTS_PER_MESSAGE];
};

struct sessions *sessions_new(uint64_t seed)
{
	struct sessions *t = calloc(1, sizeof(*t));

	if (t)
		t->seed = seed;
	return t;
}

/* ---- owners and lists ---- */

static struct owner **owner_place(struct sessions *t, uint32_t uid)
{
	struct owner **at = &t->owners[hash_pair(t->seed, uid) & (OWNER_BUCKETS - 1)];

	while (*at && (*at)->uid != uid)
		at = &(*at)->chain;
	return at;
}

static struct owner *owner_get(struct sessions *t, uint32_t uid)
{
	struct owner **at = owner_place(t, uid);

	if (!*at) {
		*at = calloc(1, sizeof(**at));
		if (*at)
			(*at)->uid = uid;
	}
	return *at;
}

static void owner_put(struct sessions *t, struct owner *owner)
{
	struct owner **at;

	if (owner->holding.sessions > 0)
		return;
	at = owner_place(t, owner->uid);
	*at = owner->chain;
	free(owner);
}

static void list_add(struct holding *h, enum list list, struct session *s)
{
	s->links[list] = (struct links){.older = h->newest};
	*(h->newest ? &h->newest->links[list].newer : &h->oldest) = s;
	h->newest = s;
}

static void list_remove(struct holding *h, enum list list, struct session *s)
{
	struct links *l = &s->links[list];

	*(l->newer ? &l->newer->links[list].older : &h->newest) = l->older;
	*(l->older ? &l->older->links[list].newer : &h->oldest) = l->newer;
}

/* ---- sessions ---- */

static struct session **session_place(struct sessions *t, uint64_t cookie)
{
	struct session **at = &t->buckets[hash_pair(t->seed, cookie) & (BUCKETS - 1)];

	while (*at && (*at)->cookie != cookie)
		at = &(*at)->chain;
	return at;
}

static void session_forget(struct sessions *t, struct session *s)
{
	struct owner *owner = s->owner;

	*session_place(t, s->cookie) = s->chain;
	list_remove(&t->all, LIST_ALL, s);
	list_remove(&owner->holding, LIST_OWNER, s);
	t->all.sessions--;
	owner->holding.sessions--;
	for (size_t i = 0; i < SMTP_SENDERS; i++) {
		t->all.rcpts -= s->transactions[i].rcpts_room;
		owner->holding.rcpts -= s->transactions[i].rcpts_room;
		free(s->transactions[i].rcpts);
	}
	free(s);
	owner_put(t, owner);
}

void sessions_free(struct sessions *t)
{
	if (!t)
		return;
	while (t->all.oldest)
		session_forget(t, t->all.oldest);
	free(t);
}

static void session_evict(struct sessions *t, struct session *s)
{
	t->evicted++;
	session_forget(t, s);
}

/* Bring the uid of session `keep`, then all, back within the bounds. `keep` is the newest of both
 * lists and within the bounds by itself, so it is never the one that goes. */
static void sessions_bound(struct sessions *t, struct session *keep)
{
	struct holding *own = &keep->owner->holding;

	while (own->oldest != keep &&
	       (own->sessions > SESSIONS_PER_UID || own->rcpts > SESSIONS_RCPTS_PER_UID))
		session_evict(t, own->oldest);
	while (t->all.oldest != keep &&
	       (t->all.sessions > SESSIONS_MAX || t->all.rcpts > SESSIONS_RCPTS_MAX))
		session_evict(t, t->all.oldest);
}

_Static_assert(SMTP_SENDERS *SMTPL_RCPTS_PER_MESSAGE <= SESSIONS_RCPTS_PER_UID,
	       "one session fits into the bound of a uid");

/* A session as of an event of it; NULL when nothing is known, or the cookie is another uid's. */
static struct session *session_find(struct sessions *t, const struct smtpl_event *e,
				    uint64_t now_ns)
{
	struct session *s = *session_place(t, e->cookie);

	if (!s || s->owner->uid != e->uid)
		return NULL;
	s->last_ns = now_ns;
	list_remove(&t->all, LIST_ALL, s);
	list_add(&t->all, LIST_ALL, s);
	list_remove(&s->owner->holding, LIST_OWNER, s);
	list_add(&s->owner->holding, LIST_OWNER, s);
	return s;
}

static struct session *session_make(struct sessions *t, const struct smtpl_event *e,
				    uint64_t now_ns)
{
	struct session **at = session_place(t, e->cookie);
	struct session *s;

	if (*at)
		return NULL; /* another uid's: a cookie never changes hands */
	s = calloc(1, sizeof(*s));
	if (!s)
		return NULL;
	s->owner = owner_get(t, e->uid);
	if (!s->owner) {
		free(s);
		return NULL;
	}
	s->cookie = e->cookie;
	s->last_ns = now_ns;
	*at = s;
	list_add(&t->all, LIST_ALL, s);
	list_add(&s->owner->holding, LIST_OWNER, s);
	t->all.sessions++;
	s->owner->holding.sessions++;
	sessions_bound(t, s);
	return s;
}

/* ---- transactions ---- */

static struct transaction *transaction_find(struct session *s, uint32_t number)
{
	struct transaction *x = s ? &s->transactions[number % SMTP_SENDERS] : NULL;

	return x && number && x->number == number ? x : NULL;
}

/* Recipient `number`, from 1, made when it is new; NULL beyond the bound or without memory. */
static struct rcpt *rcpt_get(struct sessions *t, struct session *s, struct transaction *x,
			     uint32_t number)
{
	size_t room = x->rcpts_room ? x->rcpts_room : RCPTS_ROOM_MIN;
	struct rcpt *rcpts;

	if (number == 0 || number > SMTPL_RCPTS_PER_MESSAGE)
		return NULL;
	while (room < number)
		room *= 2;
	if (room > x->rcpts_room) {
		rcpts = realloc(x->rcpts, room * sizeof(*rcpts));
		if (!rcpts)
			return NULL;
		x->rcpts = rcpts;
		t->all.rcpts += room - x->rcpts_room;
		s->owner->holding.rcpts += room - x->rcpts_room;
		x->rcpts_room = room;
		sessions_bound(t, s);
	}
	while (x->rcpts_used < number)
		x->rcpts[x->rcpts_used++] = (struct rcpt){0};
	return &x->rcpts[number - 1];
}

void sessions_mail(struct sessions *t, const struct smtpl_event_path *e, uint64_t now_ns)
{
	struct session *s = session_find(t, &e->head, now_ns);
	struct transaction *x;

	if (!s)
		s = session_make(t, &e->head, now_ns);
	if (!s)
		return;
	x = &s->transactions[e->txn % SMTP_SENDERS];
	x->number = e->txn;
	x->sender = e->hash;
	x->rcpts_used = 0;
}

void sessions_rcpt(struct sessions *t, const struct smtpl_event_path *e, uint64_t now_ns)
{
	struct session *s = session_find(t, &e->head, now_ns);
	struct transaction *x = transaction_find(s, e->txn);
	struct rcpt *rcpt = x ? rcpt_get(t, s, x, e->rcpt) : NULL;

	if (rcpt)
		rcpt->hash = e->hash;
}

void sessions_close(struct sessions *t, const struct smtpl_event *e)
{
	struct session *s = *session_place(t, e->cookie);

	if (s && s->owner->uid == e->uid)
		session_forget(t, s);
}

/* ---- outcomes ---- */

uint64_t sessions_address_hash(const char *address)
{
	static const struct smtp_client none;
	struct smtp_client parser = none;
	bool over = false;

	smtp_path_begin(&parser);
	smtp_path_byte(&parser, '<');
	for (; *address && !over; address++)
		over = smtp_path_byte(&parser, (unsigned char)*address);
	if (!over)
		smtp_path_byte(&parser, '>');
	smtp_path_close(&parser);
	return parser.hash;
}

/* Of a recipient no more bits than are kept of one on the wire. */
uint64_t sessions_mail_identity(uint64_t sender_hash, uint64_t rcpt_hash)
{
	uint64_t mail = hash_pair(sender_hash, rcpt_hash & ((1ull << RCPT_HASH_BITS) - 1));

	return mail ? mail : 1;
}

/* Without a recipient: tries towards the same host are retries of one mail while they are deferred.
 * */
static size_t decide_host(struct sessions *t, const struct smtpl_event_outcome *e, uint64_t sender)
{
	uint64_t words[2];

	if (e->outcome != SMTP_DEFERRED)
		return 0;
	memcpy(words, e->dest, sizeof(words));
	t->mails[0] = sessions_mail_identity(sender, hash_pair(words[0], words[1]));
	return 1;
}

static size_t decide_one(struct sessions *t, const struct transaction *x, struct rcpt *rcpt,
			 enum rcpt_state state)
{
	if (!rcpt)
		return 0;
	rcpt->state = state;
	t->mails[0] = sessions_mail_identity(x->sender, rcpt->hash);
	return rcpt->hash ? 1 : 0;
}

/* The nth of those that RCPT did not refuse. */
static struct rcpt *rcpt_accepted(struct transaction *x, uint32_t nth)
{
	for (uint32_t i = 0; i < x->rcpts_used; i++)
		if (x->rcpts[i].state != RCPT_REFUSED && --nth == 0)
			return &x->rcpts[i];
	return NULL;
}

/* More open ones than `count`: refusals that were no outcome (the server's limit of recipients) or
 * whose event was lost. The first ones are taken: a server's limit refuses the last. */
static size_t decide_rest(struct sessions *t, struct transaction *x, uint32_t count)
{
	size_t known = 0;
	uint32_t taken = 0;

	for (uint32_t i = 0; i < x->rcpts_used && taken < count; i++) {
		struct rcpt *rcpt = &x->rcpts[i];

		if (rcpt->state != RCPT_OPEN)
			continue;
		rcpt->state = RCPT_DECIDED;
		taken++;
		if (rcpt->hash)
			t->mails[known++] = sessions_mail_identity(x->sender, rcpt->hash);
	}
	return known;
}

size_t sessions_decide(struct sessions *t, const struct smtpl_event_outcome *e, uint64_t now_ns,
		       const uint64_t **mails)
{
	struct session *s = session_find(t, &e->head, now_ns);
	struct transaction *x = transaction_find(s, e->txn);

	*mails = t->mails;
	switch (e->subject) {
	case SMTP_SUBJECT_SESSION:
		return decide_host(t, e, 0);
	case SMTP_SUBJECT_MAIL:
		return decide_host(t, e, x ? x->sender : 0);
	case SMTP_SUBJECT_RCPT:
		return x ? decide_one(t, x, rcpt_get(t, s, x, e->rcpt), RCPT_REFUSED) : 0;
	case SMTP_SUBJECT_PRDR:
		return x ? decide_one(t, x, rcpt_accepted(x, e->rcpt), RCPT_DECIDED) : 0;
	default:
		return x ? decide_rest(t, x, e->count) : 0;
	}
}

void sessions_expire(struct sessions *t, uint64_t now_ns, uint64_t idle_ns, size_t budget)
{
	for (; budget > 0 && t->all.oldest; budget--) {
		if (t->all.oldest->last_ns + idle_ns > now_ns)
			return;
		session_forget(t, t->all.oldest);
	}
}

size_t sessions_count(const struct sessions *t)
{
	return t->all.sessions;
}

uint64_t sessions_evicted(const struct sessions *t)
{
	return t->evicted;
}
