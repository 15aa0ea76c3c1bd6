/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * packet_test.c - the packet path fed with the dialogues of selftests/corpus, segmented in every
 * way that TCP knows: the events, counts and oddities must be those of the bytes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../lib/packet_world.h"

#define SEEDS	    4
#define WHOLE_BYTES 2500 /* in one packet, that of a large dialogue's flight */
#define HOLE_DROPS  SMTPL_HOLE_DROPS_MAX

enum manner {
	MANNER_WHOLE,	/* a flight is one packet */
	MANNER_BYTES,	/* one byte a packet */
	MANNER_CUT,	/* anywhere; replies arrive within the flight */
	MANNER_TWICE,	/* and each segment comes twice */
	MANNER_OVERLAP, /* and each begins before the end of the one before */
	MANNER_REORDER, /* and later replies come first, until they are dropped */
	MANNER_STRAY,	/* and with others between that are far off */
};

struct play {
	struct world *w;
	enum manner manner;
	unsigned int seed;
	struct text said[2]; /* all bytes of a direction so far: server, client */
};

static unsigned int chance(struct play *p, unsigned int below)
{
	p->seed = p->seed * 1103515245u + 12345u;
	return (p->seed >> 8) % below;
}

static size_t cut(struct play *p, size_t left)
{
	size_t n = left;

	if (p->manner == MANNER_WHOLE)
		n = WHOLE_BYTES;
	else if (p->manner == MANNER_BYTES)
		n = 1;
	else
		n = 1 + chance(p, chance(p, 4) ? 12 : 1500);
	return n < left ? n : left;
}

/* Bytes that must be read by nobody. */
static void send_strays(struct play *p, bool out)
{
	static const char junk[] = "\r\n.\r\n250 junk\r\nRCPT TO:<junk@junk>\r\n";
	static const int32_t off[] = {-100000, -0x40000000, INT32_MIN, (1 << 20) + 1, INT32_MAX};

	for (size_t i = 0; i < (out ? 2 : 5); i++)
		assert_int_equal(world_segment(p->w, out, off[i], junk, strlen(junk)), WORLD_PASS);
}

/* The bytes behind the segment of n bytes come first. Where nothing is read, none wait. */
static void send_early(struct play *p, const char *bytes, size_t len, size_t n)
{
	bool read = !p->w->trace.ss.s.opaque;

	for (unsigned int i = chance(p, 4); i > 0 && n < len; i--) {
		size_t at = n + chance(p, len - n), most = len - at;

		assert_int_equal(world_segment(p->w, false, at, bytes + at, 1 + chance(p, most)),
				 read ? WORLD_DROP : WORLD_PASS);
		p->w->trace.stats.hole_drops += read;
	}
}

/* One segment of `len` bytes that are still to be sent. */
static size_t send_segment(struct play *p, bool out, const char *bytes, size_t len)
{
	struct text *said = &p->said[out];
	size_t n = cut(p, len), back;

	if (p->manner == MANNER_STRAY)
		send_strays(p, out);
	if (p->manner == MANNER_REORDER && !out)
		send_early(p, bytes, len < WHOLE_BYTES ? len : WHOLE_BYTES, n);
	text_add(said, bytes, n);
	if (p->manner == MANNER_OVERLAP) {
		back = chance(p, 40);
		back = back < said->len - n ? back : said->len - n;
		bytes = said->bytes + said->len - n;
		assert_int_equal(world_segment(p->w, out, -(int32_t)back, bytes - back, n + back),
				 WORLD_PASS);
		world_sent(p->w, out, bytes, n);
		return n;
	}
	world_send(p->w, out, bytes, n);
	if (p->manner == MANNER_TWICE)
		assert_int_equal(world_segment(p->w, out, -(int32_t)n, bytes, n), WORLD_PASS);
	return n;
}

static bool answerable(const struct play *p)
{
	const struct smtp_session *ss = &p->w->trace.ss;

	return !ss->s.greeted || ss->c.pushed != ss->s.popped;
}

static void play_flight(struct play *p, const struct text *client, const struct text *server,
			bool ordered)
{
	bool mixed = !ordered && p->manner >= MANNER_CUT;
	size_t c_at = 0, s_at = 0;

	while (c_at < client->len) {
		if (mixed && s_at < server->len && answerable(p) && !chance(p, 4))
			s_at += send_segment(p, false, server->bytes + s_at, 1);
		else
			c_at += send_segment(p, true, client->bytes + c_at, client->len - c_at);
	}
	while (s_at < server->len)
		s_at += send_segment(p, false, server->bytes + s_at, server->len - s_at);
}

