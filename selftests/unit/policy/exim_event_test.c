/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * exim_event_test.c - event lines of Exim, each word and each event, and replies as Exim words
 * them.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <arpa/inet.h>
#include <cmocka.h>
#include "base/clock.h"
#include "core/reply_class.h"
#include "policy/exim_event.h"

#define PEER 101

static int parse(const char *text, struct delivery_report *r)
{
	static char line[EXIM_EVENT_LINE_MAX + 1];

	memset(r, 0xee, sizeof(*r));
	snprintf(line, sizeof(line), "%s", text);
	return exim_event_parse(line, strlen(line), PEER, r);
}

static struct delivery_report record(const char *text)
{
	struct delivery_report r;
	int err = parse(text, &r);

	if (err)
		fail_msg("%s: %s", text, strerror(-err));
	return r;
}

static void test_delivery(void **state)
{
	static const uint8_t dest[16] = {[10] = 0xff, 0xff, 192, 0, 2, 25};
	struct delivery_report r = record(
		"exim event=msg:delivery id=1tEXmP-0001-Ab relay=93 uid=1001 proto=local "
		"account=uid:1001 auth64=YWxpY2U= addr= port= sender64=YUBleGFtcGxlLmNvbQ== "
		"rcpt64=YkBleGFtcGxlLm5ldA== orig64=YkBFWEFNUExFLm5ldA== errno=0 "
		"text64=MjUwIDIuMC4wIE9LIGlkPTE= host=192.0.2.25 hostport=25 transport=remote_smtp "
		"router=dnslookup time=1795269900");

	(void)state;
	assert_int_equal(r.kind, REPORT_OUTCOME);
	assert_int_equal(r.mta, FEED_EXIM);
	assert_int_equal(r.relay_uid, 93);
	assert_int_equal(r.outcome, SMTP_DELIVERED);
	assert_true(r.wall_ns == 1795269900ll * NS_PER_S);
	assert_int_equal(r.submission.known, SUBMISSION_HAS_UID | SUBMISSION_HAS_ACCOUNT);
	assert_int_equal(r.submission.uid, 1001);
	assert_int_equal(r.submission.account.uid, 1001);
	assert_string_equal(r.submission.auth, "alice");
	assert_string_equal(r.submission.sender, "a@example.com");
	assert_string_equal(r.submission.forwarder, "");
	assert_string_equal(r.rcpt, "b@example.net");
	assert_string_equal(r.id, "1tEXmP-0001-Ab");
	assert_int_equal(r.code, 250);
	assert_int_equal(r.enhanced[0], 2);
	assert_string_equal(r.text, "OK id=1");
	assert_memory_equal(r.dest, dest, 16);
}

static void test_events(void **state)
{
	static const struct {
		const char *event;
		int err;
		enum report_kind kind;
		enum smtp_outcome outcome;
	} events[] = {
		{"msg:delivery", 0, REPORT_OUTCOME, SMTP_DELIVERED},
		{"msg:fail:delivery", 0, REPORT_OUTCOME, SMTP_FAILED},
		{"msg:fail:internal", 0, REPORT_OUTCOME, SMTP_FAILED},
		{"msg:rcpt:defer", 0, REPORT_OUTCOME, SMTP_DEFERRED},
		{"msg:defer", 0, REPORT_OUTCOME, SMTP_DEFERRED},
		{"refused", 0, REPORT_REFUSED, SMTP_OUTCOME_NONE},
		{"msg:rcpt:host:defer", -ENOENT, 0, 0},
		{"msg:host:defer", -ENOENT, 0, 0},
		{"msg:complete", -ENOENT, 0, 0},
		{"tcp:connect", -ENOENT, 0, 0},
		{"", -EINVAL, 0, 0},
	};
	struct delivery_report r;
	char line[128];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(events) / sizeof(*events); i++) {
		snprintf(line, sizeof(line), "exim event=%s text64=MjUwIE9L", events[i].event);
		assert_int_equal(parse(line, &r), events[i].err);
		if (events[i].err)
			continue;
		assert_int_equal(r.kind, events[i].kind);
		assert_int_equal(r.outcome, events[i].outcome);
		/* Whatever the text says. */
		assert_int_equal(r.code, 250);
	}
}

