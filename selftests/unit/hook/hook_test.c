/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * hook_test.c - a block that is taken out leaves the text as it was; a plan is carried out entirely
 * or not at all.
 */
#include "hook_fixture.h"

static struct hook_text text_of(const char *text)
{
	return (struct hook_text){strdup(text), strlen(text)};
}

/* Blocks */

static void test_block_is_taken_out_exactly(void **state)
{
	static const struct {
		const char *text;
		size_t at;
	} cases[] = {{"", 0},  {"a\n", 0},  {"a\n", 2}, {"a\nb\n", 2},
		     {"a", 1}, {"a\nb", 3}, {"\n", 1}};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct hook_text text = text_of(cases[i].text);

		assert_int_equal(hook_block_put(&text, "x", "m", "#", "one\ntwo\n", cases[i].at),
				 0);
		assert_true(hook_block_present(&text, "x", "#"));
		assert_non_null(strstr(text.text, "# BEGIN smtplimit x (smtplimit hook m --remove "
						  "takes this out)\none\ntwo\n# END smtplimit x"));
		assert_true(hook_block_remove(&text, "x", "#"));
		assert_string_equal(text.text, cases[i].text);
		assert_int_equal(text.size, strlen(cases[i].text));
		assert_false(hook_block_remove(&text, "x", "#"));
		hook_text_free(&text);
	}
}

static void test_block_is_replaced_where_it_is(void **state)
{
	struct hook_text text = text_of("a\nb\n");

	(void)state;
	assert_int_equal(hook_block_put(&text, "x", "m", "dnl", "old", 2), 0);
	assert_int_equal(hook_block_put(&text, "x", "m", "dnl", "new\n", 0), 0);
	assert_string_equal(text.text,
			    "a\ndnl BEGIN smtplimit x (smtplimit hook m --remove takes this "
			    "out)\nnew\ndnl END smtplimit x\nb\n");
	hook_text_free(&text);
}

static void test_names_of_blocks_are_whole(void **state)
{
	struct hook_text text = text_of("");

	(void)state;
	assert_int_equal(hook_block_put(&text, "rcpt", "m", "#", "one", 0), 0);
	assert_int_equal(hook_block_put(&text, "rcpt-a", "m", "#", "two", 0), 0);
	assert_false(hook_block_present(&text, "rcp", "#"));
	assert_false(hook_block_present(&text, "rcpt", "dnl"));
	assert_true(hook_block_remove(&text, "rcpt", "#"));
	assert_true(hook_block_present(&text, "rcpt-a", "#"));
	assert_int_equal(hook_block_remove_all(&text, "#"), 1);
	assert_string_equal(text.text, "");
	hook_text_free(&text);
}

static void test_block_without_its_end_stays(void **state)
{
	static const char torn[] = "# BEGIN smtplimit x (...)\nmine\n";
	struct hook_text text = text_of(torn);

	(void)state;
	assert_false(hook_block_remove(&text, "x", "#"));
	assert_int_equal(hook_block_remove_all(&text, "#"), 0);
	assert_string_equal(text.text, torn);
	/* A new one replaces nothing, wherever it is put. */
	assert_int_equal(hook_block_put(&text, "x", "m", "#", "new\n", 0), 0);
	assert_non_null(strstr(text.text, torn));
	assert_true(hook_block_remove(&text, "x", "#"));
	assert_string_equal(text.text, torn);
	hook_text_free(&text);
}

/* What stands between the remains of two blocks is not ours. */
static void test_block_ends_with_its_own_name(void **state)
{
	static const char rests[] = "# BEGIN smtplimit x (...)\nmine\n# END smtplimit y\n"
				    "# BEGIN smtplimit z (...)\nours\n# END smtplimit z\nmine\n";
	struct hook_text text = text_of(rests);

	(void)state;
	assert_int_equal(hook_block_remove_all(&text, "#"), 1);
	assert_string_equal(text.text,
			    "# BEGIN smtplimit x (...)\nmine\n# END smtplimit y\nmine\n");
	hook_text_free(&text);
}

/* Plans */

static void add(struct hook_plan *plan, const char *path, const char *before, const char *after)
{
	struct hook_text old = {0}, changed = {0};

	if (before)
		old = text_of(before);
	if (after)
		changed = text_of(after);
	assert_int_equal(hook_plan_add(plan, path, &old, &changed), 0);
	assert_null(old.text);
	assert_null(changed.text);
}

