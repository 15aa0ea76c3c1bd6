/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * smtp_test.c - the parser by the dialogues of selftests/corpus, each in many interleavings of its two
 * directions, and by what a dialogue can't show: hashes, keys of long domains, what stays in memory.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <glob.h>

#include "smtp.h"
#include "../lib/dialogue.h"

#ifndef CORPUS
#define CORPUS "corpus/*.smtp"
#endif

#define INTERLEAVINGS 24

struct fixture {
	char before[64];
	struct smtp_session ss;
	char behind[64];
	bool skip; /* leave chunks out by their length */
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
	const struct dialogue_target target = { &f, feed_client, feed_server, feed_desync, feed_end,
						&f.ss };
	bool good;

	fixture_begin(&f, skip);
	good = dialogue_play(d, &target, seed);
	fixture_check(&f);
	return good;
}

static struct dialogue *corpus(void)
{
	struct dialogue *list = NULL;
	glob_t found;

	assert_int_equal(glob(CORPUS, 0, NULL, &found), 0);
	for (size_t i = 0; i < found.gl_pathc; i++) {
		list = dialogue_read(found.gl_pathv[i], list);
		assert_non_null(list);
	}
	globfree(&found);
	return list;
}

static void test_corpus(void **state)
{
	struct dialogue *list = corpus();
	unsigned int bad = 0, dialogues = 0;

	(void)state;
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_corpus),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("smtp", tests, NULL, NULL);
}
