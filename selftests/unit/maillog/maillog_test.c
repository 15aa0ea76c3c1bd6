/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * maillog_test.c - where messages come from, and what is reported of them.
 */
#include "base/clock.h"
#include "maillog_fixture.h"

static void test_sendmail(void **state)
{
	const struct delivery_report *r;

	(void)state;
	submit("9F5D65B", "alice@one.test");
	silent();
	says("postfix/smtp",
	     "9F5D65B: to=<r450carl@far.test>, relay=203.0.113.1[203.0.113.1]:25, delay=0.04, "
	     "delays=0.01/0.03/0/0, dsn=4.1.1, status=deferred (host 203.0.113.1[203.0.113.1] said: "
	     "450 4.1.1 <r450carl@far.test>: Recipient address rejected: User unknown (in reply to "
	     "RCPT TO command))");
	r = reported(REPORT_OUTCOME, SMTP_DEFERRED);
	assert_int_equal(r->submission.known, SUBMISSION_HAS_UID);
	assert_int_equal(r->submission.uid, 1001);
	assert_string_equal(r->submission.sender, "alice@one.test");
	assert_string_equal(r->rcpt, "r450carl@far.test");
	assert_string_equal(r->id, "9F5D65B");
	assert_int_equal(r->code, 450);
	assert_int_equal(r->enhanced[0], 4);
	assert_int_equal(r->enhanced[2], 1);
	assert_memory_equal(r->dest + 10, "\xff\xff\xcb\x00\x71\x01", 6);
	assert_memory_equal(r->text, "<r450carl@far.test>: Recip", 26);
	says("postfix/smtp", "9F5D65B: to=<good@far.test>, " MX SENT);
	assert_int_equal(reported(REPORT_OUTCOME, SMTP_DELIVERED)->code, 250);
	says("postfix/relay/smtp", "9F5D65B: to=<bad@far.test>, " MX BOUNCED);
	assert_int_equal(reported(REPORT_OUTCOME, SMTP_FAILED)->code, 550);
	assert_int_equal(maillog_stats(current.p).unknown, 0);
}

static void test_smtp_clients(void **state)
{
	const struct delivery_report *r;

	(void)state;
	says("postfix/smtpd", "C551199: client=localhost[127.0.0.1]:45318");
	assert_int_equal(current.asked_port, 45318);
	says("postfix/smtp", "C551199: to=<a@far.test>, " MX SENT);
	r = reported(REPORT_OUTCOME, SMTP_DELIVERED);
	assert_int_equal(r->submission.known,
			 SUBMISSION_HAS_CLIENT | SUBMISSION_HAS_CALLER | SUBMISSION_NO_SENDER);
	assert_int_equal(r->submission.caller, CALLER);
	assert_int_equal(r->submission.client_port, 45318);
	says("postfix/smtpd", "4jXCgw6bdPz1m: client=unknown[2001:db8::1]");
	says("postfix/smtp", "4jXCgw6bdPz1m: to=<a@far.test>, " MX SENT);
	r = reported(REPORT_OUTCOME, SMTP_DELIVERED);
	assert_int_equal(r->submission.known, SUBMISSION_HAS_CLIENT | SUBMISSION_NO_SENDER);
	assert_memory_equal(r->submission.client, "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01", 16);
	assert_int_equal(current.asked, 1);
	says("postfix/smtpd", "NOQUEUE: reject: RCPT from localhost[127.0.0.1]:45318: 550 no");
	says("postfix/smtpd", "warning: client=localhost[127.0.0.1]:45318");
	assert_int_equal(current.asked, 1);
}

static void identity_is(const char *behind, const char *auth)
{
	char text[512];

	snprintf(text, sizeof(text), "D5E049B: client=mx.far.test[203.0.113.1]:46572%s", behind);
	says("postfix/submission/smtpd", text);
	says("postfix/smtp", "D5E049B: to=<a@far.test>, " MX SENT);
	assert_string_equal(reported(REPORT_OUTCOME, SMTP_DELIVERED)->submission.auth, auth);
}

