/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * maillog_reply_test.c - what a report holds of a line: age, host, code and text, and which class
 * the reply is of.
 */
#include "core/reply_class.h"
#include "maillog_fixture.h"

#define TO "9F5D65B: to=<x@far.test>, "

/* What a line of the log comes to. */
struct wanted {
	const char *line; /* behind the queue id and the recipient */
	int64_t age_s;
	const char *host;
	uint16_t port;
	const char *dest; /* "": none */
	uint16_t code;
	uint16_t enhanced[3];
	const char *text;
	enum reply_class class;
};

static void check_report(const struct delivery_report *r, const struct wanted *w)
{
	const struct reply reply = {r->outcome,
				    r->code,
				    {r->enhanced[0], r->enhanced[1], r->enhanced[2]},
				    r->text,
				    sizeof(r->text)};
	char dest[64] = "";

	assert_int_equal(r->age_s, w->age_s);
	assert_string_equal(r->host, w->host);
	assert_int_equal(r->port, w->port);
	assert_string_equal(r->tls, "");
	if (r->dest[10] == 0xff)
		snprintf(dest, sizeof(dest), "%u.%u.%u.%u", r->dest[12], r->dest[13], r->dest[14],
			 r->dest[15]);
	assert_string_equal(dest, w->dest);
	assert_int_equal(r->code, w->code);
	assert_memory_equal(r->enhanced, w->enhanced, sizeof(r->enhanced));
	assert_string_equal(r->text, w->text);
	assert_string_equal(reply_class_name(reply_class(&reply, NULL)),
			    reply_class_name(w->class));
}

static void check_lines(const struct wanted *wanted, size_t count)
{
	char text[2000];

	submit("9F5D65B", "alice@one.test");
	for (size_t i = 0; i < count; i++) {
		snprintf(text, sizeof(text), TO "%s", wanted[i].line);
		says("postfix/smtp", text);
		assert_int_equal(current.count, 1);
		current.count = 0;
		check_report(&current.records[0], &wanted[i]);
	}
}

