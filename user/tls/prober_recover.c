// SPDX-License-Identifier: GPL-2.0-only
/*
 * prober_recover.c - takes over from an earlier prober: probes of a living process go on, also with
 * a program of an earlier version, since the maps are the same. All others are detached.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>
#include "base/clock.h"
#include "prober_child.h"

#define LIBRARY_PREFIX "lib_"

bool prober_recover_library(const char *name, uint64_t *hash)
{
	int end = 0;

	return sscanf(name, LIBRARY_PREFIX "%16" SCNx64 "%n", hash, &end) == 1 && !name[end];
}

bool prober_recover_name(const char *name, pid_t *pid, uint64_t *start, uint64_t *hash)
{
	int end = 0;

	return sscanf(name, "%9d_%19" SCNu64 "_%16" SCNx64 "%n", pid, start, hash, &end) == 3 &&
	       !name[end] && *pid > 0;
}

/* --- files ---------------------------------------------------------------------------------- */

static int recover_file(void *arg, const char *name)
{
	struct prober_child *c = arg;
	struct prober_file *file;
	uint64_t hash;

	if (!prober_recover_library(name, &hash))
		return 0;
	file = prober_files_find_hash(&c->files, hash);
	if (!file || !file->plan || !prober_library_recover(file))
		bpf_tls_unprobe(c->tls, name);
	return 0;
}

void prober_recover_files(struct prober_child *c)
{
	bpf_tls_each_name(c->tls, recover_file, c);
}

/* --- processes ------------------------------------------------------------------------------ */

/* The process of the pin, if it lives. */
static struct prober_process *process_of(struct prober_child *c, pid_t pid, uint64_t start)
{
	struct prober_process *p = prober_process_find(c, pid);

	if (!p && prober_process_begin(c, pid, &p))
		return NULL;
	if (p->start == start)
		return p;
	if (!p->count)
		prober_process_end(c, p);
	return NULL;
}

static int recover_probe(void *arg, const char *name)
{
	struct prober_process *p = NULL;
	struct prober_child *c = arg;
	uint64_t start, hash;
	pid_t pid;

	if (prober_recover_library(name, &hash))
		return 0;
	if (prober_recover_name(name, &pid, &start, &hash))
		p = process_of(c, pid, start);
	if (p && p->count < PROBER_PROCESS_FILES)
		p->probes[p->count++] = (struct prober_probe){.hash = hash, .own = true};
	else
		prober_detach(c, name);
	return 0;
}

/* First binds the pins to the files that the process has mapped. A pin without one is of a file
 * that has changed meanwhile, which may be attached again under its new name. */
static void recover_process(struct prober_child *c, struct prober_process *p)
{
	prober_scan(c, p, PROBER_SCAN_BIND);
	for (size_t i = p->count; i-- > 0;)
		if (!p->probes[i].file)
			prober_process_unprobe(c, p, i);
	if (prober_scan(c, p, PROBER_SCAN_FREE) || !p->count)
		prober_process_end(c, p);
}

/* Its probes were those of files for all, so it has no pin of its own. 0 or -errno: it is another
 * process by now, or has no probes any more. */
static int recover_entry(struct prober_child *c, pid_t pid)
{
	uint64_t tick_ns = NS_PER_S / sysconf(_SC_CLK_TCK);
	struct smtpl_tls_pid entry;
	struct prober_process *p;
	int err = bpf_tls_get_pid(c->tls, pid, &entry);

	if (!err)
		err = entry.since_ns ? prober_process_begin(c, pid, &p) : -ESRCH;
	if (err)
		return err;
	if (p->start * tick_ns > entry.last_ns || prober_scan(c, p, PROBER_SCAN_FREE) || !p->count)
		prober_process_end(c, p);
	return 0;
}

/* An entry whose process is gone would be taken for the next process of that pid. */
static void recover_others(struct prober_child *c)
{
	uint32_t pid, next;
	int err = bpf_tls_next_pid(c->tls, NULL, &next);

	for (size_t i = 0; !err && i < SMTPL_TLS_PIDS_MAX; i++) {
		pid = next;
		err = bpf_tls_next_pid(c->tls, &pid, &next);
		if (!prober_process_find(c, pid) && recover_entry(c, pid))
			bpf_tls_set_pid(c->tls, pid, NULL);
	}
}

void prober_recover_processes(struct prober_child *c)
{
	bpf_tls_each_name(c->tls, recover_probe, c);
	prober_process_each(c, recover_process);
	recover_others(c);
}
