// SPDX-License-Identifier: GPL-2.0-only
/*
 * daemon_loop.c - the daemon's loop: signals, a timer, new addresses of the host, and whoever else
 * wants to be watched (daemon_children.h).
 */
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>
#include "base/clock.h"
#include "config/config_account.h"
#include "daemon.h"
#include "kernel/host_addresses.h"
#include "base/log.h"

#define TICK_NS	     (100 * 1000000)
#define TICKS_SECOND 10
#define WAKE_EVENTS  8

static void warn_if_later(const char *what, bool differs)
{
	if (differs)
		log_warning("the new %s is taken up by a restart", what);
}

/* What a restart takes up stays as it was at the start for whoever looks later, a child that is
 * started again or the file `suspended`, and the next reload compares with it. */
static void keep_until_restart(struct config *fresh, const struct config *in_force)
{
	memcpy(fresh->cgroup, in_force->cgroup, sizeof(fresh->cgroup));
	fresh->ring_bytes = in_force->ring_bytes;
	fresh->tls = in_force->tls;
	memcpy(fresh->owners_command, in_force->owners_command, sizeof(fresh->owners_command));
	fresh->feed_exim = in_force->feed_exim;
	memcpy(fresh->feed_postfix, in_force->feed_postfix, sizeof(fresh->feed_postfix));
	memcpy(fresh->state, in_force->state, sizeof(fresh->state));
	memcpy(fresh->run, in_force->run, sizeof(fresh->run));
	memcpy(fresh->bpffs, in_force->bpffs, sizeof(fresh->bpffs));
}

static void warn_of_restart(const struct config *fresh, const struct config *in_force)
{
	warn_if_later("cgroup", strcmp(fresh->cgroup, in_force->cgroup) != 0);
	warn_if_later("ring size", fresh->ring_bytes != in_force->ring_bytes);
	warn_if_later("way of looking into TLS", fresh->tls != in_force->tls);
	warn_if_later("setting of Exim's reports", fresh->feed_exim != in_force->feed_exim);
	warn_if_later("log of Postfix", strcmp(fresh->feed_postfix, in_force->feed_postfix) != 0);
	warn_if_later("[paths]", strcmp(fresh->state, in_force->state) != 0 ||
					 strcmp(fresh->run, in_force->run) != 0 ||
					 strcmp(fresh->bpffs, in_force->bpffs) != 0);
}

/* Read the file again and apply what differs; on an error everything stays as it is. */
static void reload(struct daemon *d)
{
	static struct config fresh, before; /* too large for the stack */
	char error[1024] = "";

	sd_notify(0, "RELOADING=1");
	if (config_read(d->config_file, &fresh, error, sizeof(error))) {
		log_error("%s; the settings in force stay", error);
		sd_notify(0, "READY=1");
		return;
	}
	warn_of_restart(&fresh, &d->config);
	config_warnings_log(&fresh);
	before = d->config;
	d->config = fresh;
	daemon_owners_reload(d, &before);
	keep_until_restart(&d->config, &before);
	daemon_notify_reload(d);
	if (memcmp(&before.relays, &d->config.relays, sizeof(before.relays))) {
		daemon_child_stop(d, DAEMON_POLICY);
		daemon_child_start(d, DAEMON_POLICY);
	}
	pipeline_set_replies(d->pipeline, &d->config.replies);
	pipeline_set_rule(d->pipeline, &d->config.rule, clock_boot_ns());
	bpf_set_watch(d->bpf, &d->config);
	if (d->tls)
		bpf_tls_set_watch(d->tls, &d->config);
	daemon_services_look(d);
	daemon_apply_roles(d);
	daemon_apply_relay(d);
	daemon_heartbeat(d);
	config_free(&before);
	log_notice("settings read again");
	sd_notify(0, "READY=1");
}

static void on_signal(struct daemon *d, struct daemon_source *source)
{
	struct signalfd_siginfo info;

	while (read(source->fd, &info, sizeof(info)) == sizeof(info)) {
		if (info.ssi_signo == SIGHUP)
			reload(d);
		else
			d->loop.stop = true;
	}
}

static void on_second(struct daemon *d)
{
	daemon_heartbeat(d);
	daemon_owners_poll(d);
	daemon_services_poll(d);
	daemon_children_tend(d);
	daemon_losses_show(d);
	daemon_hooks_poll(d);
	pipeline_tick(d->pipeline, clock_boot_ns());
	daemon_expire(d);
	if (daemon_snapshot(d, false)) {
		daemon_sweep(d);
		daemon_prune(d);
	}
}

/* Events of delivered mail wake nobody: they are read here. */
static void on_timer(struct daemon *d, struct daemon_source *source)
{
	uint64_t expired;

	if (read(source->fd, &expired, sizeof(expired)) != sizeof(expired))
		return;
	d->loop.ticks++;
	bpf_ring_read(d->bpf);
	/* After a halt the heartbeat is old: no second more. */
	d->loop.second_ticks += expired;
	if (d->loop.second_ticks >= TICKS_SECOND) {
		d->loop.second_ticks %= TICKS_SECOND;
		on_second(d);
	}
	daemon_snapshot_finish(d);
	if (d->list_stale)
		daemon_list_suspended(d);
	if (d->loop.ticks >= d->save.tick)
		daemon_save(d);
}

static void on_addresses(struct daemon *d, struct daemon_source *source)
{
	if (host_addresses_drain(source->fd) != 0)
		daemon_apply_addresses(d);
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

int daemon_watch(struct daemon *d, struct daemon_source *source)
{
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = source};

	return epoll_ctl(d->loop.epoll_fd, EPOLL_CTL_ADD, source->fd, &event) ? -errno : 0;
}

/* errno is of the call that made the descriptor. */
static int open_source(struct daemon *d, struct daemon_source *source, int fd,
		       void (*serve)(struct daemon *d, struct daemon_source *source))
{
	if (fd < 0)
		return -errno;
	*source = (struct daemon_source){.fd = fd, .serve = serve};
	return daemon_watch(d, source);
}

int daemon_loop_start(struct daemon *d)
{
	struct daemon_loop *l = &d->loop;
	int addresses = host_addresses_open();
	int err = 0;

	l->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (l->epoll_fd < 0)
		err = -errno;
	if (!err)
		err = open_source(d, &l->signal,
				  signalfd(-1, &l->signals, SFD_CLOEXEC | SFD_NONBLOCK), on_signal);
	if (!err)
		err = open_source(d, &l->timer, open_timer(), on_timer);
	if (!err && addresses >= 0)
		err = open_source(d, &l->addresses, addresses, on_addresses);
	else if (!err)
		log_warning("new addresses of this host will not be noticed: %s",
			    strerror(-addresses));
	if (err)
		log_error("cannot start: %s", strerror(-err));
	return err;
}

void daemon_loop(struct daemon *d)
{
	struct epoll_event events[WAKE_EVENTS];

	while (!d->loop.stop) {
		int n = epoll_wait(d->loop.epoll_fd, events, WAKE_EVENTS, -1);

		for (int i = 0; i < n && !d->loop.stop; i++) {
			struct daemon_source *source = events[i].data.ptr;

			source->serve(d, source);
		}
	}
}
