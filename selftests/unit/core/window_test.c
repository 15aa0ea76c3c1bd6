// SPDX-License-Identifier: GPL-2.0-only
/*
 * window_test.c - the window at its borders, and against a naive model that keeps a list of all
 * mails. Random histories have fixed seeds, which are printed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <string.h>
#include "../base/nomem.h"
#include "core/window.h"

#define HOUR 3600

static void add(struct window *w, int64_t second, uint64_t mail, uint32_t count,
		enum smtp_outcome outcome)
{
	struct record r = {second, mail, count, outcome};

	assert_int_equal(window_add(w, &r, second, HOUR), 0);
}

static void assert_counts(const struct window *w, uint64_t delivered, uint64_t deferred,
			  uint64_t failed)
{
	struct window_counts c = window_counts(w);

	assert_int_equal(c.delivered, delivered);
	assert_int_equal(c.deferred, deferred);
	assert_int_equal(c.failed, failed);
}

static void test_seconds(void **state)
{
	struct window w = {0};

	(void)state;
	add(&w, 1000, 0, 3, SMTP_FAILED);
	assert_int_equal(window_next_change(&w, HOUR), 4600);
	window_slide(&w, 4599, HOUR);
	assert_counts(&w, 0, 0, 3);
	window_slide(&w, 4600, HOUR);
	assert_counts(&w, 0, 0, 0);
	assert_int_equal(window_bytes(&w), 0);
	assert_int_equal(window_next_change(&w, HOUR), INT64_MAX);
}

/* A record that comes late, 3599, 3600 and 3601 seconds after its own second. */
static void test_late_records(void **state)
{
	static const struct {
		int64_t age;
		unsigned int counted;
	} rows[] = {{0, 1}, {3599, 1}, {3600, 0}, {3601, 0}};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct record r = {5000 - rows[i].age, 0, 1, SMTP_DELIVERED};
		struct window w = {0};

		assert_int_equal(window_add(&w, &r, 5000, HOUR), 0);
		assert_counts(&w, rows[i].counted, 0, 0);
		window_clear(&w);
	}
}

static void test_out_of_order(void **state)
{
	static const int64_t seconds[] = {1005, 1001, 1003, 1005, 1002, 1004, 1001};
	struct window_slot slot;
	struct window w = {0};

	(void)state;
	for (size_t i = 0; i < sizeof(seconds) / sizeof(seconds[0]); i++) {
		struct record r = {seconds[i], 0, 1, SMTP_DELIVERED};

		assert_int_equal(window_add(&w, &r, 1005, HOUR), 0);
	}
	for (size_t i = 0; i < 5; i++) {
		assert_true(window_slot(&w, i, &slot));
		assert_int_equal(slot.second, 1001 + i);
		assert_int_equal(slot.delivered, i == 0 || i == 4 ? 2 : 1);
	}
	assert_false(window_slot(&w, 5, &slot));
	window_clear(&w);
}

static void test_retries(void **state)
{
	struct window w = {0};

	(void)state;
	add(&w, 100, 7, 1, SMTP_DEFERRED);
	add(&w, 400, 7, 1, SMTP_DEFERRED);
	add(&w, 900, 7, 1, SMTP_DEFERRED);
	assert_counts(&w, 0, 1, 0);
	/* It is where the latest try was. */
	window_slide(&w, 900 + 3599, HOUR);
	assert_counts(&w, 0, 1, 0);
	window_slide(&w, 900 + 3600, HOUR);
	assert_counts(&w, 0, 0, 0);
	/* Forgotten: the next deferral is a new mail. */
	add(&w, 4501, 7, 1, SMTP_DEFERRED);
	assert_counts(&w, 0, 1, 0);
	window_clear(&w);
}

static void test_late_retry_moves_nothing(void **state)
{
	struct record late = {150, 7, 1, SMTP_DEFERRED};
	struct window w = {0};

	(void)state;
	add(&w, 200, 7, 1, SMTP_DEFERRED);
	assert_int_equal(window_add(&w, &late, 200, HOUR), 0);
	assert_counts(&w, 0, 1, 0);
	window_slide(&w, 200 + 3599, HOUR);
	assert_counts(&w, 0, 1, 0);
	window_clear(&w);
}

