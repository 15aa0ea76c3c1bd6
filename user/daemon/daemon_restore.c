// SPDX-License-Identifier: GPL-2.0-only
/*
 * daemon_restore.c - takes up what was saved: after a reboot the kernel's maps are filled from the
 * database, after a mere restart the database catches up with the maps.
 */
#include <errno.h>
#include <string.h>
#include <time.h>
#include <sys/random.h>
#include "base/clock.h"
#include "config/config_account.h"
#include "daemon.h"
#include "kernel/enforce.h"
#include "base/log.h"
#include "state/state_feeds.h"
#include "state/state_history.h"
#include "state/state_meta.h"

/* By which mode it was judged when it was saved: the daemon before said its own in the maps. An
 * account with a section of its own is taken to have had it then. */
static enum verdict_mode mode_before(const struct daemon *d, const struct account_id *id)
{
	if (config_account_find(&d->config, id))
		return config_account_rule(&d->config, id, time(NULL))->mode;
	return d->meta.observe ? VERDICT_OBSERVE : VERDICT_ENFORCE;
}

static int restore_window(void *arg, const struct account_id *id, const char *own_domain,
			  struct window *window)
{
	struct daemon *d = arg;
	int err = pipeline_restore_window(d->pipeline, id, own_domain, mode_before(d, id), window);

	window_clear(window);
	return err;
}

struct seed {
	struct daemon *daemon;
	size_t no_room; /* saved counts that found no room */
};

/* New maps: the kernel goes on counting from the saved totals, all of them taken in. */
static int seed_count(void *arg, const struct state_count *count)
{
	const struct smtpl_count *kernel = &count->kernel;
	const struct smtpl_totals all = {kernel->delivered, kernel->deferred, kernel->failed,
					 kernel->unknown};
	struct smtpl_count_key key = {.uid = count->uid};
	struct smtpl_count seed = *kernel;
	struct seed *s = arg;
	int err;

	seed.last_ns = 0;
	memcpy(key.domain, count->domain, sizeof(key.domain));
	err = bpf_maps_set_count(s->daemon->maps, &key, &seed);
	if (err == -E2BIG) {
		s->no_room++;
		return 0;
	}
	return err ? err :
		     pipeline_restore_key(s->daemon->pipeline, count->uid, count->domain, &all);
}

static int seed_suspension(void *arg, const struct state_suspension *s)
{
	struct daemon *d = arg;
	int err;

	if (s->kernel.until_ns <= clock_boot_ns())
		return 0;
	err = enforce_suspend(d->maps, &s->account, &s->kernel);
	return err == -EPERM ? 0 : err;
}

/* The maps are those that the database knows: what it has taken in of them. */
static int restore_count(void *arg, const struct state_count *count)
{
	struct daemon *d = arg;

	return pipeline_restore_key(d->pipeline, count->uid, count->domain, &count->accounted);
}

/* The database knows nothing of these maps: what they hold now is where it begins. A put that fails
 * makes the commit fail. */
static int recover_count(void *arg, const struct smtpl_count_key *key,
			 const struct smtpl_count *count)
{
	const struct smtpl_totals all = {count->delivered, count->deferred, count->failed,
					 count->unknown};
	struct state_count row = {.uid = key->uid, .kernel = *count, .accounted = all};
	struct daemon *d = arg;

	memcpy(row.domain, key->domain, sizeof(row.domain));
	state_put_count(d->state, &row);
	return pipeline_restore_key(d->pipeline, key->uid, key->domain, &all);
}

/* A full disk fails the commit, and must not keep the counts from being known. */
static int recover_counts(struct daemon *d)
{
	int err = state_clear_relay_counts(d->state);

	return err && !state_is_full(err) ? err : bpf_maps_each_count(d->maps, recover_count, d);
}

/* What is superseded of keys that the pipeline knows by now. */
static int restore_superseded(void *arg, uint32_t uid, const char *domain,
			      const struct smtpl_totals *superseded)
{
	struct daemon *d = arg;

	return pipeline_restore_superseded(d->pipeline, uid, domain, superseded);
}

static bool feed_is_on(const struct daemon *d, uint32_t mta)
{
	return mta == FEED_POSTFIX ? strcmp(d->config.feed_postfix, "off") != 0 :
				     d->config.feed_exim;
}

static int restore_feed(void *arg, const struct state_feed *saved)
{
	struct pipeline_feed feed = saved->known;
	struct daemon *d = arg;

	feed.running &= feed_is_on(d, feed.mta);
	return pipeline_restore_feed(d->pipeline, &feed, clock_boot_ns());
}

static int restore_feeds(struct daemon *d)
{
	int err = state_each_superseded(d->state, restore_superseded, d);

	return err ? err : state_each_feed(d->state, restore_feed, d);
}

