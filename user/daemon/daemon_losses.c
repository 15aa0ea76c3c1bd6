// SPDX-License-Identifier: GPL-2.0-only
/*
 * daemon_losses.c - sums up the losses of the daemon and its children, where status finds them.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include "base/clock.h"
#include "base/log.h"
#include "daemon.h"

#define SAY_NS (60 * NS_PER_S)

void daemon_losses_begin(struct daemon_losses *l, const struct bpf_maps *maps)
{
	int err = bpf_maps_losses(maps, &l->total);

	if (err) {
		memset(&l->total, 0, sizeof(l->total));
		log_warning("losses are counted from zero: %s", strerror(-err));
	}
	l->seen = l->said = l->total;
}

void daemon_losses_policy_begins(struct daemon_losses *l)
{
	memset(&l->policy, 0, sizeof(l->policy));
}

void daemon_losses_maillog_begins(struct daemon_losses *l)
{
	memset(&l->maillog, 0, sizeof(l->maillog));
}

/* A counter that is new there has to be shown here, or left out for a reason. */
_Static_assert(sizeof(struct policy_stats) == 5 * sizeof(uint64_t), "each counter is looked at");
_Static_assert(sizeof(struct maillog_stats) == 7 * sizeof(uint64_t), "each counter is looked at");
_Static_assert(sizeof(struct notify_stats) == 4 * sizeof(uint64_t), "each counter is looked at");
_Static_assert(sizeof(struct pipeline_stats) == 20 * sizeof(uint64_t), "each counter is looked at");

/* A child reads what strangers write: it is not believed to count upwards. */
static uint64_t more(uint64_t now, uint64_t before)
{
	return now > before ? now - before : 0;
}

void daemon_losses_policy(struct daemon_losses *l, const struct policy_stats *now)
{
	const struct policy_stats *before = &l->policy;
	struct smtpl_losses *t = &l->total;

	t->policy_late += more(now->late, before->late);
	t->policy_malformed += more(now->malformed, before->malformed);
	t->policy_crowded += more(now->crowded, before->crowded);
	t->policy_strangers += more(now->strangers, before->strangers);
	t->reports_lost += more(now->lost, before->lost);
	l->policy = *now;
}

/* taken, told and messages are no losses. */
void daemon_losses_maillog(struct daemon_losses *l, const struct maillog_stats *now)
{
	const struct maillog_stats *before = &l->maillog;
	struct smtpl_losses *t = &l->total;

	t->maillog_unread += more(now->unread, before->unread);
	t->maillog_unknown += more(now->unknown, before->unknown);
	t->maillog_evicted += more(now->evicted, before->evicted);
	t->maillog_nomem += more(now->nomem, before->nomem);
	l->maillog = *now;
}

void daemon_losses_notify_begins(struct daemon_losses *l)
{
	l->total.notices_dropped += l->notify.waiting;
	memset(&l->notify, 0, sizeof(l->notify));
}

/* sent and waiting are no losses. */
void daemon_losses_notify(struct daemon_losses *l, const struct notify_stats *now)
{
	const struct notify_stats *before = &l->notify;
	struct smtpl_losses *t = &l->total;

	t->notices_failed += more(now->failed, before->failed);
	t->notices_dropped += more(now->dropped, before->dropped);
	l->notify = *now;
}

/* The others tell of a day's work, not of losses; status has bypass and superseded an account. */
static void look_at_pipeline(struct daemon_losses *l, const struct pipeline_stats *now)
{
	const struct pipeline_stats *before = &l->pipeline;
	struct smtpl_losses *t = &l->total;

	t->events_malformed += more(now->malformed, before->malformed);
	t->events_healed += more(now->healed, before->healed);
	t->events_late += more(now->late, before->late);
	t->counts_fell += more(now->resets, before->resets);
	t->nomem += more(now->nomem, before->nomem);
	t->relay_counts_lost += more(now->relay_counts_lost, before->relay_counts_lost);
	t->sessions_evicted += more(now->evicted, before->evicted);
	t->meetings_lost += more(now->meetings_lost, before->meetings_lost);
	l->pipeline = *now;
}

/* The totals are compared without their times, which change here alone. */
static void note_growth(struct daemon_losses *l, uint64_t now_ns)
{
	if (!memcmp(&l->total, &l->seen, sizeof(l->total)))
		return;
#define NOTE_TIME(name, text)                                                                      \
	if (l->total.name != l->seen.name)                                                         \
		l->total.name##_ns = now_ns;
	SMTPL_LOSSES_SERIOUS(NOTE_TIME)
#undef NOTE_TIME
	l->seen = l->total;
	l->unwritten = true;
}

static void write_map(struct daemon_losses *l, struct bpf_maps *maps)
{
	int err = bpf_maps_set_losses(maps, &l->total);

	if (err && !l->failed)
		log_error("cannot write the losses that status shows: %s", strerror(-err));
	l->failed = l->unwritten = err != 0;
}

/* A notice says it as well, but not of notices that are lost. */
static void note_one(struct daemon *d, const char *name, uint64_t grown, const char *text)
{
	struct notice notice = {.kind = NOTICE_LOSSES};

	if (!strncmp(name, "notices_", strlen("notices_")))
		return;
	snprintf(notice.remote, sizeof(notice.remote), "%s", name);
	snprintf(notice.text, sizeof(notice.text), "%s grew by %" PRIu64 ": %s", name, grown, text);
	daemon_notice(d, &notice);
}

/* True: there was something to say. */
static bool say_one(struct daemon *d, const char *name, uint64_t grown, const char *text)
{
	if (!grown)
		return false;
	log_warning("%s grew by %" PRIu64 ": %s", name, grown, text);
	note_one(d, name, grown, text);
	return true;
}

static void say_serious(struct daemon *d, uint64_t now_ns)
{
	struct daemon_losses *l = &d->losses;
	bool said = false;

	if (l->said_ns && now_ns - l->said_ns < SAY_NS)
		return;
#define SAY(name, text) said |= say_one(d, #name, l->total.name - l->said.name, text);
	SMTPL_LOSSES_SERIOUS(SAY)
#undef SAY
	if (said)
		l->said_ns = now_ns;
	l->said = l->total;
}

void daemon_losses_show(struct daemon *d)
{
	const struct pipeline_stats stats = pipeline_stats(d->pipeline);
	struct daemon_losses *l = &d->losses;
	uint64_t now_ns = clock_boot_ns();

	look_at_pipeline(l, &stats);
	note_growth(l, now_ns);
	if (l->unwritten)
		write_map(l, d->maps);
	say_serious(d, now_ns);
}
