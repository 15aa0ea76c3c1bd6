/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * rules.h - rules to compare with the product's: what others do, and what it could do. Brute force:
 * each account keeps its mails of the last hour, and each verdict goes through all of them.
 *
 * Options, numbers but for CLASSES, which are names of reply_class.h joined by "+":
 *	min percent window suspend
 *			the rule; window and suspend in seconds
 *	attempts=1	each attempt is a mail (cPanel); else deferrals of one (sender, recipient)
 *			are one mail, as in the product
 *	hour=1		a window that begins at each full hour, and a block to its end (cPanel)
 *	sent=1		a mail belongs to the second of its first attempt, and an outcome of one
 *			that was sent before the window changes nothing; else to the second of
 *			its latest outcome
 *	local=1		mail to this host itself counts
 *	dedupe=1 each=N	failures of one recipient count once, and once more for each further N
 *	ignore=CLASSES	neither mail nor failure
 *	wait=CLASSES late=S
 *			deferrals of these count S seconds after the mail's first attempt
 *	breaker=N	host-wide: while N accounts or more, at least `share` percent of those
 *			that tried a remote in the last `back` seconds, have no delivery there
 *			after a failure of the classes trouble=CLASSES, those do not count there
 *	single=P	failures of soft=CLASSES at any one remote are at most P percent of all
 *	strange=N	the same for all failures at a remote that few accounts write to, up to N
 *	cap=N		deliveries to one remote that few accounts write to count at most N
 *	onercpt=N	deliveries to one recipient count at most N
 *	hard=N hardpct=P
 *			also: N different unknown recipients, and they are P percent of the mails
 *	still=1		nobody is suspended because deliveries have left the window
 *	lead=N		fewer than 25 failures must be N more than the deliveries
 * and nothing but:
 *	tsa=N		N failures of content, listed or rate at one remote
 *	nonexist=N	N different unknown recipients
 *	rate=P vol=N	unknown recipients are P percent of at least N mails
 */
#ifndef FAIR_RULES_H
#define FAIR_RULES_H

#include "sim.h"

struct mail {
	uint32_t first_ms; /* of its first attempt */
	uint32_t last_ms;
	uint32_t number; /* of the message */
	uint32_t rcpt;
	uint32_t remote;
	uint8_t outcome;
	uint8_t class;
	uint8_t sender;
	bool warm;
};

struct sender {
	struct mail *mails;
	size_t used;
	size_t room;
	uint32_t until_ms;
	long failures; /* as of the latest slide, all that are no deliveries */
	bool hot;      /* time alone may make it cross the line */
};

/* What one account last had at one remote. */
struct meeting {
	uint32_t account;
	uint32_t bad_ms;
	uint32_t good_ms;
};

struct remote {
	struct meeting *meetings;
	size_t used;
	size_t room;
	uint32_t epoch; /* of the tally that `trouble` was found for */
	bool trouble;
};

/* How many were seen of each number (a recipient, a remote) in one tally. */
struct seen {
	uint32_t *count;
	uint32_t *epoch;
};

struct options {
	long min, percent, window_ms, suspend_ms;
	long attempts, hour, sent, local, dedupe, each, late_ms, breaker, share, back_ms;
	long single, strange, cap, onercpt, hard, hardpct, still, lead, tsa, nonexist, rate, vol;
	unsigned int ignore, wait, trouble, soft;
};

struct rules {
	const struct sim *sim;
	struct options o;
	struct sender *senders;
	struct remote *remotes; /* and one more, for what got no answer anywhere */
	struct seen bad_rcpt, good_rcpt, hard_rcpt;
	struct seen good_remote, soft_remote, strange_remote;
	uint32_t *sent_ms; /* of each message: its first attempt, plus 1 */
	uint32_t epoch;	   /* of the current tally */
	uint32_t now_ms;
};

struct tally {
	long bad, good, nonexist, all;
};

/* rules_tally.c */
struct tally rules_tally(struct rules *j, struct sender *s);
/* For the breaker: note what an account had at its remote. */
void rules_meet(struct rules *j, const struct attempt *a);

/* Room for one more of these in a growing array. */
void *rules_grow(void *array, size_t used, size_t *room, size_t size);

static inline bool is_class(unsigned int classes, int class)
{
	return classes >> class & 1;
}

#endif
