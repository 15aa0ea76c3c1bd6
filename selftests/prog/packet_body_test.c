/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * packet_body_test.c - message bodies and BDAT chunks, which the packet path skips where it can, in
 * packets up to the 64 KiB of segmentation offload: the end of data at every place in a segment,
 * with and without commands behind it, is found where a reader of every byte finds it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../lib/packet_world.h"

#define STREAM_MAX 65000
#define END	   "\r\n.\r\n"

struct tail {
	const char *bytes, *replies; /* behind the end of data, and what the server says to it */
};

#define MAIL2	 "MAIL FROM:<e@two>\r\nRCPT TO:<f@x>\r\nRCPT TO:<g@x>\r\n"
#define REPLIES2 "250 ok\r\n550 no\r\n250 ok\r\n"
#define BLANKS64 "                                                                "
#define CHUNK	 "....................\r\n.\r\n....\x01\x02\x03\xff\xfe......\r\nno verb"

static const struct tail tails[] = {
	{"", ""},
	{"QUIT\r\n", "221 bye\r\n"},
	{MAIL2 "DATA\r\n", REPLIES2 "354 go\r\n"},
	{"rset\r\nmail from:<e@two>\r\nrcpt to:<f@x>\r\n", "250 ok\r\n250 ok\r\n450 no\r\n"},
	{MAIL2 "BDAT 49 LAST\r\n" CHUNK, REPLIES2 "250 taken\r\n"},
	{MAIL2 "BDAT 49\r\n" CHUNK "BDAT 49 LAST\r\n" CHUNK "QUIT\r\n",
	 REPLIES2 "250 taken\r\n554 no\r\n221 bye\r\n"},
	{MAIL2 "XWHATEVER a b c\r\n", REPLIES2 "500 what\r\n"},
	{MAIL2 "RCPT TO:<h@x> " BLANKS64 BLANKS64 BLANKS64 BLANKS64 BLANKS64 BLANKS64 BLANKS64
		 BLANKS64 BLANKS64 "\r\n",
	 REPLIES2 "551 no\r\n"},
	{MAIL2 "DATA\r\nall at once" END, REPLIES2 "354 go\r\n554 no\r\n"},
	{MAIL2 "DATA\r\n.\r\nMAIL FROM:<e@three>\r\nRCPT TO:<f@x>\r\nDATA\r\nall at once, again,"
	       " and this is longer than what is read as a whole, .........................." END,
	 REPLIES2 "354 go\r\n554 no\r\n250 ok\r\n250 ok\r\n354 go\r\n554 no\r\n"},
	{"\r\n\r\n" MAIL2 "\r\n", "500 what\r\n500 what\r\n" REPLIES2 "500 what\r\n"},
};

enum body {
	BODY_EMPTY = 0, /* the end of data follows DATA */
	BODY_LINES,
	BODY_ONE_LINE,
	BODY_STUFFED,
	BODY_NEARLY,
	BODY_VERBS,
	BODY_KINDS,
};

static char stream[STREAM_MAX + 4096];

/* Writes a body of about `size` bytes without its end; returns its length. */
static size_t write_body(enum body kind, size_t size)
{
	static const char *const lines[BODY_KINDS] = {
		[BODY_LINES] = "The quick brown fox jumps over the lazy dog, as ever.\r\n",
		[BODY_ONE_LINE] = "The quick brown fox jumps over the lazy dog, as ever. ",
		[BODY_STUFFED] = "..\r\n...\r\n..stuffed\r\n",
		[BODY_NEARLY] = "\r\n.\n\n.\r\n\r.\r\n\r\n.\r\r\n \r\n.\r.\n\r\r\n. \r\n",
		[BODY_VERBS] = "QUIT\r\nRCPT TO:<in@the.body>\r\nMAIL",
	};
	const char *line = lines[kind];
	size_t at = 0;

	if (!line)
		return 0;
	while (at < size) {
		memcpy(stream + at, line, strlen(line));
		at += strlen(line);
	}
	return at;
}

static void begin_body(struct world *w)
{
	world_connect(w, 1000, 2000);
	world_answer(w, "220 mx\r\n");
	world_say(w, "MAIL FROM:<a@one>\r\nRCPT TO:<c@x>\r\nDATA\r\n");
	world_answer(w, "250 ok\r\n250 ok\r\n354 go\r\n");
}

