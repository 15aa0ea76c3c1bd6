/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * smtp_test.c - the parser fed with the dialogues of selftests/corpus, each in many interleavings
 * of its two directions; and what a dialogue can't show: hashes, keys of long domains, what stays
 * in memory.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "headers/smtp.h"
#include "lib/dialogue.h"

#define INTERLEAVINGS 24

struct fixture {
	char before[64];
	struct smtp_session ss;
	char behind[64];
	bool skip; /* skip chunks by their length */
};

static void fixture_begin(struct fixture *f, bool skip)
{
	memset(f, 0, sizeof(*f));
	memset(f->before, 0x5a, sizeof(f->before));
	memset(f->behind, 0x5a, sizeof(f->behind));
	f->skip = skip;
}

static void fixture_check(const struct fixture *f)
{
	for (size_t i = 0; i < sizeof(f->before); i++) {
		assert_int_equal(f->before[i], 0x5a);
		assert_int_equal(f->behind[i], 0x5a);
	}
}

static unsigned int feed_client(void *context, const char *bytes, size_t len, size_t *taken)
{
	struct fixture *f = context;

	for (*taken = 0; *taken < len;) {
		uint64_t chunk = f->skip ? smtp_client_chunk(&f->ss) : 0;
		unsigned int event;

		if (chunk) {
			size_t n = chunk < len - *taken ? chunk : len - *taken;

			smtp_client_skip_chunk(&f->ss, n);
			*taken += n;
			continue;
		}
		event = smtp_client_byte(&f->ss, (unsigned char)bytes[(*taken)++]);
		if (event)
			return event;
	}
	return 0;
}

static unsigned int feed_server(void *context, const char *bytes, size_t len, size_t *taken)
{
	struct fixture *f = context;

	for (*taken = 0; *taken < len;) {
		unsigned int event = smtp_server_byte(&f->ss, (unsigned char)bytes[(*taken)++]);

		if (event)
			return event;
	}
	return 0;
}

static unsigned int feed_desync(void *context)
{
	struct fixture *f = context;

	return smtp_session_desync(&f->ss);
}

static unsigned int feed_end(void *context, bool lost)
{
	struct fixture *f = context;

	return smtp_session_end(&f->ss, lost ? SMTP_END_LOST : SMTP_END_CLIENT);
}

static bool play(const struct dialogue *d, unsigned int seed, bool skip)
{
	struct fixture f;
	const struct dialogue_target target = {&f,	    feed_client, feed_server,
					       feed_desync, feed_end,	 &f.ss};
	bool good;

	fixture_begin(&f, skip);
	good = dialogue_play(d, &target, seed);
	fixture_check(&f);
	return good;
}

static void test_corpus(void **state)
{
	struct dialogue *list = dialogue_corpus();
	unsigned int bad = 0, dialogues = 0;

	(void)state;
	assert_non_null(list);
	for (const struct dialogue *d = list; d; d = d->next) {
		bool good = play(d, 0, false) && play(d, 0, true);

		for (unsigned int seed = 1; good && !d->ordered && seed <= INTERLEAVINGS; seed++)
			good = play(d, seed, seed & 1);
		bad += !good;
		dialogues++;
	}
	dialogue_free(list);
	printf("# %u dialogues\n", dialogues);
	assert_int_equal(bad, 0);
	assert_true(dialogues >= 60);
}

/* --- what a dialogue can't show --------------------------------------------------------------- */

static void say(struct smtp_session *ss, const char *line)
{
	while (*line)
		smtp_client_byte(ss, (unsigned char)*line++);
}

static void answer(struct smtp_session *ss, const char *line)
{
	while (*line)
		smtp_server_byte(ss, (unsigned char)*line++);
}

/* FNV-1a 64 as published, to compare with. */
static uint64_t fnv1a(const char *text)
{
	uint64_t hash = 0xcbf29ce484222325ull;

	for (; *text; text++)
		hash = (hash ^ (unsigned char)*text) * 0x100000001b3ull;
	return hash;
}

