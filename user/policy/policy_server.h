/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * policy_server.h - the sockets below the run directory where mail servers ask whether a message
 * may be sent, and report what became of it. A child process without privileges serves them, under
 * seccomp:
 *
 *	exim		one line in, one line out (policy_line.h); also what `smtplimit answer` asks
 *	policy		Postfix policy delegation
 *	socketmap	Postfix and Sendmail tables
 *	feed		event lines of Exim, no answer
 *
 * All are stream sockets, mode 0666 in a directory that all may pass: who may talk is decided by
 * the peer's uid (SO_PEERCRED): root and the relay users; everybody else is closed at once.
 *
 * The child knows no account. It asks its parent over a socket pair, with fixed-size records, and
 * hands delivery reports over.
 */
#ifndef SMTPL_POLICY_SERVER_H
#define SMTPL_POLICY_SERVER_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include "config/config.h"
#include "core/delivery_report.h"
#include "who/submission.h"
#include "refuse/responder.h"

/* Child -> parent: may a message of this submission be sent? */
struct policy_question {
	uint32_t id;
	uint32_t pad;
	struct submission submission;
};

/* Parent -> child. */
struct policy_answer {
	uint32_t id;
	uint32_t charge;	   /* enum payer_kind */
	struct account_id account; /* PAYER_ACCOUNT */
	/* known: 1 when the account is suspended; then the figures of the text. */
	struct responder_answer refusal;
};

/* X(field, what it counts since the child's start); status shows them: headers/losses.h. */
#define POLICY_STATS(X)                                                                            \
	X(strangers, "connections of users that may not talk, closed unread")                      \
	X(crowded, "connections closed because there were too many")                               \
	X(malformed, "requests and event lines that made no sense")                                \
	X(late, "questions that the daemon did not answer in time: passed")                        \
	X(lost, "outcomes dropped because the daemon did not take them")

struct policy_stats {
#define POLICY_STAT_FIELD(name, text) uint64_t name;
	POLICY_STATS(POLICY_STAT_FIELD)
#undef POLICY_STAT_FIELD
};

/* What the child sends: one of these, no longer than its kind. */
struct policy_message {
	uint32_t kind; /* enum policy_kind */
	uint32_t pad;
	union {
		struct policy_question question;
		struct delivery_report record;
		struct policy_stats stats;
	};
};

enum policy_kind {
	POLICY_QUESTION = 1,
	POLICY_RECORD = 2,
	POLICY_COUNTED = 3, /* stats: when they have changed, at most once a second */
};

struct policy_server {
	pid_t pid;
	int fd; /* the parent's end, non-blocking; readable: call policy_server_serve() */
};

struct policy_ops {
	/* *answer is zeroed but for its id. */
	void (*ask)(void *arg, const struct policy_question *question,
		    struct policy_answer *answer);
	void (*record)(void *arg, const struct delivery_report *record);
	void (*counted)(void *arg, const struct policy_stats *stats); /* NULL: not of interest */
};

/* Make the sockets below `run`, replacing what a dead daemon left there, and start the child; wait
 * until it is locked in. `peers`: the uids besides root that may talk. 0 or -errno (-EEXIST: what
 * is there is not a socket); then *d is untouched and no child is left. See child_start(). */
int policy_server_start(struct policy_server *d, const char *run, const struct config_uids *peers);
/* Handle what the child has sent, a bounded number: call again while fd is readable. -EPIPE: the
 * child is gone; stop, then start. */
int policy_server_serve(struct policy_server *d, const struct policy_ops *ops, void *arg);
/* End the child. The files stay: who connects to them is refused, as when the daemon has died. A
 * second call, or one on a zeroed struct, does nothing. */
void policy_server_stop(struct policy_server *d);

#endif
