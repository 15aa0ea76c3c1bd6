// SPDX-License-Identifier: GPL-2.0-only
/*
 * window_model_test.c - the window against a naive model: a list of all mails with their fields,
 * from which everything is computed anew each time. Random histories have fixed seeds, which are
 * printed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include "window_fixture.h"

#define MODEL_MAX 9000

/* A mail that was counted, or is pending. */
struct mail {
	uint64_t mail; /* 0: it has no entry */
	uint64_t rcpt;
	int64_t second;
	uint32_t remote;
	enum smtp_outcome outcome;
	enum reply_class class;
	bool past;
	bool excused;
};

/* In the order of their arrival, which decides who is older within a second. */
struct model {
	struct mail mails[MODEL_MAX];
	size_t used;
};

static void model_remove(struct model *m, size_t i)
{
	memmove(&m->mails[i], &m->mails[i + 1], (--m->used - i) * sizeof(m->mails[0]));
}

static void model_push(struct model *m, struct mail mail)
{
	assert_true(m->used < MODEL_MAX);
	m->mails[m->used++] = mail;
}

static bool is_pending(const struct mail *mail)
{
	return mail->mail && mail->outcome == SMTP_DEFERRED;
}

static void model_slide(struct model *m, int64_t now, int64_t length)
{
	for (size_t i = m->used; i-- > 0;) {
		struct mail *mail = &m->mails[i];

		mail->past |= mail->second <= now - length;
		if (mail->past && (!is_pending(mail) || mail->second <= now - WINDOW_PENDING_S))
			model_remove(m, i);
	}
}

static bool has_recipient(const struct model *m, uint64_t rcpt, const struct mail *but)
{
	for (size_t i = 0; i < m->used; i++)
		if (m->mails[i].mail && !m->mails[i].past && m->mails[i].rcpt == rcpt &&
		    &m->mails[i] != but)
			return true;
	return false;
}

/* The oldest entry of an outcome, or MODEL_MAX. */
static size_t model_oldest(const struct model *m, enum smtp_outcome outcome)
{
	size_t oldest = MODEL_MAX;

	for (size_t i = 0; i < m->used; i++)
		if (m->mails[i].mail && m->mails[i].outcome == outcome &&
		    (oldest == MODEL_MAX || m->mails[i].second < m->mails[oldest].second))
			oldest = i;
	return oldest;
}

/* Room for one more entry. */
static void model_evict(struct model *m)
{
	size_t used = 0, i;

	for (i = 0; i < m->used; i++)
		used += m->mails[i].mail != 0;
	if (used < WINDOW_MAILS_MAX)
		return;
	i = model_oldest(m, SMTP_FAILED);
	if (i == MODEL_MAX)
		i = model_oldest(m, SMTP_DEFERRED);
	if (m->mails[i].past || m->mails[i].excused ||
	    (m->mails[i].outcome == SMTP_FAILED &&
	     has_recipient(m, m->mails[i].rcpt, &m->mails[i])))
		model_remove(m, i);
	else
		m->mails[i].mail = 0;
}

static size_t model_find(const struct model *m, const struct outcome *o)
{
	for (size_t i = 0; i < m->used; i++)
		if (o->mail && m->mails[i].mail == o->mail && is_pending(&m->mails[i]))
			return i;
	return MODEL_MAX;
}

static void model_enter(struct model *m, const struct outcome *o, int64_t date, bool past)
{
	struct mail mail = {o->mail, o->rcpt, date, o->remote, o->outcome, o->class, past, false};

	if (o->outcome == SMTP_DELIVERED)
		mail.mail = 0;
	if (mail.mail)
		model_evict(m);
	for (uint64_t n = o->mail ? 1 : o->count; n > 0; n--)
		model_push(m, mail);
}

static enum outcome_counted model_new(struct model *m, const struct outcome *o, int64_t date,
				      int64_t now, int64_t length)
{
	bool again = o->mail && o->outcome != SMTP_DELIVERED && has_recipient(m, o->rcpt, NULL);

	if (date > now - length) {
		model_enter(m, o, date, false);
		return again ? COUNTED_SAME_RECIPIENT : COUNTED_MAIL;
	}
	if (o->mail && o->outcome == SMTP_DEFERRED && date > now - WINDOW_PENDING_S)
		model_enter(m, o, date, true);
	return COUNTED_OLD;
}

