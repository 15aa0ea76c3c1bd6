/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * maillog_delivery_test.c - which lines are outcomes, and what addresses and remote hosts may write
 * into them.
 */
#include "maillog_fixture.h"

struct line {
	const char *ident;
	const char *text;
	enum report_kind kind; /* 0: nothing */
	enum smtp_outcome outcome;
};

static void takes(const struct line *lines, size_t count)
{
	size_t i;

	submit("9F5D65B", "alice@one.test");
	for (i = 0; i < count; i++) {
		current.count = 0;
		says(lines[i].ident, lines[i].text);
		if (current.count != (lines[i].kind != 0) ||
		    (current.count && (current.records[0].kind != lines[i].kind ||
				       current.records[0].outcome != lines[i].outcome)))
			fail_msg("%s: %s: %zu records, kind %u, outcome %u", lines[i].ident,
				 lines[i].text, current.count, current.records[0].kind,
				 current.records[0].outcome);
	}
	current.count = 0;
}
#define TAKES(lines) takes(lines, sizeof(lines) / sizeof(*(lines)))
#define TO	     "9F5D65B: to=<x@far.test>, "

static void test_what_never_got_to_a_host(void **state)
{
	static const struct line lines[] = {
		{"postfix/smtp",
		 TO NONE("4.4.1", "deferred",
			 "connect to 203.0.113.1[203.0.113.1]:26: "
			 "Connection refused"),
		 REPORT_OUTCOME, SMTP_DEFERRED},
		{"postfix/smtp",
		 TO NONE("4.4.3", "deferred",
			 "Host or domain name not found. Name "
			 "service error for name=nx.invalid type=MX: Host not found, try again"),
		 REPORT_OUTCOME, SMTP_DEFERRED},
		{"postfix/smtp",
		 TO NONE("5.4.6", "bounced", "mail for x.test loops back to myself"),
		 REPORT_OUTCOME, SMTP_FAILED},
		{"postfix/error",
		 TO NONE("4.4.3", "deferred",
			 "delivery temporarily suspended: Host or "
			 "domain name not found. Name service error for name=one.test type=MX: Host not found, "
			 "try again"),
		 REPORT_OUTCOME, SMTP_DEFERRED},
		{"postfix/error",
		 TO NONE("4.0.0", "deferred",
			 "delivery temporarily suspended: host "
			 "mx[192.0.2.1] said: 421 no"),
		 REPORT_OUTCOME, SMTP_DEFERRED},
		{"postfix/error", TO NONE("5.1.3", "bounced", "bad address syntax"), REPORT_OUTCOME,
		 SMTP_FAILED},
		{"postfix/error", TO NONE("5.7.1", "bounced", REFUSAL), REPORT_REFUSED, 0},
		{"postfix/error", TO NONE("5.7.1", "bounced", "Domain susp.test has expired"),
		 REPORT_OUTCOME, SMTP_FAILED},
	};

	(void)state;
	TAKES(lines);
}