/* The stream in segments that end at `first`, `second` and where it ends. */
static bool in_segments(struct world *w, const struct tail *tail, size_t len, size_t first,
			size_t second)
{
	char what[100];

	begin_body(w);
	if (first)
		world_send(w, true, stream, first);
	if (second > first)
		world_send(w, true, stream + first, second - first);
	if (len > second)
		world_send(w, true, stream + second, len - second);
	world_answer(w, "250 taken\r\n");
	world_answer(w, tail->replies);
	world_end(w, true);
	snprintf(what, sizeof(what), "tail %d, %zu bytes cut at %zu and %zu", (int)(tail - tails),
		 len, first, second);
	return world_agrees(w, what);
}

static size_t write_stream(enum body kind, size_t size, const struct tail *tail, size_t *end)
{
	size_t len = write_body(kind, size);

	*end = len;
	len += sprintf(stream + len, "%s", kind == BODY_EMPTY ? END + 2 : END);
	return len + sprintf(stream + len, "%s", tail->bytes);
}

/* Counts the segmentations of the body, its end and the tail that are not read as they should be: a
 * segment begins and ends at each byte of the end, and at every `step`th of the tail. */
static unsigned int cut_everywhere(struct world *w, enum body kind, size_t size,
				   const struct tail *tail, size_t step)
{
	size_t end, len = write_stream(kind, size, tail, &end), first = end > 8 ? end - 8 : 0;
	unsigned int bad = 0;

	bad += !in_segments(w, tail, len, len, len);
	for (; first < len; first += first < end + 8 ? 1 : step) {
		bad += !in_segments(w, tail, len, first, first);
		bad += !in_segments(w, tail, len, first, first + 1);
		bad += !in_segments(w, tail, len, first / 2, first);
		if (bad)
			break;
	}
	return bad;
}

static void cut_all(struct world *w, size_t size, size_t step)
{
	int first = size ? BODY_LINES : BODY_EMPTY, end = size ? BODY_KINDS : BODY_LINES;
	unsigned int bad = 0;

	for (size_t i = 0; i < sizeof(tails) / sizeof(tails[0]); i++) {
		for (int kind = first; kind < end; kind++) {
			unsigned int wrong = cut_everywhere(w, kind, size, &tails[i], step);

			if (wrong)
				fprintf(stderr, "# body %d of %zu bytes\n", kind, size);
			bad += wrong;
		}
	}
	assert_int_equal(bad, 0);
}

static void test_empty_body(void **state)
{
	cut_all(*state, 0, 3);
}

static void test_short_bodies(void **state)
{
	for (size_t size = 1; size < 110; size += 27)
		cut_all(*state, size, 31);
}

static void test_bodies_of_a_packet(void **state)
{
	cut_all(*state, 1400, 7);
}

static void test_bodies_of_an_offloaded_packet(void **state)
{
	cut_all(*state, 60000, 37);
}

/* A body sent along with DATA that the server refuses: it reads commands from the next line on. */
static void test_a_refused_body(void **state)
{
	struct world *w = *state;

	for (size_t size = 1; size < 4000; size = size * 3 + 1) {
		size_t len = write_body(BODY_VERBS, size);

		world_connect(w, 1000, 2000);
		world_answer(w, "220 mx\r\n");
		world_say(w, "MAIL FROM:<a@one>\r\nRCPT TO:<c@x>\r\nDATA\r\nThis is bod");
		world_answer(w, "250 ok\r\n250 ok\r\n554 no\r\n");
		world_send(w, true, stream, len);
		world_send(w, true, stream, len);
		world_end(w, true);
		assert_true(world_agrees(w, "a refused body"));
	}
}

/* --- BDAT ----------------------------------------------------------------------------------- */

static void begin_chunks(struct world *w)
{
	world_connect(w, 1000, 2000);
	world_answer(w, "220 mx\r\n");
	world_say(w, "MAIL FROM:<a@one>\r\nRCPT TO:<c@x>\r\n");
	world_answer(w, "250 ok\r\n250 ok\r\n");
}

static void answer_chunks(struct world *w, unsigned int chunks)
{
	for (unsigned int i = 0; i < chunks; i++)
		world_answer(w, "250 chunk\r\n");
	world_answer(w, "554 no\r\n");
	world_answer(w, REPLIES2);
	world_end(w, true);
}

