/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * packet.h - from packets to streams: finds the TCP payload, keeps each direction in order by its
 * sequence numbers, and feeds the bytes to the parser. All loops over input, and their bounds, are
 * here and in stream.h.
 */
#ifndef SMTPL_PACKET_H
#define SMTPL_PACKET_H

#include "settle.h"
#include "tls_maps.h"

struct stream_source {
	struct __sk_buff *skb;
};

static __always_inline long stream_load(const struct stream_source *from, __u32 off, void *buf,
					__u32 n)
{
	return bpf_skb_load_bytes(from->skb, off, buf, n);
}

/* The session is to be followed inside TLS, and is counted as opaque at its end if that was not
 * possible. One whose commands and replies matched no more is opaque at once. */
static __always_inline void stream_opaque(struct smtpl_session *s)
{
	if (!smtpl_tls_mode || s->smtp.c.opaque) {
		emit_opaque(s);
		return;
	}
	s->tls_wire = s->smtp.c.hello ? SESSION_TLS_BOTH : SESSION_TLS_BEGUN;
	tls_ask(s, s->pid, true);
}

#include "stream.h"

enum packet_verdict {
	PACKET_DROP = 0,
	PACKET_PASS = 1,
};

#define PACKET_HEADER_WORDS_MIN 5  /* of IPv4 and of TCP, in 4 bytes */
#define PACKET_EXT_HEADERS_MAX	6  /* IPv6 extension headers before TCP; more: not followed */
#define PACKET_TCP_OPTIONS_MAX	40 /* bytes of them in a header */
#define PACKET_SEQ_NEAR		(1 << 20) /* a reply further ahead than this is not the peer's */

struct packet {
	__u32 tcp;     /* offset of the TCP header */
	__u32 payload; /* offset of the payload */
	__u32 len;     /* payload bytes */
	__u32 seq;
	__u32 ack;
	__u16 sport; /* host order */
	__u16 dport;
	__u8 flags;
	__u8 v4;
};

struct packet_tcp_header {
	__be16 sport;
	__be16 dport;
	__be32 seq;
	__be32 ack;
	__u8 doff; /* in the upper four bits */
	__u8 flags;
	__be16 window;
	__be16 check;
	__be16 urgent;
};

static __always_inline int packet_find_tcp6(struct __sk_buff *skb, __u32 *off)
{
	__u8 next;

	if (bpf_skb_load_bytes(skb, 6, &next, sizeof(next)))
		return -1;
	*off = 40;
	for (int i = 0; i < PACKET_EXT_HEADERS_MAX; i++) {
		__u8 ext[2];

		if (next == SMTPL_IPPROTO_TCP)
			return 0;
		if (next != SMTPL_IPPROTO_HOPOPTS && next != SMTPL_IPPROTO_ROUTING &&
		    next != SMTPL_IPPROTO_DSTOPTS)
			return -1;
		if (bpf_skb_load_bytes(skb, *off, ext, sizeof(ext)))
			return -1;
		next = ext[0];
		*off += (ext[1] + 1) * 8;
	}
	return next == SMTPL_IPPROTO_TCP ? 0 : -1;
}

static __always_inline int packet_find_tcp4(struct __sk_buff *skb, __u32 *off)
{
	__u8 head[10];

	if (bpf_skb_load_bytes(skb, 0, head, sizeof(head)))
		return -1;
	if ((head[0] & 15) < PACKET_HEADER_WORDS_MIN || head[9] != SMTPL_IPPROTO_TCP)
		return -1;
	*off = (head[0] & 15) * 4;
	return 0;
}

/* The packet's own version decides: a v4-mapped socket is of family 6 and sends IPv4. */
static __always_inline int packet_parse(struct __sk_buff *skb, struct packet *p)
{
	struct packet_tcp_header tcp;
	__u8 version;

	if (bpf_skb_load_bytes(skb, 0, &version, sizeof(version)))
		return -1;
	p->v4 = version >> 4 == 4;
	if (p->v4 ? packet_find_tcp4(skb, &p->tcp) : packet_find_tcp6(skb, &p->tcp))
		return -1;
	if (bpf_skb_load_bytes(skb, p->tcp, &tcp, sizeof(tcp)))
		return -1;
	p->payload = p->tcp + (tcp.doff >> 4) * 4;
	if (tcp.doff >> 4 < PACKET_HEADER_WORDS_MIN || p->payload > skb->len)
		return -1;
	p->len = skb->len - p->payload;
	p->seq = bpf_ntohl(tcp.seq);
	p->ack = bpf_ntohl(tcp.ack);
	p->sport = bpf_ntohs(tcp.sport);
	p->dport = bpf_ntohs(tcp.dport);
	p->flags = tcp.flags;
	return 0;
}

