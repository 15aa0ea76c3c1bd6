/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * maillog_reader_test.c - a log file that grows, is rotated, truncated, lost, and read by a child
 * that is killed: each line is reported once, as an independent count says.
 */
#include <sys/sendfile.h>
#include "base/clock.h"
#include "maillog_reader_fixture.h"

#define SEED	    20261122u
#define ROUNDS	    150
#define ROTATED_MAX 8

/* Lines written so far; each is reported once in the end. */
static unsigned int written;

static void write_lines(unsigned int count)
{
	char text[256], line[512];
	FILE *f;

	name_of(text, "");
	f = fopen(text, "ae");
	assert_non_null(f);
	for (; count > 0; count--) {
		outcome_line(text, sizeof(text), written++);
		format_line(line, sizeof(line), "smtp", text);
		assert_true(fputs(line, f) >= 0);
	}
	assert_int_equal(fclose(f), 0);
}

static void all_told_once(void)
{
	unsigned int i;

	serve_until_told(written);
	assert_int_equal(host.memory.records, written);
	for (i = 0; i < written; i++)
		if (host.memory.reported[i] != 1)
			fail_msg("line %u of %u was reported %u times", i, written,
				 host.memory.reported[i]);
}

static struct timespec mtime_of(const char *path)
{
	struct stat stat_buf;

	assert_int_equal(stat(path, &stat_buf), 0);
	return stat_buf.st_mtim;
}

/* The clock of file times is coarse: until it has gone on. */
static void touch_later_than(const char *path, struct timespec before)
{
	struct timespec now;

	do {
		assert_int_equal(utimensat(AT_FDCWD, path, NULL, 0), 0);
		now = mtime_of(path);
	} while (now.tv_sec == before.tv_sec && now.tv_nsec == before.tv_nsec);
}

/* mail.log.1 becomes .2, and so on. */
static void shift(void)
{
	char from[160], to[160], end[16];
	int i;

	for (i = ROTATED_MAX; i > 0; i--) {
		snprintf(end, sizeof(end), ".%d", i);
		name_of(from, end);
		snprintf(end, sizeof(end), ".%d", i + 1);
		name_of(to, end);
		rename(from, to);
	}
}

static void rotate_by_rename(void)
{
	char path[160], rotated[160];

	shift();
	name_of(path, "");
	name_of(rotated, ".1");
	assert_int_equal(rename(path, rotated), 0);
	put("");
	touch_later_than(path, mtime_of(rotated));
}

