// SPDX-License-Identifier: GPL-2.0-only
/*
 * remote_test.c - names and identities of remotes, and bytes that are no name.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <libpsl.h>
#include <stdio.h>
#include <string.h>
#include "core/remote.h"
#include "core/remotes.h"

#define SEED 0

struct row {
	const char *host;
	const char *addr;
	const char *rcpt;
	const char *name;
};

static void address(const char *text, uint8_t addr[16])
{
	char mapped[64];

	memset(addr, 0, 16);
	if (!text)
		return;
	snprintf(mapped, sizeof(mapped), "%s%s", strchr(text, ':') ? "" : "::ffff:", text);
	assert_int_equal(inet_pton(AF_INET6, mapped, addr), 1);
}

static uint32_t identify_seeded(uint64_t seed, const struct row *row, char name[REMOTE_NAME_SIZE])
{
	uint8_t addr[16];

	address(row->addr, addr);
	memset(name, 'x', REMOTE_NAME_SIZE);
	return remote_identity(seed, row->host, addr, row->rcpt, name);
}

static uint32_t identify(const struct row *row, char name[REMOTE_NAME_SIZE])
{
	return identify_seeded(SEED, row, name);
}

static void check_rows(const struct row *rows, size_t count)
{
	char name[REMOTE_NAME_SIZE];

	for (size_t i = 0; i < count; i++) {
		uint32_t identity = identify(&rows[i], name);

		assert_string_equal(name, rows[i].name);
		if (name[0])
			assert_true(identity > REMOTES_ANYWHERE);
		else
			assert_int_equal(identity, 0);
	}
}

#define CHECK_ROWS(rows) check_rows(rows, sizeof(rows) / sizeof((rows)[0]))

static void test_registered_domain(void **state)
{
	static const struct row rows[] = {
		{"mx.google.com", NULL, NULL, "google.com"},
		{"google.com", NULL, NULL, "google.com"},
		{"ALT1.Gmail-SMTP-in.L.Google.COM.", "192.0.2.1", "a@b.example", "google.com"},
		{"mx.a.example.co.uk", NULL, NULL, "example.co.uk"},
		{"mx.example.xn--p1ai", NULL, NULL, "example.xn--p1ai"},
		{"mail_1.example.net", NULL, NULL, "example.net"},
		/* Nobody registered that top-level domain: the list's rule for the rest. */
		{"mail.host.localdomain", NULL, NULL, "host.localdomain"},
	};

	(void)state;
	assert_non_null(psl_builtin());
	CHECK_ROWS(rows);
}

static void test_network(void **state)
{
	static const struct row rows[] = {
		{NULL, "203.0.113.9", NULL, "203.0.113.0/24"},
		{"", "203.0.113.255", "a@b.example", "203.0.113.0/24"},
		{NULL, "2001:db8:1:2::25", NULL, "2001:db8:1::/48"},
		{NULL, "2001:db8::25", NULL, "2001:db8::/48"},
		{NULL, "::1", NULL, "::/48"},
	};

	(void)state;
	CHECK_ROWS(rows);
}

static void test_recipient(void **state)
{
	static const struct row rows[] = {
		{NULL, NULL, "bob@partner.example", "partner.example"},
		{"", NULL, "bob@Mail.Partner.Example.", "partner.example"},
		{"co.uk", NULL, "\"a@b\"@partner.example", "partner.example"},
		{NULL, NULL, "bob", ""},
		{NULL, NULL, "bob@", ""},
		{NULL, NULL, "bob@[192.0.2.1]", ""},
		{NULL, NULL, "", ""},
		{NULL, NULL, NULL, ""},
	};
	char name[REMOTE_NAME_SIZE];

	(void)state;
	CHECK_ROWS(rows);
	assert_int_equal(remote_identity(SEED, NULL, NULL, NULL, name), 0);
}

static void test_no_host_name(void **state)
{
	static const char *const hosts[] = {
		"localhost",
		"com",
		"co.uk",
		"203.0.113.7",
		"[203.0.113.7]",
		"2001:db8::1",
		".example.net",
		"a..example.net",
		"example.net..",
		"mx example.net",
		"mx.example\n.net",
		"mx.\xc3\xbc.example",
		"mx.ex\x80mple.net",
		".",
		"mx/../example.net",
	};
	char long_label[80], long_name[600] = "";

	(void)state;
	for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
		const struct row row = {hosts[i], "192.0.2.1", NULL, "192.0.2.0/24"};

		check_rows(&row, 1);
	}
	snprintf(long_label, sizeof(long_label), "mx.%064d.net", 0);
	check_rows(&(struct row){long_label, "192.0.2.1", NULL, "192.0.2.0/24"}, 1);
	for (int i = 0; i < 50; i++)
		strcat(long_name, "abcdefghi.");
	strcat(long_name, "net");
	check_rows(&(struct row){long_name, "192.0.2.1", NULL, "192.0.2.0/24"}, 1);
	/* 253 bytes are the longest name, with a dot behind it or without. */
	check_rows(&(struct row){long_name + 250, "192.0.2.1", NULL, "abcdefghi.net"}, 1);
	strcat(long_name, ".");
	check_rows(&(struct row){long_name + 250, "192.0.2.1", NULL, "abcdefghi.net"}, 1);
	long_name[249] = 'z';
	check_rows(&(struct row){long_name + 249, "192.0.2.1", NULL, "192.0.2.0/24"}, 1);
}

