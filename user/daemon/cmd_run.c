// SPDX-License-Identifier: GPL-2.0-only
/*
 * cmd_run.c - `smtplimit run`, the daemon: takes up what the kernel and the database hold,
 * attaches, drops its privileges and loops (daemon_loop.c). SIGTERM leaves the kernel side as it
 * is: counting goes on and the suspended stay refused.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>
#include "base/clock.h"
#include "config/config_account.h"
#include "daemon.h"
#include "cmd.h"
#include "base/daemon_lock.h"
#include "base/log.h"
#include "base/sandbox.h"

/* --- the socket destroyer ------------------------------------------------------------------- */

static int destroyer_start(struct daemon *d)
{
	int err = sock_destroyer_start(&d->sock_destroyer, d->bpf);

	if (err)
		log_error("cannot start a child: %s", strerror(-err));
	return err ? err : d->sock_destroyer.fd;
}

static void destroyer_stop(struct daemon *d)
{
	sock_destroyer_stop(&d->sock_destroyer);
}

const struct daemon_child_kind daemon_destroyer_kind = {
	.what = "the child that ends open sessions",
	.once = true,
	.start = destroyer_start,
	.stop = destroyer_stop,
};

/* --- the ring ------------------------------------------------------------------------------- */

static void on_cut(struct daemon *d, const struct smtpl_event *head)
{
	int err = sock_destroyer_end_session(&d->sock_destroyer, head->uid, head->cookie);

	if (err)
		log_warning("a session of uid %u is not ended, its packets are dropped: %s",
			    head->uid, strerror(-err));
}

static int on_ring(void *arg, void *data, size_t size)
{
	const struct smtpl_event *head = data;
	uint64_t now_ns = clock_boot_ns();
	struct daemon *d = arg;

	if (pipeline_event(d->pipeline, data, size, now_ns) == 0 && head->type == SMTPL_EVENT_CUT)
		on_cut(d, head);
	return 0;
}

static void read_ring(struct daemon *d, struct daemon_source *source)
{
	(void)source;
	bpf_ring_read(d->bpf);
}

static int start_ring(struct daemon *d)
{
	int err = bpf_ring_open(d->bpf, on_ring, d);

	if (!err) {
		d->loop.ring =
			(struct daemon_source){.fd = bpf_ring_fd(d->bpf), .serve = read_ring};
		err = daemon_watch(d, &d->loop.ring);
	}
	if (err)
		log_error("cannot read the ring buffer: %s", strerror(-err));
	return err;
}

/* --- starting ------------------------------------------------------------------------------- */

/* Blocked before the lock is taken: whoever finds the lock held may send one at once. */
static void block_signals(sigset_t *set)
{
	sigemptyset(set);
	sigaddset(set, SIGTERM);
	sigaddset(set, SIGINT);
	sigaddset(set, SIGHUP);
	sigprocmask(SIG_BLOCK, set, NULL);
	signal(SIGPIPE, SIG_IGN);
}

static int start_pipeline(struct daemon *d)
{
	struct pipeline_ops ops = {
		.payer = daemon_payer_ops,
		.suspend = daemon_on_suspend,
		.rule = daemon_rule,
		.near = daemon_on_near,
		.alarm = daemon_on_alarm,
		.bypass = daemon_on_bypass,
		.outcome = daemon_on_outcome,
	};

	if (getrandom(&ops.seed, sizeof(ops.seed), 0) < 0)
		return -errno;
	d->facts = notice_facts_new(ops.seed);
	d->pipeline = pipeline_new(&ops, d, &d->config.rule);
	if (!d->pipeline || !d->facts)
		return -ENOMEM;
	pipeline_set_replies(d->pipeline, &d->config.replies);
	return 0;
}

static int start_kernel(struct daemon *d)
{
	char error[1024] = "";
	int err = bpf_load(&d->config, &d->bpf, error, sizeof(error));

	if (err) {
		log_error("%s", error);
		return err;
	}
	d->maps = bpf_get_maps(d->bpf);
	daemon_losses_begin(&d->losses, d->maps);
	return 0;
}

