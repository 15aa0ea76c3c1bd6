// SPDX-License-Identifier: GPL-2.0-only
/*
 * daemon_prune.c - makes room in smtpl_counts: a customer whose forwarder is fed with random sender
 * domains would use up the relay's share for good. Forgotten are domains that no window, suspension
 * or unsaved count knows of any more, and only while room is short.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "daemon.h"
#include "base/log.h"

#define PRUNE_EVERY_NS	  (60 * NS_PER_S)
#define PRUNE_IDLE_MORE_S 3600 /* beyond window and suspension: totals stay to be looked at */
#define PRUNE_PUT_TRIES	  16

/* Keys of before this are idle; 0: the boot is younger than that. */
static uint64_t idle_before_ns(const struct daemon *d, uint64_t now_ns)
{
	const struct verdict_rule *rule = &d->config.rule;
	uint64_t idle_ns = (rule->window_s + rule->suspend_s + PRUNE_IDLE_MORE_S) * NS_PER_S;

	return now_ns > idle_ns ? now_ns - idle_ns : 0;
}

static bool domain_suspended(struct daemon *d, const char *domain)
{
	struct smtpl_suspension s;
	int err = bpf_maps_get_domain(d->maps, domain, &s);

	return err ? err != -ENOENT : s.until_ns > clock_boot_ns();
}

static int prune_entry(void *arg, const struct smtpl_count_key *key,
		       const struct smtpl_count *count)
{
	struct daemon *d = arg;

	if (prune_candidate(&d->prune, key, count) &&
	    pipeline_key_settled(d->pipeline, key->uid, key->domain, count) &&
	    !domain_suspended(d, key->domain))
		prune_keep(&d->prune, key, count);
	return 0;
}

static void count_add(struct smtpl_count *to, const struct smtpl_count *more)
{
	to->connections += more->connections;
	to->delivered += more->delivered;
	to->deferred += more->deferred;
	to->failed += more->failed;
	to->unknown += more->unknown;
	to->opaque += more->opaque;
	to->refused += more->refused;
	if (more->last_ns > to->last_ns)
		to->last_ns = more->last_ns;
}

/* It was in use after all. The hooks may have begun it anew meanwhile: that is taken and added. */
static int put_back(struct daemon *d, const struct smtpl_count_key *key, struct smtpl_count *count)
{
	int err = -EEXIST;

	for (int i = 0; i < PRUNE_PUT_TRIES && err == -EEXIST; i++) {
		struct smtpl_count anew;

		err = bpf_maps_add_count(d->maps, key, count);
		if (err == -EEXIST && bpf_maps_take_count(d->maps, key, &anew) == 0)
			count_add(count, &anew);
	}
	return err;
}

/* Out of the map, if nothing has changed since it was read. Where it cannot be put back it is
 * forgotten as well: its last attempts come with their events. */
static bool prune_take(struct daemon *d, const struct prune_key *k)
{
	struct smtpl_count taken;
	int err;

	if (bpf_maps_take_count(d->maps, &k->key, &taken))
		return false;
	if (memcmp(&taken, &k->count, sizeof(taken)) != 0) {
		err = put_back(d, &k->key, &taken);
		if (!err)
			return false;
		log_warning(
			"counts of uid %u found no room any more, one domain begins at zero: %s",
			k->key.uid, strerror(-err));
	}
	pipeline_forget_key(d->pipeline, k->key.uid, k->key.domain);
	return true;
}

/* The row goes last. One that stays, because the daemon was killed or the disk is full, is of a key
 * that begins at zero, which the first reading after a restart finds out. With an entry but no row,
 * old counts would be news. */
static size_t prune_take_all(struct daemon *d)
{
	struct prune *p = &d->prune;
	size_t removed = 0;
	int err = 0;

	for (size_t i = 0; i < p->key_count && !err; i++) {
		const struct prune_key *k = &p->keys[i];

		if (!prune_wanted(p, k->key.uid) || !prune_take(d, k))
			continue;
		prune_removed(p, k->key.uid);
		removed++;
		err = state_delete_count(d->state, k->key.uid, k->key.domain);
	}
	return removed;
}

/* By the difference to what was read before the domains were counted: those that came in between
 * are taken for two until the next time, rather than for none. */
static void correct_domains(struct daemon *d)
{
	struct bpf_domains_change *changes = calloc(d->prune.uid_count, sizeof(*changes));
	size_t count = 0;
	int err = changes ? 0 : -ENOMEM;

	for (size_t i = 0; i < d->prune.uid_count && !err; i++) {
		const struct prune_uid *u = &d->prune.uids[i];
		int64_t by = (int64_t)u->found - (int64_t)u->domains;

		if ((u->bound || u->removed) && by)
			changes[count++] = (struct bpf_domains_change){.uid = u->uid, .by = by};
	}
	if (count)
		err = bpf_maps_change_domains(d->maps, changes, count);
	if (err)
		log_warning("cannot correct how many domains users have: %s", strerror(-err));
	free(changes);
}

static void prune_carry_out(struct daemon *d)
{
	size_t removed;
	int err;

	bpf_maps_each_count(d->maps, prune_entry, d);
	prune_choose(&d->prune);
	err = state_begin(d->state);
	if (err)
		return; /* locked, or the disk is full: in a minute */
	removed = prune_take_all(d);
	err = state_commit(d->state);
	if (err)
		log_warning("rows of forgotten domains stay in the database: %s",
			    state_error(d->state));
	correct_domains(d);
	if (removed)
		log_notice("room was short: %zu idle sender domains are forgotten", removed);
}

void daemon_prune(struct daemon *d)
{
	if (d->prune_ns && d->snapshot.taken_ns - d->prune_ns < PRUNE_EVERY_NS)
		return;
	d->prune_ns = d->snapshot.taken_ns;
	if (!prune_pressed(&d->prune, daemon_role, d))
		return;
	if (prune_start(&d->prune, idle_before_ns(d, clock_boot_ns())) == 0)
		prune_carry_out(d);
	prune_end(&d->prune);
}
