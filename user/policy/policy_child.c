/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * policy_child.c - the event loop of the policy server's child process. All memory is taken before
 * the sandbox closes; after that the loop gets by with the system calls listed here.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <seccomp.h>
#include "base/serve_loop.h"
#include "policy_link.h"
#include "policy_place.h"
#include "policy_child.h"

#define ACCEPTS_PER_WAKE 64
#define MEMORY_BYTES	 (96u << 20)

static const int loop_syscalls[] = {
	SCMP_SYS(accept4),     SCMP_SYS(close),		  SCMP_SYS(epoll_ctl),
	SCMP_SYS(epoll_pwait), SCMP_SYS(epoll_pwait2),	  SCMP_SYS(epoll_wait),
	SCMP_SYS(recv),	       SCMP_SYS(recvfrom),	  SCMP_SYS(recvmmsg),
	SCMP_SYS(send),	       SCMP_SYS(sendmmsg),	  SCMP_SYS(sendto),
	SCMP_SYS(getsockopt),  SCMP_SYS(recvmmsg_time64),
};

struct server {
	const struct policy_bounds *bounds;
	struct policy_places places;
	struct policy_link link;
	struct serve_loop loop;
	bool link_watched_out;
};

static uint32_t place_of(const struct server *s, const struct policy_place *c)
{
	return (uint32_t)(c - s->places.all);
}

static void client_drop(struct server *s, struct policy_place *c)
{
	if (c->slot)
		policy_link_forget(&s->link, c->slot);
	c->slot = NULL;
	serve_loop_close(&s->loop, place_of(s, c), c->fd);
	policy_places_drop(&s->places, c);
}

/* Most connections are served before epoll has to watch them. False: it was dropped. */
static bool client_watch(struct server *s, struct policy_place *c, uint32_t events)
{
	if (c->watched && c->events == events)
		return true;
	if (serve_loop_watch(&s->loop, place_of(s, c), c->fd, events, c->watched)) {
		client_drop(s, c);
		return false;
	}
	c->watched = true;
	c->events = events;
	return true;
}

static void client_turn(struct server *s, struct policy_place *c, enum policy_state state, int ms)
{
	policy_places_turn(&s->places, c, state);
	c->until_ms = s->loop.now_ms + ms;
	if (c->until_ms < s->loop.sweep_ms)
		s->loop.sweep_ms = c->until_ms;
}

/* A request in pieces has no more time than one that comes at once. */
static void client_await(struct server *s, struct policy_place *c)
{
	bool many = c->talk->socket == POLICY_DELEGATION || c->talk->socket == POLICY_SOCKETMAP;

	if (many && !policy_talk_is_midway(c->talk)) {
		client_turn(s, c, POLICY_READING, s->bounds->idle_ms);
		c->midway = false;
	} else if (!c->midway) {
		client_turn(s, c, POLICY_READING, s->bounds->request_ms);
		c->midway = true;
	}
	client_watch(s, c, EPOLLIN);
}

/* Send the answer. False: not all of it yet, or the peer is gone. */
static bool client_flush(struct server *s, struct policy_place *c)
{
	struct policy_talk *t = c->talk;
	ssize_t sent = send(c->fd, t->out, t->out_length, MSG_NOSIGNAL | MSG_DONTWAIT);

	if (sent < 0 && errno != EAGAIN && errno != EINTR) {
		client_drop(s, c);
		return false;
	}
	if (sent > 0) {
		t->out_length -= (size_t)sent;
		memmove(t->out, t->out + sent, t->out_length);
	}
	if (t->out_length == 0)
		return true;
	if (c->state != POLICY_WRITING)
		client_turn(s, c, POLICY_WRITING, s->bounds->write_ms);
	client_watch(s, c, EPOLLOUT);
	return false;
}

static void client_report(struct server *s, struct policy_place *c)
{
	struct delivery_report record;
	int err = policy_talk_record(c->talk, c->peer->uid, &record);

	if (err == 0)
		policy_link_record(&s->link, &record);
	else if (err != -ENOENT)
		s->link.stats.malformed++;
	client_drop(s, c);
}

/* A close with unread bytes would be a reset. */
static void client_end(struct server *s, struct policy_place *c)
{
	char waste[4096];

	if (!c->talk->eof)
		recv(c->fd, waste, sizeof(waste), MSG_DONTWAIT);
	client_drop(s, c);
}

/* A question that made no sense is counted once, whether an answer says so or not. */
static enum policy_step client_next(struct server *s, struct policy_place *c)
{
	enum policy_step step = policy_talk_next(c->talk);

	s->link.stats.malformed += step == POLICY_MALFORMED || c->talk->malformed;
	return step;
}

/* Go on until the peer has to send, or to read, or the parent to answer. */
static void client_advance(struct server *s, struct policy_place *c, enum policy_step step)
{
	for (;; step = client_next(s, c)) {
		c->midway &= step == POLICY_MORE;
		switch (step) {
		case POLICY_MORE:
			client_await(s, c);
			return;
		case POLICY_ASK:
			client_turn(s, c, POLICY_WAITING, s->bounds->ask_ms);
			return;
		case POLICY_REPLY:
			if (!client_flush(s, c))
				return;
			break;
		case POLICY_REPORT:
			client_report(s, c);
			return;
		case POLICY_MALFORMED:
		case POLICY_CLOSE:
			client_drop(s, c);
			return;
		}
		if (c->talk->last) {
			client_end(s, c);
			return;
		}
	}
}

