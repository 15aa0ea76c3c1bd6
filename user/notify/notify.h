/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * notify.h - sending notices: the daemon's end of the process that does it, smtpl-notify. That one
 * has the queue and writes the texts; it has no network, no file and no privilege. Each way to send
 * has a process of its own (channel.h).
 */
#ifndef SMTPL_NOTIFY_H
#define SMTPL_NOTIFY_H

#include <stdint.h>
#include <sys/types.h>
#include <linux/limits.h>
#include "base/mail_address.h"
#include "notice.h"
#include "notify_queue.h"
#include "template.h"

#define NOTIFY_URL_SIZE	   512
#define NOTIFY_SECRET_SIZE 256

/* Where a customer's address comes from. */
enum notify_contacts {
	NOTIFY_CONTACTS_OFF = 0,
	NOTIFY_CONTACTS_KNOWN,	 /* the notice has it, see contacts.h */
	NOTIFY_CONTACTS_COMMAND, /* customer_command prints it */
};

/* A text that is "" is not set. */
struct notify_settings {
	char command[PATH_MAX];
	char admin[MAIL_ADDRESS_SIZE];
	char from[MAIL_ADDRESS_SIZE]; /* "": postmaster at the host's name */
	char webhook[NOTIFY_URL_SIZE];
	char secret[NOTIFY_SECRET_SIZE];
	char host[256];
	uint32_t contacts; /* enum notify_contacts */
	char customer_command[PATH_MAX];
};

struct notify {
	pid_t pid; /* 0: no process, also in a struct that is all zero */
	int fd;	   /* the daemon's end, non-blocking */
};

/* NOTIFY_BIT() of each way that the settings use; 0: nothing is to be sent. */
unsigned int notify_ways(const struct notify_settings *s);
/* BIT of enum channel_name: the processes that these settings need. Other ones: start it anew. */
unsigned int notify_channels(const struct notify_settings *s);

/* Start it. mailer_fd: the socket pair of smtpl-mailer, or -1: there is none, and no mail is sent.
 * 0 or -errno. */
int notify_start(struct notify *n, const struct notify_settings *s, int mailer_fd);
/* 0 or -errno; none of these waits. A template whose subject is "" is taken back. */
int notify_set(const struct notify *n, const struct notify_settings *s);
int notify_set_template(const struct notify *n, uint32_t kind, bool customer,
			const struct template *t);
int notify_send(const struct notify *n, const struct notice *notice);
/* The newest figures: 1, 0: there are none, -EPIPE: it is gone. */
int notify_serve(const struct notify *n, struct notify_stats *stats);
/* It may send what is due, for at most five seconds; then its last figures are those of *stats. */
void notify_stop(struct notify *n, struct notify_stats *stats);

/* --- between the two processes -------------------------------------------------------------- */

enum notify_put {
	NOTIFY_PUT_NOTICE = 1,
	NOTIFY_PUT_SETTINGS,
	NOTIFY_PUT_TEMPLATE,
};

struct notify_notice_record {
	uint32_t put; /* enum notify_put */
	struct notice notice;
};

struct notify_settings_record {
	uint32_t put;
	struct notify_settings settings;
};

struct notify_template_record {
	uint32_t put;
	uint32_t kind;
	uint32_t customer;
	struct template template;
};

struct notify_start {
	const struct notify_settings *settings;
	int mailer_fd;
};

/* child_main: arg is a struct notify_start. */
int notify_child_main(void *arg, int fd, pid_t parent);

#endif
