/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * maillog_corpus_test.c - the lines of selftests/corpus/postfix, a file for each version of
 * Postfix.
 */
#include <glob.h>
#include "maillog_fixture.h"

static const char *outcome_name(const struct delivery_report *r)
{
	static const char *const names[SMTP_OUTCOMES] = {
		[SMTP_DELIVERED] = "delivered",
		[SMTP_DEFERRED] = "deferred",
		[SMTP_FAILED] = "failed",
	};

	return r->kind == REPORT_OUTCOME && names[r->outcome] ? names[r->outcome] : "refused";
}

/* In the words of the corpus. */
static void describe(char *text, size_t size)
{
	const struct delivery_report *r = &current.records[0];
	char code[8] = "-";

	if (current.count == 0) {
		snprintf(text, size, "nothing");
		return;
	}
	if (r->code)
		snprintf(code, sizeof(code), "%u", r->code);
	snprintf(text, size, "%s %s %u.%u.%u %s %s", outcome_name(r), code, r->enhanced[0],
		 r->enhanced[1], r->enhanced[2], r->rcpt, r->host[0] ? r->host : "-");
}

static void check_line(const char *path, char *line, const char *want)
{
	char *text = strstr(line, ": ");
	char got[1024];

	assert_non_null(text);
	*text = '\0';
	current.count = 0;
	says(line, text + 2);
	assert_true(current.count <= 1);
	describe(got, sizeof(got));
	current.count = 0;
	if (strcmp(got, want) != 0)
		fail_msg("%s: %s: %s\n\tgot  %s\n\twant %s", path, line, text + 2, got, want);
}

/* How many lines it has. */
static size_t check_file(const char *path)
{
	char line[1024], want[1024];
	size_t lines = 0;
	FILE *in = fopen(path, "r");

	assert_non_null(in);
	submit("9F5D65B", "alice@one.test");
	while (fgets(line, sizeof(line), in)) {
		line[strcspn(line, "\n")] = '\0';
		if (line[0] == '#')
			continue;
		if (!fgets(want, sizeof(want), in) || want[0] != '\t')
			fail_msg("%s: not said how to read it: %s", path, line);
		want[strcspn(want, "\n")] = '\0';
		check_line(path, line, want + 1);
		lines++;
	}
	fclose(in);
	return lines;
}

static void test_corpus(void **state)
{
	glob_t found;

	(void)state;
	if (glob("selftests/corpus/postfix/*.txt", 0, NULL, &found) &&
	    glob("corpus/postfix/*.txt", 0, NULL, &found))
		fail_msg("no selftests/corpus/postfix/*.txt");
	assert_true(found.gl_pathc >= 13);
	for (size_t i = 0; i < found.gl_pathc; i++)
		assert_true(check_file(found.gl_pathv[i]) >= 25);
	globfree(&found);
	assert_int_equal(maillog_stats(current.p).unread, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_corpus),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
