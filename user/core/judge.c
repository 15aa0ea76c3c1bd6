// SPDX-License-Identifier: GPL-2.0-only
/*
 * judge.c - outcomes into windows, verdicts, and the beginning and end of suspensions.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "judge.h"
#include "base/clock.h"
#include "base/hash.h"

/* Accounts judged in one tick; the others come first in the next. */
#define TICK_CHECKS 8192

/* A warning or an alarm is given once in this time. */
#define AGAIN_S 3600

/* With the breaker off, so many accounts are needed for an alarm. */
#define ALARM_ACCOUNTS 4
#define ALARM_SHARE    50

int judge_init(struct judge *j, const struct pipeline_ops *ops, void *arg,
	       const struct verdict_rule *rule)
{
	j->ops = *ops;
	j->arg = arg;
	j->rule = *rule;
	j->accounts = accounts_new(ops->seed);
	j->relay_counts = relay_counts_new(ops->seed);
	j->remotes = remotes_new(ops->seed);
	j->room = tally_room_new();
	return j->accounts && j->relay_counts && j->remotes && j->room ? 0 : -ENOMEM;
}

void judge_free(struct judge *j)
{
	accounts_free(j->accounts);
	relay_counts_free(j->relay_counts);
	remotes_free(j->remotes);
	free(j->room);
}

static const struct verdict_rule *rule_of(const struct judge *j, const struct account *a)
{
	const struct verdict_rule *own = j->ops.rule ? j->ops.rule(j->arg, a) : NULL;

	return own ? own : &j->rule;
}

/* ---- suspensions ---- */

struct payer judge_payer(const struct judge *j, uint32_t uid, const char *domain)
{
	return payer_of_mail(&j->ops.payer, j->arg, uid, domain);
}

void judge_soon(struct judge *j, struct account *a)
{
	accounts_check_at(j->accounts, a, 0);
}

static void check_at_end(struct judge *j, struct account *a)
{
	accounts_check_at(j->accounts, a, a->until_ns / NS_PER_S + (a->until_ns % NS_PER_S > 0));
}

static void account_mark(struct judge *j, struct account *a, enum account_state state,
			 uint64_t since_ns, uint64_t until_ns)
{
	a->state = state;
	a->since_ns = since_ns;
	a->until_ns = until_ns;
	accounts_mark_dirty(j->accounts, a);
	check_at_end(j, a);
}

void judge_observe(struct judge *j, struct account *a, uint64_t since_ns, uint64_t until_ns)
{
	a->mode = VERDICT_OBSERVE;
	account_mark(j, a, ACCOUNT_OBSERVED, since_ns, until_ns);
}

void judge_suspend(struct judge *j, struct account *a, uint64_t since_ns, uint64_t until_ns)
{
	account_mark(j, a, ACCOUNT_SUSPENDED, since_ns, until_ns);
}

void judge_release(struct judge *j, struct account *a, uint64_t end_ns)
{
	window_release(&a->window);
	a->state = ACCOUNT_FREE;
	a->until_ns = 0;
	a->begins_ns = end_ns;
	accounts_check_never(j->accounts, a);
	accounts_mark_dirty(j->accounts, a);
}

/* End what is over. What was only observed refused nothing, so nothing begins anew after it. */
static void account_expire(struct judge *j, struct account *a, uint64_t now_ns)
{
	if (a->state == ACCOUNT_SUSPENDED && now_ns >= a->until_ns)
		judge_release(j, a, a->until_ns);
	if (a->state == ACCOUNT_OBSERVED && now_ns >= a->until_ns) {
		a->state = ACCOUNT_FREE;
		a->until_ns = 0;
	}
}

/* The mode changes with a reload, and when the time of an account's own rule is over. */
static void account_set_mode(struct judge *j, struct account *a, enum verdict_mode mode,
			     uint64_t now_ns)
{
	if (a->mode == VERDICT_OBSERVE && mode == VERDICT_ENFORCE && a->state != ACCOUNT_SUSPENDED)
		judge_release(j, a, now_ns);
	a->mode = mode;
}

void judge_set_rule(struct judge *j, const struct verdict_rule *rule, uint64_t now_ns)
{
	struct account *a = NULL;

	j->rule = *rule;
	while ((a = accounts_next(j->accounts, a))) {
		account_set_mode(j, a, rule_of(j, a)->mode, now_ns);
		judge_soon(j, a);
	}
}

/* ---- verdicts ---- */

/* That any line needs. */
static uint64_t least_failures(const struct verdict_rule *rule)
{
	return rule->hard_recipients && rule->hard_recipients < rule->min_failures ?
		       rule->hard_recipients :
		       rule->min_failures;
}

