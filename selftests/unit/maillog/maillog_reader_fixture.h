/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * maillog_reader_fixture.h - for the tests of reading Postfix's log: a reader, a daemon that saves
 * what is reported to it together with the position, and how often each line's recipient was.
 */
#ifndef SMTPL_TEST_MAILLOG_READER_FIXTURE_H
#define SMTPL_TEST_MAILLOG_READER_FIXTURE_H

#include <fcntl.h>
#include <poll.h>
#include <pwd.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <sys/stat.h>
#include <cmocka.h>
#include "maillog/maillog_reader.h"

#define LINES_MAX 40000
#define WAIT_MS	  20000
#define CALLER	  1007

/* What a daemon has in memory, and what it has on disk. */
struct state {
	char position[MAILLOG_POSITION_TEXT_SIZE];
	uint8_t reported[LINES_MAX]; /* how often, by the line's number */
	unsigned int records;
};

struct daemon {
	struct maillog_reader reader;
	struct state memory;
	struct state disk;
	unsigned int alive;
	unsigned int lost;	     /* the log is missing */
	unsigned int holes;	     /* lines were lost */
	struct delivery_report last; /* outcome */
	struct maillog_stats stats;  /* as the child last told them */
	char where[256];
	char directory[128];
};

static struct daemon host;

static inline void on_record(void *arg, const struct delivery_report *record)
{
	struct daemon *d = arg;
	unsigned int number;

	d->alive += record->kind == REPORT_ALIVE;
	d->lost += record->kind == REPORT_LOST && record->count == 0;
	d->holes += record->kind == REPORT_LOST && record->count > 0;
	if (record->kind != REPORT_OUTCOME)
		return;
	d->last = *record;
	d->memory.records++;
	if (sscanf(record->rcpt, "n%u@far.test", &number) == 1 && number < LINES_MAX)
		d->memory.reported[number]++;
}

static inline bool on_caller(void *arg, const uint8_t addr[16], uint32_t port, int64_t wall_ns,
			     uint32_t *uid)
{
	(void)arg;
	(void)wall_ns;
	*uid = CALLER;
	return addr[12] == 127 && port == 45318;
}

static inline void on_position(void *arg, const struct maillog_position *position)
{
	struct daemon *d = arg;

	maillog_position_text(position, d->memory.position, sizeof(d->memory.position));
}

static inline void on_counted(void *arg, const struct maillog_stats *stats)
{
	((struct daemon *)arg)->stats = *stats;
}

/* Begin, from what is on disk. */
static inline void start(void)
{
	struct maillog_position from;

	fflush(NULL);
	host.memory = host.disk;
	assert_int_equal(maillog_position_parse(host.disk.position, &from), 0);
	assert_int_equal(maillog_reader_start(&host.reader, host.where, &from), 0);
}

static inline void save(void)
{
	host.disk = host.memory;
}

/* What was not saved is gone. */
static inline void crash(void)
{
	maillog_reader_stop(&host.reader);
	host.memory = host.disk;
}

/* What has been said by now. */
static inline void serve_ready(void)
{
	static const struct maillog_reader_ops ops = {on_record, on_caller, on_position,
						      on_counted};

	assert_int_equal(maillog_reader_serve(&host.reader, &ops, &host), 0);
}

static inline void serve(void)
{
	struct pollfd ready = {.fd = host.reader.fd, .events = POLLIN};

	assert_int_equal(poll(&ready, 1, WAIT_MS), 1);
	serve_ready();
}

static inline void serve_until_told(unsigned int records)
{
	while (host.memory.records < records)
		serve();
}

/* The child has said twice that it is at the end: once may be from before. */
static inline void serve_until_alive(void)
{
	unsigned int alive = host.alive;

	while (host.alive < alive + 2)
		serve();
}

static inline void serve_until_lost(void)
{
	while (!host.lost)
		serve();
}

static inline void name_of(char path[160], const char *end)
{
	snprintf(path, 160, "%s/mail.log%s", host.directory, end);
}

static inline void put(const char *text)
{
	char path[160];
	FILE *f;

	name_of(path, "");
	f = fopen(path, "ae");
	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

/* One line as Postfix writes it, now. */
static inline void format_line(char *line, size_t size, const char *program, const char *text)
{
	char stamp[32];
	time_t now = time(NULL);
	struct tm tm;

	gmtime_r(&now, &tm);
	strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H:%M:%SZ", &tm);
	snprintf(line, size, "%s host postfix/%s[12]: %s\n", stamp, program, text);
}

static inline void put_line(const char *program, const char *text)
{
	char line[1024];

	format_line(line, sizeof(line), program, text);
	put(line);
}

static inline void outcome_line(char *text, size_t size, unsigned int number)
{
	snprintf(text, size,
		 "9F5D65B: to=<n%u@far.test>, relay=mx[203.0.113.1]:25, delay=1, delays=0/0/0/1, "
		 "dsn=2.0.0, status=sent (250 2.0.0 Ok)",
		 number);
}

static inline void put_outcome(unsigned int number)
{
	char text[256];

	outcome_line(text, sizeof(text), number);
	put_line("smtp", text);
}

static inline int set_up_reader(void **state)
{
	static const char *const outside = "/tmp";

	(void)state;
	if (!getpwnam("postfix"))
		return 0;
	memset(&host, 0, sizeof(host));
	host.reader.fd = -1;
	snprintf(host.directory, sizeof(host.directory), "%s/smtplimit-maillog-XXXXXX", outside);
	assert_non_null(mkdtemp(host.directory));
	snprintf(host.where, sizeof(host.where), "%s/mail.log", host.directory);
	return 0;
}

static inline int tear_down_reader(void **state)
{
	char command[192];

	(void)state;
	maillog_reader_stop(&host.reader);
	snprintf(command, sizeof(command), "rm -rf '%s'", host.directory);
	return host.directory[0] ? system(command) : 0;
}

static inline void need_postfix(void)
{
	if (!getpwnam("postfix"))
		skip();
}

#endif
