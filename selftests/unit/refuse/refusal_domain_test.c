/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * refusal_domain_test.c - whose domain a refusal names, by who owns what.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "refuse/refusal_domain.h"

static struct owners *table(void)
{
	struct owners *owners = owners_new();

	assert_non_null(owners);
	assert_int_equal(owners_add(owners, "zz.test", 1001), 0);
	assert_int_equal(owners_add(owners, "blog.alice.test", 1001), 0);
	assert_int_equal(owners_add(owners, "ab.test", 1001), 0);
	assert_int_equal(owners_add(owners, "b.test", 1002), 0);
	return owners;
}

static void test_own_domain(void **state)
{
	const struct account_id alice = {.kind = ACCOUNT_UID, .uid = 1001};
	const struct account_id carol = {.kind = ACCOUNT_UID, .uid = 1003};
	const struct account_id shop = {.kind = ACCOUNT_DOMAIN, .domain = "shop.test"};
	struct owners *owners = table();
	char domain[SMTPL_DOMAIN_SIZE];

	(void)state;
	refusal_own_domain(owners, &alice, "zz.test", domain);
	assert_string_equal(domain, "zz.test");
	refusal_own_domain(owners, &alice, "forged.test", domain);
	assert_string_equal(domain, "ab.test");
	refusal_own_domain(owners, &alice, "b.test", domain);
	assert_string_equal(domain, "ab.test");
	refusal_own_domain(owners, &alice, "", domain);
	assert_string_equal(domain, "ab.test");
	/* Of carol nothing is known: what she sends as, unless it is another's. */
	refusal_own_domain(owners, &carol, "carol.test", domain);
	assert_string_equal(domain, "carol.test");
	refusal_own_domain(owners, &carol, "b.test", domain);
	assert_string_equal(domain, "");
	refusal_own_domain(owners, &shop, "shop.test", domain);
	assert_string_equal(domain, "shop.test");
	refusal_own_domain(NULL, &alice, "x.test", domain);
	assert_string_equal(domain, "x.test");
	owners_free(owners);
}

static void test_names_sender(void **state)
{
	const struct account_id alice = {.kind = ACCOUNT_UID, .uid = 1001};
	const struct account_id carol = {.kind = ACCOUNT_UID, .uid = 1003};
	const struct account_id shop = {.kind = ACCOUNT_DOMAIN, .domain = "shop.test"};
	struct owners *owners = table();

	(void)state;
	assert_true(refusal_names_sender(owners, &alice, "ab.test", "zz.test"));
	assert_false(refusal_names_sender(owners, &alice, "ab.test", "b.test"));
	assert_false(refusal_names_sender(owners, &alice, "ab.test", "forged.test"));
	assert_true(refusal_names_sender(owners, &carol, "carol.test", "other.test"));
	assert_false(refusal_names_sender(owners, &carol, "carol.test", "b.test"));
	assert_true(refusal_names_sender(owners, &shop, "shop.test", "shop.test"));
	assert_false(refusal_names_sender(owners, &shop, "shop.test", "forged.test"));
	owners_free(owners);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_own_domain),
		cmocka_unit_test(test_names_sender),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
