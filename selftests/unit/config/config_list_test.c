/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * config_list_test.c - lists of ports and users: names and numbers, over many lines, up to their
 * bound and one beyond.
 */
#include "config_fixture.h"
#include "config/config_account.h"
#include "config/config_value.h"

static void test_ports(void **state)
{
	(void)state;
	expect_error("[watch]\nports = 25,0", "t.conf:2: ports = \"25,0\": \"0\" is no port: "
					      "want whole numbers from 1 to 65535");
	expect_error("[watch]\nports = 65536", "t.conf:2: ports = \"65536\": \"65536\" is no port: "
					       "want whole numbers from 1 to 65535");
	expect_error("[watch]\nports = smtp", "t.conf:2: ports = \"smtp\": \"smtp\" is no port: "
					      "want whole numbers from 1 to 65535");
	expect_error("[watch]\nports = 25 587 25",
		     "t.conf:2: ports = \"25 587 25\": \"25\" stands there twice: "
		     "want each port once");
	expect_error("[watch]\nlocal = no\nports = ,\n[limit]\n",
		     "t.conf:3: ports = \"\": want at least one port from 1 to 65535");
}

/* `first`, then `count` numbers from `from` on, a line each, then `last`. */
static char *many(const char *first, int from, int count, const char *last)
{
	static char text[32768];
	FILE *f = fmemopen(text, sizeof(text), "w");

	assert_non_null(f);
	fputs(first, f);
	for (int i = 0; i < count; i++)
		fprintf(f, " %d\n", from + i);
	fputs(last, f);
	assert_int_equal(fclose(f), 0);
	return text;
}

static void test_ports_bound(void **state)
{
	static const char first[] = "[watch]\nports =\n";

	(void)state;
	assert_int_equal(read_good(many(first, 1, SMTPL_PORTS_MAX, "")).ports_count,
			 SMTPL_PORTS_MAX);
	expect_error(many(first, 1, SMTPL_PORTS_MAX, " 65\n"),
		     "t.conf:67: ports = \"65\": want at most 64 ports");
}

static void test_users(void **state)
{
	(void)state;
	assert_int_equal(read_good("[watch]\nrelay_users =\n").relays.count, 1);
	assert_int_equal(read_good("[watch]\nrelay_users = root\n").relays.count, 1);
	/* A name that is a number is a name first, as for chown(1). */
	assert_int_equal(read_good("[watch]\nexempt_users = 4711\n").exempts.uid[0], 1002);
	assert_int_equal(read_good("[watch]\nexempt_users = uid:4711\n").exempts.uid[0], 4711);

	expect_error("[watch]\nrelay_users = 4294967295\n",
		     "t.conf:2: relay_users = \"4294967295\": \"4294967295\" is no user: "
		     "want names of users, or uids as numbers");
	expect_error("[watch]\nexempt_users = alice,root\n",
		     "t.conf:2: exempt_users = \"alice,root\": \"root\" is root, "
		     "a relay user in any case: want other users");
	expect_error("[watch]\nexempt_users = broken\n",
		     "t.conf:2: exempt_users = \"broken\": \"broken\" cannot be looked up: "
		     "Input/output error");
	expect_error("[watch]\nexempt_users = bob,alice\nrelay_users = alice\n",
		     "t.conf:3: alice is in exempt_users and in relay_users: "
		     "want it in one of them");
	expect_error("[watch]\nrelay_users = alice\nexempt_users = bob,alice\n",
		     "t.conf:3: alice is in exempt_users and in relay_users: "
		     "want it in one of them");
	expect_error("[watch]\nexempt_users = postfix\n",
		     "t.conf:2: postfix is in exempt_users and in the default relay_users: "
		     "want it in one of them");
	read_good("[watch]\nexempt_users = postfix\nrelay_users = mail\n");
}

static void expect_warning(const struct config *c, const char *want)
{
	const char *warning = config_warning(c, 0);

	assert_non_null(warning);
	assert_string_equal(warning, want);
	assert_null(config_warning(c, 1));
}

/* Customers are deleted, and who is gone cannot be told from who is misspelt: a mail server's mail
 * must not be judged as one customer's for that. */
static void test_users_gone(void **state)
{
	struct config c = read_good("[watch]\nexempt_users = gone, alice, lost\n");

	(void)state;
	assert_int_equal(c.exempts.count, 1);
	expect_warning(&c, "t.conf:2: exempt_users: no such user, passed over: \"gone\", \"lost\"");
	c = read_good("[watch]\nrelay_users = alice, postifx\nexempt_users = mail\n");
	assert_true(config_uids_has(&c.relays, 0) && config_uids_has(&c.relays, c.relays.uid[1]));
	/* root, alice and postfix; mail is exempt */
	assert_int_equal(c.relays.count, 3);
	expect_warning(&c,
		       "t.conf:2: relay_users: no such user, passed over, and the default relay "
		       "users are taken in its place: \"postifx\"");
}

static void test_domains(void **state)
{
	struct config c = read_good("[watch]\nexempt_users = domain:Lists.Example., alice\n"
				    "\tdomain:lists.example domain:b.example\n");

	(void)state;
	assert_int_equal(c.exempt_domains.count, 2);
	assert_int_equal(c.exempts.count, 1);
	assert_true(config_domains_has(&c.exempt_domains, "lists.example"));
	assert_true(config_domains_has(&c.exempt_domains, "b.example"));
	assert_false(config_domains_has(&c.exempt_domains, "example"));
	expect_error("[watch]\nexempt_users = domain:\n",
		     "t.conf:2: exempt_users = \"domain:\": \"domain:\" is no domain: want "
		     "domain:NAME, like domain:example.com");
	expect_error(
		"[watch]\nrelay_users = domain:a.example\n",
		"t.conf:2: relay_users = \"domain:a.example\": \"domain:a.example\" is a domain, "
		"and relays are users: want it in exempt_users, if nobody shall pay for its "
		"mail");
}

static void test_users_bound(void **state)
{
	static const char first[] = "[watch]\nexempt_users =\n";

	(void)state;
	assert_int_equal(read_good(many(first, 2000, SMTPL_USERS_MAX, "")).exempts.count,
			 SMTPL_USERS_MAX);
	/* One that is known already takes no room. */
	assert_int_equal(read_good(many(first, 2000, SMTPL_USERS_MAX, " 2000\n")).exempts.count,
			 SMTPL_USERS_MAX);
	expect_error(many(first, 2000, SMTPL_USERS_MAX, " 9999\n"),
		     "t.conf:1027: exempt_users = \"9999\": want at most 1024 users");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ports),	   cmocka_unit_test(test_ports_bound),
		cmocka_unit_test(test_users_gone), cmocka_unit_test(test_domains),
		cmocka_unit_test(test_users),	   cmocka_unit_test(test_users_bound),
	};

	return run_config_tests(tests, sizeof(tests) / sizeof(tests[0]));
}
