// SPDX-License-Identifier: GPL-2.0-only
/*
 * domains.bpf.c - changes how many domains a uid has in smtpl_counts, in one instruction. It is
 * attached nowhere: the daemon runs it after it removed some (user/kernel/bpf_domains.c). A system
 * call would write the whole entry, and so take back what the other programs count in it meanwhile.
 * It is an object of its own because it is seldom needed, and loaded only then.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include "maps.h"

/* The pinned map takes the place of this one, and has its own size. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, struct smtpl_count_key);
	__type(value, struct smtpl_count);
} smtpl_counts SEC(".maps");

/* mark: the uid; priority: by how many, signed. Returns 0, or 1 where there is no such uid. */
SEC("tc")
int smtpl_change(struct __sk_buff *skb)
{
	struct smtpl_count_key key = {.uid = skb->mark};
	struct smtpl_count *of_uid = bpf_map_lookup_elem(&smtpl_counts, &key);
	__s64 by = (__s32)skb->priority;

	if (!of_uid)
		return 1;
	/* The other programs only add, so the number does not get smaller meanwhile. */
	if (by < 0 && of_uid->domains < (__u64)-by)
		by = -(__s64)of_uid->domains;
	__sync_fetch_and_add(&of_uid->domains, by);
	return 0;
}

char _license[] SEC("license") = "GPL";
