/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * bpf_maps.h - shared by the bpf*.c files alone: the descriptors behind struct bpf_maps.
 */
#ifndef SMTPL_BPF_MAPS_H
#define SMTPL_BPF_MAPS_H

enum map_kind {
	MAP_COUNTS,
	MAP_UIDS,
	MAP_DOMAINS,
	MAP_LOCALS,
	MAP_REDIRS,
	MAP_STATS,
	MAP_META,
	MAP_CALLERS,
	MAP_TLS_FILES,
	MAP_TLS_STATE,
	MAP_LOSSES,
	MAP_KINDS,
};

struct bpf_maps {
	int fd[MAP_KINDS];
};

#endif
