/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * policy_line_test.c - questions and answers of one line, and the words that they are made of.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <arpa/inet.h>
#include <cmocka.h>
#include "policy/policy_line.h"
#include "policy/policy_word.h"

#define LONG_DOMAIN                                                                                \
	"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa."                         \
	"bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb."                         \
	"ccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc.example"

static int parse(const char *text, struct submission *o, char why[256])
{
	char line[POLICY_LINE_MAX + 1];

	snprintf(line, sizeof(line), "%s", text);
	return policy_line_parse(line, strlen(line), o, why, 256);
}

static struct submission question(const char *text)
{
	struct submission o;
	char why[256] = "";

	memset(&o, 0xee, sizeof(o));
	if (parse(text, &o, why))
		fail_msg("%s: %s", text, why);
	return o;
}

static void test_nothing(void **state)
{
	static const struct submission none;
	static const char *const lines[] = {
		"",
		" ",
		"uid=",
		"addr= port= auth= auth64= sender= sender64= account= nosender= to= toport=",
		"account=-",
		"unknown=1 words exim",
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(lines) / sizeof(*lines); i++) {
		struct submission o = question(lines[i]);

		assert_memory_equal(&o, &none, sizeof(o));
	}
}

static void test_every_word(void **state)
{
	struct submission o = question("uid=1001 addr=192.0.2.1 port=40001 to=192.0.2.2 toport=587 "
				       "auth=alice sender=<a@b.example> "
				       "later=word account=uid:1002");
	static const uint8_t client[16] = {[10] = 0xff, 0xff, 192, 0, 2, 1};
	static const uint8_t server[16] = {[10] = 0xff, 0xff, 192, 0, 2, 2};

	(void)state;
	assert_int_equal(o.known,
			 SUBMISSION_HAS_UID | SUBMISSION_HAS_CLIENT | SUBMISSION_HAS_ACCOUNT);
	assert_memory_equal(o.server, server, 16);
	assert_int_equal(o.server_port, 587);
	assert_int_equal(o.uid, 1001);
	assert_memory_equal(o.client, client, 16);
	assert_int_equal(o.client_port, 40001);
	assert_string_equal(o.auth, "alice");
	assert_string_equal(o.sender, "a@b.example");
	assert_int_equal(o.account.kind, ACCOUNT_UID);
	assert_int_equal(o.account.uid, 1002);
}

static void test_other_forms(void **state)
{
	struct submission o = question("addr=2001:db8::1 auth64=YWxpY2VAYS5leGFtcGxl "
				       "sender64=InggeSJAYS5leGFtcGxl account=domain:A.Example. "
				       "nosender=1");
	uint8_t client[16];

	(void)state;
	inet_pton(AF_INET6, "2001:db8::1", client);
	assert_memory_equal(o.client, client, 16);
	assert_int_equal(o.client_port, 0);
	assert_string_equal(o.auth, "alice@a.example");
	assert_string_equal(o.sender, "\"x y\"@a.example");
	assert_int_equal(o.account.kind, ACCOUNT_DOMAIN);
	assert_string_equal(o.account.domain, "a.example");
	assert_true(o.known & SUBMISSION_NO_SENDER);
	assert_string_equal(question("sender=<>").sender, "");
}

static void test_malformed(void **state)
{
	static const char *const words[] = {
		"uid",
		"uid=-1",
		"uid=1001x",
		"uid=4294967295",
		"uid=alice",
		"uid=0x1",
		"addr=host",
		"addr=1.2.3",
		"addr=1.2.3.4.5",
		"addr=::g",
		"port=65536",
		"port=-1",
		"port=1x",
		"to=host",
		"to",
		"toport=65536",
		"toport=-1",
		"auth64=YQ",
		"auth64=YQ=",
		"auth64=Y===",
		"auth64=====",
		"auth64=YQ==YQ==",
		"auth64=Y-==",
		"auth64=AAAA",
		"sender64=YQ=a",
		"sender64",
		"account=alice",
		"account=uid:",
		"account=uid:x",
		"account=domain:",
		"account=domain:.",
		"account=user:1",
		"nosender=yes",
	};
	struct submission o, untouched;
	char why[256], line[64];
	size_t i;

	(void)state;
	memset(&untouched, 0xee, sizeof(untouched));
	for (i = 0; i < sizeof(words) / sizeof(*words); i++) {
		o = untouched;
		snprintf(line, sizeof(line), "uid=1001 %s port=1", words[i]);
		if (parse(line, &o, why) != -EINVAL)
			fail_msg("%s was taken", words[i]);
		assert_memory_equal(&o, &untouched, sizeof(o));
		assert_non_null(strstr(why, "want uid=N"));
	}
	assert_int_equal(policy_line_parse((char[]){"uid=1\0002"}, 7, &o, why, sizeof(why)),
			 -EINVAL);
	assert_int_equal(parse("uid=\x1b[31m\"", &o, why), -EINVAL);
	assert_non_null(strstr(why, "\"uid=\\x1b[31m\"\": want"));
}

