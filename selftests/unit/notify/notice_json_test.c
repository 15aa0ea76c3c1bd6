// SPDX-License-Identifier: GPL-2.0-only
/*
 * notice_json_test.c - notices for programs: JSON, environment and signature, with bytes that
 * customers and remotes chose.
 */
#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "notify/notice_env.h"
#include "notify/notice_json.h"
#include "notify/signature.h"

static json_t *parsed(char *text)
{
	json_t *object;

	assert_non_null(text);
	object = json_loads(text, 0, NULL);
	assert_non_null(object);
	for (const char *c = text; *c; c++)
		assert_in_range((unsigned char)*c, 0x20, 0xff);
	free(text);
	return object;
}

static const char *string_of(json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

static void test_a_notice(void **state)
{
	struct notice n = {.kind = NOTICE_SUSPENDED,
			   .by_hand = 1,
			   .until_s = 99,
			   .bad = 7,
			   .groups = 1,
			   .recipients = 1,
			   .account = "alice"};
	json_t *o, *one;

	(void)state;
	strcpy(n.group[0].class, "recipient");
	n.group[0].count = 5;
	strcpy(n.recipient[0].address, "a@b.test");
	n.recipient[0].code = 550;
	o = parsed(notice_json(&n, "h.test"));
	assert_string_equal(string_of(o, "kind"), "suspended");
	assert_string_equal(string_of(o, "account"), "alice");
	assert_true(json_is_true(json_object_get(o, "by_hand")));
	assert_true(json_is_false(json_object_get(o, "simulated")));
	assert_true(json_is_null(json_object_get(o, "since")));
	assert_true(json_is_null(json_object_get(o, "domain")));
	assert_int_equal(json_integer_value(json_object_get(o, "until")), 99);
	one = json_array_get(json_object_get(o, "replies"), 0);
	assert_int_equal(json_integer_value(json_object_get(one, "count")), 5);
	one = json_array_get(json_object_get(o, "recipients"), 0);
	assert_int_equal(json_integer_value(json_object_get(one, "code")), 550);
	assert_true(json_is_null(json_object_get(one, "enhanced")));
	json_decref(o);
}

static void test_bytes_that_are_no_text(void **state)
{
	struct notice n = {.kind = NOTICE_LOSSES};
	json_t *o;

	(void)state;
	strcpy(n.text, "a\n\"\\\x1b\xff\xe2\x80\xae\xc3\xbc");
	o = parsed(notice_json(&n, "h\n"));
	assert_string_equal(string_of(o, "text"), "a\\x0a\"\\\\\\x1b\\xff\\xe2\\x80\\xae\xc3\xbc");
	assert_string_equal(string_of(o, "host"), "h\\x0a");
	json_decref(o);
}

static void test_a_notice_with_all_that_fits(void **state)
{
	struct notice n;
	char *text;

	(void)state;
	memset(&n, 1, sizeof(n));
	n.kind = NOTICE_SUSPENDED;
	n.groups = NOTICE_GROUPS_MAX;
	n.recipients = NOTICE_RECIPIENTS_MAX;
	assert_true(notice_check(&n));
	text = notice_json(&n, "h");
	assert_in_range(strlen(text), 10000, 64 * 1024);
	json_decref(parsed(text));
}

static void test_a_digest(void **state)
{
	static struct notice_digest d;
	struct notice n = {.kind = NOTICE_SUSPENDED, .simulated = 1, .account = "alice"};
	json_t *o;

	(void)state;
	for (int i = 0; i < 500; i++)
		notice_digest_add(&d, &n);
	o = parsed(notice_json_digest(&d, "h", 10));
	assert_string_equal(string_of(o, "kind"), "digest");
	assert_int_equal(json_integer_value(json_object_get(o, "count")), 500);
	assert_int_equal(json_integer_value(json_object_get(o, "simulated")), 500);
	assert_int_equal(json_array_size(json_object_get(o, "notices")), 10);
	json_decref(o);
	o = parsed(notice_json_digest(&d, "h", 1000));
	assert_int_equal(json_array_size(json_object_get(o, "notices")), NOTICE_DIGEST_MAX);
	json_decref(o);
}

/* The value of a variable, or NULL. */
static const char *variable(const char *env, size_t size, const char *name)
{
	for (size_t at = 0; at < size; at += strlen(env + at) + 1)
		if (!strncmp(env + at, name, strlen(name)) && env[at + strlen(name)] == '=')
			return env + at + strlen(name) + 1;
	return NULL;
}

static void test_environment(void **state)
{
	struct notice n = {.kind = NOTICE_SUSPENDED, .bad = 7, .until_s = -1, .account = "a\nb=c"};
	char env[16384];
	size_t size;

	(void)state;
	strcpy(n.reason, "x\nSMTPLIMIT_KIND=released");
	size = notice_env(&n, "h", env, sizeof(env));
	assert_string_equal(variable(env, size, "SMTPLIMIT_KIND"), "suspended");
	assert_string_equal(variable(env, size, "SMTPLIMIT_ACCOUNT"), "a\\x0ab=c");
	assert_string_equal(variable(env, size, "SMTPLIMIT_BAD"), "7");
	assert_string_equal(variable(env, size, "SMTPLIMIT_UNTIL"), "-1");
	assert_string_equal(variable(env, size, "SMTPLIMIT_REASON"),
			    "x\\x0aSMTPLIMIT_KIND=released");
	assert_null(variable(env, size, "SMTPLIMIT_COUNT"));
	size = notice_env(&n, "h", env, 60);
	assert_in_range(size, 1, 60);
	assert_int_equal(env[size - 1], '\0');
}

/* RFC 4231, test case 2. */
static void test_signature(void **state)
{
	char text[SIGNATURE_SIZE];

	(void)state;
	signature_make("Jefe", "what do ya want for nothing?", 28, text);
	assert_string_equal(text, "sha256=5bdcc146bf60754e6a042426089575c7"
				  "5a003f089d2739839dec58b964ec3843");
}

static void test_a_record_that_makes_no_sense(void **state)
{
	struct notice n = {.kind = NOTICE_SUSPENDED};

	(void)state;
	assert_true(notice_check(&n));
	n.kind = 0;
	assert_false(notice_check(&n));
	n.kind = NOTICE_KINDS;
	assert_false(notice_check(&n));
	n.kind = NOTICE_LOSSES;
	n.groups = NOTICE_GROUPS_MAX + 1;
	assert_false(notice_check(&n));
	n.groups = 0;
	n.recipients = NOTICE_RECIPIENTS_MAX + 1;
	assert_false(notice_check(&n));
	for (uint32_t kind = 1; kind < NOTICE_KINDS; kind++)
		assert_int_equal(notice_kind_by_name(notice_kind_name(kind)), kind);
	assert_int_equal(notice_kind_by_name("x"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_notice),
		cmocka_unit_test(test_bytes_that_are_no_text),
		cmocka_unit_test(test_a_notice_with_all_that_fits),
		cmocka_unit_test(test_a_digest),
		cmocka_unit_test(test_environment),
		cmocka_unit_test(test_signature),
		cmocka_unit_test(test_a_record_that_makes_no_sense),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
