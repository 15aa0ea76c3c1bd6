// SPDX-License-Identifier: GPL-2.0-only
/*
 * history_test.c - how a suspension of the past is printed, and which times --since takes.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>
#include "cli/history.h"

#define TUESDAY INT64_C(1796133900) /* 2026-12-01T14:05:00Z */
#define HOUR_S	3600

/* Without a passwd entry. */
#define ALICE 4000001

static struct state_history sample(void)
{
	return (struct state_history){
		.account = {.kind = ACCOUNT_UID, .uid = ALICE},
		.domain = "example.com",
		.since_wall_s = TUESDAY,
		.until_wall_s = TUESDAY + HOUR_S,
		.ended_wall_s = TUESDAY + HOUR_S,
		.end = STATE_HISTORY_OVER,
		.bad = 7,
		.min = 5,
		.percent = 58,
		.reason = "deferred and failed mails 7/5 (58%)",
	};
}

static void expect_line(const struct state_history *h, const char *expected)
{
	char text[HISTORY_LINE_SIZE];

	assert_string_equal(history_line(h, TUESDAY + 60, text), expected);
}

static void test_each_end(void **state)
{
	struct state_history h = sample();

	(void)state;
	expect_line(&h, "Tue 1 Dec 14:05 for 60 min: 7/5 (58%)");
	h.ended_wall_s = TUESDAY + 12 * 60 + 7;
	h.end = STATE_HISTORY_RELEASED;
	expect_line(&h, "Tue 1 Dec 14:05 for 60 min, released after 12 min: 7/5 (58%)");
	h.end = STATE_HISTORY_REPLACED;
	expect_line(&h, "Tue 1 Dec 14:05 for 60 min, replaced after 12 min: 7/5 (58%)");
	h.ended_wall_s = 0;
	h.end = STATE_HISTORY_RUNNING;
	expect_line(&h, "Tue 1 Dec 14:05 for 60 min, until 15:05: 7/5 (58%)");
	h.until_wall_s = TUESDAY + 12 * HOUR_S;
	expect_line(&h, "Tue 1 Dec 14:05 for 12 h, until Wed 2 Dec 02:05: 7/5 (58%)");
}

static void test_by_hand_and_observed(void **state)
{
	struct state_history h = sample();

	(void)state;
	h.observed = 1;
	expect_line(&h, "Tue 1 Dec 14:05 for 60 min, observed: 7/5 (58%)");
	h.observed = 0;
	h.by_hand = 1;
	strcpy(h.reason, "stolen password\x1b[m");
	expect_line(&h, "Tue 1 Dec 14:05 for 60 min: stolen password\\x1b[m");
	/* The longest line that there can be is not cut. */
	memset(h.reason, '\x1b', sizeof(h.reason) - 1);
	h.reason[sizeof(h.reason) - 1] = '\0';
	h.end = STATE_HISTORY_RELEASED;
	h.observed = 1;
	{
		char text[HISTORY_LINE_SIZE];

		history_line(&h, TUESDAY, text);
		assert_true(strlen(text) < HISTORY_LINE_SIZE - 1);
		assert_string_equal(text + strlen(text) - 8, "\\x1b\\x1b");
	}
}

static void expect_json(const struct state_history *h, const char *expected)
{
	json_t *json = history_json(h);
	char *text;

	assert_non_null(json);
	text = json_dumps(json, JSON_SORT_KEYS);
	assert_string_equal(text, expected);
	free(text);
	json_decref(json);
}

static void test_json(void **state)
{
	struct state_history h = sample();

	(void)state;
	expect_json(&h, "{\"account\": \"uid:4000001\", \"bad\": 7, \"by_hand\": false, "
			"\"domain\": \"example.com\", \"end\": \"over\", "
			"\"ended\": \"2026-12-01T15:05:00Z\", \"min\": 5, \"observed\": false, "
			"\"percent\": 58, \"reason\": \"deferred and failed mails 7/5 (58%)\", "
			"\"since\": \"2026-12-01T14:05:00Z\", \"told\": false, "
			"\"until\": \"2026-12-01T15:05:00Z\"}");
	h.domain[0] = '\0';
	h.ended_wall_s = 0;
	h.end = STATE_HISTORY_RUNNING;
	h.by_hand = SMTPL_BY_HAND | SMTPL_BY_HAND_TOLD;
	h.observed = 1;
	strcpy(h.reason, "a\xff");
	expect_json(&h, "{\"account\": \"uid:4000001\", \"bad\": 7, \"by_hand\": true, "
			"\"domain\": null, \"end\": \"running\", \"ended\": null, \"min\": 5, "
			"\"observed\": true, \"percent\": 58, \"reason\": \"a\\\\xff\", "
			"\"since\": \"2026-12-01T14:05:00Z\", \"told\": true, "
			"\"until\": \"2026-12-01T15:05:00Z\"}");
}

static void test_since(void **state)
{
	static const struct {
		const char *text;
		int64_t since_s;
	} good[] = {
		{"90s", TUESDAY - 90},
		{"30m", TUESDAY - 1800},
		{"36h", TUESDAY - 36 * HOUR_S},
		{"7d", TUESDAY - 7 * 24 * HOUR_S},
		{"1d12h", TUESDAY - 36 * HOUR_S},
		{"2w", TUESDAY - 14 * 24 * HOUR_S},
		{"2026-12-01T14:05:00Z", TUESDAY},
		{"2026-12-01 14:05Z", TUESDAY},
		{"2026-12-01T16:05", TUESDAY},
		{"2026-12-01 16:05:01", TUESDAY + 1},
		{"2026-12-01", TUESDAY - 16 * HOUR_S - 300},
	};
	static const char *const bad[] = {"",
					  "7",
					  "d",
					  "7x",
					  "7dd",
					  "-7d",
					  "7 d",
					  "2026",
					  "2026-13-01",
					  "2026-12-01T",
					  "now",
					  "99999999999999999999w",
					  "9999999999999w"};
	int64_t since_s;

	(void)state;
	setenv("TZ", "AAA-2", 1);
	tzset();
	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
		assert_int_equal(history_since(good[i].text, TUESDAY, &since_s), 0);
		assert_int_equal(since_s, good[i].since_s);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_int_equal(history_since(bad[i], TUESDAY, &since_s), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_end),
		cmocka_unit_test(test_by_hand_and_observed),
		cmocka_unit_test(test_json),
		cmocka_unit_test(test_since),
	};

	setenv("TZ", "UTC", 1);
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("history", tests, NULL, NULL);
}
