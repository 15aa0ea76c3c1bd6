/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * bpf.h - the border to the kernel: only the files of this room include libbpf.
 *
 * Two things live behind it. The pinned maps (struct bpf_maps) can be opened by root, daemon or
 * not. The programs (struct bpf), their links and the ring buffer are the daemon's.
 */
#ifndef SMTPL_BPF_H
#define SMTPL_BPF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include "headers/event.h"
#include "headers/losses.h"
#include "headers/maps.h"
#include "headers/stats.h"
#include "headers/tls.h"
#include "config/config.h"

/* --- pinned maps -------------------------------------------------------------------------- */

struct bpf_maps;

/* Open the maps pinned below <bpffs>/v1. -ENOENT: nothing is loaded; -EPROTO: pins of another
 * schema. bpf_maps_close(NULL) does nothing. */
int bpf_maps_open(const char *bpffs, struct bpf_maps **maps);
void bpf_maps_close(struct bpf_maps *maps);

/* Call back for each entry; a non-zero return ends the walk and is returned. Entries that come or
 * go during the walk may be missed or seen. */
int bpf_maps_each_count(struct bpf_maps *maps,
			int (*each)(void *arg, const struct smtpl_count_key *key,
				    const struct smtpl_count *count),
			void *arg);
int bpf_maps_each_uid(struct bpf_maps *maps,
		      int (*each)(void *arg, const uint32_t *uid, const struct smtpl_uid *value),
		      void *arg);
int bpf_maps_each_domain(struct bpf_maps *maps,
			 int (*each)(void *arg, const struct smtpl_domain_key *key,
				     const struct smtpl_suspension *value),
			 void *arg);

int bpf_maps_stats(struct bpf_maps *maps, struct smtpl_stats *sum); /* over all CPUs */
/* -ENOENT: the daemon that made the maps is of a version that did not show its losses. */
int bpf_maps_losses(const struct bpf_maps *maps, struct smtpl_losses *losses);
int bpf_maps_set_losses(struct bpf_maps *maps, const struct smtpl_losses *losses);
int bpf_maps_meta(struct bpf_maps *maps, struct smtpl_meta *meta);
int bpf_maps_set_meta(struct bpf_maps *maps, const struct smtpl_meta *meta);

/* Single entries: 0, -ENOENT, other -errno. */
int bpf_maps_get_uid(struct bpf_maps *maps, uint32_t uid, struct smtpl_uid *value);
int bpf_maps_set_uid(struct bpf_maps *maps, uint32_t uid, const struct smtpl_uid *value);
int bpf_maps_get_domain(struct bpf_maps *maps, const char *domain, struct smtpl_suspension *value);
int bpf_maps_set_domain(struct bpf_maps *maps, const char *domain,
			const struct smtpl_suspension *value); /* NULL deletes */
int bpf_maps_set_count(struct bpf_maps *maps, const struct smtpl_count_key *key,
		       const struct smtpl_count *count);
int bpf_maps_get_count(struct bpf_maps *maps, const struct smtpl_count_key *key,
		       struct smtpl_count *count);
/* Put an entry where there is none: -EEXIST, -E2BIG. Take one out, as it is at that moment: what a
 * program still adds to it right then is lost. */
int bpf_maps_add_count(struct bpf_maps *maps, const struct smtpl_count_key *key,
		       const struct smtpl_count *count);
int bpf_maps_take_count(struct bpf_maps *maps, const struct smtpl_count_key *key,
			struct smtpl_count *count);
int bpf_maps_get_redirect(struct bpf_maps *maps, const struct smtpl_endpoint *key,
			  struct smtpl_caller *caller);
/* Who on this host made a connection to its mail server. key->server zero: the server's end is not
 * known; then the connection with that client's end is taken that sent last. */
int bpf_maps_get_caller(struct bpf_maps *maps, const struct smtpl_caller_key *key,
			struct smtpl_caller *caller);
int bpf_maps_set_local(struct bpf_maps *maps, const struct smtpl_local_key *key, bool present);
int bpf_maps_each_local(struct bpf_maps *maps,
			int (*each)(void *arg, const struct smtpl_local_key *key), void *arg);

