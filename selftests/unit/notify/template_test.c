// SPDX-License-Identifier: GPL-2.0-only
/*
 * template_test.c - templates: what they may look like, what stands at FILE:LINE in an error, what
 * placeholders become; and that no default text has one that is unknown.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "notify/template.h"

static char error[512], text[32768];
static struct template t;

static int parse(const char *bytes)
{
	return template_parse("F", bytes, strlen(bytes), &t, error, sizeof(error));
}

static const char *fill(const char *from, const struct template_subject *s)
{
	struct notify_text out;

	notify_text_begin(&out, text, sizeof(text));
	template_fill(from, s, &out);
	return text;
}

static struct notice example(void)
{
	return (struct notice){
		.kind = NOTICE_SUSPENDED,
		.time_s = 1796000000,
		.since_s = 1796000000,
		.until_s = 1796003600,
		.bad = 7,
		.percent = 58,
		.window_s = 3600,
		.account = "alice",
		.domain = "alice.test",
	};
}

static void test_a_good_template(void **state)
{
	(void)state;
	assert_int_equal(parse("Subject: {account} on {host}\n\nUntil {until}.\n{ not one }\n"), 0);
	assert_string_equal(t.subject, "{account} on {host}");
	assert_string_equal(t.text, "Until {until}.\n{ not one }\n");
}

static void fails(const char *bytes, const char *want)
{
	memset(&t, 7, sizeof(t));
	assert_int_equal(parse(bytes), -EINVAL);
	assert_string_equal(error, want);
	assert_int_equal(t.subject[0], 7);
}

static void test_bad_templates(void **state)
{
	char large[TEMPLATE_BYTES + 64];

	(void)state;
	fails("Subject: x\n\n{account}\n{acount}\n", "F:4: no placeholder has the name \"acount\"");
	fails("Subject: {x_y}\n\ntext\n", "F:1: no placeholder has the name \"x_y\"");
	fails("Hello\n", "F:1: want \"Subject: ...\", not \"Hello\"");
	fails("", "F:1: want \"Subject: ...\", not");
	fails("Subject:  \n\ntext\n", "F:1: want a subject of 1 to 255 bytes");
	fails("Subject: x\ntext\n", "F:2: want an empty line below the subject");
	fails("Subject: x\n", "F:3: want a text of 1 to 6143 bytes");
	fails("Subject: x\n\na\nb\x1b[31m\n", "F:4: a control byte, want text in UTF-8");
	memset(large, 'x', sizeof(large));
	memcpy(large, "Subject: x\n\n", 12);
	large[sizeof(large) - 1] = '\0';
	fails(large, "F:3: want a text of 1 to 6143 bytes");
}

static void test_placeholders_become_what_they_stand_for(void **state)
{
	const struct notice n = example();
	const struct template_subject s = {.notice = &n, .host = "h.test"};

	(void)state;
	assert_string_equal(fill("{account} {domain} {host} {kind} {bad}/{percent}", &s),
			    "alice alice.test h.test suspended 7/58");
	assert_string_equal(fill("{until}", &s), "01:53 UTC on Mon 30 Nov 2026");
	assert_string_equal(fill("{length} {window}", &s), "60 minutes 60 minutes");
	assert_string_equal(fill("{", &s), "{");
	assert_string_equal(fill("{}{{account}}{a", &s), "{}{alice}{a");
	assert_string_equal(fill("{simulated}{observed}{repeated}{reason}", &s), "");
	assert_string_equal(fill("{recipients}", &s), "  (none are recorded)\n");
}

static void test_nothing_untrusted_stays_as_it_is(void **state)
{
	struct notice n = example();
	const struct template_subject s = {.notice = &n, .host = "h.test"};

	(void)state;
	strcpy(n.account, "a\nBcc: x@y.test {domain}\x1b[31m");
	n.groups = n.recipients = 1;
	strcpy(n.group[0].example, "two\r\nlines\xe2\x80\xae");
	strcpy(n.group[0].class, "no such class");
	strcpy(n.recipient[0].address, "a\tb@c.test\xff");
	assert_string_equal(fill("{account}", &s), "a\\x0aBcc: x@y.test {domain}\\x1b[31m");
	assert_non_null(strstr(fill("{replies}", &s), "two\\x0d\\x0alines\\xe2\\x80\\xae\n"));
	assert_string_equal(fill("{recipients}", &s), "  a\\x09b@c.test\\xff: (no text)\n");
}

static void test_the_reason_is_for_the_administrator(void **state)
{
	struct notice n = example();
	struct template_subject s = {.notice = &n, .host = "h.test"};

	(void)state;
	n.by_hand = 1;
	strcpy(n.reason, "does not pay");
	assert_string_equal(fill("{why}", &s), "It was done by hand: does not pay.");
	s.customer = true;
	assert_string_equal(fill("{why}{reason}", &s), "It was done by hand.");
	n.tell = 1;
	assert_string_equal(fill("{why}", &s), "It was done by hand: does not pay.");
}

static void test_a_text_that_does_not_fit_is_cut_at_a_character(void **state)
{
	char small[8];
	struct notify_text out;

	(void)state;
	notify_text_begin(&out, small, sizeof(small));
	notify_text_add(&out, "%s", "12345\xc3\xbc\xc3\xbc");
	assert_string_equal(small, "12345\xc3\xbc");
	notify_text_begin(&out, small, sizeof(small));
	notify_text_add(&out, "%s", "123456\xc3\xbc");
	assert_string_equal(small, "123456");
	notify_text_add(&out, "%s", "7890");
	assert_int_equal(strlen(small), 7);
}

static void length_is(int64_t seconds, const char *want)
{
	struct notify_text out;

	notify_text_begin(&out, text, sizeof(text));
	notify_text_length(&out, seconds);
	assert_string_equal(text, want);
}

static void test_lengths_of_time(void **state)
{
	(void)state;
	length_is(-5, "0 seconds");
	length_is(1, "1 second");
	length_is(119, "119 seconds");
	length_is(120, "2 minutes");
	length_is(3600, "60 minutes");
	length_is(5400, "90 minutes");
	length_is(7200, "2 hours");
	length_is(9000, "2 hours and 30 minutes");
	length_is(2 * 86400 + 3600, "2 days and 1 hour");
	length_is(30 * 86400, "30 days");
}

/* Each default text is a template that could stand in a file. */
static void test_every_default_text(void **state)
{
	struct notice n = example();
	struct template_subject s = {.notice = &n, .host = "h.test"};
	char name[64];

	(void)state;
	for (uint32_t kind = 1; kind < TEMPLATES; kind++) {
		for (int customer = 0; customer < 2; customer++) {
			const struct template *d = template_default(kind, customer);

			if (kind < NOTICE_KINDS)
				n.kind = kind;
			if (customer && !notice_for_customer(&n))
				continue;
			if (customer && kind == TEMPLATE_DIGEST)
				continue;
			s.customer = customer;
			assert_true(d->subject[0] && d->text[0]);
			assert_null(strchr(fill(d->subject, &s), '{'));
			assert_null(strchr(fill(d->text, &s), '{'));
			template_name(kind, customer, name, sizeof(name));
			assert_non_null(strstr(name, ".txt"));
		}
	}
}

