// SPDX-License-Identifier: GPL-2.0-only
/*
 * services_test.c - who becomes a service user by its name, by Postfix or by what it carries, and
 * that no customer does.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include "config/config_value.h"
#include "owners/services.h"

#define SPAMD 110
#define LIST  38
#define VMAIL 5000
#define SYMPA 1003 /* a customer */
#define WEB   33

static char passwd[] = "/tmp/smtplimit-passwd-XXXXXX";
static char login_defs[] = "/tmp/smtplimit-login-XXXXXX";
static struct config config;
static struct owners *owners;

static void write_file(char *path, const char *text)
{
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

static int setup(void **state)
{
	(void)state;
	write_file(passwd, "root:x:0:0::/:/bin/sh\nspamd:x:110:110::/:/bin/sh\n"
			   "list:x:38:38::/:/bin/sh\nvmail:x:5000:5000::/:/bin/sh\n"
			   "sympa:x:1003:1003::/:/bin/sh\nwww-data:x:33:33::/:/bin/sh\n"
			   "amavis:x:0:0::/:/bin/sh\n");
	write_file(login_defs, "# UID_MIN 5\nUID_MIN\t\t 500  \nUID_MINE 7\n");
	config_defaults(&config);
	owners = owners_new();
	assert_non_null(owners);
	return owners_add(owners, "sympa.example", SYMPA);
}

static int teardown(void **state)
{
	(void)state;
	unlink(passwd);
	unlink(login_defs);
	owners_free(owners);
	return 0;
}

static void read_all(struct services *s)
{
	services_read(s, &config, owners, passwd, login_defs);
}

static void test_names(void **state)
{
	struct services s;

	(void)state;
	read_all(&s);
	assert_int_equal(s.count, 3);
	assert_int_equal(s.uid_min, 500);
	assert_int_equal(services_find(&s, SPAMD)->role, SMTPL_ROLE_SERVICE);
	assert_int_equal(services_find(&s, SPAMD)->why, SMTPL_SERVICE_NAME);
	assert_int_equal(services_find(&s, LIST)->role, SMTPL_ROLE_LISTS);
	assert_non_null(services_find(&s, VMAIL));
	assert_null(services_find(&s, SYMPA)); /* who owns a domain is a customer */
	assert_null(services_find(&s, WEB));
	assert_null(services_find(&s, 0));
}

static void test_said_otherwise(void **state)
{
	struct services s;

	(void)state;
	config_uids_add(&config.directs, SPAMD);
	config_uids_add(&config.relays, LIST);
	config_uids_add(&config.exempts, VMAIL);
	read_all(&s);
	assert_int_equal(s.count, 0);
	assert_false(services_add(&s, &config, owners, SPAMD, SMTPL_SERVICE_CARRIES));
	config_defaults(&config);
}

static void test_carries(void **state)
{
	struct services s;

	(void)state;
	read_all(&s);
	assert_true(services_add(&s, &config, owners, WEB, SMTPL_SERVICE_CARRIES));
	assert_false(services_add(&s, &config, owners, WEB, SMTPL_SERVICE_CARRIES));
	assert_true(services_add(&s, &config, owners, 65534, SMTPL_SERVICE_CARRIES));
	assert_true(services_add(&s, &config, owners, 499, SMTPL_SERVICE_CARRIES));
	assert_false(services_add(&s, &config, owners, 500, SMTPL_SERVICE_CARRIES));
	assert_false(services_add(&s, &config, owners, SYMPA, SMTPL_SERVICE_CARRIES));
	assert_false(services_add(&s, &config, owners, 100101, SMTPL_SERVICE_CARRIES));
	assert_false(services_add(&s, &config, owners, 0, SMTPL_SERVICE_CARRIES));
}

static void test_pipe(void **state)
{
	struct services s;

	(void)state;
	read_all(&s);
	assert_true(services_add(&s, &config, owners, 1500, SMTPL_SERVICE_PIPE));
	assert_false(services_add(&s, &config, owners, SYMPA, SMTPL_SERVICE_PIPE));
	assert_int_equal(services_find(&s, 1500)->role, SMTPL_ROLE_SERVICE);
}

static void test_bound(void **state)
{
	struct services s;

	(void)state;
	read_all(&s);
	for (uint32_t uid = 2000; uid < 2000 + SERVICES_MAX; uid++)
		services_add(&s, &config, NULL, uid, SMTPL_SERVICE_PIPE);
	assert_int_equal(s.count, SERVICES_MAX);
}

static void test_no_files(void **state)
{
	struct services s;

	(void)state;
	services_read(&s, &config, NULL, "/nowhere", "/nowhere");
	assert_int_equal(s.count, 0);
	assert_int_equal(s.uid_min, 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),	cmocka_unit_test(test_said_otherwise),
		cmocka_unit_test(test_carries), cmocka_unit_test(test_pipe),
		cmocka_unit_test(test_bound),	cmocka_unit_test(test_no_files),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("services", tests, setup, teardown);
}
