/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * submission_pass_test.c - who pays for a message that was handed in again.
 *
 * The host of these tests: alice (1001), bob (1002), who owns b.example, and a filter (89),
 * which is a relay.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include "who/submission.h"

#define ALICE  1001
#define BOB    1002
#define FILTER 89

static enum smtpl_role role_of(void *arg, uint32_t uid)
{
	(void)arg;
	return uid == FILTER ? SMTPL_ROLE_RELAY : SMTPL_ROLE_DIRECT;
}

static bool owner_of(void *arg, const char *domain, uint32_t *uid)
{
	(void)arg;
	*uid = BOB;
	return !strcmp(domain, "b.example");
}

static bool user_of(void *arg, const char *name, uint32_t *uid)
{
	(void)arg;
	*uid = ALICE;
	return !strcmp(name, "alice");
}

static const struct submission_ops plain = {.payer = {role_of, owner_of}, .user = user_of};

/* A filter, a relay's user, has handed it in again by sendmail(1); a customer cannot. */
static void test_second_pass(void **state)
{
	struct row {
		uint32_t uid;
		uint32_t more;
		uint32_t first_uid;
		const char *auth;
		uint32_t payer;
	} rows[] = {
		{FILTER, 0, 0, "alice", ALICE},
		{FILTER, SUBMISSION_HAS_FIRST_UID, ALICE, "", ALICE},
		{FILTER, SUBMISSION_HAS_FIRST_UID, FILTER, "", BOB},
		{FILTER, 0, ALICE, "", BOB},
		{BOB, 0, 0, "alice", BOB},
		{BOB, SUBMISSION_HAS_FIRST_UID, ALICE, "", BOB},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct submission o = {.known =
					       SUBMISSION_HAS_UID | SUBMISSION_AGAIN | rows[i].more,
				       .uid = rows[i].uid,
				       .first_uid = rows[i].first_uid,
				       .sender = "x@b.example"};
		struct account_id id;
		enum payer_why why;

		snprintf(o.auth, sizeof(o.auth), "%s", rows[i].auth);
		assert_int_equal(submission_payer(&o, &plain, NULL, &id, &why), PAYER_ACCOUNT);
		assert_int_equal(id.uid, rows[i].payer);
	}
}

/* The first pass was a copy that the server forwarded: it stays nobody's behind a filter. Not what
 * a customer hands in under its Message-ID. */
static void test_of_a_forward(void **state)
{
	struct submission o = {.known = SUBMISSION_HAS_UID | SUBMISSION_AGAIN | SUBMISSION_INTERNAL,
			       .uid = FILTER,
			       .sender = "x@b.example",
			       .forwarder = "b.example"};
	struct account_id id;
	enum payer_why why;

	(void)state;
	assert_int_equal(submission_payer(&o, &plain, NULL, &id, &why), PAYER_FORWARD);
	o.uid = ALICE;
	assert_int_equal(submission_payer(&o, &plain, NULL, &id, &why), PAYER_ACCOUNT);
	assert_int_equal(id.uid, ALICE);
	o.known |= SUBMISSION_REDIRECTED;
	assert_int_equal(submission_payer(&o, &plain, NULL, &id, &why), PAYER_ACCOUNT);
	assert_int_equal(id.uid, ALICE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_second_pass),
		cmocka_unit_test(test_of_a_forward),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