/* The administrator may see no more than the subject. */
static void test_a_subject_says_what_was_only_observed(void **state)
{
	static const uint32_t kinds[] = {NOTICE_NEARLY_THERE, NOTICE_SUSPENDED};
	struct notice n = example();
	const struct template_subject s = {.notice = &n, .host = "h.test"};
	const char *subject;

	(void)state;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		n.kind = kinds[i];
		subject = template_default(kinds[i], false)->subject;
		n.simulated = 0;
		assert_int_equal(strncmp(fill(subject, &s), "[h.test] alice is ", 18), 0);
		n.simulated = 1;
		assert_int_equal(
			strncmp(fill(subject, &s), "[h.test] only observed: alice is ", 33), 0);
	}
}

static void test_a_digest(void **state)
{
	static struct notice_digest d;
	const struct template_subject s = {.digest = &d, .host = "h.test"};
	struct notice n = example();

	(void)state;
	for (int i = 0; i < 150; i++)
		notice_digest_add(&d, &n);
	n = (struct notice){.kind = NOTICE_LOSSES, .time_s = 5};
	notice_digest_add(&d, &n);
	assert_string_equal(fill("{count} {kind}", &s), "151 digest");
	assert_string_equal(fill("{summary}", &s), "  150 x suspended\n  1 x losses\n");
	assert_non_null(
		strstr(fill("{entries}", &s), "  suspended  alice (alice.test) until 01:53"));
	assert_non_null(strstr(text, "  and 51 more\n"));
	assert_string_equal(fill("{account}{until}", &s), "00:00 UTC on Thu 1 Jan 1970");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_good_template),
		cmocka_unit_test(test_bad_templates),
		cmocka_unit_test(test_placeholders_become_what_they_stand_for),
		cmocka_unit_test(test_nothing_untrusted_stays_as_it_is),
		cmocka_unit_test(test_the_reason_is_for_the_administrator),
		cmocka_unit_test(test_a_text_that_does_not_fit_is_cut_at_a_character),
		cmocka_unit_test(test_lengths_of_time),
		cmocka_unit_test(test_every_default_text),
		cmocka_unit_test(test_a_subject_says_what_was_only_observed),
		cmocka_unit_test(test_a_digest),
	};

	setenv("TZ", "UTC", 1);
	tzset();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
