/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * own_fault_test.c - which words of a server are a fault of its own host, to each line of the
 * corpus, and that each kind has a name.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include "core/own_fault.h"

static FILE *corpus(void)
{
	FILE *in = fopen("selftests/corpus/own_faults.txt", "r");

	if (!in)
		in = fopen("corpus/own_faults.txt", "r");
	assert_non_null(in);
	return in;
}

static void test_corpus(void **state)
{
	unsigned int seen[OWN_FAULTS] = {0};
	char line[1024];
	FILE *in = corpus();

	(void)state;
	while (fgets(line, sizeof(line), in)) {
		char *words = strchr(line, ' ');
		enum own_fault want, got;

		line[strcspn(line, "\n")] = '\0';
		if (line[0] == '#')
			continue;
		assert_non_null(words);
		*words++ = '\0';
		want = own_fault_by_name(line);
		assert_true(want || !strcmp(line, "none"));
		got = own_fault_of_words(words, strlen(words));
		if (got != want)
			fail_msg("%s, not %s: %s", own_fault_name(got), line, words);
		/* A word more at the beginning, or a word less, is not what a server writes. */
		assert_int_equal(own_fault_of_words(words + 1, strlen(words + 1)), OWN_FAULT_NONE);
		seen[want]++;
	}
	fclose(in);
	for (int fault = OWN_FAULT_LOGIN; fault <= OWN_FAULT_TLS; fault++)
		assert_true(seen[fault]);
}

static void test_exim(void **state)
{
	(void)state;
	assert_int_equal(own_fault_of_exim(ENETUNREACH), OWN_FAULT_NETWORK);
	assert_int_equal(own_fault_of_exim(EHOSTUNREACH), OWN_FAULT_NETWORK);
	assert_int_equal(own_fault_of_exim(EADDRNOTAVAIL), OWN_FAULT_NETWORK);
	assert_int_equal(own_fault_of_exim(ENOSPC), OWN_FAULT_DISK);
	assert_int_equal(own_fault_of_exim(-42), OWN_FAULT_LOGIN);
	assert_int_equal(own_fault_of_exim(-36), OWN_FAULT_RESOLVER);
	assert_int_equal(own_fault_of_exim(ECONNREFUSED), OWN_FAULT_NONE);
	assert_int_equal(own_fault_of_exim(ETIMEDOUT), OWN_FAULT_NONE);
	assert_int_equal(own_fault_of_exim(-44), OWN_FAULT_NONE);
	assert_int_equal(own_fault_of_exim(0), OWN_FAULT_NONE);
}

static void test_names(void **state)
{
	(void)state;
	for (int fault = OWN_FAULT_NONE + 1; fault < OWN_FAULTS; fault++) {
		assert_int_equal(own_fault_by_name(own_fault_name((enum own_fault)fault)), fault);
		assert_true(own_fault_what((enum own_fault)fault)[0]);
	}
	assert_int_equal(own_fault_by_name("nonsense"), OWN_FAULT_NONE);
	assert_string_equal(own_fault_name(OWN_FAULTS), "?");
	assert_string_equal(own_fault_what(OWN_FAULTS), "?");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_corpus),
		cmocka_unit_test(test_exim),
		cmocka_unit_test(test_names),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