static void test_base64(void **state)
{
	static const struct {
		const char *coded;
		const char *plain;
	} pairs[] = {
		{"", ""},
		{"Zg==", "f"},
		{"Zm8=", "fo"},
		{"Zm9v", "foo"},
		{"Zm9vYg==", "foob"},
		{"Zm9vYmE=", "fooba"},
		{"Zm9vYmFy", "foobar"},
		{"/+8=", "\xff\xef"},
	};
	char text[32];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(pairs) / sizeof(*pairs); i++) {
		snprintf(text, sizeof(text), "%s", pairs[i].coded);
		assert_int_equal(policy_word_base64(text), 0);
		assert_string_equal(text, pairs[i].plain);
	}
}

static void test_number(void **state)
{
	static const char *const bad[] = {
		"", "1x", " 1", "+1", "-1", "18446744073709551616", "99999999999999999999"};
	uint64_t n = 4242;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_int_equal(policy_word_number(bad[i], UINT64_MAX, &n), -EINVAL);
	assert_int_equal(policy_word_number("101", 100, &n), -EINVAL);
	assert_int_equal(n, 4242);
	assert_int_equal(policy_word_number("0100", 100, &n), 0);
	assert_int_equal(n, 100);
	assert_int_equal(policy_word_number("18446744073709551615", UINT64_MAX, &n), 0);
	assert_true(n == UINT64_MAX);
}

/* The domain says who pays, so it is kept. */
static void test_long_address(void **state)
{
	char text[700], address[SMTPL_ADDR_SIZE];

	(void)state;
	memset(text, 'x', 400);
	snprintf(text + 400, sizeof(text) - 400, "@%s", LONG_DOMAIN);
	policy_word_address(address, text);
	assert_int_equal(strlen(address), SMTPL_ADDR_SIZE - 1);
	assert_string_equal(strchr(address, '@') + 1, LONG_DOMAIN);
	memset(text, 'x', 600);
	text[600] = '\0';
	policy_word_address(address, text);
	assert_int_equal(strlen(address), SMTPL_ADDR_SIZE - 1);
	text[0] = '@';
	policy_word_address(address, text);
	assert_int_equal(strlen(address), SMTPL_ADDR_SIZE - 1);
	assert_int_equal(address[0], '@');
	text[1 + SMTPL_ADDR_SIZE - 2] = '\0';
	policy_word_address(address, text);
	assert_string_equal(address, text);
}

static void test_answers(void **state)
{
	const struct account_id user = {.kind = ACCOUNT_UID, .uid = 1001};
	const struct account_id domain = {.kind = ACCOUNT_DOMAIN, .domain = "a.example"};
	const struct account_id odd = {.kind = ACCOUNT_DOMAIN, .domain = "a\nok"};
	char line[POLICY_LINE_ANSWER_SIZE];

	(void)state;
	assert_int_equal(policy_line_answer(NULL, NULL, line), 5);
	assert_string_equal(line, "ok -\n");
	policy_line_answer(&user, NULL, line);
	assert_string_equal(line, "ok uid:1001\n");
	assert_null(policy_line_refusal(line));
	policy_line_answer(&domain, "550 5.7.1 No.", line);
	assert_string_equal(line, "refused domain:a.example 550 5.7.1 No.\n");
	assert_string_equal(policy_line_refusal(line), "550 5.7.1 No.");
	policy_line_answer(&odd, NULL, line);
	assert_string_equal(line, "ok -\n");
	assert_int_equal(policy_line_error("what", line), 11);
	assert_string_equal(line, "error what\n");
	assert_null(policy_line_refusal(line));
	assert_null(policy_line_refusal((char[]){"refused uid:1"}));
	assert_null(policy_line_refusal((char[]){"refused uid:1 250 fine"}));
	assert_null(policy_line_refusal((char[]){""}));
}

/* A question that is written is read back unchanged. */
static void test_round_trip(void **state)
{
	static const char *const lines[] = {
		"",
		"uid=0",
		"uid=1001 sender=a@b.example",
		"addr=192.0.2.1 port=25 auth=alice",
		"addr=2001:db8::1 port=0",
		"addr=127.0.0.1 port=40001 to=127.0.0.2 toport=587",
		"addr=2001:db8::1 port=40001 to=2001:db8::2 toport=25",
		"account=uid:5 sender64=InggeSJAYS5leGFtcGxl",
		"account=domain:a.example nosender=1 uid=7",
		"auth64=/+8=",
		"auth=f",
		"auth=fo",
	};
	struct submission o = question("sender=a@b.example");
	char line[POLICY_LINE_MAX];
	size_t i, length;

	(void)state;
	for (i = 0; i < sizeof(lines) / sizeof(*lines); i++) {
		struct submission before = question(lines[i]), after;

		length = policy_line_ask(&before, line, sizeof(line));
		assert_int_equal(length, strlen(line));
		assert_int_equal(line[length - 1], '\n');
		line[length - 1] = '\0';
		after = question(line);
		assert_memory_equal(&after, &before, sizeof(after));
	}
	length = policy_line_ask(&o, line, sizeof(line));
	assert_int_equal(policy_line_ask(&o, line, length + 2), length);
	assert_int_equal(policy_line_ask(&o, line, length), 0);
	assert_int_equal(policy_line_ask(&o, line, 2), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing),	     cmocka_unit_test(test_every_word),
		cmocka_unit_test(test_other_forms),  cmocka_unit_test(test_malformed),
		cmocka_unit_test(test_base64),	     cmocka_unit_test(test_number),
		cmocka_unit_test(test_long_address), cmocka_unit_test(test_answers),
		cmocka_unit_test(test_round_trip),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