/* Time alone makes an account cross the line by taking delivered mails away, which needs enough
 * failures, or by making a deferral old enough to count. */
static void check_at_change(struct judge *j, struct account *a, const struct verdict_rule *rule,
			    int64_t next_s)
{
	const struct window_counts counts = window_counts(&a->window);
	int64_t change_s = window_next_change(&a->window, j->rule.window_s);

	if (counts.deferred + counts.failed < least_failures(rule))
		accounts_check_never(j->accounts, a);
	else
		accounts_check_at(j->accounts, a, next_s < change_s ? next_s : change_s);
}

static void account_warn(struct judge *j, struct account *a, const struct verdict *v,
			 uint64_t now_ns)
{
	if (!j->ops.near || (a->warned_ns && now_ns < a->warned_ns + AGAIN_S * NS_PER_S))
		return;
	a->warned_ns = now_ns;
	j->ops.near(j->arg, a, v, now_ns);
}

static void account_cross(struct judge *j, struct account *a, const struct verdict_rule *rule,
			  const struct verdict *v, uint64_t now_ns)
{
	account_mark(j, a, rule->mode == VERDICT_OBSERVE ? ACCOUNT_OBSERVED : ACCOUNT_SUSPENDED,
		     now_ns, now_ns + rule->suspend_s * NS_PER_S);
	j->stats.suspensions++;
	j->ops.suspend(j->arg, a, v, now_ns);
}

static void account_judge(struct judge *j, struct account *a, uint64_t now_ns)
{
	const struct verdict_rule *rule = rule_of(j, a);
	struct window_counts counts;
	struct tally tally;
	struct verdict v;

	account_expire(j, a, now_ns);
	account_set_mode(j, a, rule->mode, now_ns);
	if (a->state != ACCOUNT_FREE) {
		check_at_end(j, a);
		return;
	}
	window_slide(&a->window, now_ns / NS_PER_S, j->rule.window_s);
	counts = window_counts(&a->window);
	if (!verdict_is_open(&counts, rule)) {
		check_at_change(j, a, rule, INT64_MAX);
		return;
	}
	tally = tally_window(&a->window, rule, j->remotes, a->node.hash, j->room,
			     now_ns / NS_PER_S);
	v = verdict_decide(&tally, rule);
	if (v.suspend) {
		account_cross(j, a, rule, &v, now_ns);
		return;
	}
	check_at_change(j, a, rule, tally.next_s);
	if (v.near)
		account_warn(j, a, &v, now_ns);
}

void judge_charged(struct judge *j, const struct payer *payer, uint64_t now_ns)
{
	struct account *a = payer->pays ? accounts_find(j->accounts, &payer->id) : NULL;

	if (a)
		account_judge(j, a, now_ns);
}

void judge_charged_soon(struct judge *j, const struct payer *payer)
{
	struct account *a = payer->pays ? accounts_find(j->accounts, &payer->id) : NULL;

	if (a)
		judge_soon(j, a);
}

void judge_tick(struct judge *j, uint64_t now_ns)
{
	unsigned int budget = TICK_CHECKS;
	struct account *a;

	while ((a = accounts_due(j->accounts, now_ns / NS_PER_S, &budget)))
		account_judge(j, a, now_ns);
	j->stats.collected += accounts_collect(j->accounts, now_ns / NS_PER_S, j->rule.window_s,
					       accounts_collect_budget(j->accounts));
}

/* ---- remotes ---- */

static struct judge_alarm *alarm_of(struct judge *j, enum pipeline_alarm kind, uint32_t remote)
{
	struct judge_alarm *alarm = &j->alarms[hash_pair(remote, kind) % JUDGE_ALARMS];

	if (alarm->remote != remote || alarm->kind != kind)
		*alarm = (struct judge_alarm){.remote = remote,
					      .kind = kind,
					      .looked_s = INT64_MIN,
					      .given_s = INT64_MIN};
	return alarm;
}

static bool is_alarming(const struct judge *j, enum pipeline_alarm kind,
			const struct remotes_figures *figures)
{
	uint32_t accounts = j->rule.trouble_accounts, share = j->rule.trouble_share;
	bool listed = kind == PIPELINE_ALARM_LISTED;
	uint32_t bad = listed ? figures->set_aside : figures->bad;

	if (!accounts && listed) {
		accounts = ALARM_ACCOUNTS;
		share = ALARM_SHARE;
	}
	return accounts && bad >= accounts && 100 * bad >= share * figures->tried;
}