static void test_hash(void **state)
{
	static const struct {
		const char *line, *whole;
	} cases[] = {
		{"MAIL FROM:<Local@EXAMPLE.com>\r\n", "Local@example.com"},
		{"RCPT TO: Local@EXAMPLE.com SIZE=5\r\n", "Local@example.com"},
		{"RCPT TO:<@A,@B:Local@EXAMPLE.com>\r\n", "Local@example.com"},
		{"RCPT TO:<A@B@C>\r\n", "A@B@c"},
		{"RCPT TO:<\"A@B\"@C>\r\n", "\"A@B\"@c"},
		{"RCPT TO:<Postmaster>\r\n", "Postmaster"},
		{"RCPT TO:<a@Example.COM.>\r\n", "a@example.com."},
		{"MAIL FROM:<>\r\n", ""},
	};

	(void)state;
	assert_int_equal(fnv1a("foobar"), 0x85944171f73967e8ull);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct smtp_session ss = {0};

		say(&ss, cases[i].line);
		assert_int_equal(ss.c.hash, fnv1a(cases[i].whole));
	}
}

/* No address is known to hash to 0, so the rule is tested where it is applied. */
static void test_hash_is_never_zero(void **state)
{
	struct smtp_client c = {0};

	(void)state;
	smtp_path_begin(&c);
	c.hash = 0;
	smtp_path_close(&c);
	assert_int_equal(c.hash, 1);
}

static void domain_of(char *key, const char *domain)
{
	struct smtp_session ss = {0};

	say(&ss, "MAIL FROM:<a@");
	say(&ss, domain);
	say(&ss, ">\r\n");
	memcpy(key, ss.c.senders[1].domain, SMTPL_DOMAIN_SIZE);
}

static void test_long_domains(void **state)
{
	char domain[300], key[SMTPL_DOMAIN_SIZE], expected[sizeof(domain)];
	char other[SMTPL_DOMAIN_SIZE];

	(void)state;
	for (size_t len = 100; len < sizeof(domain) - 2; len++) {
		memset(domain, 'x', len);
		domain[len] = 0;
		if (len < SMTPL_DOMAIN_SIZE)
			snprintf(expected, sizeof(expected), "%s", domain);
		else
			snprintf(expected, sizeof(expected), "%.110s~%016llx", domain,
				 (unsigned long long)fnv1a(domain));
		domain_of(key, domain);
		assert_string_equal(key, expected);
		memset(domain, 'X', len / 2);
		memcpy(domain + len, ".", sizeof("."));
		domain_of(key, domain);
		assert_string_equal(key, expected);
		domain[len - 1] = 'y';
		domain_of(other, domain);
		assert_string_not_equal(key, other);
	}
}

static bool holds(const struct smtp_session *ss, const char *secret)
{
	return memmem(ss, sizeof(*ss), secret, strlen(secret));
}

static void test_auth_leaves_nothing(void **state)
{
	struct smtp_session ss = {0};

	(void)state;
	answer(&ss, "220 mx\r\n");
	say(&ss, "MAIL FROM:<planted");
	assert_true(holds(&ss, "planted")); /* the search does find */
	say(&ss, "@x>\r\nRSET\r\n");
	answer(&ss, "250 ok\r\n250 ok\r\n");
	say(&ss, "AUTH PLAIN s3");
	say(&ss, "kr1t\r\n");
	answer(&ss, "334 \r\n");
	for (const char *at = "s3kr1tX s3kr1t:s3kr1t"; *at; at++) {
		smtp_client_byte(&ss, (unsigned char)*at);
		assert_false(holds(&ss, "s3"));
	}
	say(&ss, "\r\n");
	answer(&ss, "235 ok\r\n");
	assert_false(holds(&ss, "s3") || holds(&ss, "S3") || holds(&ss, "3s"));
	assert_int_equal(ss.c.word, 0);
	assert_int_equal(ss.s.popped, ss.c.pushed);
}

/* A user name sent before the 334 is in sight is taken for a command: no more than its first word
 * is held, and only until the line ends. */
static void test_auth_pipelined_leaves_nothing(void **state)
{
	struct smtp_session ss = {0};

	(void)state;
	answer(&ss, "220 mx\r\n");
	say(&ss, "AUTH LOGIN\r\nS3KR1T\r\n");
	assert_int_equal(ss.c.word, 0);
	assert_false(holds(&ss, "S3") || holds(&ss, "3S"));
}

static void open_body(struct smtp_session *ss)
{
	answer(ss, "220 mx\r\n");
	say(ss, "MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n");
	answer(ss, "250 ok\r\n250 ok\r\n354 go\r\n");
}

