// SPDX-License-Identifier: GPL-2.0-only
/*
 * status_feeds.c - mail through mail servers in `smtplimit status`: whose it is, and what the
 * servers reported of it in place of the kernel's counts.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "status.h"

int status_owner(struct status *s, const char *domain, uint32_t uid)
{
	int r;

	if (!s->owners)
		s->owners = owners_new();
	r = s->owners ? owners_add(s->owners, domain, uid) : -ENOMEM;
	return r == -ENOMEM ? r : 0;
}

static enum smtpl_role role_of(void *arg, uint32_t uid)
{
	return status_role(arg, uid);
}

static bool owner_of(void *arg, const char *domain, uint32_t *uid)
{
	const struct status *s = arg;

	return owners_find(s->owners, domain, uid);
}

const struct payer_ops status_payer_ops = {.role = role_of, .owner = owner_of};

struct account_id status_domain_payer(struct status *s, const char *domain)
{
	struct account_id id = {.kind = ACCOUNT_DOMAIN};

	payer_of_domain(&status_payer_ops, s, domain, &id);
	return id;
}

struct account_id status_payer(struct status *s, uint32_t uid, const char *domain)
{
	return payer_of_mail(&status_payer_ops, s, uid, domain).id;
}

int status_superseded(struct status *s, uint32_t uid, const char *domain,
		      const struct smtpl_totals *superseded)
{
	struct account_id id = status_payer(s, uid, domain);
	struct status_account *a = status_account(s, &id);

	if (!a)
		return -ENOMEM;
	a->superseded.delivered += superseded->delivered;
	a->superseded.deferred += superseded->deferred;
	a->superseded.failed += superseded->failed;
	a->superseded.unknown += superseded->unknown;
	return 0;
}

int status_relay_count(struct status *s, const struct account_id *id, const char *domain,
		       const struct relay_count *counts)
{
	struct status_account *a = status_account(s, id);

	if (!a)
		return -ENOMEM;
	relay_count_add(&a->reported, counts);
	if (id->kind == ACCOUNT_DOMAIN || !domain[0])
		return 0;
	return status_add_domain(a, domain, SMTPL_DOMAIN_SIZE);
}

int status_feed(struct status *s, const struct state_feed *feed)
{
	struct state_feed *grown = reallocarray(s->feeds, s->feeds_count + 1, sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	s->feeds = grown;
	grown[s->feeds_count++] = *feed;
	return 0;
}

/* Counts are read a moment before what is superseded of them is: then more of it may be. */
static void replace(__u64 *count, uint64_t superseded, uint64_t reported)
{
	*count = (*count > superseded ? *count - superseded : 0) + reported;
}

void status_replace(struct status_account *a)
{
	replace(&a->total.delivered, a->superseded.delivered, a->reported.delivered);
	replace(&a->total.deferred, a->superseded.deferred, a->reported.deferred);
	replace(&a->total.failed, a->superseded.failed, a->reported.failed);
	replace(&a->total.unknown, a->superseded.unknown, a->reported.unknown);
	a->total.refused += a->reported.refused;
}

void status_feeds_end(struct status *s)
{
	owners_free(s->owners);
	free(s->feeds);
}

const char *status_feed_name(const struct state_feed *feed)
{
	switch (feed->known.mta) {
	case FEED_EXIM:
		return "exim";
	case FEED_POSTFIX:
		return "postfix";
	}
	return "unknown";
}

struct stop_words {
	const char *word;
	const char *text;
};

static const struct stop_words *stop_of(const struct pipeline_feed *feed)
{
	static const struct stop_words silent[] = {
		[FEED_EXIM] = {"silent", "mail left and Exim said nothing of it: see its hook"},
		[FEED_POSTFIX] = {"silent", "mail left and Postfix's log said nothing of it"},
	};
	static const struct stop_words stops[PIPELINE_FEED_STOPS] = {
		[PIPELINE_FEED_UNREADABLE] = {"unreadable", "the log cannot be read"},
		[PIPELINE_FEED_BLIND] = {"blind", "the log is read, but its lines about mail to "
						  "other hosts are not understood"},
		[PIPELINE_FEED_GONE] = {"gone", "the process that takes the reports has ended"},
	};

	if (feed->running || feed->stop >= PIPELINE_FEED_STOPS)
		return NULL;
	if (feed->stop == PIPELINE_FEED_SILENT)
		return feed->mta == FEED_EXIM || feed->mta == FEED_POSTFIX ? &silent[feed->mta] :
									     NULL;
	return stops[feed->stop].word ? &stops[feed->stop] : NULL;
}

const char *status_feed_stop(const struct pipeline_feed *feed)
{
	const struct stop_words *words = stop_of(feed);

	return words ? words->word : NULL;
}

const char *status_feed_why(const struct pipeline_feed *feed)
{
	const struct stop_words *words = stop_of(feed);

	return words ? words->text : NULL;
}

void status_feeds_finish(struct status *s)
{
	for (size_t i = 0; i < s->feeds_count && s->daemon_lock_pid > 0; i++) {
		const char *why = status_feed_why(&s->feeds[i].known);

		if (why)
			status_problem(s, "%s's reports are not used, the wire is counted: %s",
				       status_feed_name(&s->feeds[i]), why);
	}
}
