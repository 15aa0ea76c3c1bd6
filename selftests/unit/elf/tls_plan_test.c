/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * tls_plan_test.c - the plans of this machine's TLS libraries, compared with what binutils say of
 * them; and those of files that have such functions in other places, twice, or not at all.
 */
#include <linux/perf_event.h>
#include <sys/syscall.h>
#include "tls_plan_fixture.h"

static void test_openssl(void **state)
{
	(void)state;
	expect_tally(LIBRARIES "libssl.so.3", "--dyn-syms");
	assert_int_equal(count_of(LIBRARIES "libssl.so.3", SMTPL_TLS_READ), 1);
	assert_int_equal(count_of(LIBRARIES "libssl.so.3", SMTPL_TLS_READ_EX), 1);
	assert_int_equal(count_of(LIBRARIES "libssl.so.3", SMTPL_TLS_WRITE), 1);
	assert_int_equal(count_of(LIBRARIES "libssl.so.3", SMTPL_TLS_WRITE_EX), 1);
	assert_int_equal(count_of(LIBRARIES "libssl.so.3", SMTPL_TLS_HANDSHAKE), 2);
	assert_int_equal(count_of(LIBRARIES "libssl.so.3", SMTPL_TLS_FREE), 1);
}

/* gnutls_record_send is nothing but a jump to gnutls_record_send2. */
static void test_gnutls(void **state)
{
	(void)state;
	expect_tally(LIBRARIES "libgnutls.so.30", "--dyn-syms");
	assert_int_equal(count_of(LIBRARIES "libgnutls.so.30", SMTPL_TLS_READ), 2);
	assert_true(count_of(LIBRARIES "libgnutls.so.30", SMTPL_TLS_READ | SMTPL_TLS_RETURN) > 1);
	assert_int_equal(count_of(LIBRARIES "libgnutls.so.30", SMTPL_TLS_WRITE), 2);
	assert_int_equal(count_of(LIBRARIES "libgnutls.so.30", SMTPL_TLS_HANDSHAKE), 1);
	assert_int_equal(count_of(LIBRARIES "libgnutls.so.30", SMTPL_TLS_FREE), 1);
}

/* Some builds of Node have OpenSSL inside, some a library. */
static void test_node(void **state)
{
	struct tls_plan plan;

	(void)state;
	if (access("/usr/bin/node", R_OK) != 0)
		skip();
	plan = tally_plan("/usr/bin/node", "--dyn-syms");
	if (plan.count)
		expect_tally("/usr/bin/node", "--dyn-syms");
	else
		expect_error("/usr/bin/node", -ENOENT);
}

static void test_without(void **state)
{
	(void)state;
	expect_error(LIBRARIES "libc.so.6", -ENOENT);
	expect_error(LIBRARIES "libcrypto.so.3", -ENOENT);
	expect_error("/usr/bin/openssl", -ENOENT); /* which calls such functions */
	expect_error("/etc/passwd", -ENOEXEC);
	expect_error("/dev/null", -ENOEXEC);
	expect_error("/", -ENOEXEC);
}

static void test_symbols(void **state)
{
	(void)state;
	/* Two names at one place. */
	expect_built(FUNCTION("SSL_do_handshake",
			      ".globl SSL_connect\n.type SSL_connect,@function\n"
			      "SSL_connect: ret\n.size SSL_connect,.-SSL_connect")
			     FUNCTION("SSL_read", "ret"),
		     3);
	/* Inside of a program that does not export them. */
	assemble("-nostdlib -pie -Wl,-e,SSL_read",
		 FUNCTION("SSL_read", "je 1f\nret\n1: ret") LOCAL("SSL_write", "ret")
			 FUNCTION("SSL_free", "ret"));
	expect_tally(built, "--syms");
	assert_int_equal(count_of(built, SMTPL_TLS_WRITE), 1);
	/* At a place in the file that is not the address. */
	assemble("-nostdlib -static -Wl,-e,SSL_read,-Ttext=0x7000000", FUNCTION("SSL_read", "ret"));
	expect_tally(built, "--syms");
	/* Called, data, others. */
	expect_built_error(FUNCTION("mine", "call SSL_read@PLT\nret"), -ENOENT);
	expect_built_error(".globl SSL_read\n.data\n.type SSL_read,@object\nSSL_read: ret\n"
			   ".size SSL_read,1\n",
			   -ENOENT);
	expect_built_error(FUNCTION("SSL_read2", "ret") FUNCTION("SSL_rea", "ret")
				   FUNCTION("gnutls_record_send3", "ret") FUNCTION("S", "ret"),
			   -ENOENT);
	/* Nothing to be read or written. */
	expect_built_error(FUNCTION("SSL_connect", "ret") FUNCTION("SSL_free", "ret"), -ENOENT);
}

/* --- a file that is probed already ----------------------------------------------------------- */

/* A probe at `offset` in whatever this process maps of the file, until the descriptor is closed. */
static int attach(const char *path, uint64_t offset)
{
	struct perf_event_attr attr = {.size = sizeof(attr)};
	FILE *type = fopen("/sys/bus/event_source/devices/uprobe/type", "re");
	int fd;

	assert_non_null(type);
	assert_int_equal(fscanf(type, "%u", &attr.type), 1);
	fclose(type);
	attr.config1 = (uintptr_t)path;
	attr.config2 = offset;
	fd = (int)syscall(SYS_perf_event_open, &attr, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);
	assert_true(fd >= 0);
	return fd;
}

/* The plan is made of the file, not of the kernel's breakpoints in memory. */
static void test_probed(void **state)
{
	struct tls_plan plan = {0}, again = {0};
	int fds[SMTPL_TLS_PROBES_MAX];
	uint8_t *code;
	uint32_t i;
	int fd;

	(void)state;
	if (geteuid() != 0)
		skip();
	build(FUNCTION("SSL_read", "nop\nje 1f\nret\n1: ret") FUNCTION("SSL_free", "ret"));
	assert_int_equal(read_plan(built, &plan), 0);
	assert_int_equal(plan.count, 4);
	for (i = 0; i < plan.count; i++)
		fds[i] = attach(built, plan.probes[i].offset);
	fd = open(built, O_RDONLY | O_CLOEXEC);
	code = mmap(NULL, 1 << 14, PROT_READ, MAP_PRIVATE, fd, 0);
	assert_true(code != MAP_FAILED);
	assert_int_equal(code[plan.probes[0].offset], 0xcc);
	munmap(code, 1 << 14);
	close(fd);
	assert_int_equal(read_plan(built, &again), 0);
	assert_memory_equal(&again, &plan, sizeof(plan));
	for (i = 0; i < plan.count; i++)
		close(fds[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_openssl), cmocka_unit_test(test_gnutls),
		cmocka_unit_test(test_node),	cmocka_unit_test(test_without),
		cmocka_unit_test(test_symbols), cmocka_unit_test(test_probed),
	};

	return cmocka_run_group_tests(tests, plan_setup, plan_teardown);
}
