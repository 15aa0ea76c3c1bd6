/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * packet_reset_test.c - [refuse] relay = reset: the packet that begins a message of a suspended
 * domain and all behind it are dropped, whatever else is in it. Replies to earlier messages still
 * count, and the message that was reset counts as one refusal.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <time.h>

#include "../lib/packet_world.h"

static const char bad[SMTPL_DOMAIN_SIZE] = "bad.test";
static const char mail_bad[] = "MAIL FROM:<a@bad.test>\r\n",
		  mail_good[] = "MAIL FROM:<a@good.test>\r\n";
static const char rcpt[] = "RCPT TO:<c@d>\r\n", ok[] = "250 ok\r\n";

static void set_reset(const struct world *w, bool reset)
{
	assert_int_equal(
		world_call(w, (struct packet_call){.what = PACKET_CALL_RESET, .how = reset}), 0);
}

static void suspend_for(const struct world *w, int64_t seconds)
{
	int map = bpf_object__find_map_fd_by_name(w->object, "smtpl_domains");
	struct smtpl_suspension suspension = {0};
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	suspension.until_ns = (now.tv_sec + seconds) * 1000000000ull;
	assert_int_equal(bpf_map_update_elem(map, bad, &suspension, BPF_ANY), 0);
}

/* A session of a uid in this role that has been greeted. */
static void greeted(struct world *w, __u32 role)
{
	struct packet_call open = {.what = PACKET_CALL_OPEN, .role = role};

	world_connect(w, 1000, 2000);
	open.uid = w->uid;
	assert_int_equal(world_call(w, open), 0);
	world_answer(w, "220 mx\r\n");
}

static void setup(struct world *w)
{
	set_reset(w, true);
	suspend_for(w, 60);
	greeted(w, SMTPL_ROLE_RELAY);
}

static void is_dropped(struct world *w, const char *bytes)
{
	assert_int_equal(world_segment(w, true, 0, bytes, strlen(bytes)), WORLD_DROP);
	w->trace.stats.refused_packets++;
}

/* These bytes begin a message of the domain: they reset the session. */
static void is_reset(struct world *w, const char *bytes)
{
	is_dropped(w, bytes);
	text_printf(&w->trace.events, "CUT bad.test\n");
	trace_count_of(&w->trace, bad)->refused++;
	w->trace.stats.sessions_cut++;
	w->trace.stats.refused_attempts++;
}

/* The connection ends, and no outcome is counted for it. */
static void ends(struct world *w, const char *what)
{
	world_close(w, SMTP_END_LOST, 103);
	text_printf(&w->trace.events, "CLOSE\n");
	assert_true(world_agrees(w, what));
}

static void test_nothing_follows(void **state)
{
	struct packet_spec rst = {.flags = TCP_RST};
	struct world *w = *state;

	setup(w);
	is_reset(w, mail_bad);
	for (int again = 0; again < 3; again++)
		is_dropped(w, mail_bad);
	is_dropped(w, "");
	is_dropped(w, mail_good);
	rst.seq = w->out;
	assert_int_equal(world_packet(w, true, &rst), WORLD_PASS);
	assert_int_equal(world_segment(w, false, 0, "421 idle\r\n", 10), WORLD_PASS);
	ends(w, "nothing follows");
}

/* The server's word about the message before comes after the reset. */
static void test_the_message_before_counts(void **state)
{
	struct world *w = *state;

	setup(w);
	world_say(w, mail_good);
	world_say(w, rcpt);
	world_answer(w, ok);
	world_answer(w, ok);
	world_say(w, "DATA\r\n");
	world_answer(w, "354 go\r\n");
	world_say(w, "x\r\n.\r\n");
	is_reset(w, mail_bad);
	world_answer(w, ok);
	ends(w, "the message before");
}

/* What is pipelined behind it is neither read nor sent. */
static void test_pipelined(void **state)
{
	struct world *w = *state;

	setup(w);
	world_say(w, mail_good);
	is_reset(w, "RSET\r\nMAIL FROM:<A@Bad.Test.>\r\nRCPT TO:<c@d>\r\nRSET\r\n"
		    "MAIL FROM:<a@good.test>\r\nRCPT TO:<c@d>\r\nDATA\r\n");
	world_answer(w, ok);
	ends(w, "pipelined");
}

static void test_byte_by_byte(void **state)
{
	struct world *w = *state;
	size_t last = strlen(mail_bad) - 1;

	setup(w);
	for (size_t i = 0; i < last; i++)
		world_send(w, true, mail_bad + i, 1);
	is_reset(w, "\n");
	ends(w, "byte by byte");
}

/* Replies can no longer be paired with commands, but senders are still read. */
static void test_desync(void **state)
{
	struct world *w = *state;

	setup(w);
	world_answer(w, "250 nobody asked\r\n");
	is_reset(w, mail_bad);
	w->trace.stats.sessions_desync++;
	ends(w, "desync");
}

static void passes(struct world *w, const char *mail, const char *what)
{
	world_say(w, mail);
	world_say(w, rcpt);
	world_answer(w, ok);
	world_answer(w, "550 no\r\n");
	world_end(w, true);
	assert_true(world_agrees(w, what));
}

static void test_others_pass(void **state)
{
	struct world *w = *state;

	setup(w);
	passes(w, mail_good, "another domain");
	setup(w);
	passes(w, "MAIL FROM:<>\r\n", "the null sender");
	setup(w);
	passes(w, "MAIL FROM:<bad.test>\r\n", "no domain");
	setup(w);
	passes(w, "MAIL FROM:<a@x.bad.test>\r\n", "a subdomain");
	greeted(w, SMTPL_ROLE_DIRECT);
	passes(w, mail_bad, "a direct sender");
	greeted(w, SMTPL_ROLE_EXEMPT);
	passes(w, mail_bad, "an exempt user");
}

static void test_only_when_wanted_and_as_long(void **state)
{
	struct world *w = *state;

	setup(w);
	set_reset(w, false);
	passes(w, mail_bad, "relay = hook");
	setup(w);
	suspend_for(w, -1);
	passes(w, mail_bad, "the suspension is over");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing_follows),
		cmocka_unit_test(test_the_message_before_counts),
		cmocka_unit_test(test_pipelined),
		cmocka_unit_test(test_byte_by_byte),
		cmocka_unit_test(test_desync),
		cmocka_unit_test(test_others_pass),
		cmocka_unit_test(test_only_when_wanted_and_as_long),
	};

	if (geteuid()) {
		printf("1..0 # SKIP needs root to load BPF programs\n");
		return 4;
	}
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("packet_of_reset", tests, world_load, world_unload);
}