/* Where the server does not know, it leaves the word empty. */
static void test_empty(void **state)
{
	static const uint8_t none[16];
	struct delivery_report r =
		record("exim event=msg:fail:internal id= relay= uid= proto= account= "
		       "auth64= addr= port= to= toport= sender64= rcpt64= orig64= text64= host= "
		       "time=");

	(void)state;
	assert_int_equal(r.relay_uid, PEER);
	assert_int_equal(r.submission.known, 0);
	assert_int_equal(r.wall_ns, 0);
	assert_int_equal(r.code, 0);
	assert_string_equal(r.rcpt, "");
	assert_string_equal(r.text, "");
	assert_memory_equal(r.dest, none, 16);
	assert_int_equal(record("exim event=msg:defer relay=exim host=mx.example").relay_uid, PEER);
}

/* Of mail that came by SMTP the uid is the server's own. */
static void test_submission(void **state)
{
	struct delivery_report r =
		record("exim event=msg:defer uid=93 proto=esmtpsa addr=192.0.2.1 "
		       "port=40001 to=192.0.2.2 toport=587 auth64=YWxpY2U= "
		       "account=domain:a.example");
	static const uint8_t server[16] = {[10] = 0xff, 0xff, 192, 0, 2, 2};

	(void)state;
	assert_int_equal(r.submission.known, SUBMISSION_HAS_CLIENT | SUBMISSION_HAS_ACCOUNT);
	assert_int_equal(r.submission.client_port, 40001);
	assert_memory_equal(r.submission.server, server, 16);
	assert_int_equal(r.submission.server_port, 587);
	assert_string_equal(r.submission.account.domain, "a.example");
	assert_int_equal(record("exim event=msg:defer uid=7 proto=local-esmtp").submission.known,
			 SUBMISSION_HAS_UID);
	assert_int_equal(record("exim event=msg:defer uid=7").submission.known, 0);
}

static void test_redirected(void **state)
{
	/* list@A.Example to b@example.net */
	struct delivery_report r = record("exim event=msg:defer rcpt64=YkBleGFtcGxlLm5ldA== "
					  "orig64=bGlzdEBBLkV4YW1wbGU=");

	(void)state;
	assert_int_equal(r.submission.known, SUBMISSION_REDIRECTED);
	assert_string_equal(r.submission.forwarder, "a.example");
	/* "@": there was none; "list": no domain; "@a.example": no name. */
	assert_int_equal(record("exim event=msg:defer rcpt64=YkBj orig64=QA==").submission.known,
			 0);
	assert_int_equal(
		record("exim event=msg:defer rcpt64=YkBj orig64=bGlzdA==").submission.known, 0);
	assert_int_equal(
		record("exim event=msg:defer rcpt64=YkBj orig64=QGEuZXhhbXBsZQ==").submission.known,
		0);
}

static void test_malformed(void **state)
{
	static const char *const lines[] = {
		"",
		"exim",
		"exim id=1",
		"postfix event=msg:defer",
		"event=msg:defer exim",
		"exim=1 event=msg:defer",
		"exim event=msg:defer sender64=?",
		"exim event=msg:defer rcpt64=YQ",
		"exim event=msg:defer orig64=AAAA",
		"exim event=msg:defer text64=Y",
		"exim event=msg:defer hostname64=Y",
		"exim event=msg:defer time=now",
		"exim event=msg:defer time=9223372037",
		"exim event=msg:defer uid=x proto=local",
		"exim event=msg:defer account=alice",
		"exim event=msg:defer "
		"id=1234567890123456789012345678901234567890123456789012345678901234",
	};
	struct delivery_report r, untouched;
	size_t i;

	(void)state;
	memset(&untouched, 0xee, sizeof(untouched));
	for (i = 0; i < sizeof(lines) / sizeof(*lines); i++) {
		if (parse(lines[i], &r) != -EINVAL)
			fail_msg("%s was taken", lines[i]);
		assert_memory_equal(&r, &untouched, sizeof(r));
	}
	assert_int_equal(exim_event_parse((char[]){"exim event=msg:defer\0 x"}, 22, PEER, &r),
			 -EINVAL);
}

