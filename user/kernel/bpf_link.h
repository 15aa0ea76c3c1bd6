/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * bpf_link.h - shared by the bpf*.c files alone: attaching with pinned links.
 */
#ifndef SMTPL_BPF_LINK_H
#define SMTPL_BPF_LINK_H

#include <stdbool.h>
#include <stddef.h>

struct bpf_program;

struct bpf_link_want {
	struct bpf_program *prog;
	const char *pin; /* name below <bpffs>/v1 */
	bool cgroup;	 /* attach to the cgroup, else to its trace point */
};

/* Attach each program in order, or switch the link that an earlier start pinned to it. On failure
 * the links that this call made are removed; switched ones stay switched. */
int bpf_link_attach_all(const struct bpf_link_want *wants, size_t count, const char *bpffs,
			int cgroup_fd, char *error, size_t error_size);

#endif
