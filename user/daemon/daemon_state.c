// SPDX-License-Identifier: GPL-2.0-only
/*
 * daemon_state.c - the daemon's saving, and the readings of the map of counts that heal what was
 * lost. What was saved is taken up by daemon_restore.c.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "daemon.h"
#include "base/log.h"
#include "state/state_feeds.h"
#include "state/state_meta.h"

#define SNAPSHOT_EVERY_NS (60 * NS_PER_S)
#define SNAPSHOT_REST	  10 /* reading the map takes at most this part of the time */

/* Every account whose window changed is written whole: the more that is, the less often. */
#define SAVE_TICKS_MIN	    2 /* 200 ms */
#define SAVE_TICKS_MORE	    48
#define SAVE_TICKS_FAILED   10
#define SAVE_BYTES_PER_TICK 16384
#define SAVE_BUSY_MS	    50 /* another process holds the database: the next save comes soon */
#define SAVE_LOG_NS	    (60 * NS_PER_S)

int daemon_state_open(struct daemon *d)
{
	char path[PATH_MAX + sizeof("/" STATE_FILE)];
	int err;

	snprintf(path, sizeof(path), "%s/" STATE_FILE, d->config.state);
	err = state_open(path, STATE_WRITE, &d->state);
	if (err)
		log_error("%s: %s", path, state_error(NULL));
	else if (state_error(d->state)[0])
		log_warning("%s", state_error(d->state));
	if (err)
		return err;
	state_set_busy_ms(d->state, SAVE_BUSY_MS);
	state_keep_files(d->state);
	return 0;
}

/* --- saving --------------------------------------------------------------------------------- */

/* Many accounts may cross the line at once: they are written together, by the next save. */
int daemon_save_suspension(void *arg, const struct state_suspension *s)
{
	struct daemon *d = arg;

	d->save.tick = 0;
	if (d->unsaved_count == d->unsaved_room) {
		size_t room = d->unsaved_room ? 2 * d->unsaved_room : 16;
		void *grown = reallocarray(d->unsaved, room, sizeof(*d->unsaved));

		if (!grown)
			return -ENOMEM;
		d->unsaved = grown;
		d->unsaved_room = room;
	}
	d->unsaved[d->unsaved_count++] = *s;
	return 0;
}

void daemon_unsave_suspension(struct daemon *d, const struct account_id *id)
{
	for (size_t i = 0; i < d->unsaved_count; i++)
		if (account_equal(&d->unsaved[i].account, id))
			d->unsaved[i--] = d->unsaved[--d->unsaved_count];
}

static int save_suspensions(struct daemon *d)
{
	int err = 0;

	for (size_t i = 0; i < d->unsaved_count && !err; i++)
		err = state_put_suspension(d->state, &d->unsaved[i]);
	return err;
}

static int save_key(void *arg, uint32_t uid, const char *domain,
		    const struct smtpl_totals *accounted)
{
	struct state_count count = {.uid = uid, .accounted = *accounted};
	struct smtpl_count_key key = {.uid = uid};
	struct daemon *d = arg;

	snprintf(count.domain, sizeof(count.domain), "%s", domain);
	memcpy(key.domain, count.domain, sizeof(key.domain));
	if (bpf_maps_get_count(d->maps, &key, &count.kernel))
		memset(&count.kernel, 0, sizeof(count.kernel));
	return state_put_count(d->state, &count);
}

static int save_account(void *arg, const struct account *account)
{
	const struct account_id id = accounts_id(account);
	struct daemon *d = arg;

	d->save.bytes += window_bytes(&account->window);
	return state_put_window(d->state, &id, accounts_own_domain(account), &account->window);
}

static int save_superseded(void *arg, uint32_t uid, const char *domain,
			   const struct smtpl_totals *superseded)
{
	struct daemon *d = arg;

	return state_put_superseded(d->state, uid, domain, superseded);
}

static int save_feed(void *arg, const struct pipeline_feed *feed)
{
	struct daemon *d = arg;

	return state_put_feed(d->state, feed);
}

static int save_relay_count(void *arg, const struct account_id *account, const char *domain,
			    const struct relay_count *counts)
{
	struct daemon *d = arg;

	return state_add_relay_count(d->state, account, domain, counts);
}

