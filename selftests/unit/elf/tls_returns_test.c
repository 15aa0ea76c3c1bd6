/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * tls_returns_test.c - every way to end a function, in this machine's code and in aarch64's; and
 * functions whose end is not certain, for which no plan may be made.
 */
#include "tls_plan_fixture.h"

static void test_returns(void **state)
{
	(void)state;
	/* Every form of it. */
	expect_built(FUNCTION("SSL_read", "endbr64\nje 1f\nret\n1: rep ret\nbnd ret\nret $8"), 5);
	/* Bytes inside of instructions that look like one. */
	expect_built(FUNCTION("SSL_read", "movl $0xc3c3c3c3, %eax\nlea 0xc3(%rip), %rax\nret"), 2);
	/* Padding. */
	expect_built(FUNCTION("SSL_read", "ret\nnop\nnopw 0x0(%rax,%rax,1)\nint3\nint3"), 2);
	/* A switch, as shared objects and as fixed executables have it. */
	expect_built(
		FUNCTION(
			"SSL_read",
			"lea 9f(%rip), %rdx\nmovslq (%rdx,%rax,4), %rax\n"
			"add %rdx, %rax\nnotrack jmp *%rax\n1: ret\n2: ret") ".section .rodata\n9: .long 1b-9b, 2b-9b\n",
		3);
	expect_built(FUNCTION("SSL_read", "jmp *0x1000(,%rax,8)\nret"), 2);
	/* No size, but it is known how to unwind it. */
	expect_built(".globl SSL_read\n.type SSL_read,@function\nSSL_read: .cfi_startproc\n"
		     "nop\nret\n.cfi_endproc\n" FUNCTION("SSL_write", "ret\nret"),
		     5);
}

static void test_parts(void **state)
{
	(void)state;
	/* A part elsewhere that jumps back, and one in the middle of another. */
	expect_built(LOCAL("cold", "nop\nret\njmp back") FUNCTION("SSL_read", "je cold\nback: ret"),
		     3);
	expect_built(LOCAL("cold", "nop\n1: nop\nret") FUNCTION("SSL_read", "je 1b\nret"), 3);
	/* A tail call shared by two functions, and further calls from there. */
	expect_built(LOCAL("third", "ret") LOCAL("second", "je third\nret")
			     FUNCTION("gnutls_record_recv", "jmp second")
				     FUNCTION("gnutls_record_recv_seq", "jne second\nret"),
		     5);
	/* One that has probes of its own, and by way of the linker. */
	expect_built(FUNCTION("SSL_write", "jmp SSL_write_ex@PLT") FUNCTION("SSL_write_ex", "ret")
			     FUNCTION("SSL_read", "ret"),
		     4);
	expect_built(FUNCTION("SSL_write_ex", "1: ret") FUNCTION("SSL_write", "jmp 1b"), 2);
	expect_built(FUNCTION("SSL_write", "je SSL_write_ex@PLT\nret")
			     FUNCTION("SSL_write_ex", "ret"),
		     4);
	assemble("-shared -nostdlib -Wl,--no-ld-generated-unwind-info",
		 FUNCTION("SSL_read", "je other@PLT\nret"));
	expect_tally(built, "--dyn-syms");
	build(FUNCTION("gnutls_record_send", "jmp *gnutls_record_send2@GOTPCREL(%rip)")
		      FUNCTION("gnutls_record_send2", "ret"));
	assert_int_equal(count_of(built, SMTPL_TLS_WRITE), 1);
	assert_int_equal(count_of(built, SMTPL_TLS_WRITE | SMTPL_TLS_RETURN), 1);
}

static void test_uncertain(void **state)
{
	(void)state;
	/* No end. */
	expect_built_error(FUNCTION("SSL_read", "ud2"), -ENOTSUP);
	expect_built_error(FUNCTION("SSL_read", "1: jmp 1b"), -ENOTSUP);
	expect_built_error(FUNCTION("SSL_read", "ud2") FUNCTION("SSL_read_ex", "ret"), -ENOTSUP);
	/* A tail call to an address in memory or in a register. */
	expect_built_error(FUNCTION("SSL_read", "jmp *0x18(%rax)\nret"), -ENOTSUP);
	expect_built_error(FUNCTION("SSL_read", "mov 8(%rdi), %rax\nadd $8, %rsp\njmp *%rax\nret"),
			   -ENOTSUP);
	expect_built_error(FUNCTION("SSL_read", "add $8, %rax\n.rept 5\nnop\n.endr\n"
						"jmp *%rax\nret"),
			   -ENOTSUP);
	/* No instruction, half of one, a jump between two. */
	expect_built_error(FUNCTION("SSL_read", "nop\n.byte 0x06\nret"), -ENOTSUP);
	expect_built_error(FUNCTION("SSL_read", "ret\n.byte 0x48, 0xb8"), -ENOTSUP);
	expect_built_error(FUNCTION("SSL_read", "je 1f+1\n1: movl $0xc3, %eax\nret"), -ENOTSUP);
	expect_built_error(LOCAL("cold", "1: movl $0xc3, %eax\nret")
				   FUNCTION("SSL_read", "je 1b+1\nret"),
			   -ENOTSUP);
	/* A jump to another part whose size is not known. */
	expect_built_error("cold: ret\n" FUNCTION("SSL_read", "je cold\nret"), -ENOTSUP);
	expect_built_error(".globl SSL_read\n.type SSL_read,@function\nSSL_read: ret\n", -ENOTSUP);
	/* A function that only tail-calls one without probes. */
	expect_built_error(FUNCTION("SSL_read", "ret") FUNCTION("SSL_write", "jmp other@PLT"),
			   -ENOTSUP);
	/* No code. */
	expect_built_error(".data\n" FUNCTION("SSL_read", "ret"), -ENOTSUP);
	expect_built_error(FUNCTION("SSL_read", "ret") ".data\n" FUNCTION("SSL_free", "ret"),
			   -ENOTSUP);
	/* One bad function spoils it, wherever. */
	expect_built_error(FUNCTION("SSL_read", "ret") FUNCTION("gnutls_record_send", "ud2"),
			   -ENOTSUP);
}

