// SPDX-License-Identifier: GPL-2.0-only
/*
 * ledger_test.c - the book of what has been taken in. What it is for: pipeline_heal_test.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include "core/ledger.h"

static struct ledger_key *key_of(struct ledger *l, uint32_t uid, const char *domain)
{
	struct ledger_key *key;

	assert_int_equal(ledger_get(l, uid, domain, &key), 0);
	return key;
}

static void test_keys(void **state)
{
	struct ledger *l = ledger_new(1);
	char domain[32];

	(void)state;
	assert_ptr_equal(key_of(l, 1, ""), key_of(l, 1, ""));
	assert_ptr_not_equal(key_of(l, 1, ""), key_of(l, 2, ""));
	assert_ptr_not_equal(key_of(l, 1, "a.example"), key_of(l, 1, "a.exampl"));
	assert_int_equal(ledger_count(l), 4);
	for (uint32_t i = 0; i < 3000; i++) {
		snprintf(domain, sizeof(domain), "d%u.example", i);
		key_of(l, 3, domain)->last_ns = i;
	}
	for (uint32_t i = 0; i < 3000; i++) {
		snprintf(domain, sizeof(domain), "d%u.example", i);
		assert_int_equal(key_of(l, 3, domain)->last_ns, i);
	}
	assert_int_equal(ledger_count(l), 3004);
	ledger_free(l);
}

/* The example of ledger.h. */
static void test_example(void **state)
{
	const struct smtpl_totals reading = {.failed = 10};
	struct ledger *l = ledger_new(1);
	struct ledger_key *key = key_of(l, 1, "a.example");

	(void)state;
	ledger_take(l, key, SMTP_FAILED, 6, 6);
	assert_true(ledger_read(l, key, &reading, 1));
	assert_ptr_equal(ledger_open(l), key);
	ledger_take(l, key, SMTP_FAILED, 8, 1);
	ledger_take(l, key, SMTP_FAILED, 11, 1);
	assert_int_equal(ledger_missing(key, SMTP_FAILED), 3);
	assert_int_equal(ledger_accounted(key).failed, 8);
	ledger_close(l);
	assert_ptr_equal(ledger_open(l), key); /* three are missing still */
	ledger_heal(l, key, SMTP_FAILED, 3);
	ledger_close(l);
	assert_null(ledger_open(l));
	assert_int_equal(ledger_accounted(key).failed, 11);
	assert_int_equal(ledger_wanted(key, SMTP_FAILED, 10, 2), 0);
	assert_int_equal(ledger_wanted(key, SMTP_FAILED, 12, 2), 2);
	ledger_free(l);
}

/* Only keys of which something is missing are opened, each once. */
static void test_open(void **state)
{
	const struct smtpl_totals none = {0}, one = {.unknown = 1};
	struct ledger *l = ledger_new(1);
	struct ledger_key *a = key_of(l, 1, ""), *b = key_of(l, 2, ""), *c = key_of(l, 3, "");

	(void)state;
	ledger_read(l, a, &one, 1);
	ledger_read(l, b, &none, 1);
	ledger_read(l, c, &one, 1);
	ledger_read(l, a, &one, 1);
	assert_ptr_equal(ledger_open(l), c);
	assert_ptr_equal(c->open_next, a);
	assert_null(a->open_next);
	ledger_heal(l, c, SMTP_UNKNOWN, 1);
	ledger_close(l);
	assert_ptr_equal(ledger_open(l), a);
	ledger_free(l);
}

/* Only what waits for nothing goes, and it comes back with nothing. */
static void test_forget(void **state)
{
	const struct smtpl_totals two = {.failed = 2};
	struct ledger *l = ledger_new(1);
	struct ledger_key *key = key_of(l, 1, "a.example");
	char domain[32];

	(void)state;
	assert_int_equal(ledger_forget(l, 1, "b.example"), -ENOENT);
	assert_int_equal(ledger_forget(l, 2, "a.example"), -ENOENT);
	ledger_take(l, key, SMTP_FAILED, 1, 1);
	assert_int_equal(ledger_forget(l, 1, "a.example"), -EBUSY); /* dirty */
	ledger_saved(l);
	ledger_read(l, key, &two, 0);
	assert_false(key->dirty);
	assert_int_equal(ledger_forget(l, 1, "a.example"), -EBUSY); /* one is missing */
	ledger_heal(l, key, SMTP_FAILED, 1);
	ledger_saved(l);
	assert_int_equal(ledger_forget(l, 1, "a.example"), -EBUSY); /* open */
	ledger_close(l);
	assert_ptr_equal(ledger_find(l, 1, "a.example"), key);
	assert_int_equal(ledger_forget(l, 1, "a.example"), 0);
	assert_null(ledger_find(l, 1, "a.example"));
	assert_int_equal(ledger_count(l), 0);
	assert_int_equal(ledger_accounted(key_of(l, 1, "a.example")).failed, 0);
	for (uint32_t i = 0; i < 1000; i++) { /* from anywhere in a chain */
		snprintf(domain, sizeof(domain), "d%u.example", i);
		key_of(l, 3, domain)->last_ns = i;
	}
	for (uint32_t i = 0; i < 1000; i += 2) {
		snprintf(domain, sizeof(domain), "d%u.example", i);
		assert_int_equal(ledger_forget(l, 3, domain), 0);
	}
	for (uint32_t i = 0; i < 1000; i++) {
		snprintf(domain, sizeof(domain), "d%u.example", i);
		key = ledger_find(l, 3, domain);
		assert_int_equal(key ? key->last_ns : 0, i % 2 ? i : 0);
	}
	ledger_free(l);
}

/* What waits is not saved as taken in; what is superseded never exceeds what was. */
static void test_superseded(void **state)
{
	const struct smtpl_totals saved = {.failed = 7}, superseded = {.failed = 5};
	const struct smtpl_totals fallen = {.failed = 2};
	struct ledger *l = ledger_new(1);
	struct ledger_key *key = key_of(l, 1, "a.example");

	(void)state;
	ledger_restore(key, &saved);
	ledger_restore_superseded(key, &superseded);
	ledger_wait(l, key, SMTP_FAILED, 3);
	assert_ptr_equal(ledger_dirty(l), key);
	ledger_take(l, key, SMTP_FAILED, 10, 3);
	assert_int_equal(ledger_accounted(key).failed, 7);
	ledger_saved(l);
	assert_int_equal(ledger_forget(l, 1, "a.example"), -EBUSY);
	ledger_wait_over(l, key, SMTP_FAILED, 2);
	ledger_supersede(l, key, SMTP_FAILED, 1);
	assert_ptr_equal(ledger_dirty(l), key);
	assert_int_equal(ledger_accounted(key).failed, 9);
	assert_int_equal(ledger_superseded(key).failed, 6);
	assert_int_equal(ledger_superseded(key).delivered, 0);
	ledger_read(l, key, &fallen, 1);
	assert_int_equal(ledger_superseded(key).failed, 2);
	assert_int_equal(ledger_accounted(key).failed, 1);
	ledger_wait(l, key, SMTP_FAILED, 4); /* of before the fall */
	assert_int_equal(ledger_accounted(key).failed, 0);
	ledger_wait_over(l, key, SMTP_FAILED, 5);
	ledger_saved(l);
	assert_int_equal(ledger_forget(l, 1, "a.example"), 0);
	ledger_free(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_keys),	   cmocka_unit_test(test_example),
		cmocka_unit_test(test_open),	   cmocka_unit_test(test_forget),
		cmocka_unit_test(test_superseded),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("ledger", tests, NULL, NULL);
}
