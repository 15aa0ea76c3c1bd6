// SPDX-License-Identifier: GPL-2.0-only
/*
 * status_tls_test.c - TLS in status: each reason why a session is opaque is told by itself, and
 * what to do about it; whole text against whole text, and the JSON.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <errno.h>
#include <limits.h>
#include "base/clock.h"
#include "status_fixture.h"
#include "cli/status_tls.h"

#define HEADLINE                                                                                   \
	"TLS: process, uprobe_multi; 3 processes with probes; sessions 120 seen (2 late), 4 not "  \
	"bound, 1 opaque"
#define LATE "  unknown: sessions whose probes came late (tls = library avoids it): 2\n"

static const struct smtpl_tls_state running = {
	.mode = SMTPL_TLS_PROCESS,
	.way = SMTPL_TLS_WAY_MULTI,
	.pid = 88,
	.processes = 3,
	.probed = 200,
	.heartbeat_ns = (BOOT_S - 10) * NS_PER_S,
};

static void state(struct smtpl_tls_state state)
{
	config.tls = SMTPL_TLS_PROCESS;
	status.daemon_lock_pid = 77;
	status.stats.tls_sessions = 120;
	status.stats.tls_late = 2;
	status.stats.tls_unbound = 4;
	status.stats.tls_opaque = 1;
	status_tls_state(&status, &state);
}

static void file(const char *path, uint32_t libraries, uint32_t processes, uint32_t whole,
		 int32_t error)
{
	struct smtpl_tls_file f = {
		.libraries = libraries, .processes = processes, .whole = whole, .error = error};

	assert_true(strlen(path) <= sizeof(f.path));
	memcpy(f.path, path, strlen(path)); /* no NUL when it is full */
	assert_int_equal(status_tls_file(&status, &f), 0);
}

/* What stands between the line about the daemon and that about accounts. */
static void expect_section(const char *expected)
{
	const char *daemon = status.daemon_lock_pid > 0 ?
				     "pid 77, since 2026-11-21T11:18:20Z" :
				     "suspensions hold and end by themselves, nobody is judged";
	char *text = status_string(), want[4096];

	snprintf(want, sizeof(want), "%s\n%sno account has sent yet\n", daemon, expected);
	if (!strstr(text, want))
		fail_msg("is   %s\nwant %s", text, want);
	free(text);
}

static json_t *member(json_t *root, const char *name)
{
	return json_object_get(json_object_get(root, "tls"), name);
}

static void all_is_well(void **unused)
{
	(void)unused;
	state(running);
	file("/usr/lib/libssl.so.3", SMTPL_TLS_OPENSSL, 1, 0, 0);
	file("/usr/lib/libgnutls.so.30", SMTPL_TLS_GNUTLS, 2, 0, 0);
	expect_section(HEADLINE "\n"
				"  /usr/lib/libgnutls.so.30 (gnutls): 2 processes\n"
				"  /usr/lib/libssl.so.3 (openssl): 1 process\n" LATE);
}

static void every_reason_is_told(void **unused)
{
	struct smtpl_tls_state s = running;

	(void)unused;
	s.mode = SMTPL_TLS_LIBRARY;
	s.way = SMTPL_TLS_WAY_PERF;
	s.processes = 1;
	s.without = 5;
	s.unreadable = 6;
	s.failed = 7;
	s.skipped = 8;
	s.held = 2;
	s.held_uid = 4294967294;
	strcpy(s.error, "pid 9: \x1b[2J");
	state(s);
	status.stats.tls_unasked = 9;
	config.tls = SMTPL_TLS_LIBRARY;
	file("/usr/bin/node", SMTPL_TLS_OPENSSL | SMTPL_TLS_GNUTLS, 0, 1, 0);
	file("/mnt/\n\x1b]0;x/libssl.so", SMTPL_TLS_OPENSSL, 9, 0, -EIO);
	file("/odd", 4, 9, 0, INT_MIN);
	expect_section(
		"TLS: library, perf_uprobe; 1 process with probes; sessions 120 seen (2 late), 4 not "
		"bound, 1 opaque\n"
		"  /mnt/\\x0a\\x1b]0;x/libssl.so (openssl): no probes, Input/output error\n"
		"  /odd (unknown): no probes, Unknown error 2147483647\n"
		"  /usr/bin/node (openssl,gnutls): all processes\n"
		"  no probes: processes without TLS, or whose has no symbols (static, Go, rustls): 5\n"
		"  no probes: processes or files that could not be read (gone, refused, damaged): 6\n"
		"  no probes: processes or files that took none: 7\n"
		"  no probes: skipped, too many at once, or in a pause (each time that a process asked): 8\n"
		"  no probes: questions lost because there was no room: 9\n" LATE
		"  times that FUSE of a user held up who puts probes, and was ended: 2, the last one of "
		"uid 4294967294\n"
		"  last error: pid 9: \\x1b[2J\n");
}

