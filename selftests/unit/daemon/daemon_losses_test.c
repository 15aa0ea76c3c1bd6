// SPDX-License-Identifier: GPL-2.0-only
/*
 * daemon_losses_test.c - each loss that the daemon or a child counts is in the map once, over
 * restarts of all of them; and what the log says of the serious ones, which is not much.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "../base/fake_clock.h"
#include "daemon/daemon.h"

#define BOOT_S 10000

/* In place of the kernel's map and of the pipeline. */
static struct smtpl_losses map;
static unsigned int written;
static int map_err;
static struct pipeline_stats counted;

int bpf_maps_losses(const struct bpf_maps *maps, struct smtpl_losses *losses)
{
	(void)maps;
	*losses = map;
	return map_err;
}

int bpf_maps_set_losses(struct bpf_maps *maps, const struct smtpl_losses *losses)
{
	(void)maps;
	if (map_err)
		return map_err;
	map = *losses;
	written++;
	return 0;
}

struct pipeline_stats pipeline_stats(const struct pipeline *p)
{
	(void)p;
	return counted;
}

static struct notice noticed[8];
static unsigned int notices;

void daemon_notice(struct daemon *d, const struct notice *notice)
{
	(void)d;
	noticed[notices++ % 8] = *notice;
}

static struct daemon host;

/* Another daemon, whose children and pipeline begin at zero. */
static void start(void)
{
	memset(&host, 0, sizeof(host));
	memset(&counted, 0, sizeof(counted));
	daemon_losses_begin(&host.losses, NULL);
}

static int begin(void **state)
{
	(void)state;
	fake_boot_ns = BOOT_S * NS_PER_S;
	memset(&map, 0, sizeof(map));
	written = 0;
	map_err = 0;
	start();
	return 0;
}

/* The lines of the log that daemon_losses_show() writes. */
static const char *shown(void)
{
	static char text[4096];
	FILE *file = tmpfile();
	int kept = dup(STDERR_FILENO);
	size_t length;

	assert_non_null(file);
	fflush(stderr);
	dup2(fileno(file), STDERR_FILENO);
	daemon_losses_show(&host);
	fflush(stderr);
	dup2(kept, STDERR_FILENO);
	close(kept);
	rewind(file);
	length = fread(text, 1, sizeof(text) - 1, file);
	text[length] = '\0';
	fclose(file);
	return text;
}

/* Every counter that is a loss, each by a number of its own. */
static void test_each_is_shown(void **state)
{
	const struct policy_stats policy = {
		.strangers = 1, .crowded = 2, .malformed = 3, .late = 4, .lost = 5};
	const struct maillog_stats maillog = {
		.taken = 99, .reports = 98, .unknown = 6, .evicted = 7, .nomem = 8, .messages = 97};
	struct smtpl_losses want = {
		.policy_strangers = 1,
		.policy_crowded = 2,
		.policy_malformed = 3,
		.policy_late = 4,
		.reports_lost = 5 + 17,
		.maillog_unknown = 6,
		.maillog_evicted = 7,
		.maillog_nomem = 8,
		.maillog_gaps = 16,
		.events_malformed = 9,
		.events_healed = 10,
		.events_late = 11,
		.counts_fell = 12,
		.nomem = 13,
		.relay_counts_lost = 14,
		.sessions_evicted = 15,
		.meetings_lost = 21,
		.notices_failed = 18,
		.notices_dropped = 19 + 20,
		.policy_late_ns = BOOT_S * NS_PER_S,
		.reports_lost_ns = BOOT_S * NS_PER_S,
		.maillog_gaps_ns = BOOT_S * NS_PER_S,
		.maillog_nomem_ns = BOOT_S * NS_PER_S,
		.nomem_ns = BOOT_S * NS_PER_S,
		.notices_failed_ns = BOOT_S * NS_PER_S,
		.notices_dropped_ns = BOOT_S * NS_PER_S,
	};
	const struct notify_stats notify = {.sent = 99, .failed = 18, .dropped = 19, .waiting = 20};

	(void)state;
	counted = (struct pipeline_stats){
		.events = 99,
		.malformed = 9,
		.attempts = 99,
		.healed = 10,
		.late = 11,
		.resets = 12,
		.nomem = 13,
		.not_judged = 99,
		.while_suspended = 99,
		.bypass = 99,
		.reports = 99,
		.superseded = 99,
		.relay_counts_lost = 14,
		.suspensions = 99,
		.collected = 99,
		.meetings_lost = 21,
		.evicted = 15,
		.sessions = 99,
		.accounts = 99,
		.keys = 99,
	};
	daemon_losses_policy(&host.losses, &policy);
	daemon_losses_maillog(&host.losses, &maillog);
	daemon_losses_notify(&host.losses, &notify);
	daemon_losses_notify_begins(&host.losses);
	host.losses.total.maillog_gaps += 16;
	host.losses.total.reports_lost += 17;
	shown();
	assert_memory_equal(&map, &want, sizeof(map));
	assert_int_equal(written, 1);
}

