/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * maillog_journal_test.c - Postfix's messages out of a journal that a real systemd-journald writes,
 * in a mount namespace of this test's own; and those of a customer who calls himself postfix/smtp.
 */
#include <errno.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include "base/clock.h"
#include "maillog_reader_fixture.h"

#define JOURNALD "/lib/systemd/systemd-journald"
#define DEV_LOG	 "/run/systemd/journal/dev-log"
#define CUSTOMER 1001

static pid_t journald;

static void put_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "we");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static int log_socket(void)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX, .sun_path = DEV_LOG};
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0)
		return fd;
	close(fd);
	return -1;
}

static void run_journald(void)
{
	const struct timespec wait = {.tv_nsec = 10000000};
	int tries, fd;

	journald = fork();
	if (journald == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		execl(JOURNALD, JOURNALD, (char *)NULL);
		_exit(127);
	}
	for (tries = 0; tries < 2000; tries++) {
		fd = log_socket();
		if (fd >= 0) {
			close(fd);
			return;
		}
		nanosleep(&wait, NULL);
	}
	fail_msg("journald does not listen");
}

/* It has read what was sent to its socket, which goes with it. */
static void stop_journald(void)
{
	assert_int_equal(system("journalctl --sync"), 0);
	kill(journald, SIGTERM);
	waitpid(journald, NULL, 0);
	journald = 0;
}

