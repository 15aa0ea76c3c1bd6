/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * reply_class_test.c - the classes of the replies in selftests/corpus/replies, and, class by class,
 * replies that are close to each other and mean another thing.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "core/reply_class.h"
#include "core/reply_rows.h"
#include "headers/limits.h"

#define ROWS_MAX 1000

static struct reply reply_of(const char *code, const char *enhanced, const char *text)
{
	struct reply r = {.code = (uint16_t)atoi(code), .text = text, .size = strlen(text)};

	r.outcome = code[0] == '5' || code[0] == 'f' ? SMTP_FAILED : SMTP_DEFERRED;
	sscanf(enhanced, "%hu.%hu.%hu", &r.enhanced[0], &r.enhanced[1], &r.enhanced[2]);
	if (r.size >= SMTPL_TEXT_SIZE)
		r.size = SMTPL_TEXT_SIZE - 1;
	return r;
}

/* One line of the corpus; counts its class, and the row that decides. */
static void check_line(const char *file, const char *line, unsigned int *classes,
		       unsigned int *rows)
{
	char name[32], code[16], enhanced[16];
	const struct reply_row *row;
	enum reply_class got, want;
	struct reply r;
	int text = 0;

	if (!line[0] || line[0] == '#')
		return;
	if (sscanf(line, "%31s %15s %15s%n", name, code, enhanced, &text) < 3)
		fail_msg("%s: no CLASS CODE ENHANCED TEXT: %s", file, line);
	want = reply_class_by_name(name, strlen(name));
	if (want == REPLY_NONE)
		fail_msg("%s: no class: %s", file, line);
	r = reply_of(code, enhanced, line + text);
	row = reply_row_find(&r, NULL);
	got = reply_class(&r, NULL);
	if (got != want)
		fail_msg("%s: got %s by \"%s\", want %s", file, reply_class_name(got),
			 row ? row->phrase : "no row", line);
	classes[want]++;
	if (row)
		rows[row - reply_table]++;
}

static void check_file(const char *path, unsigned int *classes, unsigned int *rows)
{
	FILE *in = fopen(path, "r");
	char line[1024];

	assert_non_null(in);
	while (fgets(line, sizeof(line), in)) {
		line[strcspn(line, "\n")] = '\0';
		check_line(path, line, classes, rows);
	}
	fclose(in);
}

static void test_corpus(void **state)
{
	unsigned int classes[REPLY_CLASSES] = {0}, rows[ROWS_MAX] = {0};
	glob_t found;

	(void)state;
	assert_true(reply_table_count <= ROWS_MAX);
	if (glob("selftests/corpus/replies/*.txt", 0, NULL, &found) &&
	    glob("corpus/replies/*.txt", 0, NULL, &found))
		fail_msg("no selftests/corpus/replies/*.txt");
	for (size_t i = 0; i < found.gl_pathc; i++)
		check_file(found.gl_pathv[i], classes, rows);
	globfree(&found);
	for (int class = REPLY_RECIPIENT; class < REPLY_CLASSES; class ++)
		if (classes[class] < 25)
			fail_msg("%s: only %u replies", reply_class_name(class), classes[class]);
	for (size_t i = 0; i < reply_table_count; i++)
		if (!rows[i])
			fail_msg("row %s %s \"%s\" decides no reply of the corpus",
				 reply_table[i].code, reply_table[i].enhanced,
				 reply_table[i].phrase);
}

static void is(enum reply_class want, const char *code, const char *enhanced, const char *text)
{
	struct reply r = reply_of(code, enhanced, text);
	enum reply_class got = reply_class(&r, NULL);

	if (got != want)
		fail_msg("got %s, want %s: %s %s %s", reply_class_name(got), reply_class_name(want),
			 code, enhanced, text);
}

static void test_recipient(void **state)
{
	(void)state;
	is(REPLY_RECIPIENT, "550", "5.7.1", "user unknown");
	is(REPLY_RECIPIENT, "550", "5.1.1", "");
	is(REPLY_RECIPIENT, "550", "-", "Requested action not taken: mailbox unavailable");
	is(REPLY_UNEXPLAINED, "450", "-", "Requested action not taken: mailbox unavailable");
	is(REPLY_UNEXPLAINED, "550", "5.7.1", "");
	is(REPLY_UNEXPLAINED, "450", "4.1.1", "");
	/* Of the sender's address, or of this host. */
	is(REPLY_UNAUTHENTICATED, "550", "5.1.8", "Sender address rejected: Domain not found");
	is(REPLY_OWN, "504", "5.5.2", "<mail>: Helo command rejected: Host not found");
	is(REPLY_RATE, "452", "4.5.3", "too many recipients");
}

