// SPDX-License-Identifier: GPL-2.0-only
/*
 * hook_postfix_smtpd_test.c - services that have restrictions of their own ask as well, and are as
 * they were when the blocks are taken out.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "hook/hook_postfix.h"
#include "hook/postfix_cf.h"

#define OURS                                                                                       \
	"check_policy_service { unix:private/smtplimit-policy, timeout=2s, "                       \
	"default_action=DUNNO }"
#define BEGIN(name) "# BEGIN smtplimit " name " (smtplimit hook postfix --remove takes this out)\n"
#define END(name)   "# END smtplimit " name "\n"

static void becomes(const char *before, const char *after)
{
	struct hook_text text = {strdup(before), strlen(before)};

	assert_int_equal(postfix_services_ask(&text), 0);
	assert_string_equal(text.text, after);
	assert_int_equal(hook_restore(&text, "#"), 0);
	assert_string_equal(text.text, before);
	hook_text_free(&text);
}

static void test_with_restrictions_of_their_own(void **state)
{
	(void)state;
	becomes("smtp inet n - y - - smtpd\n"
		"  -o { smtpd_data_restrictions = a, b }\n"
		"465 inet n - y - - smtpd -o smtpd_data_restrictions=\n"
		"x unix n - y - - cleanup\n",
		"smtp inet n - y - - smtpd\n"
		"  -o { smtpd_data_restrictions = a, b }\n" BEGIN(
			"data-1") "  -o { smtpd_data_restrictions = " OURS
				  ", a, b }\n" END("data-1") "465 inet n - y - - smtpd -o smtpd_data_restrictions=\n" BEGIN(
					  "data-2") "  -o { smtpd_data_restrictions = " OURS
						    " }\n" END(
							    "data-2") "x unix n - y - - cleanup\n");
}

static void test_without(void **state)
{
	static const char plain[] =
		"smtp inet n - y - - smtpd -o smtpd_recipient_restrictions=a\n"
		"y unix n - y - - smtpd -o { smtpd_data_restrictions = " OURS ", b }\n"
		"z unix n - y - - smtpdx -o smtpd_data_restrictions=a\n";

	(void)state;
	becomes(plain, plain);
	becomes("", "");
}

/* The last one is in force, as Postfix says in a warning. */
static void test_a_service_that_is_there_twice(void **state)
{
	char text[] = "pickup unix n - y 60 1 pickup -o a=1\n"
		      "pickup inet n - y 60 1 pickup -o a=2\n"
		      "pickup unix n - y 60 1 pickup -o a=3\n"
		      "cleanup unix n - y - 0 cleanup\n";
	struct hook_text master = {text, strlen(text)};
	struct postfix_service service;
	char *value;

	(void)state;
	assert_int_equal(postfix_master_find(&master, "pickup", &service), 1);
	assert_int_equal(postfix_service_option(&service, "a", &value), 1);
	assert_string_equal(value, "3");
	free(value);
	postfix_service_free(&service);
	assert_int_equal(postfix_master_find(&master, "none", &service), 0);
	assert_null(service.joined);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_with_restrictions_of_their_own),
		cmocka_unit_test(test_without),
		cmocka_unit_test(test_a_service_that_is_there_twice),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
