// SPDX-License-Identifier: GPL-2.0-only
/*
 * agent_postlog.c - the child that reads Postfix's log: started where there is a Postfix, served, and
 * started again when it dies. How far it was read is saved with what it told.
 */
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include "agent.h"
#include "base/log.h"
#include "base/sandbox.h"
#include "state/state_position.h"

#define POSTLOG_RESTART_NS (5 * 1000000000ull)
#define POSTLOG_SOURCE "postfix"

static void postlog_position(void *arg, const struct postlog_position *position)
{
	struct agent *a = arg;

	a->postlog_at = *position;
	a->postlog_unsaved = true;
}

int agent_postlog_save(struct agent *a)
{
	char text[POSTLOG_POSITION_TEXT_SIZE];

	if (!a->postlog_unsaved)
		return 0;
	postlog_position_text(&a->postlog_at, text, sizeof(text));
	return state_put_position(a->state, POSTLOG_SOURCE, text);
}

static void postlog_restore(struct agent *a)
{
	char text[POSTLOG_POSITION_TEXT_SIZE] = "";
	int err = state_get_position(a->state, POSTLOG_SOURCE, text, sizeof(text));

	if (!err)
		err = postlog_position_parse(text, &a->postlog_at);
	if (err && err != -ENOENT)
		log_warning("how far Postfix's log was read is not known: it is read on from its end");
}

void agent_postlog_start(struct agent *a)
{
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = &a->postlog};
	int err;

	if (!strcmp(a->config.feed_postfix, "off"))
		return;
	if (!a->postlog_ns)
		postlog_restore(a);
	sandbox_hide_mappings();
	err = postlog_reader_start(&a->postlog, a->config.feed_postfix, &a->postlog_at);
	a->postlog_ns = agent_now_ns();
	if (err) {
		a->postlog = (struct postlog_reader){.fd = -1};
		/* Without its user there is no Postfix. */
		if (err != -ENOENT || strcmp(a->config.feed_postfix, "auto"))
			log_warning("Postfix's log is not read: %s", strerror(-err));
		return;
	}
	epoll_ctl(a->epoll_fd, EPOLL_CTL_ADD, a->postlog.fd, &event);
}

void agent_postlog_stop(struct agent *a)
{
	if (!a->postlog.pid)
		return;
	postlog_reader_stop(&a->postlog);
	a->postlog = (struct postlog_reader){.fd = -1};
}

/* The log has the client's end alone. */
static bool postlog_caller(void *arg, const uint8_t addr[16], uint32_t port, int64_t wall_ns,
			   uint32_t *uid)
{
	struct origin o = {.client_port = port};

	memcpy(o.client, addr, sizeof(o.client));
	return agent_caller_then(arg, &o, wall_ns, uid);
}

void agent_postlog_serve(struct agent *a)
{
	static const struct postlog_reader_ops ops = {
		.record = agent_on_record,
		.caller = postlog_caller,
		.position = postlog_position,
	};

	if (postlog_reader_serve(&a->postlog, &ops, a) != -EPIPE)
		return;
	log_warning("the child that reads Postfix's log is gone; it is started again in %llu s",
		    POSTLOG_RESTART_NS / 1000000000);
	agent_postlog_stop(a);
}

void agent_postlog_tend(struct agent *a)
{
	if (!a->postlog.pid && agent_now_ns() - a->postlog_ns > POSTLOG_RESTART_NS)
		agent_postlog_start(a);
}
