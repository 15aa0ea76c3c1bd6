// SPDX-License-Identifier: GPL-2.0-only
/*
 * prober.c - the start of the prober and its loop: requests, processes that end, and the work of
 * each second.
 */
#include <errno.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>
#include "base/clock.h"
#include "headers/maps.h"
#include "base/child.h"
#include "prober_child.h"

/* In epoll beside pids. */
#define TAG_ASKS  (1ull << 32)
#define TAG_TIMER (TAG_ASKS + 1)
#define TAG_GUARD (TAG_ASKS + 2)

static void on_second(struct prober_child *c, uint64_t now_ns)
{
	c->second_ns = now_ns + NS_PER_S;
	if (prober_pause_tend(c, now_ns)) {
		prober_library_check(c);
	} else {
		prober_detach_tend(c, now_ns);
		prober_process_end_idle(c);
		prober_library_tend(c);
	}
	prober_report(c, now_ns);
}

/* --- asks ----------------------------------------------------------------------------------- */

static struct prober_process *process_of(struct prober_child *c, const struct smtpl_tls_ask *ask)
{
	bool relay = ask->role == SMTPL_ROLE_RELAY;
	struct prober_process *p;

	if (!prober_process_room(c, ask->uid, relay, false)) {
		c->state.skipped++;
		return NULL;
	}
	if (prober_process_begin(c, ask->pid, &p)) {
		c->state.unreadable++;
		return NULL;
	}
	p->uid = ask->uid;
	p->relay = relay;
	return p;
}

static void count_scan(struct prober_child *c, struct prober_process *p, int err, bool was_probed)
{
	if (err == -EDQUOT)
		c->state.skipped++;
	else if (err)
		c->state.unreadable++;
	else if (!p->count && prober_process_ended(p))
		c->state.unreadable++; /* it ended during the scan */
	else if (!p->count)
		c->state.without++;
	else if (!was_probed)
		c->state.probed++;
	if (err)
		prober_process_end(c, p);
}

static void scan(struct prober_child *c, const struct smtpl_tls_ask *ask, struct prober_process *p)
{
	bool known = p != NULL, was_probed = p && p->count;
	int err;

	if (!p)
		p = process_of(c, ask);
	if (!p)
		return;
	err = prober_scan(c, p, PROBER_SCAN_ASKED);
	if (!known || err || p->count)
		count_scan(c, p, err, was_probed);
}

static void on_ask(void *arg, const struct smtpl_tls_ask *ask)
{
	struct prober_child *c = arg;
	uint64_t now_ns = clock_boot_ns();
	struct prober_process *p;

	c->ask_ns = now_ns;
	/* Many requests are read at once. If the guard is gone, the loop ends after them. */
	if (!prober_pause_take(c) || c->state.paused_ns) {
		c->state.skipped++;
		return;
	}
	p = prober_process_find(c, ask->pid);
	if (p && (!ask->again || p->count)) {
		prober_process_report(c, p, 0);
		return;
	}
	if (ask->role != SMTPL_ROLE_RELAY && !prober_budget_work(&c->budget, ask->uid, now_ns)) {
		c->state.skipped++;
		return;
	}
	scan(c, ask, p);
	prober_budget_worked(&c->budget, ask->uid, clock_boot_ns() - now_ns, now_ns);
	/* Many requests must not delay the heartbeat. */
	if (now_ns >= c->second_ns)
		on_second(c, now_ns);
}

/* --- the loop ------------------------------------------------------------------------------- */

static int watch(struct prober_child *c, int fd, uint64_t tag)
{
	struct epoll_event event = {.events = EPOLLIN, .data.u64 = tag};

	return fd < 0 || epoll_ctl(c->epoll_fd, EPOLL_CTL_ADD, fd, &event) ? -errno : 0;
}

static int open_loop(struct prober_child *c)
{
	const struct itimerspec second = {.it_interval.tv_sec = 1, .it_value.tv_sec = 1};
	int err;

	c->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	c->timer_fd = timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK);
	if (c->epoll_fd < 0 || c->timer_fd < 0 || timerfd_settime(c->timer_fd, 0, &second, NULL))
		return -errno;
	err = bpf_tls_asks_open(c->tls, on_ask, c);
	if (!err)
		err = watch(c, bpf_tls_asks_fd(c->tls), TAG_ASKS);
	if (!err && c->guard.pid)
		err = watch(c, c->guard.fd, TAG_GUARD);
	return err ? err : watch(c, c->timer_fd, TAG_TIMER);
}

/* False: it is over. */
static bool on_event(struct prober_child *c, uint64_t tag)
{
	uint64_t expired;

	if (tag == TAG_GUARD)
		return prober_pause_take(c);
	if (tag == TAG_ASKS)
		bpf_tls_asks_read(c->tls);
	else if (tag != TAG_TIMER)
		prober_process_find(c, tag); /* which forgets one that has ended */
	else if (read(c->timer_fd, &expired, sizeof(expired)) == sizeof(expired))
		on_second(c, clock_boot_ns());
	return true;
}

static void loop(struct prober_child *c)
{
	struct epoll_event events[64];
	bool goes_on = true;

	while (goes_on && !c->guard_lost) {
		int n = epoll_wait(c->epoll_fd, events, 64, -1);

		for (int i = 0; i < n && goes_on; i++)
			goes_on = on_event(c, events[i].data.u64);
	}
}

/* There is a descriptor for each process. */
static void allow_files(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

/* In a pause existing probes stay, except those in files that have changed or are not known any
 * more. */
static void take_over(struct prober_child *c, bool again)
{
	prober_budget_init(&c->budget, bpf_tls_way(c->tls));
	sandbox_hide_mappings(); /* from the reader of files */
	prober_report_start(c, again);
	prober_library_learn(c);
	prober_recover_files(c);
	if (!c->state.paused_ns)
		prober_library_start(c);
	prober_report(c, clock_boot_ns()); /* for the next prober, should this one end now */
}

int prober_main(void *arg, int fd, pid_t parent)
{
	static struct prober_child child = {.reader.fd = -1,
					    .guard.fd = -1}; /* too large for the stack */
	static const unsigned int keep[] = {PROBER_CAPS};
	struct prober_child *c = &child;
	const struct prober_args *args = arg;
	int err;

	err = prober_pause_start(c);
	if (!err)
		err = sandbox_helper("smtpl-prober", parent, keep, sizeof(keep) / sizeof(keep[0]));
	c->tls = args->tls;
	c->config = args->config;
	allow_files();
	if (!err)
		err = open_loop(c);
	if (!err)
		take_over(c, args->again);
	if (!child_locked_in(fd, err))
		return 1;
	if (!c->state.paused_ns)
		prober_recover_processes(c);
	on_second(c, clock_boot_ns());
	loop(c);
	return 1;
}
