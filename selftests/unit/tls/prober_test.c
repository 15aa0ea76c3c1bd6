// SPDX-License-Identifier: GPL-2.0-only
/*
 * prober_test.c - what the prober reads in /proc, which files it knows, how much it does for whom,
 * and the names of its pins.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>
#include <cmocka.h>
#include "base/clock.h"
#include "kernel/bpf_tls_link.h"
#include "tls/prober_budget.h"
#include "tls/prober_child.h"
#include "tls/prober_files.h"
#include "tls/prober_maps.h"
#include "tls/prober_mounts.h"

#define LIBSSL "7f1e2c400000-7f1e2c45b000 r-xp 0001e000 08:1f 1835213    /usr/lib/libssl.so.3"

/* --- /proc/PID/maps --------------------------------------------------------------------------- */

static bool parse(const char *line, struct prober_mapping *mapping)
{
	return prober_maps_line(line, strlen(line), mapping);
}

static void test_line(void **state)
{
	struct prober_mapping mapping;

	(void)state;
	assert_true(parse(LIBSSL, &mapping));
	assert_int_equal(mapping.start, 0x7f1e2c400000);
	assert_int_equal(mapping.end, 0x7f1e2c45b000);
	assert_int_equal(mapping.dev, makedev(8, 0x1f));
	assert_int_equal(mapping.ino, 1835213);
	assert_string_equal(mapping.path, "/usr/lib/libssl.so.3");
}

static void test_line_of_no_program(void **state)
{
	static const char *const lines[] = {
		"7f1e2c400000-7f1e2c45b000 r--p 0001e000 08:01 1835213    /usr/lib/libssl.so.3",
		"7f1e2c400000-7f1e2c45b000 rw-p 00000000 00:00 0 ",
		"7ffd1b5f4000-7ffd1b5f6000 r-xp 00000000 00:00 0          [vdso]",
		"ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0  [vsyscall]",
		"",
		"7f1e2c400000",
		"7f1e2c400000-7f1e2c45b000 r-x",
		"7f1e2c400000-7f1e2c45b000 r-xp 0001e000 08:01",
		"7f1e2c400000-7f1e2c45b000 r-xp 0001e000 08-01 12  /x",
		"-7f1e2c45b000 r-xp 0001e000 08:01 1835213    /x",
		"zz1e2c400000-7f1e2c45b000 r-xp 0001e000 08:01 1835213    /x",
	};
	struct prober_mapping mapping;

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++)
		if (parse(lines[i], &mapping))
			fail_msg("taken: %s", lines[i]);
}

static void test_path_of_stranger(void **state)
{
	char line[1024] = "1000-2000 r-xp 00000000 08:01 7    ";
	struct prober_mapping mapping;

	(void)state;
	assert_true(parse("1000-2000 r-xp 0 08:01 7    /a b\\012c (deleted) (deleted)", &mapping));
	assert_string_equal(mapping.path, "/a b\\012c (deleted)");
	memset(line + strlen(line), 'x', 600);
	assert_true(parse(line, &mapping));
	assert_int_equal(strlen(mapping.path), PROBER_PATH_SIZE - 1);
	assert_true(parse("1000-2000 --xp 0 08:01 7 ", &mapping));
	assert_string_equal(mapping.path, "");
}

static void test_each_file_once(void **state)
{
	static struct prober_maps maps;
	static const char text[] = "1000-2000 r-xp 0 08:01 7 /a\n"
				   "2000-3000 rw-p 0 08:01 8 /b\n"
				   "3000-4000 r-xp 0 08:01 7 /a\n"
				   "4000-5000 r-xp 0 08:02 7 /c\n"
				   "5000-6000 r-xp 0 08:02 9 /cut"; /* without its newline */

	(void)state;
	prober_maps_parse(&maps, text, strlen(text));
	assert_int_equal(maps.count, 2);
	assert_int_equal(maps.files[0].start, 0x1000);
	assert_string_equal(maps.files[1].path, "/c");
	assert_false(maps.cut);
}

