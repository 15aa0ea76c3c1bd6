// SPDX-License-Identifier: GPL-2.0-only
/*
 * cmd_run.c - `smtplimit run`, the daemon: takes up what the kernel and the database hold,
 * attaches, drops its privileges and loops over the ring, timers, signals and the responder.
 * SIGTERM leaves the kernel side as it is: counting goes on and the suspended stay refused.
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
#include "base/clock.h"
#include "daemon.h"
#include "cmd.h"
#include "base/daemon_lock.h"
#include "kernel/host_addresses.h"
#include "base/log.h"
#include "base/sandbox.h"

#define TICK_NS	     (100 * 1000000)
#define TICKS_SECOND 10

/* --- starting ------------------------------------------------------------------------------- */

static void on_cut(struct daemon *a, const struct smtpl_event *head)
{
	int err = sock_destroyer_end_session(&a->sock_destroyer, head->uid, head->cookie);

	if (err)
		log_warning("a session of uid %u is not ended, its packets are dropped: %s",
			    head->uid, strerror(-err));
}

static int on_ring(void *arg, void *data, size_t size)
{
	const struct smtpl_event *head = data;
	uint64_t now_ns = clock_boot_ns();
	struct daemon *a = arg;

	if (pipeline_event(a->pipeline, data, size, now_ns) == 0 && head->type == SMTPL_EVENT_CUT)
		on_cut(a, head);
	return 0;
}

static int watch(struct daemon *a, int fd, void *tag)
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
	const struct itimerspec every = {.it_interval.tv_nsec = TICK_NS,
					 .it_value.tv_nsec = TICK_NS};
	int fd = timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK);

	if (fd >= 0 && timerfd_settime(fd, 0, &every, NULL)) {
		close(fd);
		return -1;
	}
	return fd;
}

static int start_loop(struct daemon *a)
{
	int err = 0;

	a->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	a->signal_fd = signalfd(-1, &a->signals, SFD_CLOEXEC | SFD_NONBLOCK);
	a->timer_fd = open_timer();
	a->host_addresses_fd = host_addresses_open();
	if (a->epoll_fd < 0)
		err = -errno;
	if (!err)
		err = watch(a, a->signal_fd, &a->signal_fd);
	if (!err)
		err = watch(a, a->timer_fd, &a->timer_fd);
	if (!err && a->host_addresses_fd >= 0)
		err = watch(a, a->host_addresses_fd, &a->host_addresses_fd);
	else if (!err)
		log_warning("new addresses of this host will not be noticed: %s",
			    strerror(-a->host_addresses_fd));
	if (err)
		log_error("cannot start: %s", strerror(-err));
	return err;
}

static int start_pipeline(struct daemon *a)
{
	struct pipeline_ops ops = {
		.role = daemon_role,
		.owner = daemon_owner,
		.suspend = daemon_on_suspend,
	};

	if (getrandom(&ops.seed, sizeof(ops.seed), 0) < 0)
		return -errno;
	a->pipeline = pipeline_new(&ops, a, &a->config.rule, a->config.mode);
	return a->pipeline ? 0 : -ENOMEM;
}

static int start_kernel(struct daemon *a)
{
	char error[1024] = "";
	int err = bpf_load(&a->config, &a->bpf, error, sizeof(error));

	if (err) {
		log_error("%s", error);
		return err;
	}
	a->maps = bpf_get_maps(a->bpf);
	daemon_losses_begin(&a->losses, a->maps);
	return 0;
}

/* It needs the programs' mappings, which are kept out of later children; and no other may hold the
 * descriptor whose end it waits for. */
static int start_sock_destroyer(struct daemon *a)
{
	int err = sock_destroyer_start(&a->sock_destroyer, a->bpf);

	if (err)
		log_error("cannot start a child: %s", strerror(-err));
	return err;
}

/* The responder can be reached from this network namespace alone. 0: not known, nothing is
 * redirected. */
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
static int start_meta(struct daemon *a)
{
	a->meta.schema = SMTPL_SCHEMA;
	a->meta.pid = getpid();
	a->meta.started_ns = clock_boot_ns();
	a->meta.netns_cookie = netns_cookie();
	snprintf(a->meta.version, sizeof(a->meta.version), "%s", SMTPLIMIT_VERSION);
	daemon_heartbeat(a);
	return 0;
}

static int start_attach(struct daemon *a)
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
	static const unsigned int keep[] = {CAP_BPF,
					    CAP_PERFMON,
					    CAP_NET_ADMIN,
					    CAP_NET_BIND_SERVICE,
					    CAP_DAC_READ_SEARCH,
					    CAP_KILL,
					    SANDBOX_CHILD_CAPS};
	int err = sandbox_daemon(keep, sizeof(keep) / sizeof(keep[0]));

	if (err)
		log_error("cannot drop privileges: %s", strerror(-err));
	return err;
}

