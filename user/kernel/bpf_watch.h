/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * bpf_watch.h - shared by the bpf*.c files alone: the watched ports, in the mapped .bss of each
 * object.
 */
#ifndef SMTPL_BPF_WATCH_H
#define SMTPL_BPF_WATCH_H

#include <stdint.h>
#include "config/config.h"

#define BPF_WATCH_WORDS (65536 / 64)

/* Programs read the words meanwhile, so only those that differ are written. */
static inline void bpf_watch_ports(uint64_t *mapped, const struct config *config)
{
	uint64_t bits[BPF_WATCH_WORDS] = {};

	for (size_t i = 0; i < config->ports_count; i++)
		bits[config->ports[i] / 64] |= 1ull << config->ports[i] % 64;
	for (size_t i = 0; i < BPF_WATCH_WORDS; i++)
		if (mapped[i] != bits[i])
			__atomic_store_n(&mapped[i], bits[i], __ATOMIC_RELAXED);
}

#endif
