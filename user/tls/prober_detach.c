// SPDX-License-Identifier: GPL-2.0-only
/*
 * prober_detach.c - detaches probes. With perf uprobes that keeps the kernel busy for about a
 * second for each process, and no new ones can be put in meanwhile: there it waits for a quiet
 * moment.
 */
#include <stdio.h>
#include <string.h>
#include "base/clock.h"
#include "prober_child.h"

#define QUIET_NS (5 * NS_PER_S)

static void take_oldest(struct prober_child *c)
{
	struct prober_detaching *l = &c->detaching;

	bpf_tls_unprobe(c->tls, l->names[0]);
	memmove(l->names[0], l->names[1], --l->count * sizeof(*l->names));
}

void prober_detach(struct prober_child *c, const char *name)
{
	struct prober_detaching *l = &c->detaching;

	if (bpf_tls_way(c->tls) == SMTPL_TLS_WAY_MULTI) {
		bpf_tls_unprobe(c->tls, name);
		return;
	}
	if (l->count == PROBER_DETACHING_MAX)
		take_oldest(c);
	snprintf(l->names[l->count++], PROBER_NAME_SIZE, "%s", name);
}

bool prober_detach_cancel(struct prober_child *c, const char *name)
{
	struct prober_detaching *l = &c->detaching;

	for (size_t i = 0; i < l->count; i++)
		if (strcmp(l->names[i], name) == 0) {
			memmove(l->names[i], l->names[i + 1], (--l->count - i) * sizeof(*l->names));
			return true;
		}
	return false;
}

void prober_detach_tend(struct prober_child *c, uint64_t now_ns)
{
	if (c->detaching.count && now_ns > c->ask_ns + QUIET_NS)
		take_oldest(c);
}
