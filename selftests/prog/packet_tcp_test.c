/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * packet_tcp_test.c - TCP beside the bytes of a stream: handshakes, holes, resets, headers that are
 * not valid; and the end of a session, which is settled once, whoever holds it, suspended or not.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <time.h>

#include "../lib/packet_world.h"

static const char mail[] = "MAIL FROM:<a@b>\r\n", rcpt[] = "RCPT TO:<c@d>\r\n", ok[] = "250 ok\r\n";

/* A connection with two recipients accepted. */
static void connect_named(struct world *w)
{
	world_connect(w, 1000, 2000);
	world_answer(w, "220 mx\r\n");
	world_say(w, mail);
	world_say(w, rcpt);
	world_say(w, rcpt);
	for (int i = 0; i < 3; i++)
		world_answer(w, ok);
}

/* --- handshakes ----------------------------------------------------------------------------- */

static void test_data_on_the_syn(void **state)
{
	struct world *w = *state;
	const char *early = "EHLO h\r\nMAIL FROM:<a@b>\r\n";

	for (int resent = 0; resent < 4; resent++) {
		world_open(w, 1000, 2000);
		assert_int_equal(world_syn(w, early), WORLD_PASS);
		if (resent == 1)
			assert_int_equal(world_syn(w, early), WORLD_PASS);
		if (resent == 2)
			assert_int_equal(world_syn(w, ""), WORLD_PASS);
		w->out++;
		world_sent(w, true, early, strlen(early));
		assert_int_equal(world_syn_ack(w), WORLD_PASS);
		w->in++;
		/* What the server did not take comes again, behind the handshake. */
		if (resent == 3)
			assert_int_equal(
				world_segment(w, true, -(int)strlen(early), early, strlen(early)),
				WORLD_PASS);
		world_answer(w, "220 mx\r\n250 ok\r\n550 no\r\n");
		world_end(w, false);
		assert_true(world_agrees(w, "data on the SYN"));
	}
}

static void test_syn_ack_again(void **state)
{
	struct world *w = *state;

	world_connect(w, 1000, 2000);
	world_answer(w, "220 mx\r\n");
	w->in -= strlen("220 mx\r\n") + 1;
	assert_int_equal(world_syn_ack(w), WORLD_PASS);
	w->in += strlen("220 mx\r\n") + 1;
	world_say(w, mail);
	world_answer(w, "550 no\r\n");
	assert_true(world_agrees(w, "SYN-ACK again"));
}

/* An answer to what was not sent is not the peer's: it must not set where replies begin. */
static void test_syn_ack_of_another(void **state)
{
	static const int32_t acked[] = {0, -1, -1000, 9, 1 << 20, INT32_MAX, INT32_MIN};
	struct world *w = *state;

	for (size_t i = 0; i < sizeof(acked) / sizeof(acked[0]); i++) {
		struct packet_spec p = {.seq = 777, .flags = TCP_SYN | TCP_ACK};

		world_open(w, 1000, 2000);
		p.ack = w->out + acked[i];
		assert_int_equal(world_syn(w, "NOOP\r\n"), WORLD_PASS); /* acked from 1 to 7 */
		w->out++;
		world_sent(w, true, "NOOP\r\n", 6);
		assert_int_equal(world_packet(w, false, &p), WORLD_PASS);
		p.flags = TCP_SYN;
		assert_int_equal(world_packet(w, false, &p), WORLD_PASS);
		assert_int_equal(world_syn_ack(w), WORLD_PASS);
		w->in++;
		world_say(w, mail);
		world_answer(w, "220 mx\r\n250 ok\r\n550 no\r\n");
		assert_true(world_agrees(w, "SYN-ACK of another"));
	}
}

static void test_replies_before_the_handshake(void **state)
{
	struct world *w = *state;

	world_open(w, 1000, 2000);
	assert_int_equal(world_segment(w, false, 0, "421 no\r\n", 8), WORLD_PASS);
	assert_int_equal(world_syn(w, ""), WORLD_PASS);
	w->out++;
	assert_int_equal(world_segment(w, false, 0, "421 no\r\n", 8), WORLD_PASS);
	assert_int_equal(world_syn_ack(w), WORLD_PASS);
	w->in++;
	world_answer(w, "220 mx\r\n");
	world_end(w, false);
	assert_true(world_agrees(w, "replies before the handshake"));
}

