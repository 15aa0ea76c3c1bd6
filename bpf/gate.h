/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * gate.h - refuses suspended senders: at connect, and the packets of what was open already. The
 * maps say who and until when; when that time is over the gate opens by itself, daemon or not.
 */
#ifndef SMTPL_GATE_H
#define SMTPL_GATE_H

#include "emit.h"

#define SMTPL_PORT_SMTPS 465 /* the client speaks TLS at once: no text can be given */

/* Root and mail servers can never be refused as such, whatever a map says. */
static __always_inline bool gate_refuses(__u32 uid)
{
	const struct smtpl_uid *entry;

	if (uid == 0)
		return false;
	entry = bpf_map_lookup_elem(&smtpl_uids, &uid);
	return entry && entry->role == SMTPL_ROLE_DIRECT && entry->suspension.until_ns &&
	       entry->suspension.until_ns > bpf_ktime_get_boot_ns();
}

static __always_inline __u32 gate_role(__u32 uid)
{
	const struct smtpl_uid *entry = bpf_map_lookup_elem(&smtpl_uids, &uid);

	if (entry)
		return entry->role;
	return uid == 0 ? SMTPL_ROLE_RELAY : SMTPL_ROLE_DIRECT;
}

/* Loopback, or an address of this host. */
static __always_inline bool gate_is_local(const __u8 addr[16])
{
	const __u32 *word = (const __u32 *)addr;
	struct smtpl_local_key key;

	if (addr_is_v4(addr) && (addr[12] == 127 || word[3] == 0))
		return true;
	if (word[0] == 0 && word[1] == 0 && word[2] == 0 &&
	    (word[3] == 0 || word[3] == bpf_htonl(1)))
		return true;
	__builtin_memcpy(key.addr, addr, sizeof(key.addr));
	return bpf_map_lookup_elem(&smtpl_locals, &key) != NULL;
}

/* Is there a responder, can this socket reach it, and can the client understand its answer? */
static __always_inline bool gate_can_redirect(struct bpf_sock_addr *ctx,
					      const struct smtpl_session *s)
{
	const struct smtpl_meta *meta;
	struct bpf_sock *sk = ctx->sk;
	__u32 zero = 0;

	meta = bpf_map_lookup_elem(&smtpl_meta, &zero);
	if (!meta || !sk || sk->bound_dev_if || s->port == SMTPL_PORT_SMTPS)
		return false;
	if (s->netns_cookie != meta->netns_cookie)
		return false;
	if (!(addr_is_v4(s->dest) ? meta->responder_port : meta->responder_port6))
		return false;
	return bpf_ktime_get_boot_ns() - meta->heartbeat_ns < SMTPL_HEARTBEAT_MAX_NS;
}

/* The responder's port, and its address in `addr`: loopback of the family that was asked for. */
static __always_inline __u32 gate_responder(__u8 addr[16], const struct smtpl_session *s)
{
	const struct smtpl_meta *meta;
	__u32 *word = (__u32 *)addr;
	__u32 zero = 0;

	meta = bpf_map_lookup_elem(&smtpl_meta, &zero);
	if (!meta)
		return 0;
	if (addr_is_v4(s->dest)) {
		word[3] = bpf_htonl(0x7f000001);
		return meta->responder_port;
	}
	word[0] = word[1] = word[2] = 0;
	word[3] = bpf_htonl(1);
	return meta->responder_port6;
}

static __always_inline void gate_count_refused(struct smtpl_session *s, __u64 n)
{
	struct smtpl_count *count = count_of_uid(s);

	if (!count)
		return;
	__sync_fetch_and_add(&count->refused, n);
	count_touch(count);
}

/* Is the sender domain of the newest message suspended? Global, so that its key is off the stack
 * when gate_reset() needs room for its own. */
__attribute__((noinline)) int gate_domain_refused(const struct smtpl_session *s)
{
	const struct smtpl_suspension *suspension;
	struct smtpl_count_key key;

	if (!s)
		return 0;
	count_key(&key, s, s->smtp.c.txn);
	if (!key.domain[0])
		return 0;
	suspension = bpf_map_lookup_elem(&smtpl_domains, key.domain);
	return suspension && suspension->until_ns > bpf_ktime_get_boot_ns();
}

/* Refuse the message that a mail server's session has just begun: one attempt, as when a server
 * refuses MAIL. Global, so that it is verified once. */
__attribute__((noinline)) int gate_reset(struct smtpl_session *s)
{
	struct smtpl_event_cut *event;
	struct smtpl_count_key key;
	struct smtpl_count *count;

	if (!s)
		return 0;
	s->cut = 1;
	stats_add(sessions_cut, 1);
	stats_add(refused_attempts, 1);
	event = event_reserve(s, sizeof(*event));
	if (event) {
		event_head(&event->head, s, SMTPL_EVENT_CUT);
		__builtin_memcpy(event->domain,
				 s->smtp.c.senders[s->smtp.c.txn & (SMTP_SENDERS - 1)].domain,
				 sizeof(event->domain));
		bpf_ringbuf_submit(event, BPF_RB_FORCE_WAKEUP);
	} else {
		stats_add(ring_full, 1);
	}
	count = count_of(s, s->smtp.c.txn, &key, 1);
	if (count) {
		__sync_fetch_and_add(&count->refused, 1);
		count_touch(count);
	}
	return 1;
}

/* [refuse] relay = reset */
static __always_inline bool gate_resets(struct smtpl_session *s)
{
	return smtpl_relay_reset && s->role == SMTPL_ROLE_RELAY && gate_domain_refused(s) &&
	       gate_reset(s);
}

#endif
