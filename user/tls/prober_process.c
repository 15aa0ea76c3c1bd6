// SPDX-License-Identifier: GPL-2.0-only
/*
 * prober_process.c - the processes that requests named, each with a pidfd. When a process ends its
 * probes are detached, and its pid may become another's.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "base/clock.h"
#include "prober_child.h"

/* Probes go when a process is idle, as a web server's worker that has once sent a mail. */
#define IDLE_NS	      (60 * NS_PER_S)
#define IDLE_CHECK_NS (10 * NS_PER_S)

static struct prober_process **place_of(struct prober_child *c, pid_t pid)
{
	struct prober_process **at = &c->processes[pid % PROBER_PROCESSES_MAX];

	while (*at && (*at)->pid != pid)
		at = &(*at)->chain;
	return at;
}

bool prober_process_ended(const struct prober_process *p)
{
	struct pollfd ended = {.fd = p->pidfd, .events = POLLIN};

	return poll(&ended, 1, 0) == 1;
}

struct prober_process *prober_process_find(struct prober_child *c, pid_t pid)
{
	struct prober_process *p = *place_of(c, pid);

	if (!p || !prober_process_ended(p))
		return p;
	prober_process_end(c, p);
	return NULL;
}

bool prober_process_known(struct prober_child *c, pid_t pid)
{
	return *place_of(c, pid) != NULL;
}

/* The pidfd is opened first: what is read after that is of the same process. */
static int process_open(struct prober_child *c, struct prober_process *p)
{
	struct epoll_event event = {.events = EPOLLIN, .data.u64 = p->pid};
	int err;

	p->pidfd = syscall(SYS_pidfd_open, p->pid, 0);
	if (p->pidfd < 0)
		return -errno;
	err = prober_start_time(p->pid, &p->start);
	if (!err && epoll_ctl(c->epoll_fd, EPOLL_CTL_ADD, p->pidfd, &event))
		err = -errno;
	if (err)
		close(p->pidfd);
	return err;
}

int prober_process_begin(struct prober_child *c, pid_t pid, struct prober_process **process)
{
	struct prober_process *p;
	int err;

	p = calloc(1, sizeof(*p));
	if (!p)
		return -ENOMEM;
	p->pid = pid;
	p->busy_ns = clock_boot_ns();
	err = process_open(c, p);
	if (err) {
		free(p);
		return err;
	}
	*place_of(c, pid) = p;
	c->processes_count++;
	*process = p;
	return 0;
}

static uint32_t count_of(const struct prober_child *c, uint32_t uid, bool probed)
{
	uint32_t count = 0;

	for (size_t i = 0; i < PROBER_PROCESSES_MAX; i++)
		for (const struct prober_process *p = c->processes[i]; p; p = p->chain)
			count += p->uid == uid && !p->relay && (p->probed || !probed);
	return count;
}

bool prober_process_room(const struct prober_child *c, uint32_t uid, bool free, bool probed)
{
	uint32_t all = probed ? c->state.processes + c->detaching.count : c->processes_count;
	uint32_t max = probed ? c->budget.processes_max : PROBER_PROCESSES_MAX;

	/* While less than half is taken, nobody can have more than a fair share. */
	if (free || all < max / 2)
		return all < max;
	return prober_budget_share(count_of(c, uid, probed), all, max);
}

void prober_process_name(const struct prober_process *p, uint64_t hash, char name[PROBER_NAME_SIZE])
{
	snprintf(name, PROBER_NAME_SIZE, "%d_%llu_%016llx", p->pid, (unsigned long long)p->start,
		 (unsigned long long)hash);
}

static void forget_probe(struct prober_child *c, struct prober_process *p, size_t index)
{
	struct prober_probe *probe = &p->probes[index];

	if (probe->file) {
		probe->file->processes--;
		probe->file->changed = true;
	}
	*probe = p->probes[--p->count];
	if (p->count == 0 && p->probed)
		c->state.processes--;
	p->probed = p->probed && p->count;
}

void prober_process_unprobe(struct prober_child *c, struct prober_process *p, size_t index)
{
	char name[PROBER_NAME_SIZE];

	prober_process_name(p, p->probes[index].hash, name);
	if (p->probes[index].own)
		prober_detach(c, name);
	forget_probe(c, p, index);
}

void prober_process_forget(struct prober_child *c, struct prober_process *p)
{
	while (p->count)
		forget_probe(c, p, p->count - 1);
	*place_of(c, p->pid) = p->chain;
	c->processes_count--;
	close(p->pidfd);
	free(p);
}

void prober_process_end(struct prober_child *c, struct prober_process *p)
{
	while (p->count)
		prober_process_unprobe(c, p, p->count - 1);
	bpf_tls_set_pid(c->tls, p->pid, NULL);
	prober_process_forget(c, p);
}

void prober_process_each(struct prober_child *c,
			 void (*each)(struct prober_child *c, struct prober_process *p))
{
	for (size_t i = 0; i < PROBER_PROCESSES_MAX; i++) {
		struct prober_process *p = c->processes[i], *next;

		for (; p; p = next) {
			next = p->chain;
			each(c, p);
		}
	}
}

void prober_process_report(struct prober_child *c, struct prober_process *p, uint64_t since_ns)
{
	struct smtpl_tls_pid value = {};

	bpf_tls_get_pid(c->tls, p->pid, &value);
	if (!value.last_ns)
		value.last_ns = clock_boot_ns();
	if (since_ns || !value.since_ns)
		value.since_ns = since_ns ? since_ns : clock_boot_ns();
	value.files = p->count;
	if (!p->count)
		value.since_ns = 0;
	bpf_tls_set_pid(c->tls, p->pid, &value);
	if (p->count && !p->probed) {
		p->probed = true;
		c->state.processes++;
	}
}

static bool is_idle(const struct prober_child *c, const struct prober_process *p)
{
	return c->idle_ns >= p->busy_ns + IDLE_NS;
}

static void note_last(struct prober_child *c, struct prober_process *p)
{
	struct smtpl_tls_pid value = {};

	if (!is_idle(c, p))
		return;
	bpf_tls_get_pid(c->tls, p->pid, &value);
	p->busy_ns = value.last_ns;
	c->any_idle |= is_idle(c, p);
}

static void note_session(void *arg, uint32_t pid)
{
	struct prober_child *c = arg;
	struct prober_process *p = *place_of(c, pid);

	if (p)
		p->busy_ns = c->idle_ns;
}

static void end_idle(struct prober_child *c, struct prober_process *p)
{
	if (is_idle(c, p))
		prober_process_end(c, p);
}

void prober_process_end_idle(struct prober_child *c)
{
	uint64_t now_ns = clock_boot_ns();

	if (now_ns < c->idle_ns + IDLE_CHECK_NS)
		return;
	c->idle_ns = now_ns;
	c->any_idle = false;
	prober_process_each(c, note_last);
	if (c->any_idle && bpf_tls_each_session(c->tls, note_session, c) == 0)
		prober_process_each(c, end_idle);
}
