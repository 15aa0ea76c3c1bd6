// SPDX-License-Identifier: GPL-2.0-only
/*
 * table_test.c - the hash table against a plain array: who is found, in which order, through growth
 * and shrinking, and with hashes that collide.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdint.h>
#include <string.h>
#include "nomem.h"
#include "base/table.h"

#define MAX 2000

struct thing {
	struct table_node node;
	uint64_t hash;
	bool kept;
	bool seen;
};

struct world {
	struct table table;
	struct thing things[MAX]; /* in the order of their coming */
	size_t made;
	size_t kept;
};

static uint64_t chance(uint64_t *seed, uint64_t below)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed % below;
}

static void add(struct world *w, uint64_t hash)
{
	struct thing *x = &w->things[w->made++];

	*x = (struct thing){.hash = hash, .kept = true};
	assert_int_equal(table_reserve(&w->table), 0);
	table_add(&w->table, &x->node, hash);
	w->kept++;
}

static void take_out(struct world *w, struct thing *x)
{
	if (!x->kept)
		return;
	table_remove(&w->table, &x->node);
	x->kept = false;
	w->kept--;
}

/* The last first, and nothing of another hash. */
static void expect_found(const struct world *w, uint64_t hash)
{
	const struct thing *found = table_first(&w->table, hash);

	for (size_t i = w->made; i-- > 0;) {
		if (!w->things[i].kept || w->things[i].hash != hash)
			continue;
		assert_ptr_equal(found, &w->things[i]);
		found = table_next(&found->node);
	}
	assert_null(found);
}

static void expect_each_once(struct world *w)
{
	size_t count = 0;

	for (size_t i = 0; i < w->made; i++)
		w->things[i].seen = false;
	for (struct thing *x = table_each(&w->table, NULL); x;
	     x = table_each(&w->table, &x->node), count++) {
		assert_true(x->kept && !x->seen);
		x->seen = true;
	}
	assert_int_equal(count, w->kept);
	assert_int_equal(w->table.count, w->kept);
}

/* 200 hashes, of which the low bits alone would tell but 25. */
static uint64_t some_hash(uint64_t *seed)
{
	return chance(seed, 25) | chance(seed, 8) << 40;
}

static void test_against_an_array(void **state)
{
	static struct world w;
	uint64_t seed = 0x9e3779b97f4a7c15ull;

	(void)state;
	while (w.made < MAX) {
		add(&w, some_hash(&seed));
		if (chance(&seed, 5) < 2)
			take_out(&w, &w.things[chance(&seed, w.made)]);
		if (w.made % 400 == 0)
			assert_int_equal(table_resize(&w.table, w.table.size / 4), 0);
		expect_found(&w, some_hash(&seed));
		if (w.made % 16 == 0)
			expect_each_once(&w);
	}
	assert_true(w.table.size > TABLE_SIZE_MIN);
	for (size_t i = 0; i < w.made; i++)
		take_out(&w, &w.things[i]);
	expect_each_once(&w);
	table_free(&w.table);
}

/* Full: twice as many buckets, so that chains stay short. */
static void test_growth(void **state)
{
	static struct world w;

	(void)state;
	for (uint64_t hash = 0; hash < MAX; hash++)
		add(&w, hash);
	assert_int_equal(w.table.size, 2048);
	for (uint64_t hash = 0; hash < MAX; hash++)
		assert_ptr_equal(table_first(&w.table, hash), *table_bucket(&w.table, hash));
	table_free(&w.table);
}

static void test_empty(void **state)
{
	struct table t = {0};

	(void)state;
	for (int i = 0; i < 2; i++) {
		assert_null(table_first(&t, 7));
		assert_null(table_each(&t, NULL));
		assert_int_equal(t.count, 0);
		assert_int_equal(table_resize(&t, 128), 0);
	}
	table_free(&t);
	assert_int_equal(t.size, 0);
	assert_null(table_first(&t, 7));
	table_free(&t);
}

/* The first buckets must be there; without more the chains get longer. */
static void test_no_memory(void **state)
{
	static struct world w;

	(void)state;
	if (!NOMEM_WORKS)
		skip();
	nomem_after(0);
	assert_int_equal(table_reserve(&w.table), -ENOMEM);
	nomem_after(1);
	for (uint64_t hash = 0; hash < 1000; hash++)
		add(&w, hash);
	assert_int_equal(table_resize(&w.table, 1024), -ENOMEM);
	nomem_after(-1);
	assert_int_equal(w.table.size, TABLE_SIZE_MIN);
	for (uint64_t hash = 0; hash < 1000; hash++)
		expect_found(&w, hash);
	expect_each_once(&w);
	table_free(&w.table);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_against_an_array),
		cmocka_unit_test(test_growth),
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_no_memory),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("table", tests, NULL, NULL);
}
