/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * packet_world.h - one TCP connection as packets for prog/packet.bpf.c, with its sequence
 * numbers, and beside it the same bytes in a struct trace. What the kernel made of the packets is
 * read back from the ring buffer, smtpl_counts and smtpl_stats.
 */
#ifndef SELFTESTS_PACKET_WORLD_H
#define SELFTESTS_PACKET_WORLD_H

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "packet_trace.h"

#define WORLD_SMALL   3000  /* bytes of a packet that BPF_PROG_TEST_RUN takes */
#define WORLD_LARGE   65536 /* the largest */
#define WORLD_HEADERS 256   /* more than all headers of a packet */

enum { WORLD_DROP = 0, WORLD_PASS = 1 };
enum { TCP_FIN = 0x01, TCP_SYN = 0x02, TCP_RST = 0x04, TCP_ACK = 0x10, TCP_URG = 0x20 };

/* How the headers of a packet look. */
struct shape {
	bool v6;
	unsigned int options;	 /* bytes of TCP options, a multiple of 4; of IPv4 as well */
	unsigned int extensions; /* IPv6 extension headers */
};

struct packet_spec {
	__u32 seq, ack;
	__u8 flags;
	const char *bytes;
	size_t len;
};

struct world {
	struct bpf_object *object;
	int egress, ingress, call;
	int large[2]; /* a packet sent on one passes the filter of the other: egress_large */
	int counts, stats;
	struct ring_buffer *ring;
	struct smtp_session *session; /* begins the map's value */
	size_t session_size;
	unsigned int serial;
	/* this connection */
	__u32 uid;
	struct shape shape;
	__u32 out, in; /* next sequence number of each direction */
	struct trace trace;
	struct text events;
};

/* --- packets -------------------------------------------------------------------------------- */

static inline size_t packet_ip4(__u8 *to, const struct shape *shape, size_t behind)
{
	size_t len = 20 + shape->options;
	__u16 total = htons(len + behind);

	to[0] = 0x40 | len / 4;
	memcpy(to + 2, &total, 2);
	to[8] = 64;
	to[9] = 6;
	memset(to + 20, 1, shape->options);
	return len;
}

static inline size_t packet_ip6(__u8 *to, const struct shape *shape, size_t behind)
{
	static const __u8 kinds[] = {60, 0, 43}; /* destination, hop by hop, routing */
	__u8 *next = to + 6, *at = to + 40;
	__u16 total;

	to[0] = 0x60;
	to[7] = 64;
	for (unsigned int i = 0; i < shape->extensions; i++) {
		*next = kinds[i % 3];
		next = at;
		at[1] = i & 1;
		at += (at[1] + 1) * 8;
	}
	*next = 6;
	total = htons(at - to - 40 + behind);
	memcpy(to + 4, &total, 2);
	return at - to;
}

/* The packet from its IP header on; `to` has room and is zero. Returns its length. */
static inline size_t packet_build(__u8 *to, const struct shape *shape, const struct packet_spec *p)
{
	size_t tcp_len = 20 + shape->options, off;
	__u32 seq = htonl(p->seq), ack = htonl(p->ack);
	__u8 *tcp;

	off = (shape->v6 ? packet_ip6 : packet_ip4)(to, shape, tcp_len + p->len);
	tcp = to + off;
	memcpy(tcp + 4, &seq, 4);
	memcpy(tcp + 8, &ack, 4);
	tcp[12] = tcp_len / 4 << 4;
	tcp[13] = p->flags;
	memset(tcp + 20, 1, shape->options);
	if (p->len)
		memcpy(tcp + tcp_len, p->bytes, p->len);
	return off + tcp_len + p->len;
}

static inline int world_run_large(const struct world *w, const __u8 *packet, size_t len)
{
	static __u8 passed[WORLD_LARGE];

	assert_int_equal(send(w->large[0], packet, len, 0), len);
	return recv(w->large[1], passed, sizeof(passed), MSG_DONTWAIT) == (ssize_t)len;
}

/* Runs a program on a packet that begins with its IP header. Returns what the program does. */
static inline int world_run(const struct world *w, int prog, const __u8 *packet, size_t len)
{
	__u8 frame[ETH_HLEN + WORLD_SMALL] = {0};
	__u16 protocol = htons(ETH_P_802_EX1); /* the kernel wants a whole IP header */
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame, .data_size_in = ETH_HLEN + len);

	if (len > WORLD_SMALL) {
		assert_int_equal(prog, w->egress);
		return world_run_large(w, packet, len);
	}
	memcpy(frame + 12, &protocol, sizeof(protocol));
	memcpy(frame + ETH_HLEN, packet, len);
	assert_int_equal(bpf_prog_test_run_opts(prog, &opts), 0);
	return opts.retval;
}

static inline int world_packet(const struct world *w, bool out, const struct packet_spec *p)
{
	static __u8 packet[WORLD_LARGE];
	size_t len;

	memset(packet, 0, WORLD_HEADERS);
	len = packet_build(packet, &w->shape, p);
	return world_run(w, out ? w->egress : w->ingress, packet, len);
}

