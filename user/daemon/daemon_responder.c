// SPDX-License-Identifier: GPL-2.0-only
/*
 * daemon_responder.c - the child that speaks the refusal: started, asked, and started again when it
 * dies. While there is none, refused connects fail with an error instead of a text.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include "base/clock.h"
#include "daemon.h"
#include "kernel/enforce.h"
#include "base/log.h"
#include "base/sandbox.h"
#include "refuse/suspended_list.h"

#define RESPONDER_RESTART_NS (5 * NS_PER_S)

bool daemon_refusal(void *arg, const struct account_id *id, struct responder_answer *answer)
{
	struct daemon *a = arg;
	const struct account *account = accounts_find(pipeline_accounts(a->pipeline), id);
	struct smtpl_suspension suspension;

	if (enforce_lookup(a->maps, id, clock_boot_ns(), &suspension))
		return false;
	suspended_figures(id, &suspension, account ? accounts_own_domain(account) : "",
			  clock_wall_of(suspension.until_ns) / NS_PER_S, answer);
	return true;
}

static void who_is_it(void *arg, const struct responder_question *question,
		      struct responder_answer *answer)
{
	struct smtpl_endpoint key = {.port = question->port};
	struct account_id id = {.kind = ACCOUNT_UID};
	struct smtpl_caller who;
	struct daemon *a = arg;

	memcpy(key.addr, question->addr, sizeof(key.addr));
	if (bpf_maps_get_redirect(a->maps, &key, &who))
		return;
	id.uid = who.uid;
	daemon_refusal(a, &id, answer);
}

void daemon_heartbeat(struct daemon *a)
{
	int err;

	a->meta.heartbeat_ns = clock_boot_ns();
	a->meta.responder_port = a->responder.port;
	a->meta.responder_port6 = a->responder.port6;
	a->meta.observe = a->config.mode == VERDICT_OBSERVE;
	a->meta.percent = a->config.rule.percent;
	a->meta.min_failures = a->config.rule.min_failures;
	a->meta.window_s = a->config.rule.window_s;
	a->meta.suspend_s = a->config.rule.suspend_s;
	err = bpf_maps_set_meta(a->maps, &a->meta);
	if (err)
		log_error("cannot write the heartbeat: %s", strerror(-err));
	if (!a->responder.pid && a->meta.heartbeat_ns - a->responder_ns > RESPONDER_RESTART_NS)
		daemon_responder_start(a);
}

void daemon_responder_start(struct daemon *a)
{
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = &a->responder};
	int err;

	sandbox_hide_mappings();
	err = responder_start(&a->responder);
	a->responder_ns = clock_boot_ns();
	if (err) {
		memset(&a->responder, 0, sizeof(a->responder));
		a->responder.fd = -1;
		log_warning("no responder: refused connects fail without a text: %s",
			    strerror(-err));
		return;
	}
	epoll_ctl(a->epoll_fd, EPOLL_CTL_ADD, a->responder.fd, &event);
	bpf_set_responder(a->bpf, a->responder.port, a->responder.port6);
}

void daemon_responder_stop(struct daemon *a)
{
	if (!a->responder.pid)
		return;
	responder_stop(&a->responder);
	memset(&a->responder, 0, sizeof(a->responder));
	a->responder.fd = -1;
}

void daemon_responder_serve(struct daemon *a)
{
	if (responder_serve(&a->responder, who_is_it, a) != -EPIPE)
		return;
	log_warning("the responder is gone; it is started again in %lld s",
		    RESPONDER_RESTART_NS / NS_PER_S);
	daemon_responder_stop(a);
	daemon_heartbeat(a);
}