/* Every byte of a connection is the first one behind 2^32 once. */
static void test_wrap_everywhere(void **state)
{
	struct world *w = *state;

	for (uint32_t off = 0; off < 70; off++) {
		world_connect(w, -off, -off);
		world_answer(w, "220 mx.example.net\r\n");
		world_say(w, "EHLO h\r\nMAIL FROM:<a@b>\r\n");
		assert_int_equal(world_segment(w, false, 9, "x", 1), WORLD_DROP);
		w->trace.stats.hole_drops++;
		world_answer(w, "250-mx\r\n250 PIPELINING\r\n250 ok\r\n");
		assert_int_equal(world_segment(w, true, -20, "x", 1), WORLD_PASS);
		world_say(w, "RCPT TO:<c@d>\r\n");
		world_answer(w, "550 no\r\n");
		world_end(w, true);
		assert_true(world_agrees(w, "wrap"));
	}
}

/* --- holes, and what ends a stream ---------------------------------------------------------- */

static void drop_ahead(struct world *w, int times)
{
	for (int i = 0; i < times; i++)
		assert_int_equal(world_segment(w, false, 3, "250 no\r\n", 8), WORLD_DROP);
	w->trace.stats.hole_drops += times;
}

static void test_the_bound_is_of_drops_in_a_row(void **state)
{
	struct world *w = *state;

	connect_named(w);
	for (int i = 0; i < 3; i++) {
		drop_ahead(w, SMTPL_HOLE_DROPS_MAX);
		world_say(w, rcpt);
		world_answer(w, ok);
	}
	drop_ahead(w, SMTPL_HOLE_DROPS_MAX);
	assert_int_equal(world_segment(w, false, 3, "250 no\r\n", 8), WORLD_PASS);
	w->in += 11;
	trace_hole(&w->trace);
	world_say(w, rcpt);
	world_answer(w, "550 no\r\n");
	world_end(w, false);
	assert_true(world_agrees(w, "a hole past the bound"));
}

static void test_a_hole_in_what_was_sent(void **state)
{
	struct world *w = *state;

	connect_named(w);
	assert_int_equal(world_segment(w, true, 6, rcpt, strlen(rcpt)), WORLD_PASS);
	w->out += 6;
	w->trace.stats.hole_resyncs++;
	w->trace.ss.c.desync = 1;
	world_sent(w, true, rcpt, strlen(rcpt));
	world_say(w, "NOOP\r\n");
	world_answer(w, ok);
	world_end(w, false);
	assert_true(world_agrees(w, "a hole in what was sent"));
}

static void test_fin_with_data_and_reset(void **state)
{
	struct world *w = *state;
	struct packet_spec fin = {.flags = TCP_FIN | TCP_ACK, .bytes = "550 no\r\n", .len = 8};
	struct packet_spec rst = {.flags = TCP_RST | TCP_ACK, .bytes = "421 go\r\n", .len = 8};

	connect_named(w);
	world_say(w, rcpt);
	rst.seq = fin.seq = w->in;
	assert_int_equal(world_packet(w, false, &rst), WORLD_PASS); /* its text is not for us */
	assert_int_equal(world_packet(w, false, &fin), WORLD_PASS);
	world_sent(w, false, fin.bytes, fin.len);
	assert_int_equal(world_packet(w, false, &fin), WORLD_PASS);
	world_end(w, true);
	assert_true(world_agrees(w, "FIN with data"));
}

/* The urgent byte is not in the server's stream, so no such packet gets there. */
static void test_urgent_data(void **state)
{
	struct world *w = *state;
	struct packet_spec urgent = {.flags = TCP_URG | TCP_ACK, .bytes = "!", .len = 1};

	connect_named(w);
	world_say(w, "RC");
	urgent.seq = w->out;
	for (int i = 0; i < 3; i++)
		assert_int_equal(world_packet(w, true, &urgent), WORLD_DROP);
	w->trace.stats.urgent_packets += 3;
	world_end(w, true);
	assert_true(world_agrees(w, "urgent data"));
}

/* What our TCP has acknowledged never comes again: to wait for it would take forever. */
static void test_a_hole_that_tcp_has_filled(void **state)
{
	struct world *w = *state;

	connect_named(w);
	drop_ahead(w, 1);
	w->in += 3;
	assert_int_equal(world_segment(w, true, 0, NULL, 0), WORLD_PASS); /* acknowledges them */
	assert_int_equal(world_segment(w, false, 0, "250 no\r\n", 8), WORLD_PASS);
	w->in += 8;
	trace_hole(&w->trace);
	world_end(w, false);
	assert_true(world_agrees(w, "a hole that TCP has filled"));
}

/* --- packets that are none ------------------------------------------------------------------ */

static __u8 broken[WORLD_SMALL];