static void remote_alarm(struct judge *j, enum pipeline_alarm kind, uint32_t remote,
			 const struct outcome *o, int64_t now_s)
{
	struct judge_alarm *alarm = alarm_of(j, kind, remote);
	struct remotes_figures figures;

	if (!j->ops.alarm || alarm->looked_s == now_s || alarm->given_s > now_s - AGAIN_S)
		return;
	alarm->looked_s = now_s;
	figures = remotes_figures(j->remotes, remote, now_s);
	if (!is_alarming(j, kind, &figures))
		return;
	alarm->given_s = now_s;
	j->ops.alarm(j->arg, kind, o,
		     kind == PIPELINE_ALARM_LISTED ? figures.set_aside : figures.bad,
		     figures.tried);
}

/* By reports alone: who opens his connections himself could show us anything. */
static void meet_name(struct judge *j, const struct outcome *o, int64_t now_s)
{
	if (o->source != OUTCOME_REPORT)
		return;
	if (o->fault == OWN_FAULT_RESOLVER)
		remotes_unresolved(j->remotes, o->remote, now_s);
	else if (o->class != REPLY_OWN)
		remotes_resolved(j->remotes, now_s);
}

static void meet(struct judge *j, const struct account *a, const struct outcome *o,
		 const struct verdict_rule *rule, int64_t now_s)
{
	enum remotes_met met = REMOTES_OTHER;

	/* A log that is read late says nothing of how a remote feels now. */
	if ((int64_t)(o->time_ns / NS_PER_S) <= now_s - REMOTES_BACK_S)
		return;
	meet_name(j, o, now_s);
	if (o->outcome == SMTP_DELIVERED)
		met = REMOTES_DELIVERED;
	else if (rule->set_aside & 1u << o->class)
		met = REMOTES_SET_ASIDE;
	else if (verdict_is_trouble(o->class))
		met = REMOTES_TROUBLE;
	remotes_meet(j->remotes, o->remote, a->node.hash, met, now_s);
	if (o->class == REPLY_NO_ANSWER || met == REMOTES_DELIVERED)
		remotes_meet(j->remotes, REMOTES_ANYWHERE, a->node.hash, met, now_s);
	if (met == REMOTES_SET_ASIDE)
		remote_alarm(j, PIPELINE_ALARM_LISTED, o->remote, o, now_s);
	if (met != REMOTES_TROUBLE)
		return;
	remote_alarm(j, PIPELINE_ALARM_TROUBLE, o->remote, o, now_s);
	if (o->class == REPLY_NO_ANSWER)
		remote_alarm(j, PIPELINE_ALARM_NO_ANSWER, REMOTES_ANYWHERE, o, now_s);
}

/* ---- outcomes ---- */

/* A mail server should have refused it, had it been asked. */
static void note_bypass(struct judge *j, const struct account *a, const struct outcome *o)
{
	const struct relay_count bypass = {.bypass = o->count};

	if (!o->payer->relay || a->state != ACCOUNT_SUSPENDED || o->time_ns < a->since_ns)
		return;
	j->stats.bypass += o->count;
	relay_counts_add(j->relay_counts, &o->payer->id, o->domain, &bypass);
	if (j->ops.bypass)
		j->ops.bypass(j->arg, o);
}

/* Did it happen after the window began anew? A report's time is a whole second, cut: it may have
 * happened at its end. */
static bool is_after_begin(const struct account *a, const struct outcome *o)
{
	uint64_t error_ns = o->source == OUTCOME_REPORT ? NS_PER_S : 0;

	return o->time_ns + error_ns >= a->begins_ns;
}

/* Was the mail first tried before the window began anew? One that was right after it is not taken
 * for older. */
static bool is_before_begin(const struct account *a, const struct outcome *o)
{
	int64_t date_ns = (int64_t)o->time_ns - o->age_s * NS_PER_S;

	return o->age_s > 0 && !o->tries_known &&
	       date_ns + OUTCOME_AGE_ERROR_S * NS_PER_S < (int64_t)a->begins_ns;
}

/* Whoever opens his connections himself could have a server of his own take the mails that others
 * put off. Such a delivery ends no pending mail. */
static bool is_feigned(const struct judge *j, const struct account *a, const struct outcome *o,
		       int64_t now_s)
{
	uint32_t remote;

	if (o->payer->relay || o->outcome != SMTP_DELIVERED)
		return false;
	remote = window_pending_remote(&a->window, o);
	return remote && remote != o->remote && remotes_rare(j->remotes, o->remote, now_s);
}

/* It changes no window, but what it says of a pending mail is kept. */
static int take_uncounted(struct judge *j, struct account *a, const struct outcome *o,
			  uint64_t now_ns)
{
	accounts_mark_dirty(j->accounts, a);
	return window_note(&a->window, o, now_ns / NS_PER_S, j->rule.window_s);
}

