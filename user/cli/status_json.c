// SPDX-License-Identifier: GPL-2.0-only
/*
 * status_json.c - `smtplimit -j status`: a contract with users' scripts, described in
 * smtplimit-json(5).
 */
#include <errno.h>
#include <jansson.h>
#include <string.h>
#include "base/log.h"
#include "status.h"
#include "status_tls.h"
#include "core/verdict.h"

/* "58.3", "100.0": a percent has at most this many digits. */
#define PERCENT_DIGITS 4

static const char *mode_name(enum verdict_mode mode)
{
	return mode == VERDICT_OBSERVE ? "observe" : "enforce";
}

static json_t *json_escaped(const char *bytes)
{
	char text[4 * 256 + 1];

	return json_string(log_escape(bytes, strlen(bytes), 1, text, sizeof(text)));
}

static json_t *json_time(int64_t wall_s)
{
	char text[STATUS_TIME_SIZE];

	return wall_s ? json_string(status_time(wall_s, text)) : json_null();
}

static json_t *json_percent(const struct tally *t)
{
	int tenths = verdict_permille(t->bad, t->delivered);

	return tenths < 0 ? json_null() : json_real(tenths / 10.0);
}

static json_t *json_domains(const struct status_account *a)
{
	json_t *domains = json_array();

	for (size_t i = 0; domains && i < a->domains_count; i++)
		json_array_append_new(domains, json_escaped(a->domains[i]));
	return domains;
}

static json_t *json_role(const struct status_account *a)
{
	static const char *const names[] = {
		[SMTPL_ROLE_DIRECT] = "direct", [SMTPL_ROLE_RELAY] = "relay",
		[SMTPL_ROLE_EXEMPT] = "exempt", [SMTPL_ROLE_SERVICE] = "service",
		[SMTPL_ROLE_LISTS] = "lists",
	};

	if ((a->id.kind == ACCOUNT_DOMAIN && a->role == SMTPL_ROLE_DIRECT) ||
	    a->role >= sizeof(names) / sizeof(*names))
		return json_null();
	return json_string(names[a->role]);
}

/* How it is known to be a service user. */
static json_t *json_why(const struct status_account *a)
{
	switch (a->why) {
	case SMTPL_SERVICE_NAME:
		return json_string("name");
	case SMTPL_SERVICE_PIPE:
		return json_string("pipe");
	case SMTPL_SERVICE_CARRIES:
		return json_string("carries");
	case SMTPL_SERVICE_NONE:
		break;
	}
	return json_null();
}

static json_t *json_count(uint64_t count)
{
	return json_integer(count);
}

static json_t *json_window(const struct tally *w)
{
	return json_pack("{s:o, s:o, s:o, s:o}", "delivered", json_count(w->delivered), "deferred",
			 json_count(w->deferred), "failed", json_count(w->failed), "percent",
			 json_percent(w));
}

static json_t *json_total(const struct smtpl_count *t)
{
	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "connections",
			 json_count(t->connections), "delivered", json_count(t->delivered),
			 "deferred", json_count(t->deferred), "failed", json_count(t->failed),
			 "unknown", json_count(t->unknown), "opaque", json_count(t->opaque),
			 "refused", json_count(t->refused));
}

static json_t *json_from(const struct config_section *s)
{
	return s ? json_sprintf("%s:%u", s->file, s->line) : json_null();
}

/* "from", "note" and "until" are those of the account's own section. */
static json_t *json_rule(const struct status_account *a)
{
	const struct config_section *s = a->section;
	bool ends = s && s->until_s != CONFIG_NO_END;

	return json_pack("{s:i, s:i, s:I, s:s, s:o, s:o, s:o}", "percent", (int)a->rule.percent,
			 "min_failures", (int)a->rule.min_failures, "suspend_s",
			 (json_int_t)a->rule.suspend_s, "mode", mode_name(a->rule.mode), "from",
			 json_from(s), "note",
			 s && s->note[0] ? json_escaped(s->note) : json_null(), "until",
			 json_time(ends ? s->until_s : 0));
}

