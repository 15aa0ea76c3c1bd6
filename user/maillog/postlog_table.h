/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * postlog_table.h - the messages in Postfix's queue, by instance and queue id: what is known of
 * their submission. Bounded: the one that was touched longest ago makes room.
 */
#ifndef SMTPL_POSTLOG_TABLE_H
#define SMTPL_POSTLOG_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "postlog_line.h"

#define POSTLOG_KEY_SIZE 64

struct postlog_message {
	uint64_t hash;
	uint32_t next;  /* in its bucket */
	uint32_t older; /* in its list */
	uint32_t newer;
	uint32_t known; /* of enum origin_known */
	uint32_t uid;
	uint32_t caller;
	uint32_t client_port;
	uint8_t client[16];
	bool begun;     /* its beginning was seen, or where it came from */
	bool removed;   /* kept for lines that are late */
	int64_t removed_ns;
	char *auth;     /* NULL: none */
	char *sender;   /* NULL: not known */
	char *forwarder;
	char key[POSTLOG_KEY_SIZE]; /* "postfix/9F5D65B" */
};

struct postlog_table;

struct postlog_table *postlog_table_new(size_t messages_max, uint64_t seed);
void postlog_table_free(struct postlog_table *t);

/* NULL: not known. */
struct postlog_message *postlog_table_find(struct postlog_table *t, struct postlog_span instance,
					   struct postlog_span id);
/* Nothing is known of it afterwards but its key. NULL: its key is too long. */
struct postlog_message *postlog_table_begin(struct postlog_table *t, struct postlog_span instance,
					    struct postlog_span id);
/* It is in use: others are forgotten first. */
void postlog_table_touch(struct postlog_table *t, struct postlog_message *m);
void postlog_table_remove(struct postlog_table *t, struct postlog_message *m, int64_t wall_ns);
/* Forget what was removed before this time. */
void postlog_table_forget(struct postlog_table *t, int64_t wall_ns);
/* An instance that has been seen, or NULL: there are fewer. */
const char *postlog_table_instance(const struct postlog_table *t, size_t n);
size_t postlog_table_count(const struct postlog_table *t);
uint64_t postlog_table_evicted(const struct postlog_table *t);

#endif
