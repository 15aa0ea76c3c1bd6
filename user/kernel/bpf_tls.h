/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * bpf_tls.h - the TLS side of the border to the kernel (bpf.h): loads bpf/tls.bpf.c with the maps
 * that bpf_load() pinned, and attaches its program to functions of TLS libraries.
 *
 * Every link is pinned below <bpffs>/v1 as link_tls_*, so probes outlive the daemon. Unlinking the
 * pin detaches in the background, by the kernel's own worker: nobody waits for it.
 */
#ifndef SMTPL_BPF_TLS_H
#define SMTPL_BPF_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include "headers/tls.h"
#include "config/config.h"
#include "elf/tls_plan.h"

struct bpf_tls;

/* Load the programs, and find out by a trial how this kernel attaches probes. Nothing is attached
 * yet. 0 or -errno, with one line in `error`. bpf_tls_free(NULL) does nothing. */
int bpf_tls_load(const struct config *config, struct bpf_tls **tls, char *error, size_t error_size);
void bpf_tls_free(struct bpf_tls *tls);
enum smtpl_tls_way bpf_tls_way(const struct bpf_tls *tls);

/* The same with maps of their own, and release everything again. For check. */
int bpf_tls_try(enum smtpl_tls_way *way, char *error, size_t error_size);

/* Attach the programs on trace points, which see the sockets, by pinned links; those of an earlier
 * start are replaced. */
int bpf_tls_attach(struct bpf_tls *tls, char *error, size_t error_size);

/* As bpf_set_watch(). */
void bpf_tls_set_watch(struct bpf_tls *tls, const struct config *config);

/* How long the kernel will be busy once the probes of an earlier start are unlinked; 0: there are
 * none. */
uint32_t bpf_tls_remove_ms(const char *bpffs);
/* Remove these programs and every probe of an earlier start: [watch] tls = off. Guard it
 * (guard.h). */
int bpf_tls_remove(const char *bpffs);

/*
 * Put the probes of `plan` into the file open as `file` (O_PATH will do), in process `pid` or, with
 * 0, for all who map it. `name`: of the pin behind "link_tls_", at most 64 characters of [a-z0-9_]
 * without "_p"; with perf uprobes there is one pin for each probe, NAME_p0 and so on. 0 or -errno;
 * on failure no probe of the plan is left.
 */
int bpf_tls_probe(struct bpf_tls *tls, int file, pid_t pid, const struct tls_plan *plan,
		  const char *name);
/* Remove the pins of `name`. 0; -ENOENT: there were none. */
int bpf_tls_unprobe(struct bpf_tls *tls, const char *name);
/* Calls back for each name that has probes, also of an earlier start; non-zero ends the walk. */
int bpf_tls_each_name(struct bpf_tls *tls, int (*each)(void *arg, const char *name), void *arg);

/* The ring smtpl_tls_asks. */
int bpf_tls_asks_open(struct bpf_tls *tls, void (*each)(void *arg, const struct smtpl_tls_ask *ask),
		      void *arg);
int bpf_tls_asks_fd(const struct bpf_tls *tls);
void bpf_tls_asks_read(struct bpf_tls *tls);

/* Maps; value NULL deletes. 0 or -errno. next_pid: as bpf_map_get_next_key(), pid NULL begins. */
int bpf_tls_set_pid(struct bpf_tls *tls, uint32_t pid, const struct smtpl_tls_pid *value);
int bpf_tls_get_pid(struct bpf_tls *tls, uint32_t pid, struct smtpl_tls_pid *value);
int bpf_tls_next_pid(struct bpf_tls *tls, const uint32_t *pid, uint32_t *next);
int bpf_tls_set_file(struct bpf_tls *tls, const struct smtpl_tls_file_key *key,
		     const struct smtpl_tls_file *value);
/* Calls back for each file and deletes it. */
int bpf_tls_take_files(struct bpf_tls *tls,
		       void (*each)(void *arg, const struct smtpl_tls_file *file), void *arg);
int bpf_tls_get_state(struct bpf_tls *tls, struct smtpl_tls_state *state);
int bpf_tls_set_state(struct bpf_tls *tls, const struct smtpl_tls_state *state);
/* Calls back with the process of each session that is under way and whose plaintext is followed. 0
 * or -errno; -EAGAIN: too much changed meanwhile to see all. */
int bpf_tls_each_session(struct bpf_tls *tls, void (*each)(void *arg, uint32_t pid), void *arg);

#endif
