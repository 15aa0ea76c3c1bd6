/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * sandbox.c - the steps by which a process gives up what it does not need. Their order matters: the
 * passwd look-up needs files, chroot needs its capability, a change of ids clears the death signal,
 * and after the filter only the listed system calls work.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <cap-ng.h>
#include <seccomp.h>
#include "sandbox.h"

#define NOBODY	65534
#define FDS_MAX 16

/* libc needs these at any time: for time without a vDSO, locks, restarts, signals, the end. */
static const int libc_syscalls[] = {
	SCMP_SYS(clock_gettime),   SCMP_SYS(clock_gettime64), SCMP_SYS(exit),
	SCMP_SYS(exit_group),	   SCMP_SYS(futex),	      SCMP_SYS(futex_time64),
	SCMP_SYS(restart_syscall), SCMP_SYS(rt_sigreturn),    SCMP_SYS(sigreturn),
};

/* Signals to "all processes named smtplimit" or to the terminal's group are the daemon's
 * business. */
static const int ignored_signals[] = {SIGHUP, SIGINT, SIGTERM, SIGPIPE, SIGUSR1, SIGUSR2};

static void reset_signals(void)
{
	sigset_t none;
	int sig;
	size_t i;

	for (sig = 1; sig < NSIG; sig++)
		signal(sig, SIG_DFL);
	for (i = 0; i < sizeof(ignored_signals) / sizeof(*ignored_signals); i++)
		signal(ignored_signals[i], SIG_IGN);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static int compare_fds(const void *a, const void *b)
{
	int x = *(const int *)a;
	int y = *(const int *)b;

	return (x > y) - (x < y);
}

int sandbox_close_others(const int *fds, size_t count)
{
	int keep[FDS_MAX + 1];
	unsigned int from = 0;
	size_t i;

	if (count > FDS_MAX)
		return -E2BIG;
	memcpy(keep, fds, count * sizeof(*keep));
	keep[count++] = STDERR_FILENO;
	qsort(keep, count, sizeof(*keep), compare_fds);
	for (i = 0; i < count; i++) {
		if (keep[i] > (int)from && close_range(from, keep[i] - 1, 0))
			return -errno;
		from = keep[i] + 1;
	}
	return close_range(from, ~0U, 0) ? -errno : 0;
}

static int chroot_and_exit(void *arg)
{
	(void)arg;
	_exit(chroot("/proc/self/fdinfo") || chdir("/") ? errno : 0);
}

/*
 * Enters an empty root directory that needs nothing on disk: a helper that shares our root changes
 * it to its own /proc/self/fdinfo and ends. The directory of a dead process has no entries and
 * takes none.
 */
static int enter_empty_root(void)
{
	static char stack[16384] __attribute__((aligned(16)));
	int status;
	pid_t pid;

	pid = clone(chroot_and_exit, stack + sizeof(stack), CLONE_FS | CLONE_VM | CLONE_VFORK,
		    NULL);
	if (pid < 0)
		return -errno;
	while (waitpid(pid, &status, __WALL) < 0)
		if (errno != EINTR)
			return -errno;
	return WIFEXITED(status) ? -WEXITSTATUS(status) : -ECHILD;
}

/* Takes the ids, no supplementary group, and no capability in any set. */
static int drop_identity(uid_t uid, gid_t gid)
{
	capng_clear(CAPNG_SELECT_ALL);
	if (capng_change_id(uid, gid,
			    CAPNG_DROP_SUPP_GRP | CAPNG_CLEAR_BOUNDING | CAPNG_CLEAR_AMBIENT))
		return -EPERM;
	/* Make sure that there is no way back. */
	return setuid(0) == 0 || seteuid(0) == 0 ? -EPERM : 0;
}

static int drop_root(const struct sandbox *sandbox)
{
	const struct passwd *pw = getpwnam(sandbox->user);
	const struct group *gr = sandbox->group ? getgrnam(sandbox->group) : NULL;
	uid_t uid = pw ? pw->pw_uid : NOBODY;
	gid_t gid = pw ? pw->pw_gid : NOBODY;
	int err;

	if (gr)
		gid = gr->gr_gid;
	if (uid == 0)
		return -EINVAL;
	err = sandbox_close_others(sandbox->fds, sandbox->fds_count);
	if (!err && !sandbox->reads_files)
		err = enter_empty_root();
	return err ? err : drop_identity(uid, gid);
}

static int limit(__rlimit_resource_t resource, uint64_t value)
{
	const struct rlimit both = {value, value};

	return setrlimit(resource, &both) ? -errno : 0;
}

static int set_limits(const struct sandbox *sandbox)
{
	int err = limit(RLIMIT_CORE, 0);

	if (!err)
		err = limit(RLIMIT_NPROC, 0);
	if (!err)
		err = limit(RLIMIT_NOFILE, sandbox->files);
#ifndef __SANITIZE_ADDRESS__ /* whose shadow memory is larger than any sensible limit */
	if (!err)
		err = limit(RLIMIT_AS, sandbox->memory_bytes);
#endif
	return err;
}

/* The process dies with its parent, also where that died before this could be asked for. */
static int follow_parent(pid_t parent)
{
	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0))
		return -errno;
	return getppid() == parent ? 0 : -ESRCH;
}

