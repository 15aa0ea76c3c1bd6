// SPDX-License-Identifier: GPL-2.0-only
/*
 * channel_mail.c - smtpl-mailer: gives a mail to sendmail(1). It runs as root, whose mail is never
 * charged and never refused, whatever the configuration says, and who may use the null sender with
 * every mail server. A mail that cannot be delivered makes no bounce.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>
#include "base/child.h"
#include "base/mail_address.h"
#include "base/sandbox.h"
#include "channel.h"

#define SENDMAIL     "/usr/sbin/sendmail"
#define TIME_MS	     60000
#define OUTPUT_BYTES (64 * 1024)

/*
 * Exim delivers right after it has taken a mail in, by programs that get root's privileges by their
 * setuid bit. A service with NoNewPrivileges keeps them from that, and then a mail for a mailbox of
 * this host is frozen for good. With -odq it waits for the next queue run of Exim's own daemon.
 * Postfix ignores the option. Else -oem, which is the default of all of them.
 */
static const char *mode(void)
{
	return prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 ? "-odq" : "-oem";
}

static void work(const struct channel_job *job, const char *first, const char *second,
		 const char *body, struct channel_result *result)
{
	static const char *const env[] = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root",
					  "LOGNAME=root", "USER=root", NULL};
	/* -i: a line with a dot alone is no end; -f with nothing: the null sender. */
	const char *const argv[] = {SENDMAIL, "-i", "-f", "", mode(), "--", first, NULL};
	const struct program program = {
		.argv = argv,
		.env = env,
		.input = body,
		.input_size = job->head.body_size,
		.time_ms = TIME_MS,
		.output_bytes = OUTPUT_BYTES,
	};

	(void)second;
	if (job->head.work != CHANNEL_SEND || !mail_address_is(first, true))
		return;
	channel_run(&program, result);
}

/* Nothing of the daemon's stays but the log: 0 to 2 are open, so that no descriptor of a pipe is
 * one of them. */
static int make_clean(int fd)
{
	int null;

	if (sandbox_close_others(&fd, 1))
		return -EIO;
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null < 0)
		return -errno;
	for (int std = 0; std < 2; std++)
		if (fd != std && dup2(null, std) < 0)
			return -errno;
	if (null > 2)
		close(null);
	return 0;
}

int channel_mail_main(void *arg, int fd, pid_t parent)
{
	int err = 0;

	(void)arg;
	prctl(PR_SET_NAME, "smtpl-mailer");
	signal(SIGINT, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	signal(SIGUSR1, SIG_IGN);
	if (prctl(PR_SET_PDEATHSIG, SIGKILL))
		err = -errno;
	if (!err)
		err = getppid() == parent ? make_clean(fd) : -ESRCH;
	if (!child_locked_in(fd, err))
		return 1;
	channel_serve(fd, work);
	return 0;
}