static void json_has_it_all(void **unused)
{
	struct smtpl_tls_state s = running;
	json_t *root;

	(void)unused;
	s.without = 5;
	s.unreadable = 6;
	s.failed = 7;
	s.skipped = 8;
	memset(s.error, '\xff', sizeof(s.error)); /* no NUL */
	state(s);
	file("/usr/lib/libssl.so.3", SMTPL_TLS_OPENSSL, 3, 0, 0);
	file("/mnt/\xff/libssl.so", SMTPL_TLS_OPENSSL, 0, 0, -EIO);
	file("/usr/lib/libgnutls.so.30", SMTPL_TLS_GNUTLS, 0, 1, 0);
	root = status_json();
	assert_int_equal(json_string_length(member(root, "error")), 4 * sizeof(s.error));
	json_object_set_new(json_object_get(root, "tls"), "error", json_null());
	expect_json(
		json_object_get(root, "tls"),
		"{\"mode\": \"process\", \"way\": \"uprobe_multi\", \"prober\": true,"
		" \"processes\": 3, \"probed\": 200, \"without\": 5, \"unreadable\": 6,"
		" \"failed\": 7, \"skipped\": 8, \"error\": null,"
		" \"held\": {\"times\": 0, \"uid\": null, \"paused_until\": null}, \"libraries\": ["
		"{\"path\": \"/mnt/\\\\xff/libssl.so\", \"library\": \"openssl\","
		" \"processes\": 0, \"whole\": false, \"error\": \"Input/output error\"},"
		"{\"path\": \"/usr/lib/libgnutls.so.30\", \"library\": \"gnutls\","
		" \"processes\": 0, \"whole\": true, \"error\": null},"
		"{\"path\": \"/usr/lib/libssl.so.3\", \"library\": \"openssl\","
		" \"processes\": 3, \"whole\": false, \"error\": null}]}");
	expect_json(json_object_get(root, "problems"), "[]");
	json_decref(root);
}

static void ended_prober_is_a_problem(void **unused)
{
	struct smtpl_tls_state s = running;
	json_t *root;

	(void)unused;
	s.pid = 0;
	state(s);
	expect_section(
		"problem: TLS: the prober has ended, it lived until 2026-11-21T14:04:50Z: "
		"sessions of processes without probes are opaque; restart smtplimit, whose log "
		"says why\n" HEADLINE "\n" LATE);
	end(NULL);
	begin(NULL);
	state(s);
	root = status_json();
	assert_true(json_is_false(member(root, "prober")));
	assert_int_equal(json_array_size(json_object_get(root, "problems")), 1);
	json_decref(root);
}

#define PAUSED                                                                                     \
	": no probes are put in until 2026-11-21T14:06:00Z, sessions of processes without are "    \
	"opaque; the log of smtplimit names them, and a restart of smtplimit goes on at once\n"

static void pause_is_a_problem(void **unused)
{
	struct smtpl_tls_state s = running;
	json_t *root;

	(void)unused;
	strcpy(s.error, "/a\\x0ab cannot be read");
	s.held = 3;
	s.held_uid = 20001;
	s.paused_ns = (BOOT_S + 60) * NS_PER_S;
	state(s);
	expect_section(
		"problem: TLS: processes of users held up who puts probes again and again, the last one "
		"of uid 20001 by FUSE" PAUSED HEADLINE "\n" LATE
		"  times that FUSE of a user held up who puts probes, and was ended: 3, the last one of "
		"uid 20001\n"
		"  last error: /a\\x0ab cannot be read\n");
	end(NULL);
	begin(NULL);
	state(s);
	root = status_json();
	expect_json(member(root, "held"),
		    "{\"times\": 3, \"uid\": 20001, \"paused_until\": \"2026-11-21T14:06:00Z\"}");
	json_decref(root);
}

static void pause_without_fuse(void **unused)
{
	struct smtpl_tls_state s = running;

	(void)unused;
	s.paused_ns = (BOOT_S + 60) * NS_PER_S;
	state(s);
	expect_section(
		"problem: TLS: processes of users held up who puts probes again and again" PAUSED
			HEADLINE "\n" LATE);
}