/* What is superseded, and how far the log was read, must agree with the windows and counts: one
 * transaction. */
static int save_feeds(struct daemon *d)
{
	int err = pipeline_each_dirty_superseded(d->pipeline, save_superseded, d);

	if (!err)
		err = pipeline_each_dirty_feed(d->pipeline, save_feed, d);
	if (!err)
		err = pipeline_each_relay_count(d->pipeline, save_relay_count, d);
	return err ? err : daemon_maillog_save(d);
}

static int save_all(struct daemon *d)
{
	int err = state_begin(d->state);

	if (err)
		return err;
	err = save_suspensions(d);
	if (!err)
		err = pipeline_each_dirty_key(d->pipeline, save_key, d);
	if (!err)
		err = pipeline_each_dirty_account(d->pipeline, save_account, d);
	if (!err)
		err = save_feeds(d);
	if (!err)
		err = daemon_alarms_save(d);
	if (!err)
		err = daemon_faults_save(d);
	if (!err)
		return state_commit(d->state);
	state_rollback(d->state);
	return err;
}

/* A full disk is not helped by a log that fills it, nor one that is full every other second. A save
 * that works a second later is no loss. */
static void save_failed(struct daemon *d)
{
	uint64_t now = clock_boot_ns();

	d->losses.total.saves_failed += d->save.failed_before;
	d->save.failed_before = true;
	d->save.tick = d->loop.ticks + SAVE_TICKS_FAILED;
	if (d->save.failed_ns && now - d->save.failed_ns < SAVE_LOG_NS)
		return;
	d->save.failed_ns = now;
	d->save.failed = true;
	log_error("cannot save, trying on: %s", state_error(d->state));
}

int daemon_save(struct daemon *d)
{
	size_t ticks;
	int err;

	d->save.bytes = 0;
	err = save_all(d);
	if (err) {
		save_failed(d);
		return err;
	}
	pipeline_saved(d->pipeline);
	d->unsaved_count = 0;
	d->maillog.unsaved = false;
	d->alarms.count = 0;
	daemon_faults_saved(d);
	if (d->save.failed)
		log_notice("saving works again");
	d->save.failed = d->save.failed_before = false;
	ticks = d->save.bytes / SAVE_BYTES_PER_TICK;
	d->save.tick = d->loop.ticks + SAVE_TICKS_MIN +
		       (ticks < SAVE_TICKS_MORE ? ticks : SAVE_TICKS_MORE);
	return 0;
}

/* --- healing -------------------------------------------------------------------------------- */

static int snapshot_key(void *arg, const struct smtpl_count_key *key,
			const struct smtpl_count *count)
{
	struct daemon *d = arg;

	prune_note(&d->prune, key, count);
	pipeline_snapshot_key(d->pipeline, key->uid, key->domain, count);
	return 0;
}

bool daemon_snapshot(struct daemon *d, bool due)
{
	uint64_t now = clock_boot_ns();
	struct smtpl_stats stats;

	if (d->snapshot.under_way || bpf_maps_stats(d->maps, &stats))
		return false;
	if (!due && now - d->snapshot.taken_ns < (stats.ring_full == d->snapshot.ring_full ?
							  SNAPSHOT_EVERY_NS :
							  SNAPSHOT_REST * d->snapshot.cost_ns))
		return false;
	d->snapshot.ring_full = stats.ring_full;
	d->snapshot.taken_ns = now;
	prune_begin(&d->prune);
	pipeline_snapshot_begin(d->pipeline);
	bpf_maps_each_count(d->maps, snapshot_key, d);
	d->snapshot.mark = bpf_ring_mark(d->bpf);
	d->snapshot.cost_ns = clock_boot_ns() - now;
	d->snapshot.under_way = true;
	return true;
}

void daemon_snapshot_finish(struct daemon *d)
{
	if (!d->snapshot.under_way || !bpf_ring_passed(d->bpf, d->snapshot.mark))
		return;
	d->snapshot.under_way = false;
	pipeline_snapshot_end(d->pipeline, clock_boot_ns());
}
