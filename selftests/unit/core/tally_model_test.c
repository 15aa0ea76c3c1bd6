// SPDX-License-Identifier: GPL-2.0-only
/*
 * tally_model_test.c - what counts of a window, against a naive model that looks at all mails for
 * each mail; and that the quick look, verdict_is_open(), never says no where the verdict is not.
 * Random windows have fixed seeds, which are printed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "tally_fixture.h"

#define MAILS_MAX 400
#define REMOTES	  6

/* A failure in the window, in the order in which failures are looked at: those that failed first,
 * of each outcome the newest first. */
struct failure {
	struct window_mail m;
	bool charged;
	bool counts;
};

struct model {
	struct failure failures[MAILS_MAX];
	size_t used;
};

static bool is_any(enum reply_class class, const enum reply_class *of, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (of[i] == class)
			return true;
	return false;
}

#define IS_ANY(class, ...)                                                                         \
	is_any(class, (const enum reply_class[]){__VA_ARGS__},                                     \
	       sizeof((const enum reply_class[]){__VA_ARGS__}) / sizeof(enum reply_class))

static bool is_in_trouble(struct scene *s, uint32_t remote, int64_t now)
{
	const struct remotes_figures f = remotes_figures(s->remotes, remote, now);

	return s->rule.trouble_accounts && f.bad >= s->rule.trouble_accounts &&
	       100 * f.bad >= s->rule.trouble_share * f.tried;
}

static bool is_excused(struct scene *s, const struct window_mail *m, int64_t now)
{
	if (m->flags & WINDOW_MAIL_EXCUSED)
		return true;
	if (m->class == REPLY_NO_ANSWER && is_in_trouble(s, REMOTES_ANYWHERE, now))
		return true;
	return IS_ANY(m->class, REPLY_RATE, REPLY_GREYLIST, REPLY_NO_ANSWER, REPLY_UNEXPLAINED) &&
	       m->remote && is_in_trouble(s, m->remote, now);
}

static bool is_charged(struct scene *s, const struct window_mail *m, int64_t now)
{
	if (m->class == REPLY_OWN || s->rule.set_aside & 1u << m->class || is_excused(s, m, now))
		return false;
	return m->outcome == SMTP_FAILED || now - m->second >= s->rule.defer_grace_s ||
	       !IS_ANY(m->class, REPLY_GREYLIST, REPLY_NO_ANSWER, REPLY_UNEXPLAINED);
}

static void model_fill(struct model *model, struct scene *s, int64_t now)
{
	model->used = 0;
	for (struct window_mail *m = window_mail_inside(&s->w, NULL); m;
	     m = window_mail_inside(&s->w, m)) {
		struct failure *f = &model->failures[model->used++];
		size_t before = 0;

		assert_true(model->used < MAILS_MAX);
		*f = (struct failure){.m = *m, .charged = is_charged(s, m, now)};
		for (const struct failure *other = model->failures; other < f; other++)
			before += other->charged && other->m.rcpt == m->rcpt;
		f->counts = f->charged && before % 20 == 0;
	}
}

/* Different recipients of which the first failure that is charged says that they are unknown. */
static uint64_t model_unknown(const struct model *model)
{
	uint64_t unknown = 0;

	for (size_t i = 0; i < model->used; i++) {
		bool first = model->failures[i].charged;

		for (size_t n = 0; n < i; n++)
			first &= !model->failures[n].charged ||
				 model->failures[n].m.rcpt != model->failures[i].m.rcpt;
		unknown += first && model->failures[i].m.class == REPLY_RECIPIENT;
	}
	return unknown;
}

/* Failures are taken away until the remote has no more than its share of the rest. */
static uint64_t without_excess(uint64_t all, uint64_t of_remote, uint32_t percent)
{
	while (percent < 100 && 100 * of_remote > percent * all) {
		of_remote--;
		all--;
	}
	return all;
}

static uint64_t count_at(const struct model *model, uint32_t remote, bool soft_alone)
{
	uint64_t count = 0;

	for (size_t i = 0; i < model->used; i++) {
		const struct failure *f = &model->failures[i];

		count += f->counts && f->m.remote == remote &&
			 (!soft_alone ||
			  IS_ANY(f->m.class, REPLY_RATE, REPLY_FULL, REPLY_NO_ANSWER));
	}
	return count;
}

