/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * submission_test.c - who pays, row by row: everything that a mail server may know of a submission,
 * alone and against each other.
 */
#include "submission_host.h"

static void test_account(void **state)
{
	static const struct row rows[] = {
		{"account is a user", ACCOUNT, "uid:1001", NULL, 0, NOWHERE, SENT, NULL,
		 ALWAYS("uid:1001")},
		{"account before all", ACCOUNT | UID, "uid:1001", "bob", BOB, BY_POSTFIX, SENT,
		 NULL, ALWAYS("uid:1001")},
		{"account is a domain", ACCOUNT, "domain:o.example", NULL, 0, NOWHERE, SENT, NULL,
		 ALWAYS("domain:o.example")},
		{"its domain has an owner now", ACCOUNT, "domain:a.example", NULL, 0, NOWHERE, SENT,
		 NULL, ALWAYS("uid:1001")},
		{"account is exempt now", ACCOUNT, "uid:1003", NULL, 0, NOWHERE, SENT, NULL,
		 ALWAYS("exempt")},
		{"account is a relay", ACCOUNT, "uid:89", NULL, 0, NOWHERE, SENT, NULL,
		 ALWAYS("uid:1002")},
		{"account is root", ACCOUNT, "uid:0", "alice", 0, NOWHERE, SENT, NULL,
		 ALWAYS("uid:1001")},
		{"account of no kind", ACCOUNT, "what", NULL, 0, NOWHERE, SENT, NULL,
		 ALWAYS("uid:1002")},
		{"account without the flag", 0, "uid:1001", NULL, 0, NOWHERE, SENT, NULL,
		 ALWAYS("uid:1002")},
	};

	(void)state;
	CHECK(rows);
}

static void test_auth(void **state)
{
	static const struct row rows[] = {
		{"owner", 0, NULL, "x@a.example", 0, NOWHERE, SENT, NULL, ALWAYS("uid:1001")},
		{"any case, a dot", 0, NULL, "x@A.Example.", 0, NOWHERE, SENT, NULL,
		 ALWAYS("uid:1001")},
		{"no owner", 0, NULL, "x@o.example", 0, NOWHERE, SENT, NULL,
		 ALWAYS("domain:o.example")},
		{"exempt owner", 0, NULL, "x@e.example", 0, NOWHERE, SENT, NULL, ALWAYS("exempt")},
		{"relay as owner", 0, NULL, "x@relay.example", 0, NOWHERE, SENT, NULL,
		 ALWAYS("domain:relay.example")},
		{"percent", 0, NULL, "x%a.example", 0, NOWHERE, SENT, NULL, ALWAYS("uid:1001")},
		{"plus", 0, NULL, "x+a.example", 0, NOWHERE, SENT, NULL, ALWAYS("uid:1001")},
		{"the last one", 0, NULL, "x%b.example+a.example", 0, NOWHERE, SENT, NULL,
		 ALWAYS("uid:1001")},
		{"@ before plus", 0, NULL, "x+b.example@a.example", 0, NOWHERE, SENT, NULL,
		 ALWAYS("uid:1001")},
		{"plus without a dot", 0, NULL, "a+b", 0, NOWHERE, SENT, NULL, ALWAYS("uid:1001")},
		{"user", 0, NULL, "alice", 0, NOWHERE, SENT, NULL, ALWAYS("uid:1001")},
		{"user of this host", 0, NULL, "bob@Host.Example", 0, NOWHERE, SENT, NULL,
		 ALWAYS("uid:1002")},
		{"no user of this host", 0, NULL, "x@host.example", 0, NOWHERE, SENT, NULL,
		 ALWAYS("domain:host.example")},
		{"an owner before a user", 0, NULL, "bob@a.example", 0, NOWHERE, SENT, NULL,
		 ALWAYS("uid:1001")},
		{"exempt user", 0, NULL, "eve", 0, NOWHERE, SENT, NULL, ALWAYS("exempt")},
		{"relay user", 0, NULL, "postfix", 0, NOWHERE, SENT, NULL, ALWAYS("uid:1002")},
		{"root", 0, NULL, "root", 0, NOWHERE, SENT, NULL, ALWAYS("uid:1002")},
		{"unknown", 0, NULL, "nobody-knows", 0, NOWHERE, SENT, NULL, ALWAYS("uid:1002")},
		{"no domain behind @", 0, NULL, "alice@", 0, NOWHERE, SENT, NULL,
		 ALWAYS("uid:1002")},
		{"no domain at all", 0, NULL, "x@a b", 0, NOWHERE, SENT, NULL, ALWAYS("uid:1002")},
		{"before uid and client", UID, NULL, "alice", BOB, BY_POSTFIX, SENT, NULL,
		 ALWAYS("uid:1001")},
		{"from outside", 0, NULL, "alice", 0, OUTSIDE, SENT, NULL, ALWAYS("uid:1001")},
		{"unknown from outside", 0, NULL, "nobody-knows", 0, OUTSIDE, SENT, NULL,
		 ALWAYS("uid:1002")},
	};

	(void)state;
	CHECK(rows);
}

