// SPDX-License-Identifier: GPL-2.0-only
/*
 * daemon_maillog.c - the child that reads Postfix's log, where there is a Postfix. How far the log
 * was read is saved together with what was reported up to there.
 */
#include <errno.h>
#include <string.h>
#include "daemon.h"
#include "base/log.h"
#include "state/state_position.h"

#define MAILLOG_SOURCE "postfix"

static void maillog_position(void *arg, const struct maillog_position *position)
{
	struct daemon *d = arg;

	d->maillog.at = *position;
	d->maillog.unsaved = true;
}

static void maillog_counted(void *arg, const struct maillog_stats *stats)
{
	struct daemon *d = arg;

	daemon_losses_maillog(&d->losses, stats);
}

int daemon_maillog_save(struct daemon *d)
{
	char text[MAILLOG_POSITION_TEXT_SIZE];

	if (!d->maillog.unsaved)
		return 0;
	maillog_position_text(&d->maillog.at, text, sizeof(text));
	return state_put_position(d->state, MAILLOG_SOURCE, text);
}

static void maillog_restore(struct daemon *d)
{
	char text[MAILLOG_POSITION_TEXT_SIZE] = "";
	int err = state_get_position(d->state, MAILLOG_SOURCE, text, sizeof(text));

	if (!err)
		err = maillog_position_parse(text, &d->maillog.at);
	if (err && err != -ENOENT)
		log_warning(
			"how far Postfix's log was read is not known: it is read on from its end");
}

static int maillog_start(struct daemon *d)
{
	struct daemon_maillog *m = &d->maillog;
	int err;

	if (!strcmp(d->config.feed_postfix, "off"))
		return -ENOENT;
	if (!m->restored)
		maillog_restore(d);
	m->restored = true;
	err = maillog_reader_start(&m->reader, d->config.feed_postfix, &m->at);
	daemon_losses_maillog_begins(&d->losses);
	if (!err)
		return m->reader.fd;
	/* Without its user there is no Postfix. */
	if (err != -ENOENT || strcmp(d->config.feed_postfix, "auto"))
		log_warning("Postfix's log is not read: %s", strerror(-err));
	return err;
}

/* The log has the client's end alone. */
static bool maillog_caller(void *arg, const uint8_t addr[16], uint32_t port, int64_t wall_ns,
			   uint32_t *uid)
{
	struct submission o = {.client_port = port};

	memcpy(o.client, addr, sizeof(o.client));
	return daemon_caller_then(arg, &o, wall_ns, uid);
}

static int maillog_serve(struct daemon *d)
{
	static const struct maillog_reader_ops ops = {
		.record = daemon_on_record,
		.caller = maillog_caller,
		.position = maillog_position,
		.counted = maillog_counted,
	};

	return maillog_reader_serve(&d->maillog.reader, &ops, d);
}

static void maillog_stop(struct daemon *d)
{
	maillog_reader_stop(&d->maillog.reader);
}

static void maillog_gone(struct daemon *d)
{
	pipeline_feed_reader_gone(d->pipeline, FEED_POSTFIX);
}

const struct daemon_child_kind daemon_maillog_kind = {
	.what = "the child that reads Postfix's log",
	.start = maillog_start,
	.serve = maillog_serve,
	.stop = maillog_stop,
	.gone = maillog_gone,
};
