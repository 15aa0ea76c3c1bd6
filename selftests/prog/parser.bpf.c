/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * parser.bpf.c - headers/smtp.h alone in a BPF program, to see that the verifier accepts it and
 * that it reads as in userspace. A packet is a run of bytes for the session in parser_session: its
 * first byte is the command for those behind PARSER_HEADER. They are read up to the first event,
 * which is returned with the number of bytes taken.
 */
#include <linux/bpf.h>
#include <linux/types.h>
#include <bpf/bpf_helpers.h>
#include "../../headers/smtp.h"
#include "../lib/parser_packet.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct smtp_session);
} parser_session SEC(".maps");

struct parser_run {
	struct __sk_buff *skb;
	struct smtp_session *ss;
	__u32 client;
	__u32 event;
	__u32 taken;
};

static long parser_step(__u32 i, struct parser_run *run)
{
	__u8 byte;

	if (bpf_skb_load_bytes(run->skb, PARSER_HEADER + i, &byte, 1))
		return 1;
	if (run->client)
		run->event = smtp_client_byte(run->ss, byte);
	else
		run->event = smtp_server_byte(run->ss, byte);
	run->taken++;
	return run->event != 0;
}

SEC("tc")
int parser(struct __sk_buff *skb)
{
	struct parser_run run = {.skb = skb};
	__u32 zero = 0;
	__u8 what;

	run.ss = bpf_map_lookup_elem(&parser_session, &zero);
	if (!run.ss || bpf_skb_load_bytes(skb, 0, &what, 1))
		return PARSER_ERROR;
	if (what == PARSER_END_CLIENT || what == PARSER_END_LOST)
		return smtp_session_end(run.ss,
					what == PARSER_END_LOST ? SMTP_END_LOST : SMTP_END_CLIENT);
	if (what == PARSER_DESYNC)
		return smtp_session_desync(run.ss);
	run.client = what == PARSER_CLIENT;
	bpf_loop(skb->len - PARSER_HEADER, parser_step, &run, 0);
	return PARSER_RESULT(run.event, run.taken);
}

char _license[] SEC("license") = "GPL";
