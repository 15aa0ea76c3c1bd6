// SPDX-License-Identifier: GPL-2.0-only
/*
 * status_losses_test.c - what status shows of the losses of the daemon and its children: each by
 * its name, and the serious ones as problems for a day.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include "status_fixture.h"

#define NONE(name, text) ", \"" #name "\": 0"

/* Each is where it belongs, and there is no other. */
static void json_has_each(void **unused)
{
	json_t *root, *losses;
	uint64_t number = 0;

	(void)unused;
#define SET(name, text) status.losses.name = ++number;
	SMTPL_LOSSES(SET)
#undef SET
	root = status_json();
	losses = json_object_get(root, "losses");
	assert_int_equal(json_object_size(losses), number);
	number = 0;
#define IS(name, text)                                                                             \
	assert_int_equal(json_integer_value(json_object_get(losses, #name)), ++number);
	SMTPL_LOSSES(IS)
#undef IS
	json_decref(root);
}

static void json_without_any(void **unused)
{
	json_t *root = status_json();
	json_t *losses = json_object_get(root, "losses");

	(void)unused;
	json_object_set_new(losses, "begin", json_null());
	expect_json(losses, "{\"begin\": null" SMTPL_LOSSES(NONE) "}");
	expect_json(json_object_get(root, "problems"), "[]");
	json_decref(root);
}

/* Those of the kernel first, and one blank line before all. */
static void text_has_those_that_are_not_zero(void **unused)
{
	char *text;

	(void)unused;
	status.stats.ring_full = 12;
	status.losses.policy_late = 3;
	status.losses.events_healed = 12;
	text = status_string();
	assert_non_null(strstr(
		text,
		"\n\nring_full                      12  events lost because there was no room; their "
		"counts are kept\n"
		"policy_late                     3  questions of mail servers that were not answered in "
		"time: the mail passed\n"
		"events_healed                  12  attempts whose events were lost, counted without "
		"their recipients\n"));
	assert_null(strstr(text, "reports_lost"));
	free(text);
}

static void text_without_any(void **unused)
{
	char *text = status_string();

	(void)unused;
	assert_null(strstr(text, "\n\n"));
	assert_null(strstr(text, "policy_late"));
	free(text);
}

static void problem_for_a_day(void **unused)
{
	json_t *root;

	(void)unused;
	status.boot_ns = 2 * STATUS_LOSS_S * NS_PER_S;
	status.losses.policy_late = 3;
	status.losses.policy_late_ns = status.boot_ns - 60 * NS_PER_S;
	status.losses.nomem = 1;
	status.losses.nomem_ns = status.boot_ns - STATUS_LOSS_S * NS_PER_S + 1;
	status.losses.reports_lost = 8;
	status.losses.reports_lost_ns = status.boot_ns - STATUS_LOSS_S * NS_PER_S;
	status.losses.policy_malformed = 5;
	status.losses.saves_failed = 9; /* it works again */
	status.losses.saves_failed_ns = status.boot_ns - STATUS_LATE_S * NS_PER_S;
	root = status_json();
	expect_json(
		json_object_get(root, "problems"),
		"[\"policy_late is 3, and last grew at 2026-11-21T14:04:00Z: questions of mail "
		"servers that were not answered in time: the mail passed\","
		" \"nomem is 1, and last grew at 2026-11-20T14:05:00Z: times that the daemon had "
		"no memory\"]");
	json_decref(root);
}

static void problem_while_saving_fails(void **unused)
{
	char *text;

	(void)unused;
	status.losses.saves_failed = 9;
	status.losses.saves_failed_ns = status.boot_ns - NS_PER_S;
	text = status_string();
	assert_non_null(strstr(text, "\nproblem: saves_failed is 9, and last grew at "
				     "2026-11-21T14:04:59Z: times that the state database"));
	free(text);
}

/* Of a host that has been up for less. */
static void problem_since_the_boot(void **unused)
{
	char *text;

	(void)unused;
	status.losses.policy_late = 1;
	status.losses.policy_late_ns = 1;
	text = status_string();
	assert_non_null(strstr(text, "\nproblem: policy_late is 1, and last grew at "
				     "2026-11-21T11:18:20Z: questions of mail servers"));
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STATUS_TEST(json_has_each),
		STATUS_TEST(json_without_any),
		STATUS_TEST(text_has_those_that_are_not_zero),
		STATUS_TEST(text_without_any),
		STATUS_TEST(problem_for_a_day),
		STATUS_TEST(problem_while_saving_fails),
		STATUS_TEST(problem_since_the_boot),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
