/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * caller.h - notes which user of this host connects to its own mail server: with the packet that
 * opens the connection, before the server sees it (with TCP Fast Open, its data too), and with each
 * packet that carries data, before the server can ask about it. So a user gains nothing by a crowd
 * of connections that pushes a note out of the map.
 */
#ifndef SMTPL_CALLER_H
#define SMTPL_CALLER_H

#include "packet.h"

/* At connect the socket's own port is not known yet. */
static __always_inline void caller_mark(struct bpf_sock_addr *ctx)
{
	struct bpf_sock *sk = ctx->sk;
	struct smtpl_call *call;

	if (!sk)
		return;
	call = bpf_sk_storage_get(&smtpl_call, sk, NULL, BPF_SK_STORAGE_GET_F_CREATE);
	if (!call) {
		stats_add(callers_lost, 1);
		return;
	}
	call->netns_cookie = bpf_get_netns_cookie(ctx);
	call->time_ns = bpf_ktime_get_boot_ns();
	call->uid = bpf_get_current_uid_gid();
	call->pid = bpf_get_current_pid_tgid() >> 32;
}

/* This is a function of its own because clang would else read the uids of all sources by one
 * instruction, which the verifier does not take. */
static __attribute__((noinline)) bool caller_creator(struct bpf_sock *sk, struct smtpl_call *who)
{
	const struct sock *tp = (struct sock *)bpf_skc_to_tcp_sock(sk);

	if (!tp)
		return false;
	who->netns_cookie = tp->__sk_common.skc_net.net->net_cookie;
	who->uid = tp->sk_uid.val;
	return true;
}

/* Finds the user of a socket. Without a mark or a session it was connected before the daemon came,
 * or there was no memory for a mark, which its user can bring about: then it is its creator's. */
static __always_inline bool caller_find(struct bpf_sock *sk, const struct smtpl_session *s,
					struct smtpl_call *who)
{
	const struct smtpl_call *call;

	if (s) {
		who->netns_cookie = s->netns_cookie;
		who->uid = s->uid;
		who->pid = s->pid;
		return true;
	}
	call = bpf_sk_storage_get(&smtpl_call, sk, NULL, 0);
	if (call) {
		*who = *call;
		return true;
	}
	return caller_creator(sk, who);
}

static __always_inline void caller_put(const struct smtpl_caller_key *key,
				       const struct smtpl_call *who)
{
	const struct smtpl_caller *noted = bpf_map_lookup_elem(&smtpl_callers, key);
	struct smtpl_caller caller = {.uid = who->uid, .pid = who->pid};

	if (noted && noted->uid == who->uid && noted->pid == who->pid)
		return;
	caller.time_ns = who->time_ns ? who->time_ns : bpf_ktime_get_boot_ns();
	if (bpf_map_update_elem(&smtpl_callers, key, &caller, BPF_ANY))
		stats_add(callers_lost, 1);
}

/* Called for packets that stay on this host: notes one that opens a connection or carries data. */
static __always_inline void caller_note(struct __sk_buff *skb, struct bpf_sock *sk,
					const struct smtpl_session *s)
{
	struct smtpl_caller_key key = {};
	struct smtpl_call who = {};
	struct packet p = {};

	if (!watched_port(bpf_ntohs(sk->dst_port)) || packet_parse(skb, &p))
		return;
	if (!(p.len || p.flags & SMTPL_TCP_SYN) || !caller_find(sk, s, &who))
		return;
	key.netns_cookie = who.netns_cookie;
	packet_endpoint(skb, &p, true, &key.client);
	packet_endpoint(skb, &p, false, &key.server);
	caller_put(&key, &who);
	__builtin_memset(&key.server, 0, sizeof(key.server));
	caller_put(&key, &who);
}

#endif