static uint64_t smaller(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t model_bad(const struct model *model, const struct scene *s, uint64_t all,
			  int64_t now)
{
	uint64_t bad = all, rare = all, most_rare = 0, count;

	for (uint32_t remote = 1; remote <= REMOTES + 1; remote++) {
		count = count_at(model, remote, true);
		bad = smaller(bad, without_excess(all, count, s->rule.one_remote));
		if (!remotes_rare(s->remotes, remote, now))
			continue;
		count = count_at(model, remote, false);
		most_rare = count > most_rare ? count : most_rare;
		rare = smaller(rare, without_excess(all, count, s->rule.one_remote));
	}
	/* One remote with so many lets none be capped for being rare. */
	return most_rare < s->rule.rare_remote ? smaller(bad, rare) : bad;
}

/* ---- random windows ---- */

static uint64_t chance(uint64_t *seed, uint64_t n)
{
	return random_next(seed) % n;
}

static struct verdict_rule random_rule(uint64_t *seed)
{
	static const uint32_t one_remote[] = {0, 25, 34, 50, 50, 67, 80, 100};

	return (struct verdict_rule){
		.window_s = HOUR,
		.percent = 1 + chance(seed, 100),
		.min_failures = 1 + chance(seed, 8),
		.set_aside = chance(seed, 2) ? defaults.set_aside : chance(seed, 0x7ff),
		.one_remote = one_remote[chance(seed, 8)],
		.trouble_accounts = chance(seed, 2) ? 4 : chance(seed, 6),
		.trouble_share = 1 + chance(seed, 100),
		.defer_grace_s = chance(seed, 2) ? 0 : chance(seed, 900),
		.hard_recipients = chance(seed, 2) ? 0 : 1 + chance(seed, 30),
		.hard_percent = 1 + chance(seed, 100),
		.rare_remote = chance(seed, 2) ? 0 : chance(seed, 60),
		.lead = chance(seed, 2) ? 0 : chance(seed, 20),
		.warn = chance(seed, 4) ? 1 + chance(seed, 99) : chance(seed, 2) * 100,
	};
}

static void random_mails(struct scene *s, uint64_t *seed, int64_t now)
{
	uint64_t most = chance(seed, 4) ? 20 : 250;

	for (uint64_t i = chance(seed, most); i > 0; i--) {
		struct outcome o = outcome_at(now, 1 + chance(seed, 100),
					      chance(seed, 3) ? SMTP_FAILED : SMTP_DEFERRED);

		o.rcpt = 1 + o.mail % (chance(seed, 3) ? 60 : 3);
		o.class = REPLY_RECIPIENT + chance(seed, REPLY_CLASSES - REPLY_RECIPIENT);
		o.remote = chance(seed, REMOTES + 1);
		o.remote += o.remote >= REMOTES_ANYWHERE; /* none is that one */
		if (o.remote)
			o.remote = chance(seed, 2) ? 2 : o.remote;
		o.age_s = chance(seed, 1000);
		take(&s->w, &o);
	}
	add_many(&s->w, now, chance(seed, 5), SMTP_FAILED);
	add_many(&s->w, now, chance(seed, 5), SMTP_DEFERRED);
	add_many(&s->w, now, chance(seed, 3) ? chance(seed, 10) : chance(seed, 200),
		 SMTP_DELIVERED);
}

static void random_meetings(struct scene *s, uint64_t *seed, int64_t now)
{
	for (uint64_t i = chance(seed, 12); i > 0; i--)
		remotes_meet(s->remotes, 1 + chance(seed, REMOTES + 1), chance(seed, 6),
			     chance(seed, 2) ? REMOTES_TROUBLE : chance(seed, 4), now);
}

/* What is excused now, and not set aside, is marked for all time. */
static void assert_excuses_stay(struct scene *s, const struct model *model, int64_t now)
{
	const struct failure *f = model->failures;

	for (struct window_mail *m = window_mail_inside(&s->w, NULL); m;
	     m = window_mail_inside(&s->w, m), f++)
		if (m->class != REPLY_OWN && !(s->rule.set_aside & 1u << m->class))
			assert_int_equal((bool)(m->flags & WINDOW_MAIL_EXCUSED),
					 is_excused(s, &f->m, now));
}

static void assert_tally(struct scene *s, int64_t now)
{
	static struct model model;
	const struct window_counts counts = window_counts(&s->w);
	uint64_t deferred = counts.deferred, failed = counts.failed;
	int64_t next_s = INT64_MAX;
	struct verdict v;
	struct tally t;

	model_fill(&model, s, now);
	for (size_t i = 0; i < model.used; i++) {
		const struct failure *f = &model.failures[i];
		bool later = !f->charged && f->m.class != REPLY_OWN &&
			     !(s->rule.set_aside & 1u << f->m.class) && !is_excused(s, &f->m, now);

		*(f->m.outcome == SMTP_DEFERRED ? &deferred : &failed) -= !f->counts;
		if (later && f->m.second + s->rule.defer_grace_s < next_s)
			next_s = f->m.second + s->rule.defer_grace_s;
	}
	t = tally_window(&s->w, &s->rule, s->remotes, 1, s->room, now);
	assert_int_equal(t.delivered, counts.delivered);
	assert_int_equal(t.deferred, deferred);
	assert_int_equal(t.failed, failed);
	assert_int_equal(t.unknown, model_unknown(&model));
	assert_int_equal(t.next_s, next_s);
	assert_int_equal(t.bad, model_bad(&model, s, deferred + failed, now));
	assert_excuses_stay(s, &model, now);
	v = verdict_decide(&t, &s->rule);
	if (v.suspend || v.near)
		assert_true(verdict_is_open(&counts, &s->rule));
}

/* In each the same window goes on while remotes and the rule change, so that excuses must stay. */
static void test_random_windows(void **state)
{
	struct scene *s = *state;

	print_message("# seeds 1..3000\n");
	for (uint64_t i = 1; i <= 3000; i++) {
		uint64_t seed = i * 0x9e3779b97f4a7c15ull;
		int64_t now = NOW;

		remotes_free(s->remotes);
		s->remotes = remotes_new(42);
		for (int step = 0; step < 6; step++, now += chance(&seed, 1500)) {
			s->rule = random_rule(&seed);
			random_meetings(s, &seed, now);
			window_slide(&s->w, now, HOUR);
			if (chance(&seed, 2) && entries(&s->w) < MAILS_MAX - 260)
				random_mails(s, &seed, now);
			assert_tally(s, now);
		}
		window_clear(&s->w);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_random_windows, scene_begin, scene_end),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("tally_model", tests, NULL, NULL);
}