static enum outcome_counted model_add(struct model *m, const struct outcome *o, int64_t now,
				      int64_t length)
{
	int64_t date = (int64_t)(o->time_ns / NS_PER_S) - (o->age_s > 0 ? o->age_s : 0);
	size_t i = model_find(m, o);
	struct mail was;
	bool younger;

	if (i == MODEL_MAX)
		return model_new(m, o, date, now, length);
	was = m->mails[i];
	younger = o->age_s != OUTCOME_AGE_UNKNOWN ?
			  date > was.second + 2 :
			  was.past && was.excused && o->remote != was.remote;
	younger = younger && date > now - length;
	if (o->outcome == SMTP_DEFERRED && !(was.past && younger)) {
		m->mails[i].class = o->class;
		m->mails[i].remote = o->remote;
		m->mails[i].excused = false;
		return was.past ? COUNTED_OLD : COUNTED_RETRY;
	}
	model_remove(m, i);
	if (o->outcome == SMTP_DEFERRED)
		return model_new(m, o, date, now, length);
	if (was.past && !younger)
		return COUNTED_OLD;
	model_enter(m, o, younger ? date : was.second, false);
	return COUNTED_RETRY;
}

static void model_note(struct model *m, const struct outcome *o, int64_t now)
{
	int64_t date = (int64_t)(o->time_ns / NS_PER_S) - (o->age_s > 0 ? o->age_s : 0);
	size_t i = model_find(m, o);

	if (i != MODEL_MAX && o->outcome != SMTP_DEFERRED)
		model_remove(m, i);
	if (i == MODEL_MAX && o->mail && o->outcome == SMTP_DEFERRED &&
	    date > now - WINDOW_PENDING_S)
		model_enter(m, o, date, true);
}

static void model_release(struct model *m)
{
	for (size_t i = m->used; i-- > 0;) {
		m->mails[i].past = true;
		if (!is_pending(&m->mails[i]))
			model_remove(m, i);
	}
}

/* ---- are they the same? ---- */

static void assert_same_counts(const struct window *w, const struct model *m)
{
	uint64_t counts[5] = {0};

	for (size_t i = 0; i < m->used; i++)
		counts[m->mails[i].outcome] += !m->mails[i].past;
	assert_counts(w, counts[SMTP_DELIVERED], counts[SMTP_DEFERRED], counts[SMTP_FAILED]);
}

static void assert_same_slots(const struct window *w, const struct model *m)
{
	int64_t before = INT64_MIN;
	struct window_slot slot;

	for (size_t i = 0; window_slot(w, i, &slot); i++) {
		uint32_t counts[5] = {0};

		assert_true(slot.second > before);
		before = slot.second;
		for (size_t n = 0; n < m->used; n++)
			counts[m->mails[n].outcome] +=
				!m->mails[n].past && m->mails[n].second == slot.second;
		assert_int_equal(slot.delivered, counts[SMTP_DELIVERED]);
		assert_int_equal(slot.deferred, counts[SMTP_DEFERRED]);
		assert_int_equal(slot.failed, counts[SMTP_FAILED]);
	}
}

static bool is_same(const struct mail *mail, const struct window_mail *m)
{
	return mail->mail == m->mail && mail->rcpt == m->rcpt && mail->second == m->second &&
	       mail->remote == m->remote && mail->outcome == (enum smtp_outcome)m->outcome &&
	       mail->class == (enum reply_class)m->class &&
	       mail->past == (bool)(m->flags & WINDOW_MAIL_PAST) &&
	       mail->excused == (bool)(m->flags & WINDOW_MAIL_EXCUSED);
}

/* Each entry of either is in the other. Those of one mail that failed twice may be alike. */
static void assert_same_entries(const struct window *w, const struct model *model)
{
	size_t inside = 0, all = 0;

	for (const struct window_mail *m = window_mail(w, NULL); m; m = window_mail(w, m)) {
		size_t alike = 0, known = 0;

		for (size_t i = 0; i < model->used; i++)
			known += is_same(&model->mails[i], m);
		for (const struct window_mail *n = window_mail(w, NULL); n; n = window_mail(w, n))
			alike += n->mail == m->mail && n->second == m->second &&
				 n->outcome == m->outcome && n->class == m->class &&
				 n->remote == m->remote && n->rcpt == m->rcpt &&
				 n->flags == m->flags;
		assert_int_equal(known, alike);
	}
	for (size_t i = 0; i < model->used; i++) {
		all += model->mails[i].mail != 0;
		inside += model->mails[i].mail && !model->mails[i].past;
	}
	assert_int_equal(entries(w), all);
	assert_int_equal(entries_inside(w), inside);
}

/* The failed ones first, of each outcome the newest first. */
static void assert_inside_in_order(const struct window *w)
{
	const struct window_mail *before = NULL;

	for (struct window_mail *m = window_mail_inside(w, NULL); m; m = window_mail_inside(w, m)) {
		assert_false(m->flags & WINDOW_MAIL_PAST);
		if (before && before->outcome == m->outcome)
			assert_true(m->second <= before->second);
		else if (before)
			assert_int_equal(before->outcome, SMTP_FAILED);
		before = m;
	}
}

static void assert_same(const struct window *w, const struct model *m)
{
	assert_same_counts(w, m);
	assert_same_slots(w, m);
	assert_same_entries(w, m);
	assert_inside_in_order(w);
	assert_int_equal(window_empty(w), m->used == 0);
}

/* ---- histories ---- */

