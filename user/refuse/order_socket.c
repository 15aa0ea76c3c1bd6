// SPDX-License-Identifier: GPL-2.0-only
/*
 * order_socket.c - both ends of the socket `order`: a message of fixed size each way.
 */
#include "order_socket.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include "base/unix_listener.h"

#define MODE	0600
#define BACKLOG 16
/* A command sends its order at once: this long the daemon waits for one that does not. */
#define SEND_MS 100

int order_socket_listen(const char *run)
{
	return unix_listener(run, ORDER_SOCKET, SOCK_SEQPACKET, MODE, BACKLOG);
}

static int set_timeout(int fd, int option, int64_t wait_ms)
{
	/* 0 would be for ever. */
	const int64_t ms = wait_ms > 0 ? wait_ms : 1;
	const struct timeval wait = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};

	return setsockopt(fd, SOL_SOCKET, option, &wait, sizeof(wait)) ? -errno : 0;
}

/* MSG_TRUNC: the message's own length, so that a longer one is not taken for ours. */
static int take(int fd, void *message, size_t size)
{
	ssize_t got;

	do
		got = recv(fd, message, size, MSG_TRUNC);
	while (got < 0 && errno == EINTR);
	if (got < 0)
		return errno == EAGAIN ? -ETIMEDOUT : -errno;
	if (!got)
		return -ECONNRESET;
	return (size_t)got == size ? 0 : -EPROTO;
}

static bool is_valid(const struct suspension_order *o)
{
	return (o->account.kind == ACCOUNT_UID || o->account.kind == ACCOUNT_DOMAIN) &&
	       memchr(o->account.domain, '\0', sizeof(o->account.domain)) &&
	       memchr(o->reason, '\0', sizeof(o->reason));
}

/* What was sent can still be read when the sender has gone. */
static bool is_waited_for(int fd)
{
	struct pollfd peer = {.fd = fd, .events = POLLRDHUP};

	return poll(&peer, 1, 0) == 0;
}

int order_socket_take(int listener, struct suspension_order *order)
{
	int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	int err;

	if (fd < 0)
		return -errno;
	err = set_timeout(fd, SO_RCVTIMEO, SEND_MS);
	if (!err)
		err = take(fd, order, sizeof(*order));
	if (!err && !is_valid(order))
		err = -EPROTO;
	if (!err && !is_waited_for(fd))
		err = -ECANCELED;
	if (!err)
		return fd;
	close(fd);
	return err;
}

void order_socket_answer(int fd, const struct order_answer *answer)
{
	send(fd, answer, sizeof(*answer), MSG_DONTWAIT | MSG_NOSIGNAL);
	close(fd);
}

static int ask(int fd, const char *run, const struct suspension_order *order, int64_t wait_ms,
	       struct order_answer *answer)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int err;

	if (snprintf(addr.sun_path, sizeof(addr.sun_path), "%s/" ORDER_SOCKET, run) >=
	    (int)sizeof(addr.sun_path))
		return -ENAMETOOLONG;
	/* A full backlog of a daemon that is stuck blocks the connect, too. */
	err = set_timeout(fd, SO_SNDTIMEO, wait_ms);
	if (!err)
		err = set_timeout(fd, SO_RCVTIMEO, wait_ms);
	if (err)
		return err;
	if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)))
		return errno == EAGAIN ? -ETIMEDOUT : -errno;
	if (send(fd, order, sizeof(*order), MSG_NOSIGNAL) < 0)
		return errno == EPIPE ? -ECONNRESET : -errno;
	err = take(fd, answer, sizeof(*answer));
	answer->why[sizeof(answer->why) - 1] = '\0';
	return err;
}

int order_socket_ask(const char *run, const struct suspension_order *order, int64_t wait_ms,
		     struct order_answer *answer)
{
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	int err;

	if (fd < 0)
		return -errno;
	err = ask(fd, run, order, wait_ms, answer);
	close(fd);
	return err;
}
