// SPDX-License-Identifier: GPL-2.0-only
/*
 * tls_link_test.c - perf uprobes are attached one after the other, while the process runs. At no
 * time may a function have one on its entry and none on its RET, as that return would be missed. A
 * thread checks it in the function's own code all the while.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include <linux/bpf.h>

#include "kernel/bpf_tls_link.h"

#define NAME "1_2_3"

extern const unsigned char victim_begin[], victim_end[];

__asm__(".text\n.balign 64\nvictim_begin: nop\nnop\nvictim_end: ret\n.balign 64\n");

struct watch {
	unsigned char begin, end; /* the bytes without probes */
	atomic_bool both;	  /* had a probe */
	atomic_bool wrong;	  /* the begin alone had one */
	atomic_bool over;
};

static void *look_at_code(void *arg)
{
	const volatile unsigned char *begin = victim_begin, *end = victim_end;
	struct watch *w = arg;

	while (!w->over) {
		/* In this order: the RET's probe is there before the entry's. */
		bool has_begin = *begin != w->begin, has_end = *end != w->end;

		w->wrong = w->wrong || (has_begin && !has_end);
		w->both = w->both || (has_begin && has_end);
	}
	return NULL;
}

static int load_program(void)
{
	static const struct bpf_insn insns[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0},
		{.code = BPF_JMP | BPF_EXIT},
	};

	return bpf_prog_load(BPF_PROG_TYPE_KPROBE, "test", "GPL", insns,
			     sizeof(insns) / sizeof(*insns), NULL);
}

/* Where in this program's file its code is. */
static uint64_t offset_of(const void *code)
{
	unsigned long at = (uintptr_t)code, from, to, offset, found = 0;
	FILE *maps = fopen("/proc/self/maps", "re");
	char line[4096];

	assert_non_null(maps);
	while (fgets(line, sizeof(line), maps))
		if (sscanf(line, "%lx-%lx %*s %lx", &from, &to, &offset) == 3 && at >= from &&
		    at < to)
			found = at - from + offset;
	fclose(maps);
	assert_true(found);
	return found;
}

static void attach(const char *dir)
{
	const struct tls_plan plan = {
		.count = 2,
		.probes = {{.offset = offset_of(victim_end),
			    .cookie = SMTPL_TLS_READ | SMTPL_TLS_RETURN},
			   {.offset = offset_of(victim_begin), .cookie = SMTPL_TLS_READ}},
	};
	int prog = load_program(), file = open("/proc/self/exe", O_PATH | O_CLOEXEC);

	assert_true(prog >= 0 && file >= 0);
	assert_int_equal(
		bpf_tls_link_make(SMTPL_TLS_WAY_PERF, prog, file, getpid(), &plan, dir, NAME), 0);
	close(prog);
	close(file);
}

static void test_returns_first(void **state)
{
	const char *dir = *state;
	struct watch w = {.begin = *victim_begin, .end = *victim_end};
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, look_at_code, &w), 0);
	attach(dir);
	while (!w.both)
		;
	w.over = true;
	pthread_join(thread, NULL);
	assert_false(w.wrong);
	assert_int_equal(bpf_tls_link_remove(dir, NAME), 0);
	assert_int_equal(bpf_tls_link_remove(dir, NAME), -ENOENT);
}

/* Links need a place for their pins. */
static int mount_pins(void **state)
{
	static char dir[] = "/tmp/smtplimit-link-XXXXXX";

	*state = mkdtemp(dir);
	return !*state || mount("bpf", dir, "bpf", 0, NULL);
}

static int umount_pins(void **state)
{
	return umount(*state) || rmdir(*state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_returns_first, mount_pins, umount_pins),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("tls_link", tests, NULL, NULL);
}
