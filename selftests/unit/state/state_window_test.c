// SPDX-License-Identifier: GPL-2.0-only
/*
 * state_window_test.c - a window as bytes: random windows come back as they were, and bytes that
 * were changed make a window that can be counted, or none. Seeds are fixed and printed.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "base/clock.h"
#include "core/verdict.h"
#include "state/state_db.h"

#define NOW 500000

static uint64_t random_next(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	return *seed ^= *seed << 17;
}

static struct window random_window(uint64_t *seed)
{
	struct window w = {0};

	for (uint64_t i = random_next(seed) % 200; i > 0; i--) {
		struct outcome o = {
			.outcome = SMTP_DELIVERED + random_next(seed) % 3,
			.class = REPLY_RECIPIENT + random_next(seed) % 10,
			.count = 1 + random_next(seed) % 3,
			.mail = random_next(seed) % 4 ? 1 + random_next(seed) % 80 : 0,
			.remote = random_next(seed),
			.time_ns = NOW * NS_PER_S,
			.age_s = random_next(seed) % 9 * 1000, /* several in a second */
		};
		enum outcome_counted counted;

		o.rcpt = o.mail ? o.mail % 50 + 1 : 0;
		assert_int_equal(window_add(&w, &o, NOW, 3600, &counted), 0);
	}
	for (struct window_mail *m = window_mail_inside(&w, NULL); m; m = window_mail_inside(&w, m))
		if (random_next(seed) % 3 == 0)
			m->flags |= WINDOW_MAIL_EXCUSED;
	return w;
}

/* Links are each window's own. */
static bool mails_equal(const struct window_mail *a, const struct window_mail *b, int64_t shift_s)
{
	return a->mail == b->mail && a->rcpt == b->rcpt && a->second + shift_s == b->second &&
	       a->remote == b->remote && a->outcome == b->outcome && a->class == b->class &&
	       a->flags == b->flags;
}

static void assert_same(const struct window *a, const struct window *b, int64_t shift_s)
{
	const struct window_counts counts = window_counts(a), same = window_counts(b);
	const struct window_mail *m = NULL, *n = NULL;
	struct window_slot slot, its;
	size_t its_i = 0;

	assert_memory_equal(&counts, &same, sizeof(counts));
	for (size_t i = 0; window_slot(a, i, &slot); i++) {
		if (!slot.delivered && !slot.deferred && !slot.failed) /* its mail has moved */
			continue;
		assert_true(window_slot(b, its_i++, &its));
		slot.second += shift_s;
		assert_memory_equal(&slot, &its, sizeof(slot));
	}
	assert_false(window_slot(b, its_i, &its));
	while ((m = window_mail(a, m))) {
		n = window_mail(b, n);
		assert_non_null(n);
		assert_true(mails_equal(m, n, shift_s));
	}
	assert_null(window_mail(b, n));
}

static void random_windows_come_back(void **unused)
{
	(void)unused;
	print_message("# seeds 1..300\n");
	for (uint64_t i = 1; i <= 300; i++) {
		uint64_t seed = i * 0x9e3779b97f4a7c15ull;
		int64_t shift_s = (int64_t)(random_next(&seed) % 2000000) - 1000000;
		struct window w = random_window(&seed), back;
		unsigned char *bytes;
		size_t size;

		assert_int_equal(state_window_pack(&w, &bytes, &size), 0);
		assert_int_equal(state_window_unpack(bytes, size, shift_s, &back), 0);
		assert_same(&w, &back, shift_s);
		free(bytes);
		window_clear(&w);
		window_clear(&back);
	}
}

/* No more entries are inside than are counted: with all of them set aside nothing wraps. */
static void assert_countable(struct window *w, struct tally_room *room)
{
	const struct verdict_rule rule = {.window_s = 3600, .set_aside = UINT32_MAX};
	const struct window_counts c = window_counts(w);
	const struct tally t = tally_window(w, &rule, NULL, 0, room, NOW);

	assert_true(t.deferred <= c.deferred);
	assert_true(t.failed <= c.failed);
}

static void changed_bytes_are_met(void **unused)
{
	struct tally_room *room = tally_room_new();
	int taken = 0, refused = 0;

	(void)unused;
	assert_non_null(room);
	print_message("# seeds 1..200\n");
	for (uint64_t i = 1; i <= 200; i++) {
		uint64_t seed = i * 0x9e3779b97f4a7c15ull;
		struct window w = random_window(&seed), back;
		unsigned char *bytes;
		size_t size;

		assert_int_equal(state_window_pack(&w, &bytes, &size), 0);
		for (int n = 0; n < 100; n++) {
			size_t at = random_next(&seed) % size;
			unsigned char was = bytes[at];
			int r;

			bytes[at] = n % 2 ? was ^ 1 << n % 8 : n % 5;
			r = state_window_unpack(bytes, size, 0, &back);
			assert_true(r == 0 || r == -EBADMSG);
			if (r)
				assert_true(window_empty(&back));
			taken += r == 0;
			refused += r != 0;
			assert_countable(&back, room);
			window_slide(&back, NOW, 3600);
			assert_countable(&back, room);
			window_clear(&back);
			bytes[at] = was;
		}
		free(bytes);
		window_clear(&w);
	}
	assert_true(taken > 1000);
	assert_true(refused > 1000);
	free(room);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_windows_come_back),
		cmocka_unit_test(changed_bytes_are_met),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("state_window", tests, NULL, NULL);
}
