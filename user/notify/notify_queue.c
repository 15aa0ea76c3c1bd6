// SPDX-License-Identifier: GPL-2.0-only
/*
 * notify_queue.c - letters and the tasks that send them. A letter is a notice or a digest; it is
 * freed with the last of its tasks.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include "notify_limit.h"
#include "notify_queue.h"

#define BURST	    10 /* within a minute they are sent one by one */
#define BURST_MS    (60 * 1000)
#define HOLD_MS	    (5 * 1000)
#define QUIET_MS    (10 * 1000)
#define DIGEST_MS   (120 * 1000)
#define CUSTOMER_MS 200
#define HOST_PLACES 64 /* that accounts leave free */
#define ADMINISTRATOR_WAYS                                                                         \
	(NOTIFY_BIT(NOTIFY_COMMAND) | NOTIFY_BIT(NOTIFY_ADMIN) | NOTIFY_BIT(NOTIFY_WEBHOOK))

static const int64_t retry_ms[NOTIFY_TRIES_MAX - 1] = {60 * 1000, 5 * 60 * 1000, 15 * 60 * 1000,
						       60 * 60 * 1000};

struct letter {
	TAILQ_ENTRY(letter) all;
	unsigned int references;
	struct notice *notice; /* either */
	struct notice_digest *digest;
};

struct task {
	struct notify_task task; /* its first member: what the caller holds */
	TAILQ_ENTRY(task) order;
	struct letter *letter;
	int64_t due_ms;
};

TAILQ_HEAD(tasks, task);

/* Notices that wait for others. `digest` knows all of them, `held` the first ones whole. */
struct hold {
	unsigned int count;
	bool burst;
	int64_t first_ms;
	int64_t last_ms;
	struct letter *held[BURST];
	struct notice_digest *digest;
};

struct notify_queue {
	struct notify_limit *limit;
	unsigned int ways;
	TAILQ_HEAD(, letter) letters;
	size_t letters_count;
	struct tasks tasks[NOTIFY_WAYS];
	struct hold hold;
	int64_t arrived_ms[BURST]; /* of the last notices */
	uint64_t arrived;
	int64_t customer_ms; /* when the next one may be sent */
	struct notify_stats stats;
};

const char *notify_way_name(enum notify_way way)
{
	static const char *const names[NOTIFY_WAYS] = {
		[NOTIFY_COMMAND] = "command",
		[NOTIFY_ADMIN] = "mail to the administrator",
		[NOTIFY_CUSTOMER] = "mail to the customer",
		[NOTIFY_WEBHOOK] = "webhook",
		[NOTIFY_LOOKUP] = "look-up of the customer's address",
	};

	return names[way];
}

struct notify_queue *notify_queue_new(uint64_t seed)
{
	struct notify_queue *q = calloc(1, sizeof(*q));

	if (!q)
		return NULL;
	TAILQ_INIT(&q->letters);
	for (int way = 0; way < NOTIFY_WAYS; way++)
		TAILQ_INIT(&q->tasks[way]);
	q->limit = notify_limit_new(seed);
	if (!q->limit) {
		free(q);
		return NULL;
	}
	return q;
}

static struct letter *letter_new(struct notify_queue *q, const struct notice *n,
				 struct notice_digest *digest)
{
	struct letter *l = calloc(1, sizeof(*l));

	if (l && n)
		l->notice = malloc(sizeof(*n));
	if (!l || (n && !l->notice)) {
		free(l);
		return NULL;
	}
	if (n)
		*l->notice = *n;
	l->digest = digest;
	l->references = 1;
	TAILQ_INSERT_TAIL(&q->letters, l, all);
	q->letters_count++;
	return l;
}

static void letter_put(struct notify_queue *q, struct letter *l)
{
	if (--l->references)
		return;
	TAILQ_REMOVE(&q->letters, l, all);
	q->letters_count--;
	free(l->notice);
	free(l->digest);
	free(l);
}

