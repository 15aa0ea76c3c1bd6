/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * name_table_test.c - a name that was added is found with its first number and no other is, however
 * many there are and whatever allocation fails.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/name_table.h"
#include "nomem.h"

#define MANY 100000

static void test_first_stays(void **state)
{
	struct name_table names;
	uint32_t value = 9;

	(void)state;
	name_table_init(&names);
	assert_false(name_table_find(&names, "a", &value));
	assert_int_equal(name_table_add(&names, "a", 1), 0);
	assert_int_equal(name_table_add(&names, "a", 2), -EEXIST);
	assert_int_equal(name_table_add(&names, "", 3), 0);
	assert_false(name_table_find(&names, "aa", &value));
	assert_int_equal(value, 9);
	assert_true(name_table_find(&names, "a", &value));
	assert_int_equal(value, 1);
	assert_true(name_table_find(&names, "", &value));
	assert_int_equal(value, 3);
	assert_int_equal(names.count, 2);
	name_table_free(&names);
	assert_int_equal(names.count, 0);
	assert_false(name_table_find(&names, "a", &value));
}

struct seen {
	unsigned char times[MANY];
	size_t stop_after;
};

static int see(void *arg, const char *name, uint32_t value)
{
	struct seen *seen = arg;
	char expected[32];

	snprintf(expected, sizeof(expected), "%u.example", value);
	assert_string_equal(name, expected);
	assert_true(value < MANY);
	seen->times[value]++;
	return --seen->stop_after ? 0 : 7;
}

static void test_many(void **state)
{
	static struct seen seen;
	struct name_table names;
	char name[32];
	uint32_t value;

	(void)state;
	name_table_init(&names);
	for (uint32_t i = 0; i < MANY; i++) {
		snprintf(name, sizeof(name), "%u.example", i);
		assert_int_equal(name_table_add(&names, name, i), 0);
	}
	for (uint32_t i = 0; i < MANY; i++) {
		snprintf(name, sizeof(name), "%u.example", i);
		assert_true(name_table_find(&names, name, &value));
		assert_int_equal(value, i);
	}
	assert_false(name_table_find(&names, "100000.example", &value));
	assert_int_equal(name_table_each(&names, see, &seen), 0);
	for (size_t i = 0; i < MANY; i++)
		assert_int_equal(seen.times[i], 1);
	seen.stop_after = 3;
	assert_int_equal(name_table_each(&names, see, &seen), 7);
	assert_int_equal(seen.stop_after, 0);
	name_table_free(&names);
}

/* Two tables of one host do not meet in the same slots. */
static void test_seeds(void **state)
{
	struct name_table a, b;

	(void)state;
	name_table_init(&a);
	name_table_init(&b);
	assert_true(a.seed != b.seed);
}

static void test_no_memory(void **state)
{
	struct name_table names;
	char name[32];
	uint32_t value;
	int failures = 0;

	(void)state;
	if (!NOMEM_WORKS)
		skip();
	name_table_init(&names);
	for (uint32_t i = 0; i < 10000; i++) {
		snprintf(name, sizeof(name), "%u.example", i);
		nomem_after(0);
		if (name_table_add(&names, name, i)) {
			failures++;
			assert_int_equal(names.count, i);
			assert_false(name_table_find(&names, name, &value));
			nomem_after(-1);
			assert_int_equal(name_table_add(&names, name, i), 0);
		}
		nomem_after(-1);
	}
	/* The first slots and text, then each doubling of one or the other. */
	assert_true(failures > 10 && failures < 40);
	for (uint32_t i = 0; i < 10000; i++) {
		snprintf(name, sizeof(name), "%u.example", i);
		assert_true(name_table_find(&names, name, &value));
		assert_int_equal(value, i);
	}
	name_table_free(&names);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_first_stays),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_seeds),
		cmocka_unit_test(test_no_memory),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("names", tests, NULL, NULL);
}
