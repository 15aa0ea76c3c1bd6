/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * maillog_table.h - the messages in Postfix's queue, by instance and queue id: what is known of
 * their submission. Bounded: the one that was touched longest ago makes room.
 *
 * A queue id is an instance's own, and two instances may have the same. Each instance logs under a
 * name of its own, but single services may have other names (-o syslog_name=postfix-submission). A
 * name is an instance's where its queue manager or its master uses it. Example:
 *
 *	postfix-submission/smtpd: 9F5D65B: client=...	begun, whose it is is not known yet
 *	postfix/cleanup: 9F5D65B: message-id=...	it is one of "postfix"
 *	postfix-out/cleanup: 9F5D65B: message-id=...	another one, of "postfix-out"
 *	bulk-smtp/smtp: 9F5D65B: to=<...>, ...		one of the two: so of neither
 */
#ifndef SMTPL_MAILLOG_TABLE_H
#define SMTPL_MAILLOG_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>
#include "base/table.h"
#include "maillog_line.h"

#define MAILLOG_KEY_SIZE 64

struct maillog_message {
	struct table_node node;
	TAILQ_ENTRY(maillog_message) queue;
	uint32_t known; /* of enum submission_known */
	uint32_t uid;
	uint32_t first_uid; /* second pass of a filter: that of the first */
	uint32_t caller;
	uint32_t client_port;
	uint8_t client[16];
	bool begun;   /* its beginning was seen, or where it came from */
	bool removed; /* from the queue; kept for lines that come late */
	int64_t begun_ns;
	int64_t removed_ns;
	uint64_t message_id; /* hash of the header; 0: it came without one */
	char *auth;	     /* NULL: none */
	char *sender;	     /* NULL: not known */
	char *forwarder;
	char key[MAILLOG_KEY_SIZE]; /* "postfix/9F5D65B" */
};

struct maillog_table;

struct maillog_table *maillog_table_new(size_t messages_max, uint64_t seed);
void maillog_table_free(struct maillog_table *t);

/* The name is that of an instance. */
void maillog_table_instance(struct maillog_table *t, struct maillog_span name);
/* Exactly this one; NULL: not known. */
struct maillog_message *maillog_table_find(struct maillog_table *t, struct maillog_span name,
					   struct maillog_span id);
/* The one that a line of this name is about, be it of an instance or of a service. A message that
 * was begun under a service's name is its instance's from then on. NULL: none, or no single one. */
struct maillog_message *maillog_table_about(struct maillog_table *t, struct maillog_span name,
					    struct maillog_span id);
/* Nothing is known of it afterwards but its key. NULL: its key is too long. */
struct maillog_message *maillog_table_begin(struct maillog_table *t, struct maillog_span name,
					    struct maillog_span id);
/* It is in use: others are forgotten first. */
void maillog_table_touch(struct maillog_table *t, struct maillog_message *m);
void maillog_table_remove(struct maillog_table *t, struct maillog_message *m, int64_t wall_ns);
/* Forget what was removed before this time. */
void maillog_table_forget(struct maillog_table *t, int64_t wall_ns);
void maillog_table_drop(struct maillog_table *t, struct maillog_message *m);
/* A name that messages began under, or NULL: there are fewer. */
const char *maillog_table_name(const struct maillog_table *t, size_t n);
/* Replace a string of a message by a copy, bounded. An empty one is kept as such: the null sender.
 * False: memory is missing. */
bool maillog_message_keep(char **to, struct maillog_span from, size_t size);
/* Who submitted `from` has submitted `m`. False: memory is missing. */
bool maillog_message_inherit(struct maillog_message *m, const struct maillog_message *from);

size_t maillog_table_count(const struct maillog_table *t);
uint64_t maillog_table_evicted(const struct maillog_table *t);

#endif