/* To the second. */
static void silent_prober_is_a_problem(void **unused)
{
	struct smtpl_tls_state s = running;
	json_t *root;

	(void)unused;
	s.heartbeat_ns--;
	state(s);
	expect_section(
		"problem: TLS: no sign of life of the prober, pid 88, since "
		"2026-11-21T14:04:49Z: sessions of processes without probes are opaque; restart "
		"smtplimit, whose log says why\n" HEADLINE "\n" LATE);
	end(NULL);
	begin(NULL);
	state(s);
	root = status_json();
	assert_true(json_is_false(member(root, "prober")));
	json_decref(root);
}

static void no_prober_without_a_daemon(void **unused)
{
	json_t *root;

	(void)unused;
	state(running);
	status.daemon_lock_pid = 0;
	expect_section(
		"problem: TLS: nobody puts probes while no daemon runs: sessions of processes "
		"without probes are opaque; start smtplimit\n" HEADLINE "\n" LATE);
	end(NULL);
	begin(NULL);
	state(running);
	status.daemon_lock_pid = 0;
	root = status_json();
	assert_true(json_is_false(member(root, "prober")));
	json_decref(root);
}

static void off_is_said(void **unused)
{
	json_t *root;

	(void)unused;
	status.daemon_lock_pid = 77;
	expect_section("TLS: off: every session under TLS is opaque\n");
	root = status_json();
	expect_json(
		json_object_get(root, "tls"),
		"{\"mode\": \"off\", \"way\": \"none\", \"prober\": false, \"processes\": 0,"
		" \"probed\": 0, \"without\": 0, \"unreadable\": 0, \"failed\": 0, \"skipped\": 0,"
		" \"error\": null, \"held\": {\"times\": 0, \"uid\": null, \"paused_until\": null},"
		" \"libraries\": []}");
	json_decref(root);
}

/* The daemon could not, or has not yet: nothing was ever told. */
static void wanted_and_not_there(void **unused)
{
	(void)unused;
	status.daemon_lock_pid = 77;
	config.tls = SMTPL_TLS_LIBRARY;
	expect_section(
		"problem: TLS: nobody looks into it though the file says tls = library: smtplimit "
		"check tells if this kernel can, the log of smtplimit why it does not, and a "
		"restart takes the setting up\n"
		"TLS: off: every session under TLS is opaque\n");
}

static void file_says_otherwise(void **unused)
{
	(void)unused;
	state(running);
	config.tls = SMTPL_TLS_OFF;
	expect_section(HEADLINE "; the file says off: a restart takes it up\n" LATE);
	/* Nobody knows what a file says that cannot be read. */
	config.paths_only = true;
	expect_section(HEADLINE "\n" LATE);
}

static void many_copies_are_cut(void **unused)
{
	char path[32], *text;

	(void)unused;
	state(running);
	for (uint32_t i = 0; i < 13; i++) {
		snprintf(path, sizeof(path), "/jail/%u/libssl.so.3", i);
		file(path, SMTPL_TLS_OPENSSL, i, 0, 0);
	}
	text = status_string();
	assert_non_null(
		strstr(text, HEADLINE "\n  /jail/12/libssl.so.3 (openssl): 12 processes\n"));
	assert_non_null(strstr(text, "  /jail/1/libssl.so.3 (openssl): 1 process\n"
				     "  and 1 more, which smtplimit -j has\n"));
	assert_null(strstr(text, "/jail/0/"));
	free(text);
}

static void nothing_loaded_has_no_tls(void **unused)
{
	json_t *root;
	char *text;

	(void)unused;
	config.tls = SMTPL_TLS_PROCESS;
	text = status_string();
	assert_null(strstr(text, "TLS"));
	free(text);
	root = status_json();
	assert_true(json_is_null(json_object_get(root, "tls")));
	expect_json(json_object_get(root, "problems"), "[]");
	json_decref(root);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STATUS_TEST(all_is_well),
		STATUS_TEST(every_reason_is_told),
		STATUS_TEST(json_has_it_all),
		STATUS_TEST(ended_prober_is_a_problem),
		STATUS_TEST(pause_is_a_problem),
		STATUS_TEST(pause_without_fuse),
		STATUS_TEST(silent_prober_is_a_problem),
		STATUS_TEST(no_prober_without_a_daemon),
		STATUS_TEST(off_is_said),
		STATUS_TEST(wanted_and_not_there),
		STATUS_TEST(file_says_otherwise),
		STATUS_TEST(many_copies_are_cut),
		STATUS_TEST_UNLOADED(nothing_loaded_has_no_tls),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("status_tls", tests, NULL, NULL);
}
