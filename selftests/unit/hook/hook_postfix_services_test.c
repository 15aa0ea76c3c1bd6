// SPDX-License-Identifier: GPL-2.0-only
/*
 * hook_postfix_services_test.c - which services of master.cf get our question by an option of
 * their own, and that it goes out again to the byte.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "hook/hook_postfix.h"

#define BEGIN(name) "# BEGIN smtplimit " name " (smtplimit hook postfix --remove takes this out)\n"
#define END(name)   "# END smtplimit " name "\n"
#define OPTION(rest)                                                                               \
	"  -o { smtpd_data_restrictions = check_policy_service { "                                 \
	"unix:private/smtplimit-policy, timeout=2s, default_action=DUNNO }" rest " }\n"

static void becomes(const char *before, const char *after)
{
	struct hook_text text = {strdup(before), strlen(before)};

	assert_int_equal(postfix_services_edit(&text), 0);
	assert_string_equal(text.text, after);
	hook_block_remove_all(&text, "#");
	assert_string_equal(text.text, before);
	hook_text_free(&text);
}

static void stays(const char *text)
{
	becomes(text, text);
}

static void test_its_own_restrictions_come_behind_ours(void **state)
{
	(void)state;
	becomes("smtp inet n - y - - smtpd\n"
		"submission inet n - y - - smtpd\n"
		"  -o { smtpd_data_restrictions = reject_unauth_pipelining, permit }\n"
		"# next\n"
		"smtpd pass - - y - - smtpd -o smtpd_data_restrictions=\n"
		"pickup unix n - y 60 1 pickup\n",
		"smtp inet n - y - - smtpd\n"
		"submission inet n - y - - smtpd\n"
		"  -o { smtpd_data_restrictions = reject_unauth_pipelining, permit }\n" BEGIN(
			"data-1") OPTION(", reject_unauth_pipelining, permit")
			END("data-1") "# next\n"
				      "smtpd pass - - y - - smtpd -o smtpd_data_restrictions=\n" BEGIN(
					      "data-2") OPTION("")
					      END("data-2") "pickup unix n - y 60 1 pickup\n");
}

static void test_who_needs_none_gets_none(void **state)
{
	(void)state;
	stays("");
	stays("smtp inet n - y - - smtpd\n  -o smtpd_banner=x\n");
	/* A filter gives back what was asked about. */
	stays("127.0.0.1:10025 inet n - y - - smtpd -o smtpd_data_restrictions=permit\n"
	      "localhost:10026 inet n - y - - smtpd -o smtpd_data_restrictions=permit\n"
	      "[::1]:10027 inet n - y - - smtpd -o smtpd_data_restrictions=permit\n");
	/* No smtpd(8), or no way in. */
	stays("smtp inet n - y - 1 postscreen -o smtpd_data_restrictions=permit\n"
	      "x inet n - y - - smtpdx -o smtpd_data_restrictions=permit\n"
	      "y unix n - y - - smtpd -o smtpd_data_restrictions=permit\n");
	/* Put in by hand. */
	stays("smtp inet n - y - - smtpd\n" OPTION(""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_its_own_restrictions_come_behind_ours),
		cmocka_unit_test(test_who_needs_none_gets_none),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("hook_postfix_services", tests, NULL, NULL);
}