/* A segment of one direction, `ahead` of what is next; nothing else changes. */
static inline int world_segment(const struct world *w, bool out, __s32 ahead, const char *bytes,
				size_t len)
{
	const struct packet_spec p = {.seq = (out ? w->out : w->in) + ahead,
				      .bytes = bytes,
				      .len = len,
				      .ack = out ? w->in : w->out,
				      .flags = TCP_ACK};

	return world_packet(w, out, &p);
}

/* These bytes were new and have passed, so the trace gets them too. */
static inline void world_sent(struct world *w, bool out, const char *bytes, size_t len)
{
	if (out)
		trace_client_bytes(&w->trace, bytes, len);
	else
		trace_server_bytes(&w->trace, bytes, len);
	*(out ? &w->out : &w->in) += len;
}

/* The next segment of one direction: it must pass. */
static inline void world_send(struct world *w, bool out, const char *bytes, size_t len)
{
	assert_int_equal(world_segment(w, out, 0, bytes, len), WORLD_PASS);
	world_sent(w, out, bytes, len);
}

/* What the client, or the server, says, as one segment. */
static inline void world_say(struct world *w, const char *text)
{
	world_send(w, true, text, strlen(text));
}

static inline void world_answer(struct world *w, const char *text)
{
	world_send(w, false, text, strlen(text));
}

/* --- a connection --------------------------------------------------------------------------- */

static inline int world_call(const struct world *w, struct packet_call call)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts, .ctx_in = &call, .ctx_size_in = sizeof(call));

	assert_int_equal(bpf_prog_test_run_opts(w->call, &opts), 0);
	return opts.retval;
}

static inline void world_stats_zero(const struct world *w)
{
	int cpus = libbpf_num_possible_cpus();
	struct smtpl_stats zero[cpus];
	__u32 key = 0;

	memset(zero, 0, sizeof(zero));
	assert_int_equal(bpf_map_update_elem(w->stats, &key, zero, 0), 0);
}

/* Removes what the connection before has left, whatever became of its test. */
static inline void world_forget(struct world *w)
{
	struct smtpl_count_key key;

	memset(w->session, 0, w->session_size);
	world_stats_zero(w);
	while (!bpf_map_get_next_key(w->counts, NULL, &key))
		assert_int_equal(bpf_map_delete_elem(w->counts, &key), 0);
	assert_true(ring_buffer__consume(w->ring) >= 0);
	free(w->events.bytes);
	free(w->trace.events.bytes);
	memset(&w->events, 0, sizeof(w->events));
	memset(&w->trace, 0, sizeof(w->trace));
}

/* A session whose connect has passed and which has sent nothing. */
static inline void world_open(struct world *w, __u32 out, __u32 in)
{
	world_forget(w);
	w->uid = 10000 + w->serial++;
	w->out = out;
	w->in = in;
	assert_int_equal(
		world_call(w, (struct packet_call){.what = PACKET_CALL_OPEN, .uid = w->uid}), 0);
}

static inline int world_syn(struct world *w, const char *bytes)
{
	const struct packet_spec p = {
		.seq = w->out, .flags = TCP_SYN, .bytes = bytes, .len = strlen(bytes)};

	return world_packet(w, true, &p);
}

static inline int world_syn_ack(struct world *w)
{
	const struct packet_spec p = {.seq = w->in, .ack = w->out, .flags = TCP_SYN | TCP_ACK};

	return world_packet(w, false, &p);
}

/* The same after its handshake. */
static inline void world_connect(struct world *w, __u32 out, __u32 in)
{
	world_open(w, out, in);
	assert_int_equal(world_syn(w, ""), WORLD_PASS);
	w->out++;
	assert_int_equal(world_syn_ack(w), WORLD_PASS);
	w->in++;
	assert_int_equal(world_segment(w, true, 0, NULL, 0), WORLD_PASS);
}

/* The socket closes; the trace knows nothing of it. */
static inline void world_close(struct world *w, __u32 how, __u32 error)
{
	assert_int_equal(world_call(w, (struct packet_call){.what = PACKET_CALL_CLOSE,
							    .how = how,
							    .error = error}),
			 0);
}

static inline void world_end(struct world *w, bool lost)
{
	__u32 how = lost ? SMTP_END_LOST : SMTP_END_CLIENT, error = lost ? ETIMEDOUT : 0;

	trace_end(&w->trace, how, error);
	world_close(w, how, error);
}

/* --- what came of it ------------------------------------------------------------------------ */

static inline int world_event(void *context, void *data, size_t size)
{
	const struct smtpl_event *head = data;
	struct world *w = context;

	(void)size;
	if (head->uid != w->uid || head->cookie != PACKET_CALL_COOKIE)
		text_printf(&w->events, "ANOTHER'S %u ", head->uid);
	if (head->type == SMTPL_EVENT_OUTCOME)
		trace_outcome(&w->events, data);
	else if (head->type == SMTPL_EVENT_CLOSE)
		text_printf(&w->events, "CLOSE\n");
	else if (head->type == SMTPL_EVENT_CUT)
		text_printf(&w->events, "CUT %s\n", ((const struct smtpl_event_cut *)data)->domain);
	else
		trace_path(&w->events, data);
	return 0;
}

