/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * config_text_test.c - the texts of [notify]: mail addresses, the URL of the webhook and the file
 * with its secret. Paths and commands are in config_value_test.c.
 */
#include "config_fixture.h"

#include <sys/stat.h>

static void expect_bad(const char *key, const char *value, const char *want)
{
	char text[512], expected[1024];

	snprintf(text, sizeof(text), "[notify]\n%s = %s\n", key, value);
	snprintf(expected, sizeof(expected), "t.conf:2: %s = \"%s\": %s", key, value, want);
	expect_error(text, expected);
}

static void test_addresses(void **state)
{
	static const char want[] = "want one mail address, like postmaster@example.com";
	static const char *const bad[] = {
		"a b@example.com",
		"@example.com",
		"root@",
		"-f@example.com",
		"a@b@",
		"a@b, c@d",
		"<a@example.com>",
		"Root <a@example.com>",
		"a@.example.com",
		"a@-example.com",
		"a@exam ple.com",
		"$(id)@example.com",
		"a..b@localhost",
		"root@localhost.",
	};
	char text[512], admins[128];

	(void)state;
	snprintf(admins, sizeof(admins), "%s, or a user of this host, like root", want);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		expect_bad("admin", bad[i], admins);
		expect_bad("from", bad[i], want);
	}
	expect_bad("admin", "a\xc3\xa4@b", admins);
	expect_bad("admin", "-f", admins);
	expect_bad("from", "root", want);
	assert_string_equal(read_good("[notify]\nadmin = root").notify_admin, "root");
	assert_string_equal(read_good("[notify]\nadmin = root@localhost").notify_admin,
			    "root@localhost");
	assert_string_equal(read_good("[notify]\nadmin = o'neil+x@mail.example").notify_admin,
			    "o'neil+x@mail.example");
	assert_string_equal(read_good("[notify]\nfrom = root@localhost").notify_from,
			    "root@localhost");
	assert_string_equal(read_good("[notify]\nfrom =").notify_from, "");
	snprintf(text, sizeof(text), "[notify]\nadmin = %064d@example.com", 0);
	assert_int_equal(strlen(read_good(text).notify_admin), 76);
	snprintf(text, sizeof(text), "%065d@example.com", 0);
	expect_bad("admin", text, admins);
}

static void test_webhook(void **state)
{
	static const char want[] = "want a URL that begins with https:// or http://, without "
				   "blanks, like https://example.com/hook";
	static const char *const bad[] = {
		"example.com",	 "ftp://example.com/", "https://",
		"https:///x",	 "https://a b",	       "HTTPS://example.com/",
		"http://<host>", "file:///etc/passwd", "https://example.com/\"",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		expect_bad("webhook", bad[i], want);
	assert_string_equal(
		read_good("[notify]\nwebhook = http://[::1]:8080/x?a=b;c").notify_webhook,
		"http://[::1]:8080/x?a=b;c");
	assert_string_equal(read_good("[notify]\nwebhook =").notify_webhook, "");
}

static void make_secret(const char *path, const char *text, mode_t mode)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fputs(text, f);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(chmod(path, mode), 0);
}

static void expect_secret(const char *path, const char *want)
{
	char text[512], expected[1024];

	snprintf(text, sizeof(text), "[notify]\nwebhook_secret_file = %s\n", path);
	snprintf(expected, sizeof(expected), "t.conf:2: webhook_secret_file = \"%s\": %s", path,
		 want);
	if (*want)
		expect_error(text, expected);
	else
		assert_string_equal(read_good(text).notify_secret_file, path);
}

static void test_secret(void **state)
{
	char path[128];

	(void)state;
	snprintf(path, sizeof(path), "%s/secret", directory);
	expect_secret(path, "cannot read it: No such file or directory");
	expect_secret("secret", "want an absolute path of a file, not /, of printable characters");
	expect_secret(directory, "is no regular file: want a file with the secret");
	make_secret(path, "x", 0640);
	expect_secret(path, "has the mode 0640: want a file that only root can read (chmod 600)");
	make_secret(path, "x", 0604);
	expect_secret(path, "has the mode 0604: want a file that only root can read (chmod 600)");
	make_secret(path, "", 0600);
	expect_secret(path, "is empty: want a file with the secret");
	make_secret(path, "x", 0600);
	expect_secret(path, "");
	make_secret(path, "x", 0400);
	expect_secret(path, "");
	if (!chown(path, 4711, 0))
		expect_secret(path, "belongs to the uid 4711: want a file of root (chown root)");
	assert_int_equal(unlink(path), 0);
}

static void test_customer(void **state)
{
	struct config c;

	(void)state;
	expect_bad("customer", "cpanel", "want off, panel, file or command");
	expect_error("[notify]\ncustomer = file\n",
		     "t.conf:2: customer = \"file\": want customer_file = and its path in [notify] "
		     "as well");
	expect_error("[notify]\ncustomer_command =\ncustomer = command\n",
		     "t.conf:3: customer = \"command\": want customer_command = and what to run in "
		     "[notify] as well");
	expect_bad("customer_file", "customers",
		   "want an absolute path of a file, not /, of printable characters");
	c = read_good("[notify]\ncustomer = file\ncustomer_file = /etc/customers\n");
	assert_int_equal(c.notify_customer, CONFIG_CUSTOMER_FILE);
	assert_string_equal(c.notify_customer_file, "/etc/customers");
	c = read_good("[notify]\ncustomer = command\ncustomer_command = mysql -N\n  -e x\n"
		      "command = logger -t mail\n");
	assert_int_equal(c.notify_customer, CONFIG_CUSTOMER_COMMAND);
	assert_string_equal(c.notify_customer_command, "mysql -N -e x");
	assert_string_equal(c.notify_command, "logger -t mail");
	assert_int_equal(read_good("[notify]\ncustomer = panel").notify_customer,
			 CONFIG_CUSTOMER_PANEL);
}

/* A contact is a part of an SMTP reply: one line of ASCII. */
static void test_contact(void **state)
{
	static const char ascii[] =
		"want a text of printable ASCII characters, as mail servers take it";
	char text[256];

	(void)state;
	snprintf(text, sizeof(text), "[refuse]\ncontact = %0128d", 0);
	assert_int_equal(strlen(read_good(text).contact), 128);
	assert_string_equal(read_good("[refuse]\ncontact =").contact, "");
	expect_error("[refuse]\ncontact = a\x1b[2J\n",
		     "t.conf:2: contact = \"a\\x1b[2J\": want a text of printable ASCII "
		     "characters, as mail servers take it");
	snprintf(text, sizeof(text), "t.conf:2: contact = \"\xc3\xa4\": %s", ascii);
	expect_error("[refuse]\ncontact = \xc3\xa4\n", text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_contact),	 cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_webhook),	 cmocka_unit_test(test_secret),
		cmocka_unit_test(test_customer),
	};

	return run_config_tests(tests, sizeof(tests) / sizeof(tests[0]));
}