static void rotate_by_copy(void)
{
	char path[160], copy[160];
	struct stat stat_buf;
	int from, to;

	shift();
	name_of(path, "");
	name_of(copy, ".1");
	from = open(path, O_RDONLY | O_CLOEXEC);
	to = open(copy, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_int_equal(fstat(from, &stat_buf), 0);
	while (sendfile(to, from, NULL, stat_buf.st_size) > 0)
		;
	close(from);
	close(to);
	assert_int_equal(truncate(path, 0), 0);
	touch_later_than(path, mtime_of(copy));
}

static void test_begins_at_the_end(void **state)
{
	(void)state;
	need_postfix();
	put_line("pickup", "9F5D65B: uid=1001 from=<alice@one.test>");
	put_outcome(7);
	start();
	serve_until_alive();
	assert_int_equal(host.memory.records, 0);
	put_outcome(8);
	serve_until_told(1);
	assert_int_equal(host.memory.reported[8], 1);
	/* Its beginning is history, and known. */
	assert_int_equal(host.last.submission.known, SUBMISSION_HAS_UID | SUBMISSION_NO_SENDER);
	assert_int_equal(host.last.submission.uid, 1001);
	assert_int_equal(host.last.relay_uid, getpwnam("postfix")->pw_uid);
}

static void test_history_is_read_after_a_restart(void **state)
{
	(void)state;
	need_postfix();
	put_line("pickup", "9F5D65B: uid=1001 from=<alice@one.test>");
	start();
	serve_until_alive();
	save();
	crash();
	rotate_by_rename();
	start();
	put_outcome(8);
	serve_until_told(1);
	assert_int_equal(host.last.submission.uid, 1001);
}

static void test_asks_who_is_behind_a_connection(void **state)
{
	(void)state;
	need_postfix();
	put("");
	start();
	serve_until_alive();
	put_line("smtpd", "9F5D65B: client=localhost[127.0.0.1]:45318");
	put_outcome(1);
	serve_until_told(1);
	assert_int_equal(host.last.submission.known,
			 SUBMISSION_HAS_CLIENT | SUBMISSION_HAS_CALLER | SUBMISSION_NO_SENDER);
	assert_int_equal(host.last.submission.caller, CALLER);
	put_line("smtpd", "9F5D65B: client=localhost[127.0.0.1]:45319");
	put_outcome(2);
	serve_until_told(2);
	assert_int_equal(host.last.submission.known, SUBMISSION_HAS_CLIENT | SUBMISSION_NO_SENDER);
}

/* Nobody read it when it was rotated away. */
static void test_last_line_without_an_end(void **state)
{
	char text[256], line[512];

	(void)state;
	need_postfix();
	put("\n");
	start();
	serve_until_alive();
	save();
	crash();
	outcome_line(text, sizeof(text), written++);
	format_line(line, sizeof(line), "smtp", text);
	*strchr(line, '\n') = '\0';
	put(line);
	rotate_by_rename();
	write_lines(1);
	start();
	all_told_once();
}

/* Of local time: the child cannot open the time zone's file any more. */
static void test_traditional_lines(void **state)
{
	char stamp[32], line[512], text[256];
	time_t now = time(NULL);
	struct tm tm;

	(void)state;
	need_postfix();
	unsetenv("TZ");
	put("");
	start();
	serve_until_alive();
	localtime_r(&now, &tm);
	strftime(stamp, sizeof(stamp), "%b %e %H:%M:%S", &tm);
	outcome_line(text, sizeof(text), 1);
	snprintf(line, sizeof(line), "%s host postfix/smtp[12]: %s\n", stamp, text);
	put(line);
	serve_until_told(1);
	assert_int_equal(host.last.wall_ns, now * NS_PER_S);
}

static void test_waits_for_a_log(void **state)
{
	(void)state;
	need_postfix();
	start();
	serve_until_lost();
	assert_int_equal(host.lost, 1);
	assert_int_equal(host.alive, 0);
	write_lines(3);
	all_told_once();
	serve_until_alive();
	assert_int_equal(host.lost, 1);
}

static void test_part_of_a_line(void **state)
{
	char text[256], line[512];

	(void)state;
	need_postfix();
	put("");
	start();
	serve_until_alive();
	outcome_line(text, sizeof(text), written++);
	format_line(line, sizeof(line), "smtp", text);
	line[50] = '\0';
	put(line);
	serve_until_alive();
	save();
	crash();
	start();
	serve_until_alive();
	format_line(line, sizeof(line), "smtp", text);
	put(line + 50);
	all_told_once();
	/* The last line of a rotated file has no end, and a longer one than there can be. */
	outcome_line(text, sizeof(text), written++);
	format_line(line, sizeof(line), "smtp", text);
	*strchr(line, '\n') = '\0';
	put(line);
	rotate_by_rename();
	for (line[0] = '\0'; strlen(line) < 500;)
		strcat(line, "x");
	for (int i = 0; i < 2000; i++)
		put(line);
	put("\n");
	write_lines(2);
	all_told_once();
}

static void test_rotations(void **state)
{
	(void)state;
	need_postfix();
	put("");
	start();
	serve_until_alive();
	write_lines(20);
	all_told_once();
	rotate_by_rename();
	write_lines(20);
	all_told_once();
	rotate_by_copy();
	write_lines(20);
	all_told_once();
	/* Grown beyond the old place before anybody looks. */
	write_lines(20);
	rotate_by_copy();
	write_lines(200);
	all_told_once();
	/* The old file is still written to. */
	serve_until_alive();
	save();
	crash();
	write_lines(10);
	rotate_by_rename();
	write_lines(10);
	rotate_by_copy();
	write_lines(10);
	rotate_by_rename();
	rotate_by_rename();
	write_lines(10);
	start();
	all_told_once();
	assert_int_equal(host.holes, 0);
}

/* Files that begin alike. */
static void test_an_empty_log(void **state)
{
	(void)state;
	need_postfix();
	put("");
	start();
	serve_until_alive();
	save();
	crash();
	write_lines(5);
	rotate_by_copy();
	write_lines(5);
	start();
	all_told_once();
	assert_int_equal(host.holes, 0);
}

static void test_a_place_that_is_nowhere(void **state)
{
	struct maillog_position from = {
		.kind = MAILLOG_IN_FILE, .inode = 1, .offset = 1000, .mark = 1};
	char line[512], text[256];

	(void)state;
	need_postfix();
	/* Old lines were reported, whatever their place. */
	outcome_line(text, sizeof(text), 9000);
	snprintf(line, sizeof(line), "2026-11-20T00:00:00Z host postfix/smtp[1]: %s\n", text);
	put(line);
	write_lines(5);
	from.wall_ns = 1795132800ll * NS_PER_S; /* 2026-11-20 */
	maillog_position_text(&from, host.disk.position, sizeof(host.disk.position));
	start();
	all_told_once();
	assert_int_equal(host.holes, 1);
	assert_int_equal(host.memory.reported[9000], 0);
	save();
	crash();
	write_lines(5);
	start();
	all_told_once();
	assert_int_equal(host.holes, 1);
}

static unsigned int pick(unsigned int *seed, unsigned int of)
{
	return (unsigned int)rand_r(seed) % of;
}

static void any_round(unsigned int *seed, unsigned int *rotated)
{
	unsigned int what = pick(seed, 10);

	if (what < 4)
		write_lines(pick(seed, 60));
	else if (what == 4)
		rotate_by_rename();
	else if (what == 5)
		rotate_by_copy();
	else if (what < 8)
		serve_ready();
	else if (what == 8)
		save();
	else
		crash();
	*rotated += what == 4 || what == 5;
}

/* Killed and started at any point of any order of writing and rotating. */
static void test_at_random(void **state)
{
	unsigned int seed = SEED;
	unsigned int rotated = 0;
	int i;

	(void)state;
	need_postfix();
	put("\n");
	start();
	serve_until_alive();
	save();
	for (i = 0; i < ROUNDS; i++) {
		any_round(&seed, &rotated);
		if (host.reader.pid <= 0)
			start();
		/* No more than are kept, since the place that was saved: it is in the newest. */
		if (rotated == ROTATED_MAX - 1) {
			write_lines(1);
			all_told_once();
			save();
			rotated = 0;
		}
	}
	all_told_once();
	assert_int_equal(host.holes, 0);
	print_message("# %u lines, %d rounds\n", written, ROUNDS);
}

static int set_up(void **state)
{
	written = 0;
	return set_up_reader(state);
}

static void position_is(const char *text, int err)
{
	char again[MAILLOG_POSITION_TEXT_SIZE];
	struct maillog_position p;

	assert_int_equal(maillog_position_parse(text, &p), err);
	if (err)
		return;
	maillog_position_text(&p, again, sizeof(again));
	assert_string_equal(again, text);
}

static void test_position_text(void **state)
{
	(void)state;
	position_is("", 0);
	position_is("file:77:4096:00000000deadbeef:1795314448000000000", 0);
	position_is("file:18446744073709551615:0:ffffffffffffffff:-1", 0);
	position_is("journal:1795314448000000000:s=0e;i=1a;b=2c;m=3;t=4;x=5", 0);
	position_is("file:77:4096:00000000deadbeef", -22);
	position_is("file:77:4096:00000000deadbeef:1x", -22);
	position_is("file: 77:4096:00000000deadbeef:1", -22);
	position_is("journal:1:", -22);
	position_is("journal:x:s=1", -22);
	position_is("elsewhere", -22);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down_reader)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_position_text),
		TEST(test_begins_at_the_end),
		TEST(test_history_is_read_after_a_restart),
		TEST(test_asks_who_is_behind_a_connection),
		TEST(test_traditional_lines),
		TEST(test_waits_for_a_log),
		TEST(test_part_of_a_line),
		TEST(test_last_line_without_an_end),
		TEST(test_rotations),
		TEST(test_an_empty_log),
		TEST(test_a_place_that_is_nowhere),
		TEST(test_at_random),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
