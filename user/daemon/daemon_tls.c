// SPDX-License-Identifier: GPL-2.0-only
/*
 * daemon_tls.c - seeing inside TLS: the programs, where they are attached, and the child that puts
 * probes where they are needed. Without any of that sessions in TLS are opaque, and the rest goes
 * on.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "daemon.h"
#include "tls/guard.h"
#include "base/log.h"

static void remove_all(const struct daemon *d)
{
	uint32_t ms = bpf_tls_remove_ms(d->config.bpffs);
	struct guard guard = {.fd = -1};

	if (ms)
		guard_start_or_warn(&guard);
	bpf_tls_remove(d->config.bpffs);
	guard_finish(&guard, ms);
}

/* It tries a probe on the daemon's own file, which anybody may have mapped. */
static int load(struct daemon *d, char *error, size_t error_size)
{
	struct guard guard = {.fd = -1};
	int err;

	guard_start_or_warn(&guard);
	err = bpf_tls_load(&d->config, &d->tls, error, error_size);
	guard_stop(&guard);
	return err;
}

static void give_up(struct daemon *d, const char *why)
{
	log_warning("sessions in TLS are opaque: %s", why);
	daemon_child_stop(d, DAEMON_PROBER);
	daemon_tls_stop(d);
	remove_all(d);
}

int daemon_tls_start(struct daemon *d)
{
	char error[1024] = "";

	if (d->config.tls == SMTPL_TLS_OFF)
		remove_all(d);
	else if (load(d, error, sizeof(error)))
		give_up(d, error);
	else if (daemon_child_start(d, DAEMON_PROBER) && d->tls)
		give_up(d, "the prober is not watched");
	return 0;
}

void daemon_tls_attach(struct daemon *d)
{
	char error[1024] = "";

	if (d->tls) {
		bpf_tls_set_watch(d->tls, &d->config);
		if (bpf_tls_attach(d->tls, error, sizeof(error)))
			give_up(d, error);
	}
	bpf_set_tls(d->bpf, d->tls ? d->config.tls : SMTPL_TLS_OFF);
}

void daemon_tls_stop(struct daemon *d)
{
	bpf_tls_free(d->tls);
	d->tls = NULL;
}

/* --- the child ------------------------------------------------------------------------------ */

static int begin(struct daemon *d)
{
	int err = prober_start(&d->prober, d->tls, d->bpf, &d->config);
	char error[128];

	if (!err)
		return d->prober.fd;
	snprintf(error, sizeof(error), "cannot start a child: %s", strerror(-err));
	give_up(d, error);
	return err;
}

/* It reports by maps alone: that the pair is readable means its end. */
static int serve(struct daemon *d)
{
	(void)d;
	return -EPIPE;
}

static void stop(struct daemon *d)
{
	prober_stop(&d->prober);
}

/* Whoever starts the prober again has given up. */
static void gone(struct daemon *d)
{
	struct smtpl_tls_state state;

	log_error(
		"the child that puts probes on TLS libraries is gone for good: further processes are opaque "
		"in TLS until a restart");
	if (bpf_tls_get_state(d->tls, &state))
		return;
	state.pid = 0;
	state.paused_ns = 0;
	bpf_tls_set_state(d->tls, &state);
}

const struct daemon_child_kind daemon_prober_kind = {
	.what = "the child that puts probes on TLS libraries",
	.once = true,
	.start = begin,
	.serve = serve,
	.stop = stop,
	.gone = gone,
};
