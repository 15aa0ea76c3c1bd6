/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * policy_child.c - the event loop of the policy server's child process. All memory is taken before
 * the sandbox closes; after that the loop gets by with the system calls listed here.
 */
#include <errno.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <seccomp.h>
#include "base/clock.h"
#include "base/child.h"
#include "policy_link.h"
#include "policy_place.h"
#include "policy_child.h"
#include "base/sandbox.h"

#define WAKE_EVENTS	 128
#define ACCEPTS_PER_WAKE 64
#define SPARE_FILES	 10 /* stderr, the fixed sockets, epoll, one more than fits */
#define MEMORY_BYTES	 (96u << 20)

static const int loop_syscalls[] = {
	SCMP_SYS(accept4),     SCMP_SYS(close),		  SCMP_SYS(epoll_ctl),
	SCMP_SYS(epoll_pwait), SCMP_SYS(epoll_pwait2),	  SCMP_SYS(epoll_wait),
	SCMP_SYS(recv),	       SCMP_SYS(recvfrom),	  SCMP_SYS(recvmmsg),
	SCMP_SYS(send),	       SCMP_SYS(sendmmsg),	  SCMP_SYS(sendto),
	SCMP_SYS(getsockopt),  SCMP_SYS(recvmmsg_time64),
};

struct server {
	const struct policy_sockets *sockets;
	const struct policy_bounds *bounds;
	struct policy_places places;
	struct policy_link link;
	int epoll;
	int64_t now_ms;
	int64_t sweep_ms; /* when bounds of time are looked at next */
	bool link_watched_out;
};

/* What epoll gives back: a connection's place below its generation, so that an event of the one who
 * had the place before is known as such; the fixed sockets lie behind the places. */
static uint64_t place_data(const struct server *s, const struct policy_place *c)
{
	return (uint64_t)c->generation << 32 | (uint32_t)(c - s->places.all);
}

static uint64_t fixed_data(const struct server *s, int fd)
{
	return s->bounds->clients + (uint32_t)fd;
}

static int watch_fixed(const struct server *s, int fd, int operation, uint32_t events)
{
	struct epoll_event event = {.events = events, .data.u64 = fixed_data(s, fd)};

	return epoll_ctl(s->epoll, operation, fd, &event) ? -errno : 0;
}

static void client_drop(struct server *s, struct policy_place *c)
{
	if (c->slot)
		policy_link_forget(&s->link, c->slot);
	c->slot = NULL;
	close(c->fd);
	policy_places_drop(&s->places, c);
}

