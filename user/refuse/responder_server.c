/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * responder_server.c - the event loop of the responder's child process. All memory is taken before
 * the sandbox closes; after that the loop gets by with the system calls listed here.
 */
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <seccomp.h>
#include "base/serve_loop.h"
#include "responder.h"
#include "responder_server.h"
#include "responder_smtp.h"

#define IN_BYTES	 512
#define OUT_BYTES	 2048
#define ACCEPTS_PER_WAKE 16
#define SWEEPS_PER_BOUND 8
/* So few that neither side's socket buffer can fill up, and no answer is lost. */
#define QUESTIONS_IN_FLIGHT 32
#define MEMORY_BYTES	    (64u << 20)

static const int loop_syscalls[] = {
	SCMP_SYS(accept4),	SCMP_SYS(close),      SCMP_SYS(epoll_ctl), SCMP_SYS(epoll_pwait),
	SCMP_SYS(epoll_pwait2), SCMP_SYS(epoll_wait), SCMP_SYS(recv),	   SCMP_SYS(recvfrom),
	SCMP_SYS(send),		SCMP_SYS(sendto),     SCMP_SYS(shutdown),
};

enum client_state {
	CLIENT_FREE = 0,
	CLIENT_NEW,    /* the parent could not be asked yet */
	CLIENT_ASKING, /* the parent was asked */
	CLIENT_TALKING,
	CLIENT_LEAVING, /* all was said: waiting for the client to close */
};

struct client {
	enum client_state state;
	int fd;
	uint32_t events; /* that epoll watches */
	int64_t born_ms;
	int64_t active_ms; /* last sign of life; LEAVING: since then */
	uint64_t active;   /* the same as a number: many fall into one millisecond */
	size_t input_bytes;
	size_t drained_bytes;
	size_t in_length;
	size_t in_used;
	size_t out_length;
	bool eof; /* the client has sent all that it will; it may still read */
	struct responder_question question;
	struct responder_smtp smtp;
	char in[IN_BYTES];
	char out[OUT_BYTES];
};

struct server {
	const struct responder_sockets *sockets;
	const struct responder_bounds *bounds;
	struct client *clients;
	struct serve_loop loop;
	unsigned int open; /* clients that are not free */
	uint32_t questions;
	uint64_t signs_of_life;
	unsigned int waiting;	/* clients in CLIENT_NEW */
	unsigned int in_flight; /* questions without an answer yet */
};

static uint32_t place_of(const struct server *s, const struct client *c)
{
	return (uint32_t)(c - s->clients);
}

static void client_alive(struct server *s, struct client *c)
{
	c->active_ms = s->loop.now_ms;
	c->active = ++s->signs_of_life;
}

static void client_turn(struct server *s, struct client *c, enum client_state state)
{
	s->waiting -= c->state == CLIENT_NEW;
	c->state = state;
	client_alive(s, c);
}

static void client_drop(struct server *s, struct client *c)
{
	serve_loop_close(&s->loop, place_of(s, c), c->fd);
	client_turn(s, c, CLIENT_FREE);
	s->open--;
}

/* Watch what the client's state can make use of: no input while replies wait for room. */
static void client_watch(struct server *s, struct client *c)
{
	uint32_t events;
	bool reads = c->state == CLIENT_LEAVING ||
		     (c->state == CLIENT_TALKING && !c->eof && c->in_used == c->in_length);

	events = (reads ? EPOLLIN : 0) | (c->out_length ? EPOLLOUT : 0);
	if (c->events == events)
		return;
	c->events = events;
	if (serve_loop_watch(&s->loop, place_of(s, c), c->fd, events, true))
		client_drop(s, c);
}

