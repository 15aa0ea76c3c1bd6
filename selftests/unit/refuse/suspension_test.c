// SPDX-License-Identifier: GPL-2.0-only
/*
 * suspension_test.c - the order of steps of a suspension and of its end, and what a failure of each
 * step leaves.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include "base/clock.h"
#include "kernel/enforce.h"
#include "refuse/suspension.h"

#define ALICE 4000001

enum step { MAPS, DOMAINS, DATABASE, LIST, STEPS };

static char steps[128];	 /* as they were tried, each with a blank behind it */
static int fails[STEPS]; /* with what */
static char the_maps;
static const struct state_suspension suspension = {.account = {.kind = ACCOUNT_UID, .uid = ALICE},
						   .kernel = {.until_ns = 1000}};
static const struct state_suspension of_domain = {
	.account = {.kind = ACCOUNT_DOMAIN, .domain = "x.example"}, .kernel = {.until_ns = 1000}};

static int tried(const char *name, enum step step)
{
	snprintf(steps + strlen(steps), sizeof(steps) - strlen(steps), "%s ", name);
	return fails[step];
}

/* In place of the kernel's maps. */
int enforce_suspend(struct bpf_maps *maps, const struct account_id *account,
		    const struct smtpl_suspension *kernel)
{
	assert_ptr_equal(maps, &the_maps);
	assert_true(account == &suspension.account || account == &of_domain.account);
	assert_int_equal(kernel->until_ns, 1000);
	return tried("suspend", MAPS);
}

int enforce_release(struct bpf_maps *maps, const struct account_id *account)
{
	assert_ptr_equal(maps, &the_maps);
	assert_true(account == &suspension.account || account == &of_domain.account);
	return tried("release", MAPS);
}

int enforce_domains(struct bpf_maps *maps, const struct owners *owners, uint32_t uid,
		    const struct smtpl_suspension *kernel)
{
	assert_ptr_equal(maps, &the_maps);
	assert_null(owners);
	assert_int_equal(uid, ALICE);
	return tried(kernel ? "domains" : "undomains", DOMAINS);
}

static int save(void *arg, const struct state_suspension *s)
{
	assert_ptr_equal(arg, steps);
	assert_true(s == &suspension || s == &of_domain);
	return tried("save", DATABASE);
}

static int forget(void *arg, const struct account_id *id)
{
	assert_ptr_equal(arg, steps);
	assert_true(id == &suspension.account || id == &of_domain.account);
	return tried("forget", DATABASE);
}

static int list(void *arg)
{
	assert_ptr_equal(arg, steps);
	return tried("list", LIST);
}

static struct suspension_place place(void)
{
	return (struct suspension_place){.maps = (struct bpf_maps *)&the_maps,
					 .reset_relays = true,
					 .save = save,
					 .forget = forget,
					 .list = list,
					 .arg = steps};
}

static void expect(const struct suspension_result *r, const char *expected)
{
	const int is[STEPS] = {r->maps, r->domains, r->saved, r->listed};

	assert_string_equal(steps, expected);
	for (int i = 0; i < STEPS; i++)
		assert_int_equal(is[i], fails[i]);
	steps[0] = '\0';
}

static void expect_begin(const struct suspension_place *p, const char *expected)
{
	const struct suspension_result r = suspension_begin(p, &suspension);

	expect(&r, expected);
}

static void expect_end(const struct suspension_place *p, const char *expected)
{
	const struct suspension_result r = suspension_end(p, &suspension.account);

	expect(&r, expected);
}

static int begin(void **state)
{
	(void)state;
	steps[0] = '\0';
	memset(fails, 0, sizeof(fails));
	return 0;
}

static void test_order(void **state)
{
	struct suspension_place p = place();

	(void)state;
	expect_begin(&p, "suspend domains save list ");
	expect_end(&p, "release undomains forget list ");
	/* Domains that were in the maps go, whatever the setting is by now. */
	p.reset_relays = false;
	expect_begin(&p, "suspend save list ");
	expect_end(&p, "release undomains forget list ");
}

static void test_domain_owns_nothing(void **state)
{
	const struct suspension_place p = place();
	struct suspension_result r = suspension_begin(&p, &of_domain);

	(void)state;
	expect(&r, "suspend save list ");
	r = suspension_end(&p, &of_domain.account);
	expect(&r, "release forget list ");
}

