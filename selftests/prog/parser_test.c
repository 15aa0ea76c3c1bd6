/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * parser_test.c - the dialogues of selftests/corpus through the parser as the kernel runs it:
 * parser.bpf.c is loaded, which shows that the verifier takes it, and fed with BPF_PROG_TEST_RUN.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <cmocka.h>
#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../../headers/smtp.h"
#include "../lib/dialogue.h"
#include "../lib/parser_packet.h"

#define INTERLEAVINGS 3

struct kernel {
	struct bpf_object *object;
	int prog, map;
	struct smtp_session *ss; /* the map's value, mapped */
};

static unsigned int run(const struct kernel *k, enum parser_packet what, const char *bytes,
			size_t len)
{
	char packet[PARSER_HEADER + PARSER_BYTES] = {(char)what};
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = packet,
		    .data_size_in = PARSER_HEADER + len);

	if (len)
		memcpy(packet + PARSER_HEADER, bytes, len);
	assert_int_equal(bpf_prog_test_run_opts(k->prog, &opts), 0);
	assert_int_not_equal(opts.retval, PARSER_ERROR);
	return opts.retval;
}

static unsigned int feed(const struct kernel *k, enum parser_packet what, const char *bytes,
			 size_t len, size_t *taken)
{
	unsigned int result = run(k, what, bytes, len < PARSER_BYTES ? len : PARSER_BYTES);

	*taken = result & 0xffff;
	assert_true(*taken > 0);
	return result >> 16;
}

static unsigned int stream_client(void *context, const char *bytes, size_t len, size_t *taken)
{
	return feed(context, PARSER_CLIENT, bytes, len, taken);
}

static unsigned int stream_server(void *context, const char *bytes, size_t len, size_t *taken)
{
	return feed(context, PARSER_SERVER, bytes, len, taken);
}

static unsigned int stream_desync(void *context)
{
	return run(context, PARSER_DESYNC, NULL, 0);
}

static unsigned int stream_end(void *context, bool lost)
{
	return run(context, lost ? PARSER_END_LOST : PARSER_END_CLIENT, NULL, 0);
}

static void test_corpus(void **state)
{
	struct kernel *k = *state;
	const struct dialogue_target target = {
		k, stream_client, stream_server, stream_desync, stream_end, k->ss};
	struct dialogue *list = dialogue_corpus();
	unsigned int bad = 0;

	assert_non_null(list);
	for (const struct dialogue *d = list; d; d = d->next) {
		for (unsigned int seed = 0; seed <= (d->ordered ? 0 : INTERLEAVINGS); seed++) {
			memset(k->ss, 0, sizeof(*k->ss));
			bad += !dialogue_play(d, &target, seed);
		}
	}
	dialogue_free(list);
	assert_int_equal(bad, 0);
}

static int quiet(enum libbpf_print_level level, const char *format, va_list args)
{
	return level == LIBBPF_WARN ? vfprintf(stderr, format, args) : 0;
}

static void object_path(char *path, size_t size)
{
	ssize_t len = readlink("/proc/self/exe", path, size);

	assert_true(len > 0 && len + sizeof(".bpf.o") <= size);
	memcpy(path + len, ".bpf.o", sizeof(".bpf.o"));
}

static int load(void **state)
{
	static struct kernel k;
	char path[512];

	object_path(path, sizeof(path));
	libbpf_set_print(quiet);
	k.object = bpf_object__open_file(path, NULL);
	if (!k.object)
		return -1;
	if (bpf_object__load(k.object))
		return -1;
	k.prog = bpf_program__fd(bpf_object__find_program_by_name(k.object, "parser"));
	k.map = bpf_object__find_map_fd_by_name(k.object, "parser_session");
	k.ss = mmap(NULL, sizeof(*k.ss), PROT_READ | PROT_WRITE, MAP_SHARED, k.map, 0);
	*state = &k;
	return k.ss == MAP_FAILED ? -1 : 0;
}

static int unload(void **state)
{
	struct kernel *k = *state;

	munmap(k->ss, sizeof(*k->ss));
	bpf_object__close(k->object);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_corpus),
	};

	if (geteuid()) {
		printf("1..0 # SKIP needs root to load BPF programs\n");
		return 4;
	}
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("parser", tests, load, unload);
}
