// SPDX-License-Identifier: GPL-2.0-only
/*
 * daemon_policy.c - the child that mail servers ask: started, answered, and started again when it
 * dies. While there is none, they find nobody and let mail pass, but for what the file `suspended`
 * holds.
 */
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include "base/clock.h"
#include "daemon.h"
#include "base/log.h"
#include "base/sandbox.h"

#define POLICY_RESTART_NS (5 * NS_PER_S)
#define POLICY_SAY_NS	  (60 * NS_PER_S)

static void policy_ask(void *arg, const struct policy_question *question,
		       struct policy_answer *answer)
{
	struct daemon *a = arg;

	answer->charge = PAYER_NOBODY;
	if (daemon_is_inbound(a, &question->submission))
		return;
	answer->charge = daemon_payer(a, &question->submission, &answer->account);
	if (answer->charge == PAYER_ACCOUNT)
		daemon_refusal(a, &answer->account, &answer->refusal);
}

/* A mail server that is kept out refuses nobody, and says nothing about it. */
static void policy_counted(void *arg, const struct policy_stats *stats)
{
	struct daemon *a = arg;
	uint64_t now = clock_boot_ns();

	daemon_losses_policy(&a->losses, stats);
	if (stats->strangers > a->policy_strangers && now - a->policy_said_ns > POLICY_SAY_NS) {
		log_warning(
			"%llu connections to the sockets in \"%s\" were closed: their users are not "
			"in relay_users",
			(unsigned long long)(stats->strangers - a->policy_strangers),
			a->config.run);
		a->policy_strangers = stats->strangers;
		a->policy_said_ns = now;
	}
}

void daemon_policy_start(struct daemon *a)
{
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = &a->policy};
	int err;

	sandbox_hide_mappings();
	err = policy_server_start(&a->policy, a->config.run, &a->config.relays);
	a->policy_ns = clock_boot_ns();
	a->policy_strangers = 0;
	daemon_losses_policy_begins(&a->losses);
	if (err) {
		a->policy = (struct policy_server){.fd = -1};
		log_warning("mail servers cannot ask: no sockets in \"%s\": %s", a->config.run,
			    strerror(-err));
		return;
	}
	epoll_ctl(a->epoll_fd, EPOLL_CTL_ADD, a->policy.fd, &event);
}

void daemon_policy_stop(struct daemon *a)
{
	if (!a->policy.pid)
		return;
	policy_server_stop(&a->policy);
	a->policy = (struct policy_server){.fd = -1};
}

void daemon_policy_serve(struct daemon *a)
{
	static const struct policy_ops ops = {
		.ask = policy_ask,
		.record = daemon_on_record,
		.counted = policy_counted,
	};

	if (policy_server_serve(&a->policy, &ops, a) != -EPIPE)
		return;
	log_warning("the child that mail servers ask is gone; it is started again in %lld s",
		    POLICY_RESTART_NS / NS_PER_S);
	daemon_policy_stop(a);
}

void daemon_policy_tend(struct daemon *a)
{
	if (!a->policy.pid && clock_boot_ns() - a->policy_ns > POLICY_RESTART_NS)
		daemon_policy_start(a);
}
