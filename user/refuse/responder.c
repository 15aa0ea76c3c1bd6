/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * responder.c - the daemon's side of the responder: the ports, the child's start and end, and the
 * answers to its questions.
 *
 * The ports are privileged ones, and such as no service is registered for: suspended accounts keep
 * being redirected to them when the daemon is dead, and then nobody may be able to listen there but
 * root.
 */
#include <errno.h>
#include <netdb.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include "base/child.h"
#include "responder.h"
#include "responder_server.h"

#define PORT_FIRST	 1023
#define PORT_LAST	 600
#define BACKLOG		 512
#define FASTOPEN_QUEUE	 64
#define ANSWERS_PER_CALL 64

static const struct responder_bounds bounds = {
	.clients = 512,
	.ask_ms = 5000,
	.idle_ms = 30000,
	.life_ms = 120000,
	.leave_ms = 5000,
	.input_bytes = 64 << 10,
	.drain_bytes = 1 << 20,
};

/* In a container the first unprivileged port may be lower than everywhere else. */
static int first_port(void)
{
	FILE *f = fopen("/proc/sys/net/ipv4/ip_unprivileged_port_start", "re");
	int start = PORT_FIRST + 1;

	if (f) {
		if (fscanf(f, "%d", &start) != 1)
			start = PORT_FIRST + 1;
		fclose(f);
	}
	return start <= PORT_FIRST ? start - 1 : PORT_FIRST;
}

static int bind_loopback(int fd, int family, int port)
{
	struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = htons(port)};
	struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_port = htons(port)};

	four.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	six.sin6_addr = in6addr_loopback;
	return family == AF_INET ? bind(fd, (struct sockaddr *)&four, sizeof(four)) :
				   bind(fd, (struct sockaddr *)&six, sizeof(six));
}

/* A listening socket, or -errno. */
static int listen_on(int family, int port)
{
	int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int queue = FASTOPEN_QUEUE;
	int one = 1;
	int err;

	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	/* Where it is not possible, the client's kernel falls back by itself. */
	setsockopt(fd, IPPROTO_TCP, TCP_FASTOPEN, &queue, sizeof(queue));
	if (bind_loopback(fd, family, port) == 0 && listen(fd, BACKLOG) == 0)
		return fd;
	err = -errno;
	close(fd);
	return err;
}

static bool port_is_free(int port)
{
	return !getservbyport(htons(port), "tcp");
}

/* The first free port for one family. *port is set with the socket. */
static int listen_somewhere(int family, uint16_t *port)
{
	int fd = -EADDRINUSE;
	int p;

	for (p = first_port(); p >= PORT_LAST; p--) {
		if (!port_is_free(p))
			continue;
		fd = listen_on(family, p);
		if (fd >= 0)
			*port = p;
		if (fd != -EADDRINUSE)
			break;
	}
	return fd;
}

/* The first port that is free for both families. */
static int listen_together(struct responder *r, struct responder_sockets *k)
{
	int p;

	for (p = first_port(); p >= PORT_LAST; p--) {
		if (!port_is_free(p))
			continue;
		k->listen4 = listen_on(AF_INET, p);
		if (k->listen4 == -EADDRINUSE)
			continue;
		if (k->listen4 < 0)
			return k->listen4;
		k->listen6 = listen_on(AF_INET6, p);
		if (k->listen6 >= 0) {
			r->port = r->port6 = p;
			return 0;
		}
		close(k->listen4);
		if (k->listen6 != -EADDRINUSE)
			return k->listen6;
	}
	return -EADDRINUSE;
}

/* Both families on one port if possible, else on two, else IPv4 alone. */
static int open_listeners(struct responder *r, struct responder_sockets *k)
{
	if (listen_together(r, k) == 0)
		return 0;
	k->listen4 = listen_somewhere(AF_INET, &r->port);
	if (k->listen4 < 0)
		return k->listen4;
	k->listen6 = listen_somewhere(AF_INET6, &r->port6);
	if (k->listen6 < 0)
		k->listen6 = -1;
	return 0;
}

static void close_listeners(const struct responder_sockets *k)
{
	close(k->listen4);
	if (k->listen6 >= 0)
		close(k->listen6);
}

static int run_child(void *arg, int fd, pid_t parent)
{
	struct responder_sockets *k = arg;

	k->parent = fd;
	return responder_server(k, &bounds, parent);
}

int responder_start(struct responder *r)
{
	struct responder_sockets k = {-1, -1, -1};
	struct responder made = {0};
	int err;

	err = open_listeners(&made, &k);
	if (err)
		return err;
	err = child_start(run_child, &k, &made.pid, &made.fd);
	close_listeners(&k);
	if (!err)
		*r = made;
	return err;
}

static void answer_one(const struct responder *r, const struct responder_question *question,
		       responder_lookup lookup, void *arg)
{
	struct responder_answer answer = {0};

	lookup(arg, question, &answer);
	answer.id = question->id;
	/* A child that does not take answers leaves its clients waiting for a while, nobody
	 * else. */
	send(r->fd, &answer, sizeof(answer), MSG_NOSIGNAL | MSG_DONTWAIT);
}

int responder_serve(struct responder *r, responder_lookup lookup, void *arg)
{
	struct responder_question question;
	int i, taken = 1;

	for (i = 0; i < ANSWERS_PER_CALL && taken; i++) {
		taken = child_take(r->fd, &question, sizeof(question));
		if (taken == -EPIPE)
			return taken;
		if (taken == 1)
			answer_one(r, &question, lookup, arg);
	}
	return 0;
}

void responder_stop(struct responder *r)
{
	if (r->pid <= 0)
		return;
	child_stop(&r->pid, &r->fd);
	*r = (struct responder){.fd = -1};
}
