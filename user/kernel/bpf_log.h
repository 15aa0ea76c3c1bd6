/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * bpf_log.h - shared by the bpf*.c files alone: what libbpf itself says, for the one line that
 * tells why a load failed.
 */
#ifndef SMTPL_BPF_LOG_H
#define SMTPL_BPF_LOG_H

/* Forget what was said, and listen from now on. With SMTPLIMIT_DEBUG_LIBBPF set all goes to stderr.
 * */
void bpf_log_listen(void);

/* The line that says most of a failure since then; "no reason given". */
const char *bpf_log_last(void);

#endif