static void test_too_many_files(void **state)
{
	static struct prober_maps maps;

	(void)state;
	for (int i = 1; i <= PROBER_MAPS_FILES + 1; i++) {
		char line[64];

		snprintf(line, sizeof(line), "%x000-%x000 r-xp 0 08:01 %d /a\n", i, i + 1, i);
		assert_false(maps.cut);
		prober_maps_parse(&maps, line, strlen(line));
	}
	assert_int_equal(maps.count, PROBER_MAPS_FILES);
	assert_true(maps.cut);
}

static void test_own_process(void **state)
{
	static struct prober_maps maps;
	uint64_t here = (uintptr_t)test_own_process, start = 0;
	bool found = false;

	(void)state;
	assert_int_equal(prober_maps_read(&maps, getpid()), 0);
	for (size_t i = 0; i < maps.count; i++)
		found |= maps.files[i].start <= here && here < maps.files[i].end;
	assert_true(found);
	assert_int_equal(prober_start_time(getpid(), &start), 0);
	assert_true(start > 0);
	assert_int_equal(prober_start_time(0x7fffffff, &start), -ESRCH);
	assert_int_equal(prober_maps_read(&maps, 0x7fffffff), -ESRCH);
}

static void test_stat(void **state)
{
	uint64_t start = 1;

	(void)state;
	assert_true(prober_stat_line(
		"5 (a) b) c) S 1 5 5 0 -1 4 1 0 0 0 1 1 0 0 20 0 1 0 98765 1 2", &start));
	assert_int_equal(start, 98765);
	assert_false(prober_stat_line("5 (a) S 1 5 5 0 -1 4 1 0 0 0 1 1 0 0 20 0 1 0", &start));
	assert_false(
		prober_stat_line("5 (a) S 1 5 5 0 -1 4 1 0 0 0 1 1 0 0 20 0 1 0 -3 1", &start));
	assert_false(prober_stat_line("5 a S 1", &start));
}

/* --- /proc/PID/mountinfo ---------------------------------------------------------------------- */

static void test_mounts(void **state)
{
	static const char text[] =
		"25 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n"
		"36 25 0:42 / /home/u1/mnt rw,nosuid - fuse.sshfs h:/ rw,user_id=20001\n"
		"37 25 0:43 / /home/u2/mnt rw - fuse x rw\n"
		"38 25 0:44 / /var/lib/m rw shared:7 master:2 - overlay overlay rw,lowerdir=/a\n"
		"39 25 0:45 / /x rw\n"
		"40 25 0:46 / /cut - tmpfs";

	(void)state;
	assert_true(prober_mounts_safe(text, 25, true));
	assert_false(prober_mounts_safe(text, 36, false));
	assert_false(prober_mounts_safe(text, 37, false));
	assert_true(prober_mounts_safe(text, 38, false));
	assert_false(prober_mounts_safe(text, 38, true));
	assert_false(prober_mounts_safe(text, 39, false));
	assert_true(prober_mounts_safe(text, 40, false));
	assert_false(prober_mounts_safe(text, 41, false));
	assert_false(prober_mounts_safe("", 0, false));
	assert_false(prober_mounts_safe("\n\n", 0, false));
	assert_true(prober_mounts_device_safe(text, makedev(8, 1)));
	assert_true(prober_mounts_device_safe(text, makedev(0, 44)));
	assert_false(prober_mounts_device_safe(text, makedev(0, 42)));
	assert_false(prober_mounts_device_safe(text, makedev(0, 45)));
	assert_false(prober_mounts_device_safe(text, makedev(0, 47)));
	assert_false(prober_mounts_device_safe("25 1 8", makedev(8, 1)));
	assert_false(prober_mounts_device_safe("25 1 8:1", makedev(8, 1)));
}

/* --- names of pins ---------------------------------------------------------------------------- */

