/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * emit.h - counts what the parser decided and reports it. The order matters: room in the ring is
 * reserved first, then the count is added, then the event goes out with the totals. So whoever
 * reads the map, and then the ring up to where it was filled, has seen the event of every attempt
 * in the map, or there is none.
 */
#ifndef SMTPL_EMIT_H
#define SMTPL_EMIT_H

#include "maps.bpf.h"
#include "event.h"

const struct smtpl_count smtpl_count_zero = {};

/* Look up an entry of smtpl_counts, or make it. NULL: the map is full. *made: it is new. */
static __always_inline struct smtpl_count *count_get(const struct smtpl_count_key *key, bool *made)
{
	struct smtpl_count *count = bpf_map_lookup_elem(&smtpl_counts, key);

	*made = false;
	if (count)
		return count;
	*made = bpf_map_update_elem(&smtpl_counts, key, &smtpl_count_zero, BPF_NOEXIST) == 0;
	return bpf_map_lookup_elem(&smtpl_counts, key);
}

/* The entry of the whole uid: connections, and attempts before a sender was named. */
static __always_inline struct smtpl_count *count_of_uid(struct smtpl_session *s)
{
	bool made;

	return count_get(&s->uid_key, &made);
}

/* The key of a transaction's sender domain, on the stack: 6.1 takes no key from behind a global
 * function's argument. Transaction 0: that of the uid. */
static __always_inline void count_key(struct smtpl_count_key *key, const struct smtpl_session *s,
				      __u32 txn)
{
	key->uid = s->uid;
	if (txn)
		__builtin_memcpy(key->domain, s->smtp.c.senders[txn & (SMTP_SENDERS - 1)].domain,
				 SMTPL_DOMAIN_SIZE);
	else
		__builtin_memset(key->domain, 0, SMTPL_DOMAIN_SIZE);
}

/* The entry that `n` attempts of a transaction are counted under: its sender domain's, or the uid's
 * where there is no room for that. *key is set to its key. NULL: there is room for neither. */
static __always_inline struct smtpl_count *count_of(const struct smtpl_session *s, __u32 txn,
						    struct smtpl_count_key *key, __u32 n)
{
	struct smtpl_count *count, *of_uid;
	bool made = false;

	count_key(key, s, txn);
	count = bpf_map_lookup_elem(&smtpl_counts, key);
	if (count)
		return count;
	count_key(key, s, 0);
	of_uid = count_get(key, &made);
	made = false;
	if (of_uid && of_uid->domains < (s->role == SMTPL_ROLE_RELAY ? SMTPL_DOMAINS_PER_RELAY :
								       SMTPL_DOMAINS_PER_UID)) {
		count_key(key, s, txn);
		count = count_get(key, &made);
	}
	if (made && of_uid)
		__sync_fetch_and_add(&of_uid->domains, 1);
	if (count)
		return count;
	count_key(key, s, 0);
	if (of_uid)
		stats_add(domains_over, n);
	else
		stats_add(counts_full, n);
	return of_uid;
}

static __always_inline void count_touch(struct smtpl_count *count)
{
	count->last_ns = bpf_ktime_get_boot_ns();
}

/* One sender must not fill the ring for all: events beyond its share are lost, but their attempts
 * are counted, and the daemon heals them from the totals. Two CPUs may overwrite each other's
 * update, so the share is not exact. */
static __always_inline bool event_share(const struct smtpl_session *s,
					const struct smtpl_count_key *key)
{
	__u64 now = bpf_ktime_get_boot_ns();
	struct smtpl_count *of_uid;

	if (s->role == SMTPL_ROLE_RELAY)
		return true;
	of_uid = bpf_map_lookup_elem(&smtpl_counts, key);
	if (!of_uid)
		return true;
	if (of_uid->event_ns > now + SMTPL_EVENT_BURST_NS) {
		stats_add(events_over, 1);
		return false;
	}
	of_uid->event_ns = (of_uid->event_ns > now ? of_uid->event_ns : now) + SMTPL_EVENT_COST_NS;
	return true;
}

/* On NULL the caller counts it by stats_add(ring_full, 1). It must test the result once only: the
 * second time 6.1 no longer knows that the memory is not NULL. */
static __always_inline void *event_reserve(const struct smtpl_session *s, __u64 size)
{
	const struct smtpl_count_key key = {.uid = s->uid}; /* on the stack, see count_key */

	return event_share(s, &key) ? bpf_ringbuf_reserve(&smtpl_events, size, 0) : NULL;
}

/* As event_reserve(), but needs less stack. For a session that is a map's value, and not the
 * argument of a global function. */
static __always_inline void *event_reserve_here(const struct smtpl_session *s, __u64 size)
{
	return event_share(s, &s->uid_key) ? bpf_ringbuf_reserve(&smtpl_events, size, 0) : NULL;
}

static __always_inline void event_head(struct smtpl_event *head, const struct smtpl_session *s,
				       __u32 type)
{
	head->type = type;
	head->uid = s->uid;
	head->cookie = s->cookie;
	head->time_ns = bpf_ktime_get_boot_ns();
}

/* Adds the attempts and reads the totals; the total of the outcome itself is exact. */
static __always_inline void count_outcome(struct smtpl_count *count, __u32 outcome, __u64 n,
					  struct smtpl_totals *totals)
{
	totals->delivered = count->delivered;
	totals->deferred = count->deferred;
	totals->failed = count->failed;
	totals->unknown = count->unknown;
	if (outcome == SMTP_DELIVERED)
		totals->delivered = __sync_fetch_and_add(&count->delivered, n) + n;
	else if (outcome == SMTP_DEFERRED)
		totals->deferred = __sync_fetch_and_add(&count->deferred, n) + n;
	else if (outcome == SMTP_FAILED)
		totals->failed = __sync_fetch_and_add(&count->failed, n) + n;
	else
		totals->unknown = __sync_fetch_and_add(&count->unknown, n) + n;
	count_touch(count);
}

