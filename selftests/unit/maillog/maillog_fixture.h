/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * maillog_fixture.h - for the tests of the Postfix log: one that is fed by hand. The lines are
 * those of Postfix 3.7.11, run for it, with its forms of other settings and versions beside them:
 * long queue ids, unquoted addresses (info_log_address_format = internal, and all before 3.5),
 * soft_bounce, other syslog_name.
 */
#ifndef SMTPL_TEST_MAILLOG_FIXTURE_H
#define SMTPL_TEST_MAILLOG_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include "base/clock.h"
#include "maillog/maillog.h"
#include "maillog/maillog_passes.h"
#include "maillog/maillog_sight.h"

#define RELAY	    102
#define CALLER	    1007
#define WALL	    1795314448ll
#define RECORDS_MAX 64
#define REFUSAL                                                                                    \
	"Domain susp.test has exceeded the max defers and failures per hour (7/5 (58%)) allowed. " \
	"Message discarded. Sending is possible again at 2026-11-21T14:05:00Z."
#define TAIL ", delay=0.04, delays=0.01/0.03/0/0"
#define MX   "relay=203.0.113.1[203.0.113.1]:25" TAIL
#define SENT ", dsn=2.0.0, status=sent (250 2.0.0 Ok: queued as 4XYZabc)"
#define BOUNCED                                                                                    \
	", dsn=5.1.1, status=bounced (host 203.0.113.1[203.0.113.1] said: 550 5.1.1 <x>: User "    \
	"unknown (in reply to RCPT TO command))"
#define NONE(dsn, status, text) "relay=none" TAIL ", dsn=" dsn ", status=" status " (" text ")"
/* What an address says of itself, to be read as Postfix's words. */
#define FORGED(status) ">, relay=mx[1.2.3.4]:25, delay=0, delays=0/0/0/0, dsn=2.0.0, status=" status

struct log {
	struct maillog *p;
	struct delivery_report records[RECORDS_MAX];
	size_t count;
	uint32_t asked_port;
	int asked;
	int64_t wall_ns;
};

static struct log current;

static inline bool caller(void *arg, const uint8_t addr[16], uint32_t port, int64_t wall_ns,
			  uint32_t *uid)
{
	struct log *log = arg;

	assert_int_equal(wall_ns, log->wall_ns);
	log->asked++;
	log->asked_port = port;
	*uid = CALLER;
	return addr[12] == 127;
}

static inline void record(void *arg, const struct delivery_report *r)
{
	struct log *log = arg;

	assert_true(log->count < RECORDS_MAX);
	log->records[log->count++] = *r;
}

static inline int set_up_max(size_t max)
{
	const struct maillog_ops ops = {caller, record, RELAY, 42};

	memset(&current, 0, sizeof(current));
	current.wall_ns = WALL * NS_PER_S;
	current.p = maillog_new(&ops, &current, max);
	assert_non_null(current.p);
	maillog_begin(current.p, true);
	return 0;
}

static inline int set_up(void **state)
{
	(void)state;
	return set_up_max(1000);
}

static inline int tear_down(void **state)
{
	(void)state;
	maillog_free(current.p);
	return 0;
}

static inline void says_as(const char *ident, const char *pid, const char *text)
{
	const struct maillog_line line = {
		.wall_ns = current.wall_ns,
		.ident = {ident, strlen(ident)},
		.pid = {pid, strlen(pid)},
		.text = {text, strlen(text)},
	};

	maillog_take(current.p, &line, true);
}

static inline void says(const char *ident, const char *text)
{
	says_as(ident, "1", text);
}

/* The only record that there is; it is taken away. */
static inline const struct delivery_report *reported(uint32_t kind, uint8_t outcome)
{
	assert_int_equal(current.count, 1);
	current.count = 0;
	assert_int_equal(current.records[0].kind, kind);
	assert_int_equal(current.records[0].outcome, outcome);
	assert_int_equal(current.records[0].mta, FEED_POSTFIX);
	assert_int_equal(current.records[0].relay_uid, RELAY);
	assert_int_equal(current.records[0].wall_ns, current.wall_ns);
	return &current.records[0];
}

static inline void silent(void)
{
	assert_int_equal(current.count, 0);
}

static inline void submit(const char *id, const char *from)
{
	char text[512];

	snprintf(text, sizeof(text), "%s: uid=1001 from=<%s>", id, from);
	says("postfix/pickup", text);
	snprintf(text, sizeof(text), "%s: message-id=<20261122022728.%s@host.test>", id, id);
	says("postfix/cleanup", text);
	snprintf(text, sizeof(text), "%s: from=<%s>, size=237, nrcpt=3 (queue active)", id, from);
	says("postfix/qmgr", text);
}

#endif