static void test_replies(void **state)
{
	static const struct {
		const char *said;
		uint16_t code;
		uint16_t enhanced[3];
		const char *text;
	} replies[] = {
		{"550 5.1.1 no such user", 550, {5, 1, 1}, "no such user"},
		{"451 later", 451, {0, 0, 0}, "later"},
		{"250", 250, {0, 0, 0}, ""},
		{"552-5.2.2 full\n552 5.2.2 really", 552, {5, 2, 2}, "full really"},
		{"SMTP error from remote mail server after RCPT TO:<a@b>: 550 5.1.1 no",
		 550,
		 {5, 1, 1},
		 "no"},
		{"after RCPT TO:<\"x: 250 fine\"@b>: 451 4.7.1 later", 451, {4, 7, 1}, "later"},
		{"550 5.7.1 see: 250 OK", 550, {5, 7, 1}, "see: 250 OK"},
		/* As Exim hands it over. */
		{"552-5.2.2 full\\n552 5.2.2 of \\\\n\\t\\033",
		 552,
		 {5, 2, 2},
		 "full of \\n \\033"},
		{"552 no\\", 552, {0, 0, 0}, "no\\"},
		{"550 5.1.1001 x", 550, {0, 0, 0}, "5.1.1001 x"},
		{"550 3.1.1 x", 550, {0, 0, 0}, "3.1.1 x"},
		{"550 5.1 x", 550, {0, 0, 0}, "5.1 x"},
		{"5501 x", 0, {0, 0, 0}, "5501 x"},
		{"650 x", 0, {0, 0, 0}, "650 x"},
		{"Unrouteable address", 0, {0, 0, 0}, "Unrouteable address"},
		{"", 0, {0, 0, 0}, ""},
	};
	char long_text[SMTPL_TEXT_SIZE + 100];
	struct delivery_report r;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(replies) / sizeof(*replies); i++) {
		memset(&r, 0, sizeof(r));
		exim_event_reply(&r, replies[i].said);
		assert_string_equal(r.text, replies[i].text);
		assert_int_equal(r.code, replies[i].code);
		assert_memory_equal(r.enhanced, replies[i].enhanced, sizeof(r.enhanced));
	}
	memset(long_text, 'x', sizeof(long_text) - 1);
	long_text[sizeof(long_text) - 1] = '\0';
	exim_event_reply(&r, long_text);
	assert_int_equal(strlen(r.text), SMTPL_TEXT_SIZE - 1);
}

static void check_reply(const char *said, enum smtp_outcome outcome, uint16_t code,
			const char *text, enum reply_class class)
{
	struct delivery_report r = {.outcome = (uint8_t)outcome};
	struct reply reply = {.outcome = outcome, .text = r.text, .size = sizeof(r.text)};

	exim_event_reply(&r, said);
	reply.code = r.code;
	memcpy(reply.enhanced, r.enhanced, sizeof(reply.enhanced));
	assert_int_equal(r.code, code);
	assert_string_equal(r.text, text);
	assert_string_equal(reply_class_name(reply_class(&reply, NULL)), reply_class_name(class));
}
#define AFTER(command) "SMTP error from remote mail server after " command ": "

/* As Exim 4.96 words them; the replies are others'. */
static void test_classes(void **state)
{
	(void)state;
	check_reply(AFTER("RCPT TO:<x@one.test>") "550 5.1.1 User unknown", SMTP_FAILED, 550,
		    "User unknown", REPLY_RECIPIENT);
	check_reply(AFTER("RCPT TO:<x@one.test>") "550-5.1.1 The account that you tried to "
						  "reach\n550 5.1.1 does not exist: 250 sorry",
		    SMTP_FAILED, 550,
		    "The account that you tried to reach does not exist: 250 sorry",
		    REPLY_RECIPIENT);
	check_reply(
		AFTER("pipelined RCPT TO:<\"a>: 250 b\\\": 250 c\"@one.test>") "550 5.7.1 "
									       "blocked using zen.spamhaus.org",
		SMTP_FAILED, 550, "blocked using zen.spamhaus.org", REPLY_LISTED);
	check_reply(AFTER("MAIL FROM:<a@b> SIZE=1469") "host mx.far.test [2001:db8::25]: 451 "
						       "4.7.1 Greylisted",
		    SMTP_DEFERRED, 451, "Greylisted", REPLY_GREYLIST);
	check_reply(AFTER("pipelined end of data") "452 4.2.2 no room", SMTP_DEFERRED, 452,
		    "no room", REPLY_FULL);
	check_reply(AFTER("initial connection") "421 4.7.0 Too many connections: 550 here",
		    SMTP_DEFERRED, 421, "Too many connections: 550 here", REPLY_RATE);
	check_reply(AFTER("RCPT TO:<x@one.test>") "451 4.7.1 Greylisted: retry timeout exceeded",
		    SMTP_FAILED, 451, "Greylisted", REPLY_GREYLIST);
	check_reply("Connection refused", SMTP_DEFERRED, 0, "Connection refused", REPLY_NO_ANSWER);
	check_reply("Connection timed out", SMTP_DEFERRED, 0, "Connection timed out",
		    REPLY_NO_ANSWER);
	check_reply("Network is unreachable", SMTP_DEFERRED, 0, "Network is unreachable",
		    REPLY_NO_ANSWER);
	check_reply("Remote host closed connection in response to pipelined end of data",
		    SMTP_DEFERRED, 0,
		    "Remote host closed connection in response to pipelined end of data",
		    REPLY_NO_ANSWER);
	check_reply("Unrouteable address", SMTP_FAILED, 0, "Unrouteable address", REPLY_RECIPIENT);
	check_reply("a TLS session is required, but the server did not offer TLS support",
		    SMTP_DEFERRED, 0,
		    "a TLS session is required, but the server did not offer TLS support",
		    REPLY_OWN);
}