static void test_greylisting(void **state)
{
	struct window w = {0};

	(void)state;
	add(&w, 100, 7, 1, SMTP_DEFERRED);
	add(&w, 400, 7, 1, SMTP_DELIVERED);
	assert_counts(&w, 1, 0, 0);
	/* Closed: another delivery and another deferral are mails of their own. */
	add(&w, 500, 7, 1, SMTP_DELIVERED);
	assert_counts(&w, 2, 0, 0);
	add(&w, 600, 7, 1, SMTP_DEFERRED);
	assert_counts(&w, 2, 1, 0);
	add(&w, 700, 7, 1, SMTP_FAILED);
	assert_counts(&w, 2, 0, 1);
	/* The mail counts where it ended. */
	window_slide(&w, 100 + 3600, HOUR);
	assert_counts(&w, 2, 0, 1);
	window_clear(&w);
}

static void test_ignored(void **state)
{
	struct window w = {0};

	(void)state;
	add(&w, 100, 0, 5, SMTP_UNKNOWN);
	add(&w, 100, 0, 5, SMTP_OUTCOME_NONE);
	add(&w, 100, 0, 0, SMTP_FAILED);
	assert_int_equal(window_bytes(&w), 0);
	add(&w, 100, 9, 5, SMTP_DELIVERED); /* a known mail is one */
	assert_counts(&w, 1, 0, 0);
	window_clear(&w);
}

static void test_saturates(void **state)
{
	struct window w = {0};

	(void)state;
	add(&w, 100, 0, UINT32_MAX, SMTP_FAILED);
	add(&w, 100, 0, UINT32_MAX, SMTP_FAILED);
	assert_counts(&w, 0, 0, UINT32_MAX);
	window_slide(&w, 100 + HOUR, HOUR);
	assert_counts(&w, 0, 0, 0);
}

static void test_pending_bound(void **state)
{
	struct window w = {0};

	(void)state;
	for (uint64_t mail = 1; mail <= WINDOW_PENDING_MAX + 1; mail++)
		add(&w, 1000 + mail / 4, mail, 1, SMTP_DEFERRED);
	assert_counts(&w, 0, WINDOW_PENDING_MAX + 1, 0);
	/* The oldest was forgotten and stays as it is; the second oldest is known. */
	add(&w, 3000, 1, 1, SMTP_DELIVERED);
	assert_counts(&w, 1, WINDOW_PENDING_MAX + 1, 0);
	add(&w, 3000, 2, 1, SMTP_DELIVERED);
	assert_counts(&w, 2, WINDOW_PENDING_MAX, 0);
	assert_true(window_bytes(&w) <= WINDOW_PENDING_MAX * 24 + 2048 * 24);
	window_slide(&w, 3000 + HOUR, HOUR);
	assert_int_equal(window_bytes(&w), 0);
}

/* The oldest is by its second, not by its arrival. */
static void test_pending_bound_late(void **state)
{
	struct record late = {999, WINDOW_PENDING_MAX, 1, SMTP_DEFERRED};
	struct window w = {0};

	(void)state;
	for (uint64_t mail = 1; mail < WINDOW_PENDING_MAX; mail++)
		add(&w, 1000 + mail / 4, mail, 1, SMTP_DEFERRED);
	assert_int_equal(window_add(&w, &late, 3000, HOUR), 0);
	add(&w, 3000, WINDOW_PENDING_MAX + 1, 1, SMTP_DEFERRED);
	add(&w, 3000, 1, 1, SMTP_DELIVERED);
	assert_counts(&w, 1, WINDOW_PENDING_MAX, 0);
	add(&w, 3000, late.mail, 1, SMTP_DELIVERED);
	assert_counts(&w, 2, WINDOW_PENDING_MAX, 0);
	window_clear(&w);
}

