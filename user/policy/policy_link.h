/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * policy_link.h - the child's end of the socket pair to the daemon. It sends questions, few at a
 * time so that no answer is lost; delivery reports, which it keeps for a while when the daemon does
 * not take them; and what was counted. It never waits, and sends together what it can.
 */
#ifndef SMTPL_POLICY_LINK_H
#define SMTPL_POLICY_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "policy_server.h"

/* So few that neither side's socket buffer can fill up with them. */
#define POLICY_LINK_QUESTIONS 32

struct policy_slot {
	uint32_t id;
	bool taken;
	bool sent;
	void *client;			     /* NULL: it does not want the answer any more */
	const struct submission *submission; /* must stay until the answer */
	int64_t until_ms;		     /* then the slot is free for another */
};

struct policy_link {
	int fd;
	bool blocked; /* the daemon's buffer is full: flush when fd is writable */
	uint32_t questions;
	unsigned int taken;
	struct policy_slot slots[POLICY_LINK_QUESTIONS];
	struct delivery_report *records; /* a ring */
	size_t records_max;
	size_t records_first;
	size_t records_count;
	struct policy_stats stats;
	struct policy_stats reported;
	int64_t reported_ms;
};

/* 0 or -ENOMEM. The memory is never given back. */
int policy_link_init(struct policy_link *l, int fd, size_t records_max);

/* Put a question in line. NULL: as many as may be are out. */
struct policy_slot *policy_link_ask(struct policy_link *l, void *client,
				    const struct submission *submission, int64_t until_ms);
/* The client does not want the answer any more. */
void policy_link_forget(struct policy_link *l, struct policy_slot *slot);
/* Give up the slots whose answer is overdue. Returns when the next will be, or INT64_MAX. */
int64_t policy_link_expire(struct policy_link *l, int64_t now_ms);

/* Put a delivery report in line; where there is no room, count it as lost. */
void policy_link_record(struct policy_link *l, const struct delivery_report *record);

/* Send what there is. */
void policy_link_flush(struct policy_link *l, int64_t now_ms);
/* When to flush for what was counted; INT64_MAX: nothing new, or it is blocked. */
int64_t policy_link_report_ms(const struct policy_link *l);

/* Take the answers that have come. False: the daemon is gone. */
bool policy_link_answers(struct policy_link *l,
			 void (*answer)(void *arg, void *client,
					const struct policy_answer *answer),
			 void *arg);

#endif
