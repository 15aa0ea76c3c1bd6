/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * account_test.c - names of accounts both ways, against a passwd database with hostile names in it,
 * and the key form of a domain against the parser's own.
 */
#include <errno.h>
#include <pwd.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "who/account.h"
#include "headers/smtp.h"

static struct passwd users[] = {
	{.pw_name = (char *)"root", .pw_uid = 0},
	{.pw_name = (char *)"alice", .pw_uid = 1000},
	{.pw_name = (char *)"1002", .pw_uid = 1001},
	{.pw_name = (char *)"DOMAIN\\carol", .pw_uid = 1003},
	{.pw_name = (char *)"m\xc3\xbcller", .pw_uid = 1004},
	/* from 2000 on: names that must not be printed as they are */
	{.pw_name = (char *)"eve\x1b[2J", .pw_uid = 2000},
	{.pw_name = (char *)"eve\nalice", .pw_uid = 2001},
	{.pw_name = (char *)"uid:1000", .pw_uid = 2002},
	{.pw_name = (char *)"domain:example.com", .pw_uid = 2003},
	{.pw_name = (char *)"", .pw_uid = 2004},
	{.pw_name = (char *)"ecila\xe2\x80\xae", .pw_uid = 2005},
	{.pw_name = (char *)"alice ", .pw_uid = 2006},
	{.pw_name = (char *)"\xff", .pw_uid = 2007},
};
#define USERS (sizeof(users) / sizeof(users[0]))

/* In place of the C library's. */
struct passwd *getpwnam(const char *name)
{
	errno = !strcmp(name, "broken") ? EIO : ENOENT;
	for (size_t i = 0; i < USERS; i++)
		if (!strcmp(users[i].pw_name, name))
			return &users[i];
	return NULL;
}

struct passwd *getpwuid(uid_t uid)
{
	for (size_t i = 0; i < USERS; i++)
		if (users[i].pw_uid == uid)
			return &users[i];
	return NULL;
}

static void expect_uid(const char *text, uint32_t uid)
{
	char why[256] = "";
	struct account_id id;

	if (account_parse(text, &id, why, sizeof(why)))
		fail_msg("%s", why);
	assert_int_equal(id.kind, ACCOUNT_UID);
	assert_int_equal(id.uid, uid);
}

static void expect_error(const char *text, int error, const char *expected)
{
	struct account_id id, before;
	char why[256] = "";

	memset(&id, 0x5a, sizeof(id));
	before = id;
	assert_int_equal(account_parse(text, &id, why, sizeof(why)), error);
	assert_string_equal(why, expected);
	assert_memory_equal(&id, &before, sizeof(id));
}

static void test_users(void **state)
{
	(void)state;
	expect_uid("alice", 1000);
	expect_uid("uid:1000", 1000);
	expect_uid("uid:0", 0);
	expect_uid("uid:4294967294", 4294967294u);
	expect_uid("1002", 1001); /* a name that looks like a number */
	expect_uid("DOMAIN\\carol", 1003);
}

static void test_user_errors(void **state)
{
	static const char *const bad_uids[] = {"uid:",		 "uid:x",
					       "uid:-1",	 "uid:+1",
					       "uid: 1",	 "uid:1 ",
					       "uid:0x1",	 "uid:4294967295",
					       "uid:4294967296", "uid:18446744073709551617"};
	char expected[256];

	(void)state;
	for (size_t i = 0; i < sizeof(bad_uids) / sizeof(bad_uids[0]); i++) {
		snprintf(expected, sizeof(expected),
			 "\"%s\": want uid:N, N a whole number from 0 to 4294967294", bad_uids[i]);
		expect_error(bad_uids[i], -EINVAL, expected);
	}
	expect_error("bob", -ENOENT,
		     "\"bob\": no such user; want a user name, uid:N or domain:NAME");
	expect_error("1000", -ENOENT, "\"1000\": no such user; for a uid write uid:1000");
	expect_error("example.com", -ENOENT,
		     "\"example.com\": no such user; for a domain write domain:example.com");
	expect_error("x\x1b[m", -ENOENT,
		     "\"x\\x1b[m\": no such user; want a user name, uid:N or domain:NAME");
	expect_error("broken", -EIO,
		     "\"broken\": cannot ask the passwd database: Input/output error");
	expect_error("", -EINVAL, "\"\": want a user name, uid:N or domain:NAME");
	expect_error("gid:5", -EINVAL, "\"gid:5\": want a user name, uid:N or domain:NAME");
}

static void test_domains(void **state)
{
	struct account_id id;
	char why[256];

	(void)state;
	assert_int_equal(account_parse("domain:Example.COM.", &id, why, sizeof(why)), 0);
	assert_int_equal(id.kind, ACCOUNT_DOMAIN);
	assert_string_equal(id.domain, "example.com");
	expect_error("domain:", -EINVAL,
		     "\"domain:\": want domain:NAME without blanks, like domain:example.com");
	expect_error("domain:a b", -EINVAL,
		     "\"domain:a b\": want domain:NAME without blanks, like domain:example.com");
}