static void client_read(struct server *s, struct policy_place *c)
{
	ssize_t got;
	size_t size;
	char *room = policy_talk_room(c->talk, &size);

	got = recv(c->fd, room, size, MSG_DONTWAIT);
	if (got < 0 && errno != EAGAIN && errno != EINTR) {
		client_drop(s, c);
		return;
	}
	if (got >= 0)
		policy_talk_got(c->talk, (size_t)got);
	client_advance(s, c, got < 0 ? POLICY_MORE : client_next(s, c));
}

static void client_ready(void *arg, uint32_t place, uint32_t events)
{
	struct server *s = arg;
	struct policy_place *c = &s->places.all[place];

	/* Nobody reads an answer any more, but a request that was sent whole is taken. */
	if ((events & (EPOLLERR | EPOLLHUP)) && c->state != POLICY_READING)
		client_drop(s, c);
	else if (c->state == POLICY_READING)
		client_read(s, c);
	else if (c->state == POLICY_WRITING)
		client_advance(s, c, POLICY_REPLY);
	else
		client_watch(s, c, 0); /* it is read on after the answer */
}

static void client_answered(void *arg, void *client, const struct policy_answer *answer)
{
	struct policy_place *c = client;
	struct server *s = arg;

	c->slot = NULL;
	client_advance(s, c, policy_talk_answer(c->talk, answer));
}

static void ask_waiting(struct server *s)
{
	struct policy_place *c;

	while ((c = TAILQ_FIRST(&s->places.waiting))) {
		c->slot = policy_link_ask(&s->link, c, &c->talk->submission, c->until_ms);
		if (!c->slot)
			return;
		policy_places_turn(&s->places, c, POLICY_ASKING);
	}
}

/* NULL: a user that may not talk, or who it is cannot be found out. */
static struct policy_peer *peer_of(struct server *s, int fd)
{
	struct ucred peer;
	socklen_t size = sizeof(peer);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size))
		return NULL;
	return policy_places_peer(&s->places, peer.uid);
}

static void client_begin(void *arg, size_t socket, int fd, const struct sockaddr_storage *address)
{
	struct server *s = arg;
	struct policy_peer *peer = peer_of(s, fd);
	struct policy_place *c;

	(void)address;
	if (!peer) {
		s->link.stats.strangers++;
		close(fd);
		return;
	}
	c = policy_places_victim(&s->places, peer);
	if (c) {
		s->link.stats.crowded++;
		client_drop(s, c);
	}
	client_read(s, policy_places_take(&s->places, peer, fd, (enum policy_socket)socket));
}

static void client_late(struct server *s, struct policy_place *c)
{
	if (c->state == POLICY_READING || c->state == POLICY_WRITING) {
		client_drop(s, c);
		return;
	}
	s->link.stats.late++;
	if (c->slot)
		policy_link_forget(&s->link, c->slot);
	c->slot = NULL;
	client_advance(s, c, policy_talk_answer(c->talk, NULL));
}

static void sweep(void *arg)
{
	struct policy_place *c, *next;
	struct server *s = arg;

	s->loop.sweep_ms = INT64_MAX;
	for (c = TAILQ_FIRST(&s->places.open); c; c = next) {
		next = TAILQ_NEXT(c, link);
		if (c->until_ms <= s->loop.now_ms)
			client_late(s, c);
		else if (c->until_ms < s->loop.sweep_ms)
			s->loop.sweep_ms = c->until_ms;
	}
}

static bool take_answers(void *arg, uint32_t events)
{
	struct server *s = arg;

	return !(events & ~(uint32_t)EPOLLOUT) || policy_link_answers(&s->link, client_answered, s);
}

/* After each wake, everything for the parent is sent at once. */
static void talk_to_parent(struct server *s)
{
	bool out;

	ask_waiting(s);
	policy_link_flush(&s->link, s->loop.now_ms);
	out = s->link.blocked;
	if (out != s->link_watched_out &&
	    serve_loop_watch_parent(&s->loop, EPOLLIN | (out ? EPOLLOUT : 0)) == 0)
		s->link_watched_out = out;
}

static int64_t until_ms(void *arg)
{
	struct server *s = arg;
	int64_t next = policy_link_expire(&s->link, s->loop.now_ms);
	int64_t report_ms;

	talk_to_parent(s);
	report_ms = policy_link_report_ms(&s->link);
	next = next < report_ms ? next : report_ms;
	return next < s->loop.sweep_ms ? next : s->loop.sweep_ms;
}

static const struct serve_ops ops = {
	.accepts = ACCEPTS_PER_WAKE,
	.begin = client_begin,
	.ready = client_ready,
	.parent = take_answers,
	.sweep = sweep,
	.until_ms = until_ms,
};

int policy_child(const struct policy_sockets *sockets, const struct policy_bounds *bounds,
		 const struct config_uids *peers, int parent_fd, pid_t parent)
{
	const struct sandbox sandbox = {
		.parent = parent,
		.name = "smtpl-policy",
		.user = "nobody",
		.syscalls = loop_syscalls,
		.syscalls_count = sizeof(loop_syscalls) / sizeof(*loop_syscalls),
		.memory_bytes = MEMORY_BYTES,
	};
	struct server s = {.bounds = bounds,
			   .loop = {.ops = &ops, .arg = &s, .sweep_ms = INT64_MAX}};
	int err = serve_loop_init(&s.loop, bounds->clients, parent_fd, sockets->listen,
				  POLICY_SOCKETS);

	if (!err)
		err = policy_link_init(&s.link, parent_fd, bounds->records);
	if (!err)
		err = policy_places_init(&s.places, bounds->clients, bounds->per_uid, peers);
	return serve_loop_run(&s.loop, &sandbox, err);
}