static size_t broken_from(const struct world *w, bool out)
{
	struct packet_spec p = {.seq = out ? w->out : w->in,
				.ack = out ? w->in : w->out,
				.flags = TCP_ACK,
				.bytes = out ? rcpt : "421 no\r\n"};

	p.len = strlen(p.bytes);
	memset(broken, 0, sizeof(broken));
	return packet_build(broken, &w->shape, &p);
}

/* The packet passes and the session is as before. */
static void ignored(const struct world *w, bool out, size_t len)
{
	static char before[16384];

	assert_true(w->session_size <= sizeof(before));
	memcpy(before, w->session, w->session_size);
	assert_int_equal(world_run(w, out ? w->egress : w->ingress, broken, len), WORLD_PASS);
	assert_memory_equal(before, w->session, w->session_size);
}

static void break_ip4(struct world *w, bool out)
{
	size_t len;

	w->shape = (struct shape){0};
	for (size_t n = 1; n < 40; n++)
		broken_from(w, out), ignored(w, out, n);
	for (unsigned int words = 0; words < 5; words++) {
		len = broken_from(w, out);
		broken[0] = 0x40 | words;
		ignored(w, out, len);
		len = broken_from(w, out);
		broken[32] = words << 4;
		ignored(w, out, len);
	}
	len = broken_from(w, out);
	broken[32] = 0xf0; /* more options than there are bytes */
	ignored(w, out, len);
	broken[0] = 0x4f;
	ignored(w, out, len);
	len = broken_from(w, out);
	broken[9] = 17;
	ignored(w, out, len);
	len = broken_from(w, out);
	broken[0] = 0x55;
	ignored(w, out, len);
}

static void break_ip6(struct world *w, bool out)
{
	size_t len;

	w->shape = (struct shape){.v6 = true, .extensions = 7};
	len = broken_from(w, out);
	ignored(w, out, len);
	w->shape.extensions = 2;
	for (size_t n = 1; n < 40 + 8 + 16 + 20; n++)
		broken_from(w, out), ignored(w, out, n);
	for (unsigned int i = 0; i < 2; i++) {
		len = broken_from(w, out);
		broken[41] = 255; /* the header is longer than the packet */
		if (i)
			broken[40] = 44; /* a fragment */
		ignored(w, out, len);
	}
	len = broken_from(w, out);
	broken[6] = 50; /* encrypted */
	ignored(w, out, len);
}

/* A SYN with TCP options of its own. */
static int syn_with(const struct world *w, const char *options)
{
	struct packet_spec p = {.seq = w->out, .flags = TCP_SYN};
	size_t len;

	memset(broken, 0, sizeof(broken));
	len = packet_build(broken, &w->shape, &p);
	memcpy(broken + len - w->shape.options, options, w->shape.options);
	return world_run(w, w->egress, broken, len);
}

/* A further MPTCP subflow carries parts of another connection: it is dropped, and no outcome. */
static void test_joining_subflows(void **state)
{
	static const char *const joins[] = {
		"\x1e\x0c\x10.........",
		"\x01\x01\x02\x04..\x1e\x06\x11...",
	};
	static const char *const others[] = {
		"\x1e\x0c\x00.........",       /* MP_CAPABLE */
		"\x01\x00\x1e\x0c\x10.......", /* behind the end, or what is no option */
		"\x02\x00\x1e\x0c\x10.......",
		"\x03\x03.\x1e\x01\x10......",
		"\x02\x0c\x1e\x0c\x10.......", /* within another */
		"\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x1e",
	};
	struct world *w = *state;

	w->shape = (struct shape){.v6 = true, .options = 12, .extensions = 1};
	for (size_t i = 0; i < sizeof(joins) / sizeof(joins[0]); i++) {
		world_open(w, 1000, 2000);
		assert_int_equal(syn_with(w, joins[i]), WORLD_DROP);
		w->trace.stats.mptcp_joins++;
		world_close(w, SMTP_END_LOST, 110);
		assert_true(world_agrees(w, "a joining subflow"));
	}
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		world_open(w, 1000, 2000);
		assert_int_equal(syn_with(w, others[i]), WORLD_PASS);
		world_end(w, true);
		assert_true(world_agrees(w, "no joining subflow"));
	}
	w->shape = (struct shape){0};
}

static void test_broken_headers(void **state)
{
	struct world *w = *state;

	connect_named(w);
	for (int out = 0; out < 2; out++) {
		break_ip4(w, out);
		break_ip6(w, out);
	}
	w->shape = (struct shape){.v6 = true, .options = 40, .extensions = 6};
	world_say(w, rcpt);
	world_answer(w, "550 no\r\n");
	world_end(w, false);
	assert_true(world_agrees(w, "broken headers"));
	w->shape = (struct shape){0};
}

/* --- the end of a session ------------------------------------------------------------------- */

