// SPDX-License-Identifier: GPL-2.0-only
/*
 * empty.bpf.c - packet programs that do nothing: what the kernel's run statistics show for them is
 * what a run and its measurement cost by themselves.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("cgroup_skb/egress")
int empty_egress(struct __sk_buff *skb)
{
	return 1;
}

SEC("cgroup_skb/ingress")
int empty_ingress(struct __sk_buff *skb)
{
	return 1;
}

char _license[] SEC("license") = "GPL";