static void test_pin_names(void **state)
{
	static const struct {
		const char *pin, *name;
		int index;
	} good[] = {
		{"link_tls_12_345_00ff", "12_345_00ff", -1},
		{"link_tls_12_345_00ff_p0", "12_345_00ff", 0},
		{"link_tls_12_345_00ff_p63", "12_345_00ff", 63},
		{"link_tls_lib_00ff_p7", "lib_00ff", 7},
	};
	static const char *const bad[] = {"link_tlshook_recv", "link_tls_",	 "link_tls_a_p",
					  "link_tls_a_p64",    "link_tls_a_p1x", "smtpl_tls",
					  "link_tls__p1"};
	char name[BPF_TLS_NAME_SIZE];
	int index;

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
		assert_true(bpf_tls_link_name(good[i].pin, name, &index));
		assert_string_equal(name, good[i].name);
		assert_int_equal(index, good[i].index);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		if (bpf_tls_link_name(bad[i], name, &index))
			fail_msg("taken: %s", bad[i]);
}

static void test_probe_names(void **state)
{
	const struct prober_process p = {.pid = 4194303, .start = 18446744073709551ull};
	char name[PROBER_NAME_SIZE];
	uint64_t start, hash;
	pid_t pid;

	(void)state;
	prober_process_name(&p, 0xfedcba9876543210ull, name);
	assert_true(prober_recover_name(name, &pid, &start, &hash));
	assert_int_equal(pid, p.pid);
	assert_int_equal(start, p.start);
	assert_int_equal(hash, 0xfedcba9876543210ull);
	assert_false(prober_recover_library(name, &hash));
	assert_true(prober_recover_library("lib_00000000000000ff", &hash));
	assert_int_equal(hash, 0xff);
	assert_false(prober_recover_name("lib_00000000000000ff", &pid, &start, &hash));
	assert_false(prober_recover_name("12_345", &pid, &start, &hash));
	assert_false(prober_recover_name("12_345_ff_1", &pid, &start, &hash));
	assert_false(prober_recover_name("0_345_ff", &pid, &start, &hash));
}

/* --- files ------------------------------------------------------------------------------------ */

static struct prober_file_id id_of(uint64_t ino)
{
	return (struct prober_file_id){
		.dev = 1, .ino = ino, .size_bytes = 2, .mtime_ns = 3, .ctime_ns = 4};
}

static void test_file_is_all_of_its_id(void **state)
{
	static struct prober_files files;
	const struct tls_plan plan = {.count = 1};
	const struct prober_file_id id = id_of(7);
	struct prober_file *file = prober_files_add(&files, &id, &plan, 0);
	struct prober_file_id other[5] = {id, id, id, id, id};

	(void)state;
	assert_non_null(file);
	assert_int_equal(file->plan->count, 1);
	assert_ptr_equal(prober_files_find(&files, &id), file);
	assert_ptr_equal(prober_files_find_hash(&files, file->hash), file);
	assert_null(prober_files_add(&files, &id, NULL, -ENOENT));
	other[0].dev++;
	other[1].ino++;
	other[2].size_bytes++;
	other[3].mtime_ns++;
	other[4].ctime_ns++;
	for (size_t i = 0; i < 5; i++)
		assert_null(prober_files_find(&files, &other[i]));
}

static void test_files_make_room(void **state)
{
	static struct prober_files files;
	struct prober_file_id id = id_of(1);
	struct prober_file *kept = prober_files_add(&files, &id, NULL, -ENOENT);

	(void)state;
	kept->processes = 1;
	for (uint64_t ino = 2; ino <= PROBER_FILES_MAX; ino++) {
		id = id_of(ino);
		assert_non_null(prober_files_add(&files, &id, NULL, -ENOENT));
	}
	id = id_of(2); /* used again: 3 is the oldest now */
	assert_non_null(prober_files_find(&files, &id));
	id = id_of(PROBER_FILES_MAX + 1);
	assert_non_null(prober_files_add(&files, &id, NULL, -ENOENT));
	assert_int_equal(files.count, PROBER_FILES_MAX);
	id = id_of(3);
	assert_null(prober_files_find(&files, &id));
	for (uint64_t ino = 1; ino <= 2; ino++) {
		id = id_of(ino);
		assert_non_null(prober_files_find(&files, &id));
	}
}

