// SPDX-License-Identifier: GPL-2.0-only
/*
 * postfix_pipes_test.c - which entries of master.cf hand mail in again, and as whom.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include "hook/postfix_pipes.h"

static char found[256];

static void note(void *arg, const char *user)
{
	(void)arg;
	snprintf(found + strlen(found), sizeof(found) - strlen(found), "%s ", user);
}

static const char *users(const char *master, const char *main)
{
	const struct hook_text master_text = {(char *)master, strlen(master)};
	const struct hook_text main_text = {(char *)main, strlen(main)};

	found[0] = '\0';
	assert_int_equal(postfix_pipes_of(&master_text, &main_text, note, NULL), 0);
	return found;
}

#define FILTER(user)                                                                               \
	"spam unix - n n - 10 pipe\n  flags=Rq user=" user " argv=/opt/filter -f ${sender}\n"

static void test_sendmail(void **state)
{
	(void)state;
	assert_string_equal(
		users("spam unix - n n - 10 pipe\n"
		      "  flags=Rq user=spamd argv=/usr/bin/spamc -e /usr/sbin/sendmail\n"
		      "  -oi -f ${sender} ${recipient}\n",
		      ""),
		"spamd ");
	assert_string_equal(
		users("a unix - n n - - pipe user=f:g argv=/usr/sbin/sendmail -i\n", ""), "f ");
	/* What only delivers, and what is not pipe(8). */
	assert_string_equal(users("a unix - n n - - pipe user=vm argv=/usr/bin/deliver -d ${user}\n"
				  "b unix - n n - - pipe user=x argv=/opt/sendmail.sh\n"
				  "c unix - n n - - spawn user=y argv=/usr/sbin/sendmail\n"
				  "#d unix - n n - - pipe user=z argv=/usr/sbin/sendmail\n"
				  "e unix - n n - - pipe argv=/bin/x user=no /usr/sbin/sendmail\n",
				  ""),
			    "");
}

static void test_content_filter(void **state)
{
	(void)state;
	assert_string_equal(users(FILTER("filter"), ""), "");
	assert_string_equal(users(FILTER("filter"), "content_filter = spam:dummy\n"), "filter ");
	assert_string_equal(users(FILTER("filter"), "content_filter = spam\n"), "filter ");
	assert_string_equal(users(FILTER("filter"), "content_filter = spammer:\n"), "");
	assert_string_equal(users(FILTER("filter") "smtp inet n - y - - smtpd\n"
						   "  -o content_filter=spam:dummy\n",
				  ""),
			    "filter ");
	assert_string_equal(users(FILTER("filter") "smtp inet n - y - - smtpd\n"
						   "  -o { content_filter = spam: }\n",
				  ""),
			    "filter ");
	assert_string_equal(users(FILTER("filter") "smtp inet n - y - - smtpd\n"
						   "  -o content_filter=other:\n",
				  ""),
			    "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sendmail),
		cmocka_unit_test(test_content_filter),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("postfix_pipes", tests, NULL, NULL);
}
