/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * notify_child.h - smtpl-notify from inside: the queue, the channels, and the jobs that they get.
 */
#ifndef SMTPL_NOTIFY_CHILD_H
#define SMTPL_NOTIFY_CHILD_H

#include <stdbool.h>
#include "channel.h"
#include "notify.h"

struct notify_channel {
	pid_t pid;		  /* 0: it is no child of this process, or there is none */
	int fd;			  /* -1: there is none */
	struct notify_task *task; /* that it carries out; NULL: it is idle */
	uint64_t id;		  /* of its job */
	int64_t late_ms;	  /* when it must have answered, else it is taken for gone */
	int64_t logged_ms;	  /* when a failure was last logged; 0: never */
};

struct notify_child {
	int fd;
	bool finishing; /* the daemon ends: what is due may still go */
	int64_t end_ms;
	struct notify_queue *queue;
	struct notify_settings settings;
	struct template template[TEMPLATES][2]; /* the administrator's own; second: for customers */
	struct notify_channel channel[CHANNELS];
	struct notify_stats reported;
	int64_t reported_ms;
	uint64_t jobs;
	uint64_t random;
};

/* notify_job.c - put a task's job together. False: it is too large, or there is no memory. */
bool notify_job_make(struct notify_child *c, const struct notify_task *task,
		     struct channel_job *job);

#endif
