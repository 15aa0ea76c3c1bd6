// SPDX-License-Identifier: GPL-2.0-only
/*
 * payer_test.c - who pays, for each role of the sender and of the domain's owner.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>
#include "who/payer.h"

#define ALICE	1001
#define EXEMPT	1003
#define POSTFIX 89
#define SPAMD	90
#define LIST	38

static enum smtpl_role role_of(void *arg, uint32_t uid)
{
	(void)arg;
	assert_int_not_equal(uid, 0); /* root is nobody's choice */
	return uid == EXEMPT  ? SMTPL_ROLE_EXEMPT :
	       uid == POSTFIX ? SMTPL_ROLE_RELAY :
	       uid == SPAMD   ? SMTPL_ROLE_SERVICE :
	       uid == LIST    ? SMTPL_ROLE_LISTS :
				SMTPL_ROLE_DIRECT;
}

static bool owner_of(void *arg, const char *domain, uint32_t *uid)
{
	static const struct {
		const char *domain;
		uint32_t uid;
	} owners[] = {{"a.example", ALICE},
		      {"e.example", EXEMPT},
		      {"relay.example", POSTFIX},
		      {"root.example", 0}};

	(void)arg;
	assert_true(domain[0] && strlen(domain) < SMTPL_DOMAIN_SIZE);
	for (size_t i = 0; i < sizeof(owners) / sizeof(owners[0]); i++) {
		if (strcmp(owners[i].domain, domain) != 0)
			continue;
		*uid = owners[i].uid;
		return true;
	}
	return false;
}

static const struct payer_ops ops = {.role = role_of, .owner = owner_of};
static bool is_exempt(void *arg, const char *domain)
{
	(void)arg;
	return !strcmp(domain, "a.example") || !strcmp(domain, "lists.example");
}

static const struct payer_ops exempting = {.role = role_of, .owner = owner_of, .exempt = is_exempt};
static const struct payer_ops ownerless = {.role = role_of};
static const struct account_id untouched = {.kind = ACCOUNT_UID, .uid = 4242};

static struct account_id user(uint32_t uid)
{
	return (struct account_id){.kind = ACCOUNT_UID, .uid = uid};
}

static struct account_id domain(const char *name)
{
	struct account_id id = {.kind = ACCOUNT_DOMAIN};

	memcpy(id.domain, name, strlen(name));
	return id;
}

static void expect_user(uint32_t uid, enum payer_kind kind, struct account_id expected)
{
	struct account_id id = untouched;

	assert_int_equal(payer_of_user(&ops, NULL, uid, &id), kind);
	assert_memory_equal(&id, &expected, sizeof(id));
}

static void expect_domain(const struct payer_ops *by, const char *name, enum payer_kind kind,
			  struct account_id expected)
{
	struct account_id id = untouched;

	assert_int_equal(payer_of_domain(by, NULL, name, &id), kind);
	assert_memory_equal(&id, &expected, sizeof(id));
}

static void expect_mail(uint32_t uid, const char *name, struct payer expected)
{
	struct payer payer = payer_of_mail(&ops, NULL, uid, name);

	assert_memory_equal(&payer.id, &expected.id, sizeof(payer.id));
	assert_int_equal(payer.pays, expected.pays);
	assert_int_equal(payer.relay, expected.relay);
	assert_string_equal(payer_why_name(payer.why), payer_why_name(expected.why));
}

static void test_user(void **state)
{
	(void)state;
	expect_user(ALICE, PAYER_ACCOUNT, user(ALICE));
	expect_user(EXEMPT, PAYER_EXEMPT, user(EXEMPT));
	expect_user(POSTFIX, PAYER_NOBODY, untouched);
	expect_user(0, PAYER_NOBODY, untouched);
	expect_user(SPAMD, PAYER_NOBODY, untouched);
	expect_user(LIST, PAYER_NOBODY, untouched);
}

static void test_domain(void **state)
{
	(void)state;
	expect_domain(&ops, "a.example", PAYER_ACCOUNT, user(ALICE));
	expect_domain(&ops, "e.example", PAYER_EXEMPT, user(EXEMPT));
	expect_domain(&ops, "relay.example", PAYER_ACCOUNT, domain("relay.example"));
	expect_domain(&ops, "root.example", PAYER_ACCOUNT, domain("root.example"));
	expect_domain(&ops, "o.example", PAYER_ACCOUNT, domain("o.example"));
	expect_domain(&ops, "", PAYER_NOBODY, untouched);
	/* An owner pays all the same. */
	expect_domain(&exempting, "a.example", PAYER_ACCOUNT, user(ALICE));
	expect_domain(&exempting, "lists.example", PAYER_EXEMPT, domain("lists.example"));
	expect_domain(&exempting, "o.example", PAYER_ACCOUNT, domain("o.example"));
	expect_domain(&ownerless, "a.example", PAYER_ACCOUNT, domain("a.example"));
}

/* A key of the kernel's maps need not end with a NUL. */
static void test_domain_without_an_end(void **state)
{
	char key[SMTPL_DOMAIN_SIZE], ended[SMTPL_DOMAIN_SIZE] = "";

	(void)state;
	memset(key, 'x', sizeof(key));
	memset(ended, 'x', sizeof(ended) - 1);
	expect_domain(&ops, key, PAYER_ACCOUNT, domain(ended));
}

static void test_mail(void **state)
{
	(void)state;
	/* Whoever sends by himself pays, whichever domain he names. */
	expect_mail(ALICE, "o.example", (struct payer){user(ALICE), true, false, PAYER_WHY_SENDS});
	expect_mail(ALICE, "e.example", (struct payer){user(ALICE), true, false, PAYER_WHY_SENDS});
	expect_mail(ALICE, "", (struct payer){user(ALICE), true, false, PAYER_WHY_SENDS});
	expect_mail(EXEMPT, "a.example",
		    (struct payer){user(EXEMPT), false, false, PAYER_WHY_SENDS});
	/* A mail server's is as its domain says. */
	expect_mail(POSTFIX, "a.example", (struct payer){user(ALICE), true, true, PAYER_WHY_OWNER});
	expect_mail(POSTFIX, "e.example",
		    (struct payer){user(EXEMPT), false, true, PAYER_WHY_OWNER});
	expect_mail(POSTFIX, "relay.example",
		    (struct payer){domain("relay.example"), true, true, PAYER_WHY_DOMAIN});
	expect_mail(0, "o.example",
		    (struct payer){domain("o.example"), true, true, PAYER_WHY_DOMAIN});
	/* Whose mail a tunnel has, nobody knows; a list's is its domain's. */
	expect_mail(SPAMD, "a.example",
		    (struct payer){user(SPAMD), false, true, PAYER_WHY_NOTHING});
	expect_mail(SPAMD, "o.example",
		    (struct payer){user(SPAMD), false, true, PAYER_WHY_NOTHING});
	expect_mail(LIST, "a.example", (struct payer){user(ALICE), true, true, PAYER_WHY_OWNER});
	/* The null sender names nobody. */
	expect_mail(POSTFIX, "", (struct payer){user(POSTFIX), false, true, PAYER_WHY_NOTHING});
	expect_mail(0, "", (struct payer){user(0), false, true, PAYER_WHY_NOTHING});
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_user),
		cmocka_unit_test(test_domain),
		cmocka_unit_test(test_domain_without_an_end),
		cmocka_unit_test(test_mail),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("payer", tests, NULL, NULL);
}