/* Lines of Postfix 3.7.11; the texts of the replies are others'. */
static const struct wanted replies[] = {
	{"relay=mx1.far.test[198.51.100.1]:25, delay=0.35, delays=0.12/0.16/0.02/0.05, "
	 "dsn=2.0.0, status=sent (250 2.0.0 Ok: queued as 4XYZabc)",
	 0,
	 "mx1.far.test",
	 25,
	 "198.51.100.1",
	 250,
	 {2, 0, 0},
	 "Ok: queued as 4XYZabc",
	 REPLY_NONE},
	{"relay=mx1.far.test[198.51.100.1]:25, delay=7265, delays=7264/0.16/0.02/0.05, "
	 "dsn=5.1.1, status=bounced (host mx1.far.test[198.51.100.1] said: 550 5.1.1 "
	 "<x@far.test>: Recipient address rejected: User unknown (in reply to RCPT TO "
	 "command))",
	 7265,
	 "mx1.far.test",
	 25,
	 "198.51.100.1",
	 550,
	 {5, 1, 1},
	 "<x@far.test>: Recipient address rejected: User unknown",
	 REPLY_RECIPIENT},
	{"relay=MX.Far.test[198.51.100.1]:25, conn_use=2, delay=1.6, delays=1.6/0/0/0, "
	 "dsn=5.1.1, status=bounced (host MX.Far.test[198.51.100.1] said: 550-5.1.1 The "
	 "account that you tried to reach 550-5.1.1 does not exist. Please try 550 5.1.1 "
	 "another (in reply to RCPT TO command))",
	 1,
	 "mx.far.test",
	 25,
	 "198.51.100.1",
	 550,
	 {5, 1, 1},
	 "The account that you tried to reach does not exist. Please try another",
	 REPLY_RECIPIENT},
	{"relay=mx1.tls.test[198.51.100.3]:25, delay=0.15, delays=0.09/0/0.07/0, "
	 "dsn=5.7.1, status=bounced (host mx1.tls.test[198.51.100.3] said: 554 5.7.1 "
	 "Service unavailable; Client host [203.0.113.2] blocked using zen.spamhaus.org "
	 "(in reply to end of DATA command))",
	 0,
	 "mx1.tls.test",
	 25,
	 "198.51.100.3",
	 554,
	 {5, 7, 1},
	 "Service unavailable; Client host [203.0.113.2] blocked using zen.spamhaus.org",
	 REPLY_LISTED},
	/* Postfix says dsn=4.0.0, where the reply says none. */
	{"relay=mx1.far.test[198.51.100.1]:25, delay=301, delays=300/0/0/0, dsn=4.0.0, "
	 "status=deferred (host mx1.far.test[198.51.100.1] said: 451 Greylisted, come back "
	 "later (in reply to RCPT TO command))",
	 301,
	 "mx1.far.test",
	 25,
	 "198.51.100.1",
	 451,
	 {0, 0, 0},
	 "Greylisted, come back later",
	 REPLY_GREYLIST},
	{"relay=mx1.far.test[198.51.100.1]:25, delay=0.5, delays=0.4/0/0/0, dsn=4.2.2, "
	 "status=deferred (host mx1.far.test[198.51.100.1] said: 452 4.2.2 no room (in "
	 "reply to RCPT TO command))",
	 0,
	 "mx1.far.test",
	 25,
	 "198.51.100.1",
	 452,
	 {4, 2, 2},
	 "no room",
	 REPLY_FULL},
	{"relay=mx1.busy.test[198.51.100.5]:25, delay=0.02, delays=0.01/0.01/0.01/0, "
	 "dsn=4.7.0, status=deferred (host mx1.busy.test[198.51.100.5] refused to talk to "
	 "me: 421 4.7.0 Too many connections)",
	 0,
	 "mx1.busy.test",
	 25,
	 "198.51.100.5",
	 421,
	 {4, 7, 0},
	 "Too many connections",
	 REPLY_RATE},
	{"relay=none, delay=90, delays=90/0/0/0, dsn=4.7.0, status=deferred (delivery "
	 "temporarily suspended: host mx1.busy.test[198.51.100.5] refused to talk to me: "
	 "421 4.7.0 Too many connections)",
	 90,
	 "mx1.busy.test",
	 0,
	 "198.51.100.5",
	 421,
	 {4, 7, 0},
	 "Too many connections",
	 REPLY_RATE},
	/* Without a name, and in the form of Postfix 3.11. */
	{"relay=198.51.100.5[198.51.100.5]:2525, delay=6000000, delays=0/0/0/0, "
	 "tls=may, dsn=4.0.0, status=deferred (host 198.51.100.5[198.51.100.5] said: 421 "
	 "(in reply to HELO command))",
	 REPORT_AGE_MAX_S,
	 "",
	 2525,
	 "198.51.100.5",
	 421,
	 {0, 0, 0},
	 "",
	 REPLY_UNEXPLAINED},
};

static void test_replies(void **state)
{
	(void)state;
	check_lines(replies, sizeof(replies) / sizeof(*replies));
}

