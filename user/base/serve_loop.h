/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * serve_loop.h - the loop of a sandboxed child that serves many clients: it accepts them, and calls
 * the server for those that can go on. A client has a place, which is a number below the bound of
 * clients; who gets it and who loses it is the server's business. Nothing but the loop waits.
 */
#ifndef SMTPL_SERVE_LOOP_H
#define SMTPL_SERVE_LOOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>
#include "sandbox.h"

#define SERVE_LISTENERS_MAX 8

struct serve_ops {
	unsigned int accepts; /* per wake and listener */
	void (*begin)(void *arg, size_t listener, int fd, const struct sockaddr_storage *peer);
	/* What the client's place is watched for has come. */
	void (*ready)(void *arg, uint32_t place, uint32_t events);
	/* False: the parent is gone. */
	bool (*parent)(void *arg, uint32_t events);
	/* sweep_ms has come: enforce bounds of time, and set it anew. */
	void (*sweep)(void *arg);
	/* Before each wait. How long that may be: until this time, INT64_MAX: for ever. */
	int64_t (*until_ms)(void *arg);
};

struct serve_loop {
	const struct serve_ops *ops;
	void *arg;
	int fds[2 + SERVE_LISTENERS_MAX]; /* parent, epoll, listeners */
	size_t listeners;
	uint32_t places;
	uint32_t *generations; /* a place's, so that no client gets an event of the one before */
	int64_t now_ms;	       /* of the last wake */
	int64_t sweep_ms;
};

/* Sockets are non-blocking. 0 or -errno; memory and descriptors are never given back. */
int serve_loop_init(struct serve_loop *l, uint32_t places, int parent, const int *listeners,
		    size_t count);

/* Go into the sandbox, whose descriptors and files the loop fills in, unless there was an error
 * before; report either to the parent (child.h), and serve until it is gone. Returns the process's
 * exit status. */
int serve_loop_run(struct serve_loop *l, const struct sandbox *sandbox, int err);

/* Watch a client; more than once: `again`. 0 or -errno. */
int serve_loop_watch(const struct serve_loop *l, uint32_t place, int fd, uint32_t events,
		     bool again);
int serve_loop_watch_parent(const struct serve_loop *l, uint32_t events);
/* Close a client's descriptor: its place is free. */
void serve_loop_close(struct serve_loop *l, uint32_t place, int fd);

#endif
