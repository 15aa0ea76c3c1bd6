// SPDX-License-Identifier: GPL-2.0-only
/*
 * window_bounds_test.c - the window at its bound of entries, without memory, and that it gives
 * memory back.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include "../base/nomem.h"
#include "window_fixture.h"

static void test_oldest_failed_goes_first(void **state)
{
	struct window w = {0};

	(void)state;
	add(&w, 1000, 1, SMTP_DEFERRED);
	add(&w, 1001, 2, SMTP_FAILED);
	add(&w, 1002, 3, SMTP_FAILED);
	for (uint64_t mail = 4; mail <= WINDOW_MAILS_MAX; mail++)
		add(&w, 1003, mail, SMTP_DEFERRED);
	assert_int_equal(entries(&w), WINDOW_MAILS_MAX);
	add(&w, 1003, WINDOW_MAILS_MAX + 1, SMTP_DEFERRED);
	assert_int_equal(entries(&w), WINDOW_MAILS_MAX);
	/* It stays in the count, without a name: the next of its recipient is a mail of its own. */
	assert_counts(&w, 0, WINDOW_MAILS_MAX - 1, 2);
	assert_int_equal(add(&w, 1004, 2, SMTP_FAILED), COUNTED_MAIL);
	/* That made the other failed one go; the oldest pending one is known still. */
	assert_int_equal(add(&w, 1004, 3, SMTP_FAILED), COUNTED_MAIL);
	assert_counts(&w, 0, WINDOW_MAILS_MAX - 1, 4);
	assert_int_equal(add(&w, 1004, 1, SMTP_DELIVERED), COUNTED_RETRY);
	window_clear(&w);
}

static void test_oldest_pending_goes(void **state)
{
	struct window w = {0};

	(void)state;
	add(&w, 1000, 1, SMTP_DEFERRED);
	/* The oldest is by its second, not by its arrival. */
	for (uint64_t mail = 2; mail < WINDOW_MAILS_MAX; mail++)
		add(&w, 1001 + mail / 4, mail, SMTP_DEFERRED);
	add_aged(&w, 3000, 2001, WINDOW_MAILS_MAX, SMTP_DEFERRED);
	add(&w, 3000, WINDOW_MAILS_MAX + 1, SMTP_DEFERRED);
	assert_counts(&w, 0, WINDOW_MAILS_MAX + 1, 0);
	assert_int_equal(add(&w, 3000, 1, SMTP_DELIVERED), COUNTED_RETRY);
	assert_counts(&w, 1, WINDOW_MAILS_MAX, 0);
	assert_int_equal(add(&w, 3000, WINDOW_MAILS_MAX, SMTP_DELIVERED), COUNTED_MAIL);
	assert_counts(&w, 2, WINDOW_MAILS_MAX, 0);
	window_slide(&w, 3000 + WINDOW_PENDING_S, HOUR);
	assert_int_equal(window_bytes(&w), 0);
}

/* One failing address must not become many failures by being forgotten. */
static void test_further_entry_leaves_the_count(void **state)
{
	struct outcome o = outcome_at(1000, 0, SMTP_FAILED);
	struct window w = {0};

	(void)state;
	o.rcpt = 7;
	for (o.mail = 1; o.mail <= 3 * WINDOW_MAILS_MAX; o.mail++)
		take(&w, &o);
	assert_counts(&w, 0, 0, WINDOW_MAILS_MAX);
	assert_int_equal(entries(&w), WINDOW_MAILS_MAX);
	window_clear(&w);
}

/* Pending mails of before the window go before those in it, and are in no count. */
static void test_past_ones_go(void **state)
{
	struct window w = {0};

	(void)state;
	for (uint64_t mail = 1; mail <= WINDOW_MAILS_MAX; mail++)
		add(&w, 1000, mail, SMTP_DEFERRED);
	window_slide(&w, 1000 + HOUR, HOUR);
	assert_counts(&w, 0, 0, 0);
	for (uint64_t mail = 1; mail <= 10; mail++)
		add(&w, 9000, 10000 + mail, SMTP_DEFERRED);
	assert_counts(&w, 0, 10, 0);
	assert_int_equal(entries(&w), WINDOW_MAILS_MAX);
	assert_int_equal(entries_inside(&w), 10);
	assert_int_equal(add(&w, 9000, 11, SMTP_DEFERRED), COUNTED_OLD);
	assert_int_equal(add(&w, 9000, 10, SMTP_DEFERRED), COUNTED_MAIL);
	window_clear(&w);
}

