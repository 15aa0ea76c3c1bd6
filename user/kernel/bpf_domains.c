// SPDX-License-Identifier: GPL-2.0-only
/*
 * bpf_domains.c - runs bpf/domains.bpf.c, which changes the number of a uid's domains while other
 * programs count in the same entry.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include "bpf.h"
#include "bpf_maps.h"
#include "domains.skel.h"

static int change_one(int prog, const struct bpf_domains_change *change)
{
	struct __sk_buff skb = {.mark = change->uid, .priority = change->by};
	char packet[64] = ""; /* nobody reads it */
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = packet, .data_size_in = sizeof(packet),
		    .ctx_in = &skb, .ctx_size_in = sizeof(skb));

	if (bpf_prog_test_run_opts(prog, &run))
		return -errno;
	return run.retval ? -ENOENT : 0;
}

int bpf_maps_change_domains(struct bpf_maps *maps, const struct bpf_domains_change *changes,
			    size_t count)
{
	struct domains_bpf *skel = domains_bpf__open();
	int err;

	if (!skel)
		return -errno;
	err = bpf_map__reuse_fd(skel->maps.smtpl_counts, maps->fd[MAP_COUNTS]);
	if (!err)
		err = domains_bpf__load(skel);
	for (size_t i = 0; i < count && !err; i++) {
		err = change_one(bpf_program__fd(skel->progs.smtpl_change), &changes[i]);
		if (err == -ENOENT)
			err = 0;
	}
	domains_bpf__destroy(skel);
	return err;
}
