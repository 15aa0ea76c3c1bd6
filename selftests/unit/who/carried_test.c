// SPDX-License-Identifier: GPL-2.0-only
/*
 * carried_test.c - of how many owners' domains a user sends: who counts, for how long, and that
 * rows are bounded.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include "who/carried.h"

#define HOUR  (3600ull * 1000000000)
#define NOW   (100 * HOUR)
#define ALICE 1001
#define SPAMD 90

static enum smtpl_role role_of(void *arg, uint32_t uid)
{
	(void)arg;
	return uid == SPAMD ? SMTPL_ROLE_SERVICE : SMTPL_ROLE_DIRECT;
}

/* uN.example and nN.example are of the user N. */
static bool owner_of(void *arg, const char *domain, uint32_t *uid)
{
	(void)arg;
	return sscanf(domain, "u%u.example", uid) == 1 || sscanf(domain, "n%u.example", uid) == 1;
}

static const struct payer_ops ops = {.role = role_of, .owner = owner_of};

static bool add(struct carried *c, uint32_t uid, const char *domain, uint64_t now_ns)
{
	return carried_add(c, &ops, NULL, uid, domain, now_ns) != NULL;
}

static void test_owners(void **state)
{
	struct carried c = {.seed = 7};

	(void)state;
	assert_false(add(&c, ALICE, "u1001.example", NOW)); /* her own */
	assert_false(add(&c, ALICE, "", NOW));
	assert_int_equal(carried_owners(&c, ALICE, NOW), 0);
	assert_true(add(&c, ALICE, "u1002.example", NOW));
	assert_true(add(&c, ALICE, "n1002.example", NOW)); /* the same owner's */
	assert_int_equal(carried_owners(&c, ALICE, NOW), 1);
	assert_true(add(&c, ALICE, "one.example", NOW));
	assert_true(add(&c, ALICE, "one.example", NOW));
	assert_true(add(&c, ALICE, "two.example", NOW));
	assert_true(add(&c, ALICE, "u90.example", NOW)); /* a service's domain is its own account */
	assert_int_equal(carried_owners(&c, ALICE, NOW), 4);
	assert_int_equal(carried_owners(&c, 1002, NOW), 0);
	carried_free(&c);
}

static void test_a_day(void **state)
{
	struct carried c = {.seed = 7};

	(void)state;
	add(&c, 33, "one.example", NOW);
	add(&c, 33, "two.example", NOW + HOUR);
	add(&c, 33, "three.example", NOW + 2 * HOUR);
	assert_int_equal(carried_owners(&c, 33, NOW + 24 * HOUR - 1), 3);
	assert_int_equal(carried_owners(&c, 33, NOW + 24 * HOUR), 2);
	add(&c, 33, "two.example", NOW + 24 * HOUR);
	assert_int_equal(carried_owners(&c, 33, NOW + 27 * HOUR), 1);
	assert_null(carried_next(&c, NULL, 2, NOW + 27 * HOUR));
	assert_int_equal(carried_next(&c, NULL, 1, NOW + 27 * HOUR)->uid, 33);
	carried_tidy(&c, NOW + 47 * HOUR);
	assert_int_equal(c.table.count, 1);
	carried_tidy(&c, NOW + 48 * HOUR);
	assert_int_equal(c.table.count, 0);
	carried_free(&c);
}

/* The oldest one goes: a flood of domains hides none of the last ones. */
static void test_many_owners(void **state)
{
	struct carried c = {.seed = 7};
	char domain[32];

	(void)state;
	for (int i = 0; i < 100; i++) {
		snprintf(domain, sizeof(domain), "d%d.example", i);
		add(&c, 33, domain, NOW + i);
	}
	assert_int_equal(carried_owners(&c, 33, NOW + 100), CARRIED_OWNERS);
	carried_free(&c);
}

static void test_rows(void **state)
{
	struct carried c = {.seed = 7};

	(void)state;
	for (uint32_t uid = 100000; uid < 100000 + 2 * CARRIED_ROWS; uid++)
		assert_int_equal(add(&c, uid, "one.example", NOW), uid < 100000 + CARRIED_ROWS);
	for (uint32_t uid = 1; uid < CARRIED_SYSTEM; uid++)
		assert_true(add(&c, uid, "one.example", NOW));
	assert_int_equal(c.table.count, CARRIED_ROWS + CARRIED_SYSTEM - 1);
	carried_free(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_owners),
		cmocka_unit_test(test_a_day),
		cmocka_unit_test(test_many_owners),
		cmocka_unit_test(test_rows),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("carried", tests, NULL, NULL);
}