static void test_uid(void **state)
{
	static const struct row rows[] = {
		{"user", UID, NULL, NULL, ALICE, NOWHERE, SENT, NULL, ALWAYS("uid:1001")},
		{"exempt", UID, NULL, NULL, EVE, NOWHERE, SENT, NULL, ALWAYS("exempt")},
		{"relay", UID, NULL, NULL, POSTFIX, NOWHERE, SENT, NULL, ALWAYS("uid:1002")},
		{"root", UID, NULL, NULL, 0, NOWHERE, SENT, NULL, ALWAYS("uid:1002")},
		{"relay, then the client", UID, NULL, NULL, POSTFIX, BY_ALICE, SENT, NULL,
		 ALWAYS("uid:1001")},
		{"before the client", UID, NULL, NULL, BOB, BY_ALICE, SENT, NULL,
		 ALWAYS("uid:1002")},
		{"no sender yet", UID | NO_SENDER, NULL, NULL, ALICE, NOWHERE, "", NULL,
		 ALWAYS("uid:1001")},
		{"nothing but no sender", NO_SENDER, NULL, NULL, ALICE, NOWHERE, "", NULL,
		 ALWAYS("nobody")},
	};

	(void)state;
	CHECK(rows);
}

static void test_client(void **state)
{
	static const struct row rows[] = {
		{"of a user", 0, NULL, NULL, 0, BY_ALICE, SENT, NULL, ALWAYS("uid:1001")},
		{"of a relay", 0, NULL, NULL, 0, BY_POSTFIX, SENT, NULL, ALWAYS("uid:1002")},
		{"of nobody known", 0, NULL, NULL, 0, BY_UNKNOWN, SENT, NULL, ALWAYS("uid:1002")},
		{"without a port", 0, NULL, NULL, 0, "127.0.0.1", 0, SENT, NULL,
		 ALWAYS("uid:1002")},
		{"found before", CALLER, NULL, NULL, ALICE, NOWHERE, SENT, NULL,
		 ALWAYS("uid:1001")},
		{"found before, of a relay", CALLER, NULL, NULL, POSTFIX, BY_ALICE, SENT, NULL,
		 ALWAYS("uid:1002")},
		{"found before, exempt", CALLER, NULL, NULL, EVE, BY_ALICE, SENT, NULL,
		 ALWAYS("exempt")},
		{"from outside: who writes bob's name is not bob", 0, NULL, NULL, 0, OUTSIDE, SENT,
		 NULL, INBOUND("nobody", NULL)},
		{"nor is it a domain without an owner", 0, NULL, NULL, 0, OUTSIDE, "x@o.example",
		 NULL, INBOUND("nobody", NULL)},
		{"the server's own uid is with it", UID, NULL, NULL, POSTFIX, OUTSIDE, SENT, NULL,
		 INBOUND("nobody", NULL)},
		{"a filter's uid is with it", UID, NULL, NULL, SPAMD, OUTSIDE, SENT, NULL,
		 INBOUND("nobody", NULL)},
		{"from a web host of ours", 0, NULL, NULL, 0, TRUSTED, SENT, NULL,
		 ALWAYS("uid:1002")},
		{"with a uid of there", UID, NULL, NULL, POSTFIX, TRUSTED, "x@o.example", NULL,
		 ALWAYS("domain:o.example")},
		{"the null sender from outside", 0, NULL, NULL, 0, OUTSIDE, "", NULL,
		 INBOUND("null", NULL)},
		{"a uid is no stranger", UID, NULL, NULL, ALICE, OUTSIDE, SENT, NULL,
		 ALWAYS("uid:1001")},
		{"known to the door", ACCOUNT, "uid:1001", NULL, 0, OUTSIDE, SENT, NULL,
		 ALWAYS("uid:1001")},
		{"known caller", CALLER, NULL, NULL, ALICE, OUTSIDE, SENT, NULL,
		 ALWAYS("uid:1001")},
	};

	(void)state;
	CHECK(rows);
}

static void test_both_ends(void **state)
{
	static const struct row row = {
		"both ends", 0, NULL, NULL, 0, BY_ALICE, "x@o.example", NULL, ALWAYS("uid:1001")};
	struct submission o = submission_from(&row);
	struct account_id id;
	enum payer_why why;

	(void)state;
	check(&row, &plain, row.expected);
	o.server_port = 587;
	assert_int_equal(submission_payer(&o, &plain, NULL, &id, &why), PAYER_ACCOUNT);
	assert_int_equal(why, PAYER_WHY_CLIENT);
	assert_int_equal(id.uid, BOB);
}

