/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * state_fixture.h - shared by the tests of the state database: a directory for one test, two boots,
 * and rows to write and read. Include cmocka.h first.
 */
#ifndef SMTPL_STATE_FIXTURE_H
#define SMTPL_STATE_FIXTURE_H

#include <fcntl.h>
#include <ftw.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/clock.h"
#include "state/state.h"

#define WALL_S INT64_C(1795269900) /* 2026-11-21T14:05:00Z */

#define STATE_TEST(function)                                                                       \
	cmocka_unit_test_setup_teardown(function, make_directory, remove_directory)

static char directory[64];
static char path[96];

static const struct state_clock first_boot = {
	.boot_id = "11111111-1111-1111-1111-111111111111",
	.boot_ns = 5000 * NS_PER_S,
	.wall_ns = WALL_S * NS_PER_S,
};

/* 600 seconds of wall clock later, 30 seconds after a boot. */
static const struct state_clock second_boot = {
	.boot_id = "22222222-2222-2222-2222-222222222222",
	.boot_ns = 30 * NS_PER_S,
	.wall_ns = (WALL_S + 600) * NS_PER_S,
};

static inline int make_directory(void **unused)
{
	(void)unused;
	snprintf(directory, sizeof(directory), "/tmp/smtplimit-state.XXXXXX");
	if (!mkdtemp(directory))
		return -1;
	snprintf(path, sizeof(path), "%s/state/state.db", directory);
	return 0;
}

static inline int remove_entry(const char *name, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(name);
}

static inline int remove_directory(void **unused)
{
	(void)unused;
	return nftw(directory, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

static inline struct state *open_at(const struct state_clock *clock, enum state_open how)
{
	struct state *state = NULL;
	int r = state_open(path, how, &state);

	if (r)
		fail_msg("state_open: %d, %s", r, state_error(NULL));
	state_set_clock(state, clock);
	return state;
}

static inline struct account_id uid_account(uint32_t uid)
{
	return (struct account_id){.kind = ACCOUNT_UID, .uid = uid};
}

static inline struct account_id domain_account(const char *domain)
{
	struct account_id id = {.kind = ACCOUNT_DOMAIN};

	snprintf(id.domain, sizeof(id.domain), "%s", domain);
	return id;
}

static inline void add(struct window *w, int64_t second, uint64_t mail, enum smtp_outcome outcome)
{
	const struct outcome o = {
		.outcome = outcome,
		.class = outcome == SMTP_DELIVERED ? REPLY_NONE : REPLY_FULL,
		.count = 1,
		.mail = mail,
		.rcpt = mail ? mail + 1000 : 0,
		.remote = mail ? 3000000000 : 0,
		.time_ns = second * NS_PER_S,
		.age_s = OUTCOME_AGE_UNKNOWN,
	};
	enum outcome_counted counted;

	assert_int_equal(window_add(w, &o, 5000, 3600, &counted), 0);
}

/* delivered 1, deferred 2 (mails 7 and 8 pending), failed 2 (one of them mail 9); seconds 1500 and
 * 4990; mail 6 pending since before the window */
static inline struct window window_sample(void)
{
	struct window w = {0};

	add(&w, 1300, 6, SMTP_DEFERRED);
	add(&w, 1500, 0, SMTP_DELIVERED);
	add(&w, 4990, 7, SMTP_DEFERRED);
	add(&w, 4990, 8, SMTP_DEFERRED);
	add(&w, 4990, 0, SMTP_FAILED);
	add(&w, 4990, 9, SMTP_FAILED);
	window_mail_inside(&w, NULL)->flags |= WINDOW_MAIL_EXCUSED;
	return w;
}

struct kept_window {
	int count;
	struct account_id account;
	char own_domain[SMTPL_DOMAIN_SIZE];
	struct window window;
};

static inline int keep_window(void *arg, const struct account_id *account, const char *own_domain,
			      struct window *window)
{
	struct kept_window *kept = arg;

	if (kept->count++)
		window_clear(&kept->window);
	kept->account = *account;
	snprintf(kept->own_domain, sizeof(kept->own_domain), "%s", own_domain);
	kept->window = *window;
	return 0;
}

static inline struct kept_window read_window(const struct state_clock *clock)
{
	struct state *state = open_at(clock, STATE_READ);
	struct kept_window kept = {0};

	assert_int_equal(state_each_window(state, keep_window, &kept), 0);
	assert_int_equal(state_skipped(state), 0);
	state_close(state);
	return kept;
}

static inline void put_sample(const struct account_id *account)
{
	struct state *state = open_at(&first_boot, STATE_WRITE);
	struct window w = window_sample();

	assert_int_equal(state_put_window(state, account, "example.com", &w), 0);
	window_clear(&w);
	state_close(state);
}

static inline struct state_suspension suspension_sample(void)
{
	struct state_suspension s = {
		.account = uid_account(1000),
		.kernel = {4000 * NS_PER_S, 7600 * NS_PER_S, 7, 5, 58, 0},
		.domain = "example.com",
		.reason = "because",
	};

	return s;
}

struct kept_suspensions {
	int count;
	struct state_suspension last;
};

static inline int keep_suspension(void *arg, const struct state_suspension *s)
{
	struct kept_suspensions *kept = arg;

	kept->count++;
	kept->last = *s;
	return 0;
}

static inline struct state_suspension only_suspension(struct state *state)
{
	struct kept_suspensions kept = {0};

	assert_int_equal(state_each_suspension(state, keep_suspension, &kept), 0);
	assert_int_equal(kept.count, 1);
	return kept.last;
}

static inline int count_row(void *arg, const struct state_count *count)
{
	(void)count;
	++*(int *)arg;
	return 0;
}

static inline int keep_count(void *arg, const struct state_count *count)
{
	*(struct state_count *)arg = *count;
	return 0;
}

static inline size_t read_file(const char *name, char *bytes, size_t size)
{
	int fd = open(name, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, bytes, size);

	if (fd >= 0)
		close(fd);
	return n < 0 ? 0 : n;
}

static inline void write_file(const char *name, const char *bytes, size_t size)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, size), size);
	close(fd);
}

#endif
