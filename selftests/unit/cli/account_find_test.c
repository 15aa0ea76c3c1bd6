/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * account_find_test.c - what a person types, and the account that is found: a user's own name comes
 * first, a domain or an address finds who pays for it, and what nobody owns is said to be a guess.
 */
#include <errno.h>
#include <pwd.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include "cli/account_find.h"

static struct passwd users[] = {
	{.pw_name = (char *)"alice", .pw_uid = 1000},
	{.pw_name = (char *)"4711", .pw_uid = 1002},
	{.pw_name = (char *)"dotted.example", .pw_uid = 1003},
	{.pw_name = (char *)"bob@corp.example", .pw_uid = 1004},
};
#define USERS (sizeof(users) / sizeof(users[0]))

/* These take the place of the C library's functions. */
struct passwd *getpwnam(const char *name)
{
	errno = !strcmp(name, "broken.example") ? EIO : 0;
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

static enum smtpl_role role_of(void *unused, uint32_t uid)
{
	(void)unused;
	return uid == 8 ? SMTPL_ROLE_RELAY : uid == 9 ? SMTPL_ROLE_EXEMPT : SMTPL_ROLE_DIRECT;
}

static bool owner_of(void *unused, const char *domain, uint32_t *uid)
{
	(void)unused;
	if (!strcmp(domain, "shop.example") || !strcmp(domain, "xn--mller-kva.example") ||
	    !strcmp(domain, "dotted.example"))
		*uid = 1000;
	else if (!strcmp(domain, "relay.example"))
		*uid = 8;
	else if (!strcmp(domain, "exempt.example"))
		*uid = 9;
	else
		return false;
	return true;
}

static const struct payer_ops ops = {.role = role_of, .owner = owner_of};

static void expect_uid(const char *text, uint32_t uid)
{
	struct account_id id = {0};
	char why[512] = "";

	if (account_find(text, &ops, NULL, &id, why, sizeof(why)))
		fail_msg("%s: %s", text, why);
	assert_int_equal(id.kind, ACCOUNT_UID);
	assert_int_equal(id.uid, uid);
}

static void expect_domain(const char *text, enum account_found found, const char *domain)
{
	struct account_id id = {0};
	char why[512] = "";

	assert_int_equal(account_find(text, &ops, NULL, &id, why, sizeof(why)), found);
	assert_int_equal(id.kind, ACCOUNT_DOMAIN);
	assert_string_equal(id.domain, domain);
	if (found == ACCOUNT_GUESSED)
		assert_non_null(strstr(why, "no owner of this domain is known"));
}

static void expect_error(const char *text, int error, const char *part)
{
	const struct account_id before = {.kind = ACCOUNT_UID, .uid = 77};
	struct account_id id = before;
	char why[512] = "";

	assert_int_equal(account_find(text, &ops, NULL, &id, why, sizeof(why)), error);
	if (!strstr(why, part))
		fail_msg("is %s, want %s", why, part);
	for (const char *c = why; *c; c++)
		assert_true(*c >= ' ' && *c <= '~');
	assert_memory_equal(&id, &before, sizeof(id));
}

static void as_it_is_written(void **unused)
{
	(void)unused;
	expect_uid("alice", 1000);
	expect_uid("uid:77", 77);
	expect_domain("domain:Free.Example.", ACCOUNT_FOUND, "free.example");
}

static void uid_without_a_word(void **unused)
{
	(void)unused;
	expect_uid("77", 77);
	expect_uid("4711", 1002); /* a user's name comes first */
	expect_error("4294967295", -ENOENT, "\"4294967295\"");
}

static void domain_finds_its_owner(void **unused)
{
	(void)unused;
	expect_uid("shop.example", 1000);
	expect_uid("SHOP.example.", 1000);
	expect_uid("domain:shop.example", 1000);
	expect_uid("exempt.example", 9);
	expect_uid("dotted.example", 1003);
	expect_error("broken.example", -EIO, "passwd database");
}

/* By the form that DNS has. */
static void international_domain(void **unused)
{
	(void)unused;
	expect_uid("m\xc3\xbcller.example", 1000);
	expect_uid("info@M\xc3\x9cLLER.example.", 1000);
	expect_uid("domain:m\xc3\xbcller.example", 1000);
	expect_uid("xn--mller-kva.example", 1000);
	expect_domain("b\xc3\xbc"
		      "cher.example",
		      ACCOUNT_GUESSED, "xn--bcher-kva.example");
	expect_domain("domain:b\xc3\xbc"
		      "cher.example",
		      ACCOUNT_FOUND, "xn--bcher-kva.example");
	expect_domain("domain:\xff.example", ACCOUNT_FOUND, "\xff.example");
}

static void address_finds_its_owner(void **unused)
{
	(void)unused;
	expect_uid("info@shop.example", 1000);
	expect_uid("a@b@Shop.Example", 1000);
	expect_uid("\"a:b\"@shop.example", 1000);
	expect_uid("bob@corp.example", 1004);
}

/* An owner who carries everybody's mail pays for none of it. */
static void domain_without_an_owner(void **unused)
{
	(void)unused;
	expect_domain("free.example", ACCOUNT_GUESSED, "free.example");
	expect_domain("x@free.example", ACCOUNT_GUESSED, "free.example");
	expect_domain("relay.example", ACCOUNT_GUESSED, "relay.example");
	expect_domain("www.shop.example", ACCOUNT_GUESSED, "www.shop.example");
}

static void what_is_no_account(void **unused)
{
	(void)unused;
	expect_error("", -EINVAL, "want a user name");
	expect_error("nobody-there", -ENOENT, "no such user");
	expect_error("uid:x", -EINVAL, "want uid:N");
	expect_error("uid:a@shop.example", -EINVAL, "want uid:N");
	expect_error("domain:", -EINVAL, "want domain:NAME");
	expect_error("domain:a @shop.example", -EINVAL, "want domain:NAME");
	expect_error("alice@", -ENOENT, "no such user");
	expect_error("@", -ENOENT, "no such user");
	expect_error(".", -ENOENT, "no such user");
	expect_error("http://shop.example", -EINVAL, "want a user name");
}

static void hostile_bytes(void **unused)
{
	char long_name[5000];

	(void)unused;
	expect_error("\x1b]0;x\x07.example", -ENOENT, "\\x1b]0;x\\x07.example");
	expect_error("a@\x1b[2J.example", -ENOENT, "\\x1b[2J");
	expect_error("a\n", -ENOENT, "a\\x0a");
	memset(long_name, 'a', sizeof(long_name) - 1);
	long_name[sizeof(long_name) - 1] = '\0';
	expect_error(long_name, -ENOENT, "no such user");
	memcpy(long_name, "x@y.", 4);
	assert_int_equal(
		account_find(long_name, &ops, NULL, &(struct account_id){0}, (char[512]){""}, 512),
		ACCOUNT_GUESSED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(as_it_is_written),
		cmocka_unit_test(uid_without_a_word),
		cmocka_unit_test(domain_finds_its_owner),
		cmocka_unit_test(international_domain),
		cmocka_unit_test(address_finds_its_owner),
		cmocka_unit_test(domain_without_an_owner),
		cmocka_unit_test(what_is_no_account),
		cmocka_unit_test(hostile_bytes),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
