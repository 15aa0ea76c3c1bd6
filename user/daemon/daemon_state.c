// SPDX-License-Identifier: GPL-2.0-only
/*
 * daemon_state.c - the daemon and what is saved: after a reboot the kernel's maps are filled from
 * the database, after a mere restart the database catches up with the maps.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include "base/clock.h"
#include "daemon.h"
#include "kernel/enforce.h"
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

int daemon_state_open(struct daemon *a)
{
	char path[PATH_MAX + sizeof("/" STATE_FILE)];
	int err;

	snprintf(path, sizeof(path), "%s/" STATE_FILE, a->config.state);
	err = state_open(path, STATE_WRITE, &a->state);
	if (err)
		log_error("%s: %s", path, state_error(NULL));
	else if (state_error(a->state)[0])
		log_warning("%s", state_error(a->state));
	if (err)
		return err;
	state_set_busy_ms(a->state, SAVE_BUSY_MS);
	state_keep_files(a->state);
	return 0;
}

/* --- restoring ------------------------------------------------------------------------------ */

static int restore_window(void *arg, const struct account_id *id, const char *own_domain,
			  struct window *window)
{
	struct daemon *a = arg;
	int err = pipeline_restore_window(a->pipeline, id, own_domain, window);

	window_clear(window);
	return err;
}

/* New maps: the kernel goes on counting from the saved totals, all of them taken in. */
static int seed_count(void *arg, const struct state_count *count)
{
	const struct smtpl_count *kernel = &count->kernel;
	const struct smtpl_totals all = {kernel->delivered, kernel->deferred, kernel->failed,
					 kernel->unknown};
	struct smtpl_count_key key = {.uid = count->uid};
	struct smtpl_count seed = *kernel;
	struct daemon *a = arg;
	int err;

	seed.last_ns = 0;
	memcpy(key.domain, count->domain, sizeof(key.domain));
	err = bpf_maps_set_count(a->maps, &key, &seed);
	if (err == -E2BIG) {
		a->unseeded++;
		return 0;
	}
	return err ? err : pipeline_restore_key(a->pipeline, count->uid, count->domain, &all);
}

static int seed_suspension(void *arg, const struct state_suspension *s)
{
	struct daemon *a = arg;
	int err;

	if (s->kernel.until_ns <= clock_boot_ns())
		return 0;
	err = enforce_suspend(a->maps, &s->account, &s->kernel);
	return err == -EPERM ? 0 : err;
}

/* The maps are those that the database knows: what it has taken in of them. */
static int restore_count(void *arg, const struct state_count *count)
{
	struct daemon *a = arg;

	return pipeline_restore_key(a->pipeline, count->uid, count->domain, &count->accounted);
}

/* The database knows nothing of these maps: what they hold now is where it begins. A put that fails
 * makes the commit fail. */
static int recover_count(void *arg, const struct smtpl_count_key *key,
			 const struct smtpl_count *count)
{
	const struct smtpl_totals all = {count->delivered, count->deferred, count->failed,
					 count->unknown};
	struct state_count row = {.uid = key->uid, .kernel = *count, .accounted = all};
	struct daemon *a = arg;

	memcpy(row.domain, key->domain, sizeof(row.domain));
	state_put_count(a->state, &row);
	return pipeline_restore_key(a->pipeline, key->uid, key->domain, &all);
}

/* A full disk fails the commit, and must not keep the counts from being known. */
static int recover_counts(struct daemon *a)
{
	int err = state_clear_relay_counts(a->state);

	return err && !state_is_full(err) ? err : bpf_maps_each_count(a->maps, recover_count, a);
}

/* What is superseded of keys that the pipeline knows by now. */
static int restore_superseded(void *arg, uint32_t uid, const char *domain,
			      const struct smtpl_totals *superseded)
{
	struct daemon *a = arg;

	return pipeline_restore_superseded(a->pipeline, uid, domain, superseded);
}

static bool feed_is_on(const struct daemon *a, uint32_t mta)
{
	return mta == FEED_POSTFIX ? strcmp(a->config.feed_postfix, "off") != 0 :
				     a->config.feed_exim;
}

static int restore_feed(void *arg, const struct state_feed *saved)
{
	struct pipeline_feed feed = saved->known;
	struct daemon *a = arg;

	feed.running &= feed_is_on(a, feed.mta);
	return pipeline_restore_feed(a->pipeline, &feed, clock_boot_ns());
}

static int restore_feeds(struct daemon *a)
{
	int err = state_each_superseded(a->state, restore_superseded, a);

	return err ? err : state_each_feed(a->state, restore_feed, a);
}

static int remember_suspension(void *arg, const struct account_id *id,
			       const struct smtpl_suspension *s)
{
	struct daemon *a = arg;

	/* One that ended while nobody ran: what was before its end must leave the window. */
	if (!s->until_ns || s->until_ns + a->config.rule.window_s * NS_PER_S <= clock_boot_ns())
		return 0;
	return pipeline_suspend(a->pipeline, id, s->until_ns);
}

