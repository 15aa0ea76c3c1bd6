/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * owners_test.c - the owners of domains by the files of each panel, our own file and the output of
 * a command; the exact words of every error; every bound from both sides.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "lib/owners_fixture.h"
#include "who/account.h"
#include "../base/nomem.h"

#define OWN "/etc/smtplimit/domains"

static struct owners *read_good(enum config_source source)
{
	char error[CONFIG_ERROR_SIZE] = "";
	struct owners *owners = NULL;

	config.source = source;
	if (owners_read_root(root, &config, NULL, 0, &owners, error, sizeof(error)))
		fail_msg("%s", error);
	assert_non_null(owners);
	return owners;
}

static void expect_of(enum config_source source, const char *rows, size_t unknown,
		      const char *read_from)
{
	struct owners *owners = read_good(source);

	assert_string_equal(listing(owners), rows);
	assert_int_equal(owners_unknown(owners), unknown);
	assert_string_equal(owners_source(owners), read_from);
	owners_free(owners);
}

static void expect_error_of(enum config_source source, int code, const char *expected)
{
	struct owners *before = (struct owners *)root, *owners = before;
	char error[CONFIG_ERROR_SIZE] = "";

	config.source = source;
	assert_int_equal(owners_read_root(root, &config, NULL, 0, &owners, error, sizeof(error)),
			 code);
	assert_string_equal(error, expected);
	assert_ptr_equal(owners, before);
}

static void expect_output(const char *output, const char *rows)
{
	struct owners *owners = NULL;
	char error[CONFIG_ERROR_SIZE] = "";

	config.source = CONFIG_SOURCE_COMMAND;
	if (owners_read_root(root, &config, output, strlen(output), &owners, error, sizeof(error)))
		fail_msg("%s", error);
	assert_string_equal(listing(owners), rows);
	assert_string_equal(owners_source(owners), "command");
	owners_free(owners);
}

static void expect_output_error(const char *output, size_t size, const char *expected)
{
	struct owners *owners = NULL;
	char error[CONFIG_ERROR_SIZE] = "";

	config.source = CONFIG_SOURCE_COMMAND;
	assert_int_equal(
		owners_read_root(root, &config, output, size, &owners, error, sizeof(error)),
		-EINVAL);
	assert_string_equal(error, expected);
	assert_null(owners);
}

static void test_cpanel(void **state)
{
	struct owners *owners;
	uint32_t uid = 7;

	(void)state;
	config.relays.uid[config.relays.count++] = 8;
	write_text("/etc/userdomains", "*: nobody\n"
				       "Shop.Example.COM: alice\n"
				       "example.com: alice\r\n"
				       "*.example.com: alice\n"
				       "example.com: bob\n"
				       "b_1.example.:bob\n"
				       "host.example: root\n"
				       "m.example: mail\n"
				       "n.example: nobody\n"
				       "nn.example: nfsnobody\n"
				       "gone.example: deleted\n"
				       "gone2.example: deleted\n"
				       "\xc3\xbc.example: carol");
	write_text("/etc/trueuserdomains", "true.example: alice\n");
	users_asked = 0;
	expect_of(CONFIG_SOURCE_CPANEL,
		  "b_1.example=1001 example.com=1000 shop.example.com=1000 \xc3\xbc.example=1002",
		  2, "cpanel /etc/userdomains");
	/* Each user once: alice, bob, root, mail, nobody (for n.example), nfsnobody, deleted,
	 * carol. */
	assert_int_equal(users_asked, 8);

	owners = read_good(CONFIG_SOURCE_CPANEL);
	assert_true(owners_same(owners, owners));
	assert_false(owners_same(owners, NULL));
	assert_true(owners_find(owners, "shop.example.com", &uid));
	assert_int_equal(uid, 1000);
	uid = 7;
	assert_false(owners_find(owners, "a.shop.example.com", &uid));
	assert_false(owners_find(owners, "", &uid));
	assert_false(owners_find(NULL, "example.com", &uid));
	assert_int_equal(uid, 7);
	owners_free(owners);
}

static void test_cpanel_without_userdomains(void **state)
{
	(void)state;
	expect_error_of(CONFIG_SOURCE_CPANEL, -ENOENT,
			"/etc/userdomains: cannot be read: No such file or directory");
	write_text("/etc/trueuserdomains", "true.example: alice\n");
	expect_of(CONFIG_SOURCE_CPANEL, "true.example=1000", 0, "cpanel /etc/trueuserdomains");
	write_text("/etc/userdomains", "");
	expect_of(CONFIG_SOURCE_CPANEL, "", 0, "cpanel /etc/userdomains");
}