static int allow(scmp_filter_ctx filter, const int *syscalls, size_t count)
{
	int err = 0;
	size_t i;

	for (i = 0; i < count && !err; i++)
		err = seccomp_rule_add(filter, SCMP_ACT_ALLOW, syscalls[i], 0);
	return err;
}

/* openat(2) without any flag that makes, cuts or writes a file. */
static int allow_reading(scmp_filter_ctx filter)
{
	const unsigned int writing = O_ACCMODE | O_CREAT | O_TRUNC | O_APPEND | O_TMPFILE;
	/* O_TMPFILE includes O_DIRECTORY, which readers use. */
	const struct scmp_arg_cmp reads = SCMP_A2(SCMP_CMP_MASKED_EQ, writing & ~O_DIRECTORY, 0);

	return seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(openat), 1, reads);
}

static int filter_syscalls(const struct sandbox *sandbox)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
	int err;

	if (!filter)
		return -ENOMEM;
	err = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
	if (!err)
		err = allow(filter, libc_syscalls, sizeof(libc_syscalls) / sizeof(*libc_syscalls));
	if (!err)
		err = allow(filter, sandbox->syscalls, sandbox->syscalls_count);
	if (!err && sandbox->reads_files)
		err = allow_reading(filter);
	if (!err)
		err = seccomp_load(filter);
	/* It is not released after the load: free() may return memory by a call that now kills. */
	if (err)
		seccomp_release(filter);
	return err;
}

int sandbox_enter(const struct sandbox *sandbox)
{
	int err;

	reset_signals();
	if (prctl(PR_SET_NAME, sandbox->name, 0, 0, 0))
		return -errno;
	err = geteuid() == 0 ? drop_root(sandbox) :
			       sandbox_close_others(sandbox->fds, sandbox->fds_count);
	if (!err)
		err = set_limits(sandbox);
	if (!err && (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)))
		err = -errno;
	if (!err)
		err = follow_parent(sandbox->parent);
	return err ? err : filter_syscalls(sandbox);
}

/* fd 0 and 1, unless they are kept: else a pipe's end could get one of these numbers. */
static int open_null(const int *fds, size_t count)
{
	int null = open("/dev/null", O_RDWR);

	for (size_t i = 0; i < count; i++)
		if (fds[i] < STDERR_FILENO)
			return -EINVAL;
	if (null < 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0)
		return -errno;
	if (null > STDERR_FILENO)
		close(null);
	return 0;
}

int sandbox_unprivileged(const char *name, const char *user, pid_t parent, const int *fds,
			 size_t count)
{
	const struct passwd *pw = getpwnam(user);
	uid_t uid = pw ? pw->pw_uid : NOBODY;
	gid_t gid = pw ? pw->pw_gid : NOBODY;
	int err;

	reset_signals();
	if (uid == 0)
		return -EINVAL;
	if (prctl(PR_SET_NAME, name, 0, 0, 0))
		return -errno;
	err = sandbox_close_others(fds, count);
	if (!err)
		err = open_null(fds, count);
	if (!err && geteuid() == 0)
		err = drop_identity(uid, gid);
	if (!err)
		err = limit(RLIMIT_CORE, 0);
	if (!err && (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)))
		err = -errno;
	return err ? err : follow_parent(parent);
}

int sandbox_daemon(const unsigned int *keep, size_t count)
{
	bool have[CAP_LAST_CAP + 1] = {false};
	size_t i;

	if (capng_get_caps_process())
		return -EIO;
	for (i = 0; i < count; i++)
		if (keep[i] <= CAP_LAST_CAP)
			have[keep[i]] = capng_have_capability(CAPNG_PERMITTED, keep[i]);
	capng_clear(CAPNG_SELECT_ALL);
	for (i = 0; i <= CAP_LAST_CAP; i++)
		if (have[i] &&
		    capng_update(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED | CAPNG_BOUNDING_SET,
				 i))
			return -EINVAL;
	return capng_apply(CAPNG_SELECT_ALL) ? -EPERM : 0;
}

int sandbox_helper(const char *name, pid_t parent, const unsigned int *keep, size_t count)
{
	int err;

	if (prctl(PR_SET_NAME, name, 0, 0, 0))
		return -errno;
	signal(SIGINT, SIG_IGN);
	err = follow_parent(parent);
	return err ? err : sandbox_daemon(keep, count);
}

void sandbox_hide_mappings(void)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	char line[PATH_MAX + 128];

	while (maps && fgets(line, sizeof(line), maps)) {
		unsigned long from, to;
		char mode[5];

		if (sscanf(line, "%lx-%lx %4s", &from, &to, mode) == 3 && mode[1] == 'w' &&
		    mode[3] == 's')
			madvise((void *)from, to - from, MADV_DONTFORK);
	}
	if (maps)
		fclose(maps);
}