static void task_add(struct notify_queue *q, struct letter *l, enum notify_way way, int64_t due_ms)
{
	struct task *t;

	if (!(q->ways & NOTIFY_BIT(way)))
		return;
	t = calloc(1, sizeof(*t));
	if (!t) {
		q->stats.dropped++;
		return;
	}
	t->task.notice = l->notice;
	t->task.digest = l->digest;
	t->task.way = way;
	if (way == NOTIFY_CUSTOMER)
		snprintf(t->task.address, sizeof(t->task.address), "%s", l->notice->customer);
	t->letter = l;
	t->due_ms = due_ms;
	l->references++;
	TAILQ_INSERT_TAIL(&q->tasks[way], t, order);
	q->stats.waiting++;
}

static void task_end(struct notify_queue *q, struct task *t)
{
	letter_put(q, t->letter);
	free(t);
	q->stats.waiting--;
}

static void tasks_drop(struct notify_queue *q, enum notify_way way)
{
	struct task *t;

	while ((t = TAILQ_FIRST(&q->tasks[way]))) {
		TAILQ_REMOVE(&q->tasks[way], t, order);
		q->stats.dropped++;
		task_end(q, t);
	}
}

void notify_queue_free(struct notify_queue *q)
{
	if (!q)
		return;
	notify_queue_set_ways(q, 0);
	notify_queue_flush(q, 0);
	notify_limit_free(q->limit);
	free(q);
}

void notify_queue_set_ways(struct notify_queue *q, unsigned int ways)
{
	q->ways = ways;
	for (int way = 0; way < NOTIFY_WAYS; way++)
		if (!(ways & NOTIFY_BIT(way)))
			tasks_drop(q, (enum notify_way)way);
}

static size_t share_of(const struct notify_queue *q, const char *account)
{
	const struct letter *l;
	size_t count = 0;

	TAILQ_FOREACH(l, &q->letters, all)
	count += l->notice && !strcmp(l->notice->account, account);
	return count;
}

static bool has_room(const struct notify_queue *q, const struct notice *n)
{
	if (!n->account[0])
		return q->letters_count < NOTIFY_LETTERS_MAX;
	return q->letters_count < NOTIFY_LETTERS_MAX - HOST_PLACES &&
	       share_of(q, n->account) < NOTIFY_SHARE_MAX;
}

/* Is it more than BURST within a minute? */
static bool arrive(struct notify_queue *q, int64_t now_ms)
{
	int64_t *oldest = &q->arrived_ms[q->arrived % BURST];
	bool burst = q->arrived >= BURST && now_ms - *oldest < BURST_MS;

	*oldest = now_ms;
	q->arrived++;
	return burst;
}

static void hold_add(struct notify_queue *q, struct letter *l, bool burst, int64_t now_ms)
{
	struct hold *h = &q->hold;

	if (!h->digest)
		h->digest = calloc(1, sizeof(*h->digest));
	if (!h->digest) {
		q->stats.dropped++;
		return;
	}
	notice_digest_add(h->digest, l->notice);
	if (h->count == 0)
		h->first_ms = now_ms;
	h->last_ms = now_ms;
	h->burst |= burst;
	if (h->count < BURST) {
		h->held[h->count] = l;
		l->references++;
	}
	h->count++;
}

void notify_queue_add(struct notify_queue *q, const struct notice *n, int64_t now_ms)
{
	struct letter *l;
	uint32_t repeated;

	if (!q->ways || !notify_limit_pass(q->limit, n, now_ms, &repeated))
		return;
	l = has_room(q, n) ? letter_new(q, n, NULL) : NULL;
	if (!l) {
		q->stats.dropped++;
		return;
	}
	l->notice->repeated = repeated;
	if (notice_for_customer(n) && n->account[0])
		task_add(q, l, n->customer[0] ? NOTIFY_CUSTOMER : NOTIFY_LOOKUP, now_ms);
	if (q->ways & ADMINISTRATOR_WAYS)
		hold_add(q, l, arrive(q, now_ms), now_ms);
	letter_put(q, l);
}

static int64_t hold_due(const struct notify_queue *q)
{
	const struct hold *h = &q->hold;
	int64_t quiet_ms = h->last_ms + QUIET_MS, late_ms = h->first_ms + DIGEST_MS;

	if (!h->count)
		return INT64_MAX;
	if (!h->burst)
		return h->first_ms + HOLD_MS;
	return quiet_ms < late_ms ? quiet_ms : late_ms;
}

