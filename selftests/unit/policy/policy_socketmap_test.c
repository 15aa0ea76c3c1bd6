/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * policy_socketmap_test.c - netstrings, the keys of each map, and the form of what is found.
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
#include "policy/policy_socketmap.h"

#define REFUSAL "550 5.7.1 No."

static enum policy_step request(const char *text, enum policy_map *map, struct submission *o)
{
	char buffer[POLICY_LINE_MAX + 1];

	memset(o, 0xee, sizeof(*o));
	snprintf(buffer, sizeof(buffer), "%s", text);
	return policy_socketmap_request(buffer, strlen(buffer), map, o);
}

/* It is asked about this map. */
static struct submission asked(const char *text, enum policy_map expected)
{
	enum policy_map map;
	struct submission o;

	if (request(text, &map, &o) != POLICY_ASK)
		fail_msg("%s: not asked", text);
	assert_int_equal(map, expected);
	return o;
}

static void assert_not_found(const char *text, enum policy_map expected)
{
	enum policy_map map;
	struct submission o;

	if (request(text, &map, &o) != POLICY_REPLY)
		fail_msg("%s: not answered at once", text);
	assert_int_equal(map, expected);
}

static void test_head(void **state)
{
	static const struct {
		const char *bytes;
		int head;
		size_t length;
	} heads[] = {
		{"", 0, 7},
		{"1", 0, 7},
		{"12", 0, 7},
		{"0:", 2, 0},
		{"12:transport", 3, 12},
		{"1048576:", 8, 1048576},
		{"1048577", -EPROTO, 7},
		{"00", -EPROTO, 7},
		{"01:", -EPROTO, 7},
		{":", -EPROTO, 7},
		{"-1:", -EPROTO, 7},
		{"1 :", -EPROTO, 7},
		{"x", -EPROTO, 7},
		{"1x", -EPROTO, 7},
		{"99999999999999999999", -EPROTO, 7},
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(heads) / sizeof(*heads); i++) {
		size_t length = 7;

		if (policy_socketmap_head(heads[i].bytes, strlen(heads[i].bytes), &length) !=
		    heads[i].head)
			fail_msg("%s: wrong head", heads[i].bytes);
		assert_int_equal(length, heads[i].length);
	}
}

static void test_transport(void **state)
{
	struct submission o = asked("transport a@b.example", POLICY_MAP_TRANSPORT);

	(void)state;
	assert_string_equal(o.sender, "a@b.example");
	assert_int_equal(o.known, 0);
	assert_string_equal(asked("transport @b.example", POLICY_MAP_TRANSPORT).sender,
			    "@b.example");
	assert_not_found("transport <>", POLICY_MAP_TRANSPORT);
	assert_not_found("transport alice", POLICY_MAP_TRANSPORT);
	assert_not_found("transport ", POLICY_MAP_TRANSPORT);
}

static void test_pickup(void **state)
{
	static const char *const others[] = {
		"pickup ",
		"pickup Received: by h (Postfix, from userid )",
		"pickup Received: by h (Postfix, from userid 1001",
		"pickup Received: by h (Postfix, from userid 1001)x",
		"pickup Received: by h (Postfix, from userid -1)",
		"pickup Received: by h (Postfix, from userid 1 001)",
		"pickup Received: by h (Postfix) with ESMTP id 4Xyz",
		"pickup Received: by  (Postfix, from userid 1001)",
		"pickup Received: by h h (Postfix, from userid 1001)",
		"pickup Received: from h (Postfix, from userid 1001)",
		"pickup  Received: by h (Postfix, from userid 1001)",
		"pickup Subject: Received: by h (Postfix, from userid 1001)",
		"pickup Received: by h",
		"pickup Received: by ",
	};
	struct submission o =
		asked("pickup Received: by h.example (Postfix, from userid 1001)\n\tid 4Xy; Sat",
		      POLICY_MAP_PICKUP);
	size_t i;

	(void)state;
	assert_int_equal(o.known, SUBMISSION_HAS_UID | SUBMISSION_NO_SENDER);
	assert_int_equal(o.uid, 1001);
	assert_string_equal(o.sender, "");
	o = asked("pickup received: by h (postfix, from userid 1002)", POLICY_MAP_PICKUP);
	assert_int_equal(o.uid, 1002);
	for (i = 0; i < sizeof(others) / sizeof(*others); i++)
		assert_not_found(others[i], POLICY_MAP_PICKUP);
}

