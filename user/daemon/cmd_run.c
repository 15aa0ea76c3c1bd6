// SPDX-License-Identifier: GPL-2.0-only
/*
 * cmd_run.c - `smtplimit run`, the daemon: takes up what the kernel and the database hold, attaches,
 * drops its privileges and loops over the ring, timers, signals and the responder. SIGTERM leaves the
 * kernel side as it is: counting goes on and the suspended stay refused.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <systemd/sd-daemon.h>
#include <time.h>
#include <unistd.h>
#include "agent.h"
#include "cmd.h"
#include "base/daemon.h"
#include "kernel/locals.h"
#include "base/log.h"
#include "base/sandbox.h"

#define TICK_NS (100 * 1000000)
#define TICKS_SECOND 10

uint64_t agent_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return now.tv_sec * 1000000000ull + now.tv_nsec;
}

/* What to add to boot time for Unix time, as of now: the wall clock may be set at any moment. */
static int64_t wall_ahead_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return now.tv_sec * 1000000000ll + now.tv_nsec - (int64_t)agent_now_ns();
}

int64_t agent_wall_ns(uint64_t boot_ns)
{
	return (int64_t)boot_ns + wall_ahead_ns();
}

uint64_t agent_boot_ns(int64_t wall_ns)
{
	int64_t boot_ns = wall_ns - wall_ahead_ns(), now_ns = (int64_t)agent_now_ns();

	return boot_ns < 0 ? 0 : boot_ns < now_ns ? boot_ns : now_ns;
}

/* --- starting ------------------------------------------------------------------------------- */

static void on_cut(struct agent *a, const struct smtpl_event *head)
{
	int err = cutter_cut_session(&a->cutter, head->uid, head->cookie);

	if (err)
		log_warning("a session of uid %u is not ended, its packets are dropped: %s", head->uid,
			    strerror(-err));
}

static int on_ring(void *arg, void *data, size_t size)
{
	const struct smtpl_event *head = data;
	uint64_t now_ns = agent_now_ns();
	struct agent *a = arg;

	if (pipeline_event(a->pipeline, data, size, now_ns) == 0 && head->type == SMTPL_EVENT_CUT)
		on_cut(a, head);
	return 0;
}

static int watch(struct agent *a, int fd, void *tag)
{
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = tag};

	if (fd < 0)
		return -errno;
	return epoll_ctl(a->epoll_fd, EPOLL_CTL_ADD, fd, &event) ? -errno : 0;
}

/* Blocked before the lock is taken: whoever finds the lock held may send one at once. */
static void block_signals(sigset_t *set)
{
	sigemptyset(set);
	sigaddset(set, SIGTERM);
	sigaddset(set, SIGINT);
	sigaddset(set, SIGHUP);
	sigaddset(set, SIGUSR1);
	sigprocmask(SIG_BLOCK, set, NULL);
	signal(SIGPIPE, SIG_IGN);
}

static int open_timer(void)
{
	const struct itimerspec every = {.it_interval.tv_nsec = TICK_NS, .it_value.tv_nsec = TICK_NS};
	int fd = timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK);

	if (fd >= 0 && timerfd_settime(fd, 0, &every, NULL)) {
		close(fd);
		return -1;
	}
	return fd;
}

static int start_loop(struct agent *a)
{
	int err = 0;

	a->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	a->signal_fd = signalfd(-1, &a->signals, SFD_CLOEXEC | SFD_NONBLOCK);
	a->timer_fd = open_timer();
	a->locals_fd = locals_open();
	if (a->epoll_fd < 0)
		err = -errno;
	if (!err)
		err = watch(a, a->signal_fd, &a->signal_fd);
	if (!err)
		err = watch(a, a->timer_fd, &a->timer_fd);
	if (!err && a->locals_fd >= 0)
		err = watch(a, a->locals_fd, &a->locals_fd);
	else if (!err)
		log_warning("new addresses of this host will not be noticed: %s", strerror(-a->locals_fd));
	if (err)
		log_error("cannot start: %s", strerror(-err));
	return err;
}

static int start_pipeline(struct agent *a)
{
	struct pipeline_ops ops = {
		.role = agent_role,
		.owner = agent_owner,
		.suspend = agent_on_suspend,
	};

	if (getrandom(&ops.seed, sizeof(ops.seed), 0) < 0)
		return -errno;
	a->pipeline = pipeline_new(&ops, a, &a->config.rule, a->config.mode);
	return a->pipeline ? 0 : -ENOMEM;
}

static int start_kernel(struct agent *a)
{
	char error[1024] = "";
	int err = bpf_load(&a->config, &a->bpf, error, sizeof(error));

	if (err) {
		log_error("%s", error);
		return err;
	}
	a->maps = bpf_get_maps(a->bpf);
	return 0;
}

/* It needs the programs' mappings, which are kept out of later children; and no other may hold the
 * descriptor whose end it waits for. */