static void point(const char *name, const char *target)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/etc/virtual/%s", root, name);
	assert_int_equal(symlink(target, path), 0);
}

static void test_directadmin(void **state)
{
	(void)state;
	expect_error_of(CONFIG_SOURCE_DIRECTADMIN, -ENOENT,
			"/etc/virtual/domainowners: cannot be read: No such file or directory");
	write_text("/etc/virtual/domainowners", "a.example: alice\nb.example: bob\n");
	write_text("/etc/virtual/a.example/passwd", "");
	write_text("/etc/virtual/c.example/passwd", "");
	point("pa.example", "a.example");
	point("PB.example", "/etc/virtual/b.example/");
	point("pp.example", "./a.example");
	point("b.example", "a.example");  /* has a row of its own */
	point("px.example", "c.example"); /* nobody's */
	point("py.example", "/home/b.example");
	point("pz.example", "../b.example");
	point("p q", "a.example");
	expect_of(CONFIG_SOURCE_DIRECTADMIN,
		  "a.example=1000 b.example=1001 pa.example=1000 pb.example=1001 pp.example=1000",
		  0, "directadmin /etc/virtual/domainowners");
}

static void test_hestia(void **state)
{
	static const char users_path[] = "/usr/local/hestia/data/users";
	char error[256];

	(void)state;
	snprintf(error, sizeof(error), "%s: cannot be read: No such file or directory", users_path);
	expect_error_of(CONFIG_SOURCE_HESTIA, -ENOENT, error);

	write_text(
		"/usr/local/hestia/data/users/alice/web.conf",
		"DOMAIN='a.example' IP='192.0.2.1' ALIAS='www.a.example,*.a.example,,x.example'"
		" SSL='no'\n\n"
		"X_DOMAIN='wrong.example' DOMAIN='b.example' ALIAS='' NODOMAIN='wrong.example'\n");
	write_text("/usr/local/hestia/data/users/alice/mail.conf",
		   "DOMAIN='m.example' ANTISPAM='yes'\n");
	write_text("/usr/local/hestia/data/users/bob/dns.conf",
		   "IP='192.0.2.1' DOMAIN='d.example'\nDOMAIN='x.example'\n");
	write_text("/usr/local/hestia/data/users/bob/user.conf", "NAME='Bob'\n");
	write_text("/usr/local/hestia/data/users/deleted/web.conf", "DOMAIN='gone.example'\n");
	write_text("/usr/local/hestia/data/users/.trash/web.conf", "nonsense\n");
	write_text("/usr/local/hestia/data/users/README", "nonsense\n");
	/* x.example is in two users' files: which is read first is not defined. */
	write_text("/usr/local/hestia/data/users/bob/dns.conf", "IP='' DOMAIN='d.example'\n");
	expect_of(CONFIG_SOURCE_HESTIA,
		  "a.example=1000 b.example=1000 d.example=1001 m.example=1000 www.a.example=1000 "
		  "x.example=1000",
		  1, "hestia /usr/local/hestia/data/users");

	write_text("/usr/local/hestia/data/users/bob/mail.conf",
		   "DOMAIN='e.example'\n\nXDOMAIN='e.example'\n");
	snprintf(error, sizeof(error),
		 "%s/bob/mail.conf:3: \"XDOMAIN='e.example'\": want DOMAIN='NAME' in each line",
		 users_path);
	expect_error_of(CONFIG_SOURCE_HESTIA, -EINVAL, error);
	write_text("/usr/local/hestia/data/users/bob/mail.conf", "DOMAIN='e.example");
	snprintf(error, sizeof(error),
		 "%s/bob/mail.conf:1: \"DOMAIN='e.example\": want DOMAIN='NAME' in each line",
		 users_path);
	expect_error_of(CONFIG_SOURCE_HESTIA, -EINVAL, error);
}

static void test_hestia_elsewhere(void **state)
{
	char *line = malloc(70000), *at = line;

	(void)state;
	setenv("HESTIA", "/srv/h", 1);
	/* A line may be longer than in other formats, but it has a bound. */
	at += sprintf(at, "DOMAIN='a.example' ALIAS='");
	while (at - line < 65536 - 12)
		at += sprintf(at, "b.example,");
	sprintf(at, "'");
	write_text("/srv/h/data/users/alice/web.conf", line);
	expect_of(CONFIG_SOURCE_HESTIA, "a.example=1000 b.example=1000", 0,
		  "hestia /srv/h/data/users");
	sprintf(at, "%*s", (int)(65537 - (at - line)), "'");
	write_text("/srv/h/data/users/alice/web.conf", line);
	expect_error_of(CONFIG_SOURCE_HESTIA, -EINVAL,
			"/srv/h/data/users/alice/web.conf:1: 65537 bytes: want lines of at most "
			"65536");
	unsetenv("HESTIA");
	free(line);
}