static void test_auth(void **state)
{
	(void)state;
	identity_is(", sasl_method=PLAIN, sasl_username=alice@one.test", "alice@one.test");
	identity_is(", sasl_method=PLAIN, sasl_username=alice@one.test, "
		    "sasl_sender=<a+2C+20orig_queue_id+3D4XYZ>",
		    "alice@one.test");
	/* What a client may claim for others says nothing. */
	identity_is(", sasl_method=PLAIN, sasl_username=al, orig_client=x[1.2.3.4]",
		    "al, orig_client=x[1.2.3.4]");
	identity_is(", sasl_sender=<alice>", "");
	identity_is(", orig_queue_id=9F5D65B, orig_client=mx[192.0.2.1]:25", "");
	identity_is("", "");
}

static void test_senders_that_speak(void **state)
{
	const struct delivery_report *r;

	(void)state;
	submit("9F5D65B", "y@one.test>, size=1, nrcpt=1 (queue active)");
	says("postfix/smtp", "9F5D65B: to=<a@far.test>, " MX SENT);
	assert_string_equal(reported(REPORT_OUTCOME, SMTP_DELIVERED)->submission.sender,
			    "y@one.test>, size=1, nrcpt=1 (queue active)");
	/* postsuper -r; and a sender that wants the neighbour's submission */
	says("postfix/pickup", "A15205D: uid=102 from=<y@one.test> orig_id=9F5D65B");
	says("postfix/smtp", "A15205D: to=<a@far.test>, " MX SENT);
	assert_int_equal(reported(REPORT_OUTCOME, SMTP_DELIVERED)->submission.uid, 1001);
	says("postfix/pickup", "A15205E: uid=1002 from=<y@one.test> orig_id=A15205D>");
	says("postfix/smtp", "A15205E: to=<a@far.test>, " MX SENT);
	r = reported(REPORT_OUTCOME, SMTP_DELIVERED);
	assert_int_equal(r->submission.uid, 1002);
}

static void test_redirected(void **state)
{
	const struct delivery_report *r;

	(void)state;
	submit("B1B3482", "out@rem.ote");
	says("postfix/smtp", "B1B3482: to=<bob@far.test>, orig_to=<info@Alias.test>, " MX SENT);
	r = reported(REPORT_OUTCOME, SMTP_DELIVERED);
	assert_int_equal(r->submission.known, SUBMISSION_HAS_UID | SUBMISSION_REDIRECTED);
	assert_string_equal(r->submission.forwarder, "alias.test");
	assert_string_equal(r->rcpt, "bob@far.test");
	says("postfix/smtp", "B1B3482: to=<bob@far.test>, orig_to=<list>, " MX SENT);
	r = reported(REPORT_OUTCOME, SMTP_DELIVERED);
	assert_int_equal(r->submission.known, SUBMISSION_HAS_UID | SUBMISSION_REDIRECTED);
	assert_string_equal(r->submission.forwarder, "");
	/* Completed, not redirected; or saying so of itself. */
	says("postfix/smtp", "B1B3482: to=<bob@far.test>, orig_to=<bob>, " MX SENT);
	assert_int_equal(reported(REPORT_OUTCOME, SMTP_DELIVERED)->submission.known,
			 SUBMISSION_HAS_UID);
	says("postfix/smtp", "B1B3482: to=<\"a>, orig_to=<b@c.test\"@far.test>, " MX BOUNCED);
	assert_int_equal(reported(REPORT_OUTCOME, SMTP_FAILED)->submission.known,
			 SUBMISSION_HAS_UID);
	says("postfix/smtp", "B1B3482: to=<a>, orig_to=<b@c.test@far.test>, " MX BOUNCED);
	assert_int_equal(reported(REPORT_OUTCOME, SMTP_FAILED)->submission.known,
			 SUBMISSION_HAS_UID);
	says("postfix/error", "B1B3482: to=<b@x>, orig_to=<y@z.test>, " NONE("5.1.3", "bounced",
									     "bad address syntax"));
	assert_int_equal(reported(REPORT_OUTCOME, SMTP_FAILED)->submission.known,
			 SUBMISSION_HAS_UID);
}

