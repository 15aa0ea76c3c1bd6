// SPDX-License-Identifier: GPL-2.0-only
/*
 * daemon_feed_test.c - whose mail it was that Exim tells of, when all that is known is the client's
 * port: who had it when the message came in, not who has it now. And what is too old to be judged.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "../base/fake_clock.h"
#include "daemon/daemon.h"

#define ALICE	  1001
#define BOB	  1002
#define RELAY	  101
#define SUBMITTED 1763781743ll /* by the message's id */
#define HOUR	  3600

/* In place of the kernel's map: since when the port is bob's; alice had it before. */
static int64_t bob_has_it_since_s;
static struct submission asked;
static unsigned int told;
static enum own_fault fault; /* the last; OWN_FAULT_NONE: none since the last report */
static bool told_past;

enum smtpl_role daemon_role(void *arg, uint32_t uid)
{
	(void)arg;
	return uid == RELAY ? SMTPL_ROLE_RELAY : SMTPL_ROLE_DIRECT;
}

bool daemon_is_local(void *arg, const uint8_t addr[16])
{
	(void)arg;
	return addr[12] == 198;
}

void daemon_fault(struct daemon *d, enum own_fault said, const char *text, size_t text_size)
{
	(void)d;
	(void)text;
	assert_int_equal(text_size, SMTPL_TEXT_SIZE);
	fault = said;
}

/* The map has the last one alone. */
bool daemon_caller_then(struct daemon *a, const struct submission *o, int64_t wall_ns,
			uint32_t *uid)
{
	(void)a;
	assert_int_equal(o->client[15], 1);
	assert_int_equal(o->client_port, 40001);
	assert_int_equal(o->server_port, 587);
	*uid = bob_has_it_since_s ? BOB : ALICE;
	return bob_has_it_since_s * NS_PER_S <= wall_ns;
}

enum payer_kind daemon_payer(struct daemon *a, const struct submission *o, struct account_id *id,
			     enum payer_why *why)
{
	(void)why;
	(void)a;
	(void)id;
	asked = *o;
	return PAYER_NOBODY;
}

int pipeline_report(struct pipeline *p, uint32_t mta, const struct outcome *t, uint64_t now_ns)
{
	(void)p;
	(void)mta;
	(void)now_ns;
	told++;
	told_past = t->age_s >= HOUR;
	return 0;
}

void pipeline_feed_begin(struct pipeline *p, uint32_t relay_uid, uint32_t mta, uint64_t now_ns)
{
	(void)p;
	(void)relay_uid;
	(void)mta;
	(void)now_ns;
}

void pipeline_feed_end(struct pipeline *p, uint32_t relay_uid, enum pipeline_feed_stop why,
		       uint64_t now_ns)
{
	(void)p;
	(void)relay_uid;
	(void)why;
	(void)now_ns;
}

static struct delivery_report record(const char *id)
{
	struct delivery_report r = {.kind = REPORT_OUTCOME,
				    .mta = FEED_EXIM,
				    .relay_uid = RELAY,
				    .wall_ns = (SUBMITTED + HOUR) * NS_PER_S,
				    .submission = {.known = SUBMISSION_HAS_CLIENT,
						   .client_port = 40001,
						   .server_port = 587,
						   .client = {[10] = 0xff, 0xff, 127, 0, 0, 1},
						   .sender = "x@a.example"}};

	snprintf(r.id, sizeof(r.id), "%s", id);
	return r;
}

static struct daemon the_daemon = {.config.rule.window_s = HOUR};

static void tell(const struct delivery_report *r)
{
	told = 0;
	daemon_on_record(&the_daemon, r);
	assert_int_equal(told, 1);
}

/* It is no outcome: whose fault it is. */
static enum own_fault tell_at_home(const struct delivery_report *r)
{
	told = 0;
	fault = OWN_FAULT_NONE;
	daemon_on_record(&the_daemon, r);
	assert_int_equal(told, 0);
	return fault;
}

