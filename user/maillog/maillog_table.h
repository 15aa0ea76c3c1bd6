/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * maillog_table.h - the messages in Postfix's queue, by instance and queue id: what is known of
 * their submission. Bounded: the one that was touched longest ago makes room.
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
	uint32_t caller;
	uint32_t client_port;
	uint8_t client[16];
	bool begun;   /* its beginning was seen, or where it came from */
	bool removed; /* from the queue; kept for lines that come late */
	int64_t removed_ns;
	char *auth;   /* NULL: none */
	char *sender; /* NULL: not known */
	char *forwarder;
	char key[MAILLOG_KEY_SIZE]; /* "postfix/9F5D65B" */
};

struct maillog_table;

struct maillog_table *maillog_table_new(size_t messages_max, uint64_t seed);
void maillog_table_free(struct maillog_table *t);

/* NULL: not known. */
struct maillog_message *maillog_table_find(struct maillog_table *t, struct maillog_span instance,
					   struct maillog_span id);
/* Nothing is known of it afterwards but its key. NULL: its key is too long. */
struct maillog_message *maillog_table_begin(struct maillog_table *t, struct maillog_span instance,
					    struct maillog_span id);
/* It is in use: others are forgotten first. */
void maillog_table_touch(struct maillog_table *t, struct maillog_message *m);
void maillog_table_remove(struct maillog_table *t, struct maillog_message *m, int64_t wall_ns);
/* Forget what was removed before this time. */
void maillog_table_forget(struct maillog_table *t, int64_t wall_ns);
/* An instance that has been seen, or NULL: there are fewer. */
const char *maillog_table_instance(const struct maillog_table *t, size_t n);
size_t maillog_table_count(const struct maillog_table *t);
uint64_t maillog_table_evicted(const struct maillog_table *t);

#endif
