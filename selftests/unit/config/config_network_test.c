/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * config_network_test.c - lists of hosts: what is one, and which addresses are within.
 */
#include <arpa/inet.h>
#include "config/config_key.h"
#include "config_fixture.h"

static bool has(const char *list, const char *address)
{
	struct config c;
	uint8_t addr[16];
	char text[256], mapped[64];

	snprintf(text, sizeof(text), "[accounts]\ntrusted_hosts = %s\n", list);
	c = read_good(text);
	snprintf(mapped, sizeof(mapped), "%s%s", strchr(address, ':') ? "" : "::ffff:", address);
	assert_int_equal(inet_pton(AF_INET6, mapped, addr), 1);
	return config_networks_has(&c.trusted, addr);
}

static void test_inside(void **state)
{
	(void)state;
	assert_true(has("192.0.2.7", "192.0.2.7"));
	assert_false(has("192.0.2.7", "192.0.2.6"));
	assert_true(has("10.0.0.1, 192.0.2.64/26", "192.0.2.64"));
	assert_true(has("10.0.0.1, 192.0.2.64/26", "192.0.2.127"));
	assert_true(has("10.0.0.1 192.0.2.64/26", "10.0.0.1"));
	assert_false(has("192.0.2.64/26", "192.0.2.63"));
	assert_false(has("192.0.2.64/26", "192.0.2.128"));
	assert_true(has("2001:db8::/32", "2001:db8:ffff::1"));
	assert_false(has("2001:db8::/32", "2001:db9::1"));
	assert_false(has("2001:db8::/32", "192.0.2.7"));
	assert_true(has("0.0.0.0/0", "198.51.100.1"));
	assert_false(has("0.0.0.0/0", "2001:db8::1"));
	assert_false(has("", "192.0.2.7"));
}

static void test_outside(void **state)
{
	static const char *const bad[] = {"web1",	   "192.0.2",	    "192.0.2.0/33",
					  "192.0.2.7/24",  "192.0.2.0/",    "192.0.2.0/24/8",
					  "2001:db8::/16", "2001:db8::/129"};
	char text[128], expected[320];

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		snprintf(text, sizeof(text), "[accounts]\ntrusted_hosts = %s\n", bad[i]);
		snprintf(expected, sizeof(expected),
			 "t.conf:2: trusted_hosts = \"%s\": \"%s\" is no host: want addresses and "
			 "networks, like 192.0.2.7, 192.0.2.0/24 or 2001:db8::/32",
			 bad[i], bad[i]);
		expect_error(text, expected);
	}
}

/* What is printed is what was read. */
static void test_printed(void **state)
{
	static const char list[] = "192.0.2.7,192.0.2.64/26,0.0.0.0/0,2001:db8::/32,::1";
	const struct config_key *key = config_key_find("accounts", "trusted_hosts");
	char text[256], *printed;
	struct config c;
	size_t size;
	FILE *out = open_memstream(&printed, &size);

	(void)state;
	snprintf(text, sizeof(text), "[accounts]\ntrusted_hosts = %s\n", list);
	c = read_good(text);
	key->type->write(key, &c, out);
	fclose(out);
	assert_string_equal(printed, list);
	free(printed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_inside),
		cmocka_unit_test(test_outside),
		cmocka_unit_test(test_printed),
	};

	return run_config_tests(tests, sizeof(tests) / sizeof(tests[0]));
}