static int remember_suspension(void *arg, const struct account_id *id,
			       const struct smtpl_suspension *s)
{
	struct daemon *d = arg;

	/* One that ended while nobody ran: what was before its end must leave the window. */
	if (!s->until_ns || s->until_ns + d->config.rule.window_s * NS_PER_S <= clock_boot_ns())
		return 0;
	return pipeline_suspend(d->pipeline, id, s->until_ns);
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
/* What was only observed and goes on is not said again after a restart. */
static int remember_observed(void *arg, const struct state_history *row)
{
	int64_t left_s = row->until_wall_s - time(NULL);
	struct daemon *d = arg;

	if (!row->observed || row->end != STATE_HISTORY_RUNNING || left_s <= 0)
		return 0;
	return pipeline_observe(d->pipeline, &row->account, clock_boot_ns() + left_s * NS_PER_S);
}

static int remember_ended(void *arg, const struct state_suspension *s)
{
	uint64_t now = clock_boot_ns(), until = s->kernel.until_ns;
	struct smtpl_suspension kernel;
	struct daemon *d = arg;

	if (enforce_lookup(d->maps, &s->account, now, &kernel) != -ENOENT)
		return 0;
	return pipeline_suspend(d->pipeline, &s->account, until < now ? until : now);
}

/* The text of the refusal names the account's own domain, and the reason. */
static int remember_name(void *arg, const struct state_suspension *s)
{
	struct daemon *d = arg;
	struct account *account = accounts_find(pipeline_accounts(d->pipeline), &s->account);

	if (account && s->domain[0])
		accounts_set_own_domain(account, s->domain);
	daemon_told_note(d, s);
	return 0;
}

static int restore_fresh(struct daemon *d)
{
	struct seed seed = {.daemon = d};
	int err;

	if (getrandom(&d->meta.generation, sizeof(d->meta.generation), 0) < 0)
		return -errno;
	err = state_each_count(d->state, seed_count, &seed);
	if (!err)
		err = state_each_suspension(d->state, seed_suspension, d);
	if (seed.no_room)
		log_warning("%zu saved counts found no room in the maps", seed.no_room);
	return err;
}

/* What is taken in of the maps and their generation must agree: one transaction. */
static int restore_counts(struct daemon *d)
{
	uint64_t generation = 0;
	bool fresh = d->meta.schema == 0;
	int err = state_get_generation(d->state, &generation);

	if (err)
		return err;
	if (!fresh && generation == d->meta.generation)
		return state_each_count(d->state, restore_count, d);
	err = state_begin(d->state);
	if (!err || state_is_full(err))
		err = fresh ? restore_fresh(d) : recover_counts(d);
	if (!err)
		err = fresh ? state_accept_counts(d->state) : 0;
	if (!err)
		err = state_put_generation(d->state, d->meta.generation);
	if (!err)
		return state_commit(d->state);
	state_rollback(d->state);
	return err;
}

/* Without one, saved failures are of remotes that no longer come. */
static void restore_seed(struct daemon *d)
{
	uint64_t seed;

	if (state_get_seed(d->state, &seed))
		log_warning("%s", state_error(d->state));
	else
		pipeline_set_identity_seed(d->pipeline, seed);
}

int daemon_restore(struct daemon *d)
{
	int err = bpf_maps_meta(d->maps, &d->meta);

	restore_seed(d);
	if (!err)
		err = state_each_window(d->state, restore_window, d);
	if (!err)
		err = state_each_history(d->state, NULL, time(NULL) - CONFIG_SUSPEND_MAX_S,
					 remember_observed, d);
	if (!err)
		pipeline_set_rule(d->pipeline, &d->config.rule, clock_boot_ns());
	if (!err)
		err = restore_counts(d);
	if (!err || state_is_full(err))
		err = restore_feeds(d) ?: err;
	/* A full disk must not keep the host without a limit. */
	if (state_is_full(err)) {
		log_warning("cannot write to the state database: %s", state_error(d->state));
		err = 0;
	}
	if (!err)
		err = state_each_suspension(d->state, remember_ended, d);
	if (!err)
		err = bpf_maps_each_uid(d->maps, remember_uid, d);
	if (!err)
		err = bpf_maps_each_domain(d->maps, remember_domain, d);
	if (!err)
		err = state_each_suspension(d->state, remember_name, d);
	if (err)
		log_error("cannot take up the saved state: %s (%s)", strerror(-err),
			  state_error(d->state));
	else if (state_skipped(d->state))
		log_warning("%llu rows of the state database were not valid and are left out",
			    (unsigned long long)state_skipped(d->state));
	return err;
}
