/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * prober.h - the process that puts probes where they are needed: into the process that opened an
 * SMTP session ([watch] tls = process), or into the library for all (library). The BPF programs
 * send it requests by smtpl_tls_asks, and it reports in smtpl_tls_files, smtpl_tls_pids and
 * smtpl_tls_state. A process between it and the daemon, the supervisor, starts it again when it has
 * ended.
 */
#ifndef SMTPL_PROBER_H
#define SMTPL_PROBER_H

#include <sys/types.h>
#include "kernel/bpf.h"
#include "kernel/bpf_tls.h"

struct prober {
	pid_t pid; /* of the supervisor; 0: none */
	int fd;	   /* readable when both have ended; -1: none */
};

/* Fork supervisor and prober. They need more capabilities than the daemon keeps: start them before
 * those are dropped. 0 or -errno. */
int prober_start(struct prober *p, struct bpf_tls *tls, struct bpf *bpf,
		 const struct config *config);

/* End both. Their probes stay. Without them it does nothing. */
void prober_stop(struct prober *p);

#endif