static void test_file(void **state)
{
	(void)state;
	expect_error_of(CONFIG_SOURCE_FILE, -ENOENT,
			OWN ": cannot be read: No such file or directory");
	write_text(OWN, "# ours\n"
			"\n"
			" \t a.example  : \t alice \t\r\n"
			"\t# more\n"
			"b.example: uid:1234\n"
			"c.example:\tuid:4294967293\n"
			"d.example: uid:0\n"
			"e.example: uid:65534\n"
			"*.f.example: uid:1\n"
			"g.example: 1000\n"
			"h.example: uid:1234");
	expect_of(CONFIG_SOURCE_FILE,
		  "a.example=1000 b.example=1234 c.example=4294967293 h.example=1234", 1,
		  "file " OWN);
	snprintf(config.owners_file, sizeof(config.owners_file), "/srv/x");
	write_text("/srv/x", "x.example: bob\n");
	expect_of(CONFIG_SOURCE_FILE, "x.example=1001", 0, "file /srv/x");
}

static void test_errors(void **state)
{
	static const struct {
		const char *line;
		const char *error;
	} cases[] = {
		{"a.example alice", "\"a.example alice\": want DOMAIN: USER, one domain a line"},
		{"a.example:", "\"a.example:\": want DOMAIN: USER, one domain a line"},
		{": alice", "\": alice\": want DOMAIN: USER, one domain a line"},
		{":", "\":\": want DOMAIN: USER, one domain a line"},
		{"a b: alice", "\"a b\": is no domain: want a name like example.com"},
		{"a:b: alice", "\"a:b\": is no domain: want a name like example.com"},
		{"a@b: alice", "\"a@b\": is no domain: want a name like example.com"},
		{"a\x1b[2J: alice", "\"a\\x1b[2J\": is no domain: want a name like example.com"},
		{".: alice", "\".\": is no domain: want a name like example.com"},
		{"a..b: alice", "\"a..b\": is no domain: want a name like example.com"},
		{"a..: alice", "\"a..\": is no domain: want a name like example.com"},
		{".a: alice", "\".a\": is no domain: want a name like example.com"},
		{"*a: alice", "\"*a\": is no domain: want a name like example.com"},
		{"a.*: alice", "\"a.*\": is no domain: want a name like example.com"},
		{"a: al ice", "\"al ice\": is no user: want a name without blanks and colons"},
		{"a: al\x07", "\"al\\x07\": is no user: want a name without blanks and colons"},
		{"a: alice # me",
		 "\"alice # me\": is no user: want a name without blanks and colons"},
		{"a:uid:5", "\"a:uid\": is no domain: want a name like example.com"},
		{"a: uid:", "\"uid:\": want uid:N, N a whole number from 0 to 4294967294"},
		{"a: uid:x", "\"uid:x\": want uid:N, N a whole number from 0 to 4294967294"},
		{"a: uid:-1", "\"uid:-1\": want uid:N, N a whole number from 0 to 4294967294"},
		{"a: uid:4294967295",
		 "\"uid:4294967295\": want uid:N, N a whole number from 0 to 4294967294"},
		{"a: uid:00000000000000001",
		 "\"uid:00000000000000001\": want uid:N, N a whole number from 0 to 4294967294"},
	};
	char text[256], expected[256];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		snprintf(text, sizeof(text), "# one\nx.example: bob\n  %s \nalso wrong\n",
			 cases[i].line);
		snprintf(expected, sizeof(expected), OWN ":3: %s", cases[i].error);
		write_text(OWN, text);
		expect_error_of(CONFIG_SOURCE_FILE, -EINVAL, expected);
		expect_error_of(CONFIG_SOURCE_AUTO, -EINVAL, expected);
	}
	write_bytes(OWN, "x\nx\0y: bob\n", 11);
	expect_error_of(CONFIG_SOURCE_FILE, -EINVAL,
			OWN ":1: \"x\": want DOMAIN: USER, one domain a line");
	write_bytes(OWN, "\nx\0y: bob\n", 10);
	expect_error_of(CONFIG_SOURCE_FILE, -EINVAL, OWN ":2: a zero byte: want a text file");
	write_text(OWN, "x.example: bob\ny.example: broken\n");
	expect_error_of(CONFIG_SOURCE_FILE, -EIO,
			OWN ":2: \"broken\": the passwd database cannot be asked: Input/output "
			    "error");
}

