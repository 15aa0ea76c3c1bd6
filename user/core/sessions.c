// SPDX-License-Identifier: GPL-2.0-only
/*
 * sessions.c - what is known of open SMTP sessions: a hash table by socket cookie, and for each
 * uid, as for all, a list in the order of the last event, whose end is what is forgotten first.
 */
#include <stdbool.h>
#include <stdlib.h>
#include <sys/queue.h>
#include "headers/smtp.h"
#include "base/hash.h"
#include "base/table.h"
#include "sessions.h"

#define BUCKETS	       16384 /* a quarter of SESSIONS_MAX */
#define OWNER_BUCKETS  4096
#define RCPTS_ROOM_MIN 4
#define RCPT_HASH_BITS 62

#define ADDRESS_OVERHEAD 31 /* of malloc: a block has 32 bytes or more */

enum rcpt_state {
	RCPT_OPEN = 0,
	RCPT_REFUSED, /* by the reply to RCPT: PRDR does not count it */
	RCPT_DECIDED,
};

struct rcpt {
	uint64_t hash : RCPT_HASH_BITS; /* 0: its event was lost */
	uint64_t state : 2;		/* enum rcpt_state */
	char *address;			/* NULL: beyond the bound, or without memory */
};

_Static_assert(sizeof(struct rcpt) == 16, "SESSIONS_RCPTS_* are stated for 16 bytes");

struct transaction {
	struct rcpt *rcpts;   /* number N is rcpts[N - 1] */
	char *sender_address; /* as of a recipient */
	uint64_t sender;
	uint32_t number; /* 0: none */
	uint16_t rcpts_used;
	uint16_t rcpts_room;
};

_Static_assert(SMTPL_RCPTS_PER_MESSAGE <= UINT16_MAX, "rcpts_used is 16 bits wide");

struct session {
	struct table_node node;
	TAILQ_ENTRY(session) in_all;
	TAILQ_ENTRY(session) in_owner;
	struct owner *owner;
	uint64_t last_ns;
	uint32_t pid; /* that opened it; 0: not known */
	uint16_t port;
	struct transaction transactions[SMTP_SENDERS]; /* by number modulo */
};

TAILQ_HEAD(session_queue, session);

/* Sessions in the order of their last event, and what they hold. */
struct holding {
	struct session_queue queue;
	size_t sessions;
	size_t rcpts; /* room, not use */
	size_t address_bytes;
};

struct owner {
	struct table_node node;
	struct holding holding;
	uint32_t uid;
};

struct sessions {
	uint64_t seed;
	uint64_t evicted;
	struct holding all;
	struct table table;
	struct table owners;
	struct session_mail mails[SMTPL_RCPTS_PER_MESSAGE];
};

struct sessions *sessions_new(uint64_t seed)
{
	struct sessions *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->seed = seed;
	TAILQ_INIT(&t->all.queue);
	if (table_resize(&t->table, BUCKETS) || table_resize(&t->owners, OWNER_BUCKETS)) {
		sessions_free(t);
		return NULL;
	}
	return t;
}

/* ---- owners ---- */

/* As of cookies: no two uids have one hash. */
static struct owner *owner_get(struct sessions *t, uint32_t uid)
{
	uint64_t hash = hash_pair(t->seed, uid);
	struct owner *owner = table_first(&t->owners, hash);

	if (owner)
		return owner;
	owner = calloc(1, sizeof(*owner));
	if (!owner)
		return NULL;
	owner->uid = uid;
	TAILQ_INIT(&owner->holding.queue);
	table_add(&t->owners, &owner->node, hash);
	return owner;
}

static void owner_put(struct sessions *t, struct owner *owner)
{
	if (owner->holding.sessions > 0)
		return;
	table_remove(&t->owners, &owner->node);
	free(owner);
}

/* ---- sessions ---- */

/* No two cookies have one hash: hash_pair(). */
static struct session *session_of(const struct sessions *t, uint64_t cookie)
{
	return table_first(&t->table, hash_pair(t->seed, cookie));
}

