/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * bpf_tls_link.h - shared by the bpf*.c files alone: the ways of putting a program into a file at
 * many places, and the pins of its links.
 *
 *	uprobe_multi	link_tls_NAME
 *	perf uprobes	link_tls_NAME_p0, link_tls_NAME_p1, ..
 *
 * _p0 is the plan's last probe, pinned last and unpinned first: where it is there, all are.
 */
#ifndef SMTPL_BPF_TLS_LINK_H
#define SMTPL_BPF_TLS_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include "headers/tls.h"
#include "elf/tls_plan.h"

#define BPF_TLS_NAME_SIZE 65 /* with the NUL */

/* The expected_attach_type that the program needs; libbpf 1.1 has no name for that of
 * uprobe_multi. */
int bpf_tls_link_type(enum smtpl_tls_way way);

/* Which way this kernel has, found by a trial on a function of this program. NONE: with one line in
 * `error`. */
enum smtpl_tls_way bpf_tls_link_way(char *error, size_t error_size);

/* As bpf_tls_probe(). prog: loaded for `way`. dir: where the pins are. */
int bpf_tls_link_make(enum smtpl_tls_way way, int prog, int file, pid_t pid,
		      const struct tls_plan *plan, const char *dir, const char *name);
/* As bpf_tls_unprobe() and bpf_tls_each_name(). */
int bpf_tls_link_remove(const char *dir, const char *name);
int bpf_tls_link_each(const char *dir, int (*each)(void *arg, const char *name), void *arg);

/* The name that a pin's file name was made from: "12_345_p3" -> "12_345", *index 3; -1 for
 * uprobe_multi. False: it is no pin of a probe. */
bool bpf_tls_link_name(const char *pin, char name[BPF_TLS_NAME_SIZE], int *index);

#endif