/* Mail to this host is nobody's outcome, at whichever address; that its server does not answer is a
 * fault, what it answers is its business. */
static void mail_to_this_host(void **unused)
{
	static const uint8_t ours[16] = {[10] = 0xff, 0xff, 198, 51, 100, 1};
	struct delivery_report r = record("");

	(void)unused;
	memcpy(r.dest, ours, sizeof(ours));
	r.outcome = SMTP_DEFERRED;
	assert_int_equal(tell_at_home(&r), OWN_FAULT_SERVER);
	r.code = 452;
	assert_int_equal(tell_at_home(&r), OWN_FAULT_NONE);
	r.outcome = SMTP_FAILED;
	r.code = 550;
	assert_int_equal(tell_at_home(&r), OWN_FAULT_NONE);
	r.outcome = SMTP_DELIVERED;
	assert_int_equal(tell_at_home(&r), OWN_FAULT_NONE);
	/* Where the host's own addresses are watched, it is mail like any other. */
	the_daemon.config.local = true;
	tell(&r);
	the_daemon.config.local = false;
	r.dest[12] = 203;
	tell(&r);
	r = record("");
	r.kind = REPORT_HOME;
	r.outcome = SMTP_DEFERRED;
	assert_int_equal(tell_at_home(&r), OWN_FAULT_SERVER);
	r.fault = OWN_FAULT_SETUP;
	assert_int_equal(tell_at_home(&r), OWN_FAULT_SETUP);
}

static void who_had_the_port(void **unused)
{
	struct delivery_report r = record("1vMeCd-000000005Hy-0001");

	(void)unused;
	bob_has_it_since_s = 0;
	tell(&r);
	assert_true(asked.known & SUBMISSION_HAS_CALLER);
	assert_int_equal(asked.caller, ALICE);
}

static void not_who_has_it_now(void **unused)
{
	struct delivery_report r = record("1vMeCd-000000005Hy-0001");

	(void)unused;
	bob_has_it_since_s = SUBMITTED + HOUR / 2;
	tell(&r);
	assert_false(asked.known & SUBMISSION_HAS_CALLER);
	assert_int_equal(asked.client_port, 0); /* nor is it asked for again */
}

/* Postfix's log was read with the caller of its time; an id that tells no time changes nothing. */
static void others_as_they_are(void **unused)
{
	struct delivery_report r = record("1vMeCd-000000005Hy-0001");

	(void)unused;
	r.mta = FEED_POSTFIX;
	tell(&r);
	assert_memory_equal(&asked, &r.submission, sizeof(asked));
	r = record("");
	tell(&r);
	assert_memory_equal(&asked, &r.submission, sizeof(asked));
	r = record("1vMeCd-000000005Hy-0001");
	r.submission.known = SUBMISSION_HAS_UID;
	tell(&r);
	assert_memory_equal(&asked, &r.submission, sizeof(asked));
}

/* Whether or not boot time goes back that far. */
static void older_than_the_window(void **unused)
{
	struct delivery_report r = record("1vMeCd-000000005Hy-0001");

	(void)unused;
	r.wall_ns = (time(NULL) - HOUR + 60) * NS_PER_S;
	tell(&r);
	assert_false(told_past);
	r.wall_ns = (time(NULL) - HOUR) * NS_PER_S;
	tell(&r);
	assert_true(told_past);
	r.wall_ns = 0;
	tell(&r);
	assert_false(told_past);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_had_the_port),   cmocka_unit_test(not_who_has_it_now),
		cmocka_unit_test(others_as_they_are), cmocka_unit_test(older_than_the_window),
		cmocka_unit_test(mail_to_this_host),
	};

	fake_boot_ns = 9 * HOUR * NS_PER_S;
	fake_booted_ns = (SUBMITTED - HOUR) * NS_PER_S;
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