static void test_memory_shrinks(void **state)
{
	struct window w = {0};

	(void)state;
	for (int64_t s = 1; s <= 3000; s++)
		add(&w, s, s, SMTP_DEFERRED);
	assert_true(window_bytes(&w) > 100000);
	assert_true(window_bytes(&w) <= 4096 * 40 + 4096 * 24);
	for (int64_t s = 1; s <= 2995; s++)
		add(&w, 3000, s, SMTP_DELIVERED);
	assert_counts(&w, 2995, 5, 0);
	assert_true(window_bytes(&w) < 4096 * 24 + 1000);
	for (int64_t now = 3001; now <= 2999 + HOUR; now++)
		window_slide(&w, now, HOUR);
	assert_counts(&w, 0, 1, 0);
	assert_true(window_bytes(&w) < 1000);
	window_clear(&w);
}

/* What a call that fails must not change. */
struct shape {
	struct window_counts counts;
	size_t entries;
	size_t inside;
};

static struct shape shape_of(const struct window *w)
{
	return (struct shape){window_counts(w), entries(w), entries_inside(w)};
}

/* Each allocation of the call fails once; then it is taken. Returns how often it failed. */
static int add_without_memory(struct window *w, const struct outcome *o, bool note)
{
	int64_t now = o->time_ns / NS_PER_S;
	enum outcome_counted counted;
	int failures = 0, err = -ENOMEM;

	for (long allowed = 0; err; allowed++) {
		struct shape before, after;

		window_slide(w, now, HOUR);
		before = shape_of(w);
		nomem_after(allowed);
		err = note ? window_note(w, o, now, HOUR) : window_add(w, o, now, HOUR, &counted);
		nomem_after(-1);
		after = shape_of(w);
		if (!err)
			break;
		failures++;
		assert_int_equal(err, -ENOMEM);
		assert_memory_equal(&before, &after, sizeof(before));
	}
	return failures;
}

static void test_no_memory(void **state)
{
	struct window w = {0}, noted = {0};
	int failures = 0, note_failures = 0;

	(void)state;
	if (!NOMEM_WORKS)
		skip();
	for (uint64_t mail = 1; mail <= 300; mail++) {
		const struct outcome o = outcome_at(1000 + mail, mail, SMTP_DEFERRED);

		failures += add_without_memory(&w, &o, false);
		note_failures += add_without_memory(&noted, &o, true);
		assert_counts(&w, 0, mail, 0);
		assert_int_equal(entries(&noted), mail);
	}
	assert_true(failures >= 16); /* eight doublings of each of the two tables */
	assert_true(note_failures >= 8);
	window_clear(&w);
	window_clear(&noted);
}

/* A mail that ends needs a second of its own where that has left, or is of a younger message. */
static void test_no_memory_for_the_end(void **state)
{
	struct window w = {0};
	int failures = 0;

	(void)state;
	if (!NOMEM_WORKS)
		skip();
	for (uint64_t mail = 1; mail <= 200; mail++)
		add(&w, 1000, mail, SMTP_DEFERRED);
	for (uint64_t mail = 1; mail <= 200; mail++) {
		struct outcome o = outcome_at(10000 + mail * 10, mail, SMTP_DEFERRED);

		o.age_s = 0;
		if (mail % 2)
			o.outcome = SMTP_FAILED;
		failures += add_without_memory(&w, &o, false);
	}
	assert_counts(&w, 0, 100, 100);
	assert_true(failures >= 6);
	window_clear(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_oldest_failed_goes_first),
		cmocka_unit_test(test_oldest_pending_goes),
		cmocka_unit_test(test_further_entry_leaves_the_count),
		cmocka_unit_test(test_past_ones_go),
		cmocka_unit_test(test_memory_shrinks),
		cmocka_unit_test(test_no_memory),
		cmocka_unit_test(test_no_memory_for_the_end),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("window_bounds", tests, NULL, NULL);
}