/* With one seed, one name is one identity, however it came about and in every process. */
static void test_identity(void **state)
{
	char name[REMOTE_NAME_SIZE];
	uint32_t google = identify(&(struct row){.host = "a.google.com"}, name);

	(void)state;
	assert_int_equal(identify(&(struct row){.host = "b.GOOGLE.com."}, name), google);
	assert_int_equal(identify(&(struct row){.rcpt = "x@google.com"}, name), google);
	assert_int_not_equal(identify(&(struct row){.host = "mx.gogle.com"}, name), google);
	assert_int_not_equal(identify(&(struct row){.addr = "192.0.2.1"}, name),
			     identify(&(struct row){.addr = "192.0.3.1"}, name));
	assert_int_equal(identify(&(struct row){.addr = "192.0.2.1"}, name),
			 identify(&(struct row){.addr = "192.0.2.200"}, name));
	assert_int_equal(google, 0x8def28dc);
	/* Its hash would be REMOTES_ANYWHERE. */
	assert_int_equal(identify(&(struct row){.host = "zgpjmodnb.com"}, name), 3);
}

/* Names that share an identity with one seed share none with the others: nobody can choose a name
 * to meet another's identity. What is no remote stays none. */
static void test_seed(void **state)
{
	enum { SEEDS = 1000 };
	static const struct row rows[] = {
		{.host = "mx.google.com"},
		{.addr = "192.0.2.1"},
		{.rcpt = "bob@partner.example"},
	};
	/* Both are 0x043f777c with the seed 0. */
	static const struct row twins[] = {{.host = "shop369684.example"},
					   {.host = "shop51165.example"}};
	char name[REMOTE_NAME_SIZE];
	size_t met = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(identify_seeded(7, &rows[i], name),
				 identify_seeded(7, &rows[i], name));
		for (uint64_t seed = 1; seed <= SEEDS; seed++)
			assert_int_not_equal(identify_seeded(seed, &rows[i], name),
					     identify(&rows[i], name));
	}
	assert_int_equal(identify(&twins[0], name), identify(&twins[1], name));
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		met += identify_seeded(seed, &twins[0], name) ==
		       identify_seeded(seed, &twins[1], name);
		assert_int_equal(identify_seeded(seed, &(struct row){.host = "localhost"}, name),
				 0);
	}
	assert_int_equal(met, 0);
}

static uint64_t chance(uint64_t *seed, uint64_t below)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed % below;
}

/* Whatever the bytes are: a name has no byte that hosts do not have, and it names itself. */
static void test_any_bytes(void **state)
{
	static const char alphabet[] = "abzAZ019-_...@[]: \n\x80\xff/";
	uint64_t seed = 0x2545f4914f6cdd1dull;
	char host[REMOTE_NAME_SIZE + 64], name[REMOTE_NAME_SIZE], again[REMOTE_NAME_SIZE];
	size_t named = 0;

	(void)state;
	print_message("seed 0x%llx\n", (unsigned long long)seed);
	for (int step = 0; step < 200000; step++) {
		size_t size = chance(&seed, chance(&seed, 50) ? 12 : sizeof(host));
		size_t letters = chance(&seed, 2) ? 13 : sizeof(alphabet) - 1;
		uint32_t identity;

		for (size_t i = 0; i < size; i++)
			host[i] = alphabet[chance(&seed, letters)];
		host[size] = '\0';
		identity = remote_identity(SEED, host, NULL, NULL, name);
		assert_int_equal(identity != 0, name[0] != '\0');
		assert_int_not_equal(identity, REMOTES_ANYWHERE);
		assert_int_equal(strspn(name, "abz019-_."), strlen(name));
		if (!identity)
			continue;
		named++;
		assert_int_equal(remote_identity(SEED, name, NULL, NULL, again), identity);
		assert_string_equal(again, name);
	}
	assert_true(named > 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_registered_domain), cmocka_unit_test(test_network),
		cmocka_unit_test(test_recipient),	  cmocka_unit_test(test_no_host_name),
		cmocka_unit_test(test_identity),	  cmocka_unit_test(test_seed),
		cmocka_unit_test(test_any_bytes),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("remote", tests, NULL, NULL);
}
