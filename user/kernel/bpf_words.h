/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * bpf_words.h - shared by the bpf*.c files alone: what libbpf itself says, for the one line that tells why
 * a load failed.
 */
#ifndef SMTPL_BPF_WORDS_H
#define SMTPL_BPF_WORDS_H

/* Forget what was said, and listen from now on. With SMTPLIMIT_DEBUG_LIBBPF set all goes to stderr. */
void bpf_words_listen(void);

/* The line that says most of a failure since then; "no reason given". */
const char *bpf_words_last(void);

#endif