static int start_cutter(struct agent *a)
{
	int err = cutter_start(&a->cutter, a->bpf);

	if (err)
		log_error("cannot start a child: %s", strerror(-err));
	return err;
}

/* The responder can be reached from this network namespace alone. 0: not known, nothing is redirected. */
static uint64_t netns_cookie(void)
{
	uint64_t cookie = 0;
	socklen_t size = sizeof(cookie);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return 0;
	if (getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &size))
		log_warning("no network namespace cookie: refused connects fail without a text: %s",
			    strerror(errno));
	close(fd);
	return cookie;
}

/* The map's schema is written last: a start that was killed before begins anew. */
static int start_meta(struct agent *a)
{
	a->meta.schema = SMTPL_SCHEMA;
	a->meta.pid = getpid();
	a->meta.started_ns = agent_now_ns();
	a->meta.netns_cookie = netns_cookie();
	snprintf(a->meta.version, sizeof(a->meta.version), "%s", SMTPLIMIT_VERSION);
	agent_heartbeat(a);
	return 0;
}

static int start_attach(struct agent *a)
{
	char error[1024] = "";
	int err = bpf_ring_open(a->bpf, on_ring, a);

	if (!err)
		err = watch(a, bpf_ring_fd(a->bpf), &a->bpf);
	if (err)
		log_error("cannot read the ring buffer: %s", strerror(-err));
	else if ((err = bpf_attach(a->bpf, error, sizeof(error))))
		log_error("%s", error);
	return err;
}

static int drop_privileges(void)
{
	/* CAP_DAC_READ_SEARCH: panels' files and mail logs may belong to others, and come anew. */
	static const unsigned int keep[] = {CAP_BPF, CAP_PERFMON, CAP_NET_ADMIN, CAP_NET_BIND_SERVICE,
					    CAP_DAC_READ_SEARCH, CAP_KILL, SANDBOX_CHILD_CAPS};
	int err = sandbox_daemon(keep, sizeof(keep) / sizeof(keep[0]));

	if (err)
		log_error("cannot drop privileges: %s", strerror(-err));
	return err;
}

static int start(struct agent *a)
{
	int (*const steps[])(struct agent *) = {
		start_loop, start_pipeline, start_kernel, agent_tls_start, start_cutter, agent_state_open,
		agent_owners_start, agent_restore, agent_apply_roles, agent_apply_locals,
	};
	int err = 0;

	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]) && !err; i++)
		err = steps[i](a);
	if (err)
		return err;
	agent_responder_start(a);
	agent_door_start(a);
	agent_postlog_start(a);
	agent_tls_attach(a);
	err = start_meta(a);
	if (!err)
		err = start_attach(a);
	if (!err)
		err = drop_privileges();
	if (err)
		return err;
	agent_snapshot(a, true);
	bpf_ring_read(a->bpf);
	agent_snapshot_finish(a);
	agent_orders(a);
	agent_list_suspended(a);
	return 0;
}

static void finish(struct agent *a)
{
	agent_responder_stop(a);
	agent_door_stop(a);
	agent_postlog_stop(a);
	agent_owners_stop(a);
	cutter_stop(&a->cutter);
	agent_tls_stop(a);
	if (a->pipeline && a->state && a->bpf && a->meta.schema) {
		a->meta.heartbeat_ns = 0;
		bpf_maps_set_meta(a->maps, &a->meta);
		agent_save(a);
	}
	free(a->unsaved);
	prune_free(&a->prune);
	users_free(&a->users);
	pipeline_free(a->pipeline);
	state_close(a->state);
	bpf_free(a->bpf);
}

/* --- the loop ------------------------------------------------------------------------------- */

static void say_if_later(const char *what, bool differs)
{
	if (differs)
		log_warning("the new %s is taken up by a restart", what);
}

/* Read the file again and apply what differs; on an error everything stays as it is. */
static void reload(struct agent *a)
{
	static struct config fresh, before; /* too large for the stack */
	char error[1024] = "";

	sd_notify(0, "RELOADING=1");
	if (config_read(a->config_file, &fresh, error, sizeof(error))) {
		log_error("%s; the settings in force stay", error);
		sd_notify(0, "READY=1");
		return;
	}
	say_if_later("cgroup", strcmp(fresh.cgroup, a->config.cgroup) != 0);
	say_if_later("ring size", fresh.ring_bytes != a->config.ring_bytes);
	say_if_later("way of looking into TLS", fresh.tls != a->config.tls);
	say_if_later("log of Postfix", strcmp(fresh.feed_postfix, a->config.feed_postfix) != 0);
	say_if_later("[paths]", strcmp(fresh.state, a->config.state) != 0 ||
					strcmp(fresh.run, a->config.run) != 0 ||
					strcmp(fresh.bpffs, a->config.bpffs) != 0);
	before = a->config;
	a->config = fresh;
	agent_owners_reload(a, &before);
	if (memcmp(&before.relays, &a->config.relays, sizeof(before.relays))) {
		agent_door_stop(a);
		agent_door_start(a);
	}
	pipeline_set_rule(a->pipeline, &a->config.rule, a->config.mode);
	bpf_set_watch(a->bpf, &a->config);
	if (a->tls)
		bpf_tls_set_watch(a->tls, &a->config);
	agent_apply_roles(a);
	agent_apply_relay(a);
	agent_heartbeat(a);
	log_notice("settings read again");
	sd_notify(0, "READY=1");
}