static void test_memory_shrinks(void **state)
{
	struct window w = {0};

	(void)state;
	for (int64_t s = 1; s <= 3000; s++)
		add(&w, s, s, 1, SMTP_DEFERRED);
	assert_true(window_bytes(&w) > 100000);
	for (int64_t s = 1; s <= 2995; s++)
		add(&w, 3000, s, 1, SMTP_FAILED);
	assert_counts(&w, 0, 5, 2995);
	for (int64_t now = 3001; now <= 2999 + HOUR; now++)
		window_slide(&w, now, HOUR);
	assert_counts(&w, 0, 1, 2995);
	assert_true(window_bytes(&w) < 1000);
	window_clear(&w);
}

/* ---- against the model ---- */

#define MODEL_MAX 6000

struct model_mail {
	int64_t second;
	uint64_t mail; /* of a pending one; else 0 */
	enum smtp_outcome outcome;
};

struct model {
	struct model_mail mails[MODEL_MAX];
	size_t used;
};

static void model_slide(struct model *m, int64_t now, int64_t length)
{
	size_t kept = 0;

	for (size_t i = 0; i < m->used; i++)
		if (m->mails[i].second > now - length)
			m->mails[kept++] = m->mails[i];
	m->used = kept;
}

static void model_add(struct model *m, const struct record *r, int64_t now, int64_t length)
{
	if (r->outcome == SMTP_UNKNOWN || r->second <= now - length)
		return;
	for (size_t i = 0; r->mail && i < m->used; i++) {
		struct model_mail *known = &m->mails[i];

		if (known->mail != r->mail)
			continue;
		if (r->outcome != SMTP_DEFERRED)
			*known = (struct model_mail){r->second, 0, r->outcome};
		else if (r->second > known->second)
			known->second = r->second;
		return;
	}
	for (uint32_t i = 0; i < r->count; i++) {
		assert_true(m->used < MODEL_MAX);
		m->mails[m->used++] = (struct model_mail){
			r->second, r->outcome == SMTP_DEFERRED ? r->mail : 0, r->outcome};
	}
}

static struct window_counts model_counts(const struct model *m)
{
	struct window_counts c = {0};

	for (size_t i = 0; i < m->used; i++) {
		c.delivered += m->mails[i].outcome == SMTP_DELIVERED;
		c.deferred += m->mails[i].outcome == SMTP_DEFERRED;
		c.failed += m->mails[i].outcome == SMTP_FAILED;
	}
	return c;
}

static uint64_t random_next(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	return *seed ^= *seed << 17;
}

static struct record random_record(uint64_t *seed, int64_t now)
{
	struct record r = {.second = now, .count = 1};

	r.outcome = SMTP_DELIVERED + random_next(seed) % 4;
	if (random_next(seed) % 8 == 0)
		r.second -= random_next(seed) % 100;
	if (random_next(seed) % 4 != 0)
		r.mail = 1 + random_next(seed) % 60;
	else
		r.count = 1 + random_next(seed) % 3;
	return r;
}

/* The copy made by saving and restoring. */
static void copy(const struct window *from, struct window *to)
{
	struct window_pending pending;
	struct window_slot slot;
	size_t cursor = 0;

	for (size_t i = 0; window_slot(from, i, &slot); i++)
		assert_int_equal(window_restore_slot(to, &slot), 0);
	while (window_pending(from, &cursor, &pending))
		assert_int_equal(window_restore_pending(to, &pending), 0);
}

static void assert_same(const struct window *w, const struct model *m)
{
	struct window_counts c = model_counts(m);

	assert_counts(w, c.delivered, c.deferred, c.failed);
}