/* As a syslog client with this uid: what logger -t TAG does. */
static void log_as(uid_t uid, const char *tag, const char *text)
{
	char line[1024];
	int size = snprintf(line, sizeof(line), "<22>Nov 22 02:27:28 %s[12]: %s", tag, text);
	int status;
	pid_t pid;
	int fd;

	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		if (uid && setresuid(uid, uid, uid))
			_exit(1);
		fd = log_socket();
		_exit(fd < 0 || send(fd, line, size, 0) != size);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void outcome_as(uid_t uid, unsigned int number)
{
	char text[256];

	outcome_line(text, sizeof(text), number);
	log_as(uid, "postfix/smtp", text);
}

/* What was sent is not yet in the journal: read it from long ago, until it is, and forget that. */
static void await_stored(unsigned int records)
{
	snprintf(host.disk.position, sizeof(host.disk.position),
		 "journal:%lld:s=00000000000000000000000000000001;i=1;b=2;m=3;t=4;x=5",
		 (long long)(time(NULL) - 60) * NS_PER_S);
	start();
	serve_until_told(records);
	assert_int_equal(host.memory.records, records);
	assert_int_equal(host.holes, 1);
	memset(&host.disk, 0, sizeof(host.disk));
	host.alive = host.holes = 0;
	crash();
}

static uid_t postfix_uid(void)
{
	return getpwnam("postfix")->pw_uid;
}

static bool possible(void)
{
	return geteuid() == 0 && access(JOURNALD, X_OK) == 0 && getpwnam("postfix") &&
	       access("/etc/machine-id", R_OK) == 0;
}

/* As tmpfiles.d/systemd.conf has it: the group may read. */
static void make_directory(void)
{
	const struct group *gr = getgrnam("systemd-journal");

	assert_non_null(gr);
	mkdir("/run/log", 0755);
	assert_int_equal(mkdir("/run/log/journal", 0755), 0);
	assert_int_equal(chown("/run/log/journal", 0, gr->gr_gid), 0);
	assert_int_equal(chmod("/run/log/journal", 02755), 0);
}

/* A /run of its own, for journald's sockets and files. */
static int set_up(void **state)
{
	if (!possible())
		return 0;
	set_up_reader(state);
	assert_int_equal(unshare(CLONE_NEWNS), 0);
	assert_int_equal(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
	assert_int_equal(mount("none", "/run", "tmpfs", 0, NULL), 0);
	assert_int_equal(mkdir("/run/systemd", 0755), 0);
	put_file("/run/systemd/journald.conf", "");
	assert_int_equal(mkdir("/run/systemd/journald.conf.d", 0755), 0);
	put_file("/run/systemd/journald.conf.d/test.conf",
		 "[Journal]\nStorage=volatile\nRateLimitIntervalSec=0\nReadKMsg=no\nAudit=no\n");
	make_directory();
	strcpy(host.where, "journal");
	run_journald();
	return 0;
}

static int tear_down(void **state)
{
	if (journald > 0)
		stop_journald();
	if (!possible())
		return 0;
	tear_down_reader(state);
	umount2("/run", MNT_DETACH);
	return 0;
}

static void need(void)
{
	if (!possible())
		skip();
}

static void test_history_and_outcomes(void **state)
{
	(void)state;
	need();
	log_as(postfix_uid(), "postfix/pickup", "9F5D65B: uid=1001 from=<alice@one.test>");
	outcome_as(postfix_uid(), 1);
	await_stored(1);
	start();
	serve_until_alive();
	assert_int_equal(host.memory.records, 0);
	outcome_as(postfix_uid(), 2);
	outcome_as(0, 3);
	serve_until_told(2);
	assert_int_equal(host.memory.reported[2], 1);
	assert_int_equal(host.memory.reported[3], 1);
	assert_int_equal(host.last.submission.known, SUBMISSION_HAS_UID | SUBMISSION_NO_SENDER);
	assert_int_equal(host.last.submission.uid, 1001);
}

static void test_customers_cannot_forge(void **state)
{
	(void)state;
	need();
	log_as(postfix_uid(), "postfix/pickup", "9F5D65B: uid=1001 from=<alice@one.test>");
	outcome_as(postfix_uid(), 0);
	await_stored(1);
	start();
	serve_until_alive();
	outcome_as(CUSTOMER, 1);
	outcome_as(65534, 2);
	log_as(CUSTOMER, "postfix/pickup", "9F5D65B: uid=1002 from=<alice@one.test>");
	log_as(0, "sendmail",
	       "9F5D65B: to=<n3@far.test>, relay=mx[203.0.113.1]:25, delay=1, "
	       "delays=0/0/0/1, dsn=2.0.0, status=sent (250 2.0.0 Ok)");
	outcome_as(postfix_uid(), 4);
	serve_until_told(1);
	assert_int_equal(host.memory.reported[4], 1);
	assert_int_equal(host.last.submission.uid, 1001);
	serve_until_alive();
	assert_int_equal(host.memory.records, 1);
}

/* Killed and started again, journald as well: each once. */
static void test_restarts(void **state)
{
	unsigned int n = 0;
	unsigned int i;
	int round;

	(void)state;
	need();
	outcome_as(postfix_uid(), 30000);
	await_stored(1);
	start();
	serve_until_alive();
	save();
	for (round = 0; round < 12; round++) {
		for (i = 0; i < 40; i++)
			outcome_as(postfix_uid(), n++);
		if (round % 3 == 0)
			serve();
		if (round % 4 == 1)
			save();
		crash();
		if (round == 6) {
			stop_journald();
			run_journald();
		}
		outcome_as(postfix_uid(), n++);
		start();
	}
	serve_until_told(n);
	for (i = 0; i < n; i++)
		assert_int_equal(host.memory.reported[i], 1);
	assert_int_equal(host.memory.reported[30000], 0);
	assert_int_equal(host.holes, 0);
}

static void test_waits_for_a_journal(void **state)
{
	(void)state;
	need();
	stop_journald();
	assert_int_equal(system("rm -rf /run/log/journal"), 0);
	start();
	serve_until_lost();
	assert_int_equal(host.lost, 1);
	make_directory();
	run_journald();
	serve_until_alive();
	outcome_as(postfix_uid(), 1);
	serve_until_told(1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_history_and_outcomes),
		TEST(test_customers_cannot_forge),
		TEST(test_restarts),
		TEST(test_waits_for_a_journal),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