/* A function that jumps to a second, that to a third, and so on: `parts` in all. */
static const char *chain(int parts)
{
	static char source[4096];
	char *at = source;
	int i;

	at += sprintf(at, LOCAL("part%d", "ret"), parts, parts, parts, parts);
	for (i = parts - 1; i > 1; i--)
		at += sprintf(at, LOCAL("part%d", "je part%d\nret"), i, i, i + 1, i, i);
	strcpy(at, FUNCTION("SSL_read", "je part2\nret"));
	return source;
}

static void test_too_much(void **state)
{
	(void)state;
	expect_built(FUNCTION("SSL_read", ".rept 62\nret\n.endr"), 63);
	expect_built_error(FUNCTION("SSL_read", ".rept 64\nret\n.endr"), -ENOTSUP);
	expect_built(FUNCTION("SSL_read", ".rept 65535\nnop\n.endr\nret"), 2);
	expect_built_error(FUNCTION("SSL_read", ".rept 65536\nnop\n.endr\nret"), -ENOTSUP);
	expect_built(chain(8), 9);
	expect_built_error(chain(9), -ENOTSUP);
}

/* --- aarch64, whose assembler need not be here: a file of this machine with other code
 * ------- */

static int aarch64_plan_at(const char *place, const uint32_t *code, size_t count,
			   struct tls_plan *plan)
{
	char source[1024];
	struct tls_plan here = {0};
	struct image image;
	int err;

	snprintf(source, sizeof(source), "%s\n%s", place,
		 FUNCTION("SSL_read", ".rept 62\nret\n.endr\nnop\nnop"));
	build(source);
	assert_int_equal(read_plan(built, &here), 0);
	image_load(&image, built);
	image.bytes[offsetof(Elf64_Ehdr, e_machine)] = EM_AARCH64;
	memcpy(image.bytes + here.probes[0].offset, code, count * sizeof(*code));
	err = tls_plan_image(image.bytes, image.size, EM_AARCH64, plan);
	image_free(&image);
	if (err == 0) /* the entry comes last; here the first RET stands there */
		assert_int_equal(plan->probes[plan->count - 1].offset, here.probes[0].offset);
	return err;
}

static int aarch64_plan(const uint32_t *code, size_t count, struct tls_plan *plan)
{
	return aarch64_plan_at(".balign 4", code, count, plan);
}

#define A64_NOP 0xd503201fu

static void fill_nops(uint32_t code[16])
{
	size_t i;

	for (i = 0; i < 16; i++)
		code[i] = A64_NOP;
}

static void test_aarch64(void **state)
{
	struct tls_plan plan;
	uint32_t code[16];
	size_t i;

	(void)state;
	fill_nops(code);
	code[2] = 0xd65f03c0;  /* ret */
	code[3] = 0xb4ffffa0;  /* cbz x0, -12 */
	code[4] = 0xd65f0bff;  /* retaa */
	code[5] = 0x54ffffa0;  /* b.eq -12 */
	code[6] = 0xd65f0fff;  /* retab */
	code[7] = 0x94000001;  /* bl +4 */
	code[8] = 0xd63f0000;  /* blr x0 */
	code[9] = 0x8b21c800;  /* add x0, x0, w1, sxtw #2 */
	code[10] = 0xd61f0000; /* br x0 */
	assert_int_equal(aarch64_plan(code, 16, &plan), 0);
	assert_int_equal(plan.count, 4);
	for (i = 0; i < 3; i++) {
		assert_int_equal(plan.probes[i].cookie, SMTPL_TLS_READ | SMTPL_TLS_RETURN);
		assert_int_equal(plan.probes[i].offset - plan.probes[3].offset, 8 * (i + 1));
	}
	assert_int_equal(aarch64_plan_at(".balign 4\nnop", code, 16, &plan), -ENOTSUP);
	code[9] = A64_NOP; /* now it may go anywhere */
	assert_int_equal(aarch64_plan(code, 16, &plan), -ENOTSUP);
	code[10] = 0x00000001; /* no instruction */
	assert_int_equal(aarch64_plan(code, 16, &plan), -ENOTSUP);
	code[10] = 0x14100000; /* b far away */
	assert_int_equal(aarch64_plan(code, 16, &plan), -ENOTSUP);
	code[10] = 0x3607ffa0; /* tbz w0, #0, -12 */
	assert_int_equal(aarch64_plan(code, 16, &plan), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_returns),	  cmocka_unit_test(test_parts),
		cmocka_unit_test(test_uncertain), cmocka_unit_test(test_too_much),
		cmocka_unit_test(test_aarch64),
	};

	return cmocka_run_group_tests(tests, plan_setup, plan_teardown);
}