static int start(struct daemon *a)
{
	int (*const steps[])(struct daemon *) = {
		start_loop,	      start_pipeline,	      start_kernel,	   daemon_tls_start,
		start_sock_destroyer, daemon_state_open,      daemon_owners_start, daemon_restore,
		daemon_apply_roles,   daemon_apply_addresses,
	};
	int err = 0;

	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]) && !err; i++)
		err = steps[i](a);
	if (err)
		return err;
	daemon_responder_start(a);
	daemon_policy_start(a);
	daemon_maillog_start(a);
	daemon_tls_attach(a);
	err = start_meta(a);
	if (!err)
		err = start_attach(a);
	if (!err)
		err = drop_privileges();
	if (err)
		return err;
	daemon_snapshot(a, true);
	bpf_ring_read(a->bpf);
	daemon_snapshot_finish(a);
	daemon_orders(a);
	daemon_list_suspended(a);
	return 0;
}

static void finish(struct daemon *a)
{
	daemon_responder_stop(a);
	daemon_policy_stop(a);
	daemon_maillog_stop(a);
	daemon_owners_stop(a);
	sock_destroyer_stop(&a->sock_destroyer);
	daemon_tls_stop(a);
	if (a->pipeline && a->state && a->bpf && a->meta.schema) {
		daemon_losses_show(a);
		a->meta.heartbeat_ns = 0;
		bpf_maps_set_meta(a->maps, &a->meta);
		daemon_save(a);
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
static void reload(struct daemon *a)
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
	daemon_owners_reload(a, &before);
	if (memcmp(&before.relays, &a->config.relays, sizeof(before.relays))) {
		daemon_policy_stop(a);
		daemon_policy_start(a);
	}
	pipeline_set_rule(a->pipeline, &a->config.rule, a->config.mode);
	bpf_set_watch(a->bpf, &a->config);
	if (a->tls)
		bpf_tls_set_watch(a->tls, &a->config);
	daemon_apply_roles(a);
	daemon_apply_relay(a);
	daemon_heartbeat(a);
	log_notice("settings read again");
	sd_notify(0, "READY=1");
}

static void on_signal(struct daemon *a)
{
	struct signalfd_siginfo info;

	while (read(a->signal_fd, &info, sizeof(info)) == sizeof(info)) {
		if (info.ssi_signo == SIGHUP)
			reload(a);
		else if (info.ssi_signo == SIGUSR1)
			daemon_orders(a);
		else
			a->stop = true;
	}
}

static void on_second(struct daemon *a)
{
	daemon_heartbeat(a);
	daemon_owners_poll(a);
	daemon_policy_tend(a);
	daemon_maillog_tend(a);
	daemon_losses_show(a);
	pipeline_tick(a->pipeline, clock_boot_ns());
	daemon_expire(a);
	daemon_orders(a);
	if (daemon_snapshot(a, false)) {
		daemon_sweep(a);
		daemon_prune(a);
	}
}

/* Events of delivered mail wake nobody: they are read here. */
static void on_timer(struct daemon *a)
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
	daemon_snapshot_finish(a);
	if (a->list_stale)
		daemon_list_suspended(a);
	if (a->ticks >= a->save_tick)
		daemon_save(a);
}

static void on_event(struct daemon *a, const void *tag)
{
	if (tag == &a->signal_fd)
		on_signal(a);
	else if (tag == &a->timer_fd)
		on_timer(a);
	else if (tag == &a->responder)
		daemon_responder_serve(a);
	else if (tag == &a->policy)
		daemon_policy_serve(a);
	else if (tag == &a->maillog)
		daemon_maillog_serve(a);
	else if (tag == &a->prober)
		daemon_tls_serve(a);
	else if (tag == &a->bpf)
		bpf_ring_read(a->bpf);
	else if (tag == &a->host_addresses_fd && host_addresses_drain(a->host_addresses_fd) != 0)
		daemon_apply_addresses(a);
}

static void loop(struct daemon *a)
{
	struct epoll_event events[8];

	while (!a->stop) {
		int n = epoll_wait(a->epoll_fd, events, 8, -1);

		for (int i = 0; i < n && !a->stop; i++)
			on_event(a, events[i].data.ptr);
	}
}

static int run_locked(struct daemon *a)
{
	int err = start(a);

	if (!err) {
		log_notice("smtplimit " SMTPLIMIT_VERSION
			   ", mode = %s, %u %% and at least %u failures in %lld s",
			   a->config.mode == VERDICT_ENFORCE ? "enforce" : "observe",
			   a->config.rule.percent, a->config.rule.min_failures,
			   (long long)a->config.rule.window_s);
		log_notice("ready");
		sd_notify(0, "READY=1");
		loop(a);
		sd_notify(0, "STOPPING=1");
		log_notice(
			"stopped; counting and refusals go on in the kernel (`smtplimit unload` ends them)");
	}
	finish(a);
	return err ? CMD_FAILED : CMD_DONE;
}

int cmd_run(struct cli *cli, int argc, char **argv)
{
	static struct daemon a = {.lock_fd = -1,
				  .host_addresses_fd = -1,
				  .responder.fd = -1,
				  .sock_destroyer.fd = -1,
				  .policy.fd = -1,
				  .maillog.fd = -1,
				  .prober.fd = -1};
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
	err = daemon_lock_take(a.config.run, &a.lock_fd);
	if (err) {
		if (err == -EBUSY)
			log_error("another smtplimit runs already, pid %d",
				  (int)daemon_lock_pid(a.config.run));
		else
			log_error("\"%s\": %s", a.config.run, strerror(-err));
		return CMD_FAILED;
	}
	return run_locked(&a);
}
