// SPDX-License-Identifier: GPL-2.0-only
/*
 * daemon_policy.c - the policy server's child, and the daemon's answers to its questions. While
 * there is none, mail servers find nobody to ask and let mail pass, but for what the file
 * `suspended` holds.
 */
#include <string.h>
#include "base/clock.h"
#include "daemon.h"
#include "base/log.h"

#define POLICY_LOG_NS (60 * NS_PER_S)

static void policy_ask(void *arg, const struct policy_question *question,
		       struct policy_answer *answer)
{
	struct daemon *d = arg;
	enum payer_why why;

	answer->charge = PAYER_NOBODY;
	if (daemon_is_inbound(d, &question->submission))
		return;
	answer->charge = daemon_payer(d, &question->submission, &answer->account, &why);
	if (answer->charge == PAYER_ACCOUNT)
		daemon_refusal(d, &answer->account, &answer->refusal);
}

/* A mail server that is kept out refuses nobody, and says nothing about it. */
static void policy_counted(void *arg, const struct policy_stats *stats)
{
	struct daemon *d = arg;
	uint64_t now = clock_boot_ns();

	daemon_losses_policy(&d->losses, stats);
	if (stats->strangers > d->policy.strangers && now - d->policy.logged_ns > POLICY_LOG_NS) {
		log_warning(
			"%llu connections to the sockets in \"%s\" were closed: their users are not "
			"in relay_users",
			(unsigned long long)(stats->strangers - d->policy.strangers),
			d->config.run);
		d->policy.strangers = stats->strangers;
		d->policy.logged_ns = now;
	}
}

static int policy_start(struct daemon *d)
{
	int err = policy_server_start(&d->policy.server, d->config.run, &d->config.relays);

	d->policy.strangers = 0;
	daemon_losses_policy_begins(&d->losses);
	if (!err)
		return d->policy.server.fd;
	log_warning("mail servers cannot ask: no sockets in \"%s\": %s", d->config.run,
		    strerror(-err));
	return err;
}

static int policy_serve(struct daemon *d)
{
	static const struct policy_ops ops = {
		.ask = policy_ask,
		.record = daemon_on_record,
		.counted = policy_counted,
	};

	return policy_server_serve(&d->policy.server, &ops, d);
}

static void policy_stop(struct daemon *d)
{
	policy_server_stop(&d->policy.server);
}

static void policy_gone(struct daemon *d)
{
	pipeline_feed_reader_gone(d->pipeline, FEED_EXIM);
}

const struct daemon_child_kind daemon_policy_kind = {
	.what = "the child that mail servers ask",
	.start = policy_start,
	.serve = policy_serve,
	.stop = policy_stop,
	.gone = policy_gone,
};