static void on_signal(struct agent *a)
{
	struct signalfd_siginfo info;

	while (read(a->signal_fd, &info, sizeof(info)) == sizeof(info)) {
		if (info.ssi_signo == SIGHUP)
			reload(a);
		else if (info.ssi_signo == SIGUSR1)
			agent_orders(a);
		else
			a->stop = true;
	}
}

static void on_second(struct agent *a)
{
	agent_heartbeat(a);
	agent_owners_poll(a);
	agent_door_tend(a);
	agent_postlog_tend(a);
	pipeline_tick(a->pipeline, agent_now_ns());
	agent_expire(a);
	agent_orders(a);
	if (agent_snapshot(a, false)) {
		agent_sweep(a);
		agent_prune(a);
	}
}

/* Events of delivered mail wake nobody: they are read here. */
static void on_timer(struct agent *a)
{
	uint64_t expired;

	if (read(a->timer_fd, &expired, sizeof(expired)) != sizeof(expired))
		return;
	a->ticks++;
	bpf_ring_read(a->bpf);
	/* After a halt the heartbeat is old: no second more. */
	a->second_ticks += expired;
	if (a->second_ticks >= TICKS_SECOND) {
		a->second_ticks %= TICKS_SECOND;
		on_second(a);
	}
	agent_snapshot_finish(a);
	if (a->list_stale)
		agent_list_suspended(a);
	if (a->ticks >= a->save_tick)
		agent_save(a);
}

static void on_event(struct agent *a, const void *tag)
{
	if (tag == &a->signal_fd)
		on_signal(a);
	else if (tag == &a->timer_fd)
		on_timer(a);
	else if (tag == &a->responder)
		agent_responder_serve(a);
	else if (tag == &a->door)
		agent_door_serve(a);
	else if (tag == &a->postlog)
		agent_postlog_serve(a);
	else if (tag == &a->prober)
		agent_tls_serve(a);
	else if (tag == &a->bpf)
		bpf_ring_read(a->bpf);
	else if (tag == &a->locals_fd && locals_drain(a->locals_fd) != 0)
		agent_apply_locals(a);
}

static void loop(struct agent *a)
{
	struct epoll_event events[8];

	while (!a->stop) {
		int n = epoll_wait(a->epoll_fd, events, 8, -1);

		for (int i = 0; i < n && !a->stop; i++)
			on_event(a, events[i].data.ptr);
	}
}

static int run_locked(struct agent *a)
{
	int err = start(a);

	if (!err) {
		log_notice("smtplimit " SMTPLIMIT_VERSION ", mode = %s, %u %% and at least %u failures in %lld s",
			   a->config.mode == CONFIG_ENFORCE ? "enforce" : "observe",
			   a->config.rule.percent, a->config.rule.min_failures,
			   (long long)a->config.rule.window_s);
		log_notice("ready");
		sd_notify(0, "READY=1");
		loop(a);
		sd_notify(0, "STOPPING=1");
		log_notice("stopped; counting and refusals go on in the kernel (`smtplimit unload` ends them)");
	}
	finish(a);
	return err ? CMD_FAILED : CMD_DONE;
}

int cmd_run(struct cli *cli, int argc, char **argv)
{
	static struct agent a = {.lock_fd = -1, .locals_fd = -1, .responder.fd = -1,
				 .cutter.fd = -1, .door.fd = -1, .postlog.fd = -1, .prober.fd = -1};
	char error[1024] = "";
	int err;

	if (argc > 1) {
		log_error("run takes no argument, not \"%s\"", argv[1]);
		return CMD_USAGE;
	}
	if (geteuid() != 0) {
		log_error("run must be started by root");
		return CMD_FAILED;
	}
	a.config_file = cli->config_file;
	if (config_read(a.config_file, &a.config, error, sizeof(error))) {
		log_error("%s", error);
		return CMD_FAILED;
	}
	block_signals(&a.signals);
	err = daemon_lock(a.config.run, &a.lock_fd);
	if (err) {
		if (err == -EBUSY)
			log_error("another smtplimit runs already, pid %d", (int)daemon_pid(a.config.run));
		else
			log_error("\"%s\": %s", a.config.run, strerror(-err));
		return CMD_FAILED;
	}
	return run_locked(&a);
}
