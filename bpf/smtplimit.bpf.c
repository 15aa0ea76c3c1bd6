// SPDX-License-Identifier: GPL-2.0-only
/*
 * smtplimit.bpf.c - all programs but those of TLS. A socket to a watched port gets a session at
 * connect; the packet programs feed its two streams to the parser; the program on its state settles
 * it at its end. A suspended sender is refused at connect, or its packets are dropped.
 */
#include "kernel.h"
#include "caller.h"
#include "tls_end.h"

static __always_inline void connect_fill(struct smtpl_session *s, struct bpf_sock_addr *ctx,
					 const __u8 dest[16], __u32 port)
{
	__u64 pid_tgid = bpf_get_current_pid_tgid();

	s->uid = bpf_get_current_uid_gid();
	s->uid_key.uid = s->uid;
	s->pid = pid_tgid >> 32;
	s->role = gate_role(s->uid);
	s->cookie = bpf_get_socket_cookie(ctx);
	s->netns_cookie = bpf_get_netns_cookie(ctx);
	s->port = port;
	__builtin_memcpy(s->dest, dest, sizeof(s->dest));
}

enum connect_verdict {
	CONNECT_REFUSE = 0,
	CONNECT_PASS = 1,
	CONNECT_REDIRECT = 2, /* to `to` and `to_port` */
};

/* No session can be made. A user can bring that about (net.core.optmem_max is charged for socket
 * options as well), and a connection without a session is neither counted nor reset: so the connect
 * of a direct sender fails. */
static __always_inline int connect_unfollowed(void)
{
	if (gate_role(bpf_get_current_uid_gid()) != SMTPL_ROLE_DIRECT)
		return CONNECT_PASS;
	stats_add(refused_connects, 1);
	if (smtpl_has_set_retval)
		bpf_set_retval(-ENOBUFS);
	return CONNECT_REFUSE;
}

/* A socket that was connected before is connected anew: its old session is over. */
static __always_inline void connect_forget(struct bpf_sock *sk)
{
	struct smtpl_session *s = bpf_sk_storage_get(&smtpl_session, sk, NULL, 0);

	if (!s)
		return;
	session_over(s);
	bpf_sk_storage_delete(&smtpl_session, sk);
}

static __always_inline struct smtpl_session *connect_session(struct bpf_sock_addr *ctx)
{
	struct bpf_sock *sk = ctx->sk;
	struct smtpl_session *s;

	if (!sk)
		return NULL;
	connect_forget(sk);
	bpf_sk_storage_delete(&smtpl_call, sk);
	s = bpf_sk_storage_get(&smtpl_session, sk, NULL, BPF_SK_STORAGE_GET_F_CREATE);
	if (!s)
		stats_add(session_nomem, 1);
	return s;
}

/* Refuses a suspended sender. Returns the responder's port, `to` its address; 0: connect fails. */
static __always_inline __u32 connect_refuse(struct bpf_sock_addr *ctx, struct smtpl_session *s,
					    __u8 to[16])
{
	s->redirected = 1;
	gate_count_refused(s, 1);
	if (gate_can_redirect(ctx, s)) {
		stats_add(redirected_connects, 1);
		return gate_responder(to, s);
	}
	stats_add(refused_connects, 1);
	if (smtpl_has_set_retval)
		bpf_set_retval(-ECONNREFUSED);
	return 0;
}

/* A further MPTCP subflow is connected by a kernel worker (net/mptcp/subflow.c), not by a user: its
 * bytes would be a part of another connection's. The connection goes on without it. */
static __always_inline bool connect_is_mptcp_join(void)
{
	return bpf_get_current_task_btf()->flags & SMTPL_PF_KTHREAD;
}

/* dest is the destination; on CONNECT_REDIRECT it becomes the responder's address. */
static __always_inline int connect_decide(struct bpf_sock_addr *ctx, __u8 dest[16], __u32 *to_port)
{
	__u32 port = bpf_ntohs((__be16)ctx->user_port);
	struct smtpl_session *s;
	struct smtpl_count *count;

	if (ctx->protocol != SMTPL_IPPROTO_TCP || !watched_port(port))
		return CONNECT_PASS;
	if (!smtpl_local && gate_is_local(dest)) {
		if (ctx->sk)
			connect_forget(ctx->sk);
		if (!connect_is_mptcp_join())
			caller_mark(ctx);
		stats_add(sessions_local, 1);
		return CONNECT_PASS;
	}
	if (connect_is_mptcp_join()) {
		stats_add(mptcp_joins, 1);
		return CONNECT_REFUSE;
	}
	s = connect_session(ctx);
	if (!s)
		return connect_unfollowed();
	connect_fill(s, ctx, dest, port);
	if (gate_refuses(s->uid)) {
		*to_port = connect_refuse(ctx, s, dest);
		return *to_port ? CONNECT_REDIRECT : CONNECT_REFUSE;
	}
	stats_add(sessions, 1);
	count = count_of_uid(s);
	if (count) {
		__sync_fetch_and_add(&count->connections, 1);
		count_touch(count);
	}
	emit_open(s);
	if (smtpl_tls_mode)
		tls_ask(s, s->pid, false);
	return CONNECT_PASS;
}

