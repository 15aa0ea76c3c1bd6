/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * policy_client_lock.c - the system calls that are left to a process that a mail server runs: as it
 * reads untrusted lines, it must not write files, start programs or reach the network.
 */
#include "policy_client.h"

#include <errno.h>
#include <fcntl.h>
#include <seccomp.h>
#include <sys/prctl.h>
#include <sys/socket.h>

static const int allowed[] = {
	SCMP_SYS(read),	     SCMP_SYS(write),	     SCMP_SYS(writev),
	SCMP_SYS(readv),     SCMP_SYS(close),	     SCMP_SYS(lseek),
	SCMP_SYS(fstat),     SCMP_SYS(newfstatat),   SCMP_SYS(statx),
	SCMP_SYS(fstat64),   SCMP_SYS(fstatat64),    SCMP_SYS(_llseek),
	SCMP_SYS(brk),	     SCMP_SYS(mmap),	     SCMP_SYS(mmap2),
	SCMP_SYS(munmap),    SCMP_SYS(mremap),	     SCMP_SYS(madvise),
	SCMP_SYS(connect),   SCMP_SYS(setsockopt),   SCMP_SYS(sendto),
	SCMP_SYS(sendmsg),   SCMP_SYS(send),	     SCMP_SYS(recvfrom),
	SCMP_SYS(recvmsg),   SCMP_SYS(recv),	     SCMP_SYS(poll),
	SCMP_SYS(ppoll),     SCMP_SYS(ppoll_time64), SCMP_SYS(getrandom),
	SCMP_SYS(futex),     SCMP_SYS(futex_time64), SCMP_SYS(clock_gettime),
	SCMP_SYS(time),	     SCMP_SYS(gettimeofday), SCMP_SYS(clock_gettime64),
	SCMP_SYS(exit),	     SCMP_SYS(exit_group),   SCMP_SYS(restart_syscall),
	SCMP_SYS(sigreturn), SCMP_SYS(rt_sigreturn), SCMP_SYS(rt_sigprocmask),
	SCMP_SYS(uname),
};

static const int families[] = {AF_UNIX, AF_NETLINK};

static int allow_all(scmp_filter_ctx filter)
{
	int err = 0;
	size_t i;

	for (i = 0; i < sizeof(allowed) / sizeof(*allowed) && !err; i++)
		err = seccomp_rule_add(filter, SCMP_ACT_ALLOW, allowed[i], 0);
	for (i = 0; i < sizeof(families) / sizeof(*families) && !err; i++)
		err = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(socket), 1,
				       SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)families[i], 0));
	if (!err)
		err = seccomp_rule_add(
			filter, SCMP_ACT_ALLOW, SCMP_SYS(openat), 1,
			SCMP_A2(SCMP_CMP_MASKED_EQ, O_ACCMODE | O_CREAT | O_TRUNC, O_RDONLY));
	return err;
}

int policy_client_lock(void)
{
	scmp_filter_ctx filter;
	int err;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return -errno;
	filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	if (!filter)
		return -ENOMEM;
	err = allow_all(filter);
	if (!err)
		err = seccomp_load(filter);
	seccomp_release(filter);
	return err;
}
