/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * kernel.h - the kernel's own types and numbers, and every version quirk. Only the fields that are
 * read are declared; CO-RE finds them in the running kernel.
 */
#ifndef SMTPL_KERNEL_H
#define SMTPL_KERNEL_H

#include <stdbool.h>
#include <linux/bpf.h>
#include <linux/errno.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_tracing.h>

#define SMTPL_IPPROTO_TCP      6
#define SMTPL_IPPROTO_HOPOPTS  0
#define SMTPL_IPPROTO_ROUTING  43
#define SMTPL_IPPROTO_DSTOPTS  60
#define SMTPL_LOOPBACK_IFINDEX 1 /* include/linux/if.h LOOPBACK_IFINDEX: lo in every namespace */
#define SMTPL_TCPOPT_EOL       0
#define SMTPL_TCPOPT_NOP       1
#define SMTPL_TCPOPT_MPTCP     30 /* RFC 8684 */
#define SMTPL_MPTCP_JOIN       1
#define SMTPL_PF_KTHREAD       0x00200000 /* include/linux/sched.h */

#define SMTPL_TCP_SYN 0x02
#define SMTPL_TCP_RST 0x04
#define SMTPL_TCP_ACK 0x10
#define SMTPL_TCP_URG 0x20

#define SMTPL_AF_INET6 10

/* include/net/tcp_states.h; BPF_TCP_* of linux/bpf.h are the same numbers, asserted there. */
enum smtpl_tcp_state {
	SMTPL_TCP_ESTABLISHED = BPF_TCP_ESTABLISHED,
	SMTPL_TCP_SYN_SENT = BPF_TCP_SYN_SENT,
	SMTPL_TCP_FIN_WAIT1 = BPF_TCP_FIN_WAIT1,
	SMTPL_TCP_CLOSE = BPF_TCP_CLOSE,
	SMTPL_TCP_CLOSE_WAIT = BPF_TCP_CLOSE_WAIT,
};

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct net {
	__u64 net_cookie; /* since 5.12 */
};
typedef struct {
	struct net *net;
} possible_net_t;
struct sock_common {
	__be16 skc_dport;
	unsigned short skc_family;
	possible_net_t skc_net;
};
struct sock {
	struct sock_common __sk_common;
	struct {
		int owned; /* by a process, and not only by a softirq */
	} sk_lock;
	int sk_err;
	struct {
		unsigned int val;
	} sk_uid;
};
struct task_struct {
	unsigned int flags;
	int tgid;
	struct task_struct *group_leader;
	__u64 start_boottime; /* since 5.5 */
	__u64 self_exec_id;   /* since 5.7; counts execs */
};
struct seq_file;
struct bpf_iter_meta {
	struct seq_file *seq;
};
struct bpf_iter__tcp {
	struct bpf_iter_meta *meta;
	struct sock_common *sk_common;
};
#pragma clang attribute pop

/* Since 6.5. The program that calls it is not loaded where vmlinux has no such function. */
extern int bpf_sock_destroy(struct sock_common *sock) __ksym __weak;

/* Programs on connect have bpf_set_retval() since 5.18; before that a refusal is EPERM. Set before
 * load. */
const volatile bool smtpl_has_set_retval = true;

/* Keeps clang from proving an index in range and dropping the check that the verifier needs. */
#define opaque_to_clang(var) asm volatile("" : "+r"(var))

#endif