static void test_content(void **state)
{
	(void)state;
	/* Google names our address in all of its replies. */
	is(REPLY_CONTENT, "550", "5.7.1", "[198.51.100.7] this message is likely unsolicited mail");
	is(REPLY_LISTED, "550", "5.7.1", "[198.51.100.7] is on our block list");
	is(REPLY_CONTENT, "552", "5.3.4", "Message size exceeds fixed limit");
	is(REPLY_FULL, "552", "5.2.2", "Mailbox size limit exceeded");
	is(REPLY_CONTENT, "550", "5.7.1", "Message rejected as spam by content filtering");
	is(REPLY_RATE, "421", "4.7.28", "unusual rate of unsolicited mail from your IP");
}

static void test_listed(void **state)
{
	(void)state;
	is(REPLY_LISTED, "554", "5.7.1",
	   "Client host [198.51.100.7] blocked using zen.spamhaus.org");
	is(REPLY_CONTENT, "554", "5.7.1", "Sender address blocked using dbl.spamhaus.org");
	is(REPLY_CONTENT, "554", "5.7.1", "contains a link listed in multi.surbl.org");
	is(REPLY_RECIPIENT, "550", "5.1.1", "jane not listed in Domino Directory");
	is(REPLY_LISTED, "550", "-", "rejected because 198.51.100.7 is in a black list");
	is(REPLY_LISTED, "550", "-", "198.51.100.7 is black-listed");
	is(REPLY_OWN, "450", "4.7.1", "Client host rejected: cannot find your hostname");
	is(REPLY_LISTED, "554", "5.7.1", "Client host rejected: Access denied");
}

/* Addresses and domains are the customer's words. */
static void test_words_of_the_customer(void **state)
{
	(void)state;
	is(REPLY_RECIPIENT, "550", "5.1.1", "<spamhaus.dnsbl@b.example>: User unknown");
	is(REPLY_RECIPIENT, "550", "5.1.1", "blacklist@b.example: User unknown");
	is(REPLY_RECIPIENT, "550", "5.1.1", "\"black list\"@b.example: User unknown");
	is(REPLY_RECIPIENT, "550", "5.1.1", "User unknown: \"is listed\"@b.example");
	is(REPLY_RECIPIENT, "550", "5.1.1", "jane@spf.dkim.dmarc.example does not exist");
	is(REPLY_UNEXPLAINED, "550", "5.7.1", "<\"blocked using rbl\"@b.example");
	is(REPLY_UNEXPLAINED, "550", "5.7.1", "see http://x.example/?to=greylist%40b.example");
	is(REPLY_UNEXPLAINED, "550", "5.7.1",
	   "blacklist.example and spam-haus.example and rbl.example");
	is(REPLY_UNEXPLAINED, "550", "5.7.1", "myzen.spamhaus.org.example");
	is(REPLY_UNEXPLAINED, "550", "5.7.1", "notspamhaus.org");
	is(REPLY_LISTED, "550", "5.7.1", "see zen.spamhaus.org.");
}

static void test_unauthenticated(void **state)
{
	(void)state;
	is(REPLY_UNAUTHENTICATED, "550", "5.7.26", "");
	is(REPLY_UNAUTHENTICATED, "550", "5.7.1", "SPF check failed");
	is(REPLY_UNEXPLAINED, "550", "5.7.1", "check failed");
	is(REPLY_OWN, "550", "5.7.25", "");
	is(REPLY_OWN, "530", "5.7.0", "Authentication required");
}

static void test_rate_and_greylist(void **state)
{
	(void)state;
	is(REPLY_GREYLIST, "451", "4.7.1", "Greylisting in action, come back in 00:05:00");
	is(REPLY_RATE, "451", "4.7.1", "Rate limit exceeded, try later");
	is(REPLY_UNEXPLAINED, "451", "4.7.1", "Please try again later");
	is(REPLY_RATE, "421", "4.7.0", "[TSS04] temporarily deferred");
	is(REPLY_UNEXPLAINED, "421", "4.7.0", "Temporary server error");
	is(REPLY_GREYLIST, "450", "4.2.0", "Greylisted");
	is(REPLY_FULL, "450", "4.2.2", "Greylisted user is over quota");
	is(REPLY_RATE, "550", "5.4.5", "Daily sending quota exceeded");
	is(REPLY_OWN, "554", "5.4.6", "too many hops");
}

static void test_full(void **state)
{
	(void)state;
	is(REPLY_FULL, "552", "5.2.2", "mailbox full");
	is(REPLY_FULL, "452", "4.2.2", "mailbox full");
	is(REPLY_FULL, "452", "4.2.2", "");
	is(REPLY_FULL, "550", "-", "The mailbox of jane is full");
	is(REPLY_UNEXPLAINED, "451", "4.3.0", "the queue is full");
	is(REPLY_UNEXPLAINED, "452", "4.3.1", "Insufficient system storage");
	is(REPLY_UNEXPLAINED, "550", "5.0.0", "mailbox handled fully");
}

