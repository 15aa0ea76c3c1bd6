// SPDX-License-Identifier: GPL-2.0-only
/*
 * recent_test.c - the queue of mails against a plain array: order, look-up, removal anywhere.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <string.h>
#include "../base/nomem.h"
#include "core/recent.h"

#define MAX 4096

struct model {
	struct recent_entry *entries[MAX]; /* the oldest first */
	size_t count;
};

static uint64_t chance(uint64_t *seed, uint64_t below)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed % below;
}

static void check(const struct recent *r, const struct model *m, uint64_t mail)
{
	const struct recent_entry *e = recent_oldest(r), *found = NULL;

	assert_int_equal(r->count, m->count);
	for (size_t i = 0; i < m->count; i++, e = TAILQ_NEXT(e, queue))
		assert_ptr_equal(e, m->entries[i]);
	assert_null(e);
	for (size_t i = m->count; mail && i-- > 0;) {
		if (m->entries[i]->mail != mail)
			continue;
		found = recent_next(r, mail, found);
		assert_ptr_equal(found, m->entries[i]);
	}
	assert_null(recent_next(r, mail, found));
}

static void test_against_an_array(void **state)
{
	uint64_t seed = 0x9e3779b97f4a7c15ull;
	struct recent r;
	static struct model m;

	(void)state;
	recent_init(&r, 42);
	for (int step = 0; step < 6000; step++) {
		struct recent_entry e = {.mail = chance(&seed, 40), .count = step};
		size_t i = m.count ? chance(&seed, m.count) : 0;

		if (m.count < MAX && chance(&seed, 5) < (step < 3000 ? 3u : 2u)) {
			m.entries[m.count++] = recent_add(&r, &e);
			assert_int_equal(TAILQ_LAST(&r.queue, recent_queue)->count, step);
		} else if (m.count) {
			recent_remove(&r, m.entries[i]);
			memmove(&m.entries[i], &m.entries[i + 1],
				(--m.count - i) * sizeof(m.entries[0]));
		}
		check(&r, &m, chance(&seed, 40));
	}
	recent_clear(&r);
	assert_int_equal(r.count, 0);
	assert_null(recent_next(&r, 1, NULL));
}

static void test_no_memory(void **state)
{
	const struct recent_entry e = {.mail = 1};
	struct recent r;

	(void)state;
	recent_init(&r, 42);
	if (!NOMEM_WORKS)
		skip();
	for (long allowed = 0; allowed < 2; allowed++) {
		nomem_after(allowed);
		assert_null(recent_add(&r, &e));
		nomem_after(-1);
		assert_int_equal(r.count, 0);
	}
	for (int i = 0; i < 64; i++)
		assert_non_null(recent_add(&r, &e));
	assert_int_equal(r.count, r.table.size);
	nomem_after(0);
	assert_null(recent_add(&r, &e));
	nomem_after(-1);
	assert_non_null(recent_add(&r, &e));
	assert_int_equal(r.count, 65);
	recent_clear(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_against_an_array),
		cmocka_unit_test(test_no_memory),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("recent", tests, NULL, NULL);
}
