// SPDX-License-Identifier: GPL-2.0-only
/*
 * daemon_tls.c - looking into TLS: the programs, their hooks, and the child that puts probes where
 * they are needed. Without any of that sessions in TLS are opaque; the rest goes on.
 */
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include "daemon.h"
#include "tls/guard.h"
#include "base/log.h"

/* Other children hold the pair's end as well, and epoll goes by the last of them. */
static void stop_prober(struct daemon *a)
{
	if (a->prober.fd >= 0)
		epoll_ctl(a->epoll_fd, EPOLL_CTL_DEL, a->prober.fd, NULL);
	prober_stop(&a->prober);
}

static void remove_all(const struct daemon *a)
{
	uint32_t ms = bpf_tls_remove_ms(a->config.bpffs);
	struct guard guard = {.fd = -1};

	if (ms)
		guard_start_or_warn(&guard);
	bpf_tls_remove(a->config.bpffs);
	guard_finish(&guard, ms);
}

/* It tries a probe on our own file, which anybody may have mapped. */
static int load(struct daemon *a, char *error, size_t error_size)
{
	struct guard guard = {.fd = -1};
	int err;

	guard_start_or_warn(&guard);
	err = bpf_tls_load(&a->config, &a->tls, error, error_size);
	guard_stop(&guard);
	return err;
}

static void give_up(struct daemon *a, const char *why)
{
	log_warning("sessions in TLS are opaque: %s", why);
	stop_prober(a);
	bpf_tls_free(a->tls);
	a->tls = NULL;
	remove_all(a);
}

/* The child needs capabilities that are dropped later, and the programs' mappings, which are kept
 * out of later children. */
int daemon_tls_start(struct daemon *a)
{
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = &a->prober};
	char error[1024] = "";
	int err;

	if (a->config.tls == SMTPL_TLS_OFF) {
		remove_all(a);
		return 0;
	}
	if (load(a, error, sizeof(error))) {
		give_up(a, error);
		return 0;
	}
	err = prober_start(&a->prober, a->tls, a->bpf, &a->config);
	if (err) {
		snprintf(error, sizeof(error), "cannot start a child: %s", strerror(-err));
		give_up(a, error);
		return 0;
	}
	epoll_ctl(a->epoll_fd, EPOLL_CTL_ADD, a->prober.fd, &event);
	return 0;
}

void daemon_tls_attach(struct daemon *a)
{
	char error[1024] = "";

	if (a->tls) {
		bpf_tls_set_watch(a->tls, &a->config);
		if (bpf_tls_attach(a->tls, error, sizeof(error)))
			give_up(a, error);
	}
	bpf_set_tls(a->bpf, a->tls ? a->config.tls : SMTPL_TLS_OFF);
}

/* It speaks by maps alone: the pair tells of its end. It needs more than the daemon has by now, and
 * whoever starts it again has given up. */
void daemon_tls_serve(struct daemon *a)
{
	struct smtpl_tls_state state;

	stop_prober(a);
	log_error(
		"the child that puts probes on TLS libraries is gone for good: further processes are opaque "
		"in TLS until a restart");
	if (bpf_tls_get_state(a->tls, &state))
		return;
	state.pid = 0;
	state.paused_ns = 0;
	bpf_tls_set_state(a->tls, &state);
}

void daemon_tls_stop(struct daemon *a)
{
	stop_prober(a);
	bpf_tls_free(a->tls);
	a->tls = NULL;
}
