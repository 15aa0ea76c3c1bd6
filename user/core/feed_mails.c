// SPDX-License-Identifier: GPL-2.0-only
/*
 * feed_mails.c - the mails of one feed: which outcomes on the wire and which reports are of the
 * same mail.
 */
#include <errno.h>
#include "feed_mails.h"

void feed_supersede(struct feeds *fs, struct feed *f, struct ledger_key *key,
		    enum smtp_outcome outcome, uint64_t count)
{
	ledger_supersede(fs->ledger, key, outcome, count);
	fs->judge->stats.superseded += count;
	f->known.stats.wire_delivered += outcome == SMTP_DELIVERED ? count : 0;
	f->known.stats.wire_deferred += outcome == SMTP_DEFERRED ? count : 0;
	f->known.stats.wire_failed += outcome == SMTP_FAILED ? count : 0;
	f->dirty = true;
}

void feed_wait_over(struct feeds *fs, struct feed *f, struct recent *list, struct recent_entry *e)
{
	ledger_wait_over(fs->ledger, e->key, e->outcome, e->count);
	feed_supersede(fs, f, e->key, e->outcome, e->count);
	recent_remove(list, e);
}

int feed_wait(struct feeds *fs, struct feed *f, struct recent *list,
	      const struct recent_entry *entry)
{
	if (list->count == FEEDS_MAILS_MAX) {
		f->known.stats.forgotten += recent_oldest(list)->count;
		feed_wait_over(fs, f, list, recent_oldest(list));
	}
	if (!recent_add(list, entry))
		return -ENOMEM;
	ledger_wait(fs->ledger, entry->key, entry->outcome, entry->count);
	if (!f->silent_ns)
		f->silent_ns = entry->came_ns;
	return 0;
}

/* Without memory it is not remembered, and counts twice when a report of it comes. */
void feed_charged(struct feeds *fs, struct feed *f, const struct recent_entry *entry)
{
	if (f->charged.count == FEEDS_MAILS_MAX) {
		f->known.stats.forgotten++;
		recent_remove(&f->charged, recent_oldest(&f->charged));
	}
	if (!recent_add(&f->charged, entry))
		fs->judge->stats.nomem++;
}

/* How well a report fits an outcome on the wire. One already charged is of another
 * outcome. */
static int fit(const struct recent_entry *report, enum smtp_outcome outcome)
{
	return 4 * (report->outcome == outcome) + 2 * !report->already_charged + !report->seen;
}

/* The best fit, and of equal ones the earliest. A report whose mail was seen to end on the wire has
 * all outcomes that belong to it. */
struct recent_entry *feed_report_of(const struct feed *f, const struct recent_entry *wire)
{
	struct recent_entry *found = NULL, *report = NULL;

	while ((report = recent_next(&f->reports, wire->mail, report))) {
		if (report->time_ns < wire->time_ns ||
		    (report->seen && report->seen != SMTP_DEFERRED))
			continue;
		if (!found || fit(report, wire->outcome) >= fit(found, wire->outcome))
			found = report;
	}
	return found;
}

/* The newest outcome of the report's mail up to the report's time; same: the newest that is the
 * outcome of the report, too. NULL: there is none. */
static struct recent_entry *outcome_of(const struct recent *r, const struct recent_entry *report,
				       bool same)
{
	struct recent_entry *e = NULL;

	while ((e = recent_next(r, report->mail, e)))
		if (e->time_ns <= report->time_ns && (!same || e->outcome == report->outcome))
			return e;
	return NULL;
}

/* The attempt before it that belongs to the same report: a deferral by another host. NULL: there is
 * none. What came before a final outcome is of another message. */
static struct recent_entry *try_before(const struct recent *r, const struct recent_entry *e)
{
	struct recent_entry *before = recent_next(r, e->mail, e);

	return before && before->outcome == SMTP_DEFERRED ? before : NULL;
}

static enum smtp_outcome take_waiting(struct feeds *fs, struct feed *f, struct recent_entry *e)
{
	enum smtp_outcome outcome = e->outcome;
	struct recent_entry *before;

	for (; e; e = before) {
		before = try_before(&f->waiting, e);
		f->known.stats.retried += before != NULL;
		feed_wait_over(fs, f, &f->waiting, e);
	}
	return outcome;
}

static void take_charged(struct feed *f, struct recent_entry *e)
{
	struct recent_entry *before;

	for (; e; e = before) {
		before = try_before(&f->charged, e);
		recent_remove(&f->charged, e);
	}
}

void feed_tries_over(struct feeds *fs, struct feed *f, uint64_t mail)
{
	struct recent_entry *e = recent_next(&f->waiting, mail, NULL);

	if (!e || e->outcome != SMTP_DEFERRED)
		return;
	f->known.stats.retried++;
	take_waiting(fs, f, e);
}

/* The report is of a deferral before the end of the mail, and the end was charged. */
static bool is_over(const struct feed *f, const struct recent_entry *report)
{
	const struct recent_entry *e = NULL;

	while (report->outcome == SMTP_DEFERRED && (e = recent_next(&f->charged, report->mail, e)))
		if (e->time_ns > report->time_ns && e->outcome != SMTP_DEFERRED)
			return true;
	return false;
}

void feed_match(struct feeds *fs, struct feed *f, struct recent_entry *report)
{
	struct recent_entry *e = outcome_of(&f->waiting, report, true), *charged;

	charged = e ? NULL : outcome_of(&f->charged, report, true);
	report->already_charged = charged;
	if (!e && !charged)
		e = outcome_of(&f->waiting, report, false);
	if (!e && !charged)
		charged = outcome_of(&f->charged, report, false);
	/* A deferral that was charged is not the end of the mail that is reported now, and one end
	 * is not another: these reports are charged. */
	if (!report->already_charged && charged) {
		report->already_charged = report->outcome == SMTP_DEFERRED;
		if (!report->already_charged && charged->outcome != SMTP_DEFERRED)
			charged = NULL;
	}
	report->already_charged |= is_over(f, report);
	report->seen = e ? take_waiting(fs, f, e) : SMTP_OUTCOME_NONE;
	take_charged(f, charged);
}

void feed_report_forget(struct feed *f)
{
	struct recent_entry *e = recent_oldest(&f->reports);

	f->known.stats.told_only += !e->already_charged && !e->seen;
	f->known.stats.agreed += !e->already_charged && e->seen && e->seen == e->outcome;
	f->known.stats.differed += !e->already_charged && e->seen && e->seen != e->outcome;
	f->dirty = true;
	recent_remove(&f->reports, e);
}

void feed_report_add(struct feeds *fs, struct feed *f, const struct recent_entry *entry)
{
	if (f->reports.count == FEEDS_MAILS_MAX)
		feed_report_forget(f);
	if (!recent_add(&f->reports, entry))
		fs->judge->stats.nomem++;
}

void feed_unmatched_settle(struct feeds *fs, struct feed *f)
{
	struct recent_entry *e;

	while ((e = recent_oldest(&f->unmatched)) && e->time_ns <= f->cover_ns)
		feed_wait_over(fs, f, &f->unmatched, e);
}