static void test_files_all_in_use(void **state)
{
	static struct prober_files files;
	struct prober_file_id id;

	(void)state;
	for (uint64_t ino = 1; ino <= PROBER_FILES_MAX; ino++) {
		id = id_of(ino);
		prober_files_add(&files, &id, NULL, -ENOENT)->library = true;
	}
	id = id_of(0);
	assert_null(prober_files_add(&files, &id, NULL, -ENOENT));
}

/* --- budgets ---------------------------------------------------------------------------------- */

#define MS 1000000ull

static unsigned int take_all(struct prober_budget *budget, uint32_t uid, bool free, uint64_t now_ns)
{
	unsigned int count = 0;

	while (prober_budget_attach(budget, uid, free, 15, now_ns))
		count++;
	return count;
}

static void test_bucket(void **state)
{
	const struct prober_limit limit = {.per_s = 10, .burst = 3};
	struct prober_bucket bucket = {};
	uint64_t now_ns = 1000 * NS_PER_S;

	(void)state;
	for (int i = 0; i < 3; i++)
		assert_true(prober_bucket_take(&bucket, &limit, 1, now_ns));
	assert_false(prober_bucket_take(&bucket, &limit, 1, now_ns));
	assert_false(prober_bucket_take(&bucket, &limit, 1, now_ns + 99 * MS));
	assert_true(prober_bucket_take(&bucket, &limit, 1, now_ns + 100 * MS));
	assert_false(prober_bucket_take(&bucket, &limit, 1, now_ns + 100 * MS));
	for (int i = 0; i < 3; i++)
		assert_true(prober_bucket_take(&bucket, &limit, 1, now_ns + 1000 * NS_PER_S));
	assert_false(prober_bucket_take(&bucket, &limit, 1, now_ns + 1000 * NS_PER_S));
}

static void test_budget_of_one_sender(void **state)
{
	static struct prober_budget budget;
	uint64_t now_ns = 1000 * NS_PER_S;

	(void)state;
	prober_budget_init(&budget, SMTPL_TLS_WAY_MULTI);
	assert_int_equal(take_all(&budget, 20001, false, now_ns), 60);
	/* Nor do all by what is refused to a sender. */
	for (int i = 0; i < 1000; i++)
		assert_false(prober_budget_attach(&budget, 20001, false, 15, now_ns));
	assert_int_equal(take_all(&budget, 20002, false, now_ns), 60);
	assert_int_equal(take_all(&budget, 20001, false, now_ns + NS_PER_S), 10);
	assert_int_equal(take_all(&budget, 0, true, now_ns + NS_PER_S), 500 - 60 - 60 - 10 + 50);
}

static void test_budget_of_all(void **state)
{
	static struct prober_budget budget;
	uint64_t now_ns = 1000 * NS_PER_S;

	(void)state;
	prober_budget_init(&budget, SMTPL_TLS_WAY_PERF);
	assert_int_equal(take_all(&budget, 0, true, now_ns), 50);
	for (int i = 0; i < 100; i++)
		assert_false(prober_budget_attach(&budget, 20001, false, 15, now_ns));
	/* A sender loses nothing by what all have used up. */
	budget.all = (struct prober_bucket){};
	assert_int_equal(take_all(&budget, 20001, false, now_ns), 50);
	prober_budget_init(&budget, SMTPL_TLS_WAY_PERF);
	assert_int_equal(take_all(&budget, 0, true, now_ns), 50);
	assert_int_equal(take_all(&budget, 0, true, now_ns + 3 * NS_PER_S), 3);
	prober_budget_init(&budget, SMTPL_TLS_WAY_MULTI);
	assert_int_equal(take_all(&budget, 0, true, now_ns), 500);
	assert_int_equal(take_all(&budget, 0, true, now_ns + NS_PER_S), 50);
}

static void test_budget_of_large_files(void **state)
{
	static struct prober_budget budget;
	uint64_t now_ns = 1000 * NS_PER_S;

	(void)state;
	prober_budget_init(&budget, SMTPL_TLS_WAY_PERF);
	for (int i = 0; i < 12; i++)
		assert_true(
			prober_budget_attach(&budget, 20001, false, SMTPL_TLS_PROBES_MAX, now_ns));
	assert_false(prober_budget_attach(&budget, 20001, false, SMTPL_TLS_PROBES_MAX, now_ns));
	assert_int_equal(take_all(&budget, 20002, false, now_ns), 50 - 12 * 4);
}