/* Another host's uids are not ours. */
static void test_pickup_of_a_host(void **state)
{
	static const char *const others[] = {
		"pickup/mx.example Received: by mx.remote.example (Postfix, from userid 1001)",
		"pickup/mx.example Received: by mx.example.net (Postfix, from userid 1001)",
		"pickup/mx.example Received: by mx.exampl (Postfix, from userid 1001)",
		"pickup/mx.example Received: by a.mx.example (Postfix, from userid 1001)",
		"pickup/mx.example Received: by mx.example\t(Postfix, from userid 1001)",
		"pickup/mx.example Received: by mx.example",
		"pickup/mx.example Received: by mx.example ",
		"pickup/mx.example Received: by mx",
		"pickup/mx.example Received: by ",
		"pickup/mx.example Subject: by mx.example (Postfix, from userid 1001)",
		"pickup/mx.example ",
		"pickup/mx/example Received: by mx (Postfix, from userid 1001)",
		"pickup/ Received: by mx.example (Postfix, from userid 1001)",
		"pickup/ Received: by  (Postfix, from userid 1001)",
		"pickup/ ",
	};
	size_t i;

	(void)state;
	assert_int_equal(asked("pickup/mx.example Received: by mx.example (Postfix, from userid 7)",
			       POLICY_MAP_PICKUP)
				 .uid,
			 7);
	assert_int_equal(asked("pickup/MX.example received: by mx.EXAMPLE (postfix, from userid 8)",
			       POLICY_MAP_PICKUP)
				 .uid,
			 8);
	for (i = 0; i < sizeof(others) / sizeof(*others); i++)
		assert_not_found(others[i], POLICY_MAP_PICKUP);
}

static void test_users_and_ask(void **state)
{
	struct submission o = asked("users alice", POLICY_MAP_USERS);

	(void)state;
	assert_string_equal(o.auth, "alice");
	assert_int_equal(o.known, SUBMISSION_NO_SENDER);
	assert_not_found("users ", POLICY_MAP_USERS);
	o = asked("ask addr=192.0.2.1 port=25 auth64=YQ== sender=a@b.example", POLICY_MAP_ASK);
	assert_int_equal(o.known, SUBMISSION_HAS_CLIENT);
	assert_string_equal(o.auth, "a");
	assert_not_found("ask uid=x", POLICY_MAP_ASK);
}

static void test_no_such_map(void **state)
{
	enum policy_map map;
	struct submission o;

	(void)state;
	assert_not_found("other key", POLICY_MAP_NONE);
	assert_not_found(" key", POLICY_MAP_NONE);
	assert_not_found("transports a@b.example", POLICY_MAP_NONE);
	assert_not_found("transport/mx.example a@b.example", POLICY_MAP_NONE);
	assert_not_found("ask/ uid=1001", POLICY_MAP_NONE);
	assert_not_found("pickups/h Received: by h (Postfix, from userid 1001)", POLICY_MAP_NONE);
	assert_not_found("/h Received: by h (Postfix, from userid 1001)", POLICY_MAP_NONE);
	assert_int_equal(request("transport", &map, &o), POLICY_MALFORMED);
	assert_int_equal(request("", &map, &o), POLICY_MALFORMED);
}

/* A NUL ends no key early. */
static void test_nul(void **state)
{
	char key[] = "users alice\0x", map_name[] = "ask\0 uid=1";
	enum policy_map map;
	struct submission o;

	(void)state;
	assert_int_equal(policy_socketmap_request(key, sizeof(key) - 1, &map, &o), POLICY_REPLY);
	assert_int_equal(map, POLICY_MAP_USERS);
	assert_int_equal(policy_socketmap_request(map_name, sizeof(map_name) - 1, &map, &o),
			 POLICY_MALFORMED);
}

static void assert_answer(enum policy_map map, const char *refusal, const char *expected)
{
	char answer[POLICY_SOCKETMAP_ANSWER_SIZE];

	assert_int_equal(policy_socketmap_answer(map, refusal, answer), strlen(expected));
	assert_string_equal(answer, expected);
}

static void test_answers(void **state)
{
	(void)state;
	assert_answer(POLICY_MAP_TRANSPORT, NULL, "9:NOTFOUND ,");
	assert_answer(POLICY_MAP_TRANSPORT, REFUSAL, "18:OK error:5.7.1 No.,");
	assert_answer(POLICY_MAP_PICKUP, REFUSAL, "19:OK REJECT 5.7.1 No.,");
	assert_answer(POLICY_MAP_USERS, REFUSAL, "16:OK 550 5.7.1 No.,");
	assert_answer(POLICY_MAP_ASK, REFUSAL, "16:OK 550 5.7.1 No.,");
	assert_answer(POLICY_MAP_NONE, NULL,
		      "54:PERM no such map: want transport, pickup, users or ask,");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_head),	    cmocka_unit_test(test_transport),
		cmocka_unit_test(test_pickup),	    cmocka_unit_test(test_pickup_of_a_host),
		cmocka_unit_test(test_no_such_map), cmocka_unit_test(test_users_and_ask),
		cmocka_unit_test(test_nul),	    cmocka_unit_test(test_answers),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
