/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * status_fixture.h - what the tests of status share: one status at a fixed time, entries and rows
 * for it, and what it prints. Include cmocka.h first.
 */
#ifndef SMTPL_STATUS_FIXTURE_H
#define SMTPL_STATUS_FIXTURE_H

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "cli/status.h"

#define BOOT_S 10000
#define WALL_S INT64_C(1795269900) /* 2026-11-21T14:05:00Z */

/* Uids without a passwd entry, so that their names are the same on every host. */
#define ALICE 4000001
#define BOB   4000002
#define RELAY 4000010
#define OTHER 4000011
#define GUEST 4000020

static struct config config;
static struct status status;

/* In force: what is in the file. */
static const struct smtpl_meta in_force = {
	.schema = SMTPL_SCHEMA,
	.percent = 50,
	.min_failures = 5,
	.window_s = 3600,
	.suspend_s = 1800,
};

/* Nothing is loaded. */
static inline int begin_unloaded(void **unused)
{
	(void)unused;
	config = (struct config){.rule = {.window_s = 3600,
					  .suspend_s = 1800,
					  .percent = 50,
					  .min_failures = 5,
					  .one_remote = 50}};
	status_begin(&status, &config, BOOT_S * NS_PER_S, WALL_S * NS_PER_S);
	return 0;
}

static inline int begin(void **unused)
{
	begin_unloaded(unused);
	status_meta(&status, &in_force);
	return 0;
}

static inline int end(void **unused)
{
	(void)unused;
	status_end(&status);
	return 0;
}

static inline void role(uint32_t uid, enum smtpl_role role)
{
	struct smtpl_uid value = {.role = role};

	assert_int_equal(status_uid(&status, uid, &value), 0);
}

static inline void count(uint32_t uid, const char *domain, struct smtpl_count value)
{
	struct smtpl_count_key key = {.uid = uid};

	memcpy(key.domain, domain, strlen(domain));
	assert_int_equal(status_count(&status, &key, &value), 0);
}

static inline struct account_id domain_account(const char *domain)
{
	struct account_id id = {.kind = ACCOUNT_DOMAIN};

	memcpy(id.domain, domain, strlen(domain));
	return id;
}

static inline struct account_id uid_account(uint32_t uid)
{
	return (struct account_id){.kind = ACCOUNT_UID, .uid = uid};
}

/* Mails `age_s` seconds old. */
static inline void window(struct account_id id, int64_t age_s, uint32_t delivered,
			  uint32_t deferred, uint32_t failed)
{
	struct window_slot slot = {BOOT_S - age_s, delivered, deferred, failed};
	struct window w = {0};

	assert_int_equal(window_restore_slot(&w, &slot), 0);
	assert_int_equal(status_window(&status, &id, &w), 0);
	window_clear(&w);
}

static inline void suspended_uid(uint32_t uid, struct smtpl_suspension suspension)
{
	struct smtpl_uid value = {.suspension = suspension};

	assert_int_equal(status_uid(&status, uid, &value), 0);
}

static inline json_t *status_json_whole(void)
{
	char *bytes = NULL;
	size_t size = 0;
	FILE *f = open_memstream(&bytes, &size);
	json_t *json;

	assert_int_equal(status_finish(&status), 0);
	assert_int_equal(status_print_json(&status, f), 0);
	fclose(f);
	for (size_t i = 0; i < size; i++)
		assert_true(bytes[i] == '\n' || (unsigned char)bytes[i] >= ' ');
	json = json_loadb(bytes, size, 0, NULL);
	assert_non_null(json);
	free(bytes);
	return json;
}

/* Without what status_account_test.c and status_services_test.c have of each account. */
static inline json_t *status_json(void)
{
	json_t *root = status_json_whole(), *account;
	size_t i;

	json_array_foreach(json_object_get(root, "accounts"), i, account)
	{
		assert_int_equal(json_object_del(account, "rule"), 0);
		assert_int_equal(json_object_del(account, "observed"), 0);
		assert_int_equal(json_object_del(account, "service"), 0);
		assert_int_equal(json_object_del(account, "carries"), 0);
	}
	assert_int_equal(json_object_del(root, "nobody"), 0);
	return root;
}

static inline char *status_string(void)
{
	char *bytes = NULL;
	size_t size = 0;
	FILE *f = open_memstream(&bytes, &size);

	assert_int_equal(status_finish(&status), 0);
	status_print_text(&status, f);
	fclose(f);
	assert_int_equal(strlen(bytes), size);
	return bytes;
}

static inline void expect_json(json_t *is, const char *expected)
{
	json_error_t error;
	json_t *want = json_loads(expected, JSON_DECODE_ANY, &error);

	if (!want)
		fail_msg("the expectation, line %d: %s", error.line, error.text);
	if (!json_equal(is, want))
		fail_msg("is   %s\nwant %s",
			 json_dumps(is, JSON_SORT_KEYS | JSON_REAL_PRECISION(4)),
			 json_dumps(want, JSON_SORT_KEYS));
	json_decref(want);
}

static inline void expect_accounts(const char *expected)
{
	json_t *root = status_json();

	expect_json(json_object_get(root, "accounts"), expected);
	json_decref(root);
}

#define STATUS_TEST(function) cmocka_unit_test_setup_teardown(function, begin, end)
#define STATUS_TEST_UNLOADED(function)                                                             \
	cmocka_unit_test_setup_teardown(function, begin_unloaded, end)

#endif
