/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * tls_maps.h - the maps by which the hooks ask for probes in a process. The rest of what the probes need
 * is in tls.bpf.c.
 */
#ifndef SMTPL_TLS_MAPS_H
#define SMTPL_TLS_MAPS_H

#include "maps.bpf.h"
#include "tls.h"

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

#endif