static const struct wanted no_replies[] = {
	{"relay=none, delay=2.7, delays=2.7/0/0/0, dsn=4.4.1, status=deferred (connect to "
	 "mx1.refused.test[198.51.100.9]:25: Connection refused)",
	 2,
	 "mx1.refused.test",
	 25,
	 "198.51.100.9",
	 0,
	 {4, 4, 1},
	 "connect to mx1.refused.test[198.51.100.9]:25: Connection refused",
	 REPLY_NO_ANSWER},
	{"relay=none, delay=5.1, delays=3.1/0/2/0, dsn=4.4.1, status=deferred (connect to "
	 "mx1.hole.test[198.51.100.10]:25: Connection timed out)",
	 5,
	 "mx1.hole.test",
	 25,
	 "198.51.100.10",
	 0,
	 {4, 4, 1},
	 "connect to mx1.hole.test[198.51.100.10]:25: Connection timed out",
	 REPLY_NO_ANSWER},
	{"relay=mx2.far.test[198.51.100.2]:25, delay=0.2, delays=0.1/0/0.1/0, dsn=4.4.2, "
	 "status=deferred (lost connection with mx2.far.test[198.51.100.2] while sending "
	 "RCPT TO)",
	 0,
	 "mx2.far.test",
	 25,
	 "198.51.100.2",
	 0,
	 {4, 4, 2},
	 "lost connection with mx2.far.test[198.51.100.2] while sending RCPT TO",
	 REPLY_NO_ANSWER},
	{"relay=none, delay=0.06, delays=0.04/0.01/0.01/0, dsn=4.4.3, status=deferred "
	 "(Host or domain name not found. Name service error for name=slow.test type=MX: "
	 "Host not found, try again)",
	 0,
	 "",
	 0,
	 "",
	 0,
	 {4, 4, 3},
	 "Host or domain name not found. Name service error for name=slow.test type=MX: "
	 "Host not found, try again",
	 REPLY_NO_ANSWER},
	{"relay=none, delay=0.06, delays=0.04/0.01/0.01/0, dsn=5.4.4, status=bounced (Host "
	 "or domain name not found. Name service error for name=none.test type=A: Host not "
	 "found)",
	 0,
	 "",
	 0,
	 "",
	 0,
	 {5, 4, 4},
	 "Host or domain name not found. Name service error for name=none.test type=A: "
	 "Host not found",
	 REPLY_RECIPIENT},
	{"relay=mx1.sec.test[198.51.100.7]:25, delay=1.6, delays=1.5/0.01/0.01/0, "
	 "dsn=4.7.5, status=deferred (Server certificate not verified)",
	 1,
	 "mx1.sec.test",
	 25,
	 "198.51.100.7",
	 0,
	 {4, 7, 5},
	 "Server certificate not verified",
	 REPLY_OWN},
	{"relay=mx1.sec.test[198.51.100.7]:25, delay=0.1, delays=0/0.01/0.01/0, dsn=4.7.4, "
	 "status=deferred (TLS is required, but was not offered by host "
	 "mx1.sec.test[198.51.100.7])",
	 0,
	 "mx1.sec.test",
	 25,
	 "198.51.100.7",
	 0,
	 {4, 7, 4},
	 "TLS is required, but was not offered by host mx1.sec.test[198.51.100.7]",
	 REPLY_OWN},
};

static void test_no_reply(void **state)
{
	(void)state;
	check_lines(no_replies, sizeof(no_replies) / sizeof(*no_replies));
}

/* Not Postfix's grammar, so that nothing of the line is believed but that it is of a delivery. */
static void test_cut_line(void **state)
{
	static const struct wanted wanted = {.age_s = REPORT_AGE_UNKNOWN,
					     .host = "",
					     .dest = "",
					     .text = "",
					     .class = REPLY_NO_ANSWER};

	char text[1024];

	(void)state;
	submit("9F5D65B", "alice@one.test");
	snprintf(text, sizeof(text),
		 "9F5D65B: to=<%0900d@far.test>, relay=mx[192.0.2.1]:25, delay=x, delays=0/0/0/0, "
		 "dsn=4.7.5",
		 0);
	says("postfix/smtp", text);
	check_report(reported(REPORT_OUTCOME, SMTP_DEFERRED), &wanted);
}

/* An address that makes its failure an old one, of a listing: it is a failure of now. */
static void test_forged(void **state)
{
#define OLD                                                                                        \
	">, relay=mx[192.0.2.9]:25, delay=999999, delays=0/0/0/0, dsn=5.7.1, status=bounced "      \
	"(host mx[192.0.2.9] said: 550 5.7.1 blocked using zen.spamhaus.org)"
	static const struct wanted wanted = {.age_s = REPORT_AGE_UNKNOWN,
					     .host = "",
					     .dest = "",
					     .text = "",
					     .class = REPLY_UNEXPLAINED};
	char text[2001];
	int size;

	(void)state;
	submit("9F5D65B", "alice@one.test");
	says("postfix/smtp", "9F5D65B: to=<b@x" OLD ".test>, " MX BOUNCED);
	check_report(reported(REPORT_OUTCOME, SMTP_FAILED), &wanted);
	/* The truth was pushed out. */
	size = snprintf(text, sizeof(text), "9F5D65B: to=<b@x" OLD);
	memset(text + size, 'm', sizeof(text) - (size_t)size - 1);
	text[sizeof(text) - 1] = '\0';
	says("postfix/smtp", text);
	check_report(reported(REPORT_OUTCOME, SMTP_FAILED), &wanted);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_replies),
		TEST(test_no_reply),
		TEST(test_cut_line),
		TEST(test_forged),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
