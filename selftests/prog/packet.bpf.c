// SPDX-License-Identifier: GPL-2.0-only
/*
 * packet.bpf.c - the packet path of smtplimit as it is, but for one session that lies in an array
 * and not in the storage of a socket: BPF_PROG_TEST_RUN has no TCP socket to give.
 */
#include "kernel.h"
#include "packet.h"
#include "../lib/packet_call.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct smtpl_session);
} packet_session SEC(".maps");

static __always_inline struct smtpl_session *session(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&packet_session, &zero);
}

SEC("cgroup_skb/egress")
int egress(struct __sk_buff *skb)
{
	struct smtpl_session *s = session();

	return s ? packet_egress(skb, s) : PACKET_DROP;
}

SEC("cgroup_skb/ingress")
int ingress(struct __sk_buff *skb)
{
	struct smtpl_session *s = session();

	return s ? packet_ingress(skb, s) : PACKET_DROP;
}

/* BPF_PROG_TEST_RUN takes no more than a page: larger packets are sent by a socket. */
SEC("socket")
int egress_large(struct __sk_buff *skb)
{
	struct smtpl_session *s = session();

	return s && packet_egress(skb, s) == PACKET_PASS ? skb->len : 0;
}

static __always_inline void call_open(struct smtpl_session *s, const struct packet_call *call)
{
	s->uid = call->uid;
	s->uid_key.uid = call->uid;
	s->role = call->role;
	s->cookie = PACKET_CALL_COOKIE;
	s->dest[15] = PACKET_CALL_DEST;
}

SEC("syscall")
int call(struct packet_call *call)
{
	struct smtpl_session *s = session();

	if (!s)
		return -1;
	switch (call->what) {
	case PACKET_CALL_OPEN:
		call_open(s, call);
		return 0;
	case PACKET_CALL_CLOSE:
		session_close(s, call->how, call->error);
		return 0;
	case PACKET_CALL_LOCK:
		return !session_trylock(s);
	case PACKET_CALL_RELEASE:
		session_release(s);
		return 0;
	case PACKET_CALL_RESET:
		smtpl_relay_reset = call->how;
		return 0;
	}
	return -1;
}

char _license[] SEC("license") = "GPL";