static int remember_uid(void *arg, const uint32_t *uid, const struct smtpl_uid *value)
{
	const struct account_id id = {.kind = ACCOUNT_UID, .uid = *uid};

	return remember_suspension(arg, &id, &value->suspension);
}

static int remember_domain(void *arg, const struct smtpl_domain_key *key,
			   const struct smtpl_suspension *value)
{
	struct account_id id = {.kind = ACCOUNT_DOMAIN};

	memcpy(id.domain, key->domain, sizeof(id.domain));
	return remember_suspension(arg, &id, value);
}

/* The kernel knows nothing of it any more, the database does: it ended, but the daemon died before
 * the window that begins empty was saved. */
static int remember_ended(void *arg, const struct state_suspension *s)
{
	uint64_t now = clock_boot_ns(), until = s->kernel.until_ns;
	struct smtpl_suspension kernel;
	struct daemon *a = arg;

	if (enforce_lookup(a->maps, &s->account, now, &kernel) != -ENOENT)
		return 0;
	return pipeline_suspend(a->pipeline, &s->account, until < now ? until : now);
}

/* The account's own domain is told to people while it is suspended. */
static int remember_name(void *arg, const struct state_suspension *s)
{
	struct daemon *a = arg;
	struct account *account = accounts_find(pipeline_accounts(a->pipeline), &s->account);

	if (account && s->domain[0])
		accounts_set_own_domain(account, s->domain);
	return 0;
}

static int restore_fresh(struct daemon *a)
{
	int err;

	if (getrandom(&a->meta.generation, sizeof(a->meta.generation), 0) < 0)
		return -errno;
	err = state_each_count(a->state, seed_count, a);
	if (!err)
		err = state_each_suspension(a->state, seed_suspension, a);
	if (a->unseeded)
		log_warning("%zu saved counts found no room in the maps", a->unseeded);
	return err;
}

/* What is taken in of the maps and their generation are one truth: one transaction. */
static int restore_counts(struct daemon *a)
{
	uint64_t generation = 0;
	bool fresh = a->meta.schema == 0;
	int err = state_get_generation(a->state, &generation);

	if (err)
		return err;
	if (!fresh && generation == a->meta.generation)
		return state_each_count(a->state, restore_count, a);
	err = state_begin(a->state);
	if (!err || state_is_full(err))
		err = fresh ? restore_fresh(a) : recover_counts(a);
	if (!err)
		err = fresh ? state_accept_counts(a->state) : 0;
	if (!err)
		err = state_put_generation(a->state, a->meta.generation);
	if (!err)
		return state_commit(a->state);
	state_rollback(a->state);
	return err;
}

int daemon_restore(struct daemon *a)
{
	int err = bpf_maps_meta(a->maps, &a->meta);

	if (!err)
		err = state_each_window(a->state, restore_window, a);
	if (!err)
		err = restore_counts(a);
	if (!err || state_is_full(err))
		err = restore_feeds(a) ?: err;
	/* A full disk must not keep the host without a limit. */
	if (state_is_full(err)) {
		log_warning("cannot write to the state database: %s", state_error(a->state));
		err = 0;
	}
	if (!err)
		err = state_each_suspension(a->state, remember_ended, a);
	if (!err)
		err = bpf_maps_each_uid(a->maps, remember_uid, a);
	if (!err)
		err = bpf_maps_each_domain(a->maps, remember_domain, a);
	if (!err)
		err = state_each_suspension(a->state, remember_name, a);
	if (err)
		log_error("cannot take up the saved state: %s (%s)", strerror(-err),
			  state_error(a->state));
	else if (state_skipped(a->state))
		log_warning("%llu rows of the state database were not valid and are left out",
			    (unsigned long long)state_skipped(a->state));
	return err;
}

/* --- saving --------------------------------------------------------------------------------- */

/* Many accounts may cross the line at once: they are written together, by the next save. */
int daemon_save_suspension(void *arg, const struct state_suspension *s)
{
	struct daemon *a = arg;

	a->save_tick = 0;
	if (a->unsaved_count == a->unsaved_room) {
		size_t room = a->unsaved_room ? 2 * a->unsaved_room : 16;
		void *grown = reallocarray(a->unsaved, room, sizeof(*a->unsaved));

		if (!grown)
			return -ENOMEM;
		a->unsaved = grown;
		a->unsaved_room = room;
	}
	a->unsaved[a->unsaved_count++] = *s;
	return 0;
}

void daemon_unsave_suspension(struct daemon *a, const struct account_id *id)
{
	for (size_t i = 0; i < a->unsaved_count; i++)
		if (account_equal(&a->unsaved[i].account, id))
			a->unsaved[i--] = a->unsaved[--a->unsaved_count];
}

static int save_suspensions(struct daemon *a)
{
	int err = 0;

	for (size_t i = 0; i < a->unsaved_count && !err; i++)
		err = state_put_suspension(a->state, &a->unsaved[i]);
	return err;
}

