// SPDX-License-Identifier: GPL-2.0-only
/*
 * daemon_submission_test.c - which note of the kernel's says who is behind a connection: by both of
 * its ends, where the mail server tells its own, else by the client's alone.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "../base/fake_clock.h"
#include "daemon/daemon.h"

#define ALICE  1001
#define BOB    1002
#define COOKIE 4711

#define LOOPBACK(last)                                                                             \
	{                                                                                          \
		[10] = 0xff, 0xff, 127, 0, 0, last                                                 \
	}

/* One port of alice's and bob's, to one server each; bob spoke last, at 9 s. */
static const struct {
	struct smtpl_caller_key key;
	struct smtpl_caller caller;
} notes[] = {
	{{COOKIE, {LOOPBACK(1), 40001}, {LOOPBACK(1), 25}}, {ALICE, 1, NS_PER_S}},
	{{COOKIE, {LOOPBACK(1), 40001}, {LOOPBACK(2), 25}}, {BOB, 2, 9000000000}},
	{{COOKIE, {LOOPBACK(1), 40001}, {{0}, 0}}, {BOB, 2, 9000000000}},
};

int bpf_maps_get_caller(struct bpf_maps *maps, const struct smtpl_caller_key *key,
			struct smtpl_caller *caller)
{
	(void)maps;
	for (size_t i = 0; i < sizeof(notes) / sizeof(*notes); i++) {
		if (memcmp(&notes[i].key, key, sizeof(*key)))
			continue;
		*caller = notes[i].caller;
		return 0;
	}
	return -ENOENT;
}

enum smtpl_role daemon_role(void *arg, uint32_t uid)
{
	(void)arg;
	(void)uid;
	return SMTPL_ROLE_DIRECT;
}

bool daemon_owner(void *arg, const char *domain, uint32_t *uid)
{
	(void)arg;
	(void)domain;
	(void)uid;
	return false;
}

bool daemon_exempts(void *arg, const char *domain)
{
	(void)arg;
	(void)domain;
	return false;
}

bool daemon_is_local(void *arg, const uint8_t addr[16])
{
	(void)arg;
	return addr[12] == 127;
}

static struct daemon the_daemon = {.meta.netns_cookie = COOKIE};

static struct submission to_server(uint8_t last, uint32_t port)
{
	struct submission o = {.known = SUBMISSION_HAS_CLIENT,
			       .client = LOOPBACK(1),
			       .client_port = 40001,
			       .server = LOOPBACK(last),
			       .server_port = port,
			       .sender = "x@a.example"};

	return o;
}

/* 0: not a user, the sender's domain. */
static uint32_t payer(uint8_t last, uint32_t port)
{
	struct submission o = to_server(last, port);
	struct account_id id;
	enum payer_why why;

	assert_int_equal(daemon_payer(&the_daemon, &o, &id, &why), PAYER_ACCOUNT);
	if (id.kind == ACCOUNT_UID)
		return id.uid;
	assert_string_equal(id.domain, "a.example");
	return 0;
}

static void by_both_ends(void **unused)
{
	(void)unused;
	assert_int_equal(payer(1, 25), ALICE);
	assert_int_equal(payer(2, 25), BOB);
}

static void nobody_at_another_server(void **unused)
{
	(void)unused;
	assert_int_equal(payer(1, 587), 0);
	assert_int_equal(payer(3, 25), 0);
}

static void by_the_clients_alone(void **unused)
{
	(void)unused;
	assert_int_equal(payer(0, 0), BOB);
	assert_int_equal(payer(1, 0), BOB); /* half an end is none */
}

static void at_that_time(void **unused)
{
	struct submission o = to_server(1, 25);
	uint32_t uid = 0;

	(void)unused;
	assert_true(daemon_caller_then(&the_daemon, &o, 2000000000, &uid));
	assert_int_equal(uid, ALICE);
	o.server_port = 0;
	assert_false(daemon_caller_then(&the_daemon, &o, 2000000000, &uid));
	assert_true(daemon_caller_then(&the_daemon, &o, 9000000000, &uid));
	assert_int_equal(uid, BOB);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(by_both_ends),
		cmocka_unit_test(nobody_at_another_server),
		cmocka_unit_test(by_the_clients_alone),
		cmocka_unit_test(at_that_time),
	};

	fake_boot_ns = 10 * NS_PER_S;
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
