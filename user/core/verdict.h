/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * verdict.h - the rule: when is an account suspended. Pure.
 */
#ifndef SMTPL_VERDICT_H
#define SMTPL_VERDICT_H

#include <stdbool.h>
#include <stdint.h>
#include "window.h"

/* What a verdict is for. */
enum verdict_mode {
	VERDICT_ENFORCE = 0,
	VERDICT_OBSERVE = 1, /* logged and shown in the status, nobody is refused */
};

struct verdict_rule {
	int64_t window_s;      /* 1..86400 */
	int64_t suspend_s;     /* 1..2592000 */
	uint32_t percent;      /* 1..100 */
	uint32_t min_failures; /* 1..1000000 */
	enum verdict_mode mode;
	uint32_t set_aside;	   /* a bit 1 << enum reply_class: neither mail nor failure */
	uint32_t one_remote;	   /* soft failures at one remote: at most this percentage of the
				    * failures, 0..100; 100: off */
	uint32_t trouble_accounts; /* the breaker: accounts that fail at a remote, 2..32; 0: off */
	uint32_t trouble_share;	   /* and their percentage of those that tried it, 1..100 */
	int64_t defer_grace_s;	   /* 0..3600 */
	uint32_t hard_recipients;  /* different unknown recipients, 20..1000000; 0: off */
	uint32_t hard_percent;	   /* and their percentage of the mails, 1..100 */
	uint32_t rare_remote; /* failures at one remote that few other accounts write to are at most
			       * one_remote percent, up to so many of them; 0: off */
	uint32_t lead; /* below VERDICT_LEAD_FAILURES failures they must be so many more than the
			* deliveries, 0..20 */
	uint32_t warn; /* percentage of the way to the line, 1..99; 0 or 100: no notice */
};

#define VERDICT_LEAD_FAILURES 25

struct remotes;

/* What counts of the mails in a window. */
struct tally {
	uint64_t delivered;
	uint64_t deferred;
	uint64_t failed;
	uint64_t bad;	  /* of deferred + failed, as many as one remote may have */
	uint64_t unknown; /* different recipients that do not exist */
	int64_t next_s;	  /* the second at which a further deferral counts, or INT64_MAX */
};

/* Room for counting, 512 KiB, used again and again. NULL without memory; freed by free(). */
struct tally_room;
struct tally_room *tally_room_new(void);

/* Count, as of the last slide. One failing recipient counts once, and once more for each further
 * TALLY_RECIPIENT_MAILS mails. Mails at a remote that is in trouble are marked as excused, and stay
 * so. remotes: NULL, nothing is known but these marks; account: its name there. */
#define TALLY_RECIPIENT_MAILS 20
struct tally tally_window(const struct window *w, const struct verdict_rule *rule,
			  const struct remotes *remotes, uint64_t account, struct tally_room *room,
			  int64_t now_s);

/* Is a failure of this class charged to nobody, whatever the remote: this host's own fault, or set
 * aside? */
bool verdict_sets_aside(const struct verdict_rule *rule, enum reply_class class);
/* May a remote be in trouble by failures of this class? */
bool verdict_is_trouble(enum reply_class class);
/* Is a failure of this class not charged, because the remote, or the way to all of them, is in
 * trouble now? */
bool verdict_excuses(const struct verdict_rule *rule, enum reply_class class,
		     const struct remotes *remotes, uint32_t remote, int64_t now_s);

struct verdict {
	bool suspend;
	bool near; /* rule->warn percent of the way to the line, or more */
	uint64_t bad;
	uint32_t percent;  /* cut to a whole number; 0 without a mail */
	uint64_t headroom; /* further failures until the line; UINT64_MAX: no number suffices */
};

/* suspend: 100 * bad >= rule->percent * (bad + delivered), and bad >= rule->min_failures; or the
 * second line, hard_recipients. */
struct verdict verdict_decide(const struct tally *tally, const struct verdict_rule *rule);

/* Can the verdict on a window with these mails be anything but "no"? Costs nothing. */
bool verdict_is_open(const struct window_counts *counts, const struct verdict_rule *rule);

/* Percent of bad in tenths, rounded half up, or -1 without a mail. */
int verdict_permille(uint64_t bad, uint64_t delivered);

#endif
