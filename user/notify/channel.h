/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * channel.h - a process that sends notices by one way, and has what that way needs: it takes a job
 * from the queue's process (smtpl-notify) over a socket pair, carries it out, and reports how that
 * went. It has one job at a time.
 *
 *	smtpl-command	runs the administrator's commands, as nobody (channel_command.c)
 *	smtpl-mailer	runs sendmail(1), as root (channel_mail.c)
 *	smtpl-webhook	speaks HTTP, as nobody (channel_webhook.c)
 */
#ifndef SMTPL_CHANNEL_H
#define SMTPL_CHANNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include "base/program.h"

#define CHANNEL_BYTES	  (96 * 1024)
#define CHANNEL_SAID_SIZE 512

enum channel_name {
	CHANNEL_COMMAND = 0,
	CHANNEL_MAIL,
	CHANNEL_WEBHOOK,
	CHANNELS,
};

enum channel_work {
	CHANNEL_RUN =
		1, /* first: the command; second: variables, each ended by a NUL; body: JSON */
	CHANNEL_ADDRESS, /* first: the command; second: its argument, the account */
	CHANNEL_SEND,	 /* first: the recipient; body: the mail */
	CHANNEL_POST,	 /* first: the URL; second: the secret; body: JSON */
};

/* Followed by the three parts in this order. first and second end with a NUL. */
struct channel_head {
	uint64_t id;
	uint32_t work; /* enum channel_work */
	uint32_t first_size;
	uint32_t second_size;
	uint32_t body_size;
};

struct channel_job {
	struct channel_head head;
	char bytes[CHANNEL_BYTES];
};

struct channel_result {
	uint64_t id;
	int32_t err;		      /* 0 or -errno */
	char how[CHANNEL_SAID_SIZE];  /* what went wrong; ends with a NUL */
	char said[CHANNEL_SAID_SIZE]; /* untrusted: the first line of what a command printed */
};

/* A part of the work; NULL: none. */
struct channel_part {
	const char *bytes;
	size_t size;
};

/* Put a job together. False: it is too large. */
bool channel_job_make(struct channel_job *job, enum channel_work work, uint64_t id,
		      const struct channel_part part[3]);
/* 0 or -errno; never waits. */
int channel_job_send(int fd, const struct channel_job *job);
/* The result of a job: 1, 0: there is none yet, -EPIPE: the process is gone. */
int channel_result_take(int fd, struct channel_result *result);

/* In the process: its jobs until the other end is gone. `work` is called with parts that are as the
 * comment at enum channel_work says. */
void channel_serve(int fd, void (*work)(const struct channel_job *job, const char *first,
					const char *second, const char *body,
					struct channel_result *result));

/* Run a program to its end; `result` says how that went. */
void channel_run(const struct program *program, struct channel_result *result);

/* Each process's main function, for child_start(). */
int channel_command_main(void *arg, int fd, pid_t parent);
int channel_mail_main(void *arg, int fd, pid_t parent);
int channel_webhook_main(void *arg, int fd, pid_t parent);

#endif