static void test_made_by_postfix(void **state)
{
	const struct delivery_report *r;

	(void)state;
	says("postfix/cleanup", "AAE1A75: message-id=<20261122022728.AAE1A75@host.test>");
	says("postfix/qmgr", "AAE1A75: from=<>, size=2189, nrcpt=1 (queue active)");
	says("postfix/smtp", "AAE1A75: to=<alice@one.test>, " MX SENT);
	r = reported(REPORT_OUTCOME, SMTP_DELIVERED);
	assert_int_equal(r->submission.known, SUBMISSION_INTERNAL);
	assert_string_equal(r->submission.sender, "");
	/* Known from the queue manager alone: not the same. */
	says("postfix/qmgr", "AAE1A76: from=<bob@two.test>, size=2189, nrcpt=1 (queue active)");
	says("postfix/smtp", "AAE1A76: to=<alice@one.test>, " MX SENT);
	r = reported(REPORT_OUTCOME, SMTP_DELIVERED);
	assert_int_equal(r->submission.known, 0);
	assert_string_equal(r->submission.sender, "bob@two.test");
	says("postfix/smtp", "AAE1A77: to=<alice@one.test>, " MX SENT);
	assert_int_equal(reported(REPORT_OUTCOME, SMTP_DELIVERED)->submission.known,
			 SUBMISSION_NO_SENDER);
	assert_int_equal(maillog_stats(current.p).unknown, 2);
}

static void made_in_gap(const char *id, uint32_t known)
{
	char text[256];

	snprintf(text, sizeof(text), "%s: message-id=<x@host.test>", id);
	says("postfix/cleanup", text);
	snprintf(text, sizeof(text), "%s: to=<a@far.test>, " MX SENT, id);
	says("postfix/smtp", text);
	assert_int_equal(reported(REPORT_OUTCOME, SMTP_DELIVERED)->submission.known,
			 SUBMISSION_NO_SENDER | known);
}

/* A slow client's message may have begun before the first line that was read. */
static void test_a_gap(void **state)
{
	(void)state;
	maillog_begin(current.p, false);
	made_in_gap("AAE1A75", 0);
	says("postfix/cleanup", "AAE1A76: message-id=<x@host.test>");
	says("postfix/bounce", "9F5D65B: sender non-delivery notification: AAE1A76");
	says("postfix/smtp", "AAE1A76: to=<a@far.test>, " MX SENT);
	assert_int_equal(reported(REPORT_OUTCOME, SMTP_DELIVERED)->submission.known,
			 SUBMISSION_NO_SENDER | SUBMISSION_INTERNAL);
	current.wall_ns += MAILLOG_GAP_NS;
	made_in_gap("AAE1A77", 0);
	current.wall_ns += 1;
	made_in_gap("AAE1A78", SUBMISSION_INTERNAL);
	maillog_begin(current.p, false);
	made_in_gap("AAE1A79", 0);
	says("postfix/master", "daemon started -- version 3.7.11, configuration /etc/postfix");
	made_in_gap("AAE1A7A", SUBMISSION_INTERNAL);
}

