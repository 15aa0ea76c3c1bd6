// SPDX-License-Identifier: GPL-2.0-only
/*
 * window_test.c - examples of the window: where a mail is dated, what a later outcome does to it,
 * which pending mails are remembered, and the window's bounds.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "window_fixture.h"

/* ---- seconds ---- */

static void test_seconds(void **state)
{
	struct window w = {0};

	(void)state;
	add_many(&w, 5000, 3, SMTP_FAILED);
	assert_int_equal(window_next_change(&w, HOUR), 8600);
	window_slide(&w, 8599, HOUR);
	assert_counts(&w, 0, 0, 3);
	window_slide(&w, 8600, HOUR);
	assert_counts(&w, 0, 0, 0);
	assert_int_equal(window_bytes(&w), 0);
	assert_int_equal(window_next_change(&w, HOUR), INT64_MAX);
}

/* A mail that was first tried 3599, 3600 and 3601 seconds ago, or an outcome that comes so late. */
static void test_border(void **state)
{
	static const struct {
		int64_t age;
		unsigned int counted;
	} rows[] = {{0, 1}, {3599, 1}, {3600, 0}, {3601, 0}};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct outcome late = outcome_at(5000 - rows[i].age, 0, SMTP_DELIVERED);
		enum outcome_counted want = rows[i].counted ? COUNTED_MAIL : COUNTED_OLD, is;
		struct window w = {0};

		assert_int_equal(window_add(&w, &late, 5000, HOUR, &is), 0);
		assert_int_equal(is, want);
		assert_counts(&w, rows[i].counted, 0, 0);
		assert_int_equal(add_aged(&w, 5000, rows[i].age, 7, SMTP_FAILED), want);
		assert_counts(&w, rows[i].counted, 0, rows[i].counted);
		window_clear(&w);
	}
}

static void test_out_of_order(void **state)
{
	static const int64_t seconds[] = {1005, 1001, 1003, 1005, 1002, 1004, 1001};
	struct window_slot slot;
	struct window w = {0};

	(void)state;
	for (size_t i = 0; i < sizeof(seconds) / sizeof(seconds[0]); i++)
		add_aged(&w, 1005, 1005 - seconds[i], 0, SMTP_DELIVERED);
	for (size_t i = 0; i < 5; i++) {
		assert_true(window_slot(&w, i, &slot));
		assert_int_equal(slot.second, 1001 + i);
		assert_int_equal(slot.delivered, i == 0 || i == 4 ? 2 : 1);
	}
	assert_false(window_slot(&w, 5, &slot));
	window_clear(&w);
}

static void test_saturates(void **state)
{
	struct window w = {0};

	(void)state;
	add_many(&w, 100, UINT32_MAX, SMTP_FAILED);
	add_many(&w, 100, UINT32_MAX, SMTP_FAILED);
	assert_counts(&w, 0, 0, UINT32_MAX);
	window_slide(&w, 100 + HOUR, HOUR);
	assert_counts(&w, 0, 0, 0);
}

static void test_known_mail_is_one(void **state)
{
	struct outcome o = outcome_at(100, 9, SMTP_DELIVERED);
	struct window w = {0};

	(void)state;
	o.count = 5;
	assert_int_equal(take(&w, &o), COUNTED_MAIL);
	assert_counts(&w, 1, 0, 0);
	assert_int_equal(entries(&w), 0); /* a delivery is a number alone */
	window_clear(&w);
}

/* ---- dates ---- */

/* A newsletter of 1,000 mails, five of them deferred and tried again each half hour, nothing else
 * sent: the five leave the window with the thousand. */
static void test_newsletter(void **state)
{
	struct window w = {0};

	(void)state;
	for (int i = 0; i < 995; i++)
		add(&w, 1000 + i / 4, 0, SMTP_DELIVERED);
	for (uint64_t mail = 1; mail <= 5; mail++)
		add(&w, 1100, mail, SMTP_DEFERRED);
	for (uint64_t mail = 1; mail <= 5; mail++)
		assert_int_equal(add(&w, 2900, mail, SMTP_DEFERRED), COUNTED_RETRY);
	assert_counts(&w, 995, 5, 0);
	for (uint64_t mail = 1; mail <= 5; mail++)
		assert_int_equal(add(&w, 4700, mail, SMTP_DEFERRED), COUNTED_OLD);
	assert_counts(&w, 591, 0, 0); /* of 1101 and later */
	window_slide(&w, 4900, HOUR);
	assert_counts(&w, 0, 0, 0);
	assert_int_equal(entries_inside(&w), 0);
	/* Still pending, so that no retry of these days is taken for a new mail. */
	assert_int_equal(entries(&w), 5);
	for (int64_t second = 6500; second < 4 * 86400; second += 1800)
		assert_int_equal(add(&w, second, 1, SMTP_DEFERRED), COUNTED_OLD);
	for (uint64_t mail = 1; mail <= 5; mail++)
		assert_int_equal(add(&w, 4 * 86400, mail, SMTP_FAILED), COUNTED_OLD);
	assert_true(window_empty(&w));
	assert_int_equal(window_bytes(&w), 0);
}