static void test_why(void **state)
{
	static const struct row rows[] = {
		{"asked", ACCOUNT, "uid:1001", NULL, 0, NOWHERE, SENT, NULL, ALWAYS("")},
		{"auth", 0, NULL, "alice", 0, NOWHERE, SENT, NULL, ALWAYS("")},
		{"caller", UID, NULL, NULL, ALICE, NOWHERE, SENT, NULL, ALWAYS("")},
	};
	struct account_id id;
	enum payer_why why;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct submission o = submission_from(&rows[i]);

		assert_int_equal(submission_payer(&o, &plain, NULL, &id, &why), PAYER_ACCOUNT);
		assert_string_equal(payer_why_name(why), rows[i].name);
	}
}

static void test_sender(void **state)
{
	static const struct row rows[] = {
		{"owner", 0, NULL, NULL, 0, NOWHERE, "x@a.example", NULL, ALWAYS("uid:1001")},
		{"any case", 0, NULL, NULL, 0, NOWHERE, "x@A.EXAMPLE.", NULL, ALWAYS("uid:1001")},
		{"domain alone", 0, NULL, NULL, 0, NOWHERE, "@a.example", NULL, ALWAYS("uid:1001")},
		{"quoted", 0, NULL, NULL, 0, NOWHERE, "\"x@b.example\"@a.example", NULL,
		 ALWAYS("uid:1001")},
		{"no owner", 0, NULL, NULL, 0, NOWHERE, "x@o.example", NULL,
		 ALWAYS("domain:o.example")},
		{"exempt owner", 0, NULL, NULL, 0, NOWHERE, "x@e.example", NULL, ALWAYS("exempt")},
		{"relay as owner", 0, NULL, NULL, 0, NOWHERE, "x@relay.example", NULL,
		 ALWAYS("domain:relay.example")},
		{"no domain", 0, NULL, NULL, 0, NOWHERE, "alice", NULL, ALWAYS("nobody")},
		{"empty domain", 0, NULL, NULL, 0, NOWHERE, "alice@", NULL, ALWAYS("nobody")},
		{"null", 0, NULL, NULL, 0, NOWHERE, "", NULL, ALWAYS("null")},
		{"null of a user", UID, NULL, NULL, ALICE, NOWHERE, "", NULL,
		 COUNTING("null", "uid:1001")},
		{"null with auth", 0, NULL, "alice", 0, NOWHERE, "", NULL,
		 COUNTING("null", "uid:1001")},
		{"null of an account", ACCOUNT, "uid:1001", NULL, 0, NOWHERE, "", NULL,
		 COUNTING("null", "uid:1001")},
		{"null of an exempt user", UID, NULL, NULL, EVE, NOWHERE, "", NULL,
		 COUNTING("null", "exempt")},
		{"null of a relay", UID, NULL, NULL, POSTFIX, NOWHERE, "", NULL, ALWAYS("null")},
	};

	(void)state;
	CHECK(rows);
}

