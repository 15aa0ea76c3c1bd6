// SPDX-License-Identifier: GPL-2.0-only
/*
 * domains.bpf.c - changes how many domains a uid has in smtpl_counts, in one instruction. Attached
 * nowhere: the daemon runs it after it removed some (kernel/bpf_domains.c). An entry written by a
 * system call is written whole, which takes back what the hooks count in it meanwhile. An object of
 * its own, for it is loaded when it is needed, which is seldom.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include "maps.h"

/* The pinned one takes its place, its size as well. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, struct smtpl_count_key);
	__type(value, struct smtpl_count);
} smtpl_counts SEC(".maps");

/* mark: the uid; priority: by how many, signed. 0; 1: no such uid. */
SEC("tc")
int smtpl_change(struct __sk_buff *skb)
{
	struct smtpl_count_key key = {.uid = skb->mark};
	struct smtpl_count *whole = bpf_map_lookup_elem(&smtpl_counts, &key);
	__s64 by = (__s32)skb->priority;

	if (!whole)
		return 1;
	/* The hooks only add: what is here now can be taken. */
	if (by < 0 && whole->domains < (__u64)-by)
		by = -(__s64)whole->domains;
	__sync_fetch_and_add(&whole->domains, by);
	return 0;
}

char _license[] SEC("license") = "GPL";