static void history(uint64_t seed)
{
	static struct model m;
	int64_t length = 1 + random_next(&seed) % 200, now = 1000;
	struct window w = {0}, restored = {0};

	m.used = 0;
	for (int step = 0; step < 1500; step++) {
		struct record r;

		now += random_next(&seed) % 3 ? 0 : random_next(&seed) % (length / 8 + 2);
		r = random_record(&seed, now);
		model_slide(&m, now, length);
		model_add(&m, &r, now, length);
		assert_int_equal(window_add(&w, &r, now, length), 0);
		window_slide(&w, now, length);
		assert_same(&w, &m);
		if (step % 100 == 99) {
			copy(&w, &restored);
			window_clear(&w);
			w = restored;
			restored = (struct window){0};
			assert_same(&w, &m);
		}
		if (step % 200 == 150) { /* a reload made it longer or shorter */
			length = 1 + random_next(&seed) % 200;
			model_slide(&m, now, length);
			window_slide(&w, now, length);
			assert_same(&w, &m);
		}
	}
	window_clear(&w);
}

static void test_random_histories(void **state)
{
	(void)state;
	print_message("# seeds 1..150\n");
	for (uint64_t seed = 1; seed <= 150; seed++)
		history(seed * 0x9e3779b97f4a7c15ull);
}

/* ---- damage and want ---- */

static void test_restore_distrusts(void **state)
{
	const struct window_slot slot = {100, 0, 1, 0}, empty = {101, 0, 0, 0};
	const struct window_pending good = {5, 100}, no_slot = {6, 99}, unnamed = {0, 100};
	const struct window_pending second = {7, 100};
	struct window w = {0};

	(void)state;
	assert_int_equal(window_restore_slot(&w, &empty), 0);
	assert_int_equal(window_bytes(&w), 0);
	assert_int_equal(window_restore_slot(&w, &slot), 0);
	assert_int_equal(window_restore_pending(&w, &no_slot), 0);
	assert_int_equal(window_restore_pending(&w, &unnamed), 0);
	assert_int_equal(window_restore_pending(&w, &good), 0);
	assert_int_equal(window_restore_pending(&w, &good), 0);
	assert_int_equal(window_restore_pending(&w, &second), 0); /* more pending than deferred */
	add(&w, 101, 5, 1, SMTP_DELIVERED);
	assert_counts(&w, 1, 0, 0);
	add(&w, 101, 7, 1, SMTP_DELIVERED);
	assert_counts(&w, 2, 0, 0);
	window_clear(&w);
}

/* Each allocation of a history fails once: the window is as before, and takes the record later. */
static void test_no_memory(void **state)
{
	struct window w = {0};
	int failures = 0;

	(void)state;
	if (!NOMEM_WORKS)
		skip();
	for (uint64_t mail = 1; mail <= 300; mail++) {
		struct record r = {1000 + (int64_t)mail, mail, 1, SMTP_DEFERRED};
		struct window_counts before = window_counts(&w);
		int err;

		for (long allowed = 0; allowed < 2; allowed++) {
			nomem_after(allowed);
			err = window_add(&w, &r, r.second, HOUR);
			nomem_after(-1);
			if (err == 0)
				break;
			failures++;
			assert_int_equal(err, -ENOMEM);
			assert_counts(&w, before.delivered, before.deferred, before.failed);
		}
		if (err)
			assert_int_equal(window_add(&w, &r, r.second, HOUR), 0);
		assert_counts(&w, 0, mail, 0);
	}
	assert_true(failures >= 14); /* seven doublings of each of the two tables */
	window_clear(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_seconds),
		cmocka_unit_test(test_late_records),
		cmocka_unit_test(test_out_of_order),
		cmocka_unit_test(test_retries),
		cmocka_unit_test(test_late_retry_moves_nothing),
		cmocka_unit_test(test_greylisting),
		cmocka_unit_test(test_ignored),
		cmocka_unit_test(test_saturates),
		cmocka_unit_test(test_pending_bound),
		cmocka_unit_test(test_pending_bound_late),
		cmocka_unit_test(test_memory_shrinks),
		cmocka_unit_test(test_random_histories),
		cmocka_unit_test(test_restore_distrusts),
		cmocka_unit_test(test_no_memory),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("window", tests, NULL, NULL);
}