static size_t write_chunks(unsigned int chunks)
{
	static const char bytes[] = "\n.\rQx\x16";
	size_t len = 0;

	for (unsigned int i = 0; i < chunks; i++)
		len += sprintf(stream + len, "BDAT 1\r\n%c", bytes[i % (sizeof(bytes) - 1)]);
	return len + sprintf(stream + len, "BDAT 1 LAST\r\nx" MAIL2);
}

static void test_a_thousand_chunks_of_a_byte(void **state)
{
	struct world *w = *state;
	size_t len = write_chunks(1000);

	begin_chunks(w);
	world_send(w, true, stream, len);
	answer_chunks(w, 1000);
	assert_true(world_agrees(w, "1000 chunks in a packet"));
	for (size_t n = 1; n < 40; n += 3) {
		begin_chunks(w);
		for (size_t at = 0; at < len; at += n)
			world_send(w, true, stream + at, len - at < n ? len - at : n);
		answer_chunks(w, 1000);
		assert_true(world_agrees(w, "1000 chunks in packets"));
	}
}

static void test_large_chunks(void **state)
{
	struct world *w = *state;
	size_t head, len, cuts[] = {1, 8, 9, 10, 30000, 55008, 55009, 55010, 55012, 55600};

	head = sprintf(stream, "BDAT 55000\r\n");
	for (len = head; len < head + 55000; len++)
		stream[len] = "\r\n.\r\nQUIT\r\n"[len % 11];
	len += sprintf(stream + len, "RCPT TO:<late@x>\r\nBDAT 0\r\nBDAT 600 LAST\r\n");
	memset(stream + len, '\n', 600);
	len += 600 + sprintf(stream + len + 600, MAIL2);
	for (size_t i = 0; i < sizeof(cuts) / sizeof(cuts[0]); i++) {
		begin_chunks(w);
		world_send(w, true, stream, cuts[i]);
		world_send(w, true, stream + cuts[i], len - cuts[i]);
		answer_chunks(w, 3);
		assert_true(world_agrees(w, "large chunks"));
	}
}

/* --- anything ------------------------------------------------------------------------------- */

/* Streams of bytes that end bodies or nearly do so, in any segments. */
static void test_any_stream(void **state)
{
	static const char *const words[] = {
		"\r\n.\r\n",
		"\r\n.",
		"\r\n",
		".\r\n",
		"\n.",
		"\r",
		".",
		"\n",
		"MAIL FROM:<e@two>\r\n",
		"RCPT TO:<f@x>\r\n",
		"DATA\r\n",
		"QUIT\r\n",
		"BDAT 7\r\nabc\r\n.\r\n",
		"............",
		"text",
	};
	const unsigned int n_words = sizeof(words) / sizeof(words[0]);
	struct world *w = *state;
	unsigned int seed = 20261121, bad = 0;

	for (unsigned int run = 0; run < 3000; run++) {
		size_t len = 0, most = run % 3 ? 400 : 2500;

		while (len < most) {
			unsigned int times = 1;

			seed = seed * 1103515245u + 12345u;
			if (seed >> 28 == 0)
				times += seed >> 20 & 127;
			while (times--)
				len += sprintf(stream + len, "%s", words[(seed >> 10) % n_words]);
		}
		begin_body(w);
		for (size_t at = 0, n; at < len; at += n) {
			seed = seed * 1103515245u + 12345u;
			n = 1 + (seed >> 8) % (seed >> 24 & 1 ? 20 : 2000);
			n = n < len - at ? n : len - at;
			world_send(w, true, stream + at, n);
		}
		world_end(w, true);
		bad += !world_agrees(w, "any stream");
	}
	assert_int_equal(bad, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_empty_body),
		cmocka_unit_test(test_short_bodies),
		cmocka_unit_test(test_bodies_of_a_packet),
		cmocka_unit_test(test_bodies_of_an_offloaded_packet),
		cmocka_unit_test(test_a_refused_body),
		cmocka_unit_test(test_a_thousand_chunks_of_a_byte),
		cmocka_unit_test(test_large_chunks),
		cmocka_unit_test(test_any_stream),
	};

	if (geteuid()) {
		printf("1..0 # SKIP needs root to load BPF programs\n");
		return 4;
	}
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("packet_body", tests, world_load, world_unload);
}