/* A line that the hook wrote with Exim 4.96, and one of the hook before it. */
static void test_host_and_age(void **state)
{
#define LINE                                                                                       \
	"exim event=msg:rcpt:defer id=1xYHOV-0000BI-2x relay=30101 uid=20001 proto=local "         \
	"rcpt64=YkBj errno=12877 text64=NDUwIGFzIGFza2Vk host=198.51.100.4 hostport=25 "
	struct delivery_report r = record(LINE "hostname64=TVgxLnRscy50ZXN0Lg== tls=TLS1.3 "
					       "transport=remote_smtp time=1796106685");

	(void)state;
	assert_int_equal(r.age_s, 10);
	assert_string_equal(r.host, "mx1.tls.test");
	assert_int_equal(r.port, 25);
	assert_string_equal(r.tls, "TLSv1.3");
	r = record(LINE "transport=remote_smtp time=1796106685");
	assert_int_equal(r.age_s, 10);
	assert_string_equal(r.host, "");
	assert_int_equal(r.port, 25);
	assert_string_equal(r.tls, "");
	assert_int_equal(record(LINE).age_s, REPORT_AGE_UNKNOWN);
	assert_int_equal(record(LINE "time=1796106600").age_s, 0);
	assert_int_equal(record(LINE "time=1896106600").age_s, REPORT_AGE_MAX_S);
	assert_int_equal(record("exim event=msg:defer id=x time=1796106600").age_s,
			 REPORT_AGE_UNKNOWN);
}

/* What a host is called is a stranger's choice; a failure has the port of some other host. */
static void test_odd_hosts(void **state)
{
	(void)state;
	assert_int_equal(record("exim event=msg:fail:delivery host= hostport=25").port, 0);
	assert_int_equal(record("exim event=msg:defer host=192.0.2.1 hostport=-1").port, 0);
	assert_int_equal(record("exim event=msg:defer host=192.0.2.1 hostport=65536").port, 0);
	/* "192.0.2.1", "a\x1b[m", "" */
	assert_string_equal(record("exim event=msg:defer hostname64=MTkyLjAuMi4x").host, "");
	assert_string_equal(record("exim event=msg:defer hostname64=YRtbbQ==").host, "");
	assert_int_equal(record("exim event=msg:defer hostname64=MTkyLjAuMi4x").dest[12], 192);
	assert_string_equal(record("exim event=msg:defer hostname64=").host, "");
	assert_string_equal(record("exim event=msg:defer tls=TLSv1.2").tls, "TLSv1.2");
	assert_string_equal(record("exim event=msg:defer tls=TLS1.3:AES").tls, "");
	assert_string_equal(record("exim event=msg:defer tls=TLS1.33333333").tls, "");
	assert_string_equal(record("exim event=msg:defer tls=TLS").tls, "");
}

/* Exim 4.97's form and the one before. */
static void test_submitted(void **state)
{
	(void)state;
	assert_int_equal(exim_event_submitted_ns("1vMeCd-000000005Hy-0001"), 1763781743 * NS_PER_S);
	assert_int_equal(exim_event_submitted_ns("1vMeCd-0005Hy-01"), 1763781743 * NS_PER_S);
	assert_int_equal(exim_event_submitted_ns("00000z-0005Hy-01"), 61 * NS_PER_S);
	assert_int_equal(exim_event_submitted_ns("zzzzzz-0005Hy-01"), 0); /* beyond any time */
	assert_int_equal(exim_event_submitted_ns("1vMeCd"), 0);
	assert_int_equal(exim_event_submitted_ns("1vMe"), 0);
	assert_int_equal(exim_event_submitted_ns("1vM/Cd-0005Hy-01"), 0);
	assert_int_equal(exim_event_submitted_ns(""), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_delivery),   cmocka_unit_test(test_events),
		cmocka_unit_test(test_empty),	   cmocka_unit_test(test_submission),
		cmocka_unit_test(test_redirected), cmocka_unit_test(test_malformed),
		cmocka_unit_test(test_replies),	   cmocka_unit_test(test_submitted),
		cmocka_unit_test(test_classes),	   cmocka_unit_test(test_host_and_age),
		cmocka_unit_test(test_odd_hosts),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