static void test_forwarded_by_local(void **state)
{
	const struct delivery_report *r;

	(void)state;
	submit("A89F76D", "out@rem.ote");
	says("postfix/cleanup", "ACE147D: message-id=<20261122022728.A89F76D@host.test>");
	says("postfix/local", "A89F76D: to=<fwd@host.test>, orig_to=<fwd>, relay=local" TAIL
			      ", dsn=2.0.0, status=sent (forwarded as ACE147D)");
	silent();
	says("postfix/smtp", "ACE147D: to=<out@far.test>, orig_to=<fwd>, " MX SENT);
	r = reported(REPORT_OUTCOME, SMTP_DELIVERED);
	assert_int_equal(r->submission.known, SUBMISSION_HAS_UID | SUBMISSION_INTERNAL |
						      SUBMISSION_REDIRECTED | SUBMISSION_NO_SENDER);
	assert_string_equal(r->submission.forwarder, "host.test");
	assert_int_equal(r->submission.uid, 1001);
	/* A remote host's words, and those of a command. */
	says("postfix/smtpd", "ACE147E: client=localhost[127.0.0.1]:4000");
	says("postfix/smtp",
	     "A89F76D: to=<x@far.test>, " MX ", dsn=2.0.0, status=sent (forwarded as "
	     "ACE147E)");
	reported(REPORT_OUTCOME, SMTP_DELIVERED);
	says("postfix/smtp", "ACE147E: to=<out@far.test>, " MX SENT);
	assert_false(reported(REPORT_OUTCOME, SMTP_DELIVERED)->submission.known &
		     SUBMISSION_INTERNAL);
}

#define FILTERED(id, relay, tail, new)                                                             \
	id ": to=<a@filtered.test>, relay=" relay "[" relay "]:10024" TAIL ", dsn=2.0.0, "         \
	   "status=sent (250 2.0.0 from MTA(smtp:[127.0.0.1]:10025): 250 2.0.0 Ok: queued as " new ")"

static void test_content_filter(void **state)
{
	const struct delivery_report *r;

	(void)state;
	submit("F319D9F", "alice@one.test");
	says("postfix/reinject/smtpd", "05AADA9: client=localhost[127.0.0.1]:36054");
	says("postfix/smtp", FILTERED("F319D9F", "127.0.0.1", TAIL, "05AADA9"));
	silent();
	says("postfix/qmgr", "F319D9F: removed");
	says("postfix/smtp", "05AADA9: to=<a@far.test>, " MX SENT);
	r = reported(REPORT_OUTCOME, SMTP_DELIVERED);
	assert_int_equal(r->submission.known, SUBMISSION_HAS_UID | SUBMISSION_NO_SENDER);
	assert_int_equal(r->submission.uid, 1001);
	/* Remote hosts choose their text; and a message with an submission of its own keeps it. */
	submit("F319D9E", "alice@one.test");
	says("postfix/smtpd", "05AADAA: client=localhost[127.0.0.1]:36055");
	says("postfix/smtp", FILTERED("F319D9E", "192.0.2.1", TAIL, "05AADAA"));
	reported(REPORT_OUTCOME, SMTP_DELIVERED);
	says("postfix/smtp", "05AADAA: to=<a@far.test>, " MX SENT);
	assert_int_equal(reported(REPORT_OUTCOME, SMTP_DELIVERED)->submission.known,
			 SUBMISSION_HAS_CLIENT | SUBMISSION_HAS_CALLER | SUBMISSION_NO_SENDER);
	says("postfix/smtpd", "05AADAB: client=x[192.0.2.9]:36055");
	says("postfix/smtp", FILTERED("F319D9E", "127.0.0.1", TAIL, "05AADAB"));
	says("postfix/smtp", "05AADAB: to=<a@far.test>, " MX SENT);
	assert_int_equal(reported(REPORT_OUTCOME, SMTP_DELIVERED)->submission.known,
			 SUBMISSION_HAS_CLIENT | SUBMISSION_NO_SENDER);
	/* Another instance takes it back. */
	says("postfix-out/smtpd", "05AADAC: client=localhost[127.0.0.1]:36056");
	says("postfix/smtp", FILTERED("F319D9E", "127.0.0.1", TAIL, "05AADAC"));
	says("postfix-out/smtp", "05AADAC: to=<a@far.test>, " MX SENT);
	assert_int_equal(reported(REPORT_OUTCOME, SMTP_DELIVERED)->submission.uid, 1001);
}

