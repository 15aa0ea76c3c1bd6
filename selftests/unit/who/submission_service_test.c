/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * submission_service_test.c - who pays for what a service user handed in: a content filter, a list
 * manager.
 */
#include "submission_host.h"

/* Who hands in everybody's mail is no account; what is known of the submitter comes first. */
static void test_service(void **state)
{
	static const struct row rows[] = {
		{"filter by sendmail(1)", UID, NULL, NULL, SPAMD, NOWHERE, SENT, NULL,
		 ALWAYS("nobody")},
		{"filter, domain without an owner", UID, NULL, NULL, SPAMD, NOWHERE, "x@o.example",
		 NULL, ALWAYS("nobody")},
		{"filter by SMTP", 0, NULL, NULL, 0, BY_SPAMD, SENT, NULL, ALWAYS("nobody")},
		{"filter, found before", CALLER, NULL, NULL, SPAMD, NOWHERE, SENT, NULL,
		 ALWAYS("nobody")},
		{"filter of what alice sent by AUTH", UID, NULL, "alice", SPAMD, NOWHERE, SENT,
		 NULL, ALWAYS("uid:1001")},
		{"filter of what the door knew", UID | ACCOUNT, "uid:1001", NULL, SPAMD, NOWHERE,
		 SENT, NULL, ALWAYS("uid:1001")},
		{"the null sender", UID, NULL, NULL, SPAMD, NOWHERE, "", NULL, ALWAYS("null")},
		{"a filter that owns a domain is no account by it", 0, NULL, NULL, 0, BY_POSTFIX,
		 "x@f.example", NULL, ALWAYS("domain:f.example")},
		{"a web host's, through the filter", UID, NULL, NULL, SPAMD, TRUSTED, SENT, NULL,
		 ALWAYS("uid:1002")},
		{"an outsider's, through the filter", UID, NULL, NULL, SPAMD, OUTSIDE, SENT, NULL,
		 INBOUND("nobody", NULL)},
		{"redirect", UID | REDIRECTED, NULL, NULL, SPAMD, NOWHERE, SENT, "",
		 COUNTING("forward", "nobody")},
		{"list by sendmail(1)", UID, NULL, NULL, LIST, NOWHERE, SENT, NULL,
		 ALWAYS("uid:1002")},
		{"list by SMTP", 0, NULL, NULL, 0, BY_LIST, SENT, NULL, ALWAYS("uid:1002")},
		{"list without an owner", 0, NULL, NULL, 0, BY_LIST, "x@o.example", NULL,
		 ALWAYS("domain:o.example")},
	};

	(void)state;
	CHECK(rows);
}

/* Handed in again by the filter's sendmail(1): who brought it in the first time is asked. */
static void test_through_a_filter(void **state)
{
	static const struct row rows[] = {
		{"a list's", AGAIN, NULL, NULL, SPAMD, BY_LIST, SENT, NULL, ALWAYS("uid:1002")},
		{"a user's", AGAIN, NULL, NULL, SPAMD, BY_ALICE, SENT, NULL, ALWAYS("uid:1001")},
		{"a mail server's", AGAIN, NULL, NULL, SPAMD, BY_POSTFIX, SENT, NULL,
		 ALWAYS("uid:1002")},
		{"another filter's", AGAIN, NULL, NULL, SPAMD, BY_SPAMD, SENT, NULL,
		 ALWAYS("nobody")},
		{"an outsider's", AGAIN, NULL, NULL, SPAMD, OUTSIDE, SENT, NULL,
		 INBOUND("nobody", NULL)},
		{"by no filter", AGAIN, NULL, NULL, ALICE, BY_LIST, SENT, NULL, ALWAYS("uid:1001")},
	};

	(void)state;
	CHECK(rows);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_service),
		cmocka_unit_test(test_through_a_filter),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