static struct session *oldest(const struct holding *h)
{
	return TAILQ_FIRST(&h->queue);
}

/* ---- addresses ---- */

/* With what malloc adds: strangers write the shortest addresses that there are. */
static size_t address_cost(size_t length)
{
	return length + 1 + ADDRESS_OVERHEAD;
}

static char *address_keep(struct sessions *t, struct session *s, const char *address)
{
	struct holding *own = &s->owner->holding;
	size_t length = strnlen(address, SMTPL_ADDR_SIZE - 1), cost = address_cost(length);
	char *copy;

	if (own->address_bytes + cost > SESSIONS_ADDRESSES_PER_UID ||
	    t->all.address_bytes + cost > SESSIONS_ADDRESSES_MAX)
		return NULL;
	copy = strndup(address, length);
	if (!copy)
		return NULL;
	own->address_bytes += cost;
	t->all.address_bytes += cost;
	return copy;
}

static void address_forget(struct sessions *t, struct session *s, char **address)
{
	size_t cost = *address ? address_cost(strlen(*address)) : 0;

	s->owner->holding.address_bytes -= cost;
	t->all.address_bytes -= cost;
	free(*address);
	*address = NULL;
}

static void transaction_clear(struct sessions *t, struct session *s, struct transaction *x)
{
	address_forget(t, s, &x->sender_address);
	for (uint32_t i = 0; i < x->rcpts_used; i++)
		address_forget(t, s, &x->rcpts[i].address);
	x->rcpts_used = 0;
}

