// SPDX-License-Identifier: GPL-2.0-only
/*
 * notify.c - the daemon's end of smtpl-notify.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include "base/child.h"
#include "channel.h"
#include "notify.h"

/* A thousand notices at once must not be too many. */
#define SEND_BUFFER_BYTES (16 * 1024 * 1024)

#define STOP_MS 5000

unsigned int notify_ways(const struct notify_settings *s)
{
	unsigned int ways = 0;

	if (s->command[0])
		ways |= NOTIFY_BIT(NOTIFY_COMMAND);
	if (s->admin[0])
		ways |= NOTIFY_BIT(NOTIFY_ADMIN);
	if (s->webhook[0])
		ways |= NOTIFY_BIT(NOTIFY_WEBHOOK);
	if (s->contacts != NOTIFY_CONTACTS_OFF)
		ways |= NOTIFY_BIT(NOTIFY_CUSTOMER);
	if (s->contacts == NOTIFY_CONTACTS_COMMAND)
		ways |= NOTIFY_BIT(NOTIFY_LOOKUP);
	return ways;
}

unsigned int notify_channels(const struct notify_settings *s)
{
	unsigned int ways = notify_ways(s), channels = 0;

	if (ways & (NOTIFY_BIT(NOTIFY_COMMAND) | NOTIFY_BIT(NOTIFY_LOOKUP)))
		channels |= 1u << CHANNEL_COMMAND;
	if (ways & (NOTIFY_BIT(NOTIFY_ADMIN) | NOTIFY_BIT(NOTIFY_CUSTOMER)))
		channels |= 1u << CHANNEL_MAIL;
	if (ways & NOTIFY_BIT(NOTIFY_WEBHOOK))
		channels |= 1u << CHANNEL_WEBHOOK;
	return channels;
}

int notify_start(struct notify *n, const struct notify_settings *s, int mailer_fd)
{
	struct notify_start start = {.settings = s, .mailer_fd = mailer_fd};
	const int bytes = SEND_BUFFER_BYTES;
	int err = child_start(notify_child_main, &start, &n->pid, &n->fd);

	/* Without the capability the usual bound holds, and a burst may lose some. */
	if (!err && setsockopt(n->fd, SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof(bytes)))
		setsockopt(n->fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
	return err;
}

static int put(const struct notify *n, const void *record, size_t size)
{
	if (!n->pid)
		return -ENOTCONN;
	return send(n->fd, record, size, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)size ? 0 : -errno;
}

int notify_send(const struct notify *n, const struct notice *notice)
{
	const struct notify_notice_record record = {.put = NOTIFY_PUT_NOTICE, .notice = *notice};

	return put(n, &record, sizeof(record));
}

int notify_set(const struct notify *n, const struct notify_settings *s)
{
	const struct notify_settings_record record = {.put = NOTIFY_PUT_SETTINGS, .settings = *s};

	return put(n, &record, sizeof(record));
}

int notify_set_template(const struct notify *n, uint32_t kind, bool customer,
			const struct template *t)
{
	const struct notify_template_record record = {
		.put = NOTIFY_PUT_TEMPLATE, .kind = kind, .customer = customer, .template = *t};

	return put(n, &record, sizeof(record));
}

int notify_serve(const struct notify *n, struct notify_stats *stats)
{
	int r, any = 0;

	while ((r = child_take(n->fd, stats, sizeof(*stats))) == 1)
		any = 1;
	return r < 0 ? -EPIPE : any;
}

/* Its last figures come before its end. */
void notify_stop(struct notify *n, struct notify_stats *stats)
{
	struct pollfd end = {.fd = n->fd};

	if (n->pid > 0 && shutdown(n->fd, SHUT_WR) == 0)
		poll(&end, 1, STOP_MS);
	if (n->pid > 0)
		notify_serve(n, stats);
	child_stop(&n->pid, &n->fd);
}