struct history {
	uint64_t seed;
	int64_t now;
	int64_t length;
	uint64_t mails; /* that there are */
	struct window w;
	struct model m;
};

static uint64_t chance(struct history *h, uint64_t n)
{
	return random_next(&h->seed) % n;
}

static struct outcome random_outcome(struct history *h)
{
	int64_t second = h->now - (chance(h, 8) ? 0 : chance(h, 100));
	struct outcome o =
		outcome_at(second < 0 ? 0 : second, chance(h, 5) ? 1 + chance(h, h->mails) : 0,
			   SMTP_DELIVERED + chance(h, 3));

	if (o.mail)
		o.rcpt = NAMES(o.mail * 2 / 3); /* some have two mails */
	else
		o.count = 1 + chance(h, 3);
	if (o.outcome != SMTP_DELIVERED)
		o.class = REPLY_RECIPIENT + chance(h, 3);
	o.remote = chance(h, 3);
	if (chance(h, 2))
		o.age_s = chance(h, 20) ? chance(h, 2 * h->length) : chance(h, 500000);
	return o;
}

/* One of the failed mails that are alike is as good as another. */
static void excuse(struct history *h)
{
	struct window_mail *m = window_mail_inside(&h->w, NULL);

	for (size_t i = 0; m && i < h->m.used; i++)
		if (is_same(&h->m.mails[i], m)) {
			h->m.mails[i].excused = true;
			m->flags |= WINDOW_MAIL_EXCUSED;
			return;
		}
}

/* What else can happen: a reload with another length, a release, a suspension, an excuse, a
 * restart. */
static void random_event(struct history *h)
{
	struct outcome o = random_outcome(h);
	struct window copy;

	switch (chance(h, 12)) {
	case 0:
		h->length = 1 + chance(h, 200);
		break;
	case 1:
		window_release(&h->w);
		model_release(&h->m);
		break;
	case 2 ... 6:
		model_note(&h->m, &o, h->now);
		assert_int_equal(window_note(&h->w, &o, h->now, h->length), 0);
		break;
	case 7 ... 9:
		excuse(h);
		break;
	default:
		copy = copied(&h->w);
		window_clear(&h->w);
		h->w = copy;
	}
}

static void step(struct history *h)
{
	enum outcome_counted is, want;
	struct outcome o;

	if (chance(h, 3) == 0)
		h->now += chance(h, h->length / 8 + 2);
	if (chance(h, 400) == 0)
		h->now += chance(h, WINDOW_PENDING_S);
	model_slide(&h->m, h->now, h->length);
	o = random_outcome(h);
	want = model_add(&h->m, &o, h->now, h->length);
	assert_int_equal(window_add(&h->w, &o, h->now, h->length, &is), 0);
	assert_int_equal(is, want);
	if (chance(h, 30) == 0)
		random_event(h);
	model_slide(&h->m, h->now, h->length);
	window_slide(&h->w, h->now, h->length);
	assert_same_counts(&h->w, &h->m);
}

static void test_random_histories(void **state)
{
	static struct history h;

	(void)state;
	print_message("# seeds 1..150\n");
	for (uint64_t seed = 1; seed <= 150; seed++) {
		h = (struct history){.seed = seed * 0x9e3779b97f4a7c15ull, .mails = 60};
		h.length = 1 + chance(&h, 200);
		h.now = chance(&h, 1000);
		for (int i = 0; i < 1500; i++) {
			step(&h);
			if (i % 5 == 0)
				assert_same(&h.w, &h.m);
		}
		window_clear(&h.w);
		assert_int_equal(window_bytes(&h.w), 0);
	}
}

/* More entries than a window has room for, most of them of the same seconds. */
static void test_crowded_histories(void **state)
{
	static struct history h;

	(void)state;
	print_message("# seeds 1..3\n");
	for (uint64_t seed = 1; seed <= 3; seed++) {
		h = (struct history){.seed = seed * 0x9e3779b97f4a7c15ull, .mails = 20000};
		h.length = HOUR;
		h.now = 20000;
		for (int i = 0; i < 16000; i++) {
			struct outcome o = random_outcome(&h);
			enum outcome_counted is, want;

			h.now += chance(&h, 10) == 0;
			o.rcpt = NAMES(o.mail / 3);
			if (o.outcome == SMTP_DELIVERED || o.age_s > HOUR)
				continue;
			model_slide(&h.m, h.now, h.length);
			want = model_add(&h.m, &o, h.now, h.length);
			assert_int_equal(window_add(&h.w, &o, h.now, h.length, &is), 0);
			assert_int_equal(is, want);
			assert_same_counts(&h.w, &h.m);
		}
		assert_int_equal(entries(&h.w), WINDOW_MAILS_MAX);
		assert_true(window_bytes(&h.w) <= WINDOW_MAILS_MAX * 40 + 8192 * 24);
		window_clear(&h.w);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random_histories),
		cmocka_unit_test(test_crowded_histories),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("window_model", tests, NULL, NULL);
}