/* A byte of the replies never comes, so the next one is let through in the end. */
static void play_hole(struct play *p)
{
	struct world *w = p->w;

	for (int i = 0; i < HOLE_DROPS; i++)
		assert_int_equal(world_segment(w, false, 1, "\n", 1), WORLD_DROP);
	assert_int_equal(world_segment(w, false, 1, "\n", 1), WORLD_PASS);
	w->trace.stats.hole_drops += HOLE_DROPS;
	w->in += 2;
	trace_hole(&w->trace);
}

static void play_steps(struct play *p, const struct dialogue *d)
{
	static const struct text none;

	for (size_t i = 0; i < d->n_steps; i++) {
		const struct dialogue_step *step = &d->steps[i];
		const struct dialogue_step *next = i + 1 < d->n_steps ? step + 1 : NULL;

		if (step->kind == DIALOGUE_SERVER) {
			play_flight(p, &none, &step->bytes, d->ordered);
		} else if (step->kind == DIALOGUE_DESYNC) {
			play_hole(p);
		} else if (step->kind == DIALOGUE_END) {
			world_end(p->w, step->lost);
		} else if (next && next->kind == DIALOGUE_SERVER) {
			play_flight(p, &step->bytes, &next->bytes, d->ordered);
			i++;
		} else {
			play_flight(p, &step->bytes, &none, d->ordered);
		}
	}
}

static bool play(struct world *w, const struct dialogue *d, enum manner manner, unsigned int seed)
{
	struct play p = {.w = w, .manner = manner, .seed = seed * 7919 + d->line};
	char what[200];
	bool good;

	w->shape = (struct shape){
		.v6 = seed & 1, .options = d->line % 11 * 4, .extensions = d->line % 7};
	/* Both directions soon wrap. */
	world_connect(w, -chance(&p, 200), -chance(&p, 200));
	play_steps(&p, d);
	snprintf(what, sizeof(what), "%s (line %u), manner %u, seed %u", d->name, d->line, manner,
		 seed);
	good = world_agrees(w, what);
	free(p.said[0].bytes);
	free(p.said[1].bytes);
	return good;
}

static void play_corpus(struct world *w, enum manner manner, unsigned int seeds)
{
	struct dialogue *list = dialogue_corpus();
	unsigned int bad = 0, dialogues = 0;

	assert_non_null(list);
	for (const struct dialogue *d = list; d; d = d->next) {
		for (unsigned int seed = 0; seed < seeds; seed++)
			bad += !play(w, d, manner, seed);
		dialogues++;
	}
	dialogue_free(list);
	assert_int_equal(bad, 0);
	assert_true(dialogues >= 60);
}

static void test_whole_flights(void **state)
{
	play_corpus(*state, MANNER_WHOLE, 2);
}

static void test_single_bytes(void **state)
{
	play_corpus(*state, MANNER_BYTES, 2);
}

static void test_cut_anywhere(void **state)
{
	play_corpus(*state, MANNER_CUT, SEEDS * 2);
}

static void test_every_segment_twice(void **state)
{
	play_corpus(*state, MANNER_TWICE, SEEDS);
}

static void test_overlapping_segments(void **state)
{
	play_corpus(*state, MANNER_OVERLAP, SEEDS);
}

static void test_replies_out_of_order(void **state)
{
	play_corpus(*state, MANNER_REORDER, SEEDS);
}

static void test_segments_far_off(void **state)
{
	play_corpus(*state, MANNER_STRAY, SEEDS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whole_flights),
		cmocka_unit_test(test_single_bytes),
		cmocka_unit_test(test_cut_anywhere),
		cmocka_unit_test(test_every_segment_twice),
		cmocka_unit_test(test_overlapping_segments),
		cmocka_unit_test(test_replies_out_of_order),
		cmocka_unit_test(test_segments_far_off),
	};

	if (geteuid()) {
		printf("1..0 # SKIP needs root to load BPF programs\n");
		return 4;
	}
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("packet", tests, world_load, world_unload);
}