static void send_to_administrator(struct notify_queue *q, struct letter *l, int64_t now_ms)
{
	task_add(q, l, NOTIFY_COMMAND, now_ms);
	task_add(q, l, NOTIFY_ADMIN, now_ms);
	task_add(q, l, NOTIFY_WEBHOOK, now_ms);
}

static void flush_digest(struct notify_queue *q, int64_t now_ms)
{
	struct letter *l = letter_new(q, NULL, q->hold.digest);

	if (!l) {
		q->stats.dropped++;
		return;
	}
	q->hold.digest = NULL;
	send_to_administrator(q, l, now_ms);
	letter_put(q, l);
}

void notify_queue_flush(struct notify_queue *q, int64_t now_ms)
{
	struct hold *h = &q->hold;
	bool digest = h->burst && h->count > 1;

	if (digest)
		flush_digest(q, now_ms);
	for (unsigned int i = 0; i < h->count && i < BURST; i++) {
		if (!digest)
			send_to_administrator(q, h->held[i], now_ms);
		letter_put(q, h->held[i]);
	}
	free(h->digest);
	memset(h, 0, sizeof(*h));
}

struct notify_task *notify_queue_take(struct notify_queue *q, enum notify_way way, int64_t now_ms)
{
	struct task *t;

	if (hold_due(q) <= now_ms)
		notify_queue_flush(q, now_ms);
	if (way == NOTIFY_CUSTOMER && now_ms < q->customer_ms)
		return NULL;
	TAILQ_FOREACH(t, &q->tasks[way], order)
	if (t->due_ms <= now_ms)
		break;
	if (!t)
		return NULL;
	TAILQ_REMOVE(&q->tasks[way], t, order);
	if (way == NOTIFY_CUSTOMER)
		q->customer_ms = now_ms + CUSTOMER_MS;
	return &t->task;
}

int64_t notify_queue_done(struct notify_queue *q, struct notify_task *task, enum notify_end end,
			  int64_t now_ms)
{
	struct task *t = (struct task *)task;

	if (end == NOTIFY_FAILED && task->tries < NOTIFY_TRIES_MAX - 1 &&
	    (q->ways & NOTIFY_BIT(task->way))) {
		t->due_ms = now_ms + retry_ms[task->tries++];
		TAILQ_INSERT_TAIL(&q->tasks[task->way], t, order);
		return t->due_ms - now_ms;
	}
	if (end == NOTIFY_SENT)
		q->stats.sent++;
	else if (end != NOTIFY_NOBODY)
		q->stats.failed++;
	task_end(q, t);
	return 0;
}

void notify_queue_found(struct notify_queue *q, struct notify_task *task, const char *address,
			int64_t now_ms)
{
	struct task *t = (struct task *)task;

	if (!(q->ways & NOTIFY_BIT(NOTIFY_CUSTOMER))) {
		task_end(q, t);
		return;
	}
	task->way = NOTIFY_CUSTOMER;
	task->tries = 0;
	snprintf(task->address, sizeof(task->address), "%s", address);
	t->due_ms = now_ms;
	TAILQ_INSERT_TAIL(&q->tasks[NOTIFY_CUSTOMER], t, order);
}

int64_t notify_queue_due(struct notify_queue *q, unsigned int ways, int64_t now_ms)
{
	int64_t due_ms = hold_due(q);
	const struct task *t;

	for (int way = 0; way < NOTIFY_WAYS; way++) {
		int64_t from_ms = way == NOTIFY_CUSTOMER ? q->customer_ms : now_ms;

		if (!(ways & NOTIFY_BIT(way)))
			continue;
		TAILQ_FOREACH(t, &q->tasks[way], order)
		{
			int64_t at_ms = t->due_ms > from_ms ? t->due_ms : from_ms;

			if (at_ms < due_ms)
				due_ms = at_ms;
		}
	}
	return due_ms;
}

/* What waits to be sent, or to become one digest. */
struct notify_stats notify_queue_stats(const struct notify_queue *q)
{
	struct notify_stats stats = q->stats;

	stats.waiting += q->hold.count;
	return stats;
}
