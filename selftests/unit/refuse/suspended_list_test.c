// SPDX-License-Identifier: GPL-2.0-only
/*
 * suspended_list_test.c - the file `suspended` has every name of who is suspended and no other,
 * whatever names strangers have chosen for their domains.
 */
#include <errno.h>
#include <pwd.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "refuse/suspended.h"
#include "refuse/suspended_list.h"

#define ALICE 4000001
#define BOB   4000002
#define RELAY 4000010
#define UNTIL 1000

/* In place of the kernel's maps: alice is suspended, bob was, and `domains` are. */
static const char *domains[8];
static unsigned int asked;
static char directory[64], path[80];

int bpf_maps_each_uid(struct bpf_maps *maps,
		      int (*each)(void *arg, const uint32_t *uid, const struct smtpl_uid *value),
		      void *arg)
{
	const uint32_t uids[] = {BOB, ALICE};
	const struct smtpl_uid values[] = {{.suspension.until_ns = 1},
					   {.suspension.until_ns = UNTIL}};
	int err = 0;

	(void)maps;
	for (size_t i = 0; i < 2 && !err; i++)
		err = each(arg, &uids[i], &values[i]);
	return err;
}

int bpf_maps_each_domain(struct bpf_maps *maps,
			 int (*each)(void *arg, const struct smtpl_domain_key *key,
				     const struct smtpl_suspension *value),
			 void *arg)
{
	const struct smtpl_suspension value = {.until_ns = UNTIL};
	int err = 0;

	(void)maps;
	for (size_t i = 0; domains[i] && !err; i++) {
		struct smtpl_domain_key key = {0};

		snprintf((char *)key.domain, sizeof(key.domain), "%s", domains[i]);
		err = each(arg, &key, &value);
	}
	return err;
}

struct passwd *getpwuid(uid_t uid)
{
	static struct passwd alice = {.pw_name = (char *)"alice"};

	return uid == ALICE ? &alice : NULL;
}

static enum smtpl_role role_of(void *arg, uint32_t uid)
{
	(void)arg;
	return uid == RELAY ? SMTPL_ROLE_RELAY : SMTPL_ROLE_DIRECT;
}

/* arg: the list's, its owners. */
static bool owner_of(void *arg, const char *domain, uint32_t *uid)
{
	return owners_find(arg, domain, uid);
}

static bool refusal(void *arg, const struct account_id *id, struct responder_answer *answer)
{
	(void)arg;
	asked++;
	if (id->kind == ACCOUNT_UID && id->uid != ALICE)
		return false;
	*answer = (struct responder_answer){
		.known = 1, .bad = 7, .min = 5, .percent = 58, .domain = "own.example"};
	return true;
}

/* The names in the file, each with a blank behind it, in order. */
static const char *names(void)
{
	static char found[1024];
	FILE *f = fopen(path, "r");
	char line[1024];

	found[0] = '\0';
	assert_non_null(f);
	while (fgets(line, sizeof(line), f)) {
		assert_non_null(strstr(line, ": 550 5.7.1 Domain "));
		strncat(found, line, strcspn(line, ":"));
		strcat(found, " ");
	}
	fclose(f);
	return found;
}

static void write_list(const struct owners *owners)
{
	const struct suspended_list list = {.run = directory,
					    .owners = owners,
					    .payer = {role_of, owner_of},
					    .refusal = refusal,
					    .arg = (void *)(uintptr_t)owners,
					    .now_ns = UNTIL - 1};

	asked = 0;
	assert_int_equal(suspended_list_write(&list), 0);
}

static int begin(void **unused)
{
	(void)unused;
	memset(domains, 0, sizeof(domains));
	snprintf(directory, sizeof(directory), "/tmp/smtplimit-list-XXXXXX");
	if (!mkdtemp(directory))
		return -1;
	snprintf(path, sizeof(path), "%s/" SUSPENDED_FILE, directory);
	return 0;
}

static int end(void **unused)
{
	(void)unused;
	unlink(path);
	return rmdir(directory);
}

static void every_name_of_the_suspended(void **unused)
{
	struct owners *owners = owners_new();

	(void)unused;
	domains[0] = "x.example";
	domains[1] = "a.example"; /* alice's now: listed with her */
	assert_int_equal(owners_add(owners, "a.example", ALICE), 0);
	assert_int_equal(owners_add(owners, "b.example", BOB), 0);
	write_list(owners);
	assert_string_equal(names(), "alice 4000001 x.example a.example ");
	owners_free(owners);
}

/* It pays for itself, so nobody else's line would name it. */
static void domains_that_a_relay_owns(void **unused)
{
	struct owners *owners = owners_new();

	(void)unused;
	domains[0] = "relay.example";
	domains[1] = "b.example"; /* bob's, who is not suspended any more */
	assert_int_equal(owners_add(owners, "relay.example", RELAY), 0);
	assert_int_equal(owners_add(owners, "b.example", BOB), 0);
	write_list(owners);
	assert_string_equal(names(), "alice 4000001 relay.example ");
	owners_free(owners);
}

/* Who names "a:b" in MAIL FROM and is suspended must not keep the others out of the file. */
static void names_that_cannot_be_listed(void **unused)
{
	(void)unused;
	domains[0] = "[ipv6:::1]";
	domains[1] = "#.example";
	domains[2] = "\"a.example";
	domains[3] = "x.example";
	write_list(NULL);
	assert_string_equal(names(), "alice 4000001 x.example ");
}

/* A domain named like a user, or like the number of one, is no reason to refuse that user. */
static void domains_that_look_like_users(void **unused)
{
	(void)unused;
	domains[0] = "bob";
	domains[1] = "4000002";
	domains[2] = "x.example";
	write_list(NULL);
	assert_string_equal(names(), "alice 4000001 x.example ");
}

/* It is written in the daemon's loop: what others own costs no question to the kernel. */
static void others_domains_are_not_asked_for(void **unused)
{
	struct owners *owners = owners_new();
	char domain[32];

	(void)unused;
	for (unsigned int i = 0; i < 1000; i++) {
		snprintf(domain, sizeof(domain), "b%u.example", i);
		assert_int_equal(owners_add(owners, domain, BOB), 0);
	}
	assert_int_equal(owners_add(owners, "a.example", ALICE), 0);
	write_list(owners);
	assert_string_equal(names(), "alice 4000001 a.example ");
	assert_int_equal(asked, 3);
	owners_free(owners);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(every_name_of_the_suspended, begin, end),
		cmocka_unit_test_setup_teardown(domains_that_a_relay_owns, begin, end),
		cmocka_unit_test_setup_teardown(names_that_cannot_be_listed, begin, end),
		cmocka_unit_test_setup_teardown(domains_that_look_like_users, begin, end),
		cmocka_unit_test_setup_teardown(others_domains_are_not_asked_for, begin, end),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