static void test_what_is_no_outcome(void **state)
{
	static const struct line lines[] = {
		{"postfix/discard", TO "relay=none" TAIL ", dsn=2.0.0, status=sent (disc.test)", 0,
		 0},
		{"postfix/lmtp",
		 TO NONE("4.4.1", "deferred",
			 "connect to host.test[private/nolmtp]: No "
			 "such file or directory"),
		 REPORT_HOME, SMTP_DEFERRED},
		{"postfix/lmtp",
		 TO "relay=host.test[private/lmtp]" TAIL ", dsn=4.2.2, status=deferred (host "
		    "host.test[private/lmtp] said: 452 4.2.2 over quota (in reply to end of DATA))",
		 0, 0},
		{"postfix/lmtp",
		 TO "relay=host.test[private/lmtp]" TAIL ", dsn=5.1.1, status=bounced (host "
		    "host.test[private/lmtp] said: 550 5.1.1 unknown user (in reply to RCPT TO))",
		 0, 0},
		{"postfix/smtp",
		 TO "relay=127.0.0.1[127.0.0.1]:10024" TAIL ", dsn=4.3.1, status=deferred (host "
		    "127.0.0.1[127.0.0.1] said: 452 4.3.1 Insufficient system storage (in reply to "
		    "MAIL FROM command))",
		 0, 0},
		{"postfix/virtual",
		 TO "relay=virtual" TAIL ", dsn=4.2.2, status=deferred (maildir over quota)", 0, 0},
		{"postfix/local",
		 TO "relay=local" TAIL ", dsn=2.0.0, status=sent (delivered to "
		    "command: /bin/true)",
		 0, 0},
		{"postfix/local",
		 TO "relay=local" TAIL ", dsn=5.1.1, status=bounced (unknown user: "
		    "\"nouser\")",
		 0, 0},
		{"postfix/pipe",
		 TO "relay=pp" TAIL ", dsn=5.3.0, status=bounced (Command died with "
		    "status 1: \"/bin/false\")",
		 0, 0},
		{"postfix/smtp", TO MX ", dsn=2.1.5, status=deliverable (250 2.1.5 Ok)", 0, 0},
		{"postfix/smtp",
		 TO MX ", dsn=5.1.1, status=undeliverable (host x[192.0.2.1] said: 550 "
		       "5.1.1 no (in reply to RCPT TO command))",
		 0, 0},
		{"postfix/smtp",
		 TO NONE("4.4.1", "deferred",
			 "connect to 127.0.0.1[127.0.0.1]:10099: "
			 "Connection refused"),
		 REPORT_HOME, SMTP_DEFERRED},
		{"postfix/error",
		 TO NONE("4.4.1", "deferred",
			 "delivery temporarily suspended: connect "
			 "to 127.0.0.1[127.0.0.1]:10099: Connection refused"),
		 REPORT_HOME, SMTP_DEFERRED},
		{"postfix/error",
		 TO NONE("5.1.1", "bounced", "User unknown in virtual alias table"), 0, 0},
		{"postfix/error", TO NONE("4.3.0", "deferred", "mail transport unavailable"),
		 REPORT_HOME, SMTP_DEFERRED},
		{"postfix/cleanup", TO NONE("5.7.1", "bounced", "looks like spam"), 0, 0},
		{"postfix/qmgr",
		 "9F5D65B: from=<alice@one.test>, status=expired, returned to sender", 0, 0},
		{"postfix/smtp", "connect to 203.0.113.1[203.0.113.1]:26: Connection refused", 0,
		 0},
		{"sendmail/mta", TO MX SENT, 0, 0},
		{"postfix/smtp-sink", TO MX SENT, 0, 0},
		{"/smtp", TO MX SENT, 0, 0},
		{"postfix", TO MX SENT, 0, 0},
		{"postfix/smtp", "", 0, 0},
		{"postfix/smtp", "9F5D65B", 0, 0},
		{"postfix/smtp", "9F5D65B: ", 0, 0},
	};

	(void)state;
	TAKES(lines);
}

/* Faults of this host by Postfix's own words, and a remote's that look like them. */
static void test_own_faults(void **state)
{
	static const struct {
		const char *text;
		enum own_fault fault;
		enum smtp_outcome outcome;
		uint16_t code;
	} lines[] = {
		{"relay=relay.test[192.0.2.9]:587" TAIL
		 ", dsn=4.7.8, status=deferred (SASL authentication failed; server "
		 "relay.test[192.0.2.9] said: 535 5.7.8 Error: authentication failed)",
		 OWN_FAULT_LOGIN, SMTP_DEFERRED, 0},
		{NONE("4.7.8", "deferred",
		      "delivery temporarily suspended: SASL authentication failed; server "
		      "relay.test[192.0.2.9] said: 535 5.7.8 no"),
		 OWN_FAULT_LOGIN, SMTP_DEFERRED, 0},
		{NONE("4.4.1", "deferred", "connect to mx.test[192.0.2.1]:25: No route to host"),
		 OWN_FAULT_NETWORK, SMTP_DEFERRED, 0},
		{NONE("4.4.1", "deferred", "connect to mx.test[192.0.2.1]:25: Connection refused"),
		 OWN_FAULT_NONE, SMTP_DEFERRED, 0},
		{NONE("5.4.6", "bounced", "mail for x.test loops back to myself"), OWN_FAULT_SETUP,
		 SMTP_FAILED, 0},
		{MX
		 ", dsn=4.3.1, status=deferred (host mx[203.0.113.1] said: 452 4.3.1 Insufficient "
		 "system storage (in reply to MAIL FROM command))",
		 OWN_FAULT_NONE, SMTP_DEFERRED, 452},
		{MX ", dsn=4.7.0, status=deferred (host mx[203.0.113.1] said: 450 SASL "
		    "authentication failed; server x said: 535 no (in reply to RCPT TO command))",
		 OWN_FAULT_NONE, SMTP_DEFERRED, 450},
		{MX ", dsn=4.0.0, status=deferred (host mx[203.0.113.1] said: Permission denied "
		    "(in reply to RCPT TO command))",
		 OWN_FAULT_NONE, SMTP_DEFERRED, 0},
	};

	(void)state;
	submit("9F5D65B", "alice@one.test");
	for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++) {
		char line[512];

		snprintf(line, sizeof(line), "%s%s", TO, lines[i].text);
		current.count = 0;
		says("postfix/smtp", line);
		assert_int_equal(current.count, 1);
		assert_int_equal(current.records[0].kind, REPORT_OUTCOME);
		assert_int_equal(current.records[0].outcome, lines[i].outcome);
		assert_int_equal(current.records[0].code, lines[i].code);
		if (current.records[0].fault != lines[i].fault)
			fail_msg("%s: %s", line, own_fault_name(current.records[0].fault));
	}
	/* What a remote writes without a code is not left to be taken for our own words. */
	assert_string_equal(current.records[0].text, "a reply without a code");
	current.count = 0;
}

