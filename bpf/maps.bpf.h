/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * maps.bpf.h - the maps, pinned by name below <bpffs>/v1, and the settings that the packet path
 * reads without a map look-up. Layouts: headers/maps.h.
 */
#ifndef SMTPL_MAPS_BPF_H
#define SMTPL_MAPS_BPF_H

#include "kernel.h"
#include "losses.h"
#include "maps.h"
#include "stats.h"
#include "session.h"

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, SMTPL_COUNTS_MAX);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct smtpl_count_key);
	__type(value, struct smtpl_count);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} smtpl_counts SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, SMTPL_UIDS_MAX);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u32);
	__type(value, struct smtpl_uid);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} smtpl_uids SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, SMTPL_DOMAINS_MAX);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct smtpl_domain_key);
	__type(value, struct smtpl_suspension);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} smtpl_domains SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, SMTPL_LOCALS_MAX);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct smtpl_local_key);
	__type(value, __u32);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} smtpl_locals SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, SMTPL_REDIRECTS_MAX);
	__type(key, struct smtpl_endpoint);
	__type(value, struct smtpl_caller);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} smtpl_redirs SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, SMTPL_CALLERS_MAX);
	__type(key, struct smtpl_caller_key);
	__type(value, struct smtpl_caller);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} smtpl_callers SEC(".maps");

/* Who connected a socket to this host's own mail server. */
struct smtpl_call {
	__u64 netns_cookie;
	__u64 time_ns; /* 0: not known */
	__u32 uid;
	__u32 pid;
};

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct smtpl_call);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} smtpl_call SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, SMTPL_RING_BYTES_DEFAULT);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} smtpl_events SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct smtpl_session);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} smtpl_session SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct smtpl_stats);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} smtpl_stats SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct smtpl_meta);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} smtpl_meta SEC(".maps");

/* No program uses it: it is here so that it is made and pinned with the others. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct smtpl_losses);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} smtpl_losses SEC(".maps");

/* Written by the daemon through the mapped .bss of the loaded programs. */
__u64 smtpl_ports[65536 / 64]; /* watched ports, a bit each */
__u32 smtpl_responder_port;    /* host order: redirected packets go there; 0: none */
__u32 smtpl_responder_port6;
__u32 smtpl_local;	 /* 1: this host's own addresses are watched too */
__u32 smtpl_relay_reset; /* 1: [refuse] relay = reset */
__u32 smtpl_destroy_uid; /* whose sessions iter/tcp ends */

static __always_inline bool watched_port(__u32 port)
{
	__u32 word = port >> 6;

	opaque_to_clang(word);
	return smtpl_ports[word & 1023] >> (port & 63) & 1;
}

static __always_inline struct smtpl_stats *stats(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&smtpl_stats, &zero);
}

/* Programs of one CPU can interrupt each other, so this adds in one instruction. */
#define stats_add(field, n)                                                                        \
	({                                                                                         \
		struct smtpl_stats *stats_ = stats();                                              \
		if (stats_)                                                                        \
			__sync_fetch_and_add(&stats_->field, n);                                   \
	})

#endif