SEC("cgroup/connect4")
int smtpl_connect4(struct bpf_sock_addr *ctx)
{
	__u32 dest[4] = {0, 0, bpf_htonl(0xffff), ctx->user_ip4};
	__u32 port = 0;
	int verdict = connect_decide(ctx, (__u8 *)dest, &port);

	if (verdict == CONNECT_REDIRECT) {
		ctx->user_ip4 = dest[3];
		ctx->user_port = bpf_htons(port);
	}
	return verdict != CONNECT_REFUSE;
}

SEC("cgroup/connect6")
int smtpl_connect6(struct bpf_sock_addr *ctx)
{
	__u32 dest[4] = {ctx->user_ip6[0], ctx->user_ip6[1], ctx->user_ip6[2], ctx->user_ip6[3]};
	__u32 port = 0;
	int verdict = connect_decide(ctx, (__u8 *)dest, &port);

	if (verdict == CONNECT_REDIRECT) {
		ctx->user_ip6[0] = dest[0];
		ctx->user_ip6[1] = dest[1];
		ctx->user_ip6[2] = dest[2];
		ctx->user_ip6[3] = dest[3];
		ctx->user_port = bpf_htons(port);
	}
	return verdict != CONNECT_REFUSE;
}

static __always_inline bool to_responder(__u32 port)
{
	return port && (port == smtpl_responder_port || port == smtpl_responder_port6);
}

/* A redirected client sees the peer that it asked for. */
static __always_inline const struct smtpl_session *getpeername_session(struct bpf_sock_addr *ctx)
{
	struct bpf_sock *sk = ctx->sk;
	const struct smtpl_session *s;

	if (!sk || !to_responder(bpf_ntohs(sk->dst_port)))
		return NULL;
	s = bpf_sk_storage_get(&smtpl_session, sk, NULL, 0);
	return s && s->redirected ? s : NULL;
}

SEC("cgroup/getpeername4")
int smtpl_getpeer4(struct bpf_sock_addr *ctx)
{
	const struct smtpl_session *s = getpeername_session(ctx);

	if (s) {
		ctx->user_ip4 = ((const __u32 *)s->dest)[3];
		ctx->user_port = bpf_htons(s->port);
	}
	return 1;
}

SEC("cgroup/getpeername6")
int smtpl_getpeer6(struct bpf_sock_addr *ctx)
{
	const struct smtpl_session *s = getpeername_session(ctx);

	if (s) {
		const __u32 *dest = (const __u32 *)s->dest;

		ctx->user_ip6[0] = dest[0];
		ctx->user_ip6[1] = dest[1];
		ctx->user_ip6[2] = dest[2];
		ctx->user_ip6[3] = dest[3];
		ctx->user_port = bpf_htons(s->port);
	}
	return 1;
}

/* Every packet of the host comes through these two programs: if it is not mail, for a few loads. */
static __always_inline bool packet_watched(const struct bpf_sock *sk)
{
	__u32 port = bpf_ntohs(sk->dst_port);

	return watched_port(port) || to_responder(port);
}

/* A connection without a session was open before the daemon. Its creator is known, which is enough
 * to drop its packets. bpf_get_socket_uid() would give the uid as a container sees it, which is
 * somebody else's here. */
static __always_inline int packet_unfollowed(struct __sk_buff *skb, struct bpf_sock *sk)
{
	__u32 dest[4] = {0, 0, bpf_htonl(0xffff), sk->dst_ip4};
	struct sock *tp;

	if (skb->ifindex == SMTPL_LOOPBACK_IFINDEX || !watched_port(bpf_ntohs(sk->dst_port)))
		return PACKET_PASS;
	tp = (struct sock *)bpf_skc_to_tcp_sock(sk);
	if (!tp || !gate_refuses(tp->sk_uid.val))
		return PACKET_PASS;
	if (sk->family == SMTPL_AF_INET6) {
		dest[0] = sk->dst_ip6[0];
		dest[1] = sk->dst_ip6[1];
		dest[2] = sk->dst_ip6[2];
		dest[3] = sk->dst_ip6[3];
	}
	if (!smtpl_local && gate_is_local((__u8 *)dest))
		return PACKET_PASS;
	stats_add(refused_packets, 1);
	return PACKET_DROP;
}

