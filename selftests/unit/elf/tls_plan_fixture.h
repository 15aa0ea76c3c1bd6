/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * tls_plan_fixture.h - for the tests of plans: small files with the functions that a test writes
 * in assembler, and what a plan of them must be.
 */
#ifndef SMTPL_TEST_TLS_PLAN_FIXTURE_H
#define SMTPL_TEST_TLS_PLAN_FIXTURE_H

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include "../headers/tls_tally.h"

#define LIBRARIES "/usr/lib/x86_64-linux-gnu/"

/* A function; the second is not exported. */
#define FUNCTION(name, code) ".globl " name "\n" LOCAL(name, code)
#define LOCAL(name, code)                                                                          \
	".type " name ",@function\n" name ":\n.cfi_startproc\n" code "\n.cfi_endproc\n.size " name \
	",.-" name "\n"

static char dir[] = "/tmp/smtplimit-plan-XXXXXX";
static char built[64]; /* in it: what build() makes */
static char object[64];

static inline int read_plan(const char *path, struct tls_plan *plan)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	int err;

	assert_true(fd >= 0);
	err = tls_plan_read(fd, plan);
	close(fd);
	return err;
}

/* An error, and the plan is left as it was. */
static inline void expect_error(const char *path, int expected)
{
	struct tls_plan plan, before;

	memset(&plan, 0xee, sizeof(plan));
	before = plan;
	assert_int_equal(read_plan(path, &plan), expected);
	assert_memory_equal(&plan, &before, sizeof(plan));
}

/* What moves data comes first, and the RETs of a function before its entry. */
static inline void expect_order(const struct tls_plan *plan)
{
	bool behind = false;
	uint32_t i;

	for (i = 0; i < plan->count; i++) {
		bool moves = (plan->probes[i].cookie & ~SMTPL_TLS_RETURN) < SMTPL_TLS_HANDSHAKE;

		assert_false(moves && behind);
		behind = !moves;
		/* the RETs that it shares with one before stand there */
		if (moves && !(plan->probes[i].cookie & SMTPL_TLS_RETURN) && i + 1 < plan->count)
			assert_true((plan->probes[i + 1].cookie & ~SMTPL_TLS_RETURN) >=
					    SMTPL_TLS_HANDSHAKE ||
				    plan->probes[i + 1].cookie & SMTPL_TLS_RETURN ||
				    plan->probes[i + 1].cookie == SMTPL_TLS_READ);
	}
	assert_true(plan->probes[0].cookie & SMTPL_TLS_RETURN);
}

static inline void expect_tally(const char *path, const char *table)
{
	struct tls_plan expected = tally_plan(path, table), plan = {0};
	uint32_t i;

	assert_int_equal(read_plan(path, &plan), 0);
	expect_order(&plan);
	tally_sort(&plan);
	for (i = 0; i < plan.count && i < expected.count; i++)
		if (memcmp(&plan.probes[i], &expected.probes[i], sizeof(*plan.probes)) != 0)
			fail_msg("%s: probe %u is %#lx of %#x, not %#lx of %#x", path, i,
				 plan.probes[i].offset, plan.probes[i].cookie,
				 expected.probes[i].offset, expected.probes[i].cookie);
	assert_int_equal(plan.count, expected.count);
	assert_int_equal(plan.libraries, expected.libraries);
}

static inline uint32_t count_of(const char *path, uint32_t cookie)
{
	struct tls_plan plan = {0};
	uint32_t i, count = 0;

	assert_int_equal(read_plan(path, &plan), 0);
	for (i = 0; i < plan.count; i++)
		count += plan.probes[i].cookie == cookie;
	return count;
}

#define IMAGE_GUARD (16u << 20)

/* A copy right before pages that cannot be read. */
struct image {
	uint8_t *map;
	size_t map_size;
	uint8_t *bytes;
	size_t size;
};

static inline void image_load(struct image *image, const char *path)
{
	size_t page = sysconf(_SC_PAGESIZE), pages;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;

	assert_int_equal(fstat(fd, &st), 0);
	image->size = st.st_size;
	pages = (image->size + page - 1) / page * page;
	image->map_size = pages + IMAGE_GUARD;
	image->map = mmap(NULL, image->map_size, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_true(image->map != MAP_FAILED);
	assert_int_equal(mprotect(image->map + pages, IMAGE_GUARD, PROT_NONE), 0);
	image->bytes = image->map + pages - image->size;
	assert_int_equal(read(fd, image->bytes, image->size), image->size);
	close(fd);
}

static inline void image_free(struct image *image)
{
	munmap(image->map, image->map_size);
}

static inline void assemble(const char *flags, const char *source)
{
	char command[512];
	FILE *in;

	snprintf(command, sizeof(command), "cc -c -x assembler -o %s - && cc %s -o %s %s", object,
		 flags, built, object);
	in = popen(command, "w");
	assert_non_null(in);
	fputs(source, in);
	assert_int_equal(pclose(in), 0);
}

static inline void build(const char *source)
{
	assemble("-shared -nostdlib", source);
}

static inline void expect_built(const char *source, uint32_t count)
{
	struct tls_plan plan = {0};

	build(source);
	expect_tally(built, "--dyn-syms");
	assert_int_equal(read_plan(built, &plan), 0);
	assert_int_equal(plan.count, count);
}

static inline void expect_built_error(const char *source, int expected)
{
	build(source);
	expect_error(built, expected);
}

static inline int plan_setup(void **state)
{
	(void)state;
	if (!mkdtemp(dir))
		return -1;
	snprintf(built, sizeof(built), "%s/built.so", dir);
	snprintf(object, sizeof(object), "%s/built.o", dir);
	return 0;
}

static inline int plan_teardown(void **state)
{
	(void)state;
	unlink(built);
	unlink(object);
	return rmdir(dir);
}

#endif