static __always_inline void event_outcome_fill(struct smtpl_event_outcome *e,
					       const struct smtpl_session *s,
					       const struct smtp_decision *d)
{
	const struct smtp_server *server = &s->smtp.s;

	event_head(&e->head, s, SMTPL_EVENT_OUTCOME);
	e->txn = d->txn;
	e->rcpt = d->rcpt;
	e->count = d->count;
	e->code = d->code;
	e->outcome = d->outcome;
	e->subject = d->subject;
	e->pad = 0;
	e->error = d->lost ? s->error : 0;
	__builtin_memcpy(e->dest, s->dest, sizeof(e->dest));
	if (d->lost) {
		__builtin_memset(e->enhanced, 0, sizeof(e->enhanced));
		__builtin_memset(e->text, 0, sizeof(e->text));
	} else {
		__builtin_memcpy(e->enhanced, server->enhanced, sizeof(e->enhanced));
		__builtin_memcpy(e->text, server->text, sizeof(e->text));
	}
}

/* The daemon is woken at once by an outcome that may lead to a suspension, else when there is much
 * to read (it reads by itself several times a second). A wake-up for each delivered mail would cost
 * more than all the rest here. */
static __always_inline __u64 event_wakeup(__u32 outcome)
{
	if (outcome == SMTP_DEFERRED || outcome == SMTP_FAILED)
		return BPF_RB_FORCE_WAKEUP;
	if (bpf_ringbuf_query(&smtpl_events, BPF_RB_AVAIL_DATA) >
	    bpf_ringbuf_query(&smtpl_events, BPF_RB_RING_SIZE) / 4)
		return BPF_RB_FORCE_WAKEUP;
	return BPF_RB_NO_WAKEUP;
}

/* Count and report one decision, under the sender domain of its transaction. Global, so that it is
 * verified once for all its callers. */
__attribute__((noinline)) int emit_outcome(struct smtpl_session *s, struct smtp_decision *d)
{
	struct smtpl_event_outcome *event;
	struct smtpl_count *count;
	struct smtpl_count_key key;

	if (!s || !d)
		return 0;
	if (s->cut && d->txn == s->smtp.c.txn)
		return 0; /* refused, and counted so */
	if (d->null_sender) {
		stats_add(null_sender, d->count);
		return 0;
	}
	event = event_reserve(s, sizeof(*event));
	count = count_of(s, d->txn, &key, d->count);
	if (!event) {
		struct smtpl_totals unread;

		stats_add(ring_full, 1);
		if (count)
			count_outcome(count, d->outcome, d->count, &unread);
		return 0;
	}
	if (!count) {
		bpf_ringbuf_discard(event, BPF_RB_NO_WAKEUP);
		return 0;
	}
	count_outcome(count, d->outcome, d->count, &event->totals);
	event_outcome_fill(event, s, d);
	__builtin_memcpy(event->domain, key.domain, SMTPL_DOMAIN_SIZE);
	bpf_ringbuf_submit(event, event_wakeup(d->outcome));
	return 0;
}

/* Reports a sender (rcpt 0) or a recipient that the client named. Nothing is counted here. */
__attribute__((noinline)) int emit_path(struct smtpl_session *s, __u32 rcpt)
{
	struct smtpl_event_path *event;

	if (!s)
		return 0;
	event = event_reserve(s, sizeof(*event));
	if (!event) {
		stats_add(ring_full, 1);
		return 0;
	}
	event_head(&event->head, s, rcpt ? SMTPL_EVENT_RCPT : SMTPL_EVENT_MAIL);
	event->txn = s->smtp.c.txn;
	event->rcpt = rcpt;
	event->hash = s->smtp.c.hash;
	__builtin_memcpy(event->addr, s->smtp.c.addr, sizeof(event->addr));
	bpf_ringbuf_submit(event, event_wakeup(SMTP_OUTCOME_NONE));
	return 0;
}

static __always_inline void emit_open(struct smtpl_session *s)
{
	struct smtpl_event_open *event = event_reserve_here(s, sizeof(*event));

	if (!event) {
		stats_add(ring_full, 1);
		return;
	}
	event_head(&event->head, s, SMTPL_EVENT_OPEN);
	event->netns_cookie = s->netns_cookie;
	event->pid = s->pid;
	event->port = s->port;
	__builtin_memcpy(event->addr, s->dest, sizeof(event->addr));
	bpf_get_current_comm(event->comm, sizeof(event->comm));
	bpf_ringbuf_submit(event, BPF_RB_NO_WAKEUP);
}

static __always_inline void emit_close(struct smtpl_session *s)
{
	struct smtpl_event_close *event = event_reserve_here(s, sizeof(*event));

	if (!event) {
		stats_add(ring_full, 1);
		return;
	}
	event_head(&event->head, s, SMTPL_EVENT_CLOSE);
	bpf_ringbuf_submit(event, BPF_RB_NO_WAKEUP);
}

/* Counts a session, once, whose content cannot be read any more. */
static __always_inline void emit_opaque(struct smtpl_session *s)
{
	struct smtpl_count *count = count_of_uid(s);

	if (!count)
		return;
	__sync_fetch_and_add(&count->opaque, 1);
	count_touch(count);
}

#endif