static void test_end_counts_at_the_first_date(void **state)
{
	struct window_slot slot;
	struct window w = {0};

	(void)state;
	add(&w, 1000, 1, SMTP_DEFERRED);
	add(&w, 1000, 2, SMTP_DEFERRED);
	assert_int_equal(add(&w, 2800, 1, SMTP_DELIVERED), COUNTED_RETRY);
	assert_int_equal(add(&w, 3000, 2, SMTP_FAILED), COUNTED_RETRY);
	assert_counts(&w, 1, 0, 1);
	assert_true(window_slot(&w, 0, &slot));
	assert_int_equal(slot.second, 1000);
	assert_false(window_slot(&w, 1, &slot));
	/* Closed: what comes now is another mail. */
	assert_int_equal(add(&w, 3100, 1, SMTP_DELIVERED), COUNTED_MAIL);
	assert_counts(&w, 2, 0, 1);
	window_slide(&w, 4600, HOUR);
	assert_counts(&w, 1, 0, 0);
	window_clear(&w);
}

/* The server says when the message came; five that give up in one queue run count nowhere. */
static void test_giving_up_changes_no_window(void **state)
{
	struct window w = {0};

	(void)state;
	for (uint64_t mail = 1; mail <= 5; mail++)
		assert_int_equal(add_aged(&w, 400000, 4 * 86400, mail, SMTP_FAILED), COUNTED_OLD);
	assert_true(window_empty(&w));
	/* Also of a mail of which nothing was known, and of a pending one. */
	assert_int_equal(add_aged(&w, 400000, 7200, 6, SMTP_DEFERRED), COUNTED_OLD);
	assert_counts(&w, 0, 0, 0);
	assert_int_equal(entries(&w), 1);
	assert_int_equal(add(&w, 400100, 6, SMTP_FAILED), COUNTED_OLD);
	assert_true(window_empty(&w));
}

/* The age says that another message of the same sender and recipient is on its way. */
static void test_younger_message(void **state)
{
	struct window w = {0};

	(void)state;
	add_aged(&w, 1000, 0, 1, SMTP_DEFERRED);
	/* Whole seconds, each rounded, are the same message. */
	assert_int_equal(add_aged(&w, 1500, 498, 1, SMTP_DEFERRED), COUNTED_RETRY);
	assert_counts(&w, 0, 1, 0);
	/* Pending and inside, it is one mail for both of them. */
	assert_int_equal(add_aged(&w, 1600, 0, 1, SMTP_DEFERRED), COUNTED_RETRY);
	assert_counts(&w, 0, 1, 0);
	assert_int_equal(add_aged(&w, 1700, 100, 1, SMTP_FAILED), COUNTED_RETRY);
	window_slide(&w, 1599 + HOUR, HOUR);
	assert_counts(&w, 0, 0, 1);
	window_slide(&w, 1600 + HOUR, HOUR);
	assert_counts(&w, 0, 0, 0);
	window_clear(&w);
}

/* Without an age it may be the old one; with one, the younger message is judged. */
static void test_younger_than_before_the_window(void **state)
{
	struct window w = {0};

	(void)state;
	add(&w, 1000, 1, SMTP_DEFERRED);
	assert_int_equal(add(&w, 9000, 1, SMTP_DEFERRED), COUNTED_OLD);
	assert_counts(&w, 0, 0, 0);
	assert_int_equal(add_aged(&w, 9100, 8098, 1, SMTP_DEFERRED), COUNTED_OLD);
	assert_int_equal(add_aged(&w, 9200, 10, 1, SMTP_DEFERRED), COUNTED_MAIL);
	assert_counts(&w, 0, 1, 0);
	assert_int_equal(entries(&w), 1);
	window_slide(&w, 9190 + HOUR - 1, HOUR);
	assert_counts(&w, 0, 1, 0);
	window_slide(&w, 9190 + HOUR, HOUR);
	/* Another: its end is judged as well. */
	assert_int_equal(add_aged(&w, 20000, 10, 1, SMTP_FAILED), COUNTED_RETRY);
	assert_counts(&w, 0, 0, 1);
	window_clear(&w);
}