static void test_instances(void **state)
{
	(void)state;
	says("postfix/pickup", "9F5D65B: uid=1001 from=<a@one.test>");
	says("postfix-out/pickup", "9F5D65B: uid=1002 from=<a@one.test>");
	says("postfix/submission/smtp", "9F5D65B: to=<a@far.test>, " MX SENT);
	assert_int_equal(reported(REPORT_OUTCOME, SMTP_DELIVERED)->submission.uid, 1001);
	says("postfix-out/smtp", "9F5D65B: to=<a@far.test>, " MX SENT);
	assert_int_equal(reported(REPORT_OUTCOME, SMTP_DELIVERED)->submission.uid, 1002);
}

static void test_refused_by_cleanup(void **state)
{
	(void)state;
	says("postfix/smtpd", "1C63CCE: client=localhost[127.0.0.1]:45320");
	says("postfix/cleanup",
	     "1C63CCE: reject: header Received: from x from localhost[127.0.0.1]:45320;"
	     " from=<l@one.test> to=<a@far.test> proto=ESMTP helo=<vm>: 5.7.1 " REFUSAL);
	assert_int_equal(reported(REPORT_REFUSED, 0)->submission.caller, CALLER);
	says("postfix/cleanup",
	     "1C63CCE: reject: header Subject: : 5.7.1 " REFUSAL " from "
	     "localhost[127.0.0.1]:45320; from=<l@one.test> to=<a@far.test> proto=ESMTP helo=<vm>: "
	     "5.7.1 looks like spam");
	silent();
	/* Of sendmail(1): once for each recipient, not once more for all. */
	says("postfix/pickup", "08F90AB: uid=1001 from=<a@one.test>");
	says("postfix/cleanup", "08F90AB: reject: header Received: x from local; from=<a@one.test> "
				"to=<b@far.test>: 5.7.1 " REFUSAL);
	silent();
	says("postfix/cleanup", "08F90AB: to=<b@far.test>, " NONE("5.7.1", "bounced", REFUSAL));
	assert_string_equal(reported(REPORT_REFUSED, 0)->rcpt, "b@far.test");
}

static void test_removed_and_reused(void **state)
{
	(void)state;
	submit("9F5D65B", "alice@one.test");
	says("postfix/qmgr", "9F5D65B: removed");
	says("postfix/smtp", "9F5D65B: to=<late@far.test>, " MX SENT);
	assert_int_equal(reported(REPORT_OUTCOME, SMTP_DELIVERED)->submission.uid, 1001);
	says("postfix/cleanup", "9F5D65B: message-id=<other@host.test>");
	says("postfix/smtp", "9F5D65B: to=<late@far.test>, " MX SENT);
	assert_int_equal(reported(REPORT_OUTCOME, SMTP_DELIVERED)->submission.known,
			 SUBMISSION_INTERNAL | SUBMISSION_NO_SENDER);
	says("postfix/qmgr", "9F5D65B: removed");
	assert_int_equal(maillog_stats(current.p).messages, 1);
	current.wall_ns += 61 * NS_PER_S;
	says("postfix/qmgr", "A15205D: removed");
	assert_int_equal(maillog_stats(current.p).messages, 0);
}