/* It needs the mappings of the programs, which are kept out of later children. */
static int start_destroyer(struct daemon *d)
{
	return daemon_child_start(d, DAEMON_DESTROYER);
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
static int start_meta(struct daemon *d)
{
	d->meta.schema = SMTPL_SCHEMA;
	d->meta.pid = getpid();
	d->meta.started_ns = clock_boot_ns();
	d->meta.netns_cookie = netns_cookie();
	snprintf(d->meta.version, sizeof(d->meta.version), "%s", SMTPLIMIT_VERSION);
	daemon_heartbeat(d);
	return 0;
}

static int start_attach(struct daemon *d)
{
	char error[1024] = "";
	int err = start_ring(d);

	if (err)
		return err;
	err = bpf_attach(d->bpf, error, sizeof(error));
	if (!err)
		return 0;
	log_error("%s", error);
	if (!bpf_attached(d->bpf)) { /* nor by an earlier start: nothing counts */
		d->meta.schema = 0;
		bpf_maps_set_meta(d->maps, &d->meta);
	}
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

static int start(struct daemon *d)
{
	int (*const steps[])(struct daemon *) = {
		daemon_loop_start,     daemon_orders_start, start_pipeline,
		start_kernel,	       daemon_tls_start,    start_destroyer,
		daemon_state_open,     daemon_owners_start, daemon_restore,
		daemon_services_start, daemon_apply_roles,  daemon_apply_addresses,
	};
	int err = 0;

	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]) && !err; i++)
		err = steps[i](d);
	if (err)
		return err;
	daemon_notify_start(d);
	daemon_child_start(d, DAEMON_RESPONDER);
	daemon_child_start(d, DAEMON_POLICY);
	daemon_child_start(d, DAEMON_MAILLOG);
	daemon_tls_attach(d);
	err = start_meta(d);
	if (!err)
		err = start_attach(d);
	if (!err)
		err = drop_privileges();
	if (err)
		return err;
	daemon_snapshot(d, true);
	bpf_ring_read(d->bpf);
	daemon_snapshot_finish(d);
	daemon_list_suspended(d);
	return 0;
}

static void finish(struct daemon *d)
{
	daemon_children_stop(d);
	daemon_notify_stop(d);
	daemon_owners_stop(d);
	daemon_services_stop(d);
	daemon_hooks_stop(d);
	daemon_tls_stop(d);
	if (d->pipeline && d->state && d->bpf && d->meta.schema) {
		daemon_losses_show(d);
		d->meta.heartbeat_ns = 0;
		bpf_maps_set_meta(d->maps, &d->meta);
		daemon_save(d);
	}
	free(d->unsaved);
	prune_free(&d->prune);
	users_free(&d->users);
	pipeline_free(d->pipeline);
	notice_facts_free(d->facts);
	state_close(d->state);
	bpf_free(d->bpf);
}

static int run_locked(struct daemon *d)
{
	int err = start(d);

	if (!err) {
		log_notice("smtplimit " SMTPLIMIT_VERSION
			   ", mode = %s, %u %% and at least %u failures in %lld s",
			   d->config.rule.mode == VERDICT_ENFORCE ? "enforce" : "observe",
			   d->config.rule.percent, d->config.rule.min_failures,
			   (long long)d->config.rule.window_s);
		log_notice("ready");
		sd_notify(0, "READY=1");
		daemon_loop(d);
		sd_notify(0, "STOPPING=1");
		log_notice(
			"stopped; counting and refusals go on in the kernel (`smtplimit unload` ends them)");
	}
	finish(d);
	return err ? CMD_FAILED : CMD_DONE;
}

int cmd_run(struct cli *cli, int argc, char **argv)
{
	static struct daemon d;
	char error[1024] = "";
	int lock_fd, err;

	if (argc > 1) {
		log_error("run takes no argument, not \"%s\"", argv[1]);
		return CMD_USAGE;
	}
	if (geteuid() != 0) {
		log_error("run must be started by root");
		return CMD_FAILED;
	}
	d.config_file = cli->config_file;
	if (config_read(d.config_file, &d.config, error, sizeof(error))) {
		log_error("%s", error);
		return CMD_FAILED;
	}
	config_warnings_log(&d.config);
	daemon_children_init(&d);
	block_signals(&d.loop.signals);
	err = daemon_lock_take(d.config.run, &lock_fd);
	if (err) {
		if (err == -EBUSY)
			log_error("another smtplimit runs already, pid %d",
				  (int)daemon_lock_pid(d.config.run));
		else
			log_error("\"%s\": %s", d.config.run, strerror(-err));
		return CMD_FAILED;
	}
	return run_locked(&d);
}