/* An example with seconds before the boot. */
static void test_before_the_boot(void **state)
{
	struct window w = {0};

	(void)state;
	add_aged(&w, 100, 3000, 1, SMTP_DEFERRED);
	assert_counts(&w, 0, 1, 0);
	window_slide(&w, 699, HOUR);
	assert_counts(&w, 0, 1, 0);
	window_slide(&w, 700, HOUR);
	assert_counts(&w, 0, 0, 0);
	assert_int_equal(entries(&w), 1);
	window_clear(&w);
}

/* ---- entries ---- */

static void test_same_recipient(void **state)
{
	struct outcome o = outcome_at(1000, 1, SMTP_FAILED);
	struct window w = {0};

	(void)state;
	assert_int_equal(take(&w, &o), COUNTED_MAIL);
	o.mail = 2;
	assert_int_equal(take(&w, &o), COUNTED_SAME_RECIPIENT);
	o.outcome = SMTP_DEFERRED;
	o.mail = 3;
	assert_int_equal(take(&w, &o), COUNTED_SAME_RECIPIENT);
	o.outcome = SMTP_DELIVERED;
	o.mail = 4;
	assert_int_equal(take(&w, &o), COUNTED_MAIL);
	/* Each is in the counts; the tally counts the address. */
	assert_counts(&w, 1, 1, 2);
	/* A pending mail of before the window is no failure in it. */
	o.outcome = SMTP_FAILED;
	o.mail = 5;
	o.time_ns = (1000 + HOUR) * NS_PER_S;
	assert_int_equal(take(&w, &o), COUNTED_MAIL);
	window_clear(&w);
}

/* A retry says what is to be known now, and its trouble is not yet excused. */
static void test_retry_says_more(void **state)
{
	struct outcome o = outcome_at(1000, 1, SMTP_DEFERRED);
	struct window_mail *m;
	struct window w = {0};

	(void)state;
	o.class = REPLY_GREYLIST;
	o.remote = 5;
	take(&w, &o);
	m = window_mail_inside(&w, NULL);
	assert_int_equal(m->class, REPLY_GREYLIST);
	assert_int_equal(m->remote, 5);
	assert_int_equal(m->rcpt, NAMES(1));
	m->flags |= WINDOW_MAIL_EXCUSED;
	o.class = REPLY_FULL;
	o.remote = 6;
	o.time_ns += 60 * NS_PER_S;
	take(&w, &o);
	m = window_mail_inside(&w, NULL);
	assert_int_equal(m->class, REPLY_FULL);
	assert_int_equal(m->remote, 6);
	assert_int_equal(m->flags, 0);
	assert_int_equal(m->second, 1000);
	window_clear(&w);
}

static void test_release(void **state)
{
	struct window w = {0};

	(void)state;
	add(&w, 1000, 0, SMTP_DELIVERED);
	add(&w, 1000, 1, SMTP_DEFERRED);
	add(&w, 1001, 2, SMTP_DEFERRED);
	add(&w, 1001, 3, SMTP_FAILED);
	window_release(&w);
	assert_counts(&w, 0, 0, 0);
	assert_int_equal(entries(&w), 2);
	assert_int_equal(entries_inside(&w), 0);
	assert_false(window_empty(&w));
	assert_int_equal(add(&w, 1100, 1, SMTP_DEFERRED), COUNTED_OLD);
	assert_int_equal(add(&w, 1100, 2, SMTP_FAILED), COUNTED_OLD);
	assert_counts(&w, 0, 0, 0);
	assert_int_equal(entries(&w), 1);
	assert_int_equal(add(&w, 1100, 4, SMTP_DEFERRED), COUNTED_MAIL);
	assert_int_equal(entries_inside(&w), 1);
	window_clear(&w);
}

/* What is sent during a suspension: pending mails are known afterwards, and nothing counts. */
static void test_note(void **state)
{
	struct outcome o = outcome_at(1000, 1, SMTP_DEFERRED);
	struct window w = {0};

	(void)state;
	add(&w, 1000, 2, SMTP_DEFERRED);
	assert_int_equal(window_note(&w, &o, 1000, HOUR), 0);
	assert_counts(&w, 0, 1, 0);
	assert_int_equal(entries(&w), 2);
	assert_int_equal(entries_inside(&w), 1);
	assert_int_equal(add(&w, 1100, 1, SMTP_DEFERRED), COUNTED_OLD);
	/* The end of a pending mail takes it out of the window. */
	o.mail = 2;
	o.rcpt = NAMES(2);
	o.outcome = SMTP_DELIVERED;
	assert_int_equal(window_note(&w, &o, 1000, HOUR), 0);
	assert_counts(&w, 0, 0, 0);
	assert_int_equal(entries(&w), 1);
	/* Of nothing that is known, an end leaves nothing. */
	o.mail = 9;
	assert_int_equal(window_note(&w, &o, 1000, HOUR), 0);
	o.mail = 0;
	o.outcome = SMTP_DEFERRED;
	assert_int_equal(window_note(&w, &o, 1000, HOUR), 0);
	assert_int_equal(entries(&w), 1);
	window_clear(&w);
}

