// SPDX-License-Identifier: GPL-2.0-only
/*
 * status_remotes_test.c - what status shows of alarms about remotes: a line each for an hour, all
 * in JSON, and nothing unprintable of what strangers wrote.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include "status_fixture.h"

static void alarm_of(enum pipeline_alarm kind, const char *remote, const char *text, int64_t ago_s)
{
	struct state_remote r = {.kind = kind,
				 .accounts = 14,
				 .tried = 20,
				 .since_wall_s = WALL_S - 7200,
				 .last_wall_s = WALL_S - ago_s};

	snprintf(r.remote, sizeof(r.remote), "%s", remote);
	snprintf(r.text, sizeof(r.text), "%s", text);
	assert_int_equal(status_remote(&status, &r), 0);
}

static void text_has_those_of_an_hour(void **unused)
{
	char *text;

	(void)unused;
	alarm_of(PIPELINE_ALARM_LISTED, "outlook.com", "550 5.7.1 on our block list", 3599);
	alarm_of(PIPELINE_ALARM_TROUBLE, "a.example", "451 4.7.1 later", 0);
	alarm_of(PIPELINE_ALARM_NO_ANSWER, "", "", 0);
	alarm_of(PIPELINE_ALARM_LISTED, "old.example", "", 3600);
	text = status_string();
	assert_non_null(strstr(
		text, "\nremote outlook.com: refuses this server for 14 of 20 accounts, since "
		      "2026-11-21T12:05:00Z: 550 5.7.1 on our block list (not charged to them)\n"
		      "remote a.example: defers or refuses the mail of 14 of 20 accounts, since "
		      "2026-11-21T12:05:00Z: 451 4.7.1 later (not charged to them)\n"
		      "no remote answers 14 of 20 accounts, since 2026-11-21T12:05:00Z: there was "
		      "no reply (not charged to them)\n"));
	assert_null(strstr(text, "old.example"));
	free(text);
}

static void json_has_all(void **unused)
{
	json_t *root = status_json();

	(void)unused;
	expect_json(json_object_get(root, "remotes"), "[]");
	json_decref(root);
	alarm_of(PIPELINE_ALARM_LISTED, "outlook.com", "550 no", 0);
	alarm_of(PIPELINE_ALARM_TROUBLE, "a.example", "451 later", 60);
	alarm_of(PIPELINE_ALARM_NO_ANSWER, "", "", 7200);
	root = status_json();
	expect_json(json_object_get(root, "remotes"),
		    "[{\"remote\": \"outlook.com\", \"kind\": \"listed\", \"accounts\": 14,"
		    " \"tried\": 20, \"since\": \"2026-11-21T12:05:00Z\","
		    " \"last\": \"2026-11-21T14:05:00Z\", \"text\": \"550 no\"},"
		    " {\"remote\": \"a.example\", \"kind\": \"trouble\", \"accounts\": 14,"
		    " \"tried\": 20, \"since\": \"2026-11-21T12:05:00Z\","
		    " \"last\": \"2026-11-21T14:04:00Z\", \"text\": \"451 later\"},"
		    " {\"remote\": null, \"kind\": \"no_answer\", \"accounts\": 14,"
		    " \"tried\": 20, \"since\": \"2026-11-21T12:05:00Z\","
		    " \"last\": \"2026-11-21T12:05:00Z\", \"text\": null}]");
	json_decref(root);
}

/* As long as it can be, so that each byte becomes four. */
static void hostile_bytes_are_escaped(void **unused)
{
	char name[REMOTE_NAME_SIZE], reply[STATE_REMOTE_TEXT_SIZE], *text;
	json_t *root, *r;

	(void)unused;
	memset(name, '\x1b', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	memset(reply, '\xff', sizeof(reply) - 1);
	memcpy(reply, "\n\rproblem: ", strlen("\n\rproblem: "));
	reply[sizeof(reply) - 1] = '\0';
	alarm_of(PIPELINE_ALARM_LISTED, name, reply, 0);
	text = status_string();
	assert_null(strstr(text, "\nproblem"));
	assert_null(strchr(text, '\r'));
	assert_null(strchr(text, '\x1b'));
	assert_null(strchr(text, '\xff'));
	assert_non_null(strstr(text, "\nremote \\x1b\\x1b"));
	assert_non_null(strstr(text, "\\xff (not charged to them)\n"));
	free(text);
	root = status_json();
	r = json_array_get(json_object_get(root, "remotes"), 0);
	assert_int_equal(json_string_length(json_object_get(r, "remote")), 4 * strlen(name));
	assert_memory_equal(json_string_value(json_object_get(r, "text")),
			    "\\x0a\\x0dproblem: \\xff", 21);
	json_decref(root);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STATUS_TEST(text_has_those_of_an_hour),
		STATUS_TEST(json_has_all),
		STATUS_TEST(hostile_bytes_are_escaped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
