// SPDX-License-Identifier: GPL-2.0-only
/*
 * word_distance_test.c - edits between words.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "base/word_distance.h"

static void test_distance(void **unused)
{
	(void)unused;
	assert_int_equal(word_distance("status", "status"), 0);
	assert_int_equal(word_distance("STATUS", "status"), 0);
	assert_int_equal(word_distance("stauts", "status"), 2);
	assert_int_equal(word_distance("relase", "release"), 1);
	assert_int_equal(word_distance("suspendd", "suspend"), 1);
	assert_int_equal(word_distance("", "run"), 3);
	assert_true(word_distance("list", "status") >= WORD_NEAR);
	assert_true(word_distance("a", "0123456789012345678901234567890123") == SIZE_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_distance)};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