static void test_names(void **state)
{
	static const struct {
		uint32_t uid;
		const char *name;
	} cases[] = {
		{0, "root"},
		{1000, "alice"},
		{1001, "1002"},
		{1003, "DOMAIN\\carol"},
		{1004, "m\xc3\xbcller"},
		{1234, "uid:1234"},
		{4294967294u, "uid:4294967294"},
		{2000, "uid:2000"},
		{2001, "uid:2001"},
		{2002, "uid:2002"},
		{2003, "uid:2003"},
		{2004, "uid:2004"},
		{2005, "uid:2005"},
		{2006, "uid:2006"},
		{2007, "uid:2007"},
	};
	char name[ACCOUNT_NAME_SIZE];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct account_id id = {.kind = ACCOUNT_UID, .uid = cases[i].uid};

		account_name(&id, name, sizeof(name));
		assert_string_equal(name, cases[i].name);
		expect_uid(name, cases[i].uid); /* and back */
	}
}

static void test_domain_names(void **state)
{
	struct account_id id = {.kind = ACCOUNT_DOMAIN};
	char name[ACCOUNT_NAME_SIZE], expected[ACCOUNT_NAME_SIZE];
	size_t used;

	(void)state;
	snprintf(id.domain, sizeof(id.domain), "example.com");
	account_name(&id, name, sizeof(name));
	assert_string_equal(name, "domain:example.com");

	snprintf(id.domain, sizeof(id.domain), "ex\x1b[2J\\ample");
	account_name(&id, name, sizeof(name));
	assert_string_equal(name, "domain:ex\\x1b[2J\\\\ample");

	/* The longest name there is. */
	memset(id.domain, '\x01', SMTPL_DOMAIN_SIZE - 1);
	used = (size_t)snprintf(expected, sizeof(expected), "domain:");
	for (int i = 0; i < SMTPL_DOMAIN_SIZE - 1; i++)
		used += (size_t)snprintf(expected + used, sizeof(expected) - used, "\\x01");
	account_name(&id, name, sizeof(name));
	assert_string_equal(name, expected);
}

/* The key that the parser makes of MAIL FROM:<x@DOMAIN>. */
static void parser_key(const char *domain, char key[SMTPL_DOMAIN_SIZE])
{
	static struct smtp_session session;
	char command[512];
	__u32 event = SMTP_CLIENT_NONE;

	memset(&session, 0, sizeof(session));
	snprintf(command, sizeof(command), "EHLO x\r\nMAIL FROM:<x@%s>\r\n", domain);
	for (const char *c = command; *c; c++)
		event = smtp_client_byte(&session, (unsigned char)*c);
	assert_int_equal(event, SMTP_CLIENT_MAIL);
	memcpy(key, session.c.senders[session.c.txn % SMTP_SENDERS].domain, SMTPL_DOMAIN_SIZE);
}

static void test_domain_key(void **state)
{
	char key[SMTPL_DOMAIN_SIZE], parsers[SMTPL_DOMAIN_SIZE], dotted[SMTPL_DOMAIN_SIZE];
	char domain[256];

	(void)state;
	for (size_t length = 1; length <= 253; length++) {
		for (size_t i = 0; i < length; i++)
			domain[i] = i % 20 == 19 && i + 1 < length ? '.' : "AbC-9\xc3z"[i % 7];
		memcpy(domain + length, ".", 2);
		assert_int_equal(account_domain_key(domain, dotted), 0);
		domain[length] = '\0';
		parser_key(domain, parsers);
		assert_int_equal(account_domain_key(domain, key), 0);
		assert_memory_equal(key, parsers, sizeof(key));
		assert_memory_equal(dotted, parsers, sizeof(key));
	}
}

/* The form itself: what is in the databases of hosts must mean the same tomorrow. */
static void test_domain_key_form(void **state)
{
	char key[SMTPL_DOMAIN_SIZE], domain[256], expected[256];

	(void)state;
	memset(domain, 'A', 128);
	domain[128] = '\0';
	memset(expected, 'a', 110);
	/* FNV-1a, 64 bits, of 128 times 'a' */
	memcpy(expected + 110, "~57fc415dd1387da5", 18);
	assert_int_equal(account_domain_key(domain, key), 0);
	assert_string_equal(key, expected);

	/* The longest that stands for itself, with a dot or without; and a key is its own key. */
	memcpy(domain + 127, ".", 2);
	assert_int_equal(account_domain_key(domain, key), 0);
	assert_int_equal(strlen(key), 127);
	assert_int_equal(key[126], 'a');
	assert_int_equal(account_domain_key(expected, key), 0);
	assert_string_equal(key, expected);

	assert_int_equal(account_domain_key("a..", key), 0);
	assert_string_equal(key, "a.");
	for (size_t i = 2; i < sizeof(key); i++)
		assert_int_equal(key[i], 0);
}

static void test_domain_key_errors(void **state)
{
	static const char *const bad[] = {"", ".", " a", "a b", "a\tb", "a\n", "a\x01", "a\x7f"};
	char key[SMTPL_DOMAIN_SIZE];

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(account_domain_key(bad[i], key), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_users),		cmocka_unit_test(test_user_errors),
		cmocka_unit_test(test_domains),		cmocka_unit_test(test_names),
		cmocka_unit_test(test_domain_names),	cmocka_unit_test(test_domain_key),
		cmocka_unit_test(test_domain_key_form), cmocka_unit_test(test_domain_key_errors),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
