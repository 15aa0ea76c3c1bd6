// SPDX-License-Identifier: GPL-2.0-only
/*
 * daemon_maillog.c - the child that reads Postfix's log: started where there is a Postfix, served,
 * and started again when it dies. How far it was read is saved with what it told.
 */
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include "base/clock.h"
#include "daemon.h"
#include "base/log.h"
#include "base/sandbox.h"
#include "state/state_position.h"

#define MAILLOG_RESTART_NS (5 * NS_PER_S)
#define MAILLOG_SOURCE	   "postfix"

static void maillog_position(void *arg, const struct maillog_position *position)
{
	struct daemon *a = arg;

	a->maillog_at = *position;
	a->maillog_unsaved = true;
}

static void maillog_counted(void *arg, const struct maillog_stats *stats)
{
	struct daemon *a = arg;

	daemon_losses_maillog(&a->losses, stats);
}

int daemon_maillog_save(struct daemon *a)
{
	char text[MAILLOG_POSITION_TEXT_SIZE];

	if (!a->maillog_unsaved)
		return 0;
	maillog_position_text(&a->maillog_at, text, sizeof(text));
	return state_put_position(a->state, MAILLOG_SOURCE, text);
}

static void maillog_restore(struct daemon *a)
{
	char text[MAILLOG_POSITION_TEXT_SIZE] = "";
	int err = state_get_position(a->state, MAILLOG_SOURCE, text, sizeof(text));

	if (!err)
		err = maillog_position_parse(text, &a->maillog_at);
	if (err && err != -ENOENT)
		log_warning(
			"how far Postfix's log was read is not known: it is read on from its end");
}

void daemon_maillog_start(struct daemon *a)
{
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = &a->maillog};
	int err;

	if (!strcmp(a->config.feed_postfix, "off"))
		return;
	if (!a->maillog_ns)
		maillog_restore(a);
	sandbox_hide_mappings();
	err = maillog_reader_start(&a->maillog, a->config.feed_postfix, &a->maillog_at);
	a->maillog_ns = clock_boot_ns();
	daemon_losses_maillog_begins(&a->losses);
	if (err) {
		a->maillog = (struct maillog_reader){.fd = -1};
		/* Without its user there is no Postfix. */
		if (err != -ENOENT || strcmp(a->config.feed_postfix, "auto"))
			log_warning("Postfix's log is not read: %s", strerror(-err));
		return;
	}
	epoll_ctl(a->epoll_fd, EPOLL_CTL_ADD, a->maillog.fd, &event);
}

void daemon_maillog_stop(struct daemon *a)
{
	if (!a->maillog.pid)
		return;
	maillog_reader_stop(&a->maillog);
	a->maillog = (struct maillog_reader){.fd = -1};
}

/* The log has the client's end alone. */
static bool maillog_caller(void *arg, const uint8_t addr[16], uint32_t port, int64_t wall_ns,
			   uint32_t *uid)
{
	struct submission o = {.client_port = port};

	memcpy(o.client, addr, sizeof(o.client));
	return daemon_caller_then(arg, &o, wall_ns, uid);
}

void daemon_maillog_serve(struct daemon *a)
{
	static const struct maillog_reader_ops ops = {
		.record = daemon_on_record,
		.caller = maillog_caller,
		.position = maillog_position,
		.counted = maillog_counted,
	};

	if (maillog_reader_serve(&a->maillog, &ops, a) != -EPIPE)
		return;
	log_warning("the child that reads Postfix's log is gone; it is started again in %lld s",
		    MAILLOG_RESTART_NS / NS_PER_S);
	daemon_maillog_stop(a);
}

void daemon_maillog_tend(struct daemon *a)
{
	if (!a->maillog.pid && clock_boot_ns() - a->maillog_ns > MAILLOG_RESTART_NS)
		daemon_maillog_start(a);
}