/* Send what fits. False: the client cannot be written to any more. */
static bool client_flush(struct client *c)
{
	ssize_t sent;

	if (c->out_length == 0)
		return true;
	sent = send(c->fd, c->out, c->out_length, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (sent < 0)
		return errno == EAGAIN || errno == EINTR;
	c->out_length -= sent;
	memmove(c->out, c->out + sent, c->out_length);
	return true;
}

static bool client_has_room(const struct client *c)
{
	return sizeof(c->out) - c->out_length >= RESPONDER_REPLY_SIZE;
}

/* False: the parent has enough to do for now. */
static bool client_ask(struct server *s, struct client *c)
{
	if (s->in_flight >= QUESTIONS_IN_FLIGHT ||
	    send(s->sockets->parent, &c->question, sizeof(c->question),
		 MSG_NOSIGNAL | MSG_DONTWAIT) != sizeof(c->question))
		return false;
	s->in_flight++;
	client_turn(s, c, CLIENT_ASKING);
	return true;
}

/* The place is found in the id again; the rest differs from those of earlier questions. */
static void client_question(struct server *s, struct client *c)
{
	c->question.id = s->questions++ * s->bounds->clients + place_of(s, c);
	s->waiting += c->state != CLIENT_NEW;
	c->state = CLIENT_NEW;
	client_alive(s, c);
	client_ask(s, c);
}

/* A sender was named: whether the text may name his domain is the parent's to say. */
static void client_ask_again(struct server *s, struct client *c)
{
	if (c->state == CLIENT_TALKING) {
		memcpy(c->question.domain, c->smtp.domain, sizeof(c->question.domain));
		client_question(s, c);
	}
	client_watch(s, c);
}

/*
 * Go as far as input, room for replies and the peer's window allow. A close() with unread input
 * would be a reset, which may overtake the refusal: after the last reply only our half is shut.
 */
static void client_advance(struct server *s, struct client *c)
{
	do {
		while (c->in_used < c->in_length && client_has_room(c) && !c->smtp.asking)
			c->out_length += responder_smtp_byte(&c->smtp, c->in[c->in_used++],
							     c->out + c->out_length);
		if (!client_flush(c)) {
			client_drop(s, c);
			return;
		}
	} while (c->in_used < c->in_length && client_has_room(c) && !c->smtp.asking);
	if (c->smtp.asking && !c->smtp.closing) {
		client_ask_again(s, c);
		return;
	}
	if (c->state == CLIENT_TALKING && c->out_length == 0) {
		if (c->smtp.closing) {
			shutdown(c->fd, SHUT_WR);
			client_turn(s, c, CLIENT_LEAVING);
		} else if (c->eof && c->in_used == c->in_length) {
			client_drop(s, c);
			return;
		}
	}
	client_watch(s, c);
}

/* Close a client's session from this side, whatever it was doing. */
static void client_stop(struct server *s, struct client *c)
{
	if (c->smtp.closing || !client_has_room(c)) {
		client_drop(s, c);
		return;
	}
	client_turn(s, c, CLIENT_TALKING);
	c->in_used = c->in_length;
	c->out_length += responder_smtp_stop(&c->smtp, c->out + c->out_length);
	client_advance(s, c);
}

static void client_drain(struct server *s, struct client *c)
{
	char waste[4096];
	ssize_t got = recv(c->fd, waste, sizeof(waste), MSG_DONTWAIT);

	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	c->drained_bytes += got > 0 ? got : 0;
	if (got <= 0 || c->drained_bytes > s->bounds->drain_bytes)
		client_drop(s, c);
}

static void client_read(struct server *s, struct client *c)
{
	ssize_t got = recv(c->fd, c->in, sizeof(c->in), MSG_DONTWAIT);

	if (got < 0) {
		if (errno != EAGAIN && errno != EINTR)
			client_drop(s, c);
		return;
	}
	c->in_used = 0;
	c->in_length = got;
	c->eof = got == 0;
	client_alive(s, c);
	c->input_bytes += got;
	if (c->input_bytes > s->bounds->input_bytes)
		client_stop(s, c);
	else
		client_advance(s, c);
}

static void client_ready(void *arg, uint32_t place, uint32_t events)
{
	struct server *s = arg;
	struct client *c = &s->clients[place];

	/* Both directions are closed, or reset: nobody is left to read a reply. */
	if (events & (EPOLLERR | EPOLLHUP))
		client_drop(s, c);
	else if (c->state == CLIENT_LEAVING)
		client_drain(s, c);
	else if (events & EPOLLIN)
		client_read(s, c);
	else
		client_advance(s, c);
}

static void ask_waiting(struct server *s)
{
	unsigned int i;

	for (i = 0; i < s->bounds->clients && s->waiting; i++)
		if (s->clients[i].state == CLIENT_NEW && !client_ask(s, &s->clients[i]))
			return;
}

/* A free place; when there is none, that of the client which has been still for the longest. */
static struct client *free_place(struct server *s)
{
	struct client *oldest = &s->clients[0];
	unsigned int i;

	for (i = 0; i < s->bounds->clients; i++) {
		if (s->clients[i].state == CLIENT_FREE)
			return &s->clients[i];
		if (s->clients[i].active < oldest->active)
			oldest = &s->clients[i];
	}
	client_stop(s, oldest);
	if (oldest->state != CLIENT_FREE)
		client_drop(s, oldest);
	return oldest;
}

static void question_from(struct responder_question *q, const struct sockaddr_storage *peer)
{
	const struct sockaddr_in6 *six = (const void *)peer;
	const struct sockaddr_in *four = (const void *)peer;

	memset(q->addr, 0, sizeof(q->addr));
	if (peer->ss_family == AF_INET6) {
		memcpy(q->addr, &six->sin6_addr, sizeof(q->addr));
		q->port = ntohs(six->sin6_port);
	} else {
		q->addr[10] = q->addr[11] = 0xff;
		memcpy(q->addr + 12, &four->sin_addr, 4);
		q->port = ntohs(four->sin_port);
	}
}

static void client_begin(void *arg, size_t listener, int fd, const struct sockaddr_storage *peer)
{
	struct server *s = arg;
	struct client *c = free_place(s);
	uint32_t place = place_of(s, c);

	(void)listener;
	memset(c, 0, offsetof(struct client, in));
	question_from(&c->question, peer);
	if (serve_loop_watch(&s->loop, place, fd, 0, false)) {
		close(fd);
		return;
	}
	c->fd = fd;
	c->born_ms = s->loop.now_ms;
	s->open++;
	client_question(s, c);
}

static bool take_answer(void *arg, uint32_t events)
{
	struct responder_answer answer;
	struct server *s = arg;
	ssize_t got = recv(s->sockets->parent, &answer, sizeof(answer), MSG_DONTWAIT);
	struct client *c;

	(void)events;
	if (got < 0)
		return errno == EAGAIN || errno == EINTR;
	if (got == 0)
		return false;
	s->in_flight -= s->in_flight > 0;
	c = &s->clients[answer.id % s->bounds->clients];
	if (got == sizeof(answer) && c->state == CLIENT_ASKING && c->question.id == answer.id) {
		client_turn(s, c, CLIENT_TALKING);
		c->out_length += c->smtp.asking ? responder_smtp_answered(&c->smtp, &answer,
									  c->out + c->out_length) :
						  responder_smtp_greet(&c->smtp, &answer, c->out);
		client_advance(s, c);
	}
	ask_waiting(s);
	return true;
}

static bool client_is_late(const struct server *s, const struct client *c)
{
	const struct responder_bounds *b = s->bounds;
	int64_t still_ms = s->loop.now_ms - c->active_ms;
	int64_t age_ms = s->loop.now_ms - c->born_ms;

	switch (c->state) {
	case CLIENT_NEW:
	case CLIENT_ASKING:
		return still_ms >= b->ask_ms;
	case CLIENT_TALKING:
		return still_ms >= b->idle_ms || age_ms >= b->life_ms;
	case CLIENT_LEAVING:
		return still_ms >= b->leave_ms;
	case CLIENT_FREE:
		break;
	}
	return false;
}

static void sweep(void *arg)
{
	struct server *s = arg;
	const struct responder_bounds *b = s->bounds;
	int shortest = b->ask_ms < b->leave_ms ? b->ask_ms : b->leave_ms;
	unsigned int i;

	for (i = 0; i < b->clients; i++) {
		if (!client_is_late(s, &s->clients[i]))
			continue;
		/* An answer that is this late may never come: its place is another's. */
		if (s->clients[i].state == CLIENT_ASKING)
			s->in_flight -= s->in_flight > 0;
		client_stop(s, &s->clients[i]);
	}
	ask_waiting(s);
	if (b->idle_ms < shortest)
		shortest = b->idle_ms;
	s->loop.sweep_ms = s->loop.now_ms + shortest / SWEEPS_PER_BOUND + 1;
}

/* Without clients no bound of time matters. */
static int64_t until_ms(void *arg)
{
	const struct server *s = arg;

	return s->open ? s->loop.sweep_ms : INT64_MAX;
}

static const struct serve_ops ops = {
	.accepts = ACCEPTS_PER_WAKE,
	.begin = client_begin,
	.ready = client_ready,
	.parent = take_answer,
	.sweep = sweep,
	.until_ms = until_ms,
};

int responder_server(const struct responder_sockets *sockets, const struct responder_bounds *bounds,
		     pid_t parent)
{
	const int listeners[] = {sockets->listen4, sockets->listen6};
	const struct sandbox sandbox = {
		.parent = parent,
		.name = "smtpl-responder",
		.user = "nobody",
		.syscalls = loop_syscalls,
		.syscalls_count = sizeof(loop_syscalls) / sizeof(*loop_syscalls),
		.memory_bytes = MEMORY_BYTES,
	};
	struct server s = {.sockets = sockets, .bounds = bounds, .loop = {.ops = &ops, .arg = &s}};
	int err = serve_loop_init(&s.loop, bounds->clients, sockets->parent, listeners,
				  sockets->listen6 < 0 ? 1 : 2);

	s.clients = calloc(bounds->clients, sizeof(*s.clients));
	if (!err && !s.clients)
		err = -ENOMEM;
	return serve_loop_run(&s.loop, &sandbox, err);
}