/* 100 places: of 250 messages the 100 that were touched last are known, with a busy old one. */
static void test_the_oldest_makes_room(void **state)
{
	char text[256];
	int i;

	(void)state;
	tear_down(state);
	set_up_max(100);
	submit("A00000", "first@one.test");
	for (i = 0; i < 250; i++) {
		snprintf(text, sizeof(text), "%06X: uid=%d from=<a@one.test>", 0xB00000 + i,
			 2000 + i);
		says("postfix/pickup", text);
		says("postfix/qmgr",
		     "A00000: from=<first@one.test>, size=2, nrcpt=1 (queue active)");
	}
	assert_int_equal(maillog_stats(current.p).messages, 100);
	assert_int_equal(maillog_stats(current.p).evicted, 151);
	for (i = 0; i < 250; i++) {
		snprintf(text, sizeof(text), "%06X: to=<a@far.test>, " MX SENT, 0xB00000 + i);
		says("postfix/smtp", text);
		assert_int_equal(reported(REPORT_OUTCOME, SMTP_DELIVERED)->submission.uid,
				 i < 151 ? 0 : 2000 + i);
	}
	says("postfix/smtp", "A00000: to=<a@far.test>, " MX SENT);
	assert_int_equal(reported(REPORT_OUTCOME, SMTP_DELIVERED)->submission.uid, 1001);
}

static void test_history_is_not_told(void **state)
{
	static const char ident[] = "postfix/smtp";
	static const char text[] = "9F5D65B: to=<a@far.test>, " MX SENT;
	const struct maillog_line line = {
		.ident = {ident, sizeof(ident) - 1},
		.pid = {"1", 1},
		.text = {text, sizeof(text) - 1},
	};

	(void)state;
	maillog_take(current.p, &line, false);
	silent();
}

/* Whatever customers and remote hosts write, Postfix's own words are there, or cut off. */
static void test_nobody_blinds_it(void **state)
{
	static const char *const addresses[] = {
		"x>, relay=",
		"\"x>, relay=a, delay=1\"@far.test",
		"x>, relay=none, status=lost (no",
		"x>, relay=a[1.2.3.4]:25, delay=0, delays=0/0/0/0, foo, dsn=2.0.0, status=odd (x)",
		">",
		"",
		")",
		"a, foo=bar, dsn=x",
	};
	char text[2200], pad[2000];
	size_t i;

	(void)state;
	memset(pad, 'm', sizeof(pad) - 1);
	pad[sizeof(pad) - 1] = '\0';
	submit("9F5D65B", "alice@one.test");
	for (i = 0; i < 50 * 8; i++) {
		const char *address = addresses[i % 8];

		current.count = 0;
		snprintf(text, sizeof(text), "9F5D65B: to=<%s>, " MX BOUNCED, address);
		says("postfix/smtp", text);
		reported(REPORT_OUTCOME, SMTP_FAILED);
		snprintf(text, sizeof(text),
			 "9F5D65B: to=<a@far.test>, " MX ", dsn=2.0.0, status=sent (250 <%s>)",
			 address);
		says("postfix/smtp", text);
		/* Pushed out by an address, at syslog(3)'s bound and at half of it. */
		snprintf(text, sizeof(text), "9F5D65B: to=<%s%s@far.test>, ", address, pad);
		text[i % 2 ? 2000 : 1000] = '\0';
		says("postfix/smtp", text);
	}
	assert_null(maillog_blind(current.p));
	assert_int_equal(maillog_stats(current.p).unread, 0);
}

/* How a version to come might write it. */
#define ODD ", dsn=2.0.0, outcome=sent (250 ok)"