static json_t *json_account(const struct status_account *a)
{
	bool uid = a->id.kind == ACCOUNT_UID;

	return json_pack(
		"{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:b, s:b, s:o, s:o, s:o, s:b, s:o}",
		"account", json_string(a->name), "uid", uid ? json_integer(a->id.uid) : json_null(),
		"role", json_role(a), "service", json_why(a), "carries", json_count(a->carries),
		"domains", json_domains(a), "window", json_window(&a->window), "headroom",
		a->headroom == UINT64_MAX ? json_null() : json_count(a->headroom), "total",
		json_total(&a->total), "bypass", json_count(a->reported.bypass), "suspended",
		a->suspended, "observed", status_observes(a), "since",
		json_time(a->suspended ? a->since_wall_s : 0), "until",
		json_time(a->suspended ? a->until_wall_s : 0), "reason",
		a->suspended ? json_escaped(a->reason) : json_null(), "told",
		a->suspended && (a->suspension.by_hand & SMTPL_BY_HAND_TOLD), "rule", json_rule(a));
}

static json_t *json_outcomes(uint64_t delivered, uint64_t deferred, uint64_t failed)
{
	return json_pack("{s:o, s:o, s:o}", "delivered", json_count(delivered), "deferred",
			 json_count(deferred), "failed", json_count(failed));
}

/* Without a daemon nobody listens. */
static json_t *json_feed(const struct status *s, const struct state_feed *feed)
{
	const struct account_id id = {.kind = ACCOUNT_UID, .uid = feed->known.relay_uid};
	const struct pipeline_feed_stats *n = &feed->known.stats;
	char user[ACCOUNT_NAME_SIZE];

	account_name(&id, user, sizeof(user));
	return json_pack(
		"{s:s, s:s, s:I, s:b, s:s?, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}",
		"mta", status_feed_name(feed), "user", user, "uid", (json_int_t)id.uid, "running",
		feed->known.running && s->daemon_lock_pid > 0, "stopped",
		status_feed_stop(&feed->known), "since", json_time(feed->changed_wall_s), "last",
		json_time(feed->reported_wall_s), "told",
		json_outcomes(n->told_delivered, n->told_deferred, n->told_failed), "wire",
		json_outcomes(n->wire_delivered, n->wire_deferred, n->wire_failed), "agreed",
		json_count(n->agreed), "differed", json_count(n->differed), "retried",
		json_count(n->retried), "told_only", json_count(n->told_only), "wire_only",
		json_count(n->wire_only), "late", json_count(n->late), "forgotten",
		json_count(n->forgotten));
}

static json_t *json_feeds(const struct status *s)
{
	json_t *feeds = json_array();

	for (size_t i = 0; feeds && i < s->feeds_count; i++)
		json_array_append_new(feeds, json_feed(s, &s->feeds[i]));
	return feeds;
}

/* Null where the alarm is about all remotes, and where no reply came. */
static json_t *json_text(const char *bytes)
{
	return bytes[0] ? json_escaped(bytes) : json_null();
}

static json_t *json_remote(const struct state_remote *r)
{
	static const char *const kinds[] = {
		[PIPELINE_ALARM_TROUBLE] = "trouble",
		[PIPELINE_ALARM_NO_ANSWER] = "no_answer",
		[PIPELINE_ALARM_LISTED] = "listed",
	};

	return json_pack("{s:o, s:s, s:o, s:o, s:o, s:o, s:o}", "remote", json_text(r->remote),
			 "kind", kinds[r->kind], "accounts", json_count(r->accounts), "tried",
			 json_count(r->tried), "since", json_time(r->since_wall_s), "last",
			 json_time(r->last_wall_s), "text", json_text(r->text));
}

