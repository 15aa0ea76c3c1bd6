/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * journald_fixture.h - a real systemd-journald for one test, with a /run of its own in a mount
 * namespace of the test's. Include cmocka.h first.
 */
#ifndef SMTPL_JOURNALD_FIXTURE_H
#define SMTPL_JOURNALD_FIXTURE_H

#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#define JOURNALD "/lib/systemd/systemd-journald"
#define DEV_LOG	 "/run/systemd/journal/dev-log"

static pid_t journald;

static inline bool journald_is_possible(void)
{
	return geteuid() == 0 && access(JOURNALD, X_OK) == 0 &&
	       access("/etc/machine-id", R_OK) == 0 && getgrnam("systemd-journal");
}

static inline void put_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "we");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static inline int log_socket(void)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX, .sun_path = DEV_LOG};
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0)
		return fd;
	close(fd);
	return -1;
}

static inline void run_journald(void)
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
static inline void stop_journald(void)
{
	assert_int_equal(system("journalctl --sync"), 0);
	kill(journald, SIGTERM);
	waitpid(journald, NULL, 0);
	journald = 0;
}

/* As tmpfiles.d/systemd.conf has it: the group may read. */
static inline void make_journal_directory(void)
{
	const struct group *gr = getgrnam("systemd-journal");

	assert_non_null(gr);
	mkdir("/run/log", 0755);
	assert_int_equal(mkdir("/run/log/journal", 0755), 0);
	assert_int_equal(chown("/run/log/journal", 0, gr->gr_gid), 0);
	assert_int_equal(chmod("/run/log/journal", 02755), 0);
}

/* A /run of its own, for journald's sockets and files; and journald. */
static inline void begin_journald(void)
{
	assert_int_equal(unshare(CLONE_NEWNS), 0);
	assert_int_equal(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
	assert_int_equal(mount("none", "/run", "tmpfs", 0, NULL), 0);
	assert_int_equal(mkdir("/run/systemd", 0755), 0);
	put_file("/run/systemd/journald.conf", "");
	assert_int_equal(mkdir("/run/systemd/journald.conf.d", 0755), 0);
	put_file("/run/systemd/journald.conf.d/test.conf",
		 "[Journal]\nStorage=volatile\nRateLimitIntervalSec=0\nReadKMsg=no\nAudit=no\n");
	make_journal_directory();
	run_journald();
}

static inline void end_journald(void)
{
	if (journald > 0)
		stop_journald();
	umount2("/run", MNT_DETACH);
}

#endif