static void test_other_forms(void **state)
{
	static const struct line lines[] = {
		{"postfix/smtp", TO "relay=mx.far.test[2001:db8::1]:25, conn_use=14" TAIL SENT,
		 REPORT_OUTCOME, SMTP_DELIVERED},
		{"postfix/smtp",
		 TO MX ", dsn=4.1.1, status=SOFTBOUNCE (host x[192.0.2.1] said: 550 no)",
		 REPORT_OUTCOME, SMTP_DEFERRED},
		{"postfix/smtp", TO "relay=mx.far.test[192.0.2.1]" TAIL SENT, REPORT_OUTCOME,
		 SMTP_DELIVERED},
	};

	(void)state;
	TAKES(lines);
}

/* Each as Postfix logs it; the truth stands last, or first where a remote host repeats an address.
 * */
static void test_addresses_that_speak(void **state)
{
	static const struct line lines[] = {
		{"postfix/smtp",
		 "9F5D65B: to=<\"r550a" FORGED("sent (250 ok)") "\"@far.test>, " MX BOUNCED,
		 REPORT_OUTCOME, SMTP_FAILED},
		{"postfix/smtp",
		 "9F5D65B: to=<r550a" FORGED("sent (250 ok)") "@far.test>, " MX BOUNCED,
		 REPORT_OUTCOME, SMTP_FAILED},
		{"postfix/error",
		 "9F5D65B: to=<b@x" FORGED("sent (250 ok)") ".test>, " NONE("5.1.3", "bounced",
									    "bad address syntax"),
		 REPORT_OUTCOME, SMTP_FAILED},
		{"postfix/error",
		 "9F5D65B: to=<b@x>, relay=none, delay=0, delays=0/0/0/0, dsn=5.7.1, "
		 "status=bounced (" REFUSAL
		 ").test>, " NONE("5.1.3", "bounced", "bad address syntax"),
		 REPORT_OUTCOME, SMTP_FAILED},
		{"postfix/smtp",
		 "9F5D65B: to=<b>, relay=l[127.0.0.1]:25, delay=0, delays=0/0/0/0, "
		 "dsn=2.0.0, status=sent (250 ok)@far.test>, " MX BOUNCED,
		 REPORT_OUTCOME, SMTP_FAILED},
		/* Said by a remote host, which could as well have refused. */
		{"postfix/smtp",
		 TO MX ", dsn=2.0.0, status=sent (250 <x" FORGED("bounced (no)") ")",
		 REPORT_OUTCOME, SMTP_FAILED},
		{"postfix/smtp",
		 TO MX ", dsn=5.0.0, status=bounced (host x[192.0.2.1] said: 550 <x" FORGED(
			 "sent (250 ok)") ")",
		 REPORT_OUTCOME, SMTP_FAILED},
		/* Not Postfix's grammar, so no reading at all. */
		{"postfix/smtp",
		 "9F5D65B: to=<\"a>, relay=none, status=bounced (x\"@far.test>, " MX SENT,
		 REPORT_OUTCOME, SMTP_DELIVERED},
	};

	(void)state;
	TAKES(lines);
}

static void test_a_quoted_address_is_whole(void **state)
{
	(void)state;
	submit("9F5D65B", "alice@one.test");
	says("postfix/smtp",
	     "9F5D65B: to=<\"a\\\"" FORGED("sent (250 ok)") "\"@far.test>, " MX SENT);
	assert_string_equal(reported(REPORT_OUTCOME, SMTP_DELIVERED)->rcpt,
			    "\"a\\\"" FORGED("sent (250 ok)") "\"@far.test");
}

static void test_cut_lines(void **state)
{
	char text[2048];
	int size = snprintf(text, sizeof(text), "9F5D65B: to=<");

	(void)state;
	submit("9F5D65B", "alice@one.test");
	memset(text + size, 'm', 2000 - size);
	text[2000] = '\0';
	says("postfix/smtp", text);
	assert_int_equal(reported(REPORT_OUTCOME, SMTP_DEFERRED)->enhanced[0], 0);
	says("postfix/local", text);
	silent();
	/* The forged end is whole, the true one was pushed out. */
	size = snprintf(text, sizeof(text), "9F5D65B: to=<a" FORGED("sent (250 "));
	memset(text + size, 'm', 2000 - size);
	text[1999] = ')';
	text[2000] = '\0';
	says("postfix/smtp", text);
	reported(REPORT_OUTCOME, SMTP_DEFERRED);
	memcpy(text + 1998, ")", 2);
	says("postfix/smtp", text);
	reported(REPORT_OUTCOME, SMTP_DELIVERED);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_what_never_got_to_a_host),
		TEST(test_what_is_no_outcome),
		TEST(test_own_faults),
		TEST(test_other_forms),
		TEST(test_addresses_that_speak),
		TEST(test_a_quoted_address_is_whole),
		TEST(test_cut_lines),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
