/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * serve_loop.c - see serve_loop.h. All memory is taken before the sandbox closes.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <sys/epoll.h>
#include "child.h"
#include "clock.h"
#include "serve_loop.h"

#define WAKE_EVENTS 128
#define SPARE_FILES 6 /* stderr, parent, epoll, one more than fits, and two */

enum { PARENT, EPOLL, FIRST_LISTENER };

/* What epoll gives back: a place below its generation; the parent and the listeners lie behind the
 * places. */
static uint64_t place_data(const struct serve_loop *l, uint32_t place)
{
	return (uint64_t)l->generations[place] << 32 | place;
}

static int watch(const struct serve_loop *l, int operation, int fd, uint32_t events, uint64_t data)
{
	struct epoll_event event = {.events = events, .data.u64 = data};

	return epoll_ctl(l->fds[EPOLL], operation, fd, &event) ? -errno : 0;
}

int serve_loop_init(struct serve_loop *l, uint32_t places, int parent, const int *listeners,
		    size_t count)
{
	int err;

	l->places = places;
	l->now_ms = clock_mono_ms();
	l->fds[PARENT] = parent;
	l->fds[EPOLL] = epoll_create1(EPOLL_CLOEXEC);
	if (l->fds[EPOLL] < 0)
		return -errno;
	l->generations = calloc(places, sizeof(*l->generations));
	err = l->generations ? watch(l, EPOLL_CTL_ADD, parent, EPOLLIN, places + PARENT) : -ENOMEM;
	for (; l->listeners < count && !err; l->listeners++) {
		size_t at = FIRST_LISTENER + l->listeners;

		l->fds[at] = listeners[l->listeners];
		err = watch(l, EPOLL_CTL_ADD, l->fds[at], EPOLLIN, places + at);
	}
	return err;
}

int serve_loop_watch(const struct serve_loop *l, uint32_t place, int fd, uint32_t events,
		     bool again)
{
	return watch(l, again ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, events, place_data(l, place));
}

int serve_loop_watch_parent(const struct serve_loop *l, uint32_t events)
{
	return watch(l, EPOLL_CTL_MOD, l->fds[PARENT], events, l->places + PARENT);
}

void serve_loop_close(struct serve_loop *l, uint32_t place, int fd)
{
	close(fd);
	l->generations[place]++;
}

static void accept_clients(struct serve_loop *l, size_t at)
{
	struct sockaddr_storage peer;

	for (unsigned int i = 0; i < l->ops->accepts; i++) {
		socklen_t length = sizeof(peer);
		int fd = accept4(l->fds[at], (struct sockaddr *)&peer, &length,
				 SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd < 0)
			return;
		l->ops->begin(l->arg, at - FIRST_LISTENER, fd, &peer);
	}
}

/* False: the parent is gone. */
static bool handle(struct serve_loop *l, const struct epoll_event *event)
{
	uint32_t at = (uint32_t)event->data.u64;

	if (at == l->places + PARENT)
		return l->ops->parent(l->arg, event->events);
	if (at > l->places)
		accept_clients(l, at - l->places);
	else if (event->data.u64 == place_data(l, at))
		l->ops->ready(l->arg, at, event->events);
	return true;
}

static int wait_ms(const struct serve_loop *l, int64_t until_ms)
{
	if (until_ms == INT64_MAX)
		return -1;
	return until_ms > l->now_ms ? (int)(until_ms - l->now_ms) : 0;
}

static int serve(struct serve_loop *l)
{
	struct epoll_event events[WAKE_EVENTS];

	for (;;) {
		int ms = wait_ms(l, l->ops->until_ms(l->arg));
		int n = epoll_wait(l->fds[EPOLL], events, WAKE_EVENTS, ms);

		if (n < 0 && errno != EINTR)
			return 1;
		l->now_ms = clock_mono_ms();
		for (int i = 0; i < n; i++)
			if (!handle(l, &events[i]))
				return 0;
		if (l->now_ms >= l->sweep_ms)
			l->ops->sweep(l->arg);
	}
}

int serve_loop_run(struct serve_loop *l, const struct sandbox *sandbox, int err)
{
	struct sandbox in = *sandbox;

	in.fds = l->fds;
	in.fds_count = FIRST_LISTENER + l->listeners;
	in.files = l->places + l->listeners + SPARE_FILES;
	tzset(); /* else gmtime_r() reads the time zone's file, when it is too late for that */
	if (!err)
		err = sandbox_enter(&in);
	return child_locked_in(l->fds[PARENT], err) ? serve(l) : 1;
}