struct packet_options {
	struct __sk_buff *skb;
	__u32 off; /* of the next TCP option */
	__u32 end;
	__u32 joins;
};

/* Returns 1 behind the last option, and at one that joins. */
static long packet_option(__u32 index, struct packet_options *o)
{
	__u8 opt[3] = {};

	if (o->off >= o->end || bpf_skb_load_bytes(o->skb, o->off, opt, 1) ||
	    opt[0] == SMTPL_TCPOPT_EOL)
		return 1;
	if (opt[0] == SMTPL_TCPOPT_NOP) {
		o->off++;
		return 0;
	}
	if (bpf_skb_load_bytes(o->skb, o->off, opt, sizeof(opt)) || opt[1] < 2)
		return 1;
	o->joins = opt[0] == SMTPL_TCPOPT_MPTCP && opt[2] >> 4 == SMTPL_MPTCP_JOIN;
	o->off += opt[1];
	return o->joins;
}

/* Is this the SYN of a further MPTCP subflow? Its bytes would be a part of another connection's. */
static __always_inline bool packet_is_mptcp_join(struct __sk_buff *skb, const struct packet *p)
{
	struct packet_options o = {
		.skb = skb,
		.off = p->tcp + sizeof(struct packet_tcp_header),
		.end = p->payload,
	};

	bpf_loop(PACKET_TCP_OPTIONS_MAX, packet_option, &o, 0);
	return o.joins;
}

/* Sets *end, which was zero, to the packet's source or its destination. */
static __always_inline void packet_endpoint(struct __sk_buff *skb, const struct packet *p,
					    bool source, struct smtpl_endpoint *end)
{
	if (p->v4) {
		end->addr[10] = end->addr[11] = 0xff;
		bpf_skb_load_bytes(skb, source ? 12 : 16, end->addr + 12, 4);
	} else {
		bpf_skb_load_bytes(skb, source ? 8 : 24, end->addr, 16);
	}
	end->port = source ? p->sport : p->dport;
}

/* Tell the daemon who stands behind a connection to the responder, before it is accepted. */
static __always_inline int packet_redirected(struct __sk_buff *skb, const struct smtpl_session *s)
{
	struct smtpl_caller who = {.uid = s->uid, .pid = s->pid};
	struct smtpl_endpoint key = {};
	struct packet p = {};

	if (packet_parse(skb, &p) || !(p.flags & SMTPL_TCP_SYN))
		return PACKET_PASS;
	packet_endpoint(skb, &p, true, &key);
	who.time_ns = bpf_ktime_get_boot_ns();
	bpf_map_update_elem(&smtpl_redirs, &key, &who, BPF_ANY);
	return PACKET_PASS;
}

/* A suspended sender may still send a RST, by which the kernel ends its connection. */
static __always_inline bool packet_refused(const struct smtpl_session *s, const struct packet *p)
{
	if (p->flags & SMTPL_TCP_RST ||
	    !gate_refuses(s->uid)) /* a packet that could not be parsed has no flags */
		return false;
	stats_add(refused_packets, 1);
	return true;
}

/* The same for a mail server's session that was reset. Replies of the remote host are still read:
 * they may be about the message before. */
static __always_inline bool packet_of_reset(const struct smtpl_session *s, const struct packet *p)
{
	if (!s->cut || p->flags & SMTPL_TCP_RST)
		return false;
	stats_add(refused_packets, 1);
	return true;
}

/* Skips the bytes that were read before. False: all of them were. */
static __always_inline bool packet_trim(struct packet *p, __u32 expected)
{
	__u32 old = expected - p->seq;

	if ((__s32)old <= 0)
		return true;
	if (old >= p->len)
		return false;
	p->payload += old;
	p->len -= old;
	p->seq = expected;
	return true;
}

