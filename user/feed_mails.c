// SPDX-License-Identifier: GPL-2.0-only
/*
 * feed_mails.c - the mails of one feed: which outcomes on the wire and which tellings are of the same
 * mail.
 */
#include "feed_mails.h"

void feed_set_aside(struct feeds *fs, struct feed *f, struct ledger_key *key,
		    enum smtp_outcome outcome, uint64_t count)
{
	ledger_set_aside(fs->ledger, key, outcome, count);
	fs->judge->stats.aside += count;
	f->known.stats.wire_delivered += outcome == SMTP_DELIVERED ? count : 0;
	f->known.stats.wire_deferred += outcome == SMTP_DEFERRED ? count : 0;
	f->known.stats.wire_failed += outcome == SMTP_FAILED ? count : 0;
	f->dirty = true;
}

void feed_wait_over(struct feeds *fs, struct feed *f, struct recent *list,
		    struct recent_entry *e)
{
	ledger_wait_over(fs->ledger, e->key, e->outcome, e->count);
	feed_set_aside(fs, f, e->key, e->outcome, e->count);
	recent_remove(list, e);
}

bool feed_wait(struct feeds *fs, struct feed *f, struct recent *list,
	       const struct recent_entry *entry)
{
	if (list->count == FEEDS_MAILS_MAX) {
		f->known.stats.forgotten += list->oldest->count;
		feed_wait_over(fs, f, list, list->oldest);
	}
	if (!recent_add(list, entry))
		return false;
	ledger_wait(fs->ledger, entry->key, entry->outcome, entry->count);
	if (!f->silent_ns)
		f->silent_ns = entry->came_ns;
	return true;
}

/* Without memory it is not remembered: should it be told late, it counts twice. */
void feed_charged(struct feeds *fs, struct feed *f, const struct recent_entry *entry)
{
	if (f->charged.count == FEEDS_MAILS_MAX) {
		f->known.stats.forgotten++;
		recent_remove(&f->charged, f->charged.oldest);
	}
	if (!recent_add(&f->charged, entry))
		fs->judge->stats.nomem++;
}

/* One that has none yet, and of those the earliest. */
struct recent_entry *feed_telling_of(const struct feed *f, uint64_t mail, uint64_t time_ns)
{
	struct recent_entry *found = NULL, *t = NULL;

	while ((t = recent_next(&f->told, mail, t))) {
		if (t->time_ns < time_ns || (t->seen && t->seen != SMTP_DEFERRED))
			continue;
		if (!found || !t->seen || found->seen)
			found = t;
	}
	return found;
}

/* Of the outcomes of a mail up to a time, that came one after the other, the one that a telling is
 * of: the first that is final, for what follows it is another message; the last deferral before it,
 * if it is a deferral that is told. */
static struct recent_entry *told_of(const struct recent *r, const struct recent_entry *telling)
{
	struct recent_entry *final = NULL, *deferral = NULL, *e = NULL;

	while ((e = recent_next(r, telling->mail, e))) {
		if (e->time_ns > telling->time_ns)
			continue;
		if (e->outcome != SMTP_DEFERRED) {
			final = e;
			deferral = NULL;
		} else if (!deferral) {
			deferral = e;
		}
	}
	if (!final || (deferral && telling->outcome == SMTP_DEFERRED))
		return deferral;
	return final;
}

enum smtp_outcome feed_take_waiting(struct feeds *fs, struct feed *f,
				    const struct recent_entry *telling)
{
	struct recent_entry *e = told_of(&f->waiting, telling), *before;
	enum smtp_outcome outcome = e ? e->outcome : SMTP_OUTCOME_NONE;

	for (bool first = true; e; e = before) {
		before = recent_next(&f->waiting, telling->mail, e);
		if (e->time_ns > telling->time_ns)
			continue;
		f->known.stats.retried += !first;
		first = false;
		feed_wait_over(fs, f, &f->waiting, e);
	}
	return outcome;
}

static enum smtp_outcome take_charged(struct feed *f, const struct recent_entry *telling)
{
	struct recent_entry *e = told_of(&f->charged, telling), *before;
	enum smtp_outcome outcome = e ? e->outcome : SMTP_OUTCOME_NONE;

	for (; e; e = before) {
		before = recent_next(&f->charged, telling->mail, e);
		if (e->time_ns <= telling->time_ns)
			recent_remove(&f->charged, e);
	}
	return outcome;
}

/* A deferral that was charged does not stand for the end of the mail. */
bool feed_was_charged(struct feed *f, const struct recent_entry *telling)
{
	enum smtp_outcome outcome = take_charged(f, telling);

	return outcome && (outcome != SMTP_DEFERRED || telling->outcome == SMTP_DEFERRED);
}

void feed_telling_forget(struct feed *f)
{
	const struct recent_entry *e = f->told.oldest;

	f->known.stats.told_only += !e->late && !e->seen;
	f->known.stats.agreed += !e->late && e->seen && e->seen == e->outcome;
	f->known.stats.differed += !e->late && e->seen && e->seen != e->outcome;
	f->dirty = true;
	recent_remove(&f->told, f->told.oldest);
}

void feed_telling_add(struct feeds *fs, struct feed *f, const struct recent_entry *entry)
{
	if (f->told.count == FEEDS_MAILS_MAX)
		feed_telling_forget(f);
	if (!recent_add(&f->told, entry))
		fs->judge->stats.nomem++;
}

void feed_nameless_settle(struct feeds *fs, struct feed *f)
{
	while (f->nameless.oldest && f->nameless.oldest->time_ns <= f->cover_ns)
		feed_wait_over(fs, f, &f->nameless, f->nameless.oldest);
}
