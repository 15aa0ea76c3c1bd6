/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * event_check_test.c - which records of a cut session the daemon takes, and which not.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/event_check.h"

#define NOW 1000000000ull

static struct smtpl_event_cut cut_event(void)
{
	return (struct smtpl_event_cut){
		.head = {.type = SMTPL_EVENT_CUT, .uid = 38, .cookie = 7, .time_ns = NOW},
		.domain = "bad.test",
	};
}

static void test_cut(void **state)
{
	struct smtpl_event_cut e = cut_event();

	(void)state;
	assert_true(event_valid(&e, sizeof(e), NOW));
	assert_true(event_valid(&e, sizeof(e) + 8, NOW));
	assert_false(event_valid(&e, sizeof(e) - 1, NOW));
	e.head.cookie = 0; /* that would be all sessions of the uid */
	assert_false(event_valid(&e, sizeof(e), NOW));
	e = cut_event();
	memset(e.domain, 'x', sizeof(e.domain));
	assert_false(event_valid(&e, sizeof(e), NOW));
	e.domain[0] = 0;
	assert_false(event_valid(&e, sizeof(e), NOW));
}

static void test_of_another_version(void **state)
{
	struct smtpl_event_cut e = cut_event();

	(void)state;
	e.head.type = SMTPL_EVENT_CUT + 1;
	assert_false(event_valid(&e, sizeof(e), NOW));
	e.head.type = 0;
	assert_false(event_valid(&e, sizeof(e), NOW));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_of_another_version),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("event_check", tests, NULL, NULL);
}
