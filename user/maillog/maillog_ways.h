/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * maillog_ways.h - servers on loopback to which smtp(8) hands mail. Most are filters: what they
 * take they hand in again, as another message in the queue. One that takes mail and has never
 * handed anything in again is the way to another host, as a tunnel (stunnel, ssh) to a relayhost
 * is: what it answers is what became of mail that leaves. Pure.
 */
#ifndef SMTPL_MAILLOG_WAYS_H
#define SMTPL_MAILLOG_WAYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Their ports are in the configuration of Postfix; of more than these nothing is known. */
#define MAILLOG_WAYS_MAX 64

struct maillog_ways {
	struct {
		uint8_t addr[16];
		uint32_t port;
		bool returns; /* a filter */
	} list[MAILLOG_WAYS_MAX];
	size_t count;
};

/* It has taken a message. returns: which is in the queue again. */
void maillog_ways_note(struct maillog_ways *w, const uint8_t addr[16], uint32_t port, bool returns);
/* Does mail that is handed to it leave this host? */
bool maillog_ways_leaves(const struct maillog_ways *w, const uint8_t addr[16], uint32_t port);

#endif
