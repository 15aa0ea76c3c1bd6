/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * smtpd_conf_test.c - our filter gets into every listener of an smtpd.conf once, and out again to
 * the byte.
 */
#include <setjmp.h>
#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "hook/smtpd_conf.h"

static struct hook_text text_of(const char *bytes)
{
	struct hook_text text = {strdup(bytes), strlen(bytes)};

	assert_non_null(text.text);
	return text;
}

static void assert_added(const char *before, const char *after)
{
	struct smtpd_conf conf = {0};
	struct hook_text text = text_of(before);

	assert_int_equal(smtpd_conf_scan(&conf, &text), 0);
	for (int i = 0; i < 2; i++) { /* a second time changes nothing */
		assert_int_equal(smtpd_conf_add(&conf, &text), 0);
		assert_string_equal(text.text, after);
		assert_int_equal(text.size, strlen(after));
	}
	for (int i = 0; i < 2; i++) {
		assert_int_equal(smtpd_conf_remove(&text), 0);
		assert_string_equal(text.text, before);
		assert_int_equal(text.size, strlen(before));
	}
	hook_text_free(&text);
}

static void test_listener(void **state)
{
	(void)state;
	assert_added("listen on lo", "listen on lo filter smtplimit");
	assert_added("listen on lo\n", "listen on lo filter smtplimit\n");
	assert_added(" listen\ton lo port 25 \t# mine\nlisten on ::1\n",
		     " listen\ton lo port 25 filter smtplimit \t# mine\n"
		     "listen on ::1 filter smtplimit\n");
	assert_added("listen on \\\n lo \\\n\tport 26\nmatch for any action x\n",
		     "listen on \\\n lo \\\n\tport 26 filter smtplimit\nmatch for any action x\n");
	assert_added("listen on lo hostname \"a # b\" # \"\n",
		     "listen on lo hostname \"a # b\" filter smtplimit # \"\n");
	assert_added("listen on socket\n", "listen on socket filter smtplimit\n");
	assert_added("listen on lo\r\nx\r\n", "listen on lo filter smtplimit\r\nx\r\n");
}

static void test_listener_with_a_filter(void **state)
{
	(void)state;
	assert_added("listen on lo filter a\n", "listen on lo filter { smtplimit, a }\n");
	assert_added("listen on lo filter \"a b\" port 25 # c\n",
		     "listen on lo filter { smtplimit, \"a b\" } port 25 # c\n");
	assert_added("listen on lo port 1 filter \\\n a\\\n tag x\n",
		     "listen on lo port 1 filter \\\n { smtplimit, a }\\\n tag x\n");
}

static void test_lists(void **state)
{
	(void)state;
	assert_added("listen on lo filter { a, b }\n", "listen on lo filter {smtplimit,  a, b }\n");
	assert_added("listen on lo filter {a b}\n", "listen on lo filter {smtplimit, a b}\n");
	assert_added("listen on lo filter { a }\n", "listen on lo filter {smtplimit,  a }\n");
	assert_added("filter c chain { a, b }\nlisten on lo filter c\nlisten on x filter a\n",
		     "filter c chain {smtplimit,  a, b }\nlisten on lo filter c\n"
		     "listen on x filter { smtplimit, a }\n");
	assert_added("filter \"c\" chain {a}\nlisten on lo filter \"c\"\n",
		     "filter \"c\" chain {smtplimit, a}\nlisten on lo filter \"c\"\n");
}

static void test_the_rest_stays(void **state)
{
	static const char *const texts[] = {
		"",
		"\n\n",
		"# listen on lo\n",
		"filter a proc-exec \"listen on lo\"\n",
		"listen\n",
		"action relay relay\nmatch from any for any action relay\n",
		"x=\"listen on lo\"\n",
		"# c \\\nlisten on lo\n", /* still the comment */
		"match \\\nlisten on lo\n",
		"\"listen on lo\n",
		"x=\"\nlisten on lo\n\"\n",
		"listen on lo hostname \"x # \n",
		"filter c chain {\n",
		"listen on lo filter\n",
		"\\",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
		assert_added(texts[i], texts[i]);
}

/* A filter that was written by hand is not put in again. */
static void test_there_already(void **state)
{
	static const char *const texts[] = {
		"listen on lo filter smtplimit\n",
		"listen on lo filter \"smtplimit\"\n",
		"listen on lo filter { a, smtplimit }\n",
		"filter c chain {smtplimit}\nlisten on lo filter c\n",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		struct smtpd_conf conf = {0};
		struct hook_text text = text_of(texts[i]);

		assert_int_equal(smtpd_conf_scan(&conf, &text), 0);
		assert_int_equal(smtpd_conf_add(&conf, &text), 0);
		assert_string_equal(text.text, texts[i]);
		hook_text_free(&text);
	}
}

static void test_scan(void **state)
{
	struct smtpd_conf conf = {0};
	struct hook_text text = text_of("filter one chain { a }\nfilter a proc-exec \"x\"\n"
					"include \"/etc/more.conf\"\nfilter \"two\" chain {a}\n"
					"# listen on socket\n");

	(void)state;
	assert_int_equal(smtpd_conf_scan(&conf, &text), 0);
	assert_int_equal(conf.chains, 2);
	assert_string_equal(conf.chain[0], "one");
	assert_string_equal(conf.chain[1], "two");
	assert_int_equal(conf.includes, 1);
	assert_string_equal(conf.include[0], "/etc/more.conf");
	assert_false(conf.has_socket);
	hook_text_free(&text);
	text = text_of("listen on socket tag x");
	assert_int_equal(smtpd_conf_scan(&conf, &text), 0);
	assert_true(conf.has_socket);
	hook_text_free(&text);
}

/* With our words the line would be longer than what is read. */
static void test_line_without_room(void **state)
{
	struct smtpd_conf conf = {0};
	char line[1024] = "filter c chain {";
	struct hook_text text;

	(void)state;
	memset(line + strlen(line), '{', 250);
	text = text_of(line);
	assert_int_equal(smtpd_conf_scan(&conf, &text), -E2BIG);
	hook_text_free(&text);
	line[strlen(line) - 2] = '\0';
	text = text_of(line);
	assert_int_equal(smtpd_conf_scan(&conf, &text), 0);
	hook_text_free(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_listener),
		cmocka_unit_test(test_listener_with_a_filter),
		cmocka_unit_test(test_lists),
		cmocka_unit_test(test_the_rest_stays),
		cmocka_unit_test(test_there_already),
		cmocka_unit_test(test_scan),
		cmocka_unit_test(test_line_without_room),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
