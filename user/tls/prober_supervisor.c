// SPDX-License-Identifier: GPL-2.0-only
/*
 * prober_supervisor.c - the process between the daemon and the prober. It starts the prober again
 * when that has ended, which takes capabilities that the daemon has dropped. It takes no input.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/child.h"
#include "base/log.h"
#include "prober.h"
#include "prober_child.h"

#define DELAY_S 1
#define RETRY_S 60

struct supervisor_args {
	struct bpf *bpf;
	struct prober_args prober;
};

/* Waits until it has ended. False: that happened too often. */
static bool await_end(pid_t pid, struct prober_times *ends)
{
	bool again, killed;
	int status = 0;

	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	killed = WIFSIGNALED(status);
	again = !prober_times_note(ends, clock_boot_ns());
	log_warning("the child that puts probes on TLS libraries is gone (%s %d)%s",
		    killed ? "signal" : "exit status",
		    killed ? WTERMSIG(status) : WEXITSTATUS(status),
		    again ? "; it is started again" : "");
	return again;
}

static void start_again(struct prober_args *args, pid_t *pid, int *fd)
{
	int err;

	args->again = true;
	sleep(DELAY_S);
	while ((err = child_start(prober_main, args, pid, fd))) {
		log_warning(
			"the child that puts probes on TLS libraries cannot be started again: %s; tried again in "
			"%d s",
			strerror(-err), RETRY_S);
		sleep(RETRY_S);
	}
}

static void supervise(struct prober_args *args, pid_t pid, int fd)
{
	struct prober_times ends = {0};

	while (await_end(pid, &ends)) {
		close(fd);
		start_again(args, &pid, &fd);
	}
}

static int supervisor_main(void *arg, int fd, pid_t parent)
{
	/* The guard needs CAP_DAC_OVERRIDE. */
	static const unsigned int caps[] = {PROBER_CAPS, CAP_DAC_OVERRIDE};
	struct supervisor_args *args = arg;
	int prober_fd = -1, err;
	pid_t prober = 0;

	bpf_after_fork(args->bpf);
	err = sandbox_helper("smtpl-supervise", parent, caps, sizeof(caps) / sizeof(caps[0]));
	if (!err)
		err = child_start(prober_main, &args->prober, &prober, &prober_fd);
	if (child_locked_in(fd, err))
		supervise(&args->prober, prober, prober_fd);
	else
		child_stop(&prober, &prober_fd);
	return 1;
}

int prober_start(struct prober *p, struct bpf_tls *tls, struct bpf *bpf,
		 const struct config *config)
{
	struct supervisor_args args = {.bpf = bpf, .prober = {.tls = tls, .config = config}};

	*p = (struct prober){.fd = -1};
	return child_start(supervisor_main, &args, &p->pid, &p->fd);
}

void prober_stop(struct prober *p)
{
	child_stop(&p->pid, &p->fd);
}