static void test_the_end_comes_once(void **state)
{
	struct world *w = *state;

	connect_named(w);
	world_end(w, true);
	world_close(w, SMTP_END_CLIENT, 0);
	assert_true(world_agrees(w, "the end comes once"));
}

static void test_the_end_while_a_reply_is_read(void **state)
{
	struct world *w = *state;

	connect_named(w);
	assert_int_equal(world_call(w, (struct packet_call){.what = PACKET_CALL_LOCK}), 0);
	assert_int_equal(world_segment(w, false, 0, ok, strlen(ok)), WORLD_DROP);
	w->trace.stats.ingress_races++;
	assert_int_equal(world_segment(w, false, -8, ok, 0), WORLD_PASS);
	world_close(w, SMTP_END_LOST, 104);
	assert_int_equal(ring_buffer__consume(w->ring), 3); /* MAIL, RCPT: nothing is settled yet */
	assert_int_equal(world_call(w, (struct packet_call){.what = PACKET_CALL_RELEASE}), 0);
	assert_int_equal(world_call(w, (struct packet_call){.what = PACKET_CALL_RELEASE}), 0);
	trace_end(&w->trace, SMTP_END_LOST, 104);
	assert_true(world_agrees(w, "the end while a reply is read"));
}

static void test_a_relay_that_never_named_a_sender(void **state)
{
	struct world *w = *state;
	struct packet_call relay = {.what = PACKET_CALL_OPEN, .role = SMTPL_ROLE_RELAY};

	world_open(w, 1, 1);
	relay.uid = w->uid;
	assert_int_equal(world_call(w, relay), 0);
	world_close(w, SMTP_END_LOST, 111);
	text_printf(&w->trace.events, "CLOSE\n");
	assert_true(world_agrees(w, "a relay that never named a sender"));
}

static void suspend(const struct world *w, int64_t seconds)
{
	int map = bpf_object__find_map_fd_by_name(w->object, "smtpl_uids");
	struct smtpl_uid entry = {.role = SMTPL_ROLE_DIRECT};
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	entry.suspension.until_ns = (now.tv_sec + seconds) * 1000000000ull;
	assert_int_equal(bpf_map_update_elem(map, &w->uid, &entry, BPF_ANY), 0);
}

static void test_a_suspension_cuts_what_is_open(void **state)
{
	struct world *w = *state;
	struct packet_spec rst = {.flags = TCP_RST};

	connect_named(w);
	suspend(w, -1);
	world_say(w, "DATA\r\n");
	suspend(w, 3600);
	assert_int_equal(world_segment(w, true, 0, rcpt, strlen(rcpt)), WORLD_DROP);
	assert_int_equal(world_segment(w, true, 0, NULL, 0), WORLD_DROP);
	assert_int_equal(world_segment(w, false, 0, ok, strlen(ok)), WORLD_DROP);
	broken_from(w, true);
	assert_int_equal(world_run(w, w->egress, broken, 30), WORLD_DROP);
	w->trace.stats.refused_packets += 4;
	rst.seq = w->out;
	assert_int_equal(world_packet(w, true, &rst), WORLD_PASS);
	world_close(w, SMTP_END_LOST, 103);
	/* Its two recipients are no outcome: they were refused. */
	w->trace.stats.refused_attempts += 2;
	trace_count_of(&w->trace, (char[SMTPL_DOMAIN_SIZE]){0})->refused += 2;
	text_printf(&w->trace.events, "CLOSE\n");
	assert_true(world_agrees(w, "a suspension"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_data_on_the_syn),
		cmocka_unit_test(test_syn_ack_again),
		cmocka_unit_test(test_syn_ack_of_another),
		cmocka_unit_test(test_replies_before_the_handshake),
		cmocka_unit_test(test_wrap_everywhere),
		cmocka_unit_test(test_the_bound_is_of_drops_in_a_row),
		cmocka_unit_test(test_a_hole_in_what_was_sent),
		cmocka_unit_test(test_fin_with_data_and_reset),
		cmocka_unit_test(test_urgent_data),
		cmocka_unit_test(test_a_hole_that_tcp_has_filled),
		cmocka_unit_test(test_joining_subflows),
		cmocka_unit_test(test_broken_headers),
		cmocka_unit_test(test_the_end_comes_once),
		cmocka_unit_test(test_the_end_while_a_reply_is_read),
		cmocka_unit_test(test_a_relay_that_never_named_a_sender),
		cmocka_unit_test(test_a_suspension_cuts_what_is_open),
	};

	if (geteuid()) {
		printf("1..0 # SKIP needs root to load BPF programs\n");
		return 4;
	}
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("packet_tcp", tests, world_load, world_unload);
}
