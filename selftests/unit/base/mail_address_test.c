// SPDX-License-Identifier: GPL-2.0-only
/*
 * mail_address_test.c - what is a mail address, and what is not.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mail_address.h"

static void test_addresses(void **state)
{
	static const char *const good[] = {
		"a@b.test",
		"first.last+tag@sub.example.co.uk",
		"o'neil@xn--bcher-kva.example",
		"x_1@b-c.de",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		assert_true(mail_address_is(good[i], false));
	assert_true(mail_address_is("root", true));
	assert_false(mail_address_is("root", false));
	assert_true(mail_address_is("root@localhost", true));
	assert_false(mail_address_is("root@localhost", false));
}

static void test_what_is_none(void **state)
{
	static const char *const bad[] = {
		"",
		"@",
		"a@",
		"@b.test",
		"a@.test",
		"a@b..test",
		"a@b.test.",
		"a b@c.test",
		"a@b.test,c@d.test",
		"a@b.test c",
		"-f@b.test",
		"a@-b.test",
		"a@b-.test",
		".a@b.test",
		"a.@b.test",
		"a..b@c.test",
		"\"a b\"@c.test",
		"a@[127.0.0.1]",
		"<a@b.test>",
		"|sh@b.test",
		"a`id`@b.test",
		"$x@b.test",
		"a@b.test\n",
		"a\r\nBcc: x@y.test",
		"b\xc3\xbc@c.test",
		"a@b\xc3\xbc.test",
		"a@b@c.test:",
	};
	char large[400];

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (mail_address_is(bad[i], true))
			fail_msg("\"%s\" is no address", bad[i]);
	memset(large, 'x', sizeof(large));
	memcpy(large + 65, "@b.test", 8);
	assert_false(mail_address_is(large, true));
	memset(large, 'x', sizeof(large));
	memcpy(large, "a@", 2);
	memcpy(large + sizeof(large) - 6, ".test", 6);
	assert_false(mail_address_is(large, true));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_what_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