static inline void world_counts(const struct world *w, struct text *to)
{
	static struct trace_rows rows;
	struct smtpl_count_key key;
	bool more = !bpf_map_get_next_key(w->counts, NULL, &key);

	for (rows.n = 0; more; rows.n++) {
		assert_true(rows.n < TRACE_DOMAINS);
		assert_int_equal(key.uid, w->uid);
		memcpy(rows.row[rows.n].domain, key.domain, sizeof(key.domain));
		assert_int_equal(bpf_map_lookup_elem(w->counts, &key, &rows.row[rows.n].count), 0);
		more = !bpf_map_get_next_key(w->counts, &key, &key);
	}
	trace_rows_write(to, &rows);
}

static inline void world_stats(const struct world *w, struct smtpl_stats *sum)
{
	int cpus = libbpf_num_possible_cpus();
	struct smtpl_stats each[cpus];
	__u32 key = 0;

	assert_int_equal(bpf_map_lookup_elem(w->stats, &key, each), 0);
	memset(sum, 0, sizeof(*sum));
	for (int cpu = 0; cpu < cpus; cpu++) {
		for (size_t i = 0; i < sizeof(*sum) / sizeof(__u64); i++)
			((__u64 *)sum)[i] += ((__u64 *)&each[cpu])[i];
	}
}

/* The connection is over: does the kernel's result agree with the trace? If not, both are written
 * to stderr. */
static inline bool world_agrees(struct world *w, const char *what)
{
	struct text got = {0}, want = {0};
	struct smtpl_stats stats;
	bool same;

	assert_true(ring_buffer__consume(w->ring) >= 0);
	text_add(&got, text_string(&w->events), w->events.len);
	world_counts(w, &got);
	world_stats(w, &stats);
	trace_stats(&got, &stats);
	trace_write(&w->trace, &want);
	same = !strcmp(text_string(&got), text_string(&want));
	if (!same)
		fprintf(stderr, "# %s: got:\n%s# want:\n%s", what, text_string(&got),
			text_string(&want));
	free(got.bytes);
	free(want.bytes);
	return same;
}

/* --- loading -------------------------------------------------------------------------------- */

static inline int world_quiet(enum libbpf_print_level level, const char *format, va_list args)
{
	return level == LIBBPF_WARN ? vfprintf(stderr, format, args) : 0;
}

/* Opens packet.bpf.o, which lies beside the test. NULL: with the reason on stderr. */
static inline struct bpf_object *world_object(void)
{
	char path[4096];
	ssize_t len = readlink("/proc/self/exe", path, sizeof(path) - 1);
	struct bpf_object *object;
	struct bpf_map *map;

	if (len < 0)
		return NULL;
	path[len] = 0;
	snprintf(strrchr(path, '/') + 1, 32, "packet.bpf.o");
	libbpf_set_print(world_quiet);
	object = bpf_object__open_file(path, NULL);
	if (!object)
		return NULL;
	bpf_object__for_each_map(map, object) bpf_map__set_pin_path(map, NULL);
	return object;
}

static inline int world_prog(const struct world *w, const char *name)
{
	return bpf_program__fd(bpf_object__find_program_by_name(w->object, name));
}

static inline bool world_map_session(struct world *w)
{
	const struct bpf_map *map = bpf_object__find_map_by_name(w->object, "packet_session");

	w->session_size = bpf_map__value_size(map);
	w->session = mmap(NULL, w->session_size, PROT_READ | PROT_WRITE, MAP_SHARED,
			  bpf_map__fd(map), 0);
	return w->session != MAP_FAILED;
}

static inline bool world_open_large(struct world *w)
{
	int prog = world_prog(w, "egress_large");

	return !socketpair(AF_UNIX, SOCK_DGRAM, 0, w->large) &&
	       !setsockopt(w->large[1], SOL_SOCKET, SO_ATTACH_BPF, &prog, sizeof(prog));
}

/* Setup and teardown of a group of tests. */
static inline int world_load(void **state)
{
	static struct world w;

	w.object = world_object();
	if (!w.object || bpf_object__load(w.object))
		return -1;
	w.egress = world_prog(&w, "egress");
	w.ingress = world_prog(&w, "ingress");
	w.call = world_prog(&w, "call");
	w.counts = bpf_object__find_map_fd_by_name(w.object, "smtpl_counts");
	w.stats = bpf_object__find_map_fd_by_name(w.object, "smtpl_stats");
	w.ring = ring_buffer__new(bpf_object__find_map_fd_by_name(w.object, "smtpl_events"),
				  world_event, &w, NULL);
	*state = &w;
	return world_map_session(&w) && world_open_large(&w) && w.ring ? 0 : -1;
}

static inline int world_unload(void **state)
{
	struct world *w = *state;

	close(w->large[0]);
	close(w->large[1]);
	ring_buffer__free(w->ring);
	bpf_object__close(w->object);
	return 0;
}

#endif