static void test_forward(void **state)
{
	static const struct row rows[] = {
		{"of a stranger's mail", REDIRECTED, NULL, NULL, 0, OUTSIDE, "x@far.example",
		 "a.example", INBOUND("forward", "uid:1001")},
		{"without an owner", REDIRECTED, NULL, NULL, 0, OUTSIDE, "x@far.example",
		 "o.example", INBOUND("forward", "domain:o.example")},
		{"of an exempt user's domain", REDIRECTED, NULL, NULL, 0, OUTSIDE, "x@far.example",
		 "e.example", INBOUND("forward", "exempt")},
		{"of the null sender", REDIRECTED, NULL, NULL, 0, OUTSIDE, "", "a.example",
		 INBOUND("null", "uid:1001")},
		{"with a forged sender", REDIRECTED, NULL, NULL, 0, OUTSIDE, "x@b.example",
		 "a.example", INBOUND("forward", "uid:1001")},
		{"by whom, nobody knows", REDIRECTED, NULL, NULL, 0, OUTSIDE, "x@b.example", "",
		 INBOUND("forward", "nobody")},
		{"a neighbour's: not the submitter's", REDIRECTED | UID, NULL, NULL, BOB, NOWHERE,
		 "x@b.example", "a.example", COUNTING("forward", "uid:1001")},
		{"own list by uid", REDIRECTED | UID, NULL, NULL, ALICE, NOWHERE, "x@far.example",
		 "list.example", ALWAYS("uid:1001")},
		{"own list by auth", REDIRECTED, NULL, "x@a.example", 0, OUTSIDE, "x@far.example",
		 "list.example", ALWAYS("uid:1001")},
		{"own list by account", REDIRECTED | ACCOUNT, "uid:1001", NULL, 0, NOWHERE,
		 "x@far.example", "a.example", ALWAYS("uid:1001")},
		{"own list by client", REDIRECTED, NULL, NULL, 0, BY_ALICE, "x@far.example",
		 "a.example", ALWAYS("uid:1001")},
		{"own list of a domain", REDIRECTED | ACCOUNT, "domain:o.example", NULL, 0, NOWHERE,
		 "x@far.example", "o.example", ALWAYS("domain:o.example")},
		{"another domain's list", REDIRECTED | ACCOUNT, "domain:p.example", NULL, 0,
		 NOWHERE, "x@far.example", "o.example", COUNTING("forward", "domain:o.example")},
		{"own list of an exempt user", REDIRECTED | UID, NULL, NULL, EVE, NOWHERE,
		 "x@far.example", "e.example", ALWAYS("exempt")},
		{"own list by the sender's address: proves nothing", REDIRECTED, NULL, NULL, 0,
		 BY_UNKNOWN, "x@a.example", "a.example", COUNTING("forward", "uid:1001")},
		{"a .forward, perhaps her own", REDIRECTED | UID, NULL, NULL, ALICE, NOWHERE,
		 "x@far.example", "host.example", ALWAYS("uid:1001")},
		{"an alias of this host", REDIRECTED | UID, NULL, NULL, ALICE, NOWHERE,
		 "x@far.example", "", ALWAYS("uid:1001")},
		{"a stranger's mail to this host", REDIRECTED, NULL, NULL, 0, OUTSIDE,
		 "x@far.example", "host.example", INBOUND("forward", "domain:host.example")},
		{"own list, null sender", REDIRECTED | UID, NULL, NULL, ALICE, NOWHERE, "",
		 "a.example", COUNTING("null", "uid:1001")},
	};

	(void)state;
	CHECK(rows);
}

static void test_internal(void **state)
{
	static const struct row rows[] = {
		{"bounce", INTERNAL, NULL, NULL, 0, NOWHERE, "", NULL, ALWAYS("null")},
		{"copy of a forward", INTERNAL, NULL, NULL, 0, NOWHERE, "x@far.example",
		 "a.example", COUNTING("forward", "uid:1001")},
		{"copy without a forwarder", INTERNAL, NULL, NULL, 0, NOWHERE, "x@b.example", "",
		 COUNTING("forward", "uid:1002")},
		{"copy without anything", INTERNAL, NULL, NULL, 0, NOWHERE, "x", "",
		 COUNTING("forward", "nobody")},
		{"a copy alone is no list", INTERNAL | UID, NULL, NULL, ALICE, NOWHERE,
		 "x@a.example", "a.example", COUNTING("forward", "uid:1001")},
		{"copy of a list that its owner used", INTERNAL | REDIRECTED | UID, NULL, NULL,
		 ALICE, NOWHERE, "x@a.example", "a.example", ALWAYS("uid:1001")},
	};

	(void)state;
	CHECK(rows);
}

static void test_host(void **state)
{
	(void)state;
	assert_true(submission_is_host("web1.host.example", "Web1.host.example"));
	assert_true(submission_is_host("web1.host.example", "web1"));
	assert_true(submission_is_host("web1", "web1.host.example"));
	assert_true(submission_is_host("web1", "web1"));
	assert_false(submission_is_host("web1.host.example.b.example", "web1.host.example"));
	assert_false(submission_is_host("web1.host", "web1.host.example"));
	assert_false(submission_is_host("web10", "web1"));
	assert_false(submission_is_host("web1", "web10.host.example"));
	assert_false(submission_is_host("host.example", "web1.host.example"));
	assert_false(submission_is_host("web1", ""));
	/* Each user of this host has a mailbox there, and a .forward. */
	assert_true(submission_is_host("localhost", "web1.host.example"));
	assert_true(submission_is_host("LOCALHOST", ""));
	assert_true(submission_is_host("localhost.host.example", "web1.host.example"));
	assert_true(submission_is_host("localhost.web1.host.example", "web1.host.example"));
	assert_false(submission_is_host("localhost.b.example", "web1.host.example"));
	assert_false(submission_is_host("localhosts", "web1.host.example"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_account), cmocka_unit_test(test_auth),
		cmocka_unit_test(test_uid),	cmocka_unit_test(test_client),
		cmocka_unit_test(test_why),	cmocka_unit_test(test_sender),
		cmocka_unit_test(test_forward), cmocka_unit_test(test_internal),
		cmocka_unit_test(test_host),	cmocka_unit_test(test_both_ends),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
