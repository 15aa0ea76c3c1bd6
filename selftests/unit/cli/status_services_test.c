// SPDX-License-Identifier: GPL-2.0-only
/*
 * status_services_test.c - status of service users, of customers who send under others' domains,
 * and of what is charged to nobody.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "status_fixture.h"

#define SPAMD 4000030
#define LIST  4000031

static void service(uint32_t uid, enum smtpl_role is, enum smtpl_service_why why)
{
	const struct smtpl_uid value = {.role = is, .why = why};

	assert_int_equal(status_uid(&status, uid, &value), 0);
}

static void told(uint32_t uid, const char *domain, struct relay_count counts)
{
	const struct account_id id = uid_account(uid);

	assert_int_equal(status_relay_count(&status, &id, domain, &counts), 0);
}

/* What a filter sends is nobody's, a list's is its owner's; a relay's own row has what it reported
 * of nobody's. */
static void prepare(void)
{
	assert_int_equal(status_owner(&status, "a.example", ALICE), 0);
	assert_int_equal(status_owner(&status, "b.example", BOB), 0);
	service(RELAY, SMTPL_ROLE_RELAY, SMTPL_SERVICE_NONE);
	service(SPAMD, SMTPL_ROLE_SERVICE, SMTPL_SERVICE_PIPE);
	service(LIST, SMTPL_ROLE_LISTS, SMTPL_SERVICE_NAME);
	count(SPAMD, "a.example", (struct smtpl_count){.delivered = 3, .failed = 2});
	count(LIST, "b.example", (struct smtpl_count){.failed = 4});
	told(SPAMD, "", (struct relay_count){.deferred = 5});
	told(RELAY, "", (struct relay_count){.failed = 7});
}

static json_t *account_of(json_t *root, uint32_t uid)
{
	json_t *account;
	size_t i;

	json_array_foreach(json_object_get(root, "accounts"), i, account)
	{
		if (json_integer_value(json_object_get(account, "uid")) == uid)
			return account;
	}
	return NULL;
}

static void in_json(void **unused)
{
	json_t *root, *spamd, *bob;

	(void)unused;
	prepare();
	root = status_json_whole();
	spamd = account_of(root, SPAMD);
	bob = account_of(root, BOB);
	expect_json(json_object_get(root, "nobody"),
		    "{\"delivered\": 3, \"deferred\": 5, \"failed\": 9}");
	assert_null(account_of(root, ALICE));
	assert_string_equal(json_string_value(json_object_get(spamd, "role")), "service");
	assert_string_equal(json_string_value(json_object_get(spamd, "service")), "pipe");
	assert_true(json_is_null(json_object_get(spamd, "headroom")));
	assert_int_equal(
		json_integer_value(json_object_get(json_object_get(bob, "total"), "failed")), 4);
	assert_true(json_is_null(json_object_get(bob, "service")));
	json_decref(root);
}

static void in_text(void **unused)
{
	char *text;

	(void)unused;
	prepare();
	text = status_string();
	assert_non_null(strstr(text,
			       "service user: uid:4000030, since Postfix pipes mail through it "
			       "and gets it back; is never suspended\n"));
	assert_non_null(strstr(text, "service user: uid:4000031, since it has the name of one"));
	assert_non_null(strstr(text, "charged to nobody: 3 attempts delivered, 5 deferred, 9 "
				     "failed"));
	free(text);
}

static void customers(void **unused)
{
	json_t *root;
	char *text;

	(void)unused;
	assert_int_equal(status_owner(&status, "a.example", ALICE), 0);
	assert_int_equal(status_owner(&status, "b.example", BOB), 0);
	assert_int_equal(status_owner(&status, "b2.example", BOB), 0);
	count(ALICE, "a.example", (struct smtpl_count){.failed = 1});
	count(ALICE, "b.example", (struct smtpl_count){.failed = 1});
	count(ALICE, "b2.example", (struct smtpl_count){.failed = 1});
	count(ALICE, "c.example", (struct smtpl_count){.failed = 1});
	told(ALICE, "d.example", (struct relay_count){.failed = 1});
	count(BOB, "a.example", (struct smtpl_count){.failed = 1});
	root = status_json_whole();
	assert_int_equal(json_integer_value(json_object_get(account_of(root, ALICE), "carries")),
			 3);
	assert_int_equal(json_integer_value(json_object_get(account_of(root, BOB), "carries")), 1);
	json_decref(root);
	end(NULL);
	begin(NULL);
	assert_int_equal(status_owner(&status, "a.example", ALICE), 0);
	count(ALICE, "b.example", (struct smtpl_count){.failed = 1});
	count(ALICE, "c.example", (struct smtpl_count){.failed = 1});
	count(ALICE, "d.example", (struct smtpl_count){.failed = 1});
	text = status_string();
	assert_non_null(strstr(text, "uid:4000001 sends under the domains of 3 others: if it is a "
				     "service user, add it to relay_users\n"));
	free(text);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(in_json),
		TEST(in_text),
		TEST(customers),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