/* A root's, relay's or exempt user's, or a full map. */
static void test_maps_fail(void **state)
{
	const struct suspension_place p = place();

	(void)state;
	fails[MAPS] = -EPERM;
	expect_begin(&p, "suspend ");
	fails[MAPS] = -E2BIG;
	/* The database keeps what is in force; its domains are let go, as far as can be. */
	expect_end(&p, "release undomains list ");
}

/* A full or read-only disk must not keep mail servers from knowing, nor a full map of domains. */
static void test_later_steps_fail(void **state)
{
	const struct suspension_place p = place();

	(void)state;
	for (enum step step = DOMAINS; step < STEPS; step++) {
		begin(NULL);
		fails[step] = -EIO;
		expect_begin(&p, "suspend domains save list ");
		expect_end(&p, "release undomains forget list ");
	}
	fails[DOMAINS] = -E2BIG;
	fails[DATABASE] = -ENOSPC;
	expect_begin(&p, "suspend domains save list ");
	expect_end(&p, "release undomains forget list ");
}

/* For the next start; no mail server asks before. */
static void test_nothing_is_loaded(void **state)
{
	struct suspension_place p = place();

	(void)state;
	p.maps = NULL;
	expect_begin(&p, "save ");
	expect_end(&p, "forget ");
}

static void test_database_is_left_to_the_caller(void **state)
{
	struct suspension_place p = place();

	(void)state;
	p.save = NULL;
	p.forget = NULL;
	expect_begin(&p, "suspend domains list ");
	expect_end(&p, "release undomains list ");
}

static void test_by_hand(void **state)
{
	const struct verdict_rule rule = {
		.window_s = 3600, .suspend_s = 60, .percent = 50, .min_failures = 5};
	struct suspension_order order = {
		.account = suspension.account, .suspend = true, .for_s = 600};
	struct state_suspension s = suspension_by_hand(&order, &rule, 7 * NS_PER_S);

	(void)state;
	assert_true(account_equal(&s.account, &order.account));
	assert_int_equal(s.kernel.since_ns, 7 * NS_PER_S);
	assert_int_equal(s.kernel.until_ns, 607 * NS_PER_S);
	assert_int_equal(s.kernel.by_hand, 1);
	assert_int_equal(s.kernel.min, 5);
	assert_int_equal(s.kernel.bad, 0);
	assert_string_equal(s.reason, "by hand");
	assert_string_equal(s.domain, "");

	snprintf(order.reason, sizeof(order.reason), "a hacked form");
	s = suspension_by_hand(&order, &rule, 7 * NS_PER_S);
	assert_string_equal(s.reason, "a hacked form");
}

/* The figures are those of the verdict: of what is in the window now, and counts. */
static void test_figures(void **state)
{
	const struct verdict_rule rule = {.window_s = 3600,
					  .percent = 50,
					  .min_failures = 5,
					  .set_aside = 1u << REPLY_LISTED,
					  .one_remote = 100};
	const struct window_slot gone = {.second = 1400, .failed = 100};
	const struct window_slot inside = {
		.second = 1401, .delivered = 5, .deferred = 3, .failed = 6};
	struct window_mail listed = {
		.mail = 1, .second = 1401, .outcome = SMTP_FAILED, .class = REPLY_LISTED};
	struct state_suspension s = {0};
	struct window w = {0};

	(void)state;
	assert_int_equal(window_restore_slot(&w, &gone), 0);
	assert_int_equal(window_restore_slot(&w, &inside), 0);
	assert_int_equal(window_restore_mail(&w, &listed), 0);
	listed.mail = 2;
	assert_int_equal(window_restore_mail(&w, &listed), 0);
	suspension_figures(&s, &w, &rule, 5000);
	assert_int_equal(s.kernel.bad, 7);
	assert_int_equal(s.kernel.percent, 58);
	window_clear(&w);
}

#define TEST(function) cmocka_unit_test_setup(function, begin)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_order),
		TEST(test_domain_owns_nothing),
		TEST(test_maps_fail),
		TEST(test_later_steps_fail),
		TEST(test_nothing_is_loaded),
		TEST(test_database_is_left_to_the_caller),
		TEST(test_by_hand),
		TEST(test_figures),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("suspension", tests, NULL, NULL);
}
