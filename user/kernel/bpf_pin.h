/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * bpf_pin.h - shared by the bpf*.c files alone: the pin directory, and pins of an earlier start.
 */
#ifndef SMTPL_BPF_PIN_H
#define SMTPL_BPF_PIN_H

#include <limits.h>
#include <stddef.h>

struct bpf_object;

/* Make <bpffs>/v1, mounting a BPF file system where there is none, and check that what is pinned
 * there is of this schema. pin_root gets the directory. */
int bpf_pin_prepare(const char *bpffs, char pin_root[PATH_MAX], char *error, size_t error_size);

/* Nobody else loads or unloads below <bpffs> while the returned descriptor is open. On -errno
 * `error` has one line. */
int bpf_pin_lock(const char *bpffs, char *error, size_t error_size);

/* Unpin the ring, the sessions and other maps that live shorter than a mail, or count what no
 * verdict needs, where their size has changed: libbpf makes them anew. What the lost ring held is
 * healed from the totals. pin_root: the directory; probes on TLS libraries go with such a map. */
void bpf_pin_drop_unfit(struct bpf_object *obj, const char *pin_root);

/* Unpin all in the directory whose names begin so. 0 or -errno. */
int bpf_pin_remove(const char *pin_root, const char *prefix);

#endif
