// SPDX-License-Identifier: GPL-2.0-only
/*
 * agent_door.c - the child that mail servers ask: started, answered, and started again when it dies.
 * While there is none, they find nobody and let mail pass, but for what the file `suspended` holds.
 */
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include "agent.h"
#include "base/log.h"
#include "base/sandbox.h"

#define DOOR_RESTART_NS (5 * 1000000000ull)
#define DOOR_SAY_NS (60 * 1000000000ull)

static void door_ask(void *arg, const struct door_question *question, struct door_answer *answer)
{
	struct agent *a = arg;

	answer->charge = ORIGIN_NOBODY;
	if (agent_origin_is_inbound(a, &question->origin))
		return;
	answer->charge = agent_origin(a, &question->origin, &answer->account);
	if (answer->charge == ORIGIN_ACCOUNT)
		agent_refusal(a, &answer->account, &answer->refusal);
}

/* A mail server that is kept out refuses nobody, and says nothing about it. */
static void door_counted(void *arg, const struct door_stats *stats)
{
	struct agent *a = arg;
	uint64_t now = agent_now_ns();

	if (stats->strangers > a->door_strangers && now - a->door_said_ns > DOOR_SAY_NS) {
		log_warning("%llu connections to the sockets in \"%s\" were closed: their users are not "
			    "in relay_users",
			    (unsigned long long)(stats->strangers - a->door_strangers), a->config.run);
		a->door_strangers = stats->strangers;
		a->door_said_ns = now;
	}
}

void agent_door_start(struct agent *a)
{
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = &a->door};
	int err;

	sandbox_hide_mappings();
	err = door_start(&a->door, a->config.run, &a->config.relays);
	a->door_ns = agent_now_ns();
	a->door_strangers = 0;
	if (err) {
		a->door = (struct door){.fd = -1};
		log_warning("mail servers cannot ask: no sockets in \"%s\": %s", a->config.run,
			    strerror(-err));
		return;
	}
	epoll_ctl(a->epoll_fd, EPOLL_CTL_ADD, a->door.fd, &event);
}

void agent_door_stop(struct agent *a)
{
	if (!a->door.pid)
		return;
	door_stop(&a->door);
	a->door = (struct door){.fd = -1};
}

void agent_door_serve(struct agent *a)
{
	static const struct door_ops ops = {
		.ask = door_ask,
		.record = agent_on_record,
		.counted = door_counted,
	};

	if (door_serve(&a->door, &ops, a) != -EPIPE)
		return;
	log_warning("the child that mail servers ask is gone; it is started again in %llu s",
		    DOOR_RESTART_NS / 1000000000);
	agent_door_stop(a);
}

void agent_door_tend(struct agent *a)
{
	if (!a->door.pid && agent_now_ns() - a->door_ns > DOOR_RESTART_NS)
		agent_door_start(a);
}