/* The prober's report; -ENOENT: there is none, TLS is off or the kernel takes no probes. */
int bpf_maps_tls_state(struct bpf_maps *maps, struct smtpl_tls_state *state);
int bpf_maps_each_tls_file(struct bpf_maps *maps,
			   int (*each)(void *arg, const struct smtpl_tls_file *file), void *arg);

/* Add to `domains` in the "" entries of uids, down to 0, while programs count in them. Entries that
 * are not there are skipped. 0 or -errno. */
struct bpf_domains_change {
	uint32_t uid;
	int32_t by;
};
int bpf_maps_change_domains(struct bpf_maps *maps, const struct bpf_domains_change *changes,
			    size_t count);

/* --- the loaded daemon --------------------------------------------------------------------- */

/* What this kernel can do; check and status show each lower level. */
struct bpf_features {
	bool set_retval;   /* a refused connect says ECONNREFUSED, not EPERM (5.18) */
	bool sock_destroy; /* bpf_sock_destroy from iter/tcp (6.5), else SOCK_DESTROY by netlink */
};

struct bpf;

/* Load the programs, with the maps pinned below config->bpffs where there are any (made otherwise).
 * Nothing is attached yet, so that the caller can fill the maps first. `error` gets one line. 0 or
 * -errno. */
int bpf_load(const struct config *config, struct bpf **bpf, char *error, size_t error_size);

/* Attach, or take over the pinned links of an earlier start: from here on mail is counted. */
int bpf_attach(struct bpf *bpf, char *error, size_t error_size);

/* Is it attached, by this start or an earlier one? */
bool bpf_attached(const struct bpf *bpf);

/* Close this process's handles. What is pinned stays in the kernel. */
void bpf_free(struct bpf *bpf);

/* In a child that goes on using it: only the parent keeps the lock of the pin directory. */
void bpf_after_fork(struct bpf *bpf);

struct bpf_maps *bpf_get_maps(struct bpf *bpf);

/* Change what can change while attached: ports, local, relay. */
void bpf_set_watch(struct bpf *bpf, const struct config *config);

/* Where the responder listens on 127.0.0.1 and ::1; 0: nowhere. This is for packets alone; connects
 * are redirected by smtpl_meta. */
void bpf_set_responder(struct bpf *bpf, uint16_t port, uint16_t port6);

/* Whether sessions are followed inside TLS. Set it once bpf_tls_attach() is done, or never. */
void bpf_set_tls(struct bpf *bpf, enum smtpl_tls_mode mode);

/* The ring buffer: an epoll-able descriptor, and a read of what is there (at most one round of the
 * ring). Returns the number of records or -errno. bpf_ring_mark() notes how far producers are;
 * bpf_ring_passed(): has the reader got there? */
int bpf_ring_fd(const struct bpf *bpf);
int bpf_ring_open(struct bpf *bpf, int (*each)(void *arg, void *data, size_t size), void *arg);
int bpf_ring_read(struct bpf *bpf);
uint64_t bpf_ring_mark(const struct bpf *bpf);
bool bpf_ring_passed(const struct bpf *bpf, uint64_t mark);

/* Destroy every open session of a refused uid in the caller's network namespace. Returns how many
 * sockets were destroyed, or -errno. */
int bpf_destroy_sessions(struct bpf *bpf, uint32_t uid);

/* The same for the sessions of a mail server's uid that were reset (smtpl_event_cut): those of
 * these cookies at least. */
int bpf_destroy_reset(struct bpf *bpf, uint32_t uid, const uint64_t *cookies, size_t count);

/* Remove every program, link, map and pin below <bpffs>. 0; -ENOENT: there was nothing. */
int bpf_unload(const char *bpffs, char *error, size_t error_size);

/* Load the programs with maps of their own, and release everything again. */
int bpf_try_load(struct bpf_features *features, char *error, size_t error_size);

/* Calls back for each requirement of this host: its name, whether it is met, why not. */
void bpf_check(const struct config *config,
	       void (*each)(void *arg, const char *name, bool met, bool required, const char *why),
	       void *arg);

#endif
