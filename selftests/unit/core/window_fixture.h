/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * window_fixture.h - shared by the tests of the window: outcomes in short, and what must be in the
 * window afterwards. Include cmocka.h first.
 */
#ifndef SMTPL_WINDOW_FIXTURE_H
#define SMTPL_WINDOW_FIXTURE_H

#include "base/clock.h"
#include "core/window.h"

#define HOUR 3600

#define NAMES(x)    ((x) + 1000000) /* the recipient of mail number x, when each has its own */
#define AGE_UNKNOWN OUTCOME_AGE_UNKNOWN

/* Of mail `mail` (0: `count` mails without an identity), at that second. */
static inline struct outcome outcome_at(int64_t second, uint64_t mail, enum smtp_outcome outcome)
{
	return (struct outcome){
		.outcome = outcome,
		.class = outcome == SMTP_DELIVERED ? REPLY_NONE : REPLY_UNEXPLAINED,
		.count = 1,
		.mail = mail,
		.rcpt = mail ? NAMES(mail) : 0,
		.time_ns = second * NS_PER_S,
		.age_s = AGE_UNKNOWN,
	};
}

/* The clock stands at the outcome's second. */
static inline enum outcome_counted take(struct window *w, const struct outcome *o)
{
	enum outcome_counted counted = COUNTED_KINDS;

	assert_int_equal(window_add(w, o, o->time_ns / NS_PER_S, HOUR, &counted), 0);
	return counted;
}

static inline enum outcome_counted add(struct window *w, int64_t second, uint64_t mail,
				       enum smtp_outcome outcome)
{
	const struct outcome o = outcome_at(second, mail, outcome);

	return take(w, &o);
}

/* Of a mail that its server first tried age_s seconds before. */
static inline enum outcome_counted add_aged(struct window *w, int64_t second, int64_t age_s,
					    uint64_t mail, enum smtp_outcome outcome)
{
	struct outcome o = outcome_at(second, mail, outcome);

	o.age_s = age_s;
	return take(w, &o);
}

static inline enum outcome_counted add_many(struct window *w, int64_t second, uint64_t count,
					    enum smtp_outcome outcome)
{
	struct outcome o = outcome_at(second, 0, outcome);

	o.count = count;
	return take(w, &o);
}

static inline void assert_counts(const struct window *w, uint64_t delivered, uint64_t deferred,
				 uint64_t failed)
{
	struct window_counts c = window_counts(w);

	assert_int_equal(c.delivered, delivered);
	assert_int_equal(c.deferred, deferred);
	assert_int_equal(c.failed, failed);
}

static inline size_t entries(const struct window *w)
{
	size_t n = 0;

	for (const struct window_mail *m = window_mail(w, NULL); m; m = window_mail(w, m))
		n++;
	return n;
}

static inline size_t entries_inside(const struct window *w)
{
	size_t n = 0;

	for (struct window_mail *m = window_mail_inside(w, NULL); m; m = window_mail_inside(w, m))
		n++;
	return n;
}

/* The copy that is made by saving and restoring. */
static inline struct window copied(const struct window *from)
{
	struct window to = {0};
	struct window_slot slot;

	for (size_t i = 0; window_slot(from, i, &slot); i++)
		assert_int_equal(window_restore_slot(&to, &slot), 0);
	for (const struct window_mail *m = window_mail(from, NULL); m; m = window_mail(from, m))
		assert_int_equal(window_restore_mail(&to, m), 0);
	return to;
}

static inline uint64_t random_next(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	return *seed ^= *seed << 17;
}

#endif