/* Most connections are served without epoll ever hearing of them. False: dropped. */
static bool client_watch(struct server *s, struct policy_place *c, uint32_t events)
{
	struct epoll_event event = {.events = events, .data.u64 = place_data(s, c)};
	int operation = c->watched ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;

	if (c->watched && c->events == events)
		return true;
	if (epoll_ctl(s->epoll, operation, c->fd, &event)) {
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
	c->until_ms = s->now_ms + ms;
	if (c->until_ms < s->sweep_ms)
		s->sweep_ms = c->until_ms;
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

static void client_tell(struct server *s, struct policy_place *c)
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

/* Go as far as what the peer has said and takes allows. */
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
		case POLICY_SAY:
			if (!client_flush(s, c))
				return;
			break;
		case POLICY_TELL:
			client_tell(s, c);
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

static void client_event(struct server *s, struct policy_place *c, uint32_t events)
{
	/* Nobody is left to be told anything. But what was said counts. */
	if ((events & (EPOLLERR | EPOLLHUP)) && c->state != POLICY_READING)
		client_drop(s, c);
	else if (c->state == POLICY_READING)
		client_read(s, c);
	else if (c->state == POLICY_WRITING)
		client_advance(s, c, POLICY_SAY);
	else
		client_watch(s, c, 0); /* not now; its turn comes after the answer */
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

/* NULL: a stranger, or it cannot be told. */
static struct policy_peer *peer_of(struct server *s, int fd)
{
	struct ucred peer;
	socklen_t size = sizeof(peer);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size))
		return NULL;
	return policy_places_peer(&s->places, peer.uid);
}

static void client_begin(struct server *s, int fd, enum policy_socket socket)
{
	struct policy_peer *peer = peer_of(s, fd);
	struct policy_place *c;

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
	client_read(s, policy_places_take(&s->places, peer, fd, socket));
}

static void accept_clients(struct server *s, int listener)
{
	int socket = 0;
	int fd, i;

	while (s->sockets->listen[socket] != listener)
		socket++;
	for (i = 0; i < ACCEPTS_PER_WAKE; i++) {
		fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd < 0)
			return;
		client_begin(s, fd, (enum policy_socket)socket);
	}
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

static void sweep(struct server *s)
{
	struct policy_place *c, *next;

	s->sweep_ms = INT64_MAX;
	for (c = TAILQ_FIRST(&s->places.open); c; c = next) {
		next = TAILQ_NEXT(c, link);
		if (c->until_ms <= s->now_ms)
			client_late(s, c);
		else if (c->until_ms < s->sweep_ms)
			s->sweep_ms = c->until_ms;
	}
}

/* False: the parent is gone. */
static bool handle(struct server *s, const struct epoll_event *event)
{
	uint32_t at = (uint32_t)event->data.u64;

	if (at < s->bounds->clients) {
		struct policy_place *c = &s->places.all[at];

		if (c->state != POLICY_FREE && event->data.u64 == place_data(s, c))
			client_event(s, c, event->events);
	} else if (at != fixed_data(s, s->link.fd)) {
		accept_clients(s, (int)(at - s->bounds->clients));
	} else if (event->events & ~(uint32_t)EPOLLOUT) {
		return policy_link_answers(&s->link, client_answered, s);
	}
	return true;
}

/* What the parent is asked and told after each wake, all at once. */
static void talk_to_parent(struct server *s)
{
	bool out;

	ask_waiting(s);
	policy_link_flush(&s->link, s->now_ms);
	out = s->link.blocked;
	if (out != s->link_watched_out &&
	    watch_fixed(s, s->link.fd, EPOLL_CTL_MOD, EPOLLIN | (out ? EPOLLOUT : 0)) == 0)
		s->link_watched_out = out;
}

static int wait_ms(const struct server *s, int64_t expire_ms)
{
	int64_t next = policy_link_tell_ms(&s->link);

	next = next < s->sweep_ms ? next : s->sweep_ms;
	next = next < expire_ms ? next : expire_ms;
	if (next == INT64_MAX)
		return -1;
	return next > s->now_ms ? (int)(next - s->now_ms) : 0;
}

static int serve(struct server *s)
{
	struct epoll_event events[WAKE_EVENTS];
	int n, i;

	for (;;) {
		int64_t expire_ms = policy_link_expire(&s->link, s->now_ms);

		talk_to_parent(s);
		n = epoll_wait(s->epoll, events, WAKE_EVENTS, wait_ms(s, expire_ms));
		if (n < 0 && errno != EINTR)
			return 1;
		s->now_ms = clock_mono_ms();
		for (i = 0; i < n; i++)
			if (!handle(s, &events[i]))
				return 0;
		if (s->now_ms >= s->sweep_ms)
			sweep(s);
	}
}

static int server_setup(struct server *s, const struct config_uids *peers, int parent_fd)
{
	int err = policy_link_init(&s->link, parent_fd, s->bounds->records);
	size_t i;

	if (!err)
		err = policy_places_init(&s->places, s->bounds->clients, s->bounds->per_uid, peers);
	if (err)
		return err;
	s->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (s->epoll < 0)
		return -errno;
	err = watch_fixed(s, parent_fd, EPOLL_CTL_ADD, EPOLLIN);
	for (i = 0; i < POLICY_SOCKETS && !err; i++)
		err = watch_fixed(s, s->sockets->listen[i], EPOLL_CTL_ADD, EPOLLIN);
	s->now_ms = clock_mono_ms();
	s->sweep_ms = INT64_MAX;
	tzset(); /* else gmtime_r() reads the time zone's file, when it is too late for that */
	return err;
}

static int lock_in(const struct server *s, pid_t parent)
{
	int fds[POLICY_SOCKETS + 2] = {s->link.fd, s->epoll};
	const struct sandbox sandbox = {
		.parent = parent,
		.name = "smtpl-policy",
		.user = "nobody",
		.fds = fds,
		.fds_count = POLICY_SOCKETS + 2,
		.syscalls = loop_syscalls,
		.syscalls_count = sizeof(loop_syscalls) / sizeof(*loop_syscalls),
		.files = s->bounds->clients + SPARE_FILES,
		.memory_bytes = MEMORY_BYTES,
	};

	memcpy(fds + 2, s->sockets->listen, sizeof(s->sockets->listen));
	return sandbox_enter(&sandbox);
}

int policy_child(const struct policy_sockets *sockets, const struct policy_bounds *bounds,
		 const struct config_uids *peers, int parent_fd, pid_t parent)
{
	struct server s = {.sockets = sockets, .bounds = bounds};
	int err = server_setup(&s, peers, parent_fd);

	if (!err)
		err = lock_in(&s, parent);
	return child_locked_in(parent_fd, err) ? serve(&s) : 1;
}
