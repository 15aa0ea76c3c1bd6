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
#include "core/sessions.h"

#define POLICY_LOG_NS (60 * NS_PER_S)

/* Of each recipient; a retry is turned away once more. */
static void count_refused(struct daemon *d, const struct submission *o,
			  const struct account_id *account)
{
	const struct outcome_detail detail = {.sender = o->sender,
					      .login = o->auth[0] ? o->auth : NULL};
	const struct payer payer = {.id = *account, .pays = true, .relay = true};
	const char *at = strrchr(o->sender, '@');
	char domain[SMTPL_DOMAIN_SIZE];
	struct outcome refusal = {
		.source = OUTCOME_REFUSAL,
		.payer = &payer,
		.domain = domain,
		.null_sender = !o->sender[0],
		.count = o->rcpts,
		.time_ns = clock_boot_ns(),
		.age_s = OUTCOME_AGE_UNKNOWN,
		.detail = &detail,
	};

	if (!at || account_domain_key(at + 1, domain))
		domain[0] = '\0';
	if (pipeline_refusal(d->pipeline, &refusal, refusal.time_ns))
		d->losses.total.reports_lost++;
}

/* For what the kernel sees of the message, if no report of it comes. A look-up of a sender alone
 * says nothing of who sends. */
static void note_asked(struct daemon *d, const struct submission *o,
		       const struct policy_answer *answer)
{
	uint32_t origin = SUBMISSION_HAS_ACCOUNT | SUBMISSION_HAS_UID | SUBMISSION_HAS_CLIENT |
			  SUBMISSION_HAS_CALLER;

	if ((o->known & SUBMISSION_NO_SENDER) || !o->sender[0] ||
	    (!(o->known & origin) && !o->auth[0]))
		return;
	pipeline_asked(d->pipeline, sessions_address_hash(o->sender),
		       answer->charge == PAYER_ACCOUNT ? &answer->account : NULL, clock_boot_ns());
}

static void policy_ask(void *arg, const struct policy_question *question,
		       struct policy_answer *answer)
{
	const char *at = strrchr(question->submission.sender, '@');
	struct daemon *d = arg;
	enum payer_why why;

	answer->charge = PAYER_NOBODY;
	if (!daemon_is_inbound(d, &question->submission))
		answer->charge = daemon_payer(d, &question->submission, &answer->account, &why);
	note_asked(d, &question->submission, answer);
	if (answer->charge == PAYER_ACCOUNT &&
	    daemon_refusal_of_mail(d, &answer->account, at ? at + 1 : "", &answer->refusal) &&
	    question->submission.rcpts)
		count_refused(d, &question->submission, &answer->account);
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