static void test_five_days(void **state)
{
	struct window w = {0};

	(void)state;
	add(&w, 1000, 1, SMTP_DEFERRED);
	window_slide(&w, 1000 + WINDOW_PENDING_S - 1, HOUR);
	assert_int_equal(entries(&w), 1);
	window_slide(&w, 1000 + WINDOW_PENDING_S, HOUR);
	assert_true(window_empty(&w));
	assert_int_equal(window_bytes(&w), 0);
	/* One that is older from the beginning is not remembered either. */
	add_aged(&w, 500000, WINDOW_PENDING_S, 1, SMTP_DEFERRED);
	assert_true(window_empty(&w));
	add_aged(&w, 500000, WINDOW_PENDING_S - 1, 1, SMTP_DEFERRED);
	assert_int_equal(entries(&w), 1);
	window_clear(&w);
}

/* An earlier version's database knows no recipients. */
static void test_entries_without_recipient(void **state)
{
	const struct window_slot slot = {.second = 1000, .deferred = 2};
	struct window_mail m = {.mail = 1, .second = 1000, .outcome = SMTP_DEFERRED, .class = 10};
	struct window w = {0};

	(void)state;
	assert_int_equal(window_restore_slot(&w, &slot), 0);
	assert_int_equal(window_restore_mail(&w, &m), 0);
	m.mail = 2;
	assert_int_equal(window_restore_mail(&w, &m), 0);
	assert_counts(&w, 0, 2, 0);
	assert_int_equal(add(&w, 2000, 1, SMTP_DEFERRED), COUNTED_RETRY);
	assert_int_equal(add(&w, 2000, 1, SMTP_DELIVERED), COUNTED_RETRY);
	assert_int_equal(add(&w, 2000, 2, SMTP_FAILED), COUNTED_RETRY);
	assert_counts(&w, 1, 0, 1);
	assert_int_equal(window_mail(&w, NULL)->rcpt, NAMES(2));
	window_clear(&w);
}

static void test_restore_distrusts(void **state)
{
	const struct window_slot slot = {100, 0, 1, 0}, empty = {101, 0, 0, 0};
	struct window_mail m = {.mail = 5, .second = 100, .outcome = SMTP_DEFERRED};
	struct window w = {0};

	(void)state;
	assert_int_equal(window_restore_slot(&w, &empty), 0);
	assert_int_equal(window_bytes(&w), 0);
	assert_int_equal(window_restore_slot(&w, &slot), 0);
	m.second = 99;
	assert_int_equal(window_restore_mail(&w, &m), 0); /* no such second */
	m.second = 100;
	m.outcome = SMTP_FAILED;
	assert_int_equal(window_restore_mail(&w, &m), 0); /* nothing failed in it */
	m.outcome = SMTP_DEFERRED;
	m.mail = 0;
	assert_int_equal(window_restore_mail(&w, &m), 0); /* it names nothing */
	assert_int_equal(entries(&w), 0);
	m.mail = 5;
	assert_int_equal(window_restore_mail(&w, &m), 0);
	m.mail = 6;
	m.second = -70;
	m.flags = WINDOW_MAIL_PAST;
	assert_int_equal(window_restore_mail(&w, &m), 0); /* it is in no second */
	assert_int_equal(entries(&w), 2);
	add(&w, 101, 5, SMTP_DELIVERED);
	assert_counts(&w, 1, 0, 0);
	window_clear(&w);
}

#define TEST(f) cmocka_unit_test(f)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_seconds),
		TEST(test_border),
		TEST(test_out_of_order),
		TEST(test_saturates),
		TEST(test_known_mail_is_one),
		TEST(test_newsletter),
		TEST(test_end_counts_at_the_first_date),
		TEST(test_giving_up_changes_no_window),
		TEST(test_younger_message),
		TEST(test_younger_than_before_the_window),
		TEST(test_before_the_boot),
		TEST(test_same_recipient),
		TEST(test_retry_says_more),
		TEST(test_release),
		TEST(test_note),
		TEST(test_five_days),
		TEST(test_entries_without_recipient),
		TEST(test_restore_distrusts),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("window", tests, NULL, NULL);
}