static void test_no_regular_file(void **state)
{
	(void)state;
	write_text(OWN "/x", "");
	expect_error_of(CONFIG_SOURCE_FILE, -EISDIR, OWN ": cannot be read: Is a directory");
	snprintf(config.owners_file, sizeof(config.owners_file), "/pipe");
	assert_int_equal(mkfifo(below("/pipe"), 0600), 0);
	expect_error_of(CONFIG_SOURCE_FILE, -EINVAL, "/pipe: want a regular file");
	memset(config.owners_file, 'x', sizeof(config.owners_file) - 1);
	config.owners_file[0] = '/';
	config.owners_file[sizeof(config.owners_file) - 1] = '\0';
	config.source = CONFIG_SOURCE_FILE;
	{
		char error[64] = "";
		struct owners *owners = NULL;

		assert_int_equal(
			owners_read_root(root, &config, NULL, 0, &owners, error, sizeof(error)),
			-ENAMETOOLONG);
	}
}

static void test_auto(void **state)
{
	(void)state;
	expect_of(CONFIG_SOURCE_AUTO, "", 0, "none");
	write_text(
		"/usr/local/hestia/data/users/carol/web.conf",
		"DOMAIN='1.example'\nDOMAIN='2.example'\nDOMAIN='3.example'\nDOMAIN='4.example'\n");
	expect_of(CONFIG_SOURCE_AUTO, "1.example=1002 2.example=1002 3.example=1002 4.example=1002",
		  0, "hestia /usr/local/hestia/data/users");
	write_text("/etc/virtual/domainowners",
		   "1.example: uid:3\n2.example: uid:3\n3.example: uid:3\n5.example: none\n");
	write_text("/etc/userdomains", "1.example: bob\n2.example: bob\n");
	write_text(OWN, "1.example: alice\n5.example: nobody\n");
	point("4.example", "3.example");
	point("6.example", "1.example");
	expect_of(CONFIG_SOURCE_AUTO,
		  "1.example=1000 2.example=1001 3.example=3 4.example=3 6.example=1000", 1,
		  "file " OWN ", cpanel /etc/userdomains, directadmin /etc/virtual/domainowners, "
		  "hestia /usr/local/hestia/data/users");
	expect_of(CONFIG_SOURCE_FILE, "1.example=1000", 0, "file " OWN);
	expect_of(CONFIG_SOURCE_NONE, "", 0, "none");
	write_text("/etc/userdomains", "1.example: bob\n2.example\n");
	expect_error_of(CONFIG_SOURCE_AUTO, -EINVAL,
			"/etc/userdomains:2: \"2.example\": want DOMAIN: USER, one domain a line");
}

static void test_command(void **state)
{
	(void)state;
	expect_output("a.example: alice\n# x\nb.example: uid:5\n", "a.example=1000 b.example=5");
	expect_output("gone.example: deleted\n", "");
	expect_output_error("", 0,
			    "output of the command: no domain in it: want lines of DOMAIN: USER");
	expect_output_error("# \n*: nobody\n", 13,
			    "output of the command: no domain in it: want lines of DOMAIN: USER");
	expect_output_error(
		"a.example\talice\n", 16,
		"output of the command:1: \"a.example\\x09alice\": want DOMAIN: USER, one "
		"domain a line");
}

static void test_lengths(void **state)
{
	char text[2048], domain[300], key[SMTPL_DOMAIN_SIZE], expected[512];
	struct owners *owners;
	uint32_t uid;

	(void)state;
	memset(text, ' ', sizeof(text));
	memcpy(text, "a.example: alice", 16);
	strcpy(text + OWNERS_LINE_BYTES, "\nb.example: bob\n");
	write_text(OWN, text);
	expect_of(CONFIG_SOURCE_FILE, "a.example=1000 b.example=1001", 0, "file " OWN);
	memset(text, ' ', sizeof(text));
	memcpy(text, "a.example: alice", 16);
	strcpy(text + OWNERS_LINE_BYTES + 1, "\nb.example: bob\n");
	write_text(OWN, text);
	expect_error_of(CONFIG_SOURCE_FILE, -EINVAL,
			OWN ":1: 1025 bytes: want lines of at most 1024");

	/* 253 bytes and a dot: found by the key that mail has, too. */
	memset(domain, 'x', sizeof(domain));
	domain[253] = '\0';
	snprintf(text, sizeof(text), "%s.: alice\n", domain);
	write_text(OWN, text);
	owners = read_good(CONFIG_SOURCE_FILE);
	assert_int_equal(account_domain_key(domain, key), 0);
	assert_true(owners_find(owners, key, &uid));
	owners_free(owners);
	snprintf(text, sizeof(text), "%sx.: alice\n", domain);
	write_text(OWN, text);
	snprintf(expected, sizeof(expected),
		 OWN ":1: \"%.127s\": is no domain: want a name like example.com", domain);
	expect_error_of(CONFIG_SOURCE_FILE, -EINVAL, expected);
}

