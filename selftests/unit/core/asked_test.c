// SPDX-License-Identifier: GPL-2.0-only
/*
 * asked_test.c - a sender is the account's that it was asked about for, nobody's where there were
 * two, and no account's senders push out another's.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include "core/asked.h"

static const struct account_id alice = {.kind = ACCOUNT_UID, .uid = 1001};
static const struct account_id bob = {.kind = ACCOUNT_UID, .uid = 1002};
static const struct account_id far = {.kind = ACCOUNT_DOMAIN, .domain = "far.test"};

static enum asked_answer find(const struct asked *a, uint64_t sender, uint64_t now_ns,
			      const struct account_id *want)
{
	struct account_id id = {0};
	enum asked_answer answer = asked_find(a, sender, &id, now_ns);

	if (answer == ASKED_ACCOUNT)
		assert_true(account_equal(&id, want));
	return answer;
}

static void test_who_was_named(void **state)
{
	struct asked *a = asked_new(7);

	(void)state;
	asked_note(a, 1, &alice, 100);
	asked_note(a, 2, &far, 100);
	asked_note(a, 3, NULL, 100);
	assert_int_equal(find(a, 1, 100, &alice), ASKED_ACCOUNT);
	assert_int_equal(find(a, 2, 100, &far), ASKED_ACCOUNT);
	assert_int_equal(find(a, 3, 100, NULL), ASKED_NOBODY);
	assert_int_equal(find(a, 4, 100, NULL), ASKED_UNKNOWN);
	assert_int_equal(find(a, 1, 99 + ASKED_KEEP_NS, &alice), ASKED_ACCOUNT);
	assert_int_equal(find(a, 1, 100 + ASKED_KEEP_NS, &alice), ASKED_UNKNOWN);
	asked_note(a, 1, &alice, 200);
	asked_expire(a, 100 + ASKED_KEEP_NS);
	assert_int_equal(asked_count(a), 1);
	assert_int_equal(find(a, 1, 100 + ASKED_KEEP_NS, &alice), ASKED_ACCOUNT);
	asked_free(a);
}

/* One of the two forges it, and nobody knows which. */
static void test_two_accounts(void **state)
{
	struct asked *a = asked_new(7);
	uint64_t now = 1000;

	(void)state;
	asked_note(a, 1, &bob, now);
	asked_note(a, 1, &alice, now + 1);
	assert_int_equal(find(a, 1, now + 1, NULL), ASKED_NOBODY);
	asked_note(a, 1, &alice, now + ASKED_KEEP_NS);
	assert_int_equal(find(a, 1, now + ASKED_KEEP_NS, NULL), ASKED_NOBODY);
	assert_int_equal(find(a, 1, now + ASKED_KEEP_NS + 1, &alice), ASKED_ACCOUNT);
	asked_note(a, 1, NULL, now + ASKED_KEEP_NS + 2);
	assert_int_equal(find(a, 1, now + ASKED_KEEP_NS + 2, NULL), ASKED_NOBODY);
	asked_free(a);
}

static void test_shares(void **state)
{
	struct asked *a = asked_new(7);

	(void)state;
	asked_note(a, 1, &bob, 1);
	for (uint64_t i = 0; i < 3 * ASKED_PER_ACCOUNT_MAX; i++)
		asked_note(a, 100 + i, &alice, 2 + i);
	assert_int_equal(asked_count(a), ASKED_PER_ACCOUNT_MAX + 1);
	assert_int_equal(find(a, 1, 5000, &bob), ASKED_ACCOUNT);
	/* Forgotten before its time: not the owner's of the domain that it may have forged. */
	assert_int_equal(find(a, 100, 5000, NULL), ASKED_NOBODY);
	assert_int_equal(find(a, 100, 5000 + ASKED_KEEP_NS, NULL), ASKED_UNKNOWN);
	assert_int_equal(find(a, 99 + 3 * ASKED_PER_ACCOUNT_MAX, 5000, &alice), ASKED_ACCOUNT);
	/* It moves to an account that is full, and its old one is left empty. */
	asked_note(a, 1, &alice, 5001);
	assert_int_equal(asked_count(a), ASKED_PER_ACCOUNT_MAX);
	assert_int_equal(find(a, 1, 5001, NULL), ASKED_NOBODY);
	asked_free(a);
}

static void test_all_in_all(void **state)
{
	struct asked *a = asked_new(7);
	uint64_t sender = 1;

	(void)state;
	for (uint32_t uid = 1; uid <= 200; uid++)
		for (int i = 0; i < 400; i++)
			asked_note(a, sender++, &(struct account_id){ACCOUNT_UID, uid, ""}, 1);
	assert_int_equal(asked_count(a), ASKED_SENDERS_MAX);
	assert_int_equal(find(a, sender - 1, 2, NULL), ASKED_NOBODY);
	asked_expire(a, 1 + ASKED_KEEP_NS);
	assert_int_equal(asked_count(a), 0);
	asked_free(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_who_was_named),
		cmocka_unit_test(test_two_accounts),
		cmocka_unit_test(test_shares),
		cmocka_unit_test(test_all_in_all),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