static void test_blind(void **state)
{
	int i;

	(void)state;
	submit("9F5D65B", "alice@one.test");
	for (i = 0; i < MAILLOG_SIGHT_BAD - 1; i++)
		says("postfix/smtp", "9F5D65B: to=<a@far.test>, " MX ODD);
	/* They leave the last hundred. Deliveries at home are of no account. */
	for (i = 0; i < MAILLOG_SIGHT_LINES; i++) {
		says("postfix/local", "9F5D65B: to=<a>, relay=local" TAIL ODD);
		says("postfix/smtp", "9F5D65B: to=<a@far.test>, " MX SENT);
		reported(REPORT_OUTCOME, SMTP_DELIVERED);
	}
	for (i = 0; i < MAILLOG_SIGHT_BAD - 1; i++)
		says("postfix/smtp", "9F5D65B: to=<a@far.test>, " MX ODD);
	assert_null(maillog_blind(current.p));
	says("postfix/smtp", "9F5D65B: to=<a@far.test>, " MX SENT);
	reported(REPORT_OUTCOME, SMTP_DELIVERED);
	says("postfix/smtp", "9F5D65B: to=<z@far.test>, " MX ODD);
	assert_string_equal(maillog_blind(current.p), "9F5D65B: to=<z@far.test>, " MX ODD);
	assert_int_equal(maillog_stats(current.p).unread, 2 * MAILLOG_SIGHT_BAD - 1);
	/* Nothing is told, until as many in a row are understood. */
	for (i = 0; i < MAILLOG_SIGHT_GOOD - 1; i++)
		says("postfix/smtp", "9F5D65B: to=<a@far.test>, " MX SENT);
	says("postfix/smtp", "9F5D65B: to=<a@far.test>, " MX ", status=");
	for (i = 0; i < MAILLOG_SIGHT_GOOD - 1; i++)
		says("postfix/smtp", "9F5D65B: to=<a@far.test>, " MX SENT);
	silent();
	assert_non_null(maillog_blind(current.p));
	says("postfix/smtp", "9F5D65B: to=<a@far.test>, " MX SENT);
	reported(REPORT_OUTCOME, SMTP_DELIVERED);
	assert_null(maillog_blind(current.p));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

#define TURNED(rcpt, text)                                                                         \
	"reject: RCPT from localhost[127.0.0.1]: 550 5.7.1 <" rcpt                                 \
	">: Recipient address rejected: " text "; from=<a@susp.test> to=<" rcpt                    \
	"> proto=ESMTP helo=<client.test>"

/* At the recipient; once for each, and not for what others turn away. */
static void test_turned_away_by_smtpd(void **state)
{
	const struct delivery_report *r;

	(void)state;
	says("postfix/smtpd", "NOQUEUE: " TURNED("b@far.test", REFUSAL));
	r = reported(REPORT_REFUSED, SMTP_OUTCOME_NONE);
	assert_string_equal(r->submission.sender, "a@susp.test");
	assert_string_equal(r->rcpt, "b@far.test");
	assert_int_equal(r->submission.known, 0);
	says("postfix/smtpd",
	     "9F5D65B: " TURNED("c@far.test", "Domain susp.test is not allowed to send mail at "
					      "present. Message discarded."));
	assert_string_equal(reported(REPORT_REFUSED, SMTP_OUTCOME_NONE)->rcpt, "c@far.test");
	says("postfix/smtpd", "NOQUEUE: " TURNED("b@far.test", "Domain susp.test has gone"));
	says("postfix/smtpd", "NOQUEUE: " TURNED("b@far.test", "Access denied"));
	says("postfix/smtpd", "NOQUEUE: reject: DATA from x[192.0.2.1]: 550 5.7.1 <DATA>: Data "
			      "command rejected: " REFUSAL "; from=<a@susp.test> proto=ESMTP");
	says("postfix/smtpd", "NOQUEUE: reject: RCPT from x[192.0.2.1]: 550 5.7.1 <");
	assert_int_equal(current.count, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_sendmail),
		TEST(test_smtp_clients),
		TEST(test_auth),
		TEST(test_senders_that_speak),
		TEST(test_redirected),
		TEST(test_made_by_postfix),
		TEST(test_a_gap),
		TEST(test_forwarded_by_local),
		TEST(test_content_filter),
		TEST(test_instances),
		TEST(test_refused_by_cleanup),
		TEST(test_turned_away_by_smtpd),
		TEST(test_removed_and_reused),
		TEST(test_the_oldest_makes_room),
		TEST(test_history_is_not_told),
		TEST(test_nobody_blinds_it),
		TEST(test_blind),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
