// SPDX-License-Identifier: GPL-2.0-only
/*
 * daemon_outcomes.c - what the pipeline asks of the daemon and says to it beside its verdicts: the
 * rule of an account, each outcome and what it counted as, a warning before the line, and remotes
 * that many accounts have trouble with.
 */
#include <stdio.h>
#include <string.h>
#include <time.h>
#include "base/clock.h"
#include "base/log.h"
#include "base/log_event.h"
#include "config/config_account.h"
#include "daemon.h"

#define BYPASS_SAY_NS (60 * NS_PER_S)

const struct verdict_rule *daemon_rule(void *arg, const struct account *a)
{
	const struct daemon *d = arg;
	struct account_id id;

	if (!d->config.accounts)
		return &d->config.rule;
	id = accounts_id(a);
	return config_account_rule(&d->config, &id, time(NULL));
}

/* Of RFC 3463, whose numbers have at most three digits. */
static void enhanced_text(const struct outcome_detail *detail, char text[NOTICE_ENHANCED_SIZE])
{
	text[0] = '\0';
	if (detail->enhanced[0])
		snprintf(text, NOTICE_ENHANCED_SIZE, "%u.%u.%u", detail->enhanced[0] % 10u,
			 detail->enhanced[1] % 1000u, detail->enhanced[2] % 1000u);
}

/* The same account is not said to get past its suspension for each of its mails: its notice is held
 * back by those who send it, and the log has a line a minute, of any account. */
void daemon_on_bypass(void *arg, const struct outcome *o)
{
	struct notice n = {.kind = NOTICE_BYPASS};
	uint64_t now_ns = clock_boot_ns();
	struct daemon *d = arg;

	account_name(&o->payer->id, n.account, sizeof(n.account));
	if (!d->bypass_said_ns || now_ns - d->bypass_said_ns >= BYPASS_SAY_NS) {
		log_error("%s is suspended, and a mail server (uid %u) has sent mail for it: the "
			  "server's hook is missing, or the mail was in its queue before "
			  "(`smtplimit check` has a line for each hook)",
			  n.account, o->uid);
		d->bypass_said_ns = now_ns;
	}
	snprintf(n.domain, sizeof(n.domain), "%s", o->domain);
	snprintf(n.text, sizeof(n.text), "a mail server (uid %u) sends on for it", o->uid);
	daemon_notice(d, &n);
}

const char *daemon_login(const struct daemon *d, const struct account_id *id)
{
	return account_equal(&d->login_account, id) ? d->login : "";
}

void daemon_on_outcome(void *arg, const struct outcome *o, enum outcome_counted counted,
		       uint64_t now_ns)
{
	const struct outcome_detail *detail = o->detail;
	char enhanced[NOTICE_ENHANCED_SIZE], text[SMTPL_TEXT_SIZE + 1];
	struct daemon *d = arg;

	(void)now_ns;
	daemon_services_sent(d, o);
	if (o->fault && (o->fault != OWN_FAULT_RESOLVER || counted == COUNTED_SET_ASIDE))
		daemon_fault(d, o->fault, detail ? detail->text : NULL,
			     detail ? detail->text_size : 0);
	if (!detail || (o->outcome != SMTP_DEFERRED && o->outcome != SMTP_FAILED) ||
	    (counted != COUNTED_MAIL && counted != COUNTED_RETRY &&
	     counted != COUNTED_SAME_RECIPIENT))
		return; /* it is no cause of anything */
	d->login_account = o->payer->id;
	snprintf(d->login, sizeof(d->login), "%s", detail->login ? detail->login : "");
	enhanced_text(detail, enhanced);
	snprintf(text, sizeof(text), "%.*s", (int)detail->text_size,
		 detail->text ? detail->text : "");
	notice_facts_add(d->facts, &o->payer->id,
			 &(struct notice_failure){.recipient = detail->recipient ?: "",
						  .remote = detail->remote ?: "",
						  .enhanced = enhanced,
						  .text = text,
						  .class = o->class,
						  .code = detail->code,
						  .time_s = time(NULL)});
}