static void test_body_may_be_skipped(void **state)
{
	struct smtp_session ss = {0};

	(void)state;
	open_body(&ss);
	assert_false(smtp_client_in_body(&ss)); /* its first byte must be seen */
	say(&ss, "x\r\n.");
	assert_true(smtp_client_in_body(&ss));
	smtp_client_skip_body(&ss);
	say(&ss, "\r\n");
	assert_true(smtp_client_in_body(&ss));
	smtp_client_skip_body(&ss);
	say(&ss, "\r\n.\r\n");
	assert_false(smtp_client_in_body(&ss));
	assert_int_equal(ss.c.pushed, 4);
}

static void test_chunk_may_be_skipped(void **state)
{
	struct smtp_session ss = {0};

	(void)state;
	say(&ss, "MAIL FROM:<a@b>\r\nBDAT 10 LAST\r\n");
	assert_int_equal(smtp_client_chunk(&ss), 10);
	smtp_client_skip_chunk(&ss, 0);
	smtp_client_skip_chunk(&ss, 7);
	say(&ss, "xy");
	assert_int_equal(smtp_client_chunk(&ss), 1);
	assert_false(ss.c.senders[1].end_sent);
	smtp_client_skip_chunk(&ss, 1);
	assert_int_equal(smtp_client_chunk(&ss), 0);
	assert_true(ss.c.senders[1].end_sent);
	say(&ss, "BDAT 281474976710656\r\n");
	assert_int_equal(smtp_client_chunk(&ss), 0);
}

/* Both sides at once: the client ended the body before it could see that it was answered early. */
static void test_early_reply_race(void **state)
{
	struct smtp_session ss = {0};
	unsigned int early;

	(void)state;
	open_body(&ss);
	say(&ss, "text");
	answer(&ss, "552 too big\r\n");
	assert_int_equal(ss.s.decision.outcome, SMTP_FAILED);
	early = ss.s.early_data;
	ss.s.early_data = 0;
	say(&ss, "\r\n.\r\nMAIL FROM:<e@f>\r\n");
	ss.s.early_data = early;
	assert_int_equal(ss.c.pushed - ss.s.popped, 2);
	answer(&ss, "550 no\r\n");
	assert_int_equal(ss.s.decision.subject, SMTP_SUBJECT_MAIL);
	assert_int_equal(ss.s.decision.txn, 2);
	assert_int_equal(ss.c.pushed, ss.s.popped);
}

/* A recipient that the client's side counted while the server's side turned desync. */
static void test_desync_race(void **state)
{
	struct smtp_session ss = {0};

	(void)state;
	answer(&ss, "220 mx\r\n");
	say(&ss, "MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\n");
	answer(&ss, "250 ok\r\n250 ok\r\n");
	assert_int_equal(smtp_session_desync(&ss), SMTP_SERVER_DESYNC);
	assert_int_equal(ss.s.decision.count, 1);
	ss.s.desync = 0;
	say(&ss, "RCPT TO:<e@f>\r\n");
	ss.s.desync = 1;
	say(&ss, "RCPT TO:<g@h>\r\n");
	assert_int_equal(smtp_session_end(&ss, SMTP_END_LOST), 1);
	assert_int_equal(ss.s.decision.count, 1);
	assert_int_equal(ss.s.decision.outcome, SMTP_UNKNOWN);
	assert_int_equal(smtp_session_end(&ss, SMTP_END_LOST), 0);
	assert_int_equal(ss.s.attempts, 2);
}

static void test_no_session(void **state)
{
	(void)state;
	assert_int_equal(smtp_client_byte(NULL, 'x'), 0);
	assert_int_equal(smtp_server_byte(NULL, 'x'), 0);
	assert_int_equal(smtp_session_end(NULL, SMTP_END_LOST), 0);
	assert_int_equal(smtp_session_desync(NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_corpus),
		cmocka_unit_test(test_hash),
		cmocka_unit_test(test_hash_is_never_zero),
		cmocka_unit_test(test_long_domains),
		cmocka_unit_test(test_auth_leaves_nothing),
		cmocka_unit_test(test_auth_pipelined_leaves_nothing),
		cmocka_unit_test(test_body_may_be_skipped),
		cmocka_unit_test(test_chunk_may_be_skipped),
		cmocka_unit_test(test_early_reply_race),
		cmocka_unit_test(test_desync_race),
		cmocka_unit_test(test_no_session),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("smtp", tests, NULL, NULL);
}