/* Nothing new: nothing is written and nothing logged. */
static void test_counted_once(void **state)
{
	struct policy_stats policy = {.late = 2};

	(void)state;
	assert_string_equal(shown(), "");
	assert_int_equal(written, 0);
	counted.healed = 3;
	daemon_losses_policy(&host.losses, &policy);
	shown();
	daemon_losses_policy(&host.losses, &policy);
	fake_boot_ns += 600 * NS_PER_S;
	assert_string_equal(shown(), "");
	assert_int_equal(written, 1);
	policy.late = 5;
	policy.malformed = 1;
	daemon_losses_policy(&host.losses, &policy);
	counted.healed = 4;
	shown();
	assert_int_equal(map.policy_late, 5);
	assert_int_equal(map.policy_malformed, 1);
	assert_int_equal(map.events_healed, 4);
	assert_int_equal(map.policy_late_ns, fake_boot_ns);
	assert_int_equal(map.reports_lost_ns, 0);
}

/* A child that was started anew counts from zero, soon past what the last one had counted. */
static void test_child_starts_again(void **state)
{
	struct policy_stats policy = {.late = 2};
	struct maillog_stats maillog = {.nomem = 1};

	(void)state;
	daemon_losses_policy(&host.losses, &policy);
	daemon_losses_maillog(&host.losses, &maillog);
	daemon_losses_policy_begins(&host.losses);
	daemon_losses_maillog_begins(&host.losses);
	policy.late = 7;
	maillog.nomem = 1;
	daemon_losses_policy(&host.losses, &policy);
	daemon_losses_maillog(&host.losses, &maillog);
	shown();
	assert_int_equal(map.policy_late, 9);
	assert_int_equal(map.maillog_nomem, 2);
}

/* A child that somebody has taken over says anything; no total falls. */
static void test_child_counts_downwards(void **state)
{
	struct policy_stats policy = {.late = 5};

	(void)state;
	daemon_losses_policy(&host.losses, &policy);
	policy.late = 3;
	daemon_losses_policy(&host.losses, &policy);
	shown();
	assert_int_equal(map.policy_late, 5);
}

/* What an earlier daemon has lost is kept, and is no news. */
static void test_daemon_starts_again(void **state)
{
	(void)state;
	counted.nomem = 4;
	shown();
	fake_boot_ns += 600 * NS_PER_S;
	start();
	assert_string_equal(shown(), "");
	assert_int_equal(map.nomem, 4);
	assert_int_equal(map.nomem_ns, BOOT_S * NS_PER_S);
	counted.nomem = 1;
	assert_non_null(strstr(shown(), "nomem grew by 1: times that the daemon had no memory\n"));
	assert_int_equal(map.nomem, 5);
	assert_int_equal(map.nomem_ns, fake_boot_ns);
}

/* Not of notices: one that says so would be lost as well. */
static void test_a_notice_of_what_is_serious(void **state)
{
	const struct notify_stats notify = {.failed = 1};

	(void)state;
	notices = 0;
	counted.nomem = 1;
	counted.healed = 1;
	daemon_losses_notify(&host.losses, &notify);
	assert_non_null(strstr(shown(), "notices_failed grew by 1: "));
	assert_int_equal(notices, 1);
	assert_int_equal(noticed[0].kind, NOTICE_LOSSES);
	assert_string_equal(noticed[0].remote, "nomem");
	assert_string_equal(noticed[0].text,
			    "nomem grew by 1: times that the daemon had no memory");
	assert_string_equal(noticed[0].account, "");
}

static void test_log_once_a_minute(void **state)
{
	struct policy_stats policy = {.late = 2, .malformed = 9};

	(void)state;
	daemon_losses_policy(&host.losses, &policy);
	assert_non_null(strstr(shown(), "policy_late grew by 2: questions of mail servers"));
	policy.late = 3;
	daemon_losses_policy(&host.losses, &policy);
	fake_boot_ns += 59 * NS_PER_S;
	assert_string_equal(shown(), "");
	assert_int_equal(map.policy_late, 3);
	policy.late = 6;
	daemon_losses_policy(&host.losses, &policy);
	fake_boot_ns += NS_PER_S;
	assert_non_null(strstr(shown(), "policy_late grew by 4: questions of mail servers"));
	/* An oddity is no line in the log. */
	policy.malformed = 10;
	daemon_losses_policy(&host.losses, &policy);
	fake_boot_ns += 61 * NS_PER_S;
	assert_string_equal(shown(), "");
	assert_int_equal(map.policy_malformed, 10);
}

/* Said once; and all is there as soon as it can be. */
static void test_map_that_cannot_be_written(void **state)
{
	(void)state;
	map_err = -EPERM;
	counted.healed = 1;
	assert_non_null(strstr(shown(), "cannot write the losses that status shows"));
	counted.healed = 2;
	assert_string_equal(shown(), "");
	assert_string_equal(shown(), "");
	map_err = 0;
	assert_string_equal(shown(), "");
	assert_int_equal(map.events_healed, 2);
	assert_int_equal(written, 1);
	map_err = -EPERM;
	counted.healed = 3;
	assert_non_null(strstr(shown(), "cannot write the losses that status shows"));
}

#define TEST(name) cmocka_unit_test_setup(name, begin)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_each_is_shown),	TEST(test_counted_once),
		TEST(test_child_starts_again),	TEST(test_child_counts_downwards),
		TEST(test_daemon_starts_again), TEST(test_a_notice_of_what_is_serious),
		TEST(test_log_once_a_minute),	TEST(test_map_that_cannot_be_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
