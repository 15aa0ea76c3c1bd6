/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * daemon_children.h - what the daemon's loop serves: descriptors, and among them the processes
 * beside the daemon. Those stand in one table, with one start, one stop and one restart; what each
 * of them does is in the file that defines its kind. (The process that runs the administrator's
 * command for owners is not among them: the list of owners has it, see owners_watch.h.)
 */
#ifndef SMTPL_DAEMON_CHILDREN_H
#define SMTPL_DAEMON_CHILDREN_H

#include <stdbool.h>
#include <stdint.h>

struct daemon;

/* A descriptor and who is called when it is readable: epoll's data points to it. */
struct daemon_source {
	int fd; /* -1: none */
	void (*serve)(struct daemon *d, struct daemon_source *source);
};

/* In the order of their start. */
enum daemon_child_name {
	DAEMON_PROBER,
	DAEMON_DESTROYER,
	DAEMON_RESPONDER,
	DAEMON_POLICY,
	DAEMON_MAILLOG,
	DAEMON_MAILER,
	DAEMON_NOTIFY,
	DAEMON_CHILDREN,
};

struct daemon_child_kind {
	const char *what; /* in messages: "the responder" */
	/* It takes the capabilities and the mappings of the daemon's start: it is started once. */
	bool once;
	/* Is there anything for it to do? NULL: always. */
	bool (*wanted)(const struct daemon *d);
	/* The parent's end of the pair; or -errno, having logged why. */
	int (*start)(struct daemon *d);
	/* Take what it has sent. -EPIPE: it is gone. NULL: it sends nothing that is waited for. */
	int (*serve)(struct daemon *d);
	void (*stop)(struct daemon *d);
	/* It has ended by itself and was stopped. NULL: nothing more is to be done. */
	void (*gone)(struct daemon *d);
};

struct daemon_child {
	struct daemon_source source;
	uint64_t started_ns;
};

/* No child is running yet. */
void daemon_children_init(struct daemon *d);
/* 0, also where it is not wanted; or -errno: it is not running. */
int daemon_child_start(struct daemon *d, enum daemon_child_name name);
/* Without the child it does nothing. */
void daemon_child_stop(struct daemon *d, enum daemon_child_name name);
/* Start those that are not running again, once their last start was a while ago. */
void daemon_children_tend(struct daemon *d);
/* The last that was started comes first. */
void daemon_children_stop(struct daemon *d);

#endif
