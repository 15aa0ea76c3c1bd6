// SPDX-License-Identifier: GPL-2.0-only
/*
 * pipeline_save.c - what of a pipeline outlives the process: taken out to be saved, and put back.
 */
#include <errno.h>
#include "pipeline_parts.h"

int pipeline_restore_key(struct pipeline *p, uint32_t uid, const char *domain,
			 const struct smtpl_totals *accounted)
{
	struct ledger_key *key;

	if (ledger_get(p->ledger, uid, domain, &key))
		return -ENOMEM;
	ledger_restore(key, accounted);
	return 0;
}

int pipeline_restore_window(struct pipeline *p, const struct account_id *id, const char *own_domain,
			    enum verdict_mode mode, struct window *window)
{
	struct account *a;

	if (accounts_get(p->judge.accounts, id, &a))
		return -ENOMEM;
	window_clear(&a->window);
	a->window = *window;
	*window = (struct window){0};
	a->stored = true;
	a->mode = mode;
	accounts_set_own_domain(a, own_domain);
	judge_soon(&p->judge, a);
	return 0;
}

int pipeline_restore_superseded(struct pipeline *p, uint32_t uid, const char *domain,
				const struct smtpl_totals *superseded)
{
	struct ledger_key *key = ledger_find(p->ledger, uid, domain);

	if (key)
		ledger_restore_superseded(key, superseded);
	return 0;
}

int pipeline_restore_feed(struct pipeline *p, const struct pipeline_feed *feed, uint64_t now_ns)
{
	return feeds_restore(p->feeds, feed, time_seen(p, now_ns));
}

int pipeline_each_dirty_key(struct pipeline *p,
			    int (*each)(void *arg, uint32_t uid, const char *domain,
					const struct smtpl_totals *accounted),
			    void *arg)
{
	for (struct ledger_key *k = ledger_dirty(p->ledger); k; k = k->dirty_next) {
		struct smtpl_totals accounted = ledger_accounted(k);
		int err = each(arg, k->uid, k->domain, &accounted);

		if (err)
			return err;
	}
	return 0;
}

int pipeline_each_dirty_account(struct pipeline *p,
				int (*each)(void *arg, const struct account *account), void *arg)
{
	for (struct account *a = accounts_dirty(p->judge.accounts); a; a = a->dirty_next) {
		int err = each(arg, a);

		if (err)
			return err;
	}
	return 0;
}

int pipeline_each_dirty_superseded(struct pipeline *p,
				   int (*each)(void *arg, uint32_t uid, const char *domain,
					       const struct smtpl_totals *superseded),
				   void *arg)
{
	for (struct ledger_key *k = ledger_dirty(p->ledger); k; k = k->dirty_next) {
		struct smtpl_totals superseded = ledger_superseded(k);
		int err = k->superseded ? each(arg, k->uid, k->domain, &superseded) : 0;

		if (err)
			return err;
	}
	return 0;
}

int pipeline_each_dirty_feed(struct pipeline *p,
			     int (*each)(void *arg, const struct pipeline_feed *feed), void *arg)
{
	return feeds_each_dirty(p->feeds, each, arg);
}

int pipeline_each_relay_count(struct pipeline *p,
			      int (*each)(void *arg, const struct account_id *account,
					  const char *domain, const struct relay_count *counts),
			      void *arg)
{
	return relay_counts_each(p->judge.relay_counts, each, arg);
}

void pipeline_saved(struct pipeline *p)
{
	feeds_saved(p->feeds);
	relay_counts_clear(p->judge.relay_counts);
	ledger_saved(p->ledger);
	accounts_saved(p->judge.accounts);
}