static int save_key(void *arg, uint32_t uid, const char *domain,
		    const struct smtpl_totals *accounted)
{
	struct state_count count = {.uid = uid, .accounted = *accounted};
	struct smtpl_count_key key = {.uid = uid};
	struct daemon *a = arg;

	snprintf(count.domain, sizeof(count.domain), "%s", domain);
	memcpy(key.domain, count.domain, sizeof(key.domain));
	if (bpf_maps_get_count(a->maps, &key, &count.kernel))
		memset(&count.kernel, 0, sizeof(count.kernel));
	return state_put_count(a->state, &count);
}

static int save_account(void *arg, const struct account *account)
{
	const struct account_id id = accounts_id(account);
	struct daemon *a = arg;

	a->save_bytes += window_bytes(&account->window);
	return state_put_window(a->state, &id, accounts_own_domain(account), &account->window);
}

static int save_superseded(void *arg, uint32_t uid, const char *domain,
			   const struct smtpl_totals *superseded)
{
	struct daemon *a = arg;

	return state_put_superseded(a->state, uid, domain, superseded);
}

static int save_feed(void *arg, const struct pipeline_feed *feed)
{
	struct daemon *a = arg;

	return state_put_feed(a->state, feed);
}

static int save_told(void *arg, const struct account_id *account, const char *domain,
		     const struct relay_count *counts)
{
	struct daemon *a = arg;

	return state_add_relay_count(a->state, account, domain, counts);
}

/* Told, superseded, and how far the log was read: one truth with the windows and counts. */
static int save_feeds(struct daemon *a)
{
	int err = pipeline_each_dirty_superseded(a->pipeline, save_superseded, a);

	if (!err)
		err = pipeline_each_dirty_feed(a->pipeline, save_feed, a);
	if (!err)
		err = pipeline_each_relay_count(a->pipeline, save_told, a);
	return err ? err : daemon_maillog_save(a);
}

static int save_all(struct daemon *a)
{
	int err = state_begin(a->state);

	if (err)
		return err;
	err = save_suspensions(a);
	if (!err)
		err = pipeline_each_dirty_key(a->pipeline, save_key, a);
	if (!err)
		err = pipeline_each_dirty_account(a->pipeline, save_account, a);
	if (!err)
		err = save_feeds(a);
	if (!err)
		return state_commit(a->state);
	state_rollback(a->state);
	return err;
}

/* A full disk is not helped by a log that fills it, nor one that is full every other second. */
static void save_failed(struct daemon *a)
{
	uint64_t now = clock_boot_ns();

	a->save_tick = a->ticks + SAVE_TICKS_FAILED;
	if (a->save_failed_ns && now - a->save_failed_ns < SAVE_LOG_NS)
		return;
	a->save_failed_ns = now;
	a->save_failed = true;
	log_error("cannot save, trying on: %s", state_error(a->state));
}

int daemon_save(struct daemon *a)
{
	size_t ticks;
	int err;

	a->save_bytes = 0;
	err = save_all(a);
	if (err) {
		save_failed(a);
		return err;
	}
	pipeline_saved(a->pipeline);
	a->unsaved_count = 0;
	a->maillog_unsaved = false;
	if (a->save_failed)
		log_notice("saving works again");
	a->save_failed = false;
	ticks = a->save_bytes / SAVE_BYTES_PER_TICK;
	a->save_tick =
		a->ticks + SAVE_TICKS_MIN + (ticks < SAVE_TICKS_MORE ? ticks : SAVE_TICKS_MORE);
	return 0;
}

/* --- healing -------------------------------------------------------------------------------- */

static int snapshot_key(void *arg, const struct smtpl_count_key *key,
			const struct smtpl_count *count)
{
	struct daemon *a = arg;

	prune_note(&a->prune, key, count);
	pipeline_snapshot_key(a->pipeline, key->uid, key->domain, count);
	return 0;
}

bool daemon_snapshot(struct daemon *a, bool due)
{
	uint64_t now = clock_boot_ns();
	struct smtpl_stats stats;

	if (a->snapshot || bpf_maps_stats(a->maps, &stats))
		return false;
	if (!due && now - a->snapshot_ns < (stats.ring_full == a->ring_full ?
						    SNAPSHOT_EVERY_NS :
						    SNAPSHOT_REST * a->snapshot_cost_ns))
		return false;
	a->ring_full = stats.ring_full;
	a->snapshot_ns = now;
	prune_begin(&a->prune);
	pipeline_snapshot_begin(a->pipeline);
	bpf_maps_each_count(a->maps, snapshot_key, a);
	a->snapshot_mark = bpf_ring_mark(a->bpf);
	a->snapshot_cost_ns = clock_boot_ns() - now;
	a->snapshot = true;
	return true;
}

void daemon_snapshot_finish(struct daemon *a)
{
	if (!a->snapshot || !bpf_ring_passed(a->bpf, a->snapshot_mark))
		return;
	a->snapshot = false;
	pipeline_snapshot_end(a->pipeline, clock_boot_ns());
}
