/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * tls_maps.h - what the programs on sockets and the probes on TLS libraries share: the sessions
 * that turned to TLS, and the requests for probes.
 */
#ifndef SMTPL_TLS_MAPS_H
#define SMTPL_TLS_MAPS_H

#include "maps.bpf.h"
#include "tls.h"

/* key: cookie of the socket */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, SMTPL_TLS_SESSIONS_MAX);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u64);
	__type(value, struct smtpl_session);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} smtpl_tls SEC(".maps");

/* Sessions of smtpl_tls that have ended. They are removed a while later: the memory of an entry is
 * used again as soon as it is removed, and a probe that runs at that moment still points to it. */
struct smtpl_tls_dead {
	__u64 cookie;
	__u64 time_ns;
};

struct {
	__uint(type, BPF_MAP_TYPE_QUEUE);
	__uint(max_entries, SMTPL_TLS_SESSIONS_MAX);
	__type(value, struct smtpl_tls_dead);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} smtpl_tls_dead SEC(".maps");

/* uid -> how many of its sessions in smtpl_tls have not ended. Two CPUs can make it negative. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, SMTPL_TLS_SESSIONS_MAX);
	__type(key, __u32);
	__type(value, __s32);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} smtpl_tls_uids SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, SMTPL_TLS_PIDS_MAX);
	__type(key, __u32);
	__type(value, struct smtpl_tls_pid);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} smtpl_tls_pids SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, SMTPL_TLS_ASKS_BYTES);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} smtpl_tls_asks SEC(".maps");

/* Written by the daemon through .bss, which each object has of its own. */
__u32 smtpl_tls_mode; /* enum smtpl_tls_mode */

/* Ask for probes in a process, unless it has them. `again`: TLS begins. */
static __always_inline void tls_ask(const struct smtpl_session *s, __u32 pid, bool again)
{
	struct smtpl_tls_pid *known = bpf_map_lookup_elem(&smtpl_tls_pids, &pid);
	__u64 now = bpf_ktime_get_boot_ns();
	struct smtpl_tls_ask *ask;

	if (known) {
		known->last_ns = now;
		if (known->since_ns || !again)
			return;
	} else if (smtpl_tls_mode == SMTPL_TLS_LIBRARY) {
		struct smtpl_tls_pid fresh = {.last_ns = now};

		bpf_map_update_elem(&smtpl_tls_pids, &pid, &fresh, BPF_NOEXIST);
	}
	ask = bpf_ringbuf_reserve(&smtpl_tls_asks, sizeof(*ask), 0);
	if (!ask) {
		stats_add(tls_unasked, 1);
		return;
	}
	ask->pid = pid;
	ask->uid = s->uid;
	ask->role = s->role;
	ask->again = again;
	bpf_ringbuf_submit(ask, BPF_RB_FORCE_WAKEUP);
}

#endif
