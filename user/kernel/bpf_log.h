/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * bpf_log.h - shared by the bpf*.c files alone: libbpf's own messages, for the one line that says
 * why a load failed.
 */
#ifndef SMTPL_BPF_LOG_H
#define SMTPL_BPF_LOG_H

/* Forget earlier messages, and collect from now on. With SMTPLIMIT_DEBUG_LIBBPF set all go to
 * stderr. */
void bpf_log_start(void);

/* The message that says most of a failure since then; "no reason given". */
const char *bpf_log_last(void);

#endif
