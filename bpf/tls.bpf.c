// SPDX-License-Identifier: GPL-2.0-only
/*
 * tls.bpf.c - the plaintext of TLS sessions: one program on the entries and RETs of a TLS library's
 * functions feeds what the process wrote and read to the parser; the hooks on trace points say which
 * socket that was.
 */
#include "kernel.h"
#include "tls_maps.h"

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, SMTPL_TLS_FILES_MAX);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct smtpl_tls_file_key);
	__type(value, struct smtpl_tls_file);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} smtpl_tls_files SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct smtpl_tls_state);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} smtpl_tls_state SEC(".maps");

/* key: cookie of the socket */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, SMTPL_TLS_SESSIONS_MAX);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u64);
	__type(value, struct smtpl_session);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} smtpl_tls SEC(".maps");

SEC("uprobe")
int smtpl_tls_probe(struct pt_regs *ctx)
{
	__u64 cookie = bpf_get_attach_cookie(ctx);

	return cookie && 0;
}

SEC("tp_btf/tcp_rcv_space_adjust")
int BPF_PROG(smtpl_tls_recv, struct sock *sk)
{
	return 0;
}

SEC("tp_btf/tcp_destroy_sock")
int BPF_PROG(smtpl_tls_end, struct sock *sk)
{
	return 0;
}

SEC("tp_btf/tcp_destroy_sock")
int BPF_PROG(smtpl_tls_end2, struct sock *sk)
{
	return 0;
}

char _license[] SEC("license") = "GPL";
