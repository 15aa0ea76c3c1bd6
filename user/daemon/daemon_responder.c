// SPDX-License-Identifier: GPL-2.0-only
/*
 * daemon_responder.c - the child that speaks the refusal, the daemon's answers to its questions,
 * and the heartbeat, by which the kernel side knows where it is. While there is none, refused
 * connects fail with an error instead of a text.
 */
#include <string.h>
#include "base/clock.h"
#include "daemon.h"
#include "kernel/enforce.h"
#include "base/log.h"
#include "refuse/refusal_domain.h"
#include "refuse/suspended_list.h"

bool daemon_refusal(void *arg, const struct account_id *id, struct responder_answer *answer)
{
	struct daemon *d = arg;
	const struct account *account = accounts_find(pipeline_accounts(d->pipeline), id);
	struct smtpl_suspension suspension;

	if (enforce_lookup(d->maps, id, clock_boot_ns(), &suspension))
		return false;
	suspended_figures(id, &suspension, account ? accounts_own_domain(account) : "",
			  clock_wall_of(suspension.until_ns) / NS_PER_S, clock_wall_ns() / NS_PER_S,
			  answer);
	if (suspension.by_hand & SMTPL_BY_HAND_TOLD)
		daemon_told(d, id, answer->reason);
	memcpy(answer->contact, d->config.contact, sizeof(answer->contact));
	return true;
}

bool daemon_refusal_of_mail(struct daemon *d, const struct account_id *id, const char *domain,
			    struct responder_answer *answer)
{
	const struct account *account = accounts_find(pipeline_accounts(d->pipeline), id);
	char key[SMTPL_DOMAIN_SIZE];
	uint32_t owner;

	if (!daemon_refusal(d, id, answer))
		return false;
	/* Mail without a sender's domain has this host's name, which says nothing of the sender. */
	answer->names_sender =
		!account_domain_key(domain, key) &&
		(daemon_owner(d, key, &owner) || !daemon_own_name(d, key)) &&
		refusal_names_sender(d->owners.owners, id,
				     account ? accounts_own_domain(account) : "", key);
	return true;
}

static void who_is_it(void *arg, const struct responder_question *question,
		      struct responder_answer *answer)
{
	struct smtpl_endpoint key = {.port = question->port};
	struct account_id id = {.kind = ACCOUNT_UID};
	char domain[sizeof(question->domain)] = "";
	struct smtpl_caller who;
	struct daemon *d = arg;

	memcpy(key.addr, question->addr, sizeof(key.addr));
	if (bpf_maps_get_redirect(d->maps, &key, &who))
		return;
	id.uid = who.uid;
	memcpy(domain, question->domain, sizeof(domain) - 1);
	daemon_refusal_of_mail(d, &id, domain, answer);
}

void daemon_heartbeat(struct daemon *d)
{
	int err;

	d->meta.heartbeat_ns = clock_boot_ns();
	d->meta.responder_port = d->responder.port;
	d->meta.responder_port6 = d->responder.port6;
	d->meta.observe = d->config.rule.mode == VERDICT_OBSERVE;
	d->meta.percent = d->config.rule.percent;
	d->meta.min_failures = d->config.rule.min_failures;
	d->meta.window_s = d->config.rule.window_s;
	d->meta.suspend_s = d->config.rule.suspend_s;
	err = bpf_maps_set_meta(d->maps, &d->meta);
	if (err)
		log_error("cannot write the heartbeat: %s", strerror(-err));
}

static int responder_begin(struct daemon *d)
{
	int err = responder_start(&d->responder);

	if (err) {
		log_warning("no responder: refused connects fail without a text: %s",
			    strerror(-err));
		return err;
	}
	bpf_set_responder(d->bpf, d->responder.port, d->responder.port6);
	return d->responder.fd;
}

static int responder_answer(struct daemon *d)
{
	return responder_serve(&d->responder, who_is_it, d);
}

static void responder_end(struct daemon *d)
{
	responder_stop(&d->responder);
}

/* Nobody is to be redirected to where no responder is. */
const struct daemon_child_kind daemon_responder_kind = {
	.what = "the responder",
	.start = responder_begin,
	.serve = responder_answer,
	.stop = responder_end,
	.gone = daemon_heartbeat,
};