static __always_inline int packet_egress(struct __sk_buff *skb, struct smtpl_session *s)
{
	struct packet p = {};
	bool parsed;

	if (s->redirected)
		return packet_redirected(skb, s);
	parsed = packet_parse(skb, &p) == 0;
	if (packet_refused(s, &p) || packet_of_reset(s, &p))
		return PACKET_DROP;
	if (!parsed)
		return PACKET_PASS;
	if (p.flags & SMTPL_TCP_URG) {
		/* The server drops the urgent byte: "RC!PT" would be no command here, but one
		 * there. */
		stats_add(urgent_packets, 1);
		return PACKET_DROP;
	}
	if (p.flags & SMTPL_TCP_SYN) {
		if (packet_is_mptcp_join(skb, &p)) {
			/* connected for another process: by a path manager, or by `ip mptcp` */
			s->end = SMTP_END_CLIENT;
			stats_add(mptcp_joins, 1);
			return PACKET_DROP;
		}
		if (!s->out.synced)
			s->iss = p.seq;
		p.seq++;
	}
	if (!s->out.synced) {
		s->out.seq = p.seq;
		s->out.synced = 1;
	}
	if (p.flags & SMTPL_TCP_ACK)
		s->acked = p.ack;
	if (p.len == 0 || !packet_trim(&p, s->out.seq))
		return PACKET_PASS;
	if (p.seq != s->out.seq) {
		/* Our own stack sends in order; a hole means that bytes left unseen. */
		stats_add(hole_resyncs, 1);
		s->smtp.c.desync = 1;
	}
	stream_client(&(struct stream_source){skb}, s, p.payload, p.len);
	s->out.seq = p.seq + p.len;
	return packet_of_reset(s, &p) ? PACKET_DROP : PACKET_PASS;
}

/* The caller holds the lock; the packet carries payload. */
static __always_inline int packet_reply(struct __sk_buff *skb, struct smtpl_session *s,
					struct packet *p)
{
	__u32 ahead;

	if (!packet_trim(p, s->in.seq))
		return PACKET_PASS;
	ahead = p->seq - s->in.seq;
	if (ahead > PACKET_SEQ_NEAR)
		return PACKET_PASS;
	/* What our TCP has acknowledged never comes again: to wait for it would stall the
	 * session. */
	if (ahead && s->in.drops < SMTPL_HOLE_DROPS_MAX && (__s32)(s->acked - s->in.seq) <= 0) {
		/* Once TCP holds it the peer never sends it again: dropped, it comes back in
		 * order. */
		s->in.drops++;
		stats_add(hole_drops, 1);
		return PACKET_DROP;
	}
	if (ahead) {
		stats_add(hole_resyncs, 1);
		stream_desync(s);
	}
	s->in.drops = 0;
	stream_server(&(struct stream_source){skb}, s, p->payload, p->len);
	s->in.seq = p->seq + p->len;
	return PACKET_PASS;
}

/* Is this the answer to our own SYN? Then what it acknowledges was sent. */
static __always_inline bool packet_answers_syn(const struct smtpl_session *s,
					       const struct packet *p)
{
	__u32 acked = p->ack - s->iss;

	return p->flags & SMTPL_TCP_ACK && s->out.synced && acked && acked <= s->out.seq - s->iss;
}

static __always_inline int packet_ingress(struct __sk_buff *skb, struct smtpl_session *s)
{
	struct packet p = {};
	int verdict;
	bool parsed;

	if (s->redirected)
		return PACKET_PASS;
	parsed = packet_parse(skb, &p) == 0;
	if (packet_refused(s, &p))
		return PACKET_DROP;
	if (!parsed)
		return PACKET_PASS;
	if (p.flags & SMTPL_TCP_SYN) {
		if (s->in.synced || !packet_answers_syn(s, &p))
			return PACKET_PASS;
		p.seq++;
		s->in.seq = p.seq;
		s->in.synced = 1;
	}
	if (p.len == 0 || p.flags & SMTPL_TCP_RST || !s->in.synced)
		return PACKET_PASS;
	if (s->smtp.s.opaque) {
		if (s->tls_wire == SESSION_TLS_BEGUN)
			s->tls_wire = SESSION_TLS_BOTH;
		return PACKET_PASS;
	}
	if (!session_trylock(s)) {
		stats_add(ingress_races, 1);
		return PACKET_DROP;
	}
	verdict = packet_reply(skb, s, &p);
	session_release(s);
	return verdict;
}

#endif