static int take_counted(struct judge *j, struct account *a, const struct outcome *o,
			const struct verdict_rule *rule, uint64_t now_ns,
			enum outcome_counted *counted)
{
	int64_t now_s = now_ns / NS_PER_S;
	struct outcome known = *o;
	bool dilutes = o->outcome == SMTP_DELIVERED &&
		       !remotes_delivery_counts(j->remotes, o->remote, a->node.hash, now_s);

	if (is_feigned(j, a, o, now_s))
		known.mail = 0;
	meet(j, a, o, rule, now_s);
	if (dilutes || is_before_begin(a, o)) {
		*counted = dilutes ? COUNTED_SET_ASIDE : COUNTED_OLD;
		return take_uncounted(j, a, &known, now_ns);
	}
	/* While it lasts: when the account is judged the next time, the trouble may be over. */
	known.excused = o->outcome != SMTP_DELIVERED &&
			(verdict_sets_aside(rule, o->class) ||
			 verdict_excuses(rule, o->class, j->remotes, o->remote, now_s));
	if (known.excused && !o->mail) { /* the window would know no more than that it failed */
		*counted = COUNTED_SET_ASIDE;
		return 0;
	}
	if (window_add(&a->window, &known, now_s, j->rule.window_s, counted))
		return -ENOMEM;
	accounts_mark_dirty(j->accounts, a);
	if (known.excused && *counted != COUNTED_OLD)
		*counted = COUNTED_SET_ASIDE;
	return 0;
}

/* A domain that the sender only wrote is not the account's. One that nobody is known to own is,
 * until there is a better one. */
static void note_own_domain(const struct judge *j, struct account *a, const char *domain)
{
	const char *now = accounts_own_domain(a);
	const struct account_id id = accounts_id(a);
	struct account_id owner, owner_now;

	if (!domain[0] || !strcmp(domain, now) ||
	    payer_of_domain(&j->ops.payer, j->arg, domain, &owner) == PAYER_NOBODY)
		return;
	if (!account_equal(&owner, &id) &&
	    (owner.kind == ACCOUNT_UID ||
	     (payer_of_domain(&j->ops.payer, j->arg, now, &owner_now) != PAYER_NOBODY &&
	      account_equal(&owner_now, &id))))
		return;
	accounts_set_own_domain(a, domain);
}

static int take_charged(struct judge *j, struct account *a, const struct outcome *o,
			uint64_t now_ns, enum outcome_counted *counted)
{
	const struct verdict_rule *rule = rule_of(j, a);

	account_expire(j, a, now_ns);
	account_set_mode(j, a, rule->mode, o->time_ns);
	note_own_domain(j, a, o->domain);
	/* The latter: its event came late, and is of a time before the suspension's end. */
	if (a->state != ACCOUNT_SUSPENDED && is_after_begin(a, o))
		return take_counted(j, a, o, rule, now_ns, counted);
	if (take_uncounted(j, a, o, now_ns))
		return -ENOMEM;
	j->stats.while_suspended += o->count;
	note_bypass(j, a, o);
	*counted = COUNTED_SUSPENDED;
	return 0;
}

int judge_take(struct judge *j, const struct outcome *o, uint64_t now_ns)
{
	bool judged = o->source != OUTCOME_REFUSAL && o->outcome != SMTP_UNKNOWN;
	enum outcome_counted counted = COUNTED_NOBODY;
	struct account *a = NULL;

	if (judged && !o->payer->pays) {
		j->stats.not_judged += o->source == OUTCOME_REPORT ? 0 : o->count;
	} else if (judged && (accounts_get(j->accounts, &o->payer->id, &a) ||
			      take_charged(j, a, o, now_ns, &counted))) {
		j->stats.nomem++;
		return -ENOMEM;
	}
	if (j->ops.outcome)
		j->ops.outcome(j->arg, o, counted, now_ns);
	return 0;
}

static void note_report(struct judge *j, const struct outcome *o)
{
	bool refused = o->source == OUTCOME_REFUSAL;
	const struct relay_count one = {
		.delivered = !refused && o->outcome == SMTP_DELIVERED,
		.deferred = !refused && o->outcome == SMTP_DEFERRED,
		.failed = !refused && o->outcome == SMTP_FAILED,
		.unknown = !refused && o->outcome == SMTP_UNKNOWN,
		.refused = refused ? o->count : 0,
	};

	/* Strangers choose the domains of what nobody pays for. */
	relay_counts_add(j->relay_counts, &o->payer->id, o->payer->pays ? o->domain : "", &one);
}

int judge_report(struct judge *j, const struct outcome *o, uint64_t now_ns)
{
	if (judge_take(j, o, now_ns))
		return -ENOMEM;
	if (!o->payer->pays && !o->payer->id.kind)
		return 0;
	note_report(j, o);
	if (o->source != OUTCOME_REFUSAL)
		judge_charged(j, o->payer, now_ns);
	return 0;
}
