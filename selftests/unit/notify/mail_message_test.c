// SPDX-License-Identifier: GPL-2.0-only
/*
 * mail_message_test.c - a mail as sendmail(1) gets it: its header, words that are not ASCII, and
 * that no value adds a header or a line that is too long.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "notify/mail_message.h"

static char mail[65536];

static const char *write_mail(const char *subject, const char *text)
{
	const struct mail_message m = {
		.from = "smtplimit <postmaster@h.test>",
		.to = "a@b.test",
		.subject = subject,
		.text = text,
		.host = "h.test",
		.date_s = 1796000000,
		.serial = 0x2a,
	};
	size_t size = mail_message_write(&m, mail, sizeof(mail) - 1);

	assert_int_not_equal(size, 0);
	mail[size] = '\0';
	return mail;
}

static void test_a_whole_mail(void **state)
{
	(void)state;
	assert_string_equal(write_mail("hello", "one\n\ntwo\n"),
			    "From: smtplimit <postmaster@h.test>\n"
			    "To: a@b.test\n"
			    "Subject: hello\n"
			    "Date: Mon, 30 Nov 2026 00:53:20 +0000\n"
			    "Message-ID: <smtplimit.6b0cc900.000000000000002a@h.test>\n"
			    "Auto-Submitted: auto-generated\n"
			    "MIME-Version: 1.0\n"
			    "Content-Type: text/plain; charset=utf-8\n"
			    "Content-Transfer-Encoding: 7bit\n"
			    "\n"
			    "one\n\ntwo\n");
}

static void test_a_subject_that_is_not_ascii(void **state)
{
	(void)state;
	assert_non_null(strstr(write_mail("Gr\xc3\xb6\xc3\x9f"
					  "e",
					  "x"),
			       "\nSubject: =?utf-8?B?R3LDtsOfZQ==?=\n"));
	/* No character is cut in two: each word is UTF-8 of its own. */
	assert_non_null(
		strstr(write_mail("xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\xc3\xb6y", "x"),
		       "eHg=?=\n =?utf-8?B?w7Z5?=\n"));
	/* What looks like an encoded word is one of the text. */
	assert_non_null(strstr(write_mail("=?utf-8?Q?x?=", "x"), "\nSubject: =?utf-8?B?PT91"));
}

static void test_no_value_adds_a_header(void **state)
{
	(void)state;
	write_mail("x\nBcc: c@d.test\r\n\r\nbody", "text\n");
	assert_null(strstr(mail, "\nBcc"));
	assert_non_null(strstr(mail, "\nSubject: x Bcc: c@d.test    body\n"));
}

static void test_long_lines_are_cut(void **state)
{
	static char text[5001], subject[600];
	size_t longest = 0;

	(void)state;
	for (size_t i = 0; i < 5000; i += 2)
		memcpy(text + i, "\xc3\xb6", 2);
	memset(subject, 's', sizeof(subject) - 1);
	write_mail(subject, text);
	assert_non_null(strstr(mail, "Content-Transfer-Encoding: 8bit\n"));
	for (const char *line = mail; *line;) {
		size_t length = strcspn(line, "\n");

		assert_int_not_equal((unsigned char)line[0] & 0xc0, 0x80);
		longest = length > longest ? length : longest;
		line += length + 1;
	}
	assert_in_range(longest, 800, 900);
}

static void test_what_does_not_fit_is_no_mail(void **state)
{
	const struct mail_message m = {
		.from = "a", .to = "b", .subject = "c", .text = "d", .host = "e"};
	char small[64];

	(void)state;
	assert_int_equal(mail_message_write(&m, small, sizeof(small)), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_whole_mail),
		cmocka_unit_test(test_a_subject_that_is_not_ascii),
		cmocka_unit_test(test_no_value_adds_a_header),
		cmocka_unit_test(test_long_lines_are_cut),
		cmocka_unit_test(test_what_does_not_fit_is_no_mail),
	};

	setenv("TZ", "UTC", 1);
	tzset();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