static void test_plan_is_carried_out(void **state)
{
	struct hook_plan plan = {0};
	char error[256];
	struct stat st;

	(void)state;
	write_file("/etc/a", "old", 0640);
	write_file("/etc/gone", "gone", 0600);
	add(&plan, "/etc/same", "same", "same");
	assert_int_equal(plan.count, 0);
	add(&plan, "/etc/a", "old", "new");
	add(&plan, "/etc/b", NULL, "made");
	add(&plan, "/etc/gone", "gone", NULL);
	assert_int_equal(carry_out(&plan, error, sizeof(error)), 0);
	assert_int_equal(syntax_calls, 1);
	assert_file("/etc/a", "new");
	assert_file("/etc/b", "made");
	assert_file("/etc/gone", NULL);
	assert_int_equal(stat(path_of("/etc/a"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0640);
}

static void test_plan_is_put_back(void **state)
{
	struct hook_plan plan = {0};
	char error[256];
	struct stat st;

	(void)state;
	write_file("/etc/a", "old", 0604);
	write_file("/etc/gone", "gone", 0600);
	add(&plan, "/etc/a", "old", "new");
	add(&plan, "/etc/b", NULL, "made");
	add(&plan, "/etc/gone", "gone", NULL);
	syntax_answer = -EINVAL;
	assert_int_equal(carry_out(&plan, error, sizeof(error)), -EINVAL);
	assert_string_equal(error,
			    "it does not take the changed configuration: line 3: no such thing");
	assert_file("/etc/a", "old");
	assert_file("/etc/b", NULL);
	assert_file("/etc/gone", "gone");
	assert_int_equal(stat(path_of("/etc/a"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0604);
	assert_int_equal(stat(path_of("/etc/gone"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
}

static void test_changed_meanwhile(void **state)
{
	struct hook_plan plan = {0};
	char error[256];

	(void)state;
	write_file("/etc/a", "old", 0644);
	write_file("/etc/b", "edited", 0644);
	add(&plan, "/etc/a", "old", "new");
	add(&plan, "/etc/b", "read", "new");
	assert_int_equal(carry_out(&plan, error, sizeof(error)), -ESTALE);
	assert_non_null(strstr(error, "/etc/b: changed meanwhile"));
	assert_file("/etc/a", "old");
	assert_file("/etc/b", "edited");
	assert_int_equal(syntax_calls, 0);
}

static int edit_and_refuse(const struct hook_context *c, char *error, size_t error_size)
{
	write_file("/etc/a", "edited", 0644);
	return syntax(c, error, error_size);
}

/* The file changes while the server checks its syntax. */
static void test_changed_before_put_back(void **state)
{
	static const struct hook_mta slow = {.name = "slow", .syntax = edit_and_refuse};
	struct hook_plan plan = {0};
	char error[256];

	(void)state;
	write_file("/etc/a", "old", 0644);
	write_file("/etc/b", "old", 0644);
	add(&plan, "/etc/a", "old", "new");
	add(&plan, "/etc/b", "old", "new");
	syntax_answer = -EINVAL;
	assert_int_equal(hook_plan_carry_out(&slow, &context, &plan, error, sizeof(error)),
			 -EINVAL);
	assert_string_equal(
		error,
		"it does not take the changed configuration: line 3: no such thing; /etc/a could not be put back: "
		"changed meanwhile");
	assert_file("/etc/a", "edited");
	assert_file("/etc/b", "old");
	hook_plan_free(&plan);
}

/* An absolute link below the root stays within it. */
static void test_links_are_followed_below_the_root(void **state)
{
	struct hook_plan plan = {0};
	char error[256];
	struct stat st;

	(void)state;
	write_file("/opt/a", "old", 0644);
	write_file("/etc/x", "", 0644);
	assert_int_equal(symlink("/opt/a", path_of("/etc/a")), 0);
	add(&plan, "/etc/a", "old", "new");
	assert_int_equal(carry_out(&plan, error, sizeof(error)), 0);
	assert_file("/opt/a", "new");
	assert_int_equal(lstat(path_of("/etc/a"), &st), 0);
	assert_true(S_ISLNK(st.st_mode));
}

static void test_run(void **state)
{
	static const char *const warns[] = {"sh", "-c", "echo warning >&2; echo out", NULL};
	static const char *const fails[] = {
		"sh", "-c", "echo out; echo x: warning: a >&2; echo x: fatal: b >&2; exit 3", NULL};
	static const char *const missing[] = {"no-such-program", NULL};
	struct hook_context here = {.root = ""};
	char said[64];

	(void)state;
	assert_int_equal(hook_ask(&here, warns, said, sizeof(said)), 0);
	assert_string_equal(said, "out\n");
	assert_int_equal(hook_ask(&here, warns, said, 3), 0);
	assert_string_equal(said, "ou");
	assert_int_equal(hook_ask(&here, fails, said, sizeof(said)), -EINVAL);
	assert_string_equal(said, "x: fatal: b");
	assert_int_equal(hook_run_check(&here, fails, said, sizeof(said)), -EINVAL);
	assert_string_equal(said, "x: fatal: b");
	assert_int_equal(hook_run_check(&here, warns, said, sizeof(said)), 0);
	assert_int_equal(hook_run_check(&here, missing, said, sizeof(said)), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_block_is_taken_out_exactly),
		cmocka_unit_test(test_block_is_replaced_where_it_is),
		cmocka_unit_test(test_names_of_blocks_are_whole),
		cmocka_unit_test(test_block_without_its_end_stays),
		cmocka_unit_test(test_block_ends_with_its_own_name),
		TEST(test_plan_is_carried_out),
		TEST(test_plan_is_put_back),
		TEST(test_changed_before_put_back),
		TEST(test_changed_meanwhile),
		TEST(test_links_are_followed_below_the_root),
		cmocka_unit_test(test_run),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