static void test_no_answer_and_own(void **state)
{
	(void)state;
	is(REPLY_NO_ANSWER, "deferred", "-", "Connection timed out");
	is(REPLY_NO_ANSWER, "deferred", "4.4.3", "Host not found, try again");
	is(REPLY_RECIPIENT, "failed", "5.4.4", "Host not found");
	is(REPLY_UNEXPLAINED, "failed", "-", "Connection timed out");
	is(REPLY_OWN, "deferred", "4.3.0", "mail transport unavailable");
	/* The same words of somebody else's server. */
	is(REPLY_UNEXPLAINED, "451", "4.3.0", "mail transport unavailable");
	is(REPLY_UNEXPLAINED, "451", "4.3.0", "Temporary lookup failure");
	is(REPLY_OWN, "deferred", "4.3.0", "Temporary lookup failure");
}

static void test_outcomes(void **state)
{
	struct reply r = reply_of("250", "2.0.0", "spam user unknown");

	(void)state;
	r.outcome = SMTP_DELIVERED;
	assert_int_equal(reply_class(&r, NULL), REPLY_NONE);
	r.outcome = SMTP_OUTCOME_NONE;
	assert_int_equal(reply_class(&r, NULL), REPLY_NONE);
	r = reply_of("0", "-", "");
	r.outcome = SMTP_UNKNOWN;
	assert_int_equal(reply_class(&r, NULL), REPLY_NO_ANSWER);
}

/* Nothing is read behind the size, and no byte of the text does harm. */
static void test_any_bytes(void **state)
{
	static const char text[] = "\xff\xfe user\xc3\xbc \x01\x7f mailbox\tfull";
	struct reply r = {.outcome = SMTP_FAILED, .code = 550, .text = text};

	(void)state;
	r.size = sizeof(text) - 1;
	assert_int_equal(reply_class(&r, NULL), REPLY_FULL);
	r.size -= 4;
	assert_int_equal(reply_class(&r, NULL), REPLY_UNEXPLAINED);
	r.size = 0;
	assert_int_equal(reply_class(&r, NULL), REPLY_UNEXPLAINED);
	r.text = "mailbox\0full";
	r.size = 12;
	assert_int_equal(reply_class(&r, NULL), REPLY_UNEXPLAINED);
}

static void test_enhanced_code_in_the_text(void **state)
{
	(void)state;
	is(REPLY_RECIPIENT, "550", "-", "sorry (#5.1.1)");
	is(REPLY_UNEXPLAINED, "550", "-", "sorry (5.1.1.7)");
	is(REPLY_UNEXPLAINED, "550", "-", "sorry 3.1.1 5.1 5.1111.1");
	is(REPLY_UNEXPLAINED, "550", "5.0.0", "sorry 5.1.1"); /* the reply's own one counts */
}

static void test_names(void **state)
{
	(void)state;
	for (int class = REPLY_RECIPIENT; class < REPLY_CLASSES; class ++) {
		const char *name = reply_class_name(class);

		assert_int_equal(reply_class_by_name(name, strlen(name)), class);
	}
	assert_string_equal(reply_class_name(REPLY_NO_ANSWER), "no_answer");
	assert_string_equal(reply_class_name(REPLY_CLASSES), "?");
	assert_int_equal(reply_class_by_name("none", 4), REPLY_NONE);
	assert_int_equal(reply_class_by_name("rates", 5), REPLY_NONE);
	assert_int_equal(reply_class_by_name("rates", 4), REPLY_RATE);
	assert_int_equal(reply_class_by_name("", 0), REPLY_NONE);
}

/* The table is in the form that an administrator's file has, too. */
static void test_table_is_well_formed(void **state)
{
	char line[256], error[REPLY_ERROR_MAX];
	struct reply_rows rows = {NULL, 0};

	(void)state;
	for (size_t i = 0; i < reply_table_count; i++) {
		const struct reply_row *row = &reply_table[i];

		snprintf(line, sizeof(line), row->phrase[0] ? "%s %s %s \"%s\"" : "%s %s %s",
			 reply_class_name(row->class), row->code, row->enhanced, row->phrase);
		if (reply_rows_add(&rows, "table", (unsigned int)i, line, error))
			fail_msg("%s", error);
		assert_string_equal(rows.rows[i].phrase, row->phrase);
	}
	reply_rows_free(&rows);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_corpus),
		cmocka_unit_test(test_recipient),
		cmocka_unit_test(test_content),
		cmocka_unit_test(test_listed),
		cmocka_unit_test(test_words_of_the_customer),
		cmocka_unit_test(test_unauthenticated),
		cmocka_unit_test(test_rate_and_greylist),
		cmocka_unit_test(test_full),
		cmocka_unit_test(test_no_answer_and_own),
		cmocka_unit_test(test_outcomes),
		cmocka_unit_test(test_any_bytes),
		cmocka_unit_test(test_enhanced_code_in_the_text),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_table_is_well_formed),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("reply_class", tests, NULL, NULL);
}