static json_t *json_remotes(const struct status *s)
{
	json_t *remotes = json_array();

	for (size_t i = 0; remotes && i < s->remotes_count; i++)
		json_array_append_new(remotes, json_remote(&s->remotes[i]));
	return remotes;
}

static json_t *json_faults(const struct status *s)
{
	json_t *faults = json_array();

	for (size_t i = 0; faults && i < s->faults_count; i++) {
		const struct state_fault *f = &s->faults[i];

		json_array_append_new(
			faults,
			json_pack("{s:s, s:o, s:o, s:o, s:o}", "fault", own_fault_name(f->fault),
				  "attempts", json_count((uint64_t)f->attempts), "since",
				  json_time(f->since_wall_s), "last", json_time(f->last_wall_s),
				  "text", json_text(f->text)));
	}
	return faults;
}

static json_t *json_accounts(const struct status *s)
{
	json_t *accounts = json_array();

	for (size_t i = 0; accounts && i < s->accounts_count; i++) {
		if (!status_shows(s, s->accounts[i]))
			continue;
		if (json_array_append_new(accounts, json_account(s->accounts[i]))) {
			json_decref(accounts);
			return NULL;
		}
	}
	return accounts;
}

static json_t *json_stats(const struct smtpl_stats *stats)
{
	json_t *object = json_object();

#define STATUS_STAT(name, text) json_object_set_new(object, #name, json_count(stats->name));
	SMTPL_STATS(STATUS_STAT)
#undef STATUS_STAT
	return object;
}

static json_t *json_losses(const struct smtpl_losses *losses)
{
	json_t *object = json_object();

#define STATUS_LOSS(name, text) json_object_set_new(object, #name, json_count(losses->name));
	SMTPL_LOSSES(STATUS_LOSS)
#undef STATUS_LOSS
	return object;
}

/* A heartbeat of 0 is that of a daemon that was stopped. */
static json_t *json_daemon(const struct status *s)
{
	uint64_t started_ns = s->loaded ? s->meta.started_ns : 0;
	uint64_t heartbeat_ns = s->loaded ? s->meta.heartbeat_ns : 0;

	return json_pack("{s:b, s:o, s:o, s:o}", "running", s->daemon_lock_pid > 0, "pid",
			 s->daemon_lock_pid > 0 ? json_integer(s->daemon_lock_pid) : json_null(),
			 "started", json_time(started_ns ? status_wall_s(s, started_ns) : 0),
			 "heartbeat", json_time(heartbeat_ns ? status_wall_s(s, heartbeat_ns) : 0));
}

static json_t *json_problems(const struct status *s)
{
	json_t *problems = json_array();

	for (size_t i = 0; problems && i < s->problems_count; i++)
		json_array_append_new(problems, json_escaped(s->problems[i]));
	return problems;
}

int status_print_json(const struct status *s, FILE *out)
{
	json_t *root;
	int r;

	root = json_pack(
		"{s:s, s:s, s:I, s:i, s:i, s:I, s:b, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}",
		"version", SMTPLIMIT_VERSION, "mode", mode_name(s->mode), "window_s",
		(json_int_t)s->rule.window_s, "percent", (int)s->rule.percent, "min_failures",
		(int)s->rule.min_failures, "suspend_s", (json_int_t)s->rule.suspend_s, "loaded",
		s->loaded, "daemon", json_daemon(s), "accounts", json_accounts(s), "nobody",
		json_outcomes(s->nobodys.delivered, s->nobodys.deferred, s->nobodys.failed),
		"feeds", json_feeds(s), "faults", json_faults(s), "remotes", json_remotes(s), "tls",
		status_tls_json(s), "stats", json_stats(&s->stats), "losses",
		json_losses(&s->losses), "problems", json_problems(s));
	if (!root)
		return -ENOMEM;
	r = json_dumpf(root, out, JSON_INDENT(1) | JSON_REAL_PRECISION(PERCENT_DIGITS));
	json_decref(root);
	fputc('\n', out);
	return r ? -ENOMEM : 0;
}