static void test_file_size(void **state)
{
	(void)state;
	write_text(OWN, "");
	assert_int_equal(truncate(below(OWN), OWNERS_FILE_BYTES + 1), 0);
	expect_error_of(CONFIG_SOURCE_FILE, -EFBIG, OWN ": want a file of at most 64 MiB");
	assert_int_equal(truncate(below(OWN), OWNERS_FILE_BYTES), 0);
	expect_error_of(CONFIG_SOURCE_FILE, -EINVAL,
			OWN ":1: 67108864 bytes: want lines of at most 1024");
}

static void test_domains_max(void **state)
{
	char *text = malloc(32 * (size_t)(OWNERS_MAX + 2)), *at = text;
	struct owners *owners = NULL;
	char error[256] = "";
	uint32_t uid;

	(void)state;
	config.source = CONFIG_SOURCE_COMMAND;
	for (unsigned int i = 0; i < OWNERS_MAX; i++)
		at += sprintf(at, "%u.example: uid:%u\n", i, i + 100000);
	at += sprintf(at, "5.example: alice\n");
	assert_int_equal(owners_read_root(root, &config, text, (size_t)(at - text), &owners, error,
					  sizeof(error)),
			 0);
	assert_int_equal(owners_count(owners), OWNERS_MAX);
	for (unsigned int i = 0; i < OWNERS_MAX; i += 997) {
		snprintf(error, sizeof(error), "%u.example", i);
		assert_true(owners_find(owners, error, &uid));
		assert_int_equal(uid, i + 100000);
	}
	owners_free(owners);
	owners = NULL;
	at += sprintf(at, "more.example: alice\nnever.example\n");
	assert_int_equal(owners_read_root(root, &config, text, (size_t)(at - text), &owners, error,
					  sizeof(error)),
			 -E2BIG);
	assert_string_equal(error, "output of the command:1000002: want at most 1000000 domains");
	assert_null(owners);
	free(text);
}

/* Whatever allocation fails: it is an error, nothing is lost, and the next reading is complete. */
static void test_no_memory(void **state)
{
	struct owners *owners = NULL;
	char error[CONFIG_ERROR_SIZE];
	int result = -1;

	(void)state;
	if (!NOMEM_WORKS)
		skip();
	write_text("/etc/virtual/domainowners", "1.example: bob\n2.example: alice\n");
	write_text("/usr/local/hestia/data/users/carol/web.conf", "DOMAIN='3.example'\n");
	write_text(OWN, "5.example: carol\n");
	point("4.example", "1.example");
	config.source = CONFIG_SOURCE_AUTO;
	for (long n = 0; result; n++) {
		error[0] = '\0';
		nomem_after(n);
		result = owners_read_root(root, &config, NULL, 0, &owners, error, sizeof(error));
		nomem_after(-1);
		if (!result)
			break;
		assert_int_equal(result, -ENOMEM);
		assert_null(owners);
		assert_true(error[0]);
		assert_true(n < 100);
	}
	assert_string_equal(listing(owners), "1.example=1001 2.example=1000 3.example=1002 "
					     "4.example=1001 5.example=1002");
	owners_free(owners);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		OWNERS_TEST(test_cpanel),
		OWNERS_TEST(test_cpanel_without_userdomains),
		OWNERS_TEST(test_directadmin),
		OWNERS_TEST(test_hestia),
		OWNERS_TEST(test_hestia_elsewhere),
		OWNERS_TEST(test_file),
		OWNERS_TEST(test_errors),
		OWNERS_TEST(test_no_regular_file),
		OWNERS_TEST(test_auto),
		OWNERS_TEST(test_command),
		OWNERS_TEST(test_lengths),
		OWNERS_TEST(test_file_size),
		OWNERS_TEST(test_domains_max),
		OWNERS_TEST(test_no_memory),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("owners", tests, NULL, NULL);
}