SEC("cgroup_skb/egress")
int smtpl_egress(struct __sk_buff *skb)
{
	struct bpf_sock *sk = skb->sk;
	struct smtpl_session *s;

	if (!sk || !packet_watched(sk))
		return PACKET_PASS;
	s = bpf_sk_storage_get(&smtpl_session, sk, NULL, 0);
	if (skb->ifindex == SMTPL_LOOPBACK_IFINDEX)
		caller_note(skb, sk, s);
	return s ? packet_egress(skb, s) : packet_unfollowed(skb, sk);
}

SEC("cgroup_skb/ingress")
int smtpl_ingress(struct __sk_buff *skb)
{
	struct bpf_sock *sk = skb->sk;
	struct smtpl_session *s;

	if (!sk || !packet_watched(sk))
		return PACKET_PASS;
	s = bpf_sk_storage_get(&smtpl_session, sk, NULL, 0);
	return s ? packet_ingress(skb, s) : PACKET_PASS;
}

/* Why did the socket close? A local close without an error, and before the server's, is the
 * client's own wish; anything else lost the connection. */
static __always_inline __u32 state_end(const struct smtpl_session *s, int old, int error)
{
	if (error || !s->established || s->server_first)
		return SMTP_END_LOST;
	return s->client_first || old == SMTPL_TCP_ESTABLISHED ? SMTP_END_CLIENT : SMTP_END_LOST;
}

static __always_inline int state_changed(struct sock *sk, int old, int new)
{
	struct smtpl_session *s;

	if (!watched_port(bpf_ntohs(sk->__sk_common.skc_dport)))
		return 0;
	s = bpf_sk_storage_get(&smtpl_session, sk, NULL, 0);
	if (!s)
		return 0;
	if (new == SMTPL_TCP_ESTABLISHED)
		s->established = 1;
	else if (new == SMTPL_TCP_FIN_WAIT1)
		s->client_first = 1;
	else if (new == SMTPL_TCP_CLOSE_WAIT)
		s->server_first = 1;
	else if (new == SMTPL_TCP_CLOSE && old != SMTPL_TCP_CLOSE)
		session_close(s, state_end(s, old, sk->sk_err), sk->sk_err);
	return 0;
}

/* Twice: a trace point leaves out a program that it interrupts on the same CPU (recursion_misses),
 * as a softirq does a closing process. Only one of the two can be interrupted; the second to run
 * finds the work done. */
SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(smtpl_state, struct sock *sk, int old, int new)
{
	return state_changed(sk, old, new);
}

SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(smtpl_state2, struct sock *sk, int old, int new)
{
	return state_changed(sk, old, new);
}

/* The port is not checked: that of a disconnected socket (AF_UNSPEC) is 0. */
static __always_inline int sock_destroyed(struct sock *sk)
{
	struct smtpl_session *s = bpf_sk_storage_get(&smtpl_session, sk, NULL, 0);

	return s ? session_over(s) : 0;
}

/* Twice, as above. */
SEC("tp_btf/tcp_destroy_sock")
int BPF_PROG(smtpl_end, struct sock *sk)
{
	return sock_destroyed(sk);
}

SEC("tp_btf/tcp_destroy_sock")
int BPF_PROG(smtpl_end2, struct sock *sk)
{
	return sock_destroyed(sk);
}

/* A mail server's session is marked as reset where its plaintext is read: in TLS, in its copy. */
static __always_inline bool session_is_reset(const struct smtpl_session *s)
{
	__u64 cookie = s->cookie;
	const struct smtpl_session *t;

	if (s->cut || !s->tls_wire)
		return s->cut;
	t = bpf_map_lookup_elem(&smtpl_tls, &cookie);
	return t && t->cut;
}

/* Ends the refused open sessions of smtpl_destroy_uid, in the network namespace of the reader. */
SEC("iter/tcp")
int smtpl_destroy(struct bpf_iter__tcp *ctx)
{
	struct sock_common *sk = ctx->sk_common;
	struct smtpl_session *s;

	if (!sk)
		return 0;
	s = bpf_sk_storage_get(&smtpl_session, sk, NULL, 0);
	if (!s || s->uid != smtpl_destroy_uid || s->redirected ||
	    !(session_is_reset(s) || gate_refuses(s->uid)))
		return 0;
	if (bpf_sock_destroy(sk) == 0)
		bpf_seq_write(ctx->meta->seq, "x", 1);
	return 0;
}

char _license[] SEC("license") = "GPL";
