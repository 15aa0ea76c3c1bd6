// SPDX-License-Identifier: GPL-2.0-only
/*
 * program_test.c - programs that read their input or don't, fail, hang, flood, or leave processes
 * behind: each ends within its bounds.
 */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/program.h"

#define SAID_SIZE 256

static char how[PROGRAM_HOW_SIZE], said[SAID_SIZE], out[SAID_SIZE], err[SAID_SIZE];

static int run_program(const struct program *p)
{
	struct program_result result = {.out = {.text = out, .room = sizeof(out)},
					.err = {.text = err, .room = sizeof(err)}};
	int answer = program_run(p, &result);

	strcpy(how, result.how);
	program_said(&result, said, sizeof(said));
	return answer;
}

static int run_with(const char *script, const char *input, size_t input_size, int time_ms)
{
	static const char *const env[] = {"PATH=/usr/bin:/bin", "WORD=word", NULL};
	const char *const argv[] = {"/bin/sh", "-c", script, NULL};
	const struct program p = {
		.argv = argv,
		.env = env,
		.input = input,
		.input_size = input_size,
		.time_ms = time_ms,
		.output_bytes = 65536,
	};

	return run_program(&p);
}

static int run(const char *script)
{
	return run_with(script, "line one\nline two\n", 18, 20000);
}

static void test_input_environment_and_the_first_line_of_output(void **state)
{
	(void)state;
	assert_int_equal(run("read a; echo \"$a $WORD $HOME\"; echo more"), 0);
	assert_string_equal(said, "line one word ");
	assert_string_equal(how, "");
	assert_int_equal(run("echo error >&2"), 0);
	assert_string_equal(said, "error");
	assert_int_equal(run(":"), 0);
	assert_string_equal(said, "");
}

static void test_much_input_that_is_read_or_not(void **state)
{
	static char much[1000000];

	(void)state;
	memset(much, 'x', sizeof(much));
	assert_int_equal(run_with("wc -c", much, sizeof(much), 20000), 0);
	assert_string_equal(said, "1000000");
	assert_int_equal(run_with("exec <&-; echo no", much, sizeof(much), 20000), 0);
	assert_string_equal(said, "no");
	assert_int_equal(run_with("exit 0", much, sizeof(much), 20000), 0);
}

static void test_failures(void **state)
{
	const char *const argv[] = {"/nonexistent", NULL};
	const char *const env[] = {NULL};
	const struct program none = {.argv = argv, .env = env, .time_ms = 20000};

	(void)state;
	assert_int_equal(run("echo no way; exit 7"), -ECHILD);
	assert_string_equal(how, "failed with status 7");
	assert_string_equal(said, "no way");
	assert_int_equal(run("kill -KILL $$"), -ECHILD);
	assert_string_equal(how, "was ended by signal 9");
	assert_int_equal(run_program(&none), -ECHILD);
	assert_string_equal(how, "failed with status 127");
}

static void test_one_that_hangs_is_ended_with_its_children(void **state)
{
	char script[256], file[] = "/tmp/program-XXXXXX";
	int fd = mkstemp(file);
	int64_t begun_ms = clock_mono_ms();

	(void)state;
	assert_true(fd >= 0);
	snprintf(script, sizeof(script), "(sleep 2; echo >%s.late) & trap '' TERM; sleep 600",
		 file);
	assert_int_equal(run_with(script, "", 0, 300), -ETIME);
	assert_string_equal(how, "took too long");
	assert_in_range(clock_mono_ms() - begun_ms, 300, 30000);
	snprintf(script, sizeof(script), "sleep 3; test ! -e %s.late && rm %s", file, file);
	assert_int_equal(run(script), 0);
}

static void test_one_that_floods_is_ended(void **state)
{
	(void)state;
	assert_int_equal(run("while :; do echo xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx; done"), -EFBIG);
	assert_string_equal(how, "printed too much");
}

/* Its child holds the output open. */
static void test_one_that_leaves_a_child_is_not_waited_for(void **state)
{
	int64_t begun_ms = clock_mono_ms();

	(void)state;
	assert_int_equal(run("sleep 600 & echo done"), 0);
	assert_string_equal(said, "done");
	assert_in_range(clock_mono_ms() - begun_ms, 0, 19000);
}

static void test_a_long_line_is_cut(void **state)
{
	(void)state;
	assert_int_equal(run("head -c 1000 /dev/zero | tr '\\0' y"), 0);
	assert_int_equal(strlen(said), SAID_SIZE - 1);
}

/* Warnings come before the answer, and after a failure the complaint is what counts. */
static void test_standard_error_is_kept_apart(void **state)
{
	(void)state;
	assert_int_equal(run("echo warning >&2; echo answer; echo more"), 0);
	assert_string_equal(said, "answer");
	assert_string_equal(out, "answer\nmore\n");
	assert_string_equal(err, "warning\n");
	assert_int_equal(run("echo working; echo complaint >&2; exit 1"), -ECHILD);
	assert_string_equal(said, "complaint");
}

static void test_standard_error_is_a_terminal_where_that_is_wanted(void **state)
{
	static const char *const argv[] = {
		"sh", "-c", "test -t 2 || exit 3; test -t 1 && exit 4; echo a >&2; echo b >&2",
		NULL};
	static const char *const env[] = {"PATH=/usr/bin:/bin", NULL};
	struct program p = {.argv = argv,
			    .env = env,
			    .time_ms = 20000,
			    .output_bytes = 65536,
			    .terminal = true};

	(void)state;
	assert_int_equal(run_program(&p), 0);
	assert_string_equal(err, "a\nb\n");
	p.terminal = false;
	assert_int_equal(run_program(&p), -ECHILD);
	assert_string_equal(how, "failed with status 3");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_input_environment_and_the_first_line_of_output),
		cmocka_unit_test(test_much_input_that_is_read_or_not),
		cmocka_unit_test(test_failures),
		cmocka_unit_test(test_one_that_hangs_is_ended_with_its_children),
		cmocka_unit_test(test_one_that_floods_is_ended),
		cmocka_unit_test(test_one_that_leaves_a_child_is_not_waited_for),
		cmocka_unit_test(test_a_long_line_is_cut),
		cmocka_unit_test(test_standard_error_is_kept_apart),
		cmocka_unit_test(test_standard_error_is_a_terminal_where_that_is_wanted),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