static void test_budget_of_work(void **state)
{
	static struct prober_budget budget;
	uint64_t now_ns = 1000 * NS_PER_S;

	(void)state;
	prober_budget_init(&budget, SMTPL_TLS_WAY_MULTI);
	prober_budget_worked(&budget, 20001, 2000 * MS, now_ns);
	assert_true(prober_budget_work(&budget, 20001, now_ns));
	prober_budget_worked(&budget, 20001, 100 * MS, now_ns);
	assert_false(prober_budget_work(&budget, 20001, now_ns));
	assert_false(prober_budget_work(&budget, 20001, now_ns + 499 * MS));
	assert_true(prober_budget_work(&budget, 20001, now_ns + 500 * MS));
	assert_true(prober_budget_work(&budget, 20002, now_ns));
}

static void test_budget_of_many_senders(void **state)
{
	static struct prober_budget budget;
	uint64_t now_ns = 1000 * NS_PER_S;

	(void)state;
	prober_budget_init(&budget, SMTPL_TLS_WAY_MULTI);
	prober_budget_worked(&budget, 1, 9000 * MS, now_ns);
	for (uint32_t uid = 2; uid <= PROBER_BUDGET_UIDS; uid++)
		assert_true(prober_budget_work(&budget, uid, now_ns + uid));
	assert_false(prober_budget_work(&budget, 1, now_ns + 5000));
	/* One more takes the place of the one not seen for the longest, which is 2. */
	assert_true(prober_budget_work(&budget, 9999, now_ns + 6000));
	assert_false(prober_budget_work(&budget, 1, now_ns + 7000));
}

static void test_share_of_places(void **state)
{
	uint32_t all, own = 0;

	(void)state;
	/* One alone gets half, and whoever comes then half of the rest. */
	for (all = 0; prober_budget_share(own, all, 64); all++)
		own++;
	assert_int_equal(own, 32);
	for (own = 0; prober_budget_share(own, all, 64); all++)
		own++;
	assert_int_equal(own, 16);
	assert_true(prober_budget_share(0, 63, 64));
	assert_false(prober_budget_share(0, 64, 64));
	assert_false(prober_budget_share(0, 65, 64)); /* taken over from an earlier prober */
}

/* --- what happens too often ------------------------------------------------------------------- */

static void test_times(void **state)
{
	const uint64_t first = 5 * NS_PER_S;
	struct prober_times times = {0};

	(void)state;
	assert_false(prober_times_note(&times, first));
	assert_false(prober_times_note(&times, first + 1));
	assert_false(
		prober_times_note(&times, first + 600 * NS_PER_S)); /* counts from the second */
	assert_true(prober_times_note(&times, first + 600 * NS_PER_S));
	assert_true(prober_times_note(&times, first + 1200 * NS_PER_S - 1));
	assert_false(prober_times_note(&times, first + 1200 * NS_PER_S));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_line),
		cmocka_unit_test(test_line_of_no_program),
		cmocka_unit_test(test_path_of_stranger),
		cmocka_unit_test(test_each_file_once),
		cmocka_unit_test(test_too_many_files),
		cmocka_unit_test(test_own_process),
		cmocka_unit_test(test_stat),
		cmocka_unit_test(test_mounts),
		cmocka_unit_test(test_pin_names),
		cmocka_unit_test(test_probe_names),
		cmocka_unit_test(test_file_is_all_of_its_id),
		cmocka_unit_test(test_files_make_room),
		cmocka_unit_test(test_files_all_in_use),
		cmocka_unit_test(test_bucket),
		cmocka_unit_test(test_budget_of_one_sender),
		cmocka_unit_test(test_budget_of_all),
		cmocka_unit_test(test_budget_of_large_files),
		cmocka_unit_test(test_budget_of_work),
		cmocka_unit_test(test_budget_of_many_senders),
		cmocka_unit_test(test_share_of_places),
		cmocka_unit_test(test_times),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("prober", tests, NULL, NULL);
}
