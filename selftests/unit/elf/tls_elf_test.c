/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * tls_elf_test.c - files that are truncated, damaged, or made for another machine give an error, or
 * a plan that stays inside of the file; no byte behind the file's end is ever read.
 */
#include "tls_plan_fixture.h"

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

/* The first `size` bytes, before a page that cannot be read. */
static int cut_plan(const struct image *image, size_t size, struct tls_plan *plan)
{
	uint8_t *end = image->bytes + image->size;

	memmove(end - size, image->bytes, size);
	return tls_plan_image(end - size, size, EM_X86_64, plan);
}

static void expect_known(int err, const struct tls_plan *plan, size_t size)
{
	uint32_t i;

	assert_true(err == 0 || err == -ENOENT || err == -ENOEXEC || err == -EBADMSG ||
		    err == -ENOTSUP);
	if (err)
		return;
	assert_in_range(plan->count, 1, SMTPL_TLS_PROBES_MAX);
	for (i = 0; i < plan->count; i++)
		assert_true(plan->probes[i].offset < size);
}

static void build_small(void)
{
	build(LOCAL("cold", "nop\nret\njmp back") FUNCTION("SSL_read", "je cold\nback: ret")
		      FUNCTION("SSL_write", "je gnutls_record_send@PLT\nret")
			      FUNCTION("gnutls_record_send", "ret") FUNCTION("SSL_free", "ret"));
}

static void test_cut(void **state)
{
	struct image image;
	struct tls_plan plan;
	size_t size;

	(void)state;
	build_small();
	image_load(&image, built);
	assert_int_equal(cut_plan(&image, image.size, &plan), 0);
	image_free(&image);
	for (size = 0; size < image.size; size += size < 4096 ? 1 : 37) {
		int err;

		image_load(&image, built);
		err = cut_plan(&image, size, &plan);
		if (err != (size < sizeof(Elf64_Ehdr) ? -ENOEXEC : -EBADMSG))
			fail_msg("the first %zu of %zu bytes give %d", size, image.size, err);
		image_free(&image);
	}
}

static void test_cut_library(void **state)
{
	struct image image;
	struct tls_plan plan;
	size_t size;

	(void)state;
	image_load(&image, LIBRARIES "libssl.so.3");
	for (size = 64; size < image.size; size += image.size / 50)
		assert_int_equal(tls_plan_image(image.bytes, size, EM_X86_64, &plan), -EBADMSG);
	image_free(&image);
}

/* Changes every byte of the small file in several ways. */
static void test_damaged(void **state)
{
	static const uint8_t ways[] = {0xff, 0x01, 0x80};
	struct tls_plan plan;
	struct image image;
	size_t i, way;

	(void)state;
	build_small();
	image_load(&image, built);
	for (i = 0; i < image.size; i++) {
		for (way = 0; way < COUNT(ways); way++) {
			image.bytes[i] ^= ways[way];
			expect_known(tls_plan_image(image.bytes, image.size, EM_X86_64, &plan),
				     &plan, image.size);
			image.bytes[i] ^= ways[way];
		}
	}
	image_free(&image);
}

static void expect_header_error(size_t at, uint8_t value, int expected)
{
	struct tls_plan plan;
	struct image image;

	image_load(&image, built);
	assert_true(image.bytes[at] != value);
	image.bytes[at] = value;
	assert_int_equal(tls_plan_image(image.bytes, image.size, EM_X86_64, &plan), expected);
	image_free(&image);
}

static void test_foreign(void **state)
{
	struct tls_plan plan;
	struct image image;

	(void)state;
	build_small();
	expect_header_error(EI_CLASS, ELFCLASS32, -ENOEXEC);
	expect_header_error(EI_DATA, ELFDATA2MSB, -ENOEXEC);
	expect_header_error(0, 0, -ENOEXEC);
	expect_header_error(offsetof(Elf64_Ehdr, e_type), ET_CORE, -ENOEXEC);
	expect_header_error(offsetof(Elf64_Ehdr, e_machine), EM_AARCH64, -ENOEXEC);
	expect_error(object, -ENOEXEC);
	image_load(&image, built);
	assert_int_equal(tls_plan_image(image.bytes, image.size, EM_AARCH64, &plan), -ENOEXEC);
	assert_int_equal(tls_plan_image(image.bytes, image.size, EM_NONE, &plan), -ENOEXEC);
	image_free(&image);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_cut_library),
		cmocka_unit_test(test_damaged),
		cmocka_unit_test(test_foreign),
	};

	return cmocka_run_group_tests(tests, plan_setup, plan_teardown);
}