void daemon_on_near(void *arg, struct account *account, const struct verdict *v, uint64_t now_ns)
{
	struct daemon *d = arg;
	const struct verdict_rule *rule = daemon_rule(d, account);
	const struct account_id id = accounts_id(account);
	struct notice n = {.kind = NOTICE_NEARLY_THERE,
			   .simulated = rule->mode == VERDICT_OBSERVE,
			   .time_s = time(NULL),
			   .bad = v->bad,
			   .min_failures = rule->min_failures,
			   .percent = v->percent,
			   .window_s = (uint32_t)d->config.rule.window_s,
			   .headroom = v->headroom < UINT32_MAX ? v->headroom : UINT32_MAX};
	const struct log_facts facts = {.account = n.account,
					.domain = n.domain,
					.login = daemon_login(d, &id),
					.has_figures = true,
					.bad = (uint32_t)v->bad,
					.percent = v->percent};

	(void)now_ns;
	account_name(&id, n.account, sizeof(n.account));
	snprintf(n.domain, sizeof(n.domain), "%s", accounts_own_domain(account));
	log_event(LOG_EVENT_NEAR, &facts,
		  "%s is near its line: deferred and failed mails %llu/%u (%u%%), %u more "
		  "suspend%s it",
		  n.account, (unsigned long long)v->bad, rule->min_failures, v->percent, n.headroom,
		  n.headroom == 1 ? "s" : "");
	notice_facts_fill(d->facts, &id, &n);
	daemon_notice(d, &n);
}

/* The next save puts it into the database, where `status` finds it. */
static void note_alarm(struct daemon *d, enum pipeline_alarm kind, const struct notice *n,
		       const struct outcome_detail *detail)
{
	struct state_remote *a = &d->alarms.alarm[d->alarms.count++ % STATE_REMOTES_MAX];
	char enhanced[NOTICE_ENHANCED_SIZE] = "", code[24] = "";

	*a = (struct state_remote){.kind = kind,
				   .accounts = n->accounts_bad,
				   .tried = n->accounts_tried,
				   .last_wall_s = n->time_s};
	if (kind != PIPELINE_ALARM_NO_ANSWER && detail && detail->remote)
		snprintf(a->remote, sizeof(a->remote), "%s", detail->remote);
	if (detail && detail->code) {
		enhanced_text(detail, enhanced);
		snprintf(code, sizeof(code), "%u %s%s", detail->code % 1000u, enhanced,
			 enhanced[0] ? " " : "");
	}
	snprintf(a->text, sizeof(a->text), "%s%.*s", code, SMTPL_TEXT_SIZE, n->text);
}

int daemon_alarms_save(struct daemon *d)
{
	size_t end = d->alarms.count;
	int err = 0;

	for (size_t i = end > STATE_REMOTES_MAX ? end - STATE_REMOTES_MAX : 0; i < end && !err; i++)
		err = state_put_remote(d->state, &d->alarms.alarm[i % STATE_REMOTES_MAX]);
	return err;
}

/* "outlook.com refuses this server for 14 of 20 accounts, ...: ... block list" */
void daemon_on_alarm(void *arg, enum pipeline_alarm kind, const struct outcome *o, uint32_t bad,
		     uint32_t tried)
{
	const struct outcome_detail *detail = o->detail;
	bool listed = kind == PIPELINE_ALARM_LISTED, anybody = kind == PIPELINE_ALARM_NO_ANSWER;
	struct notice n = {.kind = listed ? NOTICE_SERVER_LISTED : NOTICE_RECEIVER_TROUBLE,
			   .time_s = time(NULL),
			   .accounts_bad = bad,
			   .accounts_tried = tried};
	struct daemon *d = arg;

	snprintf(n.remote, sizeof(n.remote), "%s",
		 anybody		  ? "no remote" :
		 detail && detail->remote ? detail->remote :
					    "a remote");
	if (detail && detail->text)
		snprintf(n.text, sizeof(n.text), "%.*s", (int)detail->text_size, detail->text);
	log_warning("%s %s %u of %u accounts, which is not charged to them: %s", n.remote,
		    state_remote_does(kind), bad, tried, n.text[0] ? n.text : "there was no reply");
	note_alarm(d, kind, &n, detail);
	daemon_notice(d, &n);
}