static void session_forget(struct sessions *t, struct session *s)
{
	struct owner *owner = s->owner;

	table_remove(&t->table, &s->node);
	TAILQ_REMOVE(&t->all.queue, s, in_all);
	TAILQ_REMOVE(&owner->holding.queue, s, in_owner);
	t->all.sessions--;
	owner->holding.sessions--;
	for (size_t i = 0; i < SMTP_SENDERS; i++) {
		transaction_clear(t, s, &s->transactions[i]);
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
	while (t->all.sessions > 0)
		session_forget(t, oldest(&t->all));
	table_free(&t->table);
	table_free(&t->owners);
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

	while (oldest(own) != keep &&
	       (own->sessions > SESSIONS_PER_UID || own->rcpts > SESSIONS_RCPTS_PER_UID))
		session_evict(t, oldest(own));
	while (oldest(&t->all) != keep &&
	       (t->all.sessions > SESSIONS_MAX || t->all.rcpts > SESSIONS_RCPTS_MAX))
		session_evict(t, oldest(&t->all));
}

_Static_assert(SMTP_SENDERS *SMTPL_RCPTS_PER_MESSAGE <= SESSIONS_RCPTS_PER_UID,
	       "one session fits into the bound of a uid");

/* A session as of an event of it; NULL when nothing is known, or the cookie is another uid's. */
static struct session *session_find(struct sessions *t, const struct smtpl_event *e,
				    uint64_t now_ns)
{
	struct session *s = session_of(t, e->cookie);

	if (!s || s->owner->uid != e->uid)
		return NULL;
	s->last_ns = now_ns;
	TAILQ_REMOVE(&t->all.queue, s, in_all);
	TAILQ_INSERT_TAIL(&t->all.queue, s, in_all);
	TAILQ_REMOVE(&s->owner->holding.queue, s, in_owner);
	TAILQ_INSERT_TAIL(&s->owner->holding.queue, s, in_owner);
	return s;
}

static struct session *session_make(struct sessions *t, const struct smtpl_event *e,
				    uint64_t now_ns)
{
	struct session *s;

	if (session_of(t, e->cookie))
		return NULL; /* another uid's: a cookie never changes hands */
	s = calloc(1, sizeof(*s));
	if (!s)
		return NULL;
	s->owner = owner_get(t, e->uid);
	if (!s->owner) {
		free(s);
		return NULL;
	}
	s->last_ns = now_ns;
	table_add(&t->table, &s->node, hash_pair(t->seed, e->cookie));
	TAILQ_INSERT_TAIL(&t->all.queue, s, in_all);
	TAILQ_INSERT_TAIL(&s->owner->holding.queue, s, in_owner);
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

void sessions_open(struct sessions *t, const struct smtpl_event_open *e, uint64_t now_ns)
{
	struct session *s = session_make(t, &e->head, now_ns);

	if (!s)
		return;
	s->pid = e->pid;
	s->port = (uint16_t)e->port;
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
	transaction_clear(t, s, x);
	x->number = e->txn;
	x->sender = e->hash;
	x->sender_address = address_keep(t, s, e->addr);
}

void sessions_rcpt(struct sessions *t, const struct smtpl_event_path *e, uint64_t now_ns)
{
	struct session *s = session_find(t, &e->head, now_ns);
	struct transaction *x = transaction_find(s, e->txn);
	struct rcpt *rcpt = x ? rcpt_get(t, s, x, e->rcpt) : NULL;

	if (!rcpt)
		return;
	rcpt->hash = e->hash;
	address_forget(t, s, &rcpt->address);
	rcpt->address = address_keep(t, s, e->addr);
}

void sessions_close(struct sessions *t, const struct smtpl_event *e)
{
	struct session *s = session_of(t, e->cookie);

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

/* No more bits than are kept of one on the wire. */
uint64_t sessions_rcpt_identity(uint64_t rcpt_hash)
{
	return rcpt_hash & ((1ull << RCPT_HASH_BITS) - 1);
}

uint64_t sessions_mail_identity(uint64_t sender_hash, uint64_t rcpt_hash)
{
	uint64_t mail = hash_pair(sender_hash, sessions_rcpt_identity(rcpt_hash));

	return mail ? mail : 1;
}

/* Without a recipient: tries towards the same host are retries of one mail while they are deferred.
 */
static size_t decide_host(struct sessions *t, const struct smtpl_event_outcome *e, uint64_t sender)
{
	uint64_t words[2], mail;

	if (e->outcome != SMTP_DEFERRED)
		return 0;
	memcpy(words, e->dest, sizeof(words));
	mail = sessions_mail_identity(sender, hash_pair(words[0], words[1]));
	t->mails[0] = (struct session_mail){.mail = mail, .rcpt = mail};
	return 1;
}

/* Note what is known of a recipient as the nth of the decision. Returns how many there are then. */
static size_t note_mail(struct sessions *t, const struct transaction *x, const struct rcpt *rcpt,
			size_t n)
{
	if (!rcpt->hash)
		return n;
	t->mails[n] = (struct session_mail){.mail = sessions_mail_identity(x->sender, rcpt->hash),
					    .rcpt = rcpt->hash,
					    .recipient = rcpt->address};
	return n + 1;
}

static size_t decide_one(struct sessions *t, const struct transaction *x, struct rcpt *rcpt,
			 enum rcpt_state state)
{
	if (!rcpt)
		return 0;
	rcpt->state = state;
	return note_mail(t, x, rcpt, 0);
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
		known = note_mail(t, x, rcpt, known);
	}
	return known;
}

static size_t decide(struct sessions *t, struct session *s, struct transaction *x,
		     const struct smtpl_event_outcome *e)
{
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

struct session_decision sessions_decide(struct sessions *t, const struct smtpl_event_outcome *e,
					uint64_t now_ns)
{
	struct session *s = session_find(t, &e->head, now_ns);
	struct transaction *x = transaction_find(s, e->txn);

	return (struct session_decision){.mails = t->mails,
					 .known = decide(t, s, x, e),
					 .sender = x ? x->sender_address : NULL,
					 .sender_hash = x ? x->sender : 0,
					 .pid = s ? s->pid : 0,
					 .port = s ? s->port : 0};
}

void sessions_expire(struct sessions *t, uint64_t now_ns, uint64_t idle_ns, size_t budget)
{
	for (; budget > 0 && t->all.sessions > 0; budget--) {
		if (oldest(&t->all)->last_ns + idle_ns > now_ns)
			return;
		session_forget(t, oldest(&t->all));
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
